/** Kernels drawn at random, in every dtype and with every operation: compiled code computes what the interpreter of the Loop IR does. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generalized } from '../../backends/loop/generalize.ts';
import { runKernel } from '../../backends/loop/interpret.ts';
import { kernels } from '../../laws/arbitrary/kernel.ts';
import { compile } from './harness.ts';

const runs = Number(process.env['LAWS'] ?? 100);

describe('compiled kernels are what the interpreter says', () => {
  for (const relaxed of [false, true]) {
    it(relaxed ? 'with relaxed SIMD' : 'without relaxed SIMD', () => {
      fc.assert(
        fc.property(kernels(), ({ kernel, operands }) => {
          const wanted = operands();
          runKernel(kernel, wanted);
          expect(compile(kernel, relaxed).run(operands())).toEqual(wanted);
        }),
        { numRuns: runs },
      );
    });
  }

  it('compiled for all sizes', () => {
    fc.assert(
      fc.property(kernels(), ({ kernel, operands }) => {
        const wanted = operands();
        runKernel(kernel, wanted);
        const { kernel: general, sizes } = generalized(kernel);
        expect(compile(general).run(operands(), sizes)).toEqual(wanted);
      }),
      { numRuns: runs },
    );
  });
});
