/** Rows of elementwise primitives: arithmetic, comparison, elementary functions, casts. */

import * as fc from 'fast-check';
import { makeAval } from '../../src/core/aval.ts';
import { type DType, isFloat } from '../../src/core/dtype.ts';
import type { None } from '../../src/core/params.ts';
import { noParams } from '../../src/core/primitive.ts';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import { dtype, everyDType, floats, logicals, numbers } from '../arbitrary/dtype.ts';

import { awayFromZero, type Domain, shifted, tied, within } from '../arbitrary/elements.ts';
import type { ShapeOptions } from '../arbitrary/shape.ts';
import {
  alike,
  aval,
  type Call,
  claims,
  everywhere,
  likeFirst,
  likeFirstAs,
  makeCall,
  notFloat,
  nowhere,
  piecewise,
  type Row,
  smooth,
  together,
  zero,
} from './row.ts';

/** `count` operands of one shape and dtype, no parameters. */
export const equally = (count: number, takes: readonly DType[], options: ShapeOptions = {}) => ({
  takes,
  calls: (dtypes: readonly DType[]): fc.Arbitrary<Call<None>> =>
    alike(count, options)(dtypes).map((ins) => makeCall(ins, noParams)),
  results: likeFirst,
});

/** A differentiable function of one float. */
export const elementary = (domain: Domain): Row<None> => ({
  ...equally(1, floats),
  operands: claims(smooth, domain),
  linear: nowhere,
});

const linearIn = (groups: readonly (readonly number[])[]) => (call: Call<unknown>) =>
  isFloat(call.ins[0]!.dtype) ? groups : [];

const extremum: Row<None> = {
  ...equally(2, everyDType),
  // At a tie both operands share the tangent: that is the mean of the slopes on both sides, which central differences find.
  operands: claims(piecewise('where the operands are equal'), tied),
  linear: nowhere,
};

const comparison: Row<None> = {
  ...equally(2, everyDType),
  operands: claims(zero),
  linear: nowhere,
  results: likeFirstAs('bool'),
};

const bits = (count: number, takes: readonly DType[]): Row<None> => ({
  ...equally(count, takes),
  operands: claims(notFloat),
  linear: nowhere,
});

const sum: Row<None> = { ...equally(2, numbers), operands: claims(smooth), linear: everywhere };

const product: Row<None> = { ...equally(2, numbers), operands: claims(smooth), linear: linearIn([[0], [1]]) };

const quotient: Row<None> = {
  ...equally(2, numbers),
  operands: (call) => [claims(smooth)(call)[0]!, claims(smooth, awayFromZero)(call)[1]!],
  linear: linearIn([[0]]),
};

/** Powers of these exponents; integers have no negative ones. */
const powers = (dtypes: readonly DType[], exponents: fc.Arbitrary<number>) =>
  fc.tuple(aval(dtypes), exponents).map(([x, n]) => makeCall([x], { exponent: isFloat(x.dtype) ? n : Math.abs(n) }));

const smallExponents = fc.integer({ min: -3, max: 4 });

/** Small, such as overflow, and such as a word does not hold. */
const exponents = fc.oneof(
  { weight: 3, arbitrary: smallExponents },
  { weight: 1, arbitrary: fc.integer({ min: -1100, max: 1100 }) },
  { weight: 1, arbitrary: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.integer({ min: 31, max: 40 }), fc.integer({ min: -3, max: 3 }), fc.constantFrom(-1, 1))
      .map(([k, n, sign]) => sign * (2 ** k + n)),
  },
);

/** With kinks at the multiples of the divisor. */
const remainder: Row<None> = {
  ...equally(2, numbers),
  operands: (call) => [
    claims(piecewise('where x is a multiple of y'))(call)[0]!,
    claims(piecewise('where x is a multiple of y'), awayFromZero)(call)[1]!,
  ],
  linear: nowhere,
};

/** Bounds lie between the points of the grid, so that none equals x or the other one; they may cross. */
const between: Row<None> = {
  ...equally(3, numbers),
  operands: (call) =>
    [1 / 1024, 0, -1 / 1024].map((by, i) => claims(piecewise('where x equals a bound'), shifted(by))(call)[i]!),
  linear: nowhere,
};

/** The base is positive, so that it has every power. */
const power: Row<None> = {
  ...equally(2, numbers),
  operands: (call) => [claims(smooth, within(0.25, 3))(call)[0]!, claims(smooth)(call)[1]!],
  linear: nowhere,
};

const angle: Row<None> = {
  ...equally(2, floats),
  operands: claims(smooth, awayFromZero),
  linear: nowhere,
};

/** A function of one operand that is constant between its jumps. */
const step = (takes: readonly DType[]): Row<None> => ({
  ...equally(1, takes),
  operands: claims(zero),
  linear: nowhere,
});

const finite: Row<None> = { ...step(floats), results: likeFirstAs('bool') };

const integerPow: Row<FirstOrderParams<'integer_pow'>> = {
  takes: numbers,
  calls: (dtypes) => powers(dtypes, exponents),
  differentiableCalls: powers(floats, smallExponents),
  operands: (call) => claims(smooth, call.params.exponent < 0 ? awayFromZero : within(-2, 2))(call),
  linear: nowhere,
  results: likeFirst,
};

const convertElementType: Row<FirstOrderParams<'convert_element_type'>> = {
  takes: everyDType,
  calls: (dtypes) =>
    fc.tuple(aval(dtypes), dtype(), fc.boolean()).map(([x, d, weak]) => makeCall([x], { dtype: d, weak })),
  operands: (call) => claims(isFloat(call.params.dtype) ? smooth : zero)(call),
  linear: (call) => (isFloat(call.params.dtype) ? everywhere(call) : []),
  results: ({ ins, params }) => [makeAval(ins[0]!.shape, params.dtype, params.weak)],
};

const select: Row<None> = {
  takes: everyDType,
  calls: (dtypes) =>
    alike(3)(dtypes).map(([pred, x, y]) => makeCall([makeAval(pred!.shape, 'bool', pred!.weak), x!, y!], noParams)),
  operands: claims(smooth),
  linear: everywhere,
  // The predicate may be weak without a say.
  results: ({ ins: [, x, y] }) => [makeAval(x!.shape, x!.dtype, together([x!, y!]))],
  moves: true,
};

const threefry: Row<None> = {
  ...bits(4, ['uint32']),
  results: ({ ins }) => [makeAval(ins[0]!.shape, 'uint32'), makeAval(ins[0]!.shape, 'uint32')],
};

const words: readonly DType[] = ['float32', 'int32', 'uint32'];

const bitcast: Row<FirstOrderParams<'bitcast_convert_type'>> = {
  takes: words,
  calls: (dtypes) => fc.tuple(aval(dtypes), dtype(words)).map(([x, d]) => makeCall([x], { dtype: d })),
  operands: claims(zero),
  linear: nowhere,
  results: ({ ins, params }) => [makeAval(ins[0]!.shape, params.dtype)],
};

/** Rows by name. */
export const elementwiseRows = {
  add: sum,
  sub: sum,
  mul: product,
  div: quotient,
  neg: { ...equally(1, numbers), operands: claims(smooth), linear: everywhere },
  max: extremum,
  min: extremum,
  abs: { ...equally(1, numbers), operands: claims(piecewise('at 0'), awayFromZero), linear: nowhere },
  sign: step(numbers),
  rem: remainder,
  clamp: between,
  floor: step(floats),
  ceil: step(floats),
  round: step(floats),
  is_finite: finite,
  integer_pow: integerPow,
  pow: power,
  convert_element_type: convertElementType,
  eq: comparison,
  ne: comparison,
  lt: comparison,
  le: comparison,
  gt: comparison,
  ge: comparison,
  select,
  exp: elementary(within(-3, 3)),
  log: elementary(within(0.25, 4)),
  tanh: elementary(within(-3, 3)),
  logistic: elementary(within(-4, 4)),
  sin: elementary(within(-4, 4)),
  cos: elementary(within(-4, 4)),
  sqrt: elementary(within(0.25, 4)),
  exp2: elementary(within(-3, 3)),
  expm1: elementary(within(-3, 3)),
  log2: elementary(within(0.25, 4)),
  log1p: elementary(within(-0.75, 4)),
  tan: elementary(within(-1.25, 1.25)),
  asin: elementary(within(-0.9, 0.9)),
  acos: elementary(within(-0.9, 0.9)),
  atan: elementary(within(-4, 4)),
  atan2: angle,
  sinh: elementary(within(-3, 3)),
  cosh: elementary(within(-3, 3)),
  asinh: elementary(within(-4, 4)),
  acosh: elementary(within(1.25, 4)),
  atanh: elementary(within(-0.9, 0.9)),
  rsqrt: elementary(within(0.25, 4)),
  cbrt: elementary(awayFromZero),
  erf: elementary(within(-3, 3)),
  erfc: elementary(within(-3, 3)),
  erf_inv: elementary(within(-0.9, 0.9)),
  and: bits(2, logicals),
  or: bits(2, logicals),
  xor: bits(2, logicals),
  not: bits(1, logicals),
  population_count: bits(1, ['int32', 'uint32']),
  clz: bits(1, ['int32', 'uint32']),
  shift_left: bits(2, ['int32', 'uint32']),
  shift_right_logical: bits(2, ['int32', 'uint32']),
  shift_right_arithmetic: bits(2, ['int32', 'uint32']),
  bitcast_convert_type: bitcast,
  threefry2x32: threefry,
} as const;
