/** Random kernels of the Loop IR, of known sizes and of any, beside the program that says what kernels mean. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generalized } from '../../backends/loop/generalize.ts';
import { runKernel } from '../../backends/loop/interpret.ts';
import { kernels } from '../../laws/arbitrary/kernel.ts';
import { compile } from './harness.ts';

const runs = Number(process.env['LAWS'] ?? 100);

describe('random kernels', () => {
  it('compute what they mean', () => {
    fc.assert(
      fc.property(kernels(), ({ kernel, operands }) => {
        const expected = operands();
        runKernel(kernel, expected);
        expect(compile(kernel).run(operands())).toEqual(expected);
      }),
      { numRuns: runs },
    );
  });

  it('compute the same with their sizes as parameters', () => {
    fc.assert(
      fc.property(kernels(), ({ kernel, operands }) => {
        const { kernel: general, sizes } = generalized(kernel);
        const expected = operands();
        runKernel(kernel, expected);
        expect(compile(general).run(operands(), sizes)).toEqual(expected);
      }),
      { numRuns: runs },
    );
  });
});
