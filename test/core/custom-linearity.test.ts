/** Rules of `customJvp` must be linear in their tangents: which are refused, where, and in which words. */

import {
  checkpoint,
  customJvp,
  grad,
  jit,
  jvp,
  linearize,
  NotDifferentiableError,
  np,
  scan,
  type Tensor,
  vmap,
} from 'pullback';
import { describe, expect, test } from 'vitest';
import { message } from '../errors/message.ts';

describe('a rule of customJvp that is not linear in its tangents', () => {
  const withRule = (rule: (x: Tensor, t: Tensor) => Tensor): ((x: Tensor) => Tensor) =>
    customJvp(
      function wave(x: Tensor): Tensor {
        return np.sin(x);
      },
      ([x], [t]) => [np.sin(x), rule(x, t)] as const,
    );
  const refused: readonly (readonly [string, (x: Tensor, t: Tensor) => Tensor, RegExp])[] = [
    ['a bound', (_, t) => np.minimum(t, 1), /^min: is not linear/],
    ['a magnitude', (_, t) => np.abs(t), /^abs: is not linear/],
    ['a branch', (x, t) => np.where(np.greater(t, 0), np.mul(x, t), 0), /^select: is not linear in bool/],
    [
      'inside of a call',
      (x, t) => jit((v: Tensor, s: Tensor) => np.mul(np.sin(v), np.mul(s, s)))(x, t),
      /^mul: is not/,
    ],
    ['a step', (x, t) => scan((c: Tensor) => [np.mul(c, t), null], np.mul(x, t), null, { length: 2 })[0], /not linear/],
    [
      'without the tangent',
      (x) => np.cos(x),
      /^customJvp\(wave\): its rule returns a tangent that depends on the primals alone/,
    ],
  ];
  test.each(refused)('%s', (_, rule, words) => {
    const f = withRule(rule);
    for (const derivative of [
      () => grad(f)(1),
      () => jit(grad(f))(np.array(1)),
      () => linearize(f, [np.array(1)]),
      () => grad((x: Tensor) => np.sum(vmap(f)(x)))(np.ones([2])),
    ]) {
      expect(derivative).toThrow(NotDifferentiableError);
      expect(derivative).toThrow(words);
    }
    // For one tangent there is nothing to compare it with.
    expect(Number.isFinite(jvp(f, [np.array(1)], [np.array(1)])[1].item())).toBe(true);
  });

  test('the message names the equation, its line and the function', () => {
    const f = withRule((x, t) => np.mul(x, np.mul(t, t)));
    expect(message(() => grad(f)(1))).toMatchInlineSnapshot(`
      "
      NotDifferentiableError: mul: is not linear in float32[] together with its other operands
        remedy: transpose only functions that are linear in all their arguments together
        at test/core/custom-linearity.test.ts:LINE
        while transposing mul from test/core/custom-linearity.test.ts:LINE
        while linearizing customJvp(wave), whose rule must be linear in the tangents: compute nothing but sums of them, and products with primals
      "
    `);
  });

  test('what only looks so: products with primals, loops and calls that carry both', () => {
    const power = (v: Tensor): Tensor => scan((c: Tensor) => [np.sin(np.mul(c, c)), null], v, null, { length: 3 })[0];
    for (const g of [power, jit((v: Tensor) => np.sin(np.mul(v, v))), checkpoint(power)]) {
      const f = withRule((x, t) => jvp(g, [x], [t])[1]);
      expect(grad(f)(1).item()).toBeCloseTo(grad(g)(1).item());
    }
    const signed = withRule((x, t) => np.where(np.greater(x, 0), np.mul(t, x), np.neg(t)));
    expect(grad(signed)(3).item()).toBe(3);
    expect(grad(signed)(-3).item()).toBe(-1);
    expect(grad(withRule((x) => np.zeros(x.shape)))(1).item()).toBe(0);
  });
});
