/** A long sum in two kernels does what it does in one, to the bit, whatever the order of its blocks (`backends/loop/nest/apart.ts`). */

import * as fc from 'fast-check';
import { evalShape, jit, np, random, type Tensor, tree, wasmDevice, withDefaultDevice } from 'pullback';
import { describe, expect, it } from 'vitest';
import { loopMachine } from './machine.ts';

const sums: Readonly<Record<string, (x: Tensor, y: Tensor) => unknown>> = {
  sum: (x) => np.sum(x),
  'a sum of products along one axis': (x, y) => np.sum(np.mul(x, y)),
  'several sums, which depend on each other': (x, y) => [np.mean(x), np.var(x), np.sum(np.mul(x, y))],
  extrema: (x) => [np.max(x), np.min(np.abs(x))],
  'what is done with a sum': (x) => np.div(np.exp(x), np.sum(np.exp(x))),
  booleans: (x) => [np.any(np.greater(x, 3)), np.all(np.less(x, 4))],
};

const bits = (x: unknown): readonly Uint8Array[] =>
  tree.leaves(x as Tensor).map((y) => {
    const { buffer, byteOffset, byteLength } = y.dataSync();
    return new Uint8Array(buffer, byteOffset, byteLength);
  });

describe('a long sum in two kernels', () => {
  const [whole, parts] = [loopMachine({ apart: false }), loopMachine()];
  // From a few blocks to some, with all that is left over.
  const shape = fc.tuple(fc.integer({ min: 3, max: 25 }), fc.integer({ min: 1500, max: 3000 }));
  it.each(Object.entries(sums))('%s', { timeout: 60_000 }, (_, f) => {
    fc.assert(
      fc.property(shape, fc.boolean(), ([rows, columns], flat) => {
        const of = flat ? [rows * columns] : [rows, columns];
        const x = random.normal(random.key(rows), of);
        const y = random.normal(random.key(columns), flat ? [] : [columns]);
        const run = jit(f as (x: Tensor, y: Tensor) => Tensor);
        expect(withDefaultDevice(parts, () => bits(run(x, y)))).toEqual(
          withDefaultDevice(whole, () => bits(run(x, y))),
        );
      }),
      { numRuns: 4 },
    );
  });

  it('is two kernels where it is long', () => {
    const kernels = (n: number): number => {
      const x = evalShape(() => np.zeros([n]));
      return withDefaultDevice(
        wasmDevice(),
        () =>
          jit((v: Tensor) => np.sum(np.exp(v)))
            .lower(x)
            .compile()
            .cost().kernels,
      );
    };
    expect([8_000, 100_000].map(kernels)).toEqual([1, 2]);
  });
});
