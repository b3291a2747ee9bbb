/**
 * `erf`, `erfc` and `erf_inv` as polynomials, every branch computed, of arguments that are harmless where it is not taken. Of the
 * coefficients a float32 evaluates those that it can see.
 */

import type { Value } from '../../../src/core/value.ts';
import { abs, neg, sign } from '../../../src/prim/arithmetic.ts';
import { log, sqrt } from '../../../src/prim/math.ts';
import { joint, middle, pole, tail } from '../../error-function.ts';
import { expWord, negated, twoProduct } from './double-word.ts';
import {
  choose,
  equals,
  less,
  minus,
  more,
  over,
  plus,
  polynomial,
  smaller,
  some,
  times,
  visible,
} from './formulas.ts';

/** erf of |x| ≤ ¾, and erfc of the magnitude where that is greater. */
function parts(x: Value): { readonly isNear: Value; readonly near: Value; readonly far: Value } {
  const size = abs(x);
  const isNear = some(less(size, joint), equals(size, joint));
  const small = choose(isNear, x, 0);
  const square = times(small, small);
  const near = times(small, polynomial(square, visible(square, middle, joint ** 2)));
  // Beyond 28 there is nothing that any float could hold.
  const large = smaller(choose(isNear, 1, size), 28);
  const t = over(minus(large, pole), plus(large, pole));
  const gaussian = expWord(negated(twoProduct(large, large)));
  const far = times(over(polynomial(t, visible(t, tail, 1)), plus(large, 1)), gaussian);
  return { isNear, near, far };
}

/** 2/√π·∫₀ˣ exp(−t²) dt. */
export function erf([x]: readonly Value[]): readonly Value[] {
  const { isNear, near, far } = parts(x!);
  return [choose(isNear, near, times(sign(x!), minus(1, far)))];
}

/** 1 − erf x. */
export function erfc([x]: readonly Value[]): readonly Value[] {
  const { isNear, near, far } = parts(x!);
  return [choose(isNear, minus(1, near), choose(less(x!, 0), minus(2, far), far))];
}

/** A quotient of two polynomials, the lowest power first. */
const rational = (x: Value, numerator: readonly number[], denominator: readonly number[]): Value =>
  over(polynomial(x, numerator), polynomial(x, denominator));

/** The inverse of {@link erf}, by the approximations of M. J. Wichura's AS 241, as on the reference device. */
export function erfInv([x]: readonly Value[]): readonly Value[] {
  const size = abs(x!);
  const isMiddle = some(less(size, 0.85), equals(size, 0.85));
  const within = choose(isMiddle, x!, 0);
  const r = minus(0.180625, times(times(0.25, within), within));
  const central = times(within, times(Math.SQRT1_2 / 2, rational(r, centralOver, centralUnder)));
  const area = times(0.5, minus(1, size));
  const isInside = more(area, 0);
  const root = sqrt(neg(log(choose(isMiddle, 0.05, choose(isInside, area, 0.05)))));
  const isNear = less(root, 5);
  const [nearby, distant] = [minus(choose(isNear, root, 2), 1.6), minus(choose(isNear, 5, root), 5)];
  const outer = choose(isNear, rational(nearby, nearOver, nearUnder), rational(distant, farOver, farUnder));
  const beyond = choose(
    equals(area, 0),
    Number.POSITIVE_INFINITY,
    choose(isInside, times(Math.SQRT1_2, outer), Number.NaN),
  );
  return [choose(isMiddle, central, times(sign(x!), beyond))];
}

const centralOver: readonly number[] = [
  3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087,
  33430.57558358813, 2509.0809287301227,
];
const centralUnder: readonly number[] = [
  1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271, 28729.085735721943,
  5226.495278852546,
];
const nearOver: readonly number[] = [
  1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684, 0.2417807251774506,
  0.022723844989269184, 0.0007745450142783414,
];
const nearUnder: readonly number[] = [
  1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
  0.0005475938084995345, 1.0507500716444169e-9,
];
const farOver: readonly number[] = [
  6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
  0.0012426609473880784, 2.7115555687434876e-5, 2.0103343992922881e-7,
];
const farUnder: readonly number[] = [
  1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 1.8463183175100548e-5,
  1.421511758316446e-7, 2.0442631033899397e-15,
];
