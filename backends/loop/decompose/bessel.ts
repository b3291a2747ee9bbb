/**
 * `bessel_i0e` and `bessel_i1e` without loops: the power series below 30, whose terms are all positive, Hankel's expansion beyond,
 * both of fixed length; and `nextafter`.
 */

import type { Value } from '../../../src/core/value.ts';
import { abs, add, div, max, mul, neg, sign } from '../../../src/prim/arithmetic.ts';
import { bitcastConvertType, or } from '../../../src/prim/bits.ts';
import { eq, gt, lt, ne, select } from '../../../src/prim/compare.ts';
import { fullLike } from '../../../src/prim/compose.ts';
import { exp, sqrt } from '../../../src/prim/math.ts';

/** e^(−x)·I_ν(x) of x ≥ 0, over x/2 for ν = 1 and x < 30. */
function scaled(order: 0 | 1, x: Value): Value {
  const thirty = fullLike(x, 30);
  const isFar = gt(x, thirty);
  const [near, far] = [select(isFar, thirty, x), max(x, thirty)];
  const one = fullLike(x, 1);
  // Σ qᵏ/(k!·(k + ν)!), from its last term: each factor 1 + q/(k·(k + ν))·(…).
  const quarter = mul(near, mul(near, fullLike(near, 0.25)));
  let series = one;
  for (let k = 64; k >= 1; k--) series = add(one, mul(mul(quarter, fullLike(near, 1 / (k * (k + order)))), series));
  const inverse = div(one, far);
  let tail = one;
  for (let k = 24; k >= 1; k--) {
    tail = add(one, mul(mul(inverse, fullLike(far, ((2 * k - 1) ** 2 - 4 * order) / (8 * k))), tail));
  }
  const power = order === 0 ? series : mul(mul(near, fullLike(near, 0.5)), series);
  return select(
    isFar,
    div(mul(tail, fullLike(far, 1 / Math.sqrt(2 * Math.PI))), sqrt(far)),
    mul(power, exp(neg(near))),
  );
}

/** An even function. */
export const besselI0e = ([x]: readonly Value[]): readonly Value[] => [scaled(0, abs(x!))];

/** An odd function: the sign is that of x, of a zero too. */
export function besselI1e([x]: readonly Value[]): readonly Value[] {
  const value = scaled(1, abs(x!));
  return [select(eq(x!, fullLike(x!, 0)), x!, mul(sign(x!), value))];
}

/** The float32 after x, towards y: the integer of its bits is one more, if it is further from 0, or one less. */
function neighbour32(x: Value, y: Value): Value {
  const bits = bitcastConvertType(x, 'int32');
  // As float32s also where a device keeps them in more digits.
  const [from, to] = [x, y].map((v) => bitcastConvertType(bitcastConvertType(v, 'int32'), 'float32')) as [Value, Value];
  const zero = fullLike(from, 0);
  const away = eq(gt(to, from), gt(from, zero));
  const one = fullLike(bits, 1);
  const next = add(bits, select(away, one, neg(one)));
  const least = select(lt(to, zero), fullLike(bits, -(2 ** 31) + 1), one);
  const moved = bitcastConvertType(select(eq(from, zero), least, next), 'float32');
  return settled(from, to, moved);
}

/** y where x = y, NaN where one is, else `moved`. */
function settled(x: Value, y: Value, moved: Value): Value {
  const undecided = or(ne(x, x), ne(y, y));
  return select(undecided, fullLike(x, Number.NaN), select(eq(x, y), y, moved));
}

/**
 * The float64 after x, towards y, by arithmetic: x ± φ|x| rounds to the neighbour for φ a little more than 2⁻⁵³ (Rump, Zimmermann,
 * Boldo, Melquiond 2009), if nothing is subnormal, which scaling by a power of 2 sees to; near 0 neighbours are 2⁻¹⁰⁷⁴ apart.
 */
function neighbour64(x: Value, y: Value): Value {
  const up = gt(y, x);
  const directed = (step: Value): Value => select(up, step, neg(step));
  const size = abs(x);
  const isSmall = lt(size, fullLike(x, 2 ** -900));
  const scale = select(isSmall, fullLike(x, 2 ** 200), fullLike(x, 1));
  const whole = mul(x, scale);
  const next = mul(
    add(whole, directed(mul(abs(whole), fullLike(x, 2 ** -53 * (1 + 2 ** -52))))),
    select(isSmall, fullLike(x, 2 ** -200), fullLike(x, 1)),
  );
  const beside = add(x, directed(fullLike(x, Number.MIN_VALUE)));
  const zero = fullLike(x, 0);
  // A number above its neighbour 0 comes to 0, one below it to −0.
  const reached = select(eq(beside, zero), mul(x, zero), beside);
  const moved = select(lt(size, fullLike(x, 2 ** -1021)), reached, next);
  const greatest = mul(sign(x), fullLike(x, Number.MAX_VALUE));
  return settled(x, y, select(eq(size, fullLike(x, Number.POSITIVE_INFINITY)), greatest, moved));
}

/** The float after x on the way to y. */
export const nextafter = ([x, y]: readonly Value[]): readonly Value[] => [
  x!.dtype === 'float32' ? neighbour32(x!, y!) : neighbour64(x!, y!),
];
