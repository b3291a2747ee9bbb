/** The decomposition of `select_and_scatter_add` for large windows: a program that does not grow with them, and what it computes. */

import { countEqns, grad, lax, makeJaxpr, np, random, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { type DecomposedName, decomposing } from '../../backends/loop/decompose/index.ts';
import type { ClosedJaxpr } from '../../src/core/jaxpr.ts';

const names: readonly DecomposedName[] = ['select_and_scatter_add'];
const operand = (n: number): Tensor => random.normal(random.key(n), [n, n]);

/** The gradient of the sum of squares of maxima over windows, which is made of the primitive. */
const pooled = (side: number, strides: number, padding: 'SAME' | 'VALID', dilation = 1) =>
  grad((x: Tensor) =>
    np.sum(
      np.square(
        lax.reduceWindow(x, Number.NEGATIVE_INFINITY, lax.max, [side, side], [strides, strides], padding, {
          windowDilation: [dilation, dilation],
        }),
      ),
    ),
  );

describe('large windows', () => {
  it('have programs that do not grow with them', () => {
    const size = (side: number): number =>
      countEqns(
        (makeJaxpr((x: Tensor) => decomposing(names, () => pooled(side, 3, 'VALID')(x)))(operand(48)) as ClosedJaxpr)
          .jaxpr,
      );
    expect(size(36)).toBe(size(12));
    expect(size(36)).toBeLessThan(100);
    // A place after the other, as for small windows, takes an equation or more for each.
    expect(size(8)).toBeGreaterThan(5 * 64);
  });

  it.each([
    [9, 1, 'VALID', 1],
    [9, 2, 'SAME', 1],
    [10, 3, 'SAME', 1],
    [9, 2, 'VALID', 2],
  ] as const)(
    'side %i, strides %i, %s padding, dilation %i: what the primitive computes',
    (side, strides, padding, dilation) => {
      const f = pooled(side, strides, padding, dilation);
      for (const x of [
        operand(20),
        np.round(operand(20)),
        np.where(np.greater(operand(20), 1.5), Number.NaN, operand(20)),
      ]) {
        const [found, wanted] = [decomposing(names, () => f(x as Tensor)), f(x as Tensor)];
        expect(np.allclose(found, wanted, { equalNan: true }).item()).toBe(true);
      }
    },
  );
});
