/**
 * The Poisson distribution, by JAX's algorithms from the same bits: for rates below 10 Knuth's (multiply uniform numbers until
 * the product is below e^(−λ)), else Hörmann's transformed rejection (PTRS, 1993). Both in float32.
 */

import { whileLoop } from '../../transforms/while.ts';
import { DTypeError } from '../core/errors.ts';
import { range } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { located } from '../ops/located.ts';
import { stretchTo } from '../ops/shape.ts';
import type { ShapeLike } from '../ops/types.ts';
import { dtypeIn } from '../ops/untyped.ts';
import { abs, add, convertElementType, div, mul, neg, sub } from '../prim/arithmetic.ts';
import { and, not, or } from '../prim/bits.ts';
import { eq, ge, gt, le, lt, select } from '../prim/compare.ts';
import { filled, fullLike } from '../prim/compose.ts';
import { stopGradientOf } from '../prim/identity.ts';
import { log, sqrt } from '../prim/math.ts';
import { times } from '../prim/matrices.ts';
import { reduceOr } from '../prim/reduce.ts';
import { floor } from '../prim/rounding.ts';
import { lgamma } from '../prim/special.ts';
import { type Key, split } from './key.ts';
import { drawnShape, parameter } from './parameters.ts';
import { uniformOf } from './samplers.ts';

const op = 'random.poisson';
const any = (x: Value): Value<'bool'> => reduceOr(x, range(x.ndim)) as Value<'bool'>;
const plus = (x: Value, y: number): Value => add(x, fullLike(x, y));
const unit = (key: Key, like: Value): Value => uniformOf(op, key, like.shape, 0, 1, 'float32');

/** How many factors leave the product above e^(−rate); −1 where the rate is negative or NaN. */
function byProducts(key: Key, rate: Value): Value {
  const least = neg(rate);
  const { count } = whileLoop(
    ({ product }) => any(gt(product, least)),
    (carry) => {
      const [next, own] = split(carry.key);
      const count = add(carry.count, convertElementType(gt(carry.product, least), 'int32'));
      return { key: next, count, product: add(carry.product, log(unit(own, rate))) };
    },
    { key, count: filled(rate.shape, 0, 'int32'), product: fullLike(rate, 0) },
  );
  return plus(count, -1);
}

function byRejection(key: Key, rate: Value): Value {
  const logRate = log(rate);
  const b = plus(times(sqrt(rate), 2.53), 0.931);
  const a = plus(times(b, 0.02483), -0.059);
  const inverse = plus(div(fullLike(b, 1.1328), plus(b, -3.4)), 1.1239);
  const certain = sub(fullLike(b, 0.9277), div(fullLike(b, 3.6224), plus(b, -2)));
  const judge = (u: Value, v: Value): readonly [k: Value, accepted: Value] => {
    const shifted = sub(fullLike(u, 0.5), abs(u));
    const k = floor(plus(add(mul(add(div(times(a, 2), shifted), b), u), rate), 0.43));
    const s = log(div(mul(v, inverse), add(div(a, mul(shifted, shifted)), b)));
    const t = sub(add(neg(rate), mul(k, logRate)), lgamma(plus(k, 1)));
    const inside = and(ge(shifted, fullLike(u, 0.07)), le(v, certain));
    const outside = or(lt(k, fullLike(k, 0)), and(lt(shifted, fullLike(u, 0.013)), gt(v, shifted)));
    return [k, or(inside, and(not(outside), le(s, t)))];
  };
  const { drawn } = whileLoop(
    ({ accepted }) => any(not(accepted)),
    (carry) => {
      const [next, forU, forV] = split(carry.key, 3);
      const [k, accepted] = judge(plus(unit(forU, rate), -0.5), unit(forV, rate));
      return { key: next, drawn: select(accepted, k, carry.drawn), accepted: or(carry.accepted, accepted) };
    },
    { key, drawn: fullLike(rate, -1), accepted: filled(rate.shape, 0, 'bool') },
  );
  return convertElementType(drawn, 'int32');
}

/** Options of {@link poisson}. */
export interface PoissonOptions {
  /** Default `int32`, the only one. */
  readonly dtype?: 'int32';
}

/**
 * Poisson counts (`int32`), k with probability λᵏ e^(−λ)/k!; −1 where the rate is negative, infinite or NaN.
 *
 * @param rate - λ, a number or a float tensor below 2³¹
 * @param shape - of the result; that of the rate by default
 * @throws DTypeError for rates that are not floats; ShapeError if they do not broadcast to the shape
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * console.log(np.mean(random.poisson(random.key(0), 4, [2000])).item().toFixed(0)); // => 4
 * ```
 */
export function poisson(
  key: Key,
  rate: number | Value,
  shape?: ShapeLike,
  options: PoissonOptions = {},
): Value<'int32'> {
  if ((dtypeIn(op, options) ?? 'int32') !== 'int32') {
    throw new DTypeError({ op, problem: `counts in int32, not ${options.dtype}`, remedy: 'cast the result' });
  }
  return located(() => {
    const given = stopGradientOf(parameter(op, 'rates', rate, 'float32'));
    const x = stretchTo(op, given, drawnShape(op, shape, [given.aval]));
    const many = ge(x, fullLike(x, 10));
    const infinite = eq(x, fullLike(x, Number.POSITIVE_INFINITY));
    const few = byProducts(key, select(many, fullLike(x, 0), x));
    const counts = select(many, byRejection(key, select(and(many, not(infinite)), x, fullLike(x, 1e5))), few);
    const none = fullLike(counts, 0);
    return select(infinite, fullLike(counts, -1), select(eq(x, fullLike(x, 0)), none, counts));
  }) as Value<'int32'>;
}
