/** Properties of kernels that were drawn at random: what holds of one holds however it is named, sized and ordered. */

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkKernel } from '../../backends/loop/check.ts';
import { generalized } from '../../backends/loop/generalize.ts';
import { runKernel } from '../../backends/loop/interpret.ts';
import type { Kernel } from '../../backends/loop/ir/kernel.ts';
import { kernelKey } from '../../backends/loop/key.ts';
import { kernels } from '../../laws/arbitrary/kernel.ts';
import { renamed } from './rename.ts';

const runs = Number(process.env['LAWS'] ?? 100);

describe('random kernels', () => {
  it('are kernels', () => {
    fc.assert(
      fc.property(kernels({ exact: false }), ({ kernel }) => checkKernel(kernel)),
      { numRuns: runs },
    );
  });

  it('do not depend on the order of parallel turns', () => {
    fc.assert(
      fc.property(kernels(), fc.integer(), ({ kernel, operands }, seed) => {
        const [ascending, shuffled] = [operands(), operands()];
        runKernel(kernel, ascending);
        runKernel(kernel, shuffled, [], { shuffle: seed });
        expect(shuffled).toEqual(ascending);
      }),
      { numRuns: runs },
    );
  });

  it('run the same with their sizes as parameters, and are kernels then', () => {
    fc.assert(
      fc.property(kernels(), ({ kernel, operands }) => {
        const { kernel: general, sizes } = generalized(kernel);
        checkKernel(general);
        const [fixed, free] = [operands(), operands()];
        runKernel(kernel, fixed);
        runKernel(general, free, sizes);
        expect(free).toEqual(fixed);
      }),
      { numRuns: runs },
    );
  });

  it('have one key under all names, also when their sums are built in another order', () => {
    fc.assert(
      fc.property(kernels({ exact: false }), ({ kernel }) => {
        const other = renamed(kernel);
        expect(kernelKey(other)).toBe(kernelKey(kernel));
        expect(kernelKey(generalized(other).kernel)).toBe(kernelKey(generalized(kernel).kernel));
      }),
      { numRuns: runs },
    );
  });

  it('that share a key but for their sizes run each other', () => {
    const first = new Map<string, Kernel>();
    let shared = 0;
    fc.assert(
      fc.property(kernels(), ({ kernel, operands }) => {
        const { kernel: general, sizes } = generalized(kernel);
        const key = kernelKey(general);
        const compiled = first.get(key);
        if (!compiled) {
          first.set(key, general);
          return;
        }
        shared++;
        const [own, others] = [operands(), operands()];
        runKernel(kernel, own);
        runKernel(compiled, others, sizes);
        expect(others).toEqual(own);
      }),
      { numRuns: 3 * runs },
    );
    expect(shared).toBeGreaterThan(0);
  });
});
