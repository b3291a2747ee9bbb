/**
 * Jaxprs as text: `{ lambda ; a:f32[3] b:f32[]. let c:f32[3] = mul a a in (c,) }`.
 *
 * Names follow the order of binding and nothing else, so two α-equivalent programs print the same, and the text without
 * its layout is what {@link hashJaxpr} hashes.
 */

import { showAvalShort } from './aval.ts';
import { formatElement } from './format.ts';
import { identityOf } from './identity.ts';
import { type Atom, type Eqn, isJaxpr, isLiteral, type Jaxpr, type Var } from './jaxpr.ts';

/** The program, one equation a line, inner programs indented. */
export const showJaxpr = (jaxpr: Jaxpr): string => new Printer('\n').jaxpr(jaxpr, '');

/** The program on one line. */
export const showJaxprInline = (jaxpr: Jaxpr): string => new Printer(' ').jaxpr(jaxpr, '');

/** The program on one line without the names of called functions: equal for equal programs. */
export const structuralText = (jaxpr: Jaxpr): string => new Printer(' ', false).jaxpr(jaxpr, '');

/** `a`, …, `z`, `aa`, `ab`, … */
export function variableName(index: number): string {
  const letter = String.fromCharCode(97 + (index % 26));
  return index < 26 ? letter : variableName(Math.floor(index / 26) - 1) + letter;
}

class Printer {
  private readonly names = new Map<Var, string>();
  private readonly newline: '\n' | ' ';
  private readonly showNames: boolean;

  constructor(newline: '\n' | ' ', showNames = true) {
    this.newline = newline;
    this.showNames = showNames;
  }

  jaxpr(jaxpr: Jaxpr, indent: string): string {
    const { newline } = this;
    const inner = newline === '\n' ? `${indent}  ` : '';
    const outer = newline === '\n' ? indent : '';
    const consts = this.binders(jaxpr.consts);
    const ins = this.binders(jaxpr.ins);
    const head = `{ lambda ${consts}${consts && ' '}; ${ins}. let`;
    const body = jaxpr.eqns.map((eqn) => `${inner}${this.eqn(eqn, inner)}`);
    const outs = jaxpr.outs.map((atom) => this.atom(atom));
    const tail = `in (${outs.join(', ')}${outs.length === 1 ? ',' : ''}) }`;
    return [head, ...body, `${outer}${tail}`].join(newline);
  }

  private eqn(eqn: Eqn, indent: string): string {
    const named = eqn.params as Readonly<Record<string, unknown>>;
    const shown = !this.showNames && eqn.primitive.higherOrder ? { ...named, name: '' } : named;
    const params = this.params(shown, indent);
    const ins = eqn.ins.map((atom) => this.atom(atom)).join(' ');
    return `${this.binders(eqn.outs)} = ${eqn.primitive.name}${params}${ins && ' '}${ins}`;
  }

  private params(params: unknown, indent: string): string {
    const entries = Object.entries(params as object).sort(
      ([a, x], [b, y]) => Number(isJaxpr(x)) - Number(isJaxpr(y)) || (a < b ? -1 : 1),
    );
    if (entries.length === 0) return '';
    return `[${entries.map(([key, value]) => `${key}=${this.param(value, indent)}`).join(' ')}]`;
  }

  private param(value: unknown, indent: string): string {
    if (isJaxpr(value)) return new Printer(this.newline, this.showNames).jaxpr(value, indent);
    if (Array.isArray(value)) {
      const parts = value.map((x) => this.param(x, indent));
      return parts.length > 0 && isJaxpr(value[0]) ? `(${parts.join(' ')})` : `(${parts.join(',')})`;
    }
    if (typeof value === 'object' && value !== null) return this.params(value, indent) || '[]';
    if (typeof value === 'function') return this.showNames ? value.name || 'function' : `f#${identityOf(value)}`;
    if (typeof value === 'string') return /^[\w$().]*$/.test(value) ? value : JSON.stringify(value);
    return Object.is(value, -0) ? '-0' : String(value);
  }

  private binders(vars: readonly Var[]): string {
    return vars.map((v) => `${this.bind(v)}:${showAvalShort(v.aval)}`).join(' ');
  }

  private bind(v: Var): string {
    const name = variableName(this.names.size);
    this.names.set(v, name);
    return name;
  }

  private atom(atom: Atom): string {
    if (!isLiteral(atom)) return this.names.get(atom) ?? '?';
    const { dtype } = atom.aval;
    return `${dtype === 'bool' ? formatElement(atom.value, dtype) : Object.is(atom.value, -0) ? '-0' : atom.value}:${showAvalShort(atom.aval)}`;
  }
}
