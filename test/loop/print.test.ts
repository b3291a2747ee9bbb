/** Kernels as people read them. */

import { describe, expect, it } from 'vitest';
import { generalized } from '../../backends/loop/generalize.ts';
import {
  type Buffer,
  constant,
  convert,
  type Expr,
  type Index,
  index,
  int,
  load,
  op,
  select,
} from '../../backends/loop/ir/expr.ts';
import { kernelKey } from '../../backends/loop/key.ts';
import { printKernel, showExpr } from '../../backends/loop/print.ts';
import { dot, elementwise, fullSum, layerNorm, pad, samples, softmax, sumRows } from './samples.ts';

describe('printKernel', () => {
  it('rows: softmax, with what is shared named', () => {
    expect(printKernel(softmax())).toMatchInlineSnapshot(`
      "kernel softmax(x: f32[200], out: f32[200]) scratch row: f32[50]
      parallel i < 4
        local m: f32 = -Inf
        vector j < 50
          m max= x[i * 50 + j]
        local s: f32 = 0.0
        vector j < 50
          t0 = x[i * 50 + j] - m
          t1 = max(nearest(t0 * 1.442695), -126.0)
          t2 = madd(t1, 0.00021219444, madd(t1, -0.6933594, t0))
          local e: f32 = madd(madd(madd(madd(madd(madd(0.0013888889, t2, 0.008333334), t2, 0.041666668), t2, 0.16666667), t2, 0.5), t2, 1.0), t2, 1.0) * bits_f32(i32(t1) + 127 << 23)
          row[j] = e
          s += e
        vector j < 50
          out[i * 50 + j] = row[j] / s"
    `);
  });
  it('layer norm', () => {
    expect(printKernel(layerNorm())).toMatchInlineSnapshot(`
      "kernel layer_norm(x: f32[192], scale: f32[48], shift: f32[48], out: f32[192])
      parallel i < 4
        local s: f32 = 0.0
        vector j < 48
          s += x[i * 48 + j]
        local mean: f32 = s * 0.020833334
        local q: f32 = 0.0
        vector j < 48
          t0 = x[i * 48 + j] - mean
          q += t0 * t0
        local f: f32 = 1.0 / sqrt(q * 0.020833334 + 0.00001)
        vector j < 48
          out[i * 48 + j] = madd((x[i * 48 + j] - mean) * f, scale[j], shift[j])"
    `);
  });
  it('several dtypes, guards, two sums', () => {
    expect(printKernel(elementwise())).toMatchInlineSnapshot(`
      "kernel elementwise(x: f32[60], scale: f32[10], mask: bool[60], out: f32[60])
      parallel i < 6
        vector j < 10
          out[i * 10 + j] = mask[i * 10 + j] ? max(x[i * 10 + j] * scale[j] + 0.1, 0.0) : -0.0"
    `);
    expect(printKernel(pad())).toMatchInlineSnapshot(`
      "kernel pad(x: f32[15], out: f32[30])
      parallel i < 5
        vector j < 6
          t0 = i - 2 >= 0 & j < 5
          out[i * 6 + j] = t0 ? x[i * 5 + j - 10 if t0] : 1.0"
    `);
    expect(printKernel(fullSum())).toMatchInlineSnapshot(`
      "kernel full_sum(x: f32[1000], out: f32[1], count: i32[1])
      local s: f32 = 0.0
      vector i < 1000
        s += x[i] * x[i]
      local c: i32 = 0
      vector i < 1000
        c += i32(i < 999)
      out[0] = s
      count[0] = c + 1"
    `);
  });
  it('numbers names that are used twice', () => {
    const x: Buffer = { name: 'x', dtype: 'int32', kind: 'operand', size: int(4) };
    const other: Buffer = { ...x };
    const [i, j]: readonly [Index, Index] = [
      { name: 'i', extent: int(2) },
      { name: 'i', extent: int(2) },
    ];
    const at = op('add', op('mul', index(i), int(2)), index(j));
    const text = printKernel({
      name: 'copy',
      operands: [x, other],
      scratch: [],
      sizes: 0,
      body: [
        {
          kind: 'loop',
          index: i,
          role: 'parallel',
          body: [
            {
              kind: 'loop',
              index: j,
              role: 'vector',
              body: [{ kind: 'store', buffer: other, at, value: load(x, at) }],
            },
          ],
        },
      ],
    });
    expect(text).toMatchInlineSnapshot(`
      "kernel copy(x: i32[4], x_1: i32[4])
      parallel i < 2
        vector i_1 < 2
          x_1[i * 2 + i_1] = x[i * 2 + i_1]"
    `);
  });
  it('parenthesizes what binds less tightly, and writes numbers as their dtype has them', () => {
    const [f, i] = [(x: number): Expr => constant(Math.fround(x), 'float32'), index({ name: 'i', extent: int(4) })];
    const sub = op('sub', f(0.1), op('sub', f(-0), f(Infinity)));
    expect(showExpr(sub)).toBe('0.1 - (-0.0 - Inf)');
    expect(showExpr(op('mul', op('add', f(1), f(1e-45)), f(3.4028234663852886e38)))).toBe(
      '(1.0 + 1e-45) * 3.4028235e+38',
    );
    expect(showExpr(op('neg', op('abs', f(16777217))))).toBe('-abs(16777216.0)');
    const condition = op('not', constant(1, 'bool'));
    expect(showExpr(select(condition, i, op('min', i, int(-3))))).toBe('!true ? i : min(i, -3)');
    expect(showExpr(op('add', i, int(-3)))).toBe('i - 3');
    expect(showExpr(op('shift_left', convert(i, 'uint32'), constant(3, 'uint32')))).toBe('u32(i) << 3u');
  });
  it('sizes', () => {
    expect(printKernel(generalized(sumRows()).kernel)).toMatchInlineSnapshot(`
      "kernel sum_rows<$0, $1, $2, $3, $4>(x: f32[$0], out: f32[$1])
      parallel i < $2
        local s: f32 = 0.0
        vector j < $3
          s += x[i * $4 + j]
        out[i] = s"
    `);
  });
});

describe('kernelKey', () => {
  const keys = (sizes: readonly (readonly number[])[], make: (...sizes: number[]) => Parameters<typeof kernelKey>[0]) =>
    new Set(sizes.map((s) => kernelKey(generalized(make(...s)).kernel))).size;

  it('is one for kernels that differ in sizes only, also where two sizes are equal', () => {
    const two = [
      [3, 4],
      [4, 3],
      [5, 5],
      [1000, 2],
    ] as const;
    expect(keys(two, elementwise)).toBe(1);
    expect(keys(two, pad)).toBe(1);
    expect(keys(two, sumRows)).toBe(1);
    expect(keys(two, softmax)).toBe(1);
    expect(
      keys(
        [
          [3, 4, 5],
          [4, 4, 4],
          [7, 3, 7],
        ],
        dot,
      ),
    ).toBe(1);
    expect(
      keys(
        Array.from({ length: 99 }, (_, n) => [n + 3]),
        fullSum,
      ),
    ).toBe(1);
  });
  it('differs between the samples, and with a size', () => {
    expect(new Set(Object.values(samples).map((sample) => kernelKey(sample()))).size).toBe(10);
    expect(kernelKey(dot(2, 3, 4))).not.toBe(kernelKey(dot(2, 3, 5)));
    expect(kernelKey(dot(2, 3, 4))).toBe(kernelKey(dot(2, 3, 4)));
  });
});
