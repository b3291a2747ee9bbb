/**
 * The elementwise primitives that are no single operation of a machine, as expressions of such operations.
 *
 * Of float32 they are formulas in float32 alone, without branches, so that they run on as many elements at once as a vector holds: of every
 * finite input, denormals included, within the units in the last place that `backends/README.md` lists, and with the reference device's
 * results for NaN, infinities and the signs of zeros. Of float64 they are the host's functions, one element after the other.
 */

import { call, type Expr } from '../ir/expr.ts';
import * as double from './double.ts';
import * as errorFunction from './error-function.ts';
import * as exponential from './exponential.ts';
import * as integer from './integer.ts';
import * as inverse from './inverse.ts';
import * as logarithm from './logarithm.ts';
import * as power from './power.ts';
import * as trigonometric from './trigonometric.ts';

/** What a primitive's parameters may hold. */
export interface MathParams {
  readonly exponent?: number;
}

/** The result of a primitive, of its operands. */
export type Expansion = (args: readonly Expr[], params: MathParams) => Expr;

type Unary = (x: Expr) => Expr;
type Binary = (x: Expr, y: Expr) => Expr;

const unary =
  (single: Unary, host: Unary): Expansion =>
  ([x]) =>
    x!.dtype === 'float64' ? host(x!) : single(x!);

const of = (name: string, single: Unary): Expansion => unary(single, (x) => call(name, x));

const any =
  (f: Binary): Expansion =>
  ([x, y]) =>
    f(x!, y!);

/** By the names of the primitives. */
export const math: Readonly<Record<string, Expansion>> = {
  exp: of('exp', exponential.exp),
  exp2: unary(exponential.exp2, double.exp2),
  expm1: of('expm1', exponential.expm1),
  log: of('log', logarithm.log),
  log2: of('log2', logarithm.log2),
  log1p: of('log1p', logarithm.log1p),
  tanh: of('tanh', exponential.tanh),
  logistic: unary(exponential.logistic, double.logistic),
  sinh: of('sinh', exponential.sinh),
  cosh: of('cosh', exponential.cosh),
  sin: of('sin', trigonometric.sin),
  cos: of('cos', trigonometric.cos),
  tan: of('tan', trigonometric.tan),
  asin: of('asin', inverse.asin),
  acos: of('acos', inverse.acos),
  atan: of('atan', inverse.atan),
  atan2: any((y, x) => (y.dtype === 'float64' ? call('atan2', y, x) : inverse.atan2(y, x))),
  asinh: of('asinh', inverse.asinh),
  acosh: of('acosh', inverse.acosh),
  atanh: of('atanh', inverse.atanh),
  rsqrt: unary(power.rsqrt, double.rsqrt),
  pow: any((x, y) =>
    x.dtype === 'float32' ? power.pow(x, y) : x.dtype === 'float64' ? double.pow(x, y) : integer.wordPow(x, y),
  ),
  integer_pow: ([x], { exponent }) => {
    if (x!.dtype === 'float32') return power.integerPow(x!, exponent!);
    return x!.dtype === 'float64' ? double.integerPow(x!, exponent!) : integer.wordPower(x!, exponent!);
  },
  cbrt: of('cbrt', power.cbrt),
  erf: unary(errorFunction.erf, double.erf),
  erfc: unary(errorFunction.erfc, double.erfc),
  erf_inv: unary(errorFunction.erfInv, double.erfInv),
  sign: ([x]) => integer.sign(x!),
  rem: any(integer.rem),
  is_finite: ([x]) => integer.finite(x!),
  clamp: ([low, x, high]) => integer.clamp(low!, x!, high!),
};
