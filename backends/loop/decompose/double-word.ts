/**
 * Exponents with more digits than their dtype: the unevaluated sum of two floats, a *word*.
 *
 * e^E has a relative error of the absolute error of E, so of a float32 near −80 it has lost seven bits. The error of a sum (Knuth)
 * and of a product (Dekker, Veltkamp) are floats, and with those an exponent of two float32s has some 30 bits, in nothing but
 * float32. Where a part overflows the word is its first float.
 */

import type { Value } from '../../../src/core/value.ts';
import { abs, convertElementType } from '../../../src/prim/arithmetic.ts';
import { bitcastConvertType, shiftLeft } from '../../../src/prim/bits.ts';
import { fullLike } from '../../../src/prim/compose.ts';
import { exp, log, log2 } from '../../../src/prim/math.ts';
import { finite, round } from '../../../src/prim/rounding.ts';
import { choose, less, minus, over, plus, polynomial, times, visible } from './formulas.ts';

/** The sum of two floats, the second of which is about a rounding of the first. */
export type Word = readonly [Value, Value];

const sound = ([high, low]: Word): Word => [high, choose(finite(low), low, 0)];

/** A float as a word. */
export const word = (x: Value): Word => [x, fullLike(x, 0)];

/** −w. */
export const negated = ([high, low]: Word): Word => [minus(0, high), minus(0, low)];

/** a + b exactly. */
export function twoSum(a: Value, b: Value): Word {
  const sum = plus(a, b);
  const part = minus(sum, a);
  return sound([sum, plus(minus(a, minus(sum, part)), minus(b, part))]);
}

/** Two halves of the digits of x. */
function halves(x: Value): Word {
  const shifted = times(x, x.dtype === 'float32' ? 2 ** 12 + 1 : 2 ** 27 + 1);
  const high = minus(shifted, minus(shifted, x));
  return [high, minus(x, high)];
}

/** a·b exactly. */
export function twoProduct(a: Value, b: Value): Word {
  const product = times(a, b);
  const [[ah, al], [bh, bl]] = [halves(a), halves(b)];
  const first = minus(times(ah, bh), product);
  return sound([product, plus(plus(plus(first, times(ah, bl)), times(al, bh)), times(al, bl))]);
}

/** The sum of two words. */
export function sum([a, al]: Word, [b, bl]: Word): Word {
  const [high, error] = twoSum(a, b);
  return settled(high, plus(error, plus(al, bl)));
}

/** A float and a smaller one as a word. */
function settled(high: Value, low: Value): Word {
  const total = plus(high, low);
  return sound([total, minus(low, minus(total, high))]);
}

/** The product of two words. */
export function product([a, al]: Word, [b, bl]: Word): Word {
  const [high, error] = twoProduct(a, b);
  return settled(high, plus(error, plus(times(a, bl), times(al, b))));
}

/** The quotient of two words. */
export function quotient([a, al]: Word, [b, bl]: Word): Word {
  const high = over(a, b);
  const [back, error] = twoProduct(high, b);
  const rest = plus(minus(minus(minus(a, back), error), times(high, bl)), al);
  return settled(high, over(rest, b));
}

/** eᵂ. A second float that is not small is one of an exponent whose power is 0 or infinite. */
export const expWord = ([high, low]: Word): Value => times(exp(high), plus(choose(less(abs(low), 1), low, 0), 1));

/** (2·artanh r − 2r)/(2r³) = ⅓ + r²/5 + r⁴/7 + … of |r| ≤ ¼, from r². */
const oddSeries = (square: Value): Value =>
  polynomial(
    square,
    visible(
      square,
      Array.from({ length: 14 }, (_, n) => 1 / (2 * n + 3)),
      1 / 16,
    ),
  );

/** 2ᵏ of a whole float32 |k| ≤ 126, from its bits. */
function powerOfTwo(k: Value): Value {
  const exponent = plus(convertElementType(k, 'int32'), 127);
  return bitcastConvertType(shiftLeft(exponent, fullLike(exponent, 23)), 'float32');
}

/** The logarithm of a positive float; of a float64 it is one float64. */
export function logWord(x: Value): Word {
  if (x.dtype !== 'float32') return word(log(x));
  const k = round(log2(x));
  const half = round(times(k, -0.5));
  const near = times(times(x, powerOfTwo(half)), powerOfTwo(minus(minus(0, k), half)));
  const root = quotient(word(minus(near, 1)), twoSum(near, fullLike(near, 1)));
  const square = times(root[0], root[0]);
  const rest = times(times(2, times(square, root[0])), oddSeries(square));
  // 16 digits of log 2, so that a whole multiple is exact, and those behind.
  const [whole, error] = twoSum(times(k, 0.693145751953125), times(2, root[0]));
  return settled(whole, plus(error, plus(plus(times(2, root[1]), rest), times(k, 1.4286068203094173e-6))));
}

/**
 * a·log(z/a) − δ where z = a + δ, from log(z/a) but near a, where that leaves no digits.
 *
 * There log(z/a) = 2·artanh r of r = δ/(a + z), and a·2r − δ = −δ·r.
 */
export function deviance(a: Value, z: Word, delta: Word, logRatio: Word): Word {
  const ratio = quotient(delta, sum(word(a), z));
  const r = ratio[0];
  const square = times(r, r);
  const rest = times(times(times(2, a), times(square, r)), oddSeries(square));
  const [high, low] = negated(product(delta, ratio));
  const near = settled(high, plus(low, rest));
  const far = sum(product(word(a), logRatio), negated(delta));
  const isNear = less(abs(r), 0.25);
  return sound([choose(isNear, near[0], far[0]), choose(isNear, near[1], far[1])]);
}
