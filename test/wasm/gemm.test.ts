/** Products of matrices in WebAssembly against a triple loop in double precision. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countUp } from '../../backends/wasm/code/control.ts';
import { call, f32, get, i32 } from '../../backends/wasm/code/instructions.ts';
import type { Module } from '../../backends/wasm/code/module.ts';
import type { Element } from '../../backends/wasm/gemm/arithmetic.ts';
import type { Axis } from '../../backends/wasm/gemm/axes.ts';
import { emitContraction } from '../../backends/wasm/gemm/gemm.ts';
import type { Block, Contraction } from '../../backends/wasm/gemm/plan.ts';
import { compute, numbers, sameBits, type Values } from './contraction.ts';

type Extents = Readonly<Record<'batch' | 'm' | 'n' | 'k', readonly number[]>>;
type Index = keyof Extents;

/** Offsets of all values of an index in an operand, by a loop of its own. */
function offsets(axes: readonly Axis[], operand: 'a' | 'b' | 'c'): number[] {
  let all = [0];
  for (const axis of axes) {
    all = all.flatMap((base) => Array.from({ length: axis.extent }, (_, i) => base + i * axis[operand]));
  }
  return all;
}

interface Sum {
  readonly value: number;
  /** Of the absolute values of the terms. */
  readonly magnitude: number;
}

/** What C should hold, by its offset. */
function expected(x: Contraction, a: ArrayLike<number>, b: ArrayLike<number>): Map<number, Sum> {
  const integer = x.dtype === 'int32' || x.dtype === 'uint32';
  const out = new Map<number, Sum>();
  const of = (axes: readonly Axis[]) => [offsets(axes, 'a'), offsets(axes, 'b'), offsets(axes, 'c')] as const;
  const [batch, m, n, k] = [of(x.batch), of(x.m), of(x.n), of(x.k)];
  batch[2].forEach((batchC, q) => {
    m[2].forEach((rowC, i) => {
      n[2].forEach((columnC, j) => {
        let [value, magnitude] = [0, 0];
        for (let l = 0; l < k[2].length; l++) {
          const left = a[batch[0][q]! + m[0][i]! + k[0][l]!]!;
          const right = b[batch[1][q]! + n[1][j]! + k[1][l]!]!;
          value = integer ? (value + Math.imul(left, right)) | 0 : value + left * right;
          magnitude += Math.abs(left * right);
        }
        out.set(batchC + rowC + columnC, { value: x.dtype === 'uint32' ? value >>> 0 : value, magnitude });
      });
    });
  });
  return out;
}

const epsilon = { float32: 2 ** -23, float64: 2 ** -52, int32: 0, uint32: 0 };

/** What is wrong with a result, or null. |error| ≤ 4·√k·ε·Σ|terms|, exact for integers; elements between those of C keep their canaries. */
function wrong(x: Contraction, a: ArrayLike<number>, b: ArrayLike<number>, size: number): string | null {
  const { values, piecewise, intact } = compute({ dtype: x.dtype, emit: (m) => emitContraction(m, x), a, b, size });
  if (!intact) return 'wrote outside of the result';
  if (!sameBits(values, piecewise)) return 'blocks computed one by one give other bits';
  const terms = x.k.reduce((total, { extent }) => total * extent, 1);
  const sums = expected(x, a, b);
  const untouched = new Uint8Array(8).fill(0xa5);
  const empty = new (values.constructor as typeof Float64Array)(untouched.buffer)[0]!;
  for (const [i, value] of values.entries()) {
    const sum = sums.get(i);
    if (sum === undefined) {
      if (!Object.is(value, empty)) return `wrote ${value} between elements, at ${i}`;
      continue;
    }
    if (Number.isNaN(sum.value) ? Number.isNaN(value) : value === sum.value) continue;
    const bound = 4 * Math.sqrt(terms) * epsilon[x.dtype] * sum.magnitude;
    if (!(Math.abs(value - sum.value) <= bound)) return `${value} instead of ${sum.value} at ${i}`;
  }
  return null;
}

/** An order of axes in memory, some of them absent (broadcast) or further apart than need be: a stride for each, and the size. */
function strides(order: readonly number[], extents: readonly number[], gaps: readonly number[]): [number[], number] {
  const all = extents.map(() => 0);
  let size = 1;
  for (const axis of order) {
    all[axis] = size;
    size *= Math.max(1, extents[axis]! + gaps[axis]!);
  }
  return [all, size];
}

/** Sizes of every remainder by the tile's, and some that are several blocks. */
const size = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 17 }) },
  { weight: 2, arbitrary: fc.integer({ min: 18, max: 70 }) },
  { weight: 1, arbitrary: fc.integer({ min: 125, max: 150 }) },
);
const depth = fc.oneof(
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 3 }) },
  { weight: 3, arbitrary: fc.integer({ min: 4, max: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(255, 256, 257, 300, 521) },
);

/** An index as one axis, or as two that need not merge. */
const split = (n: number, pick: number): number[] => {
  const divisors = Array.from({ length: n }, (_, i) => i + 1).filter((d) => n % d === 0);
  const outer = divisors[pick % Math.max(1, divisors.length)] ?? 0;
  return pick % 3 === 0 && n > 0 ? [outer, n / outer] : [n];
};

interface Generated {
  readonly x: Contraction;
  readonly sizes: Readonly<Record<'a' | 'b' | 'c', number>>;
}

/** Shapes with operands whose axes lie in any order, with gaps, some of the batch's broadcast. */
const contraction: fc.Arbitrary<Generated> = fc
  .record({
    m: size,
    n: size,
    k: depth,
    splits: fc.tuple(fc.nat(50), fc.nat(50), fc.nat(50)),
    batch: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 }),
    dtype: fc.constantFrom<Element>('float32', 'float32', 'float32', 'float64', 'int32', 'uint32'),
    relaxed: fc.boolean(),
    order: fc.constantFrom('plain', 'any', 'any'),
    orders: fc.array(fc.nat(), { minLength: 24, maxLength: 24 }),
    gaps: fc.constantFrom(0, 0, 1, 3),
    shared: fc.constantFrom('none', 'none', 'a', 'b'),
  })
  .map(({ m, n, k, splits, batch, dtype, relaxed, order, orders, gaps, shared }) => {
    const extents: Extents = { batch, m: split(m, splits[0]), n: split(n, splits[1]), k: split(k, splits[2]) };
    const axes: Record<Index, { extent: number; a: number; b: number; c: number }[]> = {
      batch: batch.map((extent) => ({ extent, a: 0, b: 0, c: 0 })),
      m: extents.m.map((extent) => ({ extent, a: 0, b: 0, c: 0 })),
      n: extents.n.map((extent) => ({ extent, a: 0, b: 0, c: 0 })),
      k: extents.k.map((extent) => ({ extent, a: 0, b: 0, c: 0 })),
    };
    const lay = (operand: 'a' | 'b' | 'c', indices: readonly Index[], at: number): number => {
      const own = indices.flatMap((index) => axes[index]);
      const inOrder = own.map((_, i) => i).reverse();
      const shuffled = [...inOrder].sort((i, j) => orders[(at + i) % 24]! - orders[(at + j) % 24]!);
      const [all, total] = strides(
        order === 'plain' ? inOrder : shuffled,
        own.map((axis) => axis.extent),
        own.map((_, i) => (i === orders[at]! % own.length ? gaps : 0)),
      );
      own.forEach((axis, i) => {
        axis[operand] = all[i]!;
      });
      return total;
    };
    const sizes = {
      a: lay('a', shared === 'a' ? ['m', 'k'] : ['batch', 'm', 'k'], 0),
      b: lay('b', shared === 'b' ? ['k', 'n'] : ['batch', 'k', 'n'], 8),
      c: lay('c', ['batch', 'm', 'n'], 16),
    };
    return { x: { dtype, relaxed, epilogue: null, ...axes }, sizes };
  });

const report = ({ x, sizes }: Generated): string | null =>
  wrong(x, numbers(sizes.a, x.dtype, 1), numbers(sizes.b, x.dtype, 2), sizes.c);

describe('a contraction', () => {
  test('is the sum of products, for any sizes, order of axes and batch', () => {
    fc.assert(
      fc.property(contraction, (generated) => {
        expect(report(generated)).toBeNull();
      }),
      { numRuns: Number(process.env['LAWS'] ?? 60), seed: Number(process.env['LAWS_SEED'] ?? 6) },
    );
  });

  /** Row-major operands, transposed where said. */
  const matrices = (m: number, n: number, k: number, kind: string, dtype: Element = 'float32'): Generated => ({
    x: {
      dtype,
      relaxed: true,
      epilogue: null,
      batch: [],
      m: [{ extent: m, a: kind.includes('a') ? 1 : k, b: 0, c: kind.includes('c') ? 1 : n }],
      n: [{ extent: n, a: 0, b: kind.includes('b') ? k : 1, c: kind.includes('c') ? m : 1 }],
      k: [{ extent: k, a: kind.includes('a') ? m : 1, b: kind.includes('b') ? 1 : n, c: 0 }],
    },
    sizes: { a: m * k, b: k * n, c: m * n },
  });

  test.each(['', 'a', 'b', 'ab', 'c'])('with matrices "%s" transposed: all remainders of sizes', (kind) => {
    for (let m = 1; m <= 9; m++) {
      for (let n = 1; n <= 9; n++) expect(report(matrices(m, n, (m * n) % 7, kind))).toBeNull();
    }
  });

  test.each(['', 'a', 'b', 'c'])('with matrices "%s" transposed: narrow, deep, and of several blocks', (kind) => {
    for (const [m, n, k] of [
      [300, 1, 70],
      [1, 300, 70],
      [200, 7, 33],
      [7, 200, 33],
      [150, 10, 84],
      [10, 150, 84],
      [260, 270, 1],
      [131, 141, 2],
      [140, 150, 600],
      [3, 5, 3000],
    ] as const) {
      expect(report(matrices(m, n, k, kind))).toBeNull();
    }
  });

  test.each(['float64', 'int32', 'uint32'] as const)('of %s, in several blocks', (dtype) => {
    for (const kind of ['', 'a', 'b', 'c']) expect(report(matrices(137, 75, 301, kind, dtype))).toBeNull();
  });

  test('of no terms is zero, and of no rows or columns nothing', () => {
    expect(report(matrices(5, 9, 0, ''))).toBeNull();
    expect(
      compute({
        dtype: 'float32',
        emit: (m) => emitContraction(m, matrices(0, 9, 4, '').x),
        a: [],
        b: numbers(36, 'float32', 1),
        size: 0,
      }).blocks,
    ).toBe(0);
    expect(
      compute({
        dtype: 'float32',
        emit: (m) => emitContraction(m, matrices(4, 0, 4, '').x),
        a: numbers(16, 'float32', 1),
        b: [],
        size: 0,
      }).blocks,
    ).toBe(0);
  });

  test.each(['', 'a', 'b', 'c'])(
    'with matrices "%s" transposed: a NaN or infinity reaches its row or column, and no other',
    (kind) => {
      for (const [m, n, k] of [
        [9, 11, 5],
        [9, 3, 37],
        [3, 150, 6],
        [140, 35, 260],
        [1, 37, 9],
        [37, 1, 9],
      ] as const) {
        const { x, sizes } = matrices(m, n, k, kind);
        for (const special of [Number.NaN, Number.POSITIVE_INFINITY]) {
          const [a, b] = [numbers(sizes.a, 'float32', 3), numbers(sizes.b, 'float32', 4)];
          a[(m - 1) * x.m[0]!.a + (k - 1) * x.k[0]!.a] = special;
          b[(n - 1) * x.n[0]!.b] = special;
          // Zeros are not skipped: 0·∞ is NaN.
          a[0] = 0;
          b[x.k[0]!.b * (k - 1)] = 0;
          expect(wrong(x, a, b, sizes.c)).toBeNull();
        }
      }
    },
  );
});

describe('emitContraction', () => {
  test('takes strides of rows, columns and batch', () => {
    const emit = (module: Module) =>
      emitContraction(module, {
        dtype: 'float32',
        batch: [{ extent: 2, a: 4, b: 0, c: 6 }],
        m: [{ extent: 2, a: 2, b: 0, c: 3 }],
        n: [{ extent: 3, a: 0, b: 1, c: 1 }],
        k: [{ extent: 2, a: 1, b: 3, c: 0 }],
        relaxed: false,
        epilogue: null,
      });
    const { values } = compute({
      dtype: 'float32',
      emit,
      a: [1, 2, 3, 4, 5, 6, 7, 8],
      b: [1, 0, 1, 0, 1, 1],
      size: 12,
    });
    expect([...values]).toEqual([1, 2, 3, 3, 4, 7, 5, 6, 11, 7, 8, 15]);
  });

  test.each([
    [1, true],
    [3, true],
    [1, false],
    [2, false],
  ])('runs its epilogue once on each element of %i batches, of whole rows: %s', (batches, wholeRows) => {
    for (const [m, n, k] of [
      [150, 21, 7],
      [37, 70, 20],
      [75, 3, 33],
      [3, 75, 33],
    ] as const) {
      for (const [shared, across, kind] of [
        [false, false, ''],
        [true, false, 'b'],
        [true, true, ''],
        [false, true, 'b'],
      ] as const) {
        const x = (epilogue: Contraction['epilogue']): Contraction => ({
          dtype: 'float32',
          relaxed: false,
          epilogue,
          wholeRows,
          batch: [{ extent: batches, a: m * k, b: shared ? 0 : n * k, c: m * n }],
          m: [{ extent: m, a: k, b: 0, c: across ? 1 : n }],
          n: [{ extent: n, a: 0, b: kind === 'b' ? k : 1, c: across ? m : 1 }],
          k: [{ extent: k, a: 1, b: kind === 'b' ? 1 : n, c: 0 }],
        });
        const a = numbers(batches * m * k, 'float32', 5);
        const b = numbers(batches * n * k, 'float32', 6);
        const emitPlain = (module: Module) => emitContraction(module, x(null));
        const plain = compute({ dtype: 'float32', emit: emitPlain, a, b, size: batches * m * n });
        // 2·y + 1 of every element, addressed from the ranges that it is given; `c` is parameter 2 of the function.
        const emit: typeof emitPlain = (module) => {
          const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
          const [row, column] = [f.local('i32'), f.local('i32')];
          const step = (i: number, stride: number) => i32.mul(get(i), i32.const(stride * 4));
          const address = i32.add(
            get(0),
            i32.add(step(1, m * n), i32.add(step(row, across ? 1 : n), step(column, across ? m : 1))),
          );
          const affine = f32.store(address, f32.add(f32.mul(f32.load(address), f32.const(2)), f32.const(1)));
          const [columnFrom, columnTo] = wholeRows ? [i32.const(0), i32.const(n)] : [get(4), get(5)];
          f.body(countUp(row, get(2), get(3), 1, countUp(column, columnFrom, columnTo, 1, affine)));
          const epilogue = (block: Block) =>
            call(f.index, get(2), block.batch, block.rowFrom, block.rowTo, block.columnFrom, block.columnTo);
          return emitContraction(module, x({ operands: 0, code: epilogue }));
        };
        const { values, piecewise } = compute({ dtype: 'float32', emit, a, b, size: batches * m * n });
        const affine = plain.values.map((v) => Math.fround(Math.fround(2 * v) + 1)) as Values;
        expect(sameBits(values, affine)).toBe(true);
        expect(sameBits(piecewise, affine)).toBe(true);
      }
    }
  });
});
