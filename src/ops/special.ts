/**
 * `special`: the special functions of statistics and physics, under the names of `jax.scipy.special`.
 *
 * They broadcast and promote as `np` does; integers and `bool` become `float32` first.
 */

import { customJvp } from '../../transforms/custom-jvp.ts';
import type { Value } from '../core/value.ts';
import * as arithmetic from '../prim/arithmetic.ts';
import { abs, add, div, mul, neg, sub } from '../prim/arithmetic.ts';
import { and } from '../prim/bits.ts';
import { eq, ge, gt, lt, select } from '../prim/compare.ts';
import { fullLike } from '../prim/compose.ts';
import * as incomplete from '../prim/incomplete.ts';
import * as math from '../prim/math.ts';
import { exp, log, log1p } from '../prim/math.ts';
import * as prim from '../prim/special.ts';
import { aligned, toFloat } from './convert.ts';
import { gammaOf, signOfGamma, stirlingRest } from './gamma.ts';
import type { ArrayLike, DTypeOf, Floated, Promoted, Tensor } from './types.ts';

const elementary =
  (op: string, apply: (x: Value) => Value) =>
  <A extends ArrayLike>(x: A): Tensor<Floated<DTypeOf<A>>> =>
    apply(toFloat(op, x)) as Tensor<Floated<DTypeOf<A>>>;

const binary =
  (op: string, apply: (x: Value, y: Value) => Value) =>
  <A extends ArrayLike, B extends ArrayLike>(x: A, y: B): Tensor<Floated<Promoted<A, B>>> => {
    const [a, b] = aligned(op, [x, y]);
    return apply(toFloat(op, a!), toFloat(op, b!)) as Tensor<Floated<Promoted<A, B>>>;
  };

const times = (c: number, x: Value): Value => mul(fullLike(x, c), x);
const plus = (c: number, x: Value): Value => add(fullLike(x, c), x);
const isZero = (x: Value): Value => eq(x, fullLike(x, 0));

/** log |Γ(x)|, elementwise; Inf at 0, −1, −2, …. */
export const gammaln = elementary('special.gammaln', prim.lgamma);

/** The sign of Γ(x), elementwise; NaN at −1, −2, …, and at ±0 that of the zero. */
export const gammasgn = elementary('special.gammasgn', (x) => signOfGamma(x));

/**
 * The gamma function, elementwise: (x − 1)! of whole x. ±Inf at ±0, NaN at −1, −2, ….
 *
 * @example
 * ```ts
 * import { np, special } from 'pullback';
 * console.log(special.gamma(np.array([0.5, 5])).toArray()); // => [ 1.77245…, 24 ]
 * ```
 */
export const gamma = elementary('special.gamma', gammaOf);
/** Γ(n + 1), elementwise: n! of whole n. */
export const factorial = elementary('special.factorial', (n) => gammaOf(plus(1, n)));
/** ψ(x) = Γ′(x)/Γ(x), elementwise. */
export const digamma = elementary('special.digamma', prim.digamma);
/**
 * The n-th derivative of {@link digamma} at x, elementwise; NaN unless n is 0, 1, 2, ….
 *
 * @throws NotDifferentiableError when it is differentiated in n
 */
export const polygamma = binary('special.polygamma', prim.polygamma);
/** P(a, x), the regularized lower incomplete gamma function, elementwise; differentiable in both. */
export const gammainc = binary('special.gammainc', incomplete.igamma);
/** Q(a, x) = 1 − P(a, x), the regularized upper incomplete gamma function, elementwise. */
export const gammaincc = binary('special.gammaincc', incomplete.igammac);

/**
 * log B(a, b) = log Γ(a) + log Γ(b) − log Γ(a + b), elementwise, of positive a and b.
 *
 * Of large numbers that is a small difference of large ones; there the difference is taken of Stirling's formulas, on paper.
 */
export const betaln = binary('special.betaln', (a, b) => logBeta(arithmetic.min(a, b), arithmetic.max(a, b)));

function logBeta(a: Value, b: Value): Value {
  const ten = fullLike(a, 10);
  const [aIsLarge, bIsLarge] = [ge(a, ten), ge(b, ten)];
  const [a1, b1] = [select(aIsLarge, a, ten), select(bIsLarge, b, ten)];
  const plain = sub(add(prim.lgamma(a), prim.lgamma(b)), prim.lgamma(add(a, b)));
  /** log Γ(b) − log Γ(a + b), of large b. */
  const c = add(a, b1);
  const quotient = sub(
    sub(stirlingRest(b1), stirlingRest(c)),
    add(mul(a, plus(-1, log(c))), mul(plus(-0.5, b1), log1p(div(a, b1)))),
  );
  const both = add(a1, b1);
  const large = [
    mul(plus(-0.5, a1), log(div(a1, both))),
    neg(mul(b1, log1p(div(a1, b1)))),
    times(-0.5, log(b1)),
    stirlingRest(a1),
    stirlingRest(b1),
    neg(stirlingRest(both)),
  ].reduce((sum, x) => add(sum, x), fullLike(a, Math.log(2 * Math.PI) / 2));
  return select(aIsLarge, large, select(bIsLarge, add(prim.lgamma(a), quotient), plain));
}

/** B(a, b), elementwise, of positive a and b. */
export const beta = binary('special.beta', (a, b) => exp(logBeta(arithmetic.min(a, b), arithmetic.max(a, b))));

/**
 * Iₓ(a, b), the regularized incomplete beta function, elementwise; differentiable in all three.
 *
 * @example
 * ```ts
 * import { grad, np, special, type Tensor } from 'pullback';
 * console.log(special.betainc(2, 3, 0.5).item()); // => 0.6875
 * console.log(grad((a: Tensor) => special.betainc(a, 1, 0.5))(np.array(1)).item()); // => -0.34657…
 * ```
 */
export function betainc<A extends ArrayLike, B extends ArrayLike, X extends ArrayLike>(
  a: A,
  b: B,
  x: X,
): Tensor<Floated<Promoted<Tensor<Promoted<A, B>>, X>>> {
  const op = 'special.betainc';
  const [u, v, w] = aligned(op, [a, b, x]).map((value) => toFloat(op, value));
  return incomplete.betainc(u!, v!, w!) as Tensor<Floated<Promoted<Tensor<Promoted<A, B>>, X>>>;
}

/** The modified Bessel function I₀(x), elementwise. */
export const i0 = elementary('special.i0', (x) => mul(exp(abs(x)), prim.besselI0e(x)));
/** e^(−|x|)·I₀(x), elementwise, which does not overflow. */
export const i0e = elementary('special.i0e', prim.besselI0e);
/** The modified Bessel function I₁(x), elementwise. */
export const i1 = elementary('special.i1', (x) => mul(exp(abs(x)), prim.besselI1e(x)));
/** e^(−|x|)·I₁(x), elementwise, which does not overflow. */
export const i1e = elementary('special.i1e', prim.besselI1e);

/** The error function, elementwise. */
export const erf = elementary('special.erf', math.erf);
/** 1 − erf x, elementwise, precise where it is small. */
export const erfc = elementary('special.erfc', math.erfc);
/** The inverse of the error function, elementwise. */
export const erfinv = elementary('special.erfinv', math.erfInv);
/** The logistic function 1/(1 + e⁻ˣ), elementwise. */
export const expit = elementary('special.expit', math.logistic);
/** log (x/(1 − x)), elementwise: the inverse of {@link expit}. */
export const logit = elementary('special.logit', (x) => sub(log(x), log1p(neg(x))));

/** x·`apply`(y), 0 where x is, with the derivatives that such a product has there too. */
const logProduct = (apply: (y: Value) => Value, reciprocal: (y: Value) => Value) =>
  customJvp(
    function xlogy(x: Value, y: Value): Value {
      return select(isZero(x), fullLike(x, 0), mul(x, apply(y)));
    },
    ([x, y], [dx, dy]) => [
      select(isZero(x), fullLike(x, 0), mul(x, apply(y))),
      add(mul(dx, apply(y)), mul(dy, mul(x, reciprocal(y)))),
    ],
  );

const timesLog = logProduct(log, (y) => div(fullLike(y, 1), y));
const timesLog1p = logProduct(log1p, (y) => div(fullLike(y, 1), plus(1, y)));

/** x·log y, elementwise, and 0 at x = 0, whatever y is. */
export const xlogy = binary('special.xlogy', timesLog);
/** x·log(1 + y), elementwise, and 0 at x = 0, whatever y is. */
export const xlog1py = binary('special.xlog1py', timesLog1p);

/** The entropy −x·log x, elementwise; 0 at 0 and −Inf below. */
export const entr = elementary('special.entr', (x) =>
  select(lt(x, fullLike(x, 0)), fullLike(x, Number.NEGATIVE_INFINITY), sub(fullLike(x, 0), timesLog(x, x))),
);

/** x·log(x/y) of x, y > 0, elementwise; 0 at x = 0 ≤ y, and else Inf. */
export const relEntr = binary('special.relEntr', (x, y) => {
  const zero = fullLike(x, 0);
  const [positive, atZero] = [and(gt(x, zero), gt(y, zero)), and(eq(x, zero), ge(y, zero))];
  const one = fullLike(x, 1);
  const [u, v] = [select(positive, x, one), select(positive, y, one)];
  return select(
    positive,
    sub(mul(u, log(u)), mul(u, log(v))),
    select(atZero, zero, fullLike(x, Number.POSITIVE_INFINITY)),
  );
});

/** The standard normal distribution Φ(x), elementwise; precise where it is small. */
export const ndtr = elementary('special.ndtr', (x) => times(0.5, math.erfc(times(-Math.SQRT1_2, x))));

/** log Φ(x): of Φ, of 1 − Φ(−x), or by the asymptotic series of −x. */
function logNormal(x: Value): Value {
  const low = fullLike(x, x.dtype === 'float32' ? -10 : -20);
  const far = lt(x, low);
  const middle = select(far, low, x);
  const upper = gt(middle, fullLike(x, 0));
  const area = times(0.5, math.erfc(times(Math.SQRT1_2, select(upper, middle, neg(middle)))));
  const near = select(upper, log1p(neg(area)), log(area));
  const y = select(far, x, low);
  const z = div(fullLike(x, 1), mul(y, y));
  // 1 − 1/y² + 3/y⁴ − …: each term is the one before, times −(2n − 1)/y².
  const series = [15, 13, 11, 9, 7, 5, 3, 1].reduce(
    (sum, odd) => sub(fullLike(x, 1), mul(times(odd, z), sum)),
    fullLike(x, 1),
  );
  const tail = add(sub(times(-0.5, mul(y, y)), log(neg(y))), plus(-Math.log(2 * Math.PI) / 2, log(series)));
  return select(far, tail, near);
}

/**
 * log Φ(x), elementwise, where Φ itself is 0 too.
 *
 * @example
 * ```ts
 * import { special } from 'pullback';
 * console.log(special.logNdtr(-100).item()); // => -5005.52…
 * ```
 */
export const logNdtr = elementary('special.logNdtr', logNormal);

/**
 * The inverse of {@link ndtr}, elementwise: the x with Φ(x) = p; ±Inf at 1 and 0, NaN outside.
 *
 * In the middle √2·erf⁻¹(2p − 1). In the lower tail, where that difference has no digits, Newton's method on log Φ, which is
 * concave, so that every step but the first comes from the same side.
 */
export const ndtri = elementary('special.ndtri', (p) => {
  const edge = fullLike(p, 2 ** -7);
  const inTail = and(lt(p, edge), gt(p, fullLike(p, 0)));
  const tail = log(select(inTail, p, edge));
  let x = neg(math.sqrt(sub(times(-2, tail), log(times(-4 * Math.PI, tail)))));
  for (let step = 0; step < 4; step++) {
    const value = logNormal(x);
    const slope = exp(sub(plus(-Math.log(2 * Math.PI) / 2, times(-0.5, mul(x, x))), value));
    x = sub(x, div(sub(value, tail), slope));
  }
  return select(inTail, x, times(Math.SQRT2, math.erfInv(plus(-1, times(2, select(inTail, edge, p))))));
});
