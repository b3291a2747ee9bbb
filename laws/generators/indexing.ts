/**
 * Rows of the primitives that move windows to and from places that are data, and of sorting.
 *
 * An addressing gives each axis of the operand a role: paired with an axis of the indices, in the windows or left out of them,
 * with an entry in the index vectors or not. Gather and scatter are two readings of it.
 */

import * as fc from 'fast-check';
import { type Aval, makeAval, withShape } from '../../src/core/aval.ts';
import { type DType, isFloat } from '../../src/core/dtype.ts';
import type { None } from '../../src/core/params.ts';
import { noParams } from '../../src/core/primitive.ts';
import { range, type Shape, sizeOf } from '../../src/core/shape.ts';
import type { FillValue, IndexMode } from '../../src/prim/addressing.ts';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import { dtype, everyDType, integers, numbers } from '../arbitrary/dtype.ts';
import { type Domain, edgy, separated, summable, within } from '../arbitrary/elements.ts';
import { axisLength, bounded, permutation, shape } from '../arbitrary/shape.ts';
import {
  type Call,
  makeCall,
  notFloat,
  nowhere,
  type OperandClaim,
  piecewise,
  type Row,
  smooth,
  together,
  weaknesses,
} from './row.ts';

/** What an axis of the operand is to windows and index vectors. */
interface Axis {
  readonly length: number;
  readonly batching: boolean;
  readonly indexed: boolean;
  readonly hidden: boolean;
  /** The length of a window. */
  readonly size: number;
}

/** An addressing of windows, before it is a gather or a scatter. */
export interface Addressing {
  readonly operand: Shape;
  readonly indices: Shape;
  /** The dense tensor: the result of a gather, the updates of a scatter. */
  readonly dense: Shape;
  readonly sizes: Shape;
  readonly windowDims: readonly number[];
  readonly hidden: readonly number[];
  readonly indexed: readonly number[];
  readonly operandBatching: readonly number[];
  readonly indicesBatching: readonly number[];
  readonly mode: IndexMode;
  readonly integer: 'int32' | 'uint32';
}

const axis: fc.Arbitrary<Axis> = fc
  .tuple(
    axisLength(),
    fc.constantFrom('batching', 'hidden', 'window', 'window'),
    fc.nat({ max: 3 }),
    fc.nat({ max: 4 }),
  )
  .map(([length, role, indexed, cut]) => ({
    length,
    batching: role === 'batching',
    indexed: role !== 'batching' && indexed > 0,
    hidden: role === 'hidden' && length > 0,
    size: role === 'batching' ? Math.min(1, length) : role === 'hidden' && length > 0 ? 1 : Math.max(0, length - cut),
  }));

const modes = fc.constantFrom<IndexMode>('clip', 'fill', 'promise_in_bounds');

/** Any addressing. */
export const addressing: fc.Arbitrary<Addressing> = fc
  .tuple(fc.array(axis, { maxLength: 3 }), fc.array(fc.nat({ max: 3 }), { maxLength: 1 }), modes, dtype(integers))
  .chain(([axes, extra, mode, integer]) => {
    const where = (test: (a: Axis) => boolean): number[] => range(axes.length).filter((i) => test(axes[i]!));
    const batching = where((a) => a.batching);
    const window = where((a) => !a.batching && !a.hidden).map((i) => axes[i]!.size);
    const vectors = [...batching.map((i) => axes[i]!.length), ...extra];
    const indexed = where((a) => a.indexed);
    return fc
      .tuple(
        permutation(vectors.length),
        permutation(indexed.length),
        fc.shuffledSubarray(range(window.length + vectors.length), {
          minLength: window.length,
          maxLength: window.length,
        }),
      )
      .map(([order, entries, places]): Addressing => {
        const windowDims = [...places].sort((a, b) => a - b);
        const rest = order.map((i) => vectors[i]!);
        const lengths = [...window];
        const numbered = [...rest];
        return {
          operand: axes.map((a) => a.length),
          indices: [...rest, indexed.length],
          dense: range(window.length + vectors.length).map((i) =>
            windowDims.includes(i) ? lengths.shift()! : numbered.shift()!,
          ),
          sizes: axes.map((a) => a.size),
          windowDims,
          hidden: where((a) => a.hidden),
          indexed: entries.map((i) => indexed[i]!),
          operandBatching: batching,
          indicesBatching: batching.map((_, i) => order.indexOf(i)),
          mode,
          integer: integer as 'int32' | 'uint32',
        };
      });
  });

/** How far a window can move on each axis that index vectors have an entry for. */
const limitsOf = (a: Addressing): readonly number[] => a.indexed.map((i) => a.operand[i]! - a.sizes[i]!);

/** Index vectors inside and, unless that is promised not to be, outside of the operand. */
export function anywhere(a: Addressing): Domain {
  const limits = limitsOf(a);
  return (_dtype, n) =>
    fc.tuple(
      ...range(n).map((i) => {
        const limit = limits[i % limits.length]!;
        const inside = fc.integer({ min: 0, max: limit });
        if (a.mode === 'promise_in_bounds') return inside;
        const below = a.integer === 'int32' ? [-1, -2147483648] : [];
        const outside = fc.constantFrom(limit + 1, 2147483647, ...below);
        return fc.oneof({ weight: 3, arbitrary: inside }, { weight: 1, arbitrary: outside });
      }),
    );
}

/** The places at which windows do not overlap, as many as fit side by side on each axis. */
const cellsOf = (a: Addressing): readonly number[] =>
  a.indexed.map((i) => (a.sizes[i] === 0 ? 1 : Math.floor(a.operand[i]! / a.sizes[i]!)));

/** Index vectors of which no two name the same element; some are outside where there are too many, or they may be. */
export function distinct(a: Addressing): Domain {
  const cells = cellsOf(a);
  const limits = limitsOf(a);
  const count = sizeOf(a.indices.slice(0, -1));
  const total = sizeOf(cells);
  const most = Math.min(total, count);
  const least = a.mode === 'fill' && cells.length > 0 ? Math.max(0, most - 1) : most;
  const some = (of: number, inside: number) => fc.shuffledSubarray(range(of), { minLength: inside, maxLength: inside });
  return () =>
    fc
      .integer({ min: least, max: most })
      .chain((inside) => fc.tuple(some(total, inside), some(count, inside)))
      .map(([chosen, vectors]) =>
        range(count).flatMap((p) => {
          const at = vectors.indexOf(p);
          let cell = at < 0 ? 0 : chosen[at]!;
          return cells.map((n, k) => {
            if (at < 0) return limits[k]! + 1;
            const place = cell % n;
            cell = Math.floor(cell / n);
            return place * a.sizes[a.indexed[k]!]!;
          });
        }),
      );
}

/** With the addressing that a call was made of, which its domains depend on. */
interface Addressed<P> extends Call<P> {
  readonly addressing: Addressing;
}

/** A call with its addressing. */
export const addressed = <P>(ins: readonly Aval[], params: P, a: Addressing): Addressed<P> =>
  Object.assign(makeCall(ins, params), { addressing: a });

/** The addressing of a call. */
export const addressingOf = (call: Call<unknown>): Addressing => (call as Addressed<unknown>).addressing;

const claim = (aval: Aval, domain: Domain = within(-2, 2)): OperandClaim =>
  isFloat(aval.dtype) ? { derivative: smooth, domain } : { derivative: notFloat, domain: edgy };

const fills = fc.constantFrom<FillValue>(0, 0, 1, 'NaN', '-Infinity');

const gather: Row<FirstOrderParams<'gather'>> = {
  takes: everyDType,
  calls: (dtypes) =>
    fc.tuple(addressing, dtype(dtypes), weaknesses(1), fills).map(([a, d, [weak], fillValue]) =>
      addressed(
        [makeAval(a.operand, d, weak), makeAval(a.indices, a.integer)],
        {
          offsetDims: a.windowDims,
          collapsedSliceDims: a.hidden,
          startIndexMap: a.indexed,
          operandBatchingDims: a.operandBatching,
          startIndicesBatchingDims: a.indicesBatching,
          sliceSizes: a.sizes,
          mode: a.mode,
          fillValue: isFloat(d) || typeof fillValue === 'number' ? fillValue : 0,
        },
        a,
      ),
    ),
  operands: (call) => [claim(call.ins[0]!), { derivative: notFloat, domain: anywhere(addressingOf(call)) }],
  values: (call, operand) => (operand === 1 ? anywhere(addressingOf(call)) : edgy),
  linear: ({ ins, params }) => (isFloat(ins[0]!.dtype) && params.fillValue === 0 ? [[0]] : []),
  results: (call) => [withShape(call.ins[0]!, addressingOf(call).dense)],
  moves: true,
};

/** The dimension numbers of a scatter. */
export const scattered = (a: Addressing) => ({
  updateWindowDims: a.windowDims,
  insertedWindowDims: a.hidden,
  scatterDimsToOperandDims: a.indexed,
  operandBatchingDims: a.operandBatching,
  scatterIndicesBatchingDims: a.indicesBatching,
});

/** Operand, indices and updates of a scatter. */
export const scatterAvals = (a: Addressing, d: DType, [weak, updatesWeak]: readonly boolean[]): readonly Aval[] => [
  makeAval(a.operand, d, weak),
  makeAval(a.indices, a.integer),
  makeAval(a.dense, d, updatesWeak),
];

const bothFloats = ({ ins }: Call<unknown>): readonly (readonly number[])[] => (isFloat(ins[0]!.dtype) ? [[0, 2]] : []);

const scatterAdd: Row<FirstOrderParams<'scatter_add'>> = {
  takes: numbers,
  calls: (dtypes) =>
    fc
      .tuple(addressing, dtype(dtypes), weaknesses(2))
      .map(([a, d, weak]) => addressed(scatterAvals(a, d, weak), { ...scattered(a), mode: a.mode }, a)),
  operands: (call) => [
    claim(call.ins[0]!),
    { derivative: notFloat, domain: anywhere(addressingOf(call)) },
    claim(call.ins[2]!),
  ],
  values: (call, operand) => (operand === 1 ? anywhere(addressingOf(call)) : summable),
  linear: bothFloats,
  results: ({ ins }) => [makeAval(ins[0]!.shape, ins[0]!.dtype, together([ins[0]!, ins[2]!]))],
  terms: (call) => 1 + sizeOf(addressingOf(call).indices.slice(0, -1)),
};

/** Without entries all vectors name the same window. */
const distinguishable = (a: Addressing): boolean => a.indexed.length > 0 || sizeOf(a.indices.slice(0, -1)) <= 1;

/** A scatter in a mode in which its vectors can be distinct. */
export const scatterCalls = (dtypes: readonly DType[], unique: fc.Arbitrary<boolean>) =>
  fc
    .tuple(addressing.filter(distinguishable), dtype(dtypes), weaknesses(2), unique)
    .map(([a, d, weak, uniqueIndices]) => {
      const room = sizeOf(a.indices.slice(0, -1)) <= sizeOf(cellsOf(a));
      const own: Addressing = { ...a, mode: room ? a.mode : 'fill' };
      return addressed(scatterAvals(own, d, weak), { ...scattered(own), mode: own.mode, uniqueIndices }, own);
    });

/** Which of several updates stays is not specified, so laws of values name each element once. */
const scatter: Row<FirstOrderParams<'scatter'>> = {
  takes: everyDType,
  calls: (dtypes) => scatterCalls(dtypes, fc.boolean()),
  linearCalls: scatterCalls(['float32', 'float64'], fc.constant(true)),
  operands: (call) => [
    claim(call.ins[0]!),
    {
      derivative: notFloat,
      domain: (call.params.uniqueIndices ? distinct : anywhere)(addressingOf(call)),
    },
    claim(call.ins[2]!),
  ],
  values: (call, operand) => (operand === 1 ? distinct(addressingOf(call)) : edgy),
  linear: (call) => (call.params.uniqueIndices ? bothFloats(call) : []),
  results: ({ ins }) => [makeAval(ins[0]!.shape, ins[0]!.dtype, together([ins[0]!, ins[2]!]))],
  moves: true,
};

/** A shape, a window that fits, and the avals of the starts. */
const windows = fc
  .tuple(shape({ maxRank: 3 }), fc.array(fc.nat({ max: 3 }), { minLength: 3, maxLength: 3 }), dtype(integers))
  .map(([s, cut, integer]) => ({
    whole: s,
    window: s.map((n, i) => Math.max(0, n - cut[i]!)),
    starts: s.map(() => makeAval([], integer)),
  }));

const dynamicSlice: Row<FirstOrderParams<'dynamic_slice'>> = {
  takes: everyDType,
  calls: (dtypes) =>
    fc
      .tuple(windows, dtype(dtypes), weaknesses(1))
      .map(([{ whole, window, starts }, d, [weak]]) =>
        makeCall([makeAval(whole, d, weak), ...starts], { sliceSizes: window }),
      ),
  operands: ({ ins }) => ins.map((aval) => claim(aval)),
  linear: ({ ins }) => (isFloat(ins[0]!.dtype) ? [[0]] : []),
  results: ({ ins, params }) => [withShape(ins[0]!, params.sliceSizes)],
  moves: true,
};

const dynamicUpdateSlice: Row<None> = {
  takes: everyDType,
  calls: (dtypes) =>
    fc
      .tuple(windows, dtype(dtypes), weaknesses(2))
      .map(([{ whole, window, starts }, d, [weak, updateWeak]]) =>
        makeCall([makeAval(whole, d, weak), makeAval(window, d, updateWeak), ...starts], noParams),
      ),
  operands: ({ ins }) => ins.map((aval) => claim(aval)),
  linear: ({ ins }) => (isFloat(ins[0]!.dtype) ? [[0, 1]] : []),
  results: ({ ins }) => [makeAval(ins[0]!.shape, ins[0]!.dtype, together([ins[0]!, ins[1]!]))],
  moves: true,
};

/** Up to three operands, some of them keys; the derivative jumps where keys are equal. */
const sort: Row<FirstOrderParams<'sort'>> = {
  takes: everyDType,
  calls: (dtypes) =>
    fc
      .tuple(
        fc.array(axisLength(), { minLength: 1, maxLength: 3 }).map(bounded),
        fc.nat({ max: 2 }),
        fc.array(dtype(dtypes), { minLength: 1, maxLength: 3 }),
        weaknesses(3),
        fc.nat({ max: 5 }),
      )
      .map(([s, at, operands, weak, keys]) =>
        makeCall(
          operands.map((d, i) => makeAval(s, d, weak[i])),
          { dimension: at % s.length, numKeys: 1 + (keys % operands.length) },
        ),
      ),
  operands: ({ ins, params }) =>
    ins.map((aval, i) =>
      i < params.numKeys && isFloat(aval.dtype)
        ? { derivative: piecewise('where keys are equal'), domain: separated }
        : claim(aval),
    ),
  linear: nowhere,
  results: ({ ins }) => ins,
};

const topK: Row<FirstOrderParams<'top_k'>> = {
  takes: everyDType,
  calls: (dtypes) =>
    fc
      .tuple(
        fc.array(axisLength(), { minLength: 1, maxLength: 3 }).map(bounded),
        fc.nat({ max: 3 }),
        dtype(dtypes),
        weaknesses(1),
      )
      .map(([s, k, d, [weak]]) => makeCall([makeAval(s, d, weak)], { k: k % (s.at(-1)! + 1) })),
  operands: ({ ins }) => [
    isFloat(ins[0]!.dtype) ? { derivative: piecewise('where elements are equal'), domain: separated } : claim(ins[0]!),
  ],
  linear: nowhere,
  results: ({ ins, params }) => {
    const shape = [...ins[0]!.shape.slice(0, -1), params.k];
    return [withShape(ins[0]!, shape), makeAval(shape, 'int32')];
  },
};

/** Rows by name. */
export const indexingRows = {
  gather,
  scatter,
  scatter_add: scatterAdd,
  dynamic_slice: dynamicSlice,
  dynamic_update_slice: dynamicUpdateSlice,
  sort,
  top_k: topK,
} as const;
