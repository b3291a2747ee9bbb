/**
 * What random programs are made of, in sets: `smooth` functions, `piecewise` ones, `linear` maps, and `exact` operations,
 * whose results do not depend on an order of summation, over all dtypes.
 */

import type { Aval } from '../../src/core/aval.ts';
import { byteSize, type DType, dtypes, isFloat, isInteger } from '../../src/core/dtype.ts';
import type { None } from '../../src/core/params.ts';
import { noParams, type Primitive } from '../../src/core/primitive.ts';
import { range, sizeOf } from '../../src/core/shape.ts';
import { freeAxes } from '../../src/prim/dot.ts';
import { firstOrder as p } from '../../src/prim/registry.ts';
import { hostTensor } from '../host.ts';
import type { Draft, Op, Operand } from './program.ts';
import { exactControl, linearControl, smoothControl } from './program-control.ts';
import { convolution } from './program-conv.ts';
import { smoothLinalg } from './program-linalg.ts';
import { exactWindows, smoothCumulative, windowExtrema, windowSums } from './program-pooling.ts';
import { special } from './program-special.ts';
import { largest, scatteredExtrema, scatteredProduct, sorting, spectra, windows } from './program-windows.ts';

type Test = (aval: Aval) => boolean;

const float: Test = (a) => isFloat(a.dtype);
const integer: Test = (a) => isInteger(a.dtype);
const numeric: Test = (a) => a.dtype !== 'bool';
const logical: Test = (a) => !isFloat(a.dtype);
const any: Test = () => true;
const rankAtLeast =
  (rank: number, test: Test = any): Test =>
  (a) =>
    a.shape.length >= rank && test(a);

/** Run `f` on a value that passes, if there is one. */
const on =
  (test: Test, f: (draft: Draft, x: number) => void): Op =>
  (draft) => {
    const x = draft.pick(test);
    if (x !== null) f(draft, x);
  };

const unary = (primitive: Primitive<string, None>, test: Test): Op =>
  on(test, (d, x) => d.emit(primitive, [x], noParams));

/** Constants that keep values moderate. */
const moderate = [0, 1, 2, -1, 0.5, -0];

/** Neutral elements, and others that a rewrite might take for one. */
const constants: { readonly [D in DType]: readonly number[] } = {
  bool: [0, 1],
  uint32: [0, 1, 4294967295, 2, 31],
  int32: [0, 1, -1, -2147483648, 2147483647, 2],
  float32: [0, -0, 1, -1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN, 2, 0.5],
  float64: [0, -0, 1, -1, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN, 2, 0.5],
};

/** The second operand of a binary operation: a value like the first, or now and then a constant. */
function partner(d: Draft, x: number, among?: readonly number[]): Operand {
  const choices = among ?? constants[d.avals[x]!.dtype];
  if (d.next(1) > 0) return d.pickLike(x);
  // The first ones, which are neutral, more often than the others.
  return d.constantLike(x, choices[Math.min(d.next(choices.length - 1), d.next(choices.length - 1))]!);
}

/** Now and then the negative (or complement) of a value, for rewrites that look for one. */
function dressed(d: Draft, x: number): number {
  if (d.next(2) < 2) return x;
  return d.hide(d.emit(d.avals[x]!.dtype === 'bool' ? p.not : p.neg, [x], noParams));
}

function dressedPartner(d: Draft, x: number, among?: readonly number[]): Operand {
  const y = partner(d, x, among);
  return among || typeof y !== 'number' ? y : dressed(d, y);
}

const binary = (primitive: Primitive<string, None>, test: Test, among?: readonly number[]): Op =>
  on(test, (d, x) => {
    const [l, r] = [among ? x : dressed(d, x), dressedPartner(d, x, among)];
    d.emit(primitive, d.next(1) ? [r, l] : [l, r], noParams);
  });

const permuted = (d: Draft, n: number): number[] => {
  const rest = range(n);
  return range(n).map(() => rest.splice(d.next(rest.length - 1), 1)[0]!);
};

const structural: readonly Op[] = [
  on(rankAtLeast(1), (d, x) => d.emit(p.transpose, [x], { permutation: permuted(d, d.avals[x]!.shape.length) })),
  on(any, (d, x) => {
    const { shape, size } = d.avals[x]!;
    const shapes = [
      [size],
      [...shape, 1],
      [1, ...shape],
      shape.length >= 2 ? [size / shape.at(-1)!, shape.at(-1)!] : [size],
    ];
    d.emit(p.reshape, [x], { shape: shapes[d.next(3)]! });
  }),
  on(any, (d, x) => {
    const { shape, size } = d.avals[x]!;
    const length = d.next(3);
    if (!d.fits(size * length) || shape.length > 3) return;
    if (length === 0) {
      d.emit(p.broadcast_in_dim, [x], { shape, broadcastDimensions: range(shape.length) });
      return;
    }
    const at = d.next(shape.length);
    const wide = [...shape.slice(0, at), length, ...shape.slice(at)];
    d.emit(p.broadcast_in_dim, [x], { shape: wide, broadcastDimensions: range(wide.length).filter((i) => i !== at) });
  }),
  on(rankAtLeast(1), (d, x) => {
    const { shape } = d.avals[x]!;
    const start = shape.map((n) => d.next(Math.max(0, n - 1)));
    const limit = shape.map((n, i) => (n === 0 ? 0 : start[i]! + 1 + d.next(n - start[i]! - 1)));
    d.emit(p.slice, [x], {
      start: shape.map((n, i) => (n === 0 ? 0 : start[i]!)),
      limit,
      strides: shape.map(() => 1 + d.next(1)),
    });
  }),
  on(rankAtLeast(1), (d, x) => {
    const aval = d.avals[x]!;
    const low = aval.shape.map((n) => (n > 1 ? d.next(2) - 1 : d.next(1)));
    const high = aval.shape.map(() => d.next(1));
    const interior = aval.shape.map(() => d.next(1));
    const shape = aval.shape.map((n, i) => n + low[i]! + high[i]! + Math.max(0, n - 1) * interior[i]!);
    const value = d.pick((a) => a.shape.length === 0 && a.dtype === aval.dtype);
    if (!d.fits(sizeOf(shape))) return;
    d.emit(p.pad, [x, value ?? zero(d, x)], { low, high, interior });
  }),
  on(rankAtLeast(1), (d, x) => {
    const { shape, size } = d.avals[x]!;
    const dimension = d.next(shape.length - 1);
    const kind = d.next(4);
    const start = shape.map(() => 0);
    const limit = shape.map((n, axis) => (axis === dimension ? 0 : n));
    const parts = (): readonly Operand[] => {
      if (kind === 0) return [x];
      if (kind > 1) return [x, d.pickLike(x)];
      const empty = d.hide(d.emit(p.slice, [x], { start, limit, strides: shape.map(() => 1) }));
      return [empty, x];
    };
    if (d.fits(2 * size)) d.emit(p.concatenate, parts(), { dimension });
  }),
  on(any, (d, x) => d.emit(p.optimization_barrier, [x, d.pick(any)!], noParams)),
  on(any, (d, x) => d.emit(p.tap, [x, d.pick(any)!], { label: 'tap', deliver: () => undefined })),
  on(rankAtLeast(1), (d, x) =>
    d.emit(p.rev, [x], { dimensions: range(d.avals[x]!.shape.length).filter(() => d.next(1) === 0) }),
  ),
];

/** The scalar zero of the dtype of `x`. */
const zero = (d: Draft, x: number): Operand => {
  const { dtype } = d.avals[x]!;
  return { shape: [], dtype, weak: false, data: [0] };
};

/** A fixed predicate of the shape of `x`: is the index along an axis odd? */
function oddIndices(d: Draft, x: number): Operand {
  const { shape } = d.avals[x]!;
  if (shape.length === 0) return { shape: [], dtype: 'bool', weak: false, data: [d.next(1)] };
  const index = d.hide(d.emit(p.iota, [], { shape, dimension: d.next(shape.length - 1), dtype: 'int32' }));
  const bit = d.hide(d.emit(p.and, [index, d.constantLike(index, 1)], noParams));
  return d.hide(d.emit(p.convert_element_type, [bit], { dtype: 'bool', weak: false }));
}

const selectFixed = (test: Test): Op =>
  on(test, (d, x) => d.emit(p.select, [oddIndices(d, x), x, d.pickLike(x)], noParams));

const sumOf = (test: Test): Op =>
  on(rankAtLeast(1, test), (d, x) => {
    const axes = range(d.avals[x]!.shape.length).filter(() => d.next(1) === 0);
    d.emit(p.reduce_sum, [x], { axes });
  });

/** x · y over one axis of each that has the same length. */
const dotOf = (test: Test): Op =>
  on(rankAtLeast(1, test), (d, x) => {
    const lhs = d.avals[x]!;
    const at = d.next(lhs.shape.length - 1);
    const y = d.pick((a) => a.dtype === lhs.dtype && a.shape.includes(lhs.shape[at]!));
    if (y !== null) contract(d, x, y, at);
  });

function contract(d: Draft, x: number, y: number, at: number): void {
  const [lhs, rhs] = [d.avals[x]!, d.avals[y]!];
  const params = {
    lhsContracting: [at],
    rhsContracting: [rhs.shape.indexOf(lhs.shape[at]!)],
    lhsBatch: [] as number[],
    rhsBatch: [] as number[],
  };
  const free = [
    ...freeAxes(lhs.shape.length, params.lhsContracting, []).map((axis) => lhs.shape[axis]!),
    ...freeAxes(rhs.shape.length, params.rhsContracting, []).map((axis) => rhs.shape[axis]!),
  ];
  if (d.fits(sizeOf(free)) && free.length <= 4) d.emit(p.dot_general, [x, y], params);
}

export const call: Op = (d) => d.call();

/** 1 + x². */
const onePlusSquare = (d: Draft, x: number): number => {
  const square = d.emit(p.integer_pow, [x], { exponent: 2 });
  return d.emit(p.add, [square, d.constantLike(square, 1)], noParams);
};

/** Functions with all derivatives, everywhere, that keep moderate values moderate. */
export const smooth: readonly Op[] = [
  ...[p.sin, p.cos, p.tanh, p.logistic, p.atan, p.asinh, p.erf, p.erfc, p.neg].map((primitive) =>
    unary(primitive, float),
  ),
  ...[p.add, p.sub, p.mul, p.mul].map((primitive) => binary(primitive, float, moderate)),
  on(float, (d, x) => d.emit(p.integer_pow, [d.emit(p.sin, [x], noParams)], { exponent: d.next(4) })),
  on(float, (d, x) => d.emit(p.log, [onePlusSquare(d, x)], noParams)),
  on(float, (d, x) => d.emit(p.sqrt, [onePlusSquare(d, x)], noParams)),
  on(float, (d, x) => d.emit(p.div, [d.pickLike(x), onePlusSquare(d, x)], noParams)),
  on(float, (d, x) => d.emit(p.exp, [d.emit(p.tanh, [x], noParams)], noParams)),
  sumOf(float),
  dotOf(float),
  convolution(float),
  selectFixed(float),
  scatteredProduct((d, x) => d.emit(p.sin, [d.pickLike(x)], noParams), float),
  ...structural,
  spectra,
  ...windows,
  ...windowSums,
  ...smoothCumulative,
  ...smoothLinalg,
  call,
  ...smoothControl,
];

/** Functions with kinks, or with a derivative that is zero. */
export const piecewise: readonly Op[] = [
  unary(p.abs, float),
  unary(p.sign, float),
  binary(p.max, float, moderate),
  binary(p.min, float, moderate),
  on(float, (d, x) => d.emit(p.clamp, [d.pickLike(x), x, d.pickLike(x)], noParams)),
  ...[p.reduce_max, p.reduce_min].map((primitive) =>
    on(
      rankAtLeast(1, (a) => float(a) && a.size > 0),
      (d, x) => d.emit(primitive, [x], { axes: [0] }),
    ),
  ),
  on(float, (d, x) => d.emit(p.select, [d.emit(p.lt, [x, d.pickLike(x)], noParams), x, d.pickLike(x)], noParams)),
  ...windowExtrema,
  unary(p.stop_gradient, float),
  ...scatteredExtrema,
];

/** Maps that are linear in all inputs together, if these are floats. */
export const linear: readonly Op[] = [
  unary(p.neg, float),
  on(float, (d, x) => d.emit(p.add, [x, d.pickLike(x)], noParams)),
  on(float, (d, x) => d.emit(p.sub, [x, d.pickLike(x)], noParams)),
  on(float, (d, x) => d.emit(p.mul, [x, d.constantLike(x, [2, -1, 0.5, -3][d.next(3)]!)], noParams)),
  on(float, (d, x) => d.emit(p.div, [x, d.constantLike(x, [2, -1, 0.5, -4][d.next(3)]!)], noParams)),
  on(rankAtLeast(1, float), (d, x) => {
    const { shape, dtype } = d.avals[x]!;
    const at = d.next(shape.length - 1);
    const index = d.hide(d.emit(p.iota, [], { shape: [shape[at]!, 2], dimension: d.next(1), dtype }));
    const matrix = d.hide(d.emit(p.cos, [index], noParams));
    if (d.fits((2 * d.avals[x]!.size) / Math.max(1, shape[at]!))) contract(d, x, matrix, at);
  }),
  sumOf(float),
  selectFixed(float),
  ...structural.filter((_, i) => i !== 4),
  spectra,
  ...windows,
  ...windowSums,
  call,
  ...linearControl,
];

/** A constant that later operations may pick. */
const visibleConstant: Op = on(any, (d, x) => {
  const { shape, dtype } = d.avals[x]!;
  const choices = constants[dtype];
  const scalar = hostTensor([], dtype, [choices[d.next(choices.length - 1)]!]);
  d.emit(p.broadcast_in_dim, [scalar], { shape, broadcastDimensions: [] });
});

/** What rewrites look for behind an operation: constants, negations, comparisons, choices, units. */
export const feeders: readonly Op[] = [
  visibleConstant,
  visibleConstant,
  visibleConstant,
  unary(p.neg, numeric),
  unary(p.neg, numeric),
  unary(p.not, logical),
  ...[p.eq, p.ne, p.lt, p.le, p.gt, p.ge].map((primitive) => binary(primitive, any)),
  on(any, (d, x) => {
    const { shape } = d.avals[x]!;
    d.emit(p.reshape, [x], { shape: d.next(1) ? [...shape, 1] : [1, ...shape] });
  }),
];

/** Pairs of operations that undo or repeat each other, which random choices seldom bring together. */
const pairs: readonly Op[] = [
  on(rankAtLeast(1), (d, x) => {
    const { shape, dtype, size } = d.avals[x]!;
    const scalar = hostTensor([], dtype, [constants[dtype][d.next(1)]!]);
    const spread = d.hide(d.emit(p.broadcast_in_dim, [scalar], { shape, broadcastDimensions: [] }));
    if (!d.fits(2 * size)) return;
    const edge = shape.map((_, axis) => (axis === 0 ? 1 : 0));
    const none = shape.map(() => 0);
    if (d.next(1)) d.emit(p.pad, [spread, scalar], { low: edge, high: none, interior: none });
    else d.emit(p.concatenate, [spread, spread], { dimension: d.next(shape.length - 1) });
  }),
  on(any, (d, x) => {
    const { shape, size } = d.avals[x]!;
    if (!d.fits(2 * size) || shape.length > 2) return;
    const tall = d.hide(d.emit(p.reshape, [x], { shape: [...shape, 1] }));
    d.emit(p.broadcast_in_dim, [tall], { shape: [...shape, 2], broadcastDimensions: range(shape.length + 1) });
  }),
  on(any, (d, x) => {
    const pred = d.pick((a) => a.dtype === 'bool' && a.shape.join() === d.avals[x]!.shape.join());
    if (pred === null) return;
    const inner = d.hide(d.emit(p.select, [pred, x, d.pickLike(x)], noParams));
    const other = d.pickLike(x);
    d.emit(p.select, d.next(1) ? [pred, inner, other] : [pred, other, inner], noParams);
  }),
];

/** `x` with 0 in the place of NaN, whose bits no rewrite keeps: x + (−NaN) and x − NaN differ in the sign of it. */
function withoutNaN(d: Draft, x: number): number {
  if (!isFloat(d.avals[x]!.dtype)) return x;
  const isNumber = d.hide(d.emit(p.eq, [x, x], noParams));
  return d.hide(d.emit(p.select, [isNumber, x, d.constantLike(x, 0)], noParams));
}

const functions: readonly Op[] = [
  ...[p.exp, p.exp2, p.expm1, p.log, p.log2, p.log1p, p.sqrt, p.rsqrt, p.cbrt, p.logistic, p.erf, p.erfc, p.erf_inv],
  ...[p.sin, p.cos, p.tan, p.asin, p.acos, p.atan, p.sinh, p.cosh, p.tanh, p.asinh, p.acosh, p.atanh],
  ...[p.floor, p.ceil, p.round, p.is_finite],
].map((primitive) => unary(primitive, float));
const power = binary(p.pow, numeric);
const angle = binary(p.atan2, float);
const wholePower = on(float, (d, x) => d.emit(p.integer_pow, [x], { exponent: d.next(7) - 3 }));

/** Everything whose result is a function of each element alone, moves elements, or computes with whole numbers. */
export const exact: readonly Op[] = [
  ...functions,
  ...[p.abs, p.sign].map((primitive) => unary(primitive, numeric)),
  ...[p.population_count, p.clz].map((primitive) => unary(primitive, integer)),
  ...[p.add, p.sub, p.mul, p.div, p.rem].map((primitive) => binary(primitive, numeric)),
  power,
  ...[p.add, p.mul].map((primitive) => binary(primitive, numeric)),
  angle,
  on(numeric, (d, x) => d.emit(p.clamp, [d.pickLike(x), x, d.pickLike(x)], noParams)),
  ...[p.max, p.min, p.eq, p.ne, p.lt, p.le, p.gt, p.ge].map((primitive) => binary(primitive, any)),
  ...[p.and, p.or, p.xor].map((primitive) => binary(primitive, logical)),
  ...[p.shift_left, p.shift_right_logical, p.shift_right_arithmetic].map((primitive) => binary(primitive, integer)),
  unary(p.not, logical),
  on(any, (d, x) => {
    const compare = [p.eq, p.ne, p.lt, p.le, p.gt, p.ge][d.next(5)]!;
    d.emit(p.not, [d.hide(d.emit<None>(compare, [x, d.pickLike(x)], noParams))], noParams);
  }),
  unary(p.neg, numeric),
  unary(p.stop_gradient, any),
  on(any, (d, x) => d.emit(p.name, [x], { name: 'x' })),
  wholePower,
  on(any, (d, x) => d.emit(p.convert_element_type, [x], { dtype: dtypes[d.next(4)]!, weak: false })),
  on(
    (a) => byteSize(a.dtype) === 4,
    (d, x) =>
      d.emit(p.bitcast_convert_type, [withoutNaN(d, x)], {
        dtype: (['float32', 'int32', 'uint32'] as const)[d.next(2)]!,
      }),
  ),
  on(any, (d, x) => {
    const { shape } = d.avals[x]!;
    const pred = d.pick((a) => a.dtype === 'bool' && a.shape.join() === shape.join());
    d.emit(p.select, [pred === null ? oddIndices(d, x) : dressed(d, pred), x, partner(d, x)], noParams);
  }),
  on(
    (a) => a.dtype === 'uint32',
    (d, x) => d.emit(p.threefry2x32, [x, d.pickLike(x), d.pickLike(x), x], noParams),
  ),
  ...[p.reduce_max, p.reduce_min].map((primitive) =>
    on(
      rankAtLeast(1, (a) => a.size > 0),
      (d, x) => d.emit(primitive, [x], { axes: [d.next(d.avals[x]!.shape.length - 1)] }),
    ),
  ),
  ...[p.reduce_and, p.reduce_or].map((primitive) =>
    on(rankAtLeast(1, logical), (d, x) => d.emit(primitive, [x], { axes: [0] })),
  ),
  on(rankAtLeast(1, integer), (d, x) => d.emit(p.reduce_prod, [x], { axes: [0] })),
  ...[p.argmax, p.argmin].map((primitive) =>
    on(
      rankAtLeast(1, (a) => a.size > 0),
      (d, x) => d.emit(primitive, [x], { axis: d.next(d.avals[x]!.shape.length - 1) }),
    ),
  ),
  sumOf(integer),
  dotOf(integer),
  convolution(integer),
  ...structural,
  ...pairs,
  ...windows,
  scatteredProduct((d, x) => d.pickLike(x), integer),
  ...scatteredExtrema,
  ...exactWindows,
  sorting,
  largest,
  special,
  call,
  ...exactControl,
];

const roundedByDevices = new Set([...functions, power, angle, wholePower, special]);

/** Those of {@link exact} whose results have the same bits on every device: what is rounded once, moved, or whole. */
export const settled: readonly Op[] = [
  ...[p.sqrt, p.floor, p.ceil, p.round, p.is_finite].map((primitive) => unary(primitive, float)),
  binary(p.pow, integer),
  ...exact.filter((op) => !roundedByDevices.has(op)),
];
