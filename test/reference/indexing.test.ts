/** Gather, scatter, dynamic slices and sort against their definitions, read off StableHLO's specification index by index. */
import * as fc from 'fast-check';
import { generators } from 'pullback/laws';
import { describe, expect, it } from 'vitest';
import { lowerings } from '../../backends/reference/lowering.ts';
import { type DType, dtypes, isFloat } from '../../src/core/dtype.ts';
import type { GatherParams } from '../../src/prim/gather.ts';
import { at, counting, expectElements, type Host, host, indices, type Precision, run, run1, tensor } from './oracle.ts';
import { indicesOf, parted, scatterOracle, spread, windowBegin } from './windows.ts';

const precisions = fc.constantFrom<Precision>('rounded', 'float64');

describe('gather', () => {
  it('is what StableHLO says, in every mode', () => {
    const cases = generators.gather
      .calls(dtypes)
      .chain((call) => fc.tuple(fc.constant(call), indicesOf(call, 'gather'), precisions));
    fc.assert(
      fc.property(cases, ([{ ins, params: p }, starts, precision]) => {
        const x = counting(ins[0]!.dtype, ins[0]!.shape, precision);
        const [vectors, windows] = [starts.shape.slice(0, -1), p.offsetDims.length];
        const hidden = [...p.collapsedSliceDims, ...p.operandBatchingDims];
        const lengths = p.sliceSizes.filter((_, axis) => !hidden.includes(axis));
        const rest = [...vectors];
        const shape = Array.from({ length: windows + vectors.length }, (_, i) =>
          p.offsetDims.includes(i) ? lengths[p.offsetDims.indexOf(i)]! : rest.shift()!,
        );
        const out = run1(lowerings.gather, [x, starts], shape, x.dtype, p, precision);
        const fill = host(x.dtype, [], [Number(p.fillValue)]).data[0]!;
        expectElements(out, shape, (index) => {
          const [vector, inner] = parted(index, p.offsetDims);
          const begin = windowBegin(x.shape, starts, vector, {
            indexed: p.startIndexMap,
            batching: p.operandBatchingDims,
            indicesBatching: p.startIndicesBatchingDims,
            sizes: p.sliceSizes,
            clips: p.mode !== 'fill',
          });
          if (!begin) return fill;
          const offset = spread(x.shape.length, hidden, inner);
          return at(
            x,
            begin.map((b, axis) => b + offset[axis]!),
          );
        });
      }),
      { numRuns: 1000 },
    );
  });

  it('moves windows of long rows, of tiles and of elements', () => {
    const x = counting('float32', [40, 3, 200]);
    const starts = host('int32', [5, 1], [39, 0, 7, 40, -1]);
    for (const offsetDims of [
      [1, 2],
      [0, 1],
      [0, 2],
    ]) {
      const params: GatherParams = {
        offsetDims,
        collapsedSliceDims: [0],
        startIndexMap: [0],
        operandBatchingDims: [],
        startIndicesBatchingDims: [],
        sliceSizes: [1, 3, 200],
        mode: 'fill',
        fillValue: -7,
      };
      const lengths = [3, 200];
      const shape = [0, 1, 2].map((i) => (offsetDims.includes(i) ? lengths.shift()! : 5));
      const out = run1(lowerings.gather, [x, starts], shape, 'float32', params);
      expectElements(out, shape, (index) => {
        const [[row], inner] = parted(index, offsetDims);
        const start = starts.data[row!]!;
        return start < 0 || start > 39 ? -7 : at(x, [start, ...inner]);
      });
    }
  });
});

describe('scatter', () => {
  const scatterCases = (allowed: readonly DType[]) =>
    generators.scatter_add
      .calls(allowed)
      .chain((call) =>
        fc.tuple(
          fc.constant(call),
          tensor(call.ins[0]!.dtype, call.ins[0]!.shape),
          indicesOf(call, 'scatter_add'),
          tensor(call.ins[2]!.dtype, call.ins[2]!.shape),
        ),
      );

  it('puts the update of the last vector that names an element', () => {
    fc.assert(
      fc.property(scatterCases(dtypes), ([{ params }, x, starts, updates]) => {
        const out = run1(lowerings.scatter, [x, starts, updates], x.shape, x.dtype, params);
        const expected = scatterOracle(x, starts, updates, params, (_, update) => update);
        expectElements(out, x.shape, (index) => expected.get(index.join())!);
      }),
      { numRuns: 500 },
    );
  });

  it('adds every update, in double precision, and rounds once', () => {
    fc.assert(
      fc.property(scatterCases(['int32', 'uint32', 'float32', 'float64']), ([{ params }, x, starts, updates]) => {
        const out = run1(lowerings.scatter_add, [x, starts, updates], x.shape, x.dtype, params);
        const expected = scatterOracle(x, starts, updates, params, (old, update) =>
          isFloat(x.dtype) ? old + update : Number(BigInt.asIntN(32, BigInt(old) + BigInt(update))),
        );
        const rounded = host(x.dtype, x.shape, expected.values());
        expectElements(out, x.shape, (index) => at(rounded, index));
      }),
      { numRuns: 500 },
    );
    const numbers = {
      updateWindowDims: [],
      insertedWindowDims: [0],
      scatterDimsToOperandDims: [0],
      operandBatchingDims: [],
      scatterIndicesBatchingDims: [],
      mode: 'fill',
    } as const;
    const ins = [
      host('float32', [1], [1]),
      host('int32', [4, 1], [0, 0, 0, 0]),
      host('float32', [4], Array(4).fill(2 ** -25)),
    ];
    expect([...run1(lowerings.scatter_add, ins, [1], 'float32', numbers)]).toEqual([1 + 2 ** -23]);
  });
});

describe('dynamic slices', () => {
  const windows = fc
    .array(fc.tuple(fc.nat({ max: 5 }), fc.nat({ max: 5 }), fc.oneof(fc.integer({ min: -3, max: 7 }), fc.integer())), {
      maxLength: 4,
    })
    .map((axes) => ({
      shape: axes.map(([n]) => n),
      window: axes.map(([n, cut]) => Math.max(0, n - cut)),
      starts: axes.map(([, , start]) => start),
    }));
  const clamped = (shape: readonly number[], window: readonly number[], starts: readonly number[]): number[] =>
    starts.map((start, axis) => Math.max(0, Math.min(start, shape[axis]! - window[axis]!)));

  it('read a window whose start is clamped', () => {
    fc.assert(
      fc.property(windows, fc.constantFrom(...dtypes), precisions, ({ shape, window, starts }, dtype, precision) => {
        const x = counting(dtype, shape, precision);
        const ins = [x, ...starts.map((start) => host('int32', [], [start]))];
        const out = run1(lowerings.dynamic_slice, ins, window, dtype, { sliceSizes: window }, precision);
        const begin = clamped(shape, window, starts);
        expectElements(out, window, (index) =>
          at(
            x,
            index.map((i, axis) => i + begin[axis]!),
          ),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('write a window whose start is clamped', () => {
    fc.assert(
      fc.property(windows, fc.constantFrom(...dtypes), ({ shape, window, starts }, dtype) => {
        const x = counting(dtype, shape);
        const update = host(
          dtype,
          window,
          indices(window).map((_, i) => (dtype === 'bool' ? i & 1 : 1000 + i)),
        );
        const ins = [x, update, ...starts.map((start) => host('int32', [], [start]))];
        const out = run1(lowerings.dynamic_update_slice, ins, shape, dtype, {});
        const begin = clamped(shape, window, starts);
        expectElements(out, shape, (index) => {
          const inner = index.map((i, axis) => i - begin[axis]!);
          return inner.every((i, axis) => i >= 0 && i < window[axis]!) ? at(update, inner) : at(x, index);
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('sort', () => {
  /** Ascending, NaN behind everything, zeros equal. */
  const compare = (a: number, b: number): number =>
    Number.isNaN(a) || Number.isNaN(b) ? Number(Number.isNaN(a)) - Number(Number.isNaN(b)) : a < b ? -1 : a > b ? 1 : 0;

  /** What the stable sort of the language makes of the row through `index`, as positions in the row. */
  const orderOf = (key: Host, index: readonly number[], dimension: number): number[] => {
    const row = Array.from({ length: key.shape[dimension]! }, (_, i) => i);
    const value = (i: number): number => at(key, index.with(dimension, i));
    return row.sort((a, b) => compare(value(a), value(b)));
  };

  it('orders rows by the key, stably, and all operands alike', () => {
    const shapes = fc.oneof(
      { weight: 5, arbitrary: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 3 }) },
      { weight: 1, arbitrary: fc.constantFrom([150], [40, 2], [2, 25], [13], [100]) },
    );
    const cases = fc
      .tuple(shapes, fc.nat({ max: 2 }), fc.constantFrom(...dtypes), fc.constantFrom(...dtypes))
      .chain(([shape, axis, keyType, valueType]) =>
        fc.tuple(fc.constant(axis % shape.length), tensor(keyType, shape), tensor(valueType, shape)),
      );
    fc.assert(
      fc.property(cases, ([dimension, key, value]) => {
        const ins = [key, value, counting('int32', key.shape)];
        const outs = run(lowerings.sort, ins, ins, { dimension, numKeys: 1 });
        outs.forEach((out, k) => {
          expectElements(out, key.shape, (index) =>
            at(ins[k]!, index.with(dimension, orderOf(key, index, dimension)[index[dimension]!]!)),
          );
        });
      }),
      { numRuns: 300 },
    );
  });

  it('orders long rows with many ties and NaN', () => {
    for (const modulus of [1, 2, 7, 1000]) {
      const key = host(
        'float32',
        [3000],
        Array.from({ length: 3000 }, (_, i) => {
          const value = (i * 7919) % modulus;
          return i % 11 === 3 ? NaN : i % 5 === 0 ? -value : value;
        }),
      );
      const order = orderOf(key, [0], 0);
      const [, numbers] = run(lowerings.sort, [key, counting('int32', [3000])], [key, { ...key, dtype: 'int32' }], {
        dimension: 0,
        numKeys: 1,
      });
      expect([...numbers!]).toEqual(order.map((i) => i + 1));
    }
  });
});
