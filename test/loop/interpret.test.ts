/** The meaning of kernels: single operations against the reference device, whole kernels against plain loops, and what is refused. */

import { lax, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { type RunKernelOptions, runKernel } from '../../backends/loop/interpret.ts';
import {
  apply,
  type Buffer,
  bitcast,
  call,
  compare,
  constant,
  convert,
  type Expr,
  type Fn,
  type Index,
  index,
  int,
  type Local,
  load,
  op,
  read,
  select,
  size,
} from '../../backends/loop/ir/expr.ts';
import { minus, plus, quotient, within } from '../../backends/loop/ir/integer.ts';
import type { Kernel, LoopRole, Stmt } from '../../backends/loop/ir/kernel.ts';
import { fma } from '../../backends/loop/scalar.ts';
import { edges } from '../../laws/arbitrary/elements.ts';
import { hostTensor, toTensor } from '../../laws/host.ts';
import { allocate, type DType, dtypes, isFloat } from '../../src/core/dtype.ts';
import { concatenate, dot, layerNorm, pad, softmax, transpose } from './samples.ts';

const buffer = (name: string, length: number, dtype: DType = 'float32'): Buffer => ({
  name,
  dtype,
  kind: 'operand',
  size: int(length),
});
const over = (extent: number): Index => ({ name: 'i', extent: int(extent) });
const loop = (role: LoopRole, of: Index, ...body: readonly Stmt[]): Stmt => ({ kind: 'loop', index: of, role, body });
const store = (to: Buffer, at: Expr, value: Expr): Stmt => ({ kind: 'store', buffer: to, at, value });
const kernel = (operands: readonly Buffer[], ...body: readonly Stmt[]): Kernel => ({
  name: 'k',
  operands,
  scratch: [],
  sizes: 0,
  body,
});

/** What `f` gives for each pair of numbers, through a kernel. */
function elementwise(
  from: DType,
  to: DType,
  pairs: readonly (readonly [number, number])[],
  f: (x: Expr, y: Expr) => Expr,
): readonly number[] {
  const n = pairs.length;
  const [x, y, out] = [buffer('x', n, from), buffer('y', n, from), buffer('out', n, to)];
  const i = over(n);
  const arrays = [allocate(from, n), allocate(from, n), allocate(to, n)] as const;
  arrays[0].set(pairs.map(([a]) => a));
  arrays[1].set(pairs.map(([, b]) => b));
  runKernel(
    kernel([x, y, out], loop('vector', i, store(out, index(i), f(load(x, index(i)), load(y, index(i)))))),
    arrays,
  );
  return Array.from(arrays[2]);
}

/** Every pair of edge values of a dtype. */
const pairsOf = (dtype: DType): readonly (readonly [number, number])[] =>
  edges[dtype].flatMap((x) => edges[dtype].map((y) => [x, y] as const));

const tensorOf = (dtype: DType, data: readonly number[]): Tensor<DType> =>
  toTensor(hostTensor([data.length], dtype, data)) as Tensor<DType>;

type AnyFn = (...args: never[]) => Tensor<DType>;

/** What the reference device gives. */
const reference = (of: AnyFn, ...args: readonly Tensor<DType>[]): readonly number[] =>
  Array.from((of as (...args: readonly unknown[]) => Tensor<DType>)(...args).dataSync());

const binary: { readonly [F in Fn]?: readonly [AnyFn, readonly DType[]] } = {
  add: [lax.add, ['uint32', 'int32', 'float32', 'float64']],
  sub: [lax.sub, ['uint32', 'int32', 'float32', 'float64']],
  mul: [lax.mul, ['uint32', 'int32', 'float32', 'float64']],
  div: [lax.div, ['uint32', 'int32', 'float32', 'float64']],
  rem: [lax.rem, ['uint32', 'int32', 'float32', 'float64']],
  min: [lax.min, ['uint32', 'int32', 'float32', 'float64']],
  max: [lax.max, ['uint32', 'int32', 'float32', 'float64']],
  and: [lax.bitwiseAnd, ['bool', 'uint32', 'int32']],
  or: [lax.bitwiseOr, ['bool', 'uint32', 'int32']],
  xor: [lax.bitwiseXor, ['bool', 'uint32', 'int32']],
  shift_left: [lax.shiftLeft, ['uint32', 'int32']],
  shift_right_logical: [lax.shiftRightLogical, ['uint32', 'int32']],
  shift_right_arithmetic: [lax.shiftRightArithmetic, ['uint32', 'int32']],
  eq: [lax.eq, dtypes],
  ne: [lax.ne, dtypes],
  lt: [lax.lt, dtypes],
  le: [lax.le, dtypes],
  gt: [lax.gt, dtypes],
  ge: [lax.ge, dtypes],
};
const unary: { readonly [F in Fn]?: readonly [AnyFn, readonly DType[]] } = {
  neg: [lax.neg, ['uint32', 'int32', 'float32', 'float64']],
  abs: [lax.abs, ['uint32', 'int32', 'float32', 'float64']],
  sqrt: [lax.sqrt, ['float32', 'float64']],
  floor: [lax.floor, ['float32', 'float64']],
  ceil: [lax.ceil, ['float32', 'float64']],
  nearest: [lax.round, ['float32', 'float64']],
  not: [lax.bitwiseNot, ['bool', 'uint32', 'int32']],
  clz: [lax.clz, ['uint32', 'int32']],
  popcount: [lax.populationCount, ['uint32', 'int32']],
};

describe('operations', () => {
  for (const [fn, [of, on]] of Object.entries(binary)) {
    it(`${fn} is what the reference device says`, () => {
      for (const dtype of on) {
        const pairs = pairsOf(dtype);
        const to = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'].includes(fn) ? 'bool' : dtype;
        const found = elementwise(dtype, to, pairs, (x, y) => apply(fn as Fn, to, x, y));
        const [x, y] = [0, 1].map((k) =>
          tensorOf(
            dtype,
            pairs.map((pair) => pair[k]!),
          ),
        );
        expect(found, dtype).toEqual(reference(of, x!, y!));
      }
    });
  }
  for (const [fn, [of, on]] of Object.entries(unary)) {
    it(`${fn} is what the reference device says`, () => {
      for (const dtype of on) {
        const values = [...edges[dtype], ...(isFloat(dtype) ? [1.5, 2.5, -0.5, -3.5, 0.49999997] : [])];
        const found = elementwise(
          dtype,
          dtype,
          values.map((x) => [x, x]),
          (x) => op(fn as Fn, x),
        );
        expect(found, dtype).toEqual(reference(of, tensorOf(dtype, values)));
      }
    });
  }
  it('convert is what the reference device says', () => {
    for (const from of dtypes) {
      for (const to of dtypes) {
        const found = elementwise(
          from,
          to,
          edges[from].map((x) => [x, x]),
          (x) => convert(x, to),
        );
        const wanted = lax.convertElementType(tensorOf(from, edges[from]), to).dataSync();
        expect(found, `${from} to ${to}`).toEqual(Array.from(wanted));
      }
    }
  });
  it('bitcast is what the reference device says', () => {
    const words = ['uint32', 'int32', 'float32'] as const;
    for (const from of words) {
      for (const to of words) {
        const found = elementwise(
          from,
          to,
          edges[from].map((x) => [x, x]),
          (x) => bitcast(x, to),
        );
        const wanted = lax.bitcastConvertType(tensorOf(from, edges[from]), to).dataSync();
        expect(found, `${from} to ${to}`).toEqual(Array.from(wanted));
      }
    }
  });
  it('trunc, copysign, quotient, remainder', () => {
    const on = (f: (x: Expr, y: Expr) => Expr, ...pairs: readonly (readonly [number, number])[]) =>
      elementwise('float32', 'float32', pairs, f);
    expect(on((x) => op('trunc', x), [1.7, 0], [-1.7, 0], [-0.3, 0], [Infinity, 0])).toEqual([1, -1, -0, Infinity]);
    expect(on((x, y) => op('copysign', x, y), [1, -0], [-2, 3], [0, -1], [-0, -1])).toEqual([-1, 2, -0, -0]);
    const ints = (f: (x: Expr, y: Expr) => Expr) =>
      elementwise(
        'int32',
        'int32',
        [
          [7, 2],
          [6, 3],
          [0, 5],
        ],
        f,
      );
    expect(ints((x, y) => apply('quotient', 'int32', x, y))).toEqual([3, 2, 0]);
    expect(ints((x, y) => apply('remainder', 'int32', x, y))).toEqual([1, 0, 0]);
  });
  it('functions of float64 are those of the host', () => {
    expect(elementwise('float64', 'float64', [[0.3, 2]], (x) => call('log1p', x))).toEqual([Math.log1p(0.3)]);
    expect(elementwise('float64', 'float64', [[0.3, 2]], (x, y) => call('atan2', x, y))).toEqual([Math.atan2(0.3, 2)]);
  });
});

describe('madd', () => {
  const once = (options: RunKernelOptions): number => {
    const [x, out] = [buffer('x', 3), buffer('out', 1)];
    // (1 + 2⁻¹²)² = 1 + 2⁻¹¹ + 2⁻²⁴, of which the last term is lost in a product of float32.
    const arrays = [Float32Array.of(1 + 2 ** -12, 1 + 2 ** -12, -(1 + 2 ** -11)), new Float32Array(1)];
    const value = op('madd', load(x, int(0)), load(x, int(1)), load(x, int(2)));
    runKernel(kernel([x, out], store(out, int(0), value)), arrays, [], options);
    return arrays[1]![0]!;
  };
  it('is rounded twice, or once if asked for', () => {
    expect(once({})).toBe(0);
    expect(once({ fused: true })).toBe(2 ** -24);
  });
  it('rounded once is exact arithmetic and one rounding', () => {
    // Ties and what is beyond 53 bits, worked out by hand.
    expect(fma(1 + 2 ** -23, 1 + 2 ** -23, 0, 'float32')).toBe(1 + 2 ** -22);
    expect(fma(1 + 2 ** -23, 1, 2 ** -24, 'float32')).toBe(1 + 2 ** -22);
    expect(fma(1, 1, 2 ** -24, 'float32')).toBe(1);
    // In double the last term is lost and leaves a tie.
    expect(fma(1 + 2 ** -23, 1, 2 ** -24 - 2 ** -49 - 2 ** -70, 'float32')).toBe(1 + 2 ** -23);
    expect(fma(2 ** 64, 2 ** 63, 2 ** 127, 'float32')).toBe(Number.POSITIVE_INFINITY);
    expect(fma(2 ** -100, 2 ** -49, 2 ** -149, 'float32')).toBe(2 ** -148);
    expect(fma(1 + 2 ** -52, 1 + 2 ** -52, -(1 + 2 ** -51), 'float64')).toBe(2 ** -104);
    expect(fma(1e300, 1e10, Number.NEGATIVE_INFINITY, 'float64')).toBe(Number.NEGATIVE_INFINITY);
    expect(fma(-(2 ** -600), 2 ** -600, 0, 'float64')).toBe(-0);
    expect(fma(2 ** -540, 2 ** -535, 0, 'float64')).toBe(0);
    expect(fma(3 * 2 ** -540, 2 ** -535, 0, 'float64')).toBe(2 ** -1074 * 2);
    expect(fma(-1, 1, 1, 'float32')).toBe(0);
    expect(fma(0, 1, -0, 'float32')).toBe(0);
    expect(fma(-0, 1, -0, 'float32')).toBe(-0);
    expect(fma(0, Number.POSITIVE_INFINITY, 1, 'float64')).toBeNaN();
  });
});

describe('kernels', () => {
  const numbers = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => Math.fround(Math.sin(i) * 3));
  const close = (found: ArrayLike<number>, wanted: readonly number[]): void =>
    wanted.forEach((w, i) => {
      expect(found[i], `element ${i}`).toBeCloseTo(w, 5);
    });

  it('transpose and pad', () => {
    const [x, out] = [numbers(6), new Float32Array(6)];
    runKernel(transpose(2, 3), [x, out]);
    expect(Array.from(out)).toEqual([0, 3, 1, 4, 2, 5].map((k) => x[k]));
    const padded = new Float32Array(15);
    runKernel(pad(3, 2), [x, padded]);
    expect(Array.from(padded)).toEqual([1, 1, 1, 1, 1, 1, x[0], x[1], 1, x[2], x[3], 1, x[4], x[5], 1]);
  });
  it('concatenate', () => {
    const out = new Int32Array(5);
    runKernel(concatenate(2, 3), [Int32Array.of(1, 2), Int32Array.of(3, 4, 5), out]);
    expect(Array.from(out)).toEqual([1, 2, 3, 4, 5]);
  });
  it('dot', () => {
    const [x, y, out] = [numbers(6), numbers(12), new Float32Array(8)];
    runKernel(dot(2, 3, 4), [x, y, out]);
    const wanted = Array.from({ length: 8 }, (_, at) =>
      [0, 1, 2].reduce((sum, k) => sum + x[Math.floor(at / 4) * 3 + k]! * y[k * 4 + (at % 4)]!, 0),
    );
    close(out, wanted);
  });
  it('softmax and layer norm, whatever the order of rows', () => {
    const [m, n] = [5, 7];
    const [x, out] = [numbers(m * n), new Float32Array(m * n)];
    runKernel(softmax(m, n), [x, out], [], { shuffle: 3 });
    const rows = Array.from({ length: m }, (_, i) => Array.from(x.subarray(i * n, (i + 1) * n)));
    const exps = rows.map((row) => row.map(Math.exp));
    close(
      out,
      exps.flatMap((row) => row.map((e) => e / row.reduce((a, b) => a + b))),
    );
    const [scale, shift] = [numbers(n), numbers(n)];
    runKernel(layerNorm(m, n), [x, scale, shift, out]);
    const mean = (row: readonly number[]): number => row.reduce((a, b) => a + b) / n;
    const normal = rows.flatMap((row) => {
      const centred = row.map((a) => a - mean(row));
      const deviation = Math.sqrt(mean(centred.map((a) => a * a)) + 1e-5);
      return centred.map((a, j) => (a / deviation) * scale[j]! + shift[j]!);
    });
    close(out, normal);
  });
  it('take sizes', () => {
    const [x, out] = [
      { ...buffer('x', 0), size: size(0) },
      { ...buffer('out', 0), size: size(0) },
    ];
    const i: Index = { name: 'i', extent: size(0) };
    const general: Kernel = {
      ...kernel([x, out], loop('vector', i, store(out, index(i), op('neg', load(x, index(i)))))),
      sizes: 1,
    };
    const result = new Float32Array(4);
    runKernel(general, [Float32Array.of(1, 2, 3, 4), result], [3]);
    expect(Array.from(result)).toEqual([-1, -2, -3, 0]);
  });
  it('read nothing where a guard is false, whatever the address', () => {
    const [x, out] = [buffer('x', 2), buffer('out', 3)];
    const i = over(3);
    const before = minus(index(i), int(1));
    const value = load(x, quotient(before, int(2)), within(before, 0, 2));
    const result = new Float32Array(3).fill(9);
    runKernel(kernel([x, out], loop('parallel', i, store(out, index(i), value))), [Float32Array.of(5, 6), result]);
    expect(Array.from(result)).toEqual([0, 5, 5]);
  });
});

describe('what is refused', () => {
  const [x, out] = [buffer('x', 4), buffer('out', 4)];
  const row: Buffer = { ...buffer('row', 4), kind: 'scratch' };
  const i = over(3);
  const at = index(i);
  const zero = constant(0, 'float32');
  const acc: Local = { name: 'acc', dtype: 'float32' };
  const running =
    (...body: readonly Stmt[]) =>
    () =>
      runKernel({ ...kernel([x, out], ...body), scratch: [row] }, [new Float32Array(4), new Float32Array(4)]);

  it('accesses out of range', () => {
    const twice = apply('mul', 'int32', at, int(2));
    expect(running(loop('serial', i, store(out, at, load(x, plus(twice, int(1))))))).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: load of x[5] is out of range: x holds 4 elements]`,
    );
    expect(running(loop('serial', i, store(out, minus(at, int(1)), zero)))).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: store to out[-1] is out of range: out holds 4 elements]`,
    );
  });
  it('scratch that holds nothing, or what another turn stored', () => {
    expect(running(store(out, int(0), load(row, int(0))))).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: load of row[0], to which this turn has stored nothing]`,
    );
    const first: Stmt = { kind: 'if', condition: compare('eq', at, int(0)), body: [store(row, int(0), zero)] };
    expect(running(loop('parallel', i, first, store(out, at, load(row, int(0)))))).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: load of row[0], to which this turn has stored nothing]`,
    );
    expect(running(loop('serial', i, first, store(out, at, load(row, int(0)))))).not.toThrow();
  });
  it('turns that meet', () => {
    expect(running(loop('parallel', i, store(out, quotient(at, int(2)), zero)))).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: store to out[0], to which a concurrent turn stores]`,
    );
    expect(running(loop('vector', i, store(out, plus(at, int(1)), load(out, at))))).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: load of out[1], to which a concurrent turn stores]`,
    );
    expect(
      running(loop('parallel', i, store(out, at, load(out, plus(at, int(1)))))),
    ).toThrowErrorMatchingInlineSnapshot(`[CheckError: k: store to out[1], which a concurrent turn loads]`);
    expect(
      running(
        loop('parallel', i, store(out, at, load(out, at))),
        loop('parallel', i, store(out, plus(at, int(1)), load(out, at))),
      ),
    ).toThrowErrorMatchingInlineSnapshot(`[CheckError: k: load of out[1], to which a concurrent turn stores]`);
    // Two loops, one after the other.
    expect(
      running(
        loop('parallel', i, store(out, at, zero)),
        loop('parallel', i, store(x, at, load(out, minus(int(2), at)))),
      ),
    ).not.toThrow();
  });
  it('operands that share memory, where turns meet in it', () => {
    const shared = new Float32Array(4);
    const inPlace = (from: Expr) => kernel([x, out], loop('vector', i, store(out, at, load(x, from))));
    expect(() => runKernel(inPlace(at), [shared, shared])).not.toThrow();
    expect(() => runKernel(inPlace(plus(at, int(1))), [shared, shared])).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: store to out[1], which a concurrent turn loads]`,
    );
  });
  it('operands and sizes that do not fit', () => {
    const copy = kernel([x, out], loop('vector', i, store(out, at, load(x, at))));
    expect(() => runKernel(copy, [new Float32Array(4)])).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: takes 2 operands, got 1]`,
    );
    expect(() => runKernel(copy, [new Float32Array(3), new Float32Array(4)])).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: x holds 4 elements of float32, got Float32Array of 3]`,
    );
    expect(() => runKernel(copy, [new Float64Array(4), new Float32Array(4)])).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: x holds 4 elements of float32, got Float64Array of 4]`,
    );
    expect(() => runKernel(copy, [new Float32Array(4), new Float32Array(4)], [1])).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: takes 0 sizes, got 1]`,
    );
  });
  it('nothing of select: both sides are computed', () => {
    const value = select(compare('lt', at, int(2)), load(x, at), load(x, plus(at, int(3))));
    const local: Stmt = { kind: 'local', local: acc, value };
    expect(running(loop('serial', i, local, store(out, at, read(acc))))).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: load of x[4] is out of range: x holds 4 elements]`,
    );
  });
});
