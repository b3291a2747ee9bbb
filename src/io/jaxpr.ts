/**
 * Programs as JSON.
 *
 * ```
 * { "format": "pullback.jaxpr", "version": 1, "programs": [ … ], "constants": [ … ] }
 * program   { "consts": [aval…], "ins": [aval…], "eqns": [eqn…], "outs": [atom…] }
 * eqn       { "primitive": "mul", "params": { … }, "ins": [atom…], "outs": [aval…] }
 * atom      7, the variable that is bound seventh (counted from 0: consts, ins, then what each equation binds),
 *           or { "literal": 1.5, "aval": aval }
 * aval      { "dtype": "float32", "shape": [2,3], "weak": false }
 * constant  { "aval": aval, "elements": [ … ] }, one for each of the main program's consts, if their values are known
 * ```
 *
 * Two decisions make ill-formed files rare. Binders carry no names, only their order, so that nothing is bound twice. Programs
 * are a *list* in which an equation's parameters may refer to earlier entries only, `{ "$jaxpr": 0 }`, the last being the main
 * one: sharing survives, a cycle cannot be written down, and no decoder recurses. Numbers that JSON lacks are the strings
 * "NaN", "Infinity", "-Infinity" and "-0"; inside parameters, where a string could be meant, they are `{ "$number": "NaN" }`.
 */

import type { Aval } from '../core/aval.ts';
import { NotSerializableError } from '../core/errors.ts';
import { type Atom, type ClosedJaxpr, type Eqn, innerJaxprs, isJaxpr, isLiteral, type Jaxpr } from '../core/jaxpr.ts';
import type { Source } from '../core/source.ts';
import { Tensor, type Value } from '../core/value.ts';

/** What the file says it is. */
export const jaxprFormat = 'pullback.jaxpr';
/** The version that is written, and the only one that is read. */
export const jaxprVersion = 1;

/** A value of JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** An aval as plain data. */
export type AvalJson = { readonly dtype: string; readonly shape: readonly number[]; readonly weak: boolean };

/** A number, or the name of one that JSON does not have. */
export type NumberJson = number | string;

/** A variable by its place in the order of binding, or a literal. */
export type AtomJson = number | { readonly literal: NumberJson; readonly aval: AvalJson };

/** An equation as plain data. */
export type EqnJson = {
  readonly primitive: string;
  readonly params: Json;
  readonly ins: readonly AtomJson[];
  readonly outs: readonly AvalJson[];
};

/** A program as plain data. */
export type ProgramJson = {
  readonly consts: readonly AvalJson[];
  readonly ins: readonly AvalJson[];
  readonly eqns: readonly EqnJson[];
  readonly outs: readonly AtomJson[];
};

/** A captured value as plain data. */
export type ConstantJson = { readonly aval: AvalJson; readonly elements: readonly NumberJson[] };

/** The whole file as plain data. */
export type JaxprJson = {
  readonly format: typeof jaxprFormat;
  readonly version: typeof jaxprVersion;
  readonly programs: readonly ProgramJson[];
  readonly constants?: readonly ConstantJson[];
};

const avalJson = ({ dtype, shape, weak }: Aval): AvalJson => ({ dtype, shape, weak });

/** The names of the numbers that JSON does not have. */
export const unwritable: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
  '-0': -0,
};

const numberJson = (x: number): NumberJson => (Object.is(x, -0) ? '-0' : Number.isFinite(x) ? x : String(x));

const unserializable = (problem: string, remedy: string, source?: Source | null): NotSerializableError =>
  new NotSerializableError({ op: 'io.encodeJaxpr', problem, remedy, ...(source ? { source } : {}) });

/**
 * A program as plain data, which `JSON.stringify` writes and {@link decodeJaxpr} reads: a jaxpr, or one with its constants.
 *
 * Law: decoding gives an α-equivalent program with equal constants.
 *
 * @throws NotSerializableError if a parameter holds a function, or a constant is a tracer
 */
export function encodeJaxpr(program: Jaxpr | ClosedJaxpr): JaxprJson {
  const encoder = new Encoder();
  if (isJaxpr(program)) {
    encoder.program(program);
    return { format: jaxprFormat, version: jaxprVersion, programs: encoder.programs };
  }
  encoder.program(program.jaxpr);
  const constants = program.consts.map(constantJson);
  return { format: jaxprFormat, version: jaxprVersion, programs: encoder.programs, constants };
}

function constantJson(x: Value, i: number): ConstantJson {
  if (x instanceof Tensor) return { aval: avalJson(x.aval), elements: Array.from(x.dataSync(), numberJson) };
  throw unserializable(
    `constant ${i} is a tracer: it has no elements`,
    'make the jaxpr outside of transformed functions, or pass what it captures as an argument',
  );
}

class Encoder {
  readonly programs: ProgramJson[] = [];
  private readonly places = new Map<Jaxpr, number>();

  /** Append a program, after those that it calls; returns its place. */
  program(jaxpr: Jaxpr): number {
    const known = this.places.get(jaxpr);
    if (known !== undefined) return known;
    for (const eqn of jaxpr.eqns) for (const inner of innerJaxprs(eqn)) this.program(inner);
    const numbers = new Map<Atom, number>();
    const bind = (v: Atom): AvalJson => {
      numbers.set(v, numbers.size);
      return avalJson(v.aval);
    };
    const atom = (x: Atom): AtomJson =>
      isLiteral(x) ? { literal: numberJson(x.value), aval: avalJson(x.aval) } : numbers.get(x)!;
    const consts = jaxpr.consts.map(bind);
    const ins = jaxpr.ins.map(bind);
    const eqns = jaxpr.eqns.map((eqn): EqnJson => {
      const operands = eqn.ins.map(atom);
      const params = this.params(eqn);
      return { primitive: eqn.primitive.name, params, ins: operands, outs: eqn.outs.map(bind) };
    });
    const place = this.programs.push({ consts, ins, eqns, outs: jaxpr.outs.map(atom) }) - 1;
    this.places.set(jaxpr, place);
    return place;
  }

  private params(eqn: Eqn): Json {
    const refuse = (path: string, what: string): NotSerializableError =>
      unserializable(
        `${path} of ${eqn.primitive.name} is ${what}, which JSON cannot hold`,
        'serialize programs whose rules are derived, not given as functions',
        eqn.source,
      );
    const encode = (x: unknown, path: string): Json => {
      if (typeof x === 'number') {
        const written = numberJson(x);
        return typeof written === 'number' ? written : { $number: written };
      }
      if (typeof x === 'string' || typeof x === 'boolean' || x === null) return x;
      if (typeof x !== 'object') throw refuse(path, `a ${typeof x}`);
      if (isJaxpr(x)) return { $jaxpr: this.program(x) };
      if (Array.isArray(x)) return x.map((entry, i) => encode(entry, `${path}[${i}]`));
      const prototype: unknown = Object.getPrototypeOf(x);
      if (prototype !== Object.prototype && prototype !== null) {
        throw refuse(path, `an instance of ${x.constructor?.name ?? 'a class'}`);
      }
      const entries = Object.entries(x).map(([key, entry]): readonly [string, Json] => {
        if (key.startsWith('$')) throw refuse(`${path}.${key}`, 'a key that begins with $');
        return [key, encode(entry, `${path}.${key}`)];
      });
      return Object.fromEntries(entries);
    };
    return encode(eqn.primitive.params.encode(eqn.params), 'params');
  }
}
