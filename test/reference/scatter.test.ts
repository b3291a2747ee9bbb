/** The scatters that combine, against one vector after the other. */
import * as fc from 'fast-check';
import { generators } from 'pullback/laws';
import { describe, expect, it } from 'vitest';
import { lowerings } from '../../backends/reference/lowering.ts';
import { type DType, dtypes, isFloat } from '../../src/core/dtype.ts';
import { at, expectElements, host, type Precision, run1, tensor } from './oracle.ts';
import { indicesOf, scatterOracle } from './windows.ts';

const numbers = {
  updateWindowDims: [],
  insertedWindowDims: [0],
  scatterDimsToOperandDims: [0],
  operandBatchingDims: [],
  scatterIndicesBatchingDims: [],
  mode: 'fill',
} as const;

const cases = (allowed: readonly DType[]) =>
  generators.scatter_max
    .calls(allowed)
    .chain((call) =>
      fc.tuple(
        fc.constant(call),
        tensor(call.ins[0]!.dtype, call.ins[0]!.shape),
        indicesOf(call, 'scatter_add'),
        tensor(call.ins[2]!.dtype, call.ins[2]!.shape),
        fc.constantFrom<Precision>('rounded', 'float64'),
      ),
    );

/** NaN wins, and −0 is less than 0. */
const larger = (a: number, b: number): number => {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.NaN;
  return a > b || (a === b && Object.is(b, -0)) ? a : b;
};

describe('scatters that combine', () => {
  it.each([
    ['scatter_max', larger],
    ['scatter_min', (a: number, b: number) => -larger(-a, -b)],
  ] as const)('%s keeps the extremum of all that meet', (name, combine) => {
    fc.assert(
      fc.property(cases(dtypes), ([{ params }, x, starts, updates, precision]) => {
        const ins = [x, starts, updates].map((h) => host(h.dtype, h.shape, h.data, precision));
        const out = run1(lowerings[name], ins, x.shape, x.dtype, params, precision);
        const expected = scatterOracle(x, starts, updates, params, combine);
        expectElements(out, x.shape, (index) =>
          isFloat(x.dtype) ? expected.get(index.join())! : expected.get(index.join())! + 0,
        );
      }),
      { numRuns: 500 },
    );
  });

  it('multiplies by every update, in double precision, and rounds once', () => {
    fc.assert(
      fc.property(cases(['int32', 'uint32', 'float32', 'float64']), ([{ params: p }, x, starts, updates]) => {
        const params = { ...p, uniqueIndices: false };
        const out = run1(lowerings.scatter_mul, [x, starts, updates], x.shape, x.dtype, params);
        const expected = scatterOracle(x, starts, updates, params, (old, update) =>
          isFloat(x.dtype) ? old * update : Number(BigInt.asIntN(32, BigInt(old) * BigInt(update))),
        );
        const rounded = host(x.dtype, x.shape, expected.values());
        expectElements(out, x.shape, (index) => at(rounded, index));
      }),
      { numRuns: 500 },
    );
    const factor = 1 + 2 ** -23;
    const ins = [
      host('float32', [1], [factor]),
      host('int32', [3, 1], [0, 0, 0]),
      host('float32', [3], Array(3).fill(factor)),
    ];
    const params = { ...numbers, uniqueIndices: false };
    expect([...run1(lowerings.scatter_mul, ins, [1], 'float32', params)]).toEqual([Math.fround(factor ** 4)]);
  });
});
