/**
 * What an element of a value is, in terms of the buffers that a kernel reads: expressions grow backwards through a program, until they
 * meet values that lie in memory or that the kernel itself holds in a register.
 */

import type { Aval } from '../../../src/core/aval.ts';
import { CompileError } from '../../../src/core/errors.ts';
import { type Atom, type Eqn, isLiteral, type Var } from '../../../src/core/jaxpr.ts';
import { type Buffer, constant, type Expr, load } from '../ir/expr.ts';
import { both, flat } from '../ir/integer.ts';
import type { Reader } from './rule.ts';
import { pointwiseOf } from './table.ts';

/** Where expressions end. */
export interface Sources {
  /** The equation whose result this is, to be seen through; `null` for inputs. */
  producer(v: Var): Eqn | null;
  /** The buffer to read a value from; `null` if there is none, or it is to be computed. */
  buffer(v: Var): Buffer | null;
  /**
   * A value that the kernel computes itself, at these indices: what holds it, or `'everywhere'` if it is computed at each place anyway;
   * `undefined` if it is none of those.
   */
  held(v: Var, at: readonly Expr[]): Expr | 'everywhere' | undefined;
}

/** Expands elements, each place of each value once. */
export class Elements {
  private readonly sources: Sources;
  private readonly known = new Map<Var, Map<string, Expr>>();

  constructor(sources: Sources) {
    this.sources = sources;
  }

  element(atom: Atom, at: readonly Expr[], guard: Expr | null = null): Expr {
    if (isLiteral(atom)) return literal(atom.aval, atom.value);
    let places = this.known.get(atom);
    if (!places) {
      places = new Map();
      this.known.set(atom, places);
    }
    const key = `${at.map((x) => x.id).join()};${guard?.id}`;
    let found = places.get(key);
    if (!found) {
      found = this.expand(atom, at, guard);
      places.set(key, found);
    }
    return found;
  }

  private expand(v: Var, at: readonly Expr[], guard: Expr | null): Expr {
    const held = this.sources.held(v, at);
    // Once for all conditions under which it is read: pieces of one value, put together again, compute it once.
    if (held === 'everywhere' && guard) return this.element(v, at);
    if (held && held !== 'everywhere') return held;
    const buffer = this.sources.buffer(v);
    if (buffer) return load(buffer, flat(at, v.aval.shape), guard);
    const eqn = this.sources.producer(v);
    const rule = eqn && pointwiseOf(eqn.primitive.name);
    if (!eqn || !rule) {
      throw new CompileError({
        op: eqn?.primitive.name ?? 'input',
        problem: 'a kernel needs a value that is neither in memory nor computed element by element',
        remedy: 'this is a bug in the fusion of programs; please report it',
      });
    }
    return rule(this.reader(eqn, guard), at, {
      ins: eqn.ins.map((x) => x.aval),
      out: v.aval,
      params: eqn.params,
      position: eqn.outs.indexOf(v),
    });
  }

  /** Reads the operands of an equation. */
  reader(eqn: Eqn, guard: Expr | null = null): Reader {
    return (operand, at, own = null) => this.element(eqn.ins[operand]!, at, both(guard, own));
  }
}

export const literal = (aval: Aval, value: number): Expr => constant(value, aval.dtype);
