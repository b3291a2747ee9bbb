/** Vector loops moved into serial ones: the same kernel to the program that says what kernels mean. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkKernel } from '../../backends/loop/check.ts';
import { generalized } from '../../backends/loop/generalize.ts';
import { runKernel } from '../../backends/loop/interpret.ts';
import {
  type Buffer,
  constant,
  type Expr,
  index,
  int,
  type Local,
  load,
  op,
  read,
  size,
} from '../../backends/loop/ir/expr.ts';
import { plus, times } from '../../backends/loop/ir/integer.ts';
import type { Kernel } from '../../backends/loop/ir/kernel.ts';
import { rowwise } from '../../backends/wasm/emit/rows.ts';
import { kernels } from '../../laws/arbitrary/kernel.ts';
import { compile } from './harness.ts';

const runs = Number(process.env['LAWS'] ?? 100);
const always = { fewest: 1, most: 64, large: 1, far: 0 };

/** Mean and the sum of what is above it, of each column. */
function columns(rows: Expr, width: Expr, length: number): Kernel {
  const x: Buffer = { name: 'x', dtype: 'float32', kind: 'operand', size: int(length) };
  const out: Buffer = { name: 'out', dtype: 'float32', kind: 'operand', size: width };
  const [j, i, k] = [
    { name: 'j', extent: width },
    { name: 'i', extent: rows },
    { name: 'k', extent: rows },
  ];
  const [sum, above] = [
    { name: 'sum', dtype: 'float32' },
    { name: 'above', dtype: 'float32' },
  ] as const satisfies readonly Local[];
  const at = (of: typeof i): Expr => load(x, plus(times(index(of), width), index(j)));
  return {
    name: 'f',
    operands: [x, out],
    scratch: [],
    sizes: 2,
    body: [
      {
        kind: 'loop',
        index: j,
        role: 'vector',
        body: [
          { kind: 'local', local: sum, value: constant(0, 'float32') },
          {
            kind: 'loop',
            index: i,
            role: 'serial',
            body: [{ kind: 'accumulate', local: sum, combiner: 'add', value: at(i) }],
          },
          { kind: 'local', local: above, value: constant(0, 'float32') },
          {
            kind: 'loop',
            index: k,
            role: 'serial',
            body: [
              {
                kind: 'accumulate',
                local: above,
                combiner: 'add',
                value: op('max', op('sub', at(k), read(sum)), constant(0, 'float32')),
              },
            ],
          },
          { kind: 'store', buffer: out, at: index(j), value: read(above) },
        ],
      },
    ],
  };
}

describe('row by row', () => {
  it('is the same kernel', () => {
    let moved = 0;
    fc.assert(
      fc.property(kernels(), fc.boolean(), ({ kernel, operands }, free) => {
        const { kernel: given, sizes } = free ? generalized(kernel) : { kernel, sizes: [] };
        const rows = rowwise(given, always);
        if (rows === given) return;
        moved++;
        checkKernel(rows);
        const [expected, actual] = [operands(), operands()];
        runKernel(given, expected, sizes);
        runKernel(rows, actual, sizes);
        expect(actual).toEqual(expected);
        expect(compile(rows).run(operands(), sizes)).toEqual(expected);
      }),
      { numRuns: 4 * runs },
    );
    expect(moved).toBeGreaterThan(10);
  });

  it.each([
    [16, 512],
    [40, 1030],
    [3, 20],
    [300, 64],
  ])('sums %i rows of %i columns as it would column by column', (rows, width) => {
    const x = Float32Array.from({ length: rows * width }, (_, n) => ((n * 37) % 101) - 50);
    const expected = Float32Array.from({ length: width }, (_, j) => {
      const column = Array.from({ length: rows }, (_, i) => x[i * width + j]!);
      const sum = column.reduce((a, b) => a + b);
      return column.reduce((a, b) => a + Math.max(b - sum, 0), 0);
    });
    const sized = columns(int(rows), int(width), x.length);
    expect(compile(sized).run([x, new Float32Array(width)], [0, 0])[1]).toEqual(expected);
    const free = columns(size(0), size(1), x.length);
    expect(compile(free).run([x, new Float32Array(width)], [rows, width])[1]).toEqual(expected);
  });

  it('is for large matrices with long rows', () => {
    const turned = (rows: number, width: number): boolean => {
      const kernel = columns(int(rows), int(width), rows * width);
      return rowwise(kernel) !== kernel;
    };
    expect(turned(16, 512)).toBe(true);
    expect(turned(40, 1030)).toBe(true);
    for (const [rows, width] of [
      [3, 20],
      [3000, 64],
      [8, 1 << 16],
      [2, 600],
    ] as const) {
      expect(turned(rows, width)).toBe(false);
    }
  });
});
