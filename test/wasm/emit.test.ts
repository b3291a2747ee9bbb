import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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
import { plus, remainder } from '../../backends/loop/ir/integer.ts';
import type { Combiner, Kernel } from '../../backends/loop/ir/kernel.ts';
import { visitExpressions } from '../../backends/wasm/emit/depends.ts';
import { partitionOf } from '../../backends/wasm/emit/kernel.ts';
import type { TypedArray } from '../../src/core/dtype.ts';
import { evaluate } from './evaluator.ts';
import { compile } from './harness.ts';
import { programs } from './programs.ts';

const runs = Number(process.env['LAWS'] ?? 150);

/** Has it products and sums whose rounding the machine chooses? */
function fuses({ body }: Kernel): boolean {
  let found = false;
  visitExpressions(body, (x) => {
    if (x.op === 'apply' && x.fn === 'madd') found = true;
  });
  return found;
}

describe('kernels', () => {
  it('compute what their statements say', () => {
    fc.assert(
      fc.property(programs, ({ kernel, arrays, sizes }) => {
        const expected = arrays.map((x) => x.slice()) as TypedArray[];
        evaluate(kernel, expected, sizes);
        expect(compile(kernel).run(arrays, sizes)).toEqual(expected);
        if (!fuses(kernel)) expect(compile(kernel, true).run(arrays, sizes)).toEqual(expected);
      }),
      { numRuns: runs, seed: 6 },
    );
  });

  it('have the same bits in pieces, whether or not products and sums are fused', () => {
    fc.assert(
      fc.property(
        programs.filter(({ kernel, rows }) => partitionOf(kernel) !== null && rows > 1),
        fc.boolean(),
        fc.nat(100),
        ({ kernel, arrays, sizes, rows }, relaxed, at) => {
          const inexact = arrays.map((x) => x.map((y) => (x instanceof Float32Array ? y + 1 / 3 : y))) as TypedArray[];
          const compiled = compile(kernel, relaxed);
          const cut = at % (rows + 1);
          const pieces = compiled.run(inexact, sizes, [
            [cut, rows],
            [0, cut],
          ]);
          expect(pieces).toEqual(compiled.run(inexact, sizes));
        },
      ),
      { numRuns: runs, seed: 6 },
    );
  });
});

describe('extrema of a row', () => {
  const special = [0, -0, 1, -1, 1e-45, -1e-45, 3e38, -3e38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const positive = 0x7fc00001;
  const negative = 0xffc00001 | 0;
  /** of x[0 … n), starting from `begin`. */
  const reduction = (combiner: Combiner, begin: number, extent: number | null): Kernel => {
    const length = extent === null ? size(0) : int(extent);
    const x: Buffer = { name: 'x', dtype: 'float32', kind: 'operand', size: length };
    const out: Buffer = { name: 'out', dtype: 'float32', kind: 'operand', size: int(1) };
    const most: Local = { name: 'most', dtype: 'float32' };
    const i = { name: 'i', extent: length };
    return {
      name: 'f',
      operands: [x, out],
      scratch: [],
      sizes: 1,
      body: [
        { kind: 'local', local: most, value: constant(begin, 'float32') },
        {
          kind: 'loop',
          index: i,
          role: 'vector',
          body: [{ kind: 'accumulate', local: most, combiner, value: load(x, index(i)) }],
        },
        { kind: 'store', buffer: out, at: int(0), value: read(most) },
      ],
    };
  };

  it.each(['min', 'max'] as const)('%s tells zeros apart and hands NaN of both signs on', (combiner) => {
    const begin = combiner === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    const unsized = compile(reduction(combiner, begin, null));
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constantFrom(...special), fc.float()), { maxLength: 70 }),
        fc.constantFrom(null, null, positive, negative),
        fc.nat(),
        fc.subarray([1, -1]),
        (values, nan, at, signs) => {
          const kept = signs.length === 1 ? values.map((x) => signs[0]! * Math.abs(x)) : values;
          const x = Float32Array.from(kept, (y) => (Number.isNaN(y) ? 1 : y));
          if (nan !== null && x.length > 0) new Int32Array(x.buffer)[at % x.length] = nan;
          const expected = combiner === 'min' ? Math.min(...x) : Math.max(...x);
          expect(unsized.run([x, new Float32Array(1)], [x.length])[1]![0]).toBe(expected);
          const sized = compile(reduction(combiner, begin, x.length));
          expect(sized.run([x, new Float32Array(1)], [0])[1]![0]).toBe(expected);
        },
      ),
      { numRuns: runs, seed: 6 },
    );
  });
});

describe('serial loops', () => {
  const x: Buffer = { name: 'x', dtype: 'float32', kind: 'operand', size: int(64) };
  const out: Buffer = { name: 'out', dtype: 'float32', kind: 'operand', size: int(64) };
  const i = { name: 'i', extent: int(30) };
  const stored = (at: Expr, value: Expr): Kernel => ({
    name: 'f',
    operands: [x, out],
    scratch: [],
    sizes: 0,
    body: [{ kind: 'loop', index: i, role: 'serial', body: [{ kind: 'store', buffer: out, at, value }] }],
  });
  const agrees = (kernel: Kernel): void => {
    const arrays = [
      Float32Array.from({ length: 64 }, (_, k) => k * k - 9),
      Float32Array.from({ length: 64 }, (_, k) => -k),
    ];
    const expected = arrays.map((array) => array.slice());
    evaluate(kernel, expected);
    expect(compile(kernel).run(arrays)).toEqual(expected);
  };

  it('whose turns are independent add to their own elements', () => {
    const own = plus(index(i), int(3));
    agrees(stored(own, op('add', load(out, own), load(x, index(i)))));
  });

  it('hand elements on to later turns', () => {
    agrees(stored(plus(index(i), int(1)), op('add', load(out, index(i)), load(x, index(i)))));
    agrees(stored(index(i), op('add', load(out, plus(index(i), int(2))), load(x, index(i)))));
    agrees(stored(remainder(index(i), int(7)), op('add', load(out, remainder(index(i), int(7))), load(x, index(i)))));
    agrees(stored(int(5), load(x, index(i))));
  });
});
