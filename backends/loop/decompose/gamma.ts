/**
 * `lgamma` and `digamma` without loops: Stirling's series for x ≥ 8, to which eight steps of the recurrence lead smaller x, and
 * reflection for negative ones. Every branch is computed, of arguments that are harmless where it is not taken.
 */

import type { Value } from '../../../src/core/value.ts';
import { abs, add, div, mul, neg, sub } from '../../../src/prim/arithmetic.ts';
import { and } from '../../../src/prim/bits.ts';
import { eq, le, lt, select } from '../../../src/prim/compare.ts';
import { fullLike } from '../../../src/prim/compose.ts';
import { log, sin, tan } from '../../../src/prim/math.ts';
import { floor, round } from '../../../src/prim/rounding.ts';

const steps = [0, 1, 2, 3, 4, 5, 6, 7];

/** Σ cₙ·zⁿ, the highest power first. */
export const horner = (z: Value, coefficients: readonly number[]): Value =>
  coefficients.map((c) => fullLike(z, c)).reduce((sum, c) => add(mul(sum, z), c));

const plus = (c: number, x: Value): Value => add(x, fullLike(x, c));
const times = (c: number, x: Value): Value => mul(x, fullLike(x, c));

/** `x`, but x + 8 where it is below 8. */
const raised = (x: Value): Value => select(lt(x, fullLike(x, 8)), plus(8, x), x);

/** log Γ(x) of x > 0. */
function positiveLgamma(x: Value): Value {
  const y = raised(x);
  const z = div(fullLike(y, 1), mul(y, y));
  const series = div(horner(z, [1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12]), y);
  const stirling = add(mul(plus(-0.5, y), plus(-1, log(y))), plus(Math.log(2 * Math.PI) / 2 - 0.5, series));
  // x by itself, as the product may be less than any number.
  const product = steps
    .slice(1)
    .map((k) => plus(k, x))
    .reduce(mul);
  return select(lt(x, fullLike(x, 8)), sub(sub(stirling, log(product)), log(x)), stirling);
}

/** ψ(x) of x > 0. */
function positiveDigamma(x: Value): Value {
  const y = raised(x);
  const z = div(fullLike(y, 1), mul(y, y));
  const series = mul(z, horner(z, [1 / 12, -691 / 32760, 1 / 132, -1 / 240, 1 / 252, -1 / 120, 1 / 12]));
  const far = sub(sub(log(y), div(fullLike(y, 0.5), y)), series);
  const sum = steps.map((k) => div(fullLike(x, 1), plus(k, x))).reduce(add);
  return select(lt(x, fullLike(x, 8)), sub(far, sum), far);
}

/** log |Γ(x)|: Γ(x)·Γ(−x) = −π/(x·sin πx). */
export function lgamma([x]: readonly Value[]): readonly Value[] {
  const zero = fullLike(x!, 0);
  const isPole = and(le(x!, zero), eq(x!, floor(x!)));
  const reflects = lt(x!, zero);
  const magnitude = abs(x!);
  const value = positiveLgamma(select(isPole, fullLike(x!, 1), magnitude));
  const negative = select(and(reflects, eq(isPole, fullLike(isPole, 0))), x!, fullLike(x!, -0.5));
  const offset = abs(sub(negative, round(negative)));
  // sin πx is πx where that is too small to have all its digits.
  const isTiny = lt(offset, fullLike(offset, 2 ** -28));
  const sine = log(select(isTiny, offset, sin(times(Math.PI, offset))));
  const logSine = select(isTiny, plus(Math.log(Math.PI), sine), sine);
  const reflected = sub(sub(plus(Math.log(Math.PI), neg(logSine)), log(abs(negative))), value);
  return [select(isPole, fullLike(x!, Number.POSITIVE_INFINITY), select(reflects, reflected, value))];
}

/** ψ(x) = ψ(1 − x) − π/tan πx. */
export function digamma([x]: readonly Value[]): readonly Value[] {
  const zero = fullLike(x!, 0);
  const reflects = lt(x!, zero);
  const value = positiveDigamma(select(reflects, sub(fullLike(x!, 1), x!), x!));
  const isPole = and(le(x!, zero), eq(x!, floor(x!)));
  const negative = select(and(reflects, eq(isPole, fullLike(isPole, 0))), x!, fullLike(x!, -0.5));
  const reflected = sub(value, div(fullLike(x!, Math.PI), tan(times(Math.PI, sub(negative, round(negative))))));
  const atZero = div(fullLike(x!, -1), x!);
  const pole = select(eq(x!, zero), atZero, fullLike(x!, Number.NaN));
  return [select(isPole, pole, select(reflects, reflected, value))];
}
