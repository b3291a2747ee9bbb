import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPartitioned } from '../../backends/wasm/emit/kernel.ts';
import type { TypedArray } from '../../src/core/dtype.ts';
import { evaluate } from './evaluator.ts';
import { compile } from './harness.ts';
import { programs } from './programs.ts';

const runs = Number(process.env['LAWS'] ?? 300);

describe('kernels', () => {
  it('compute what their statements say', () => {
    fc.assert(
      fc.property(programs, ({ kernel, arrays, sizes }) => {
        const expected = arrays.map((x) => x.slice()) as TypedArray[];
        evaluate(kernel, expected, sizes);
        expect(compile(kernel).run(arrays, sizes)).toEqual(expected);
      }),
      { numRuns: runs, seed: 6 },
    );
  });

  it('have the same bits in pieces, whether or not products and sums are fused', () => {
    fc.assert(
      fc.property(
        programs.filter(({ kernel, rows }) => isPartitioned(kernel) && rows > 1),
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
