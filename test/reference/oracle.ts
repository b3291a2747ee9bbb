/**
 * What the kernel tests share: running one lowering, and the naive way of saying what it should compute.
 *
 * An oracle is a function from an output index to its value, written with index tuples and no strides, so that it has nothing
 * in common with the code under test.
 */

import fc from 'fast-check';
import { expect } from 'vitest';
import type { Kernel, Lower } from '../../backends/reference/lowering.ts';
import { makeAval } from '../../src/core/aval.ts';
import { allocate, type DType, isFloat, type TypedArray } from '../../src/core/dtype.ts';
import { type Shape, sizeOf } from '../../src/core/shape.ts';

/** A tensor on the host. */
export interface Host {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly data: TypedArray;
}

/** Which array stores a float32: the device option `precision`. */
export type Precision = 'rounded' | 'float64';

/** An array for `size` elements of `dtype` under a precision. */
export const storage = (dtype: DType, size: number, precision: Precision = 'rounded'): TypedArray =>
  allocate(dtype === 'float32' && precision === 'float64' ? 'float64' : dtype, size);

/** A tensor of these values, rounded or wrapped by its storage. */
export function host(dtype: DType, shape: Shape, values: Iterable<number>, precision: Precision = 'rounded'): Host {
  const data = storage(dtype, sizeOf(shape), precision);
  let i = 0;
  for (const value of values) data[i++] = value;
  expect(i).toBe(data.length);
  return { shape, dtype, data };
}

/**
 * Lowers and runs one primitive. The outputs hold rubbish before, and the kernel runs a second time on rubbish of another
 * kind: what it leaves unwritten, or a kernel that does not return to its initial state, shows.
 */
export function run<P>(
  lower: Lower<P>,
  ins: readonly Host[],
  outs: readonly { readonly shape: Shape; readonly dtype: DType }[],
  params: P,
  precision: Precision = 'rounded',
): TypedArray[] {
  const kernel: Kernel = lower(
    ins.map(({ shape, dtype }) => makeAval(shape, dtype)),
    outs.map(({ shape, dtype }) => makeAval(shape, dtype)),
    params,
  );
  const before = ins.map(({ data }) => data.slice());
  const call = (rubbish: number): TypedArray[] => {
    const results = outs.map(({ shape, dtype }) => storage(dtype, sizeOf(shape), precision).fill(rubbish));
    kernel(
      ins.map(({ data }) => data),
      results,
    );
    return results;
  };
  const first = call(77);
  call(-3).forEach((result, i) => {
    expectSame(result, first[i]!);
  });
  ins.forEach(({ data }, i) => {
    expectSame(data, before[i]!);
  });
  return first;
}

/** Equal kind and elements, bit for bit; the slow comparison with its message only where they differ. */
function expectSame(actual: TypedArray, expected: TypedArray): void {
  const same = actual.constructor === expected.constructor && actual.length === expected.length;
  if (!same || !actual.every((value, i) => Object.is(value, expected[i]))) expect(actual).toStrictEqual(expected);
}

/** {@link run} for one output. */
export const run1 = <P>(
  lower: Lower<P>,
  ins: readonly Host[],
  shape: Shape,
  dtype: DType,
  params: P,
  precision: Precision = 'rounded',
): TypedArray => run(lower, ins, [{ shape, dtype }], params, precision)[0]!;

/** Every index of a shape, in row-major order. */
export function indices(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (all, length) => all.flatMap((index) => Array.from({ length }, (_, i) => [...index, i])),
    [[]],
  );
}

/** The element at an index. */
export const at = ({ shape, data }: Host, index: readonly number[]): number =>
  data[index.reduce((position, i, axis) => position * shape[axis]! + i, 0)]!;

/** The result must be, element for element and bit for bit (-0 is not 0, NaN is NaN), what the oracle says. */
export function expectElements(actual: TypedArray, shape: Shape, oracle: (index: number[]) => number): void {
  const expected = actual.slice();
  expect(actual.length).toBe(sizeOf(shape));
  indices(shape).forEach((index, i) => {
    expected[i] = oracle(index);
  });
  expectSame(actual, expected);
}

/** The values at which arithmetic has its corners. */
const edges: Readonly<Record<DType, readonly number[]>> = {
  bool: [0, 1],
  int32: [0, 1, -1, 2, 31, 32, 33, -2147483648, 2147483647, 65536, -65537],
  uint32: [0, 1, 2, 31, 32, 33, 2147483647, 2147483648, 4294967295, 65536, 65537],
  float32: [0, -0, 1, -1, 0.5, -2.5, 2147483648, -2147483904, 4294967296, 1e-45, 3.4028234663852886e38, 1e20, Infinity],
  float64: [0, -0, 1, -1, 1.1, -2.5, 2147483647.5, -2147483648.5, 5e-324, 1e308, 1e-200, -Infinity, NaN],
};

/** One element of a dtype, an edge half of the time. */
export const element = (dtype: DType): fc.Arbitrary<number> => {
  const edge = fc.constantFrom(...edges[dtype], ...(isFloat(dtype) ? [NaN, -Infinity] : []));
  switch (dtype) {
    case 'bool':
      return edge;
    case 'int32':
      return fc.oneof(edge, fc.integer(), fc.integer({ min: -9, max: 9 }));
    case 'uint32':
      return fc.oneof(edge, fc.integer({ min: 0, max: 4294967295 }), fc.integer({ min: 0, max: 9 }));
    default:
      return fc.oneof(edge, fc.float(), fc.integer({ min: -9, max: 9 }));
  }
};

/** Any dtype. */
export const anyDType: fc.Arbitrary<DType> = fc.constantFrom('bool', 'int32', 'uint32', 'float32', 'float64');

/** A tensor of the given shape with edge values. */
export const tensor = (dtype: DType, shape: Shape): fc.Arbitrary<Host> => {
  const size = sizeOf(shape);
  return fc.array(element(dtype), { minLength: size, maxLength: size }).map((values) => host(dtype, shape, values));
};

/** A tensor whose elements tell where they come from, for primitives that only move elements: cheap for large shapes. */
export const counting = (dtype: DType, shape: Shape, precision: Precision = 'rounded'): Host =>
  host(
    dtype,
    shape,
    Array.from({ length: sizeOf(shape) }, (_, i) => (dtype === 'bool' ? (i * i + (i >> 2)) & 1 : i + 1)),
    precision,
  );

/** Shapes: mostly small with empty and unit axes, at times long enough for runs and tiles. */
export const anyShape: fc.Arbitrary<number[]> = fc.oneof(
  { weight: 6, arbitrary: fc.array(fc.nat(4), { maxLength: 5 }) },
  { weight: 1, arbitrary: fc.shuffledSubarray([1, 3, 37, 150], { minLength: 2, maxLength: 3 }) },
);

/** Runs a primitive on rows of operands, all of one dtype. */
export const apply = (lower: Lower<unknown>, dtype: DType, rows: readonly (readonly number[])[], to: DType = dtype) => {
  const operands = rows[0]!.map((_, i) =>
    host(
      dtype,
      [rows.length],
      rows.map((row) => row[i]!),
    ),
  );
  return { operands, out: run1(lower, operands, [rows.length], to, {}) };
};

export const rowsOf = (dtype: DType, operands: number) =>
  fc.array(fc.tuple(...Array.from({ length: operands }, () => element(dtype))), { minLength: 1, maxLength: 12 });

/** A primitive agrees with a function of one row of stored operands, for each of the dtypes. */
export const agrees = (
  lower: Lower<unknown>,
  operands: number,
  cases: readonly (readonly [DType, (...row: number[]) => number])[],
  to?: DType,
) => {
  for (const [dtype, oracle] of cases) {
    fc.assert(
      fc.property(rowsOf(dtype, operands), (rows) => {
        const { operands, out } = apply(lower, dtype, rows, to ?? dtype);
        expectElements(out, [rows.length], ([i]) => oracle(...operands.map(({ data }) => data[i!]!)));
      }),
    );
  }
};

/** Integer arithmetic, done in integers and wrapped afterwards. */
const wrapped = (dtype: 'int32' | 'uint32', f: (...row: bigint[]) => bigint) => {
  const wrap = dtype === 'int32' ? BigInt.asIntN : BigInt.asUintN;
  return [dtype, (...row: number[]) => Number(wrap(32, f(...row.map(BigInt))))] as const;
};
/** {@link wrapped} for both integer dtypes. */
export const integers = (f: (...row: bigint[]) => bigint) => [wrapped('int32', f), wrapped('uint32', f)];
/** One function of doubles for both float dtypes. */
export const floats = (f: (...row: number[]) => number) => [['float32', f] as const, ['float64', f] as const];
