/** Windows and sorting in random programs: places that are constants, inside and outside of what they name. */

import type { Aval } from '../../src/core/aval.ts';
import { isFloat } from '../../src/core/dtype.ts';
import { noParams } from '../../src/core/primitive.ts';
import { range } from '../../src/core/shape.ts';
import type { IndexMode } from '../../src/prim/addressing.ts';
import { firstOrder as p } from '../../src/prim/registry.ts';
import { hostTensor } from '../host.ts';
import type { Draft, Op, Operand } from './program.ts';

const modes = ['clip', 'fill'] as const satisfies readonly IndexMode[];

const start = (value: number): Operand => hostTensor([], 'int32', [value]);

/** Run `f` on a value with an axis that has elements, if there is one. */
const onRows =
  (test: (aval: Aval) => boolean, f: (d: Draft, x: number, aval: Aval, axis: number) => void): Op =>
  (d) => {
    const x = d.pick((aval) => aval.shape.length > 0 && aval.size > 0 && test(aval));
    if (x !== null) f(d, x, d.avals[x]!, d.next(d.avals[x]!.shape.length - 1));
  };

/** The index vectors [a], [a + b], [a + 2b], … */
function everyOther(d: Draft, count: number, a: number, b: number): number {
  const index = d.hide(d.emit(p.iota, [], { shape: [count, 1], dimension: 0, dtype: 'int32' }));
  const scaled = d.hide(d.emit(p.mul, [index, d.constantLike(index, b)], noParams));
  return d.hide(d.emit(p.add, [scaled, d.constantLike(scaled, a)], noParams));
}

const gather: Op = onRows(
  () => true,
  (d, x, { shape, size }, axis) => {
    const count = 1 + d.next(2);
    if (!d.fits((size / shape[axis]!) * count)) return;
    d.emit(p.gather, [x, everyOther(d, count, d.next(3) - 1, 1 + d.next(1))], {
      offsetDims: range(shape.length).filter((i) => i !== axis),
      collapsedSliceDims: [axis],
      startIndexMap: [axis],
      operandBatchingDims: [],
      startIndicesBatchingDims: [],
      sliceSizes: shape.map((n, i) => (i === axis ? 1 : n)),
      mode: modes[d.next(1)]!,
      fillValue: 0,
    });
  },
);

/** A scatter of one value into another of its kind, at distinct places. */
const scatter: Op = onRows(
  () => true,
  (d, x, { shape, dtype }, axis) => {
    const indices = everyOther(d, shape[axis]!, d.next(2) - 1, 1 + d.next(1));
    const params = {
      updateWindowDims: range(shape.length).filter((i) => i !== axis),
      insertedWindowDims: [axis],
      scatterDimsToOperandDims: [axis],
      operandBatchingDims: [],
      scatterIndicesBatchingDims: [],
      mode: 'fill',
    } as const;
    const updates = d.pickLike(x);
    if (dtype !== 'bool' && d.next(1)) d.emit(p.scatter_add, [x, indices, updates], params);
    else d.emit(p.scatter, [x, indices, updates], { ...params, uniqueIndices: true });
  },
);

/** A scatter that combines, with places that meet: every index vector of an axis, or some of them twice. */
const combining = (primitive: typeof p.scatter_min | typeof p.scatter_max): Op =>
  onRows(
    () => true,
    (d, x, { shape }, axis) =>
      d.emit(primitive as typeof p.scatter_min, [x, everyOther(d, shape[axis]!, d.next(1), d.next(1)), d.pickLike(x)], {
        updateWindowDims: range(shape.length).filter((i) => i !== axis),
        insertedWindowDims: [axis],
        scatterDimsToOperandDims: [axis],
        operandBatchingDims: [],
        scatterIndicesBatchingDims: [],
        mode: modes[d.next(1)]!,
      }),
  );

/** Extrema at places that meet. */
export const scatteredExtrema: readonly Op[] = [combining(p.scatter_min), combining(p.scatter_max)];

/** A product at places that meet: of floats, `sines` of the updates, so that it stays moderate. */
export const scatteredProduct = (updates: (d: Draft, x: number) => number, test: (aval: Aval) => boolean): Op =>
  onRows(test, (d, x, { shape }, axis) => {
    const distinct = d.next(1) === 1;
    d.emit(p.scatter_mul, [x, everyOther(d, shape[axis]!, d.next(1), distinct ? 1 : 0), updates(d, x)], {
      updateWindowDims: range(shape.length).filter((i) => i !== axis),
      insertedWindowDims: [axis],
      scatterDimsToOperandDims: [axis],
      operandBatchingDims: [],
      scatterIndicesBatchingDims: [],
      mode: 'fill',
      uniqueIndices: distinct,
    });
  });

const dynamicSlice: Op = onRows(
  () => true,
  (d, x, { shape }) => {
    const starts = shape.map((n) => start(d.next(n + 1) - 1));
    d.emit(p.dynamic_slice, [x, ...starts], { sliceSizes: shape.map((n) => 1 + d.next(n - 1)) });
  },
);

const dynamicUpdateSlice: Op = onRows(
  () => true,
  (d, x, { shape }) => {
    const limit = shape.map((n) => 1 + d.next(n - 1));
    const zeros = shape.map(() => 0);
    const update = d.emit(p.slice, [d.pickLike(x)], { start: zeros, limit, strides: shape.map(() => 1) });
    d.emit(p.dynamic_update_slice, [x, update, ...shape.map((n) => start(d.next(n + 1) - 1))], noParams);
  },
);

/** Operations that move windows. They are linear in all values together. */
export const windows: readonly Op[] = [gather, scatter, dynamicSlice, dynamicUpdateSlice];

/** A value sorted, and another in its order. */
export const sorting: Op = onRows(
  () => true,
  (d, x, _, axis) => d.emit(p.sort, [x, d.pickLike(x), d.pickLike(x)], { dimension: axis, numKeys: 1 + d.next(2) }),
);

/** The transform of a value, beside another, over its last axis; its inverse is picked as often. */
export const spectra: Op = onRows(
  ({ dtype }) => isFloat(dtype),
  (d, x, { shape }) =>
    d.emit(p.fft, [x, d.pickLike(x)], { kind: d.next(1) ? 'FFT' : 'IFFT', fftLengths: shape.slice(-1) }),
);

/** The largest elements of a value, and where they are. */
export const largest: Op = onRows(
  () => true,
  (d, x, { shape }) => d.emit(p.top_k, [x], { k: 1 + d.next(shape.at(-1)! - 1) }),
);
