/**
 * Cumulative reductions: what the first 1, 2, … elements along an axis reduce to, or with `reverse` the last ones.
 *
 * But for the sum, derivatives are prefixes too: of pairs of a value and its tangent, combined by the derivative of the binary
 * operation. So no derivative of a product divides, and maxima share the derivative among ties as JAX has it, halving at each
 * step of its scan.
 */

import * as t from 'io-ts';
import { int } from '../core/params.ts';
import { noParams, type Primitive, type Tangent, type TransposeRule } from '../core/primitive.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { add, div, max, maxP, minP, mul, mulP, sub } from './arithmetic.ts';
import { associativeScan } from './associative.ts';
import { eq, lt, select } from './compare.ts';
import { fullLike } from './compose.ts';
import { expectCount, expectKind, type Kind } from './define.ts';
import { stopGradientOf } from './identity.ts';
import { exp, log } from './math.ts';
import { expectAxis } from './reduce.ts';
import { finite } from './rounding.ts';

const cumulativeParams = t.readonly(t.strict({ axis: int, reverse: t.boolean }));

/** Along which axis, and from which end. */
export type CumulativeParams = t.TypeOf<typeof cumulativeParams>;

/** A value and its tangent, combined with those of what follows. */
type Step = (a: Value, b: Value, da: Value, db: Value) => readonly [value: Value, tangent: Tangent];

interface Cumulative {
  readonly kind: Kind;
  readonly apply: (x: Value, params: CumulativeParams) => Value;
  /** The tangent of the result. */
  readonly tangent: (x: Value, dx: Value, params: CumulativeParams) => Value;
  readonly transpose?: TransposeRule<CumulativeParams>;
}

const cumulative = <Name extends string>(name: Name, own: Cumulative): Primitive<Name, CumulativeParams> => ({
  name,
  params: cumulativeParams,
  abstractEval(ins, { axis }) {
    expectCount(name, 1, ins);
    expectKind(name, own.kind, ins[0]!);
    expectAxis(name, ins[0]!, axis);
    return [ins[0]!];
  },
  jvp: ([x], [dx], params) => ({ outs: [own.apply(x!, params)], tangents: [own.tangent(x!, dx!, params)] }),
  transpose: own.transpose ?? 'nonlinear',
  vmap: (_size, [x], [dim], { axis, reverse }) => ({
    outs: [own.apply(x!, { axis: axis >= dim! ? axis + 1 : axis, reverse })],
    dims: [dim!],
  }),
});

/** The tangents of all prefixes. */
const scanned =
  (step: Step) =>
  (x: Value, dx: Value, { axis, reverse }: CumulativeParams): Value =>
    associativeScan(
      ([a, da], [b, db]) => {
        const [value, tangent] = step(a!, b!, da!, db!);
        return [value, tangent!];
      },
      [x, dx],
      [axis, axis],
      reverse,
    )[1]!;

/** The step by an elementwise primitive of two operands. */
const stepOf =
  (primitive: typeof mulP | typeof maxP | typeof minP): Step =>
  (a, b, da, db) => {
    const { outs, tangents } = primitive.jvp([a, b], [da, db], noParams);
    return [outs[0]!, tangents[0]!];
  };

/** Sums of the first elements; integers wrap. Its transpose sums from the other end. */
export const cumsumP: Primitive<'cumsum', CumulativeParams> = cumulative('cumsum', {
  kind: 'number',
  apply: (x, params) => cumsum(x, params),
  tangent: (_x, dx, params) => cumsum(dx, params),
  transpose: ([ct], _x, { axis, reverse }) => [cumsum(ct!, { axis, reverse: !reverse })],
});

/** Products of the first elements; integers wrap. */
export const cumprodP: Primitive<'cumprod', CumulativeParams> = cumulative('cumprod', {
  kind: 'number',
  apply: (x, params) => cumprod(x, params),
  tangent: scanned(stepOf(mulP)),
});

/** The largest of the first elements; NaN from the first NaN on. */
export const cummaxP: Primitive<'cummax', CumulativeParams> = cumulative('cummax', {
  kind: 'any',
  apply: (x, params) => cummax(x, params),
  tangent: scanned(stepOf(maxP)),
});

/** The least of the first elements; NaN from the first NaN on. */
export const cumminP: Primitive<'cummin', CumulativeParams> = cumulative('cummin', {
  kind: 'any',
  apply: (x, params) => cummin(x, params),
  tangent: scanned(stepOf(minP)),
});

/** What log(eᵃ + eᵇ) is made of: powers of e relative to the larger of a and b, where that is finite. */
function powersOf(a: Value, b: Value) {
  const top = stopGradientOf(max(a, b));
  const ordinary = finite(top);
  const zero = fullLike(top, 0);
  // Differences of infinities would be NaN, and so would be the derivatives of what is not selected.
  const [shift, fromA, fromB] = [top, a, b].map((x) => select(ordinary, x, zero));
  const powers = [exp(sub(fromA!, shift!)), exp(sub(fromB!, shift!))] as const;
  const total = add(...powers);
  return { ordinary, powers, total, value: select(ordinary, add(shift!, log(total)), top) };
}

/** log(eᵃ + eᵇ), without overflow; where it is infinite, the larger of a and b. */
export const logAddExp = (a: Value, b: Value): Value => powersOf(a, b).value;

/**
 * log(eᵃ + eᵇ), and its tangent: the mean of both, weighted by eᵃ and eᵇ.
 *
 * Where the result is infinite it is the larger of a and b, and so is its derivative; equal infinities share it.
 */
const logAddExpStep: Step = (a, b, da, db) => {
  const { ordinary, powers, total, value } = powersOf(a, b);
  const [zero, half, one, nan] = [0, 0.5, 1, Number.NaN].map((x) => fullLike(a, x));
  const share = (mine: Value, other: Value): Value =>
    select(eq(mine, other), half!, select(lt(other, mine), one!, select(lt(mine, other), zero!, nan!)));
  const weightA = select(ordinary, div(powers[0], total), share(a, b));
  const weightB = select(ordinary, div(powers[1], total), share(b, a));
  return [value, add(mul(da, weightA), mul(db, weightB))];
};

/** Logarithms of sums of powers of e, log Σ eˣ, of the first elements; without overflow. */
export const cumlogsumexpP: Primitive<'cumlogsumexp', CumulativeParams> = cumulative('cumlogsumexp', {
  kind: 'float',
  apply: (x, params) => cumlogsumexp(x, params),
  tangent: scanned(logAddExpStep),
});

/** Sums of the first elements along an axis. */
export const cumsum = (x: Value, params: CumulativeParams): Value => bind1(cumsumP, [x], params);
/** Products of the first elements along an axis. */
export const cumprod = (x: Value, params: CumulativeParams): Value => bind1(cumprodP, [x], params);
/** Maxima of the first elements along an axis. */
export const cummax = (x: Value, params: CumulativeParams): Value => bind1(cummaxP, [x], params);
/** Minima of the first elements along an axis. */
export const cummin = (x: Value, params: CumulativeParams): Value => bind1(cumminP, [x], params);
/** log Σ eˣ of the first elements along an axis. */
export const cumlogsumexp = (x: Value, params: CumulativeParams): Value => bind1(cumlogsumexpP, [x], params);
