/** What the tests of `np` compare with: nested loops over multi-indices, which know nothing of the library. */

import fc from 'fast-check';
import { np, type Tensor } from 'pullback';

/** A tensor as an oracle sees it: a shape and a function of the index. */
export interface Dense {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** All multi-indices of a shape, the last axis fastest. */
export function indices(shape: readonly number[]): number[][] {
  let all: number[][] = [[]];
  for (const n of shape) all = all.flatMap((index) => Array.from({ length: n }, (_, i) => [...index, i]));
  return all;
}

/** The element at an index. */
export const at = ({ shape, data }: Dense, index: readonly number[]): number =>
  data[index.reduce((offset, i, axis) => offset * shape[axis]! + i, 0)]!;

/** A dense array from a function of the index. */
export const build = (shape: readonly number[], f: (index: readonly number[]) => number): Dense => ({
  shape,
  data: indices(shape).map(f),
});

/** The element that a broadcast index of a larger shape reads. */
export const atBroadcast = (x: Dense, index: readonly number[]): number =>
  at(
    x,
    x.shape.map((n, axis) => (n === 1 ? 0 : index[index.length - x.shape.length + axis]!)),
  );

/** The shape in which shapes meet, by NumPy's definition. */
export function meetShapes(...shapes: readonly (readonly number[])[]): number[] {
  const ndim = Math.max(...shapes.map((s) => s.length));
  return Array.from({ length: ndim }, (_, i) => {
    const lengths = shapes.map((s) => s[s.length - ndim + i] ?? 1);
    return lengths.find((n) => n !== 1) ?? 1;
  });
}

/** A tensor with these elements. */
export const tensor = ({ shape, data }: Dense): Tensor => np.reshape(np.array(Float32Array.from(data)), shape);

/** What the library computed, as an oracle's array; `bool` as 0 and 1. */
export const dense = (x: Tensor<'float32' | 'float64' | 'int32' | 'uint32' | 'bool'>): Dense => ({
  shape: [...x.shape],
  data: Array.from(x.dataSync(), Number),
});

/** Small shapes, zero-size ones and scalars among them. */
export const shapes = (max = 4, maxLength = 3): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min: 0, max: maxLength }), { maxLength: max });

/** Exact values: sums and products of a few of them are exact in float32. */
export const elements = (shape: readonly number[]): fc.Arbitrary<number[]> => {
  const n = sizeOf(shape);
  return fc.array(fc.integer({ min: -8, max: 8 }), { minLength: n, maxLength: n });
};

/** A dense array of a shape. */
export const arrays = (shape: fc.Arbitrary<number[]>): fc.Arbitrary<Dense> =>
  shape.chain((s) => elements(s).map((data) => ({ shape: s, data })));

/** Shapes that broadcast together: of a common one, each with leading axes dropped and some axes made 1. */
export const broadcastable = (count: number): fc.Arbitrary<number[][]> =>
  shapes().chain((shape) =>
    fc.array(
      fc
        .tuple(
          fc.integer({ min: 0, max: shape.length }),
          fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
        )
        .map(([drop, ones]) => shape.map((n, i) => (ones[i] ? 1 : n)).slice(drop)),
      { minLength: count, maxLength: count },
    ),
  );

/** Dense arrays whose shapes broadcast together. */
export const broadcastableArrays = (count: number): fc.Arbitrary<Dense[]> =>
  broadcastable(count).chain((all) => fc.tuple(...all.map((s) => arrays(fc.constant(s)))));
