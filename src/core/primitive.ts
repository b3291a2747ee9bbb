/**
 * A primitive is one value: its name, parameters, type, derivative, adjoint and batching, read in one place.
 *
 * `params`, `abstractEval`, `jvp`, `transpose` and `vmap` are required; what a primitive does not have is a written word
 * (`'nonlinear'`, {@link noDerivative}), so that a forgotten rule is a type error. Rules are functions on values: every
 * program-to-program transform is derived from them by re-tracing.
 */

import type * as t from 'io-ts';
import type { Aval } from './aval.ts';
import { ShapeError } from './errors.ts';
import type { Jaxpr } from './jaxpr.ts';
import type { Value } from './value.ts';

/** A tangent or cotangent; `null` is a symbolic zero. */
export type Tangent = Value | null;

/** The batch axis of an operand under `vmap`; `null` if it has none. */
export type BatchDim = number | null;

/** In a transpose rule, an operand in which the equation is linear: only its aval is known. */
export interface Hole {
  readonly linear: true;
  readonly aval: Aval;
}

/** Is this operand of a transpose rule linear (and so to be given a cotangent)? */
export const isHole = (x: Value | Hole): x is Hole => 'linear' in x;

/** Outputs and their tangents, at `primals` in the direction `tangents`; at least one tangent is not `null`. */
export type JvpRule<P> = (
  primals: readonly Value[],
  tangents: readonly Tangent[],
  params: P,
) => { readonly outs: readonly Value[]; readonly tangents: readonly Tangent[] };

/**
 * Cotangents of the linear operands from those of the outputs (at least one is not `null`). One entry for each operand;
 * `null` for those that are not holes.
 */
export type TransposeRule<P> = (
  cotangents: readonly Tangent[],
  operands: readonly (Value | Hole)[],
  params: P,
) => readonly Tangent[];

/** The primitive on operands with a batch axis of length `size` at `dims`; at least one has one. */
export type VmapRule<P> = (
  size: number,
  operands: readonly Value[],
  dims: readonly BatchDim[],
  params: P,
) => { readonly outs: readonly Value[]; readonly dims: readonly BatchDim[] };

/** What `linearize` of a higher-order primitive returns: results now, and a linear program for later. */
export interface Linearized {
  readonly outs: readonly Value[];
  readonly residuals: readonly Value[];
  /** From the residuals and the tangents of the active operands to the tangents of the outputs. */
  readonly linear: (residuals: readonly Value[], tangents: readonly Tangent[]) => readonly Tangent[];
}

/** What only primitives have whose parameters hold jaxprs. */
export interface HigherOrder<P> {
  /** The jaxprs in the parameters. */
  jaxprs(params: P): readonly Jaxpr[];
  /** If an equation is a call: the program to put in its place, of the same operands and results. */
  body?(params: P): Jaxpr;
  /** Split into primal work that returns residuals and a linear program that takes them. */
  linearize(primals: readonly Value[], active: readonly boolean[], params: P): Linearized;
}

/** A codec of parameters (any `t.Type`); `encode` is a method for the reason given at {@link Primitive}. */
export interface ParamsCodec<P> extends t.Decoder<unknown, P> {
  readonly is: t.Is<P>;
  encode(params: P): unknown;
}

/**
 * An operation of the IR.
 *
 * The members that take `P` are methods, so that a primitive of any parameters is a `Primitive`.
 */
export interface Primitive<Name extends string = string, P = unknown> {
  /** As printed: snake_case, with the StableHLO or JAX spelling. */
  readonly name: Name;
  /** The codec of the parameters, which are plain data; printing, hashing, equality and JSON derive from it. */
  readonly params: ParamsCodec<P>;
  /** The avals of the outputs. @throws ShapeError or DTypeError if the operands do not fit */
  abstractEval(ins: readonly Aval[], params: P): readonly Aval[];
  jvp(...args: Parameters<JvpRule<P>>): ReturnType<JvpRule<P>>;
  readonly transpose: 'nonlinear' | Bivariant<TransposeRule<P>>;
  /** Of what is differentiable but cannot be transposed: why, and what to do instead. */
  readonly irreversible?: { readonly op: string; readonly problem: string; readonly remedy: string };
  vmap(...args: Parameters<VmapRule<P>>): ReturnType<VmapRule<P>>;
  readonly higherOrder?: HigherOrder<P>;
  /** Somebody watches: equations stay where they are, used or not, and are never merged (`tap` alone). */
  readonly effect?: true;
}

/** A function type compared as methods are: by either direction of its parameters. */
type Bivariant<F extends (...args: never[]) => unknown> = { f(...args: Parameters<F>): ReturnType<F> }['f'];

/** @throws ShapeError unless `params` are what the primitive's codec says: integers where there must be integers, … */
export function expectParams(primitive: Primitive, params: unknown): void {
  if (params === noParams || primitive.params.is(params)) return;
  const decoded = primitive.params.decode(params);
  const errors = decoded._tag === 'Left' ? decoded.left : [];
  const problems = errors.map(({ context, value }) => `${pathOf(context)} is ${String(value)}`);
  throw new ShapeError({
    op: primitive.name,
    problem: `the parameters do not fit: ${problems.join(', ')}`,
    remedy: 'axes, lengths, strides and exponents are integers',
  });
}

/** `start[0]`, from the context of a failure. */
const pathOf = (context: t.Context): string =>
  context
    .slice(1)
    .map(({ key }, i) => (/^\d+$/.test(key) ? `[${key}]` : `${i > 0 ? '.' : ''}${key}`))
    .join('');

/**
 * Parameters as a program keeps them: a copy, as the arrays in them may be a user's.
 *
 * @throws ShapeError unless they are what the primitive's codec says
 */
export function ownParams(primitive: Primitive, params: unknown): unknown {
  if (params === noParams) return params;
  expectParams(primitive, params);
  const own: Record<string, unknown> = {};
  const given = params as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(given)) {
    const value = given[key];
    own[key] = Array.isArray(value) ? value.slice() : value;
  }
  return own;
}

/** The parameters of a primitive that has none. */
export const noParams: Readonly<Record<never, never>> = Object.freeze({});

/** The parameters of a primitive. */
export type ParamsOf<T> = T extends Primitive<string, infer P> ? P : never;
