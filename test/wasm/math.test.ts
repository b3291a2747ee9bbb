/** Elementary functions in WebAssembly, four elements at a time: the bits of `test/loop/compiled.ts`, with and without relaxed SIMD. */

import { expect, test } from 'vitest';
import { type Buffer, type Expr, index, int, load } from '../../backends/loop/ir/expr.ts';
import type { Kernel } from '../../backends/loop/ir/kernel.ts';
import { math } from '../../backends/loop/math/index.ts';
import { type Row, rows, sample } from '../loop/accuracy.ts';
import { compiled } from '../loop/compiled.ts';
import { compile } from './harness.ts';

const arity = (name: string): number => (name === 'clamp' ? 3 : ['pow', 'rem', 'atan2'].includes(name) ? 2 : 1);
const params = { exponent: -7 };

test.each(Object.keys(math))('%s', (name) => {
  const { near }: Pick<Row, 'near'> = Object.entries(rows).find(([key]) => key === name)?.[1] ?? { near: [] };
  const xs = sample(1, 4, near, 200);
  const { length } = xs;
  const columns = Array.from({ length: arity(name) }, (_, j) =>
    Float32Array.from(xs, (__, i) => xs[(i * (2 * j + 1) + 77 * j) % length]!),
  );
  const f = (...args: Expr[]): Expr => math[name]!(args, params);

  const buffer = (name: string, dtype: Buffer['dtype']): Buffer => ({
    name,
    dtype,
    kind: 'operand',
    size: int(length),
  });
  const inputs = columns.map((_, j) => buffer(`x${j}`, 'float32'));
  const at = { name: 'i', extent: int(length) };
  const value = f(...inputs.map((x) => load(x, index(at))));
  const out = buffer('y', value.dtype);
  const kernel: Kernel = {
    name: 'kernel',
    operands: [...inputs, out],
    scratch: [],
    sizes: 0,
    body: [{ kind: 'loop', index: at, role: 'vector', body: [{ kind: 'store', buffer: out, at: index(at), value }] }],
  };
  const blank = value.dtype === 'bool' ? new Uint8Array(length) : new Float32Array(length);
  const wanted = (['once', 'twice'] as const).map((rounding) => {
    const want = new Float64Array(length);
    compiled(
      columns.map(() => 'float32'),
      f,
      rounding,
    )(columns, want, length);
    return [...want];
  });
  expect([
    ...compile(kernel)
      .run([...columns, blank])
      .at(-1)!,
  ]).toEqual(wanted[1]);
  // Relaxed SIMD fuses where the machine can.
  expect(wanted).toContainEqual([
    ...compile(kernel, true)
      .run([...columns, blank])
      .at(-1)!,
  ]);
});
