/** `lax` is the primitives, one function each; `np` tells its user's line with every equation. */

import {
  type Aval,
  checkpointName,
  type Device,
  debug,
  lax,
  makeJaxpr,
  np,
  random,
  referenceDevice,
  type Tensor,
  tree,
  withDefaultDevice,
} from 'pullback';
import * as treeEntry from 'pullback/tree';
import { describe, expect, it } from 'vitest';
import { type FirstOrderName, firstOrder } from '../../src/prim/registry.ts';

const f4 = np.ones([1, 1, 2, 2]);
const f = np.array([
  [1, 2, 3],
  [4, 5, 6],
]);
const i = np.array(
  [
    [1, 2, 3],
    [4, 5, 6],
  ],
  { dtype: 'int32' },
);
const u = np.array([1, 2], { dtype: 'uint32' });
const b = np.greater(f, 2);
const patch = np.array([[7, 8]]);
const at = np.array([[1], [0]], { dtype: 'int32' });
const square = np.eye(2);
const column = np.ones([1, 2, 1]);
const rows = { updateWindowDims: [1], insertedWindowDims: [0], scatterDimsToOperandDims: [0] };

/** A call of each, total over the primitives: forgetting one is a type error. */
const calls: Readonly<Record<FirstOrderName, () => unknown>> = {
  conv_general_dilated: () => lax.convGeneralDilated(f4, f4, [1, 1], 'SAME'),
  broadcast_in_dim: () => lax.broadcastInDim(f, [4, 2, 3], [1, 2]),
  reshape: () => lax.reshape(f, [3, 2]),
  transpose: () => lax.transpose(f, [1, 0]),
  slice: () => lax.slice(f, [0, 1], [2, 3], [1, 2]),
  pad: () =>
    lax.pad(f, np.array(0), [
      [1, -1, 0],
      [0, 2, 1],
    ]),
  concatenate: () => lax.concatenate([f, f], 1),
  rev: () => lax.rev(f, [1]),
  iota: () => lax.iota('int32', [2, 3], 1),
  add: () => lax.add(f, f),
  sub: () => lax.sub(f, f),
  mul: () => lax.mul(i, i),
  div: () => lax.div(i, i),
  neg: () => lax.neg(f),
  max: () => lax.max(f, f),
  min: () => lax.min(f, f),
  integer_pow: () => lax.integerPow(f, -2),
  convert_element_type: () => lax.convertElementType(f, 'int32'),
  eq: () => lax.eq(f, f),
  ne: () => lax.ne(f, f),
  lt: () => lax.lt(f, f),
  le: () => lax.le(f, f),
  gt: () => lax.gt(f, f),
  ge: () => lax.ge(f, f),
  select: () => lax.select(b, f, f),
  exp: () => lax.exp(f),
  log: () => lax.log(f),
  tanh: () => lax.tanh(f),
  logistic: () => lax.logistic(f),
  sin: () => lax.sin(f),
  cos: () => lax.cos(f),
  sqrt: () => lax.sqrt(f),
  erf_inv: () => lax.erfInv(f),
  lgamma: () => lax.lgamma(f),
  digamma: () => lax.digamma(f),
  polygamma: () => lax.polygamma(f, f),
  bessel_i0e: () => lax.besselI0e(f),
  bessel_i1e: () => lax.besselI1e(f),
  nextafter: () => lax.nextafter(f, f),
  igamma: () => lax.igamma(f, f),
  igammac: () => lax.igammac(f, f),
  igamma_grad: () => lax.igammaGradA(f, f),
  random_gamma_grad: () => lax.randomGammaGrad(f, f),
  regularized_incomplete_beta: () => lax.betainc(f, f, f),
  regularized_incomplete_beta_grad: () => lax.betaincGrad(f, f, f, [1, 0, 2]),
  exp2: () => lax.exp2(f),
  expm1: () => lax.expm1(f),
  log2: () => lax.log2(f),
  log1p: () => lax.log1p(f),
  tan: () => lax.tan(f),
  asin: () => lax.asin(f),
  acos: () => lax.acos(f),
  atan: () => lax.atan(f),
  sinh: () => lax.sinh(f),
  cosh: () => lax.cosh(f),
  asinh: () => lax.asinh(f),
  acosh: () => lax.acosh(f),
  atanh: () => lax.atanh(f),
  rsqrt: () => lax.rsqrt(f),
  cbrt: () => lax.cbrt(f),
  erf: () => lax.erf(f),
  erfc: () => lax.erfc(f),
  abs: () => lax.abs(f),
  sign: () => lax.sign(f),
  floor: () => lax.floor(f),
  ceil: () => lax.ceil(f),
  round: () => lax.round(f),
  is_finite: () => lax.isFinite(f),
  rem: () => lax.rem(f, f),
  clamp: () => lax.clamp(f, f, f),
  pow: () => lax.pow(f, f),
  atan2: () => lax.atan2(f, f),
  reduce_sum: () => lax.reduceSum(f, [1]),
  reduce_max: () => lax.reduceMax(f, [0]),
  reduce_min: () => lax.reduceMin(f, [0]),
  reduce_prod: () => lax.reduceProd(f, [0, 1]),
  reduce_and: () => lax.reduceAnd(b, [0]),
  reduce_or: () => lax.reduceOr(i, [1]),
  argmax: () => lax.argmax(f, 0),
  argmin: () => lax.argmin(f, 1),
  dot_general: () => lax.dotGeneral(f, f, { lhsContracting: [1], rhsContracting: [1], lhsBatch: [0], rhsBatch: [0] }),
  reduce_window_sum: () => lax.reduceWindow(f, 0, lax.add, [1, 2], [1, 1], 'VALID'),
  reduce_window_max: () => lax.reduceWindow(i, -Infinity, lax.max, [2, 2], [1, 1], 'SAME'),
  reduce_window_min: () => lax.reduceWindow(b, Infinity, (x, y) => lax.min(y, x), [1, 3], [1, 2], 'VALID'),
  select_and_gather_add: () => lax.selectAndGatherAdd(f, f, 'ge', [2, 1], [1, 1], 'VALID'),
  select_and_scatter_add: () => lax.selectAndScatterAdd(f, f, 'le', [1, 1], [1, 1], 'VALID'),
  cumsum: () => lax.cumsum(i, 1),
  cumprod: () => lax.cumprod(f, 0, { reverse: true }),
  cummax: () => lax.cummax(b),
  cummin: () => lax.cummin(f, 1),
  cumlogsumexp: () => lax.cumlogsumexp(f),
  gather: () => lax.gather(f, at, { offsetDims: [1], collapsedSliceDims: [0], startIndexMap: [0] }, [1, 2]),
  scatter: () => lax.scatter(f, at, f, rows),
  scatter_add: () => lax.scatterAdd(f, at, f, rows),
  scatter_mul: () => lax.scatterMul(f, at, f, rows),
  scatter_min: () => lax.scatterMin(f, at, f, rows),
  scatter_max: () => lax.scatterMax(b, at, b, rows),
  dynamic_slice: () => lax.dynamicSlice(f, [1, 0], [1, 2]),
  dynamic_update_slice: () => lax.dynamicUpdateSlice(f, patch, [1, np.array(0, { dtype: 'int32' })]),
  triangular_solve: () => lax.linalg.triangularSolve(square, square, { lower: true }),
  cholesky: () => lax.linalg.cholesky(square, { symmetrizeInput: false }),
  qr: () => lax.linalg.qr(f),
  sort: () => lax.sort([i, f, f], { dimension: 0, numKeys: 2 }),
  top_k: () => lax.topK(f, 2),
  fft: () => lax.fft({ re: f, im: f }, 'IFFT', [3]),
  lu: () => lax.linalg.lu(f),
  eigh: () => lax.linalg.eigh(square, { symmetrizeInput: false }),
  svd: () => lax.linalg.svd(f, { computeUv: false }),
  tridiagonal_solve: () => lax.linalg.tridiagonalSolve(patch, patch, patch, column),
  and: () => lax.bitwiseAnd(i, i),
  or: () => lax.bitwiseOr(i, i),
  xor: () => lax.bitwiseXor(b, b),
  not: () => lax.bitwiseNot(i),
  population_count: () => lax.populationCount(i),
  clz: () => lax.clz(u),
  shift_left: () => lax.shiftLeft(i, i),
  shift_right_logical: () => lax.shiftRightLogical(i, i),
  shift_right_arithmetic: () => lax.shiftRightArithmetic(i, i),
  bitcast_convert_type: () => lax.bitcastConvertType(f, 'uint32'),
  threefry2x32: () => lax.threefry2x32(u, u, u, u),
  stop_gradient: () => lax.stopGradient(f),
  name: () => checkpointName(f, 'x'),
  tap: () => debug.callback(() => undefined, { f, i }),
  optimization_barrier: () => lax.optimizationBarrier({ f, i }),
};

describe('each function stages its primitive alone', () => {
  it.each(Object.keys(firstOrder) as FirstOrderName[])('%s', (name) => {
    const { jaxpr } = makeJaxpr(calls[name])();
    expect(jaxpr.eqns.map((eqn) => eqn.primitive.name)).toEqual([name]);
    expect(tree.leaves(calls[name]()).map((x) => x.dtype)).toEqual(jaxpr.outs.map((out) => out.aval.dtype));
  });
});

it('squeeze and expandDims are reshapes', () => {
  const { jaxpr } = makeJaxpr(() => lax.squeeze(lax.expandDims(f, [0, 3]), [3]))();
  expect(jaxpr.eqns.map((eqn) => eqn.primitive.name)).toEqual(['reshape', 'reshape']);
  expect(lax.expandDims(f, [3, 0]).shape).toEqual([1, 2, 3, 1]);
  expect(lax.squeeze(np.zeros([1, 2, 1]), [2, 0]).shape).toEqual([2]);
  expect(() => lax.squeeze(f, [0])).toThrow('lax.squeeze: float32[2,3] has no axis 0 of length 1');
  expect(() => lax.squeeze(np.zeros([1]), [-1])).toThrow('lax.squeeze: float32[1] has no axis -1 of length 1');
  expect(() => lax.expandDims(f, [4])).toThrow('lax.expandDims: (4) are not new axes of float32[2,3]');
  expect(() => lax.expandDims(f, [1, 1])).toThrow('lax.expandDims: (1,1) are not new axes of float32[2,3]');
});

it('a dynamic start is clamped, also a negative one', () => {
  const x = np.arange(5);
  expect([-9, -1, 0, 2, 9].map((i) => lax.dynamicSlice(x, [i], [2]).toArray())).toEqual([
    [0, 1],
    [0, 1],
    [0, 1],
    [2, 3],
    [3, 4],
  ]);
  const update = np.array([7, 8], { dtype: 'int32' });
  expect(lax.dynamicUpdateSlice(x, update, [-1]).toArray()).toEqual([7, 8, 2, 3, 4]);
});

it('lax does not broadcast, promote or take numbers', () => {
  expect(() => lax.add(f, np.zeros([3]))).toThrow(
    'add: operands must have equal shapes, got float32[2,3] and float32[3]',
  );
  expect(() => lax.add<'float32' | 'int32'>(f, i)).toThrow('add: operands must have equal dtypes');
  expect(() => lax.mul(f, 2 as unknown as Tensor)).toThrow('lax.mul: an operand is 2, which is not a tensor');
  expect(lax.pad(np.array([1, 2, 3]), np.array(0), [[1, -1, 1]]).toArray()).toEqual([0, 1, 0, 2, 0]);
  expect(lax.iota('uint32', 3).toArray()).toEqual([0, 1, 2]);
  expect(lax.optimizationBarrier({ n: 1 })).toEqual({ n: 1 });
});

describe('every equation that np stages knows its line', () => {
  const x = np.zeros([2, 3]);
  const n = np.zeros([2, 3], { dtype: 'int32' });
  const row = np.zeros([3]);
  const stack = np.zeros([5, 3, 2]);
  const stack3 = np.zeros([3, 3, 2]);
  const key = random.key(0);
  const row2 = np.zeros([2]);
  const at1 = np.array([1, 0], { dtype: 'int32' });
  const calls: readonly (readonly [string, () => unknown])[] = [
    ['add', () => [np.add(x, row), np.add(x, 1), np.add(n, row), np.add(true, n)]],
    ['div', () => [np.div(n, 2), np.div(np.greater(x, 0), n)]],
    ['unary', () => [np.reciprocal(n), np.square(x), np.power(n, 3), np.exp(n), np.neg(x)]],
    ['powers', () => [np.power(x, row), np.power(n, 0.5 + 1.5), np.log10(n), np.arctan2(x, n), np.prod(b)]],
    ['round', () => [np.round(x, 2), np.round(n, -1), np.trunc(x), np.floor(n), np.mod(x, row), np.clip(n, 0, row)]],
    ['statistics', () => [np.var(n, 0), np.std(x), np.all(x), np.any(n, 0), np.argmin(x, 1)]],
    ['near', () => [np.isclose(x, n), np.allclose(x, row), np.isinf(x), np.isnan(n), np.isfinite(x)]],
    ['order', () => [np.flip(x), np.roll(x, 1), np.roll(x, 1, 1), np.tril(x), np.triu(x, 1), np.tri(2, 3, { k: 1 })]],
    ['maximum', () => [np.maximum(x, n), np.minimum(row, x)]],
    ['compare', () => [np.greater(n, row), np.equal(row, x), np.logicalAnd(x, row), np.logicalNot(x)]],
    ['where', () => [np.where(x, row, 1), np.where(true, n, row)]],
    ['bits', () => [np.bitwiseOr(n, np.zeros([3], { dtype: 'int32' })), np.leftShift(n, 1), np.rightShift(n, 1)]],
    ['create', () => [np.full([2, 3], row), np.onesLike(x), np.eye(3, 3, { k: 1 }), np.arange(0, 9, 3), np.zeros([2])]],
    ['reduce', () => [np.sum(b, 0, { keepdims: true }), np.mean(n, 1), np.max(x), np.min(x, 0), np.min(n, 0)]],
    ['argmax', () => [np.argmax(x), np.argmax(x, 0, { keepdims: true })]],
    ['linear', () => [np.matmul(x, stack), np.matmul(n, stack), np.dot(x, row), np.inner(x, row), np.outer(row, n)]],
    ['index', () => [np.index(x, 1, [null, null, -1]), np.index(x, at1, at1), np.take(x, at1, 1)]],
    ['at', () => [np.at(x, at1).set(1), np.at(x, 0, [0, 3, 2]).add(row2), np.at(x, [], at1).get({ mode: 'fill' })]],
    ['at, combining', () => [np.at(x, at1).mul(2), np.at(x, 0).min(row), np.at(x, at1, at1).max(row2)]],
    ['order', () => [np.sort(x), np.argsort(x, null), np.lexsort([row, x])]],
    ['along', () => [np.takeAlongAxis(x, np.argsort(x)), np.putAlongAxis(x, np.argsort(x), 1)]],
    ['nonzero', () => [np.nonzero(x, { size: 2 }), np.argwhere(n, { size: 2 }), np.flatnonzero(b, { size: 2 })]],
    ['compress', () => [np.compress(row, x, 1, { size: 2 }), np.extract(b, x, { size: 2 })]],
    ['search', () => [np.searchsorted(row, x), np.digitize(x, row), np.bincount(at1, { length: 3 })]],
    ['unique', () => [np.unique(x, { size: 2 }), np.uniqueAll(n, { size: 9, fillValue: 1 })]],
    ['fft', () => [np.fft.fft(n), np.fft.irfft(x, 5, 0), np.fft.rfft2(x, [3, 4]), np.fft.hfft(x), np.fft.fftshift(x)]],
    ['quantile', () => [np.quantile(x, 0.3), np.quantile(n, row, 0), np.percentile(x, 7), np.median(x, 1)]],
    ['einsum', () => [np.einsum('iij,jk,l...->ik...', stack3, np.zeros([2, 3]), x), np.tensordot(x, row, 1)]],
    ['random', () => [random.randint(key, [2], 0, 9), random.permutation(key, x), random.bernoulli(key, 0.5, [3])]],
    ['choice', () => [random.choice(key, 5, [2], { p: np.ones([5]) }), random.categorical(key, x)]],
    ['join', () => [np.concatenate([x, n]), np.stack([x, n], 1), np.split(x, 3, 1)]],
    ['shape', () => [np.reshape(x, [6]), np.ravel(x), np.transpose(x), np.swapaxes(x, 0, 1), np.moveaxis(x, 0, 1)]],
    ['axes', () => [np.expandDims(x, 0), np.squeeze(np.zeros([1, 2])), np.broadcastTo(row, [2, 3])]],
  ];
  it.each(calls)('%s', (_, call) => {
    const { jaxpr } = makeJaxpr(call)();
    expect(jaxpr.eqns.length).toBeGreaterThan(0);
    for (const { source, primitive } of jaxpr.eqns) {
      expect(`${primitive.name} at ${source?.location}`).toMatch(/ at test\/ops\/lax\.test\.ts:\d+:\d+$/);
    }
  });
});

describe('the vector space of trees of tensors', () => {
  const space = treeEntry.vectorSpace<{ readonly w: Tensor; readonly b: Tensor; readonly name: string }>();
  const v = { w: np.array([1, 2]), b: np.array(3), name: 'layer' };

  it('adds, scales and multiplies leaf by leaf', () => {
    expect(space.add(v, v).w.toArray()).toEqual([2, 4]);
    expect(space.scale(0.5, v)).toMatchObject({ name: 'layer' });
    expect(space.scale(0.5, v).b.item()).toBe(1.5);
    expect(space.zerosLike(v).w.toArray()).toEqual([0, 0]);
    expect(space.inner(v, v).item()).toBe(14);
    expect(space.inner(v, v).dtype satisfies Aval['dtype']).toBe('float32');
  });

  it('keeps float64', () => {
    const wide = tree.map((x: Tensor) => np.astype(x, 'float64'), v);
    expect(space.inner(wide, wide).dtype).toBe('float64');
    expect(space.scale(0.1, wide).b.item()).toBe(0.1 * 3);
  });
});

it('numbers are put on the device of the tensor they meet', () => {
  const other = referenceDevice({ precision: 'float64' });
  const x = withDefaultDevice(other, () => np.array([1, 0]));
  const rounded = [np.round(x, 2), np.trunc(x), np.mod(x, 2), np.clip(x, 0, 1), np.log10(x), np.power(x, 0.5)];
  const reduced = [np.var(x), np.std(x), np.isclose(x, 1), np.isinf(x), np.tril(np.reshape(x, [1, 2]))];
  for (const y of [
    ...rounded,
    ...reduced,
    np.add(x, 1),
    np.div(2, x),
    np.mean(x),
    np.logicalNot(x),
    np.where(x, x, 3),
    np.reciprocal(x),
  ]) {
    expect((y as unknown as { readonly device: Device }).device).toBe(other);
  }
});
