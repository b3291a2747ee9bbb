/** What functions with rules of their own, and their rules, may close over. */

import {
  customJvp,
  customVjp,
  grad,
  jacfwd,
  jacrev,
  jit,
  jvp,
  linearize,
  NotDifferentiableError,
  np,
  scan,
  stopGradient,
  type Tensor,
  vjp,
  vmap,
} from 'pullback';
import { describe, expect, test } from 'vitest';
import { message } from '../errors/message.ts';

const numbers = (x: unknown): unknown => (x as Tensor).toArray();

describe('what is closed over', () => {
  const scaled = (x: Tensor, y: Tensor): Tensor =>
    customVjp(
      function scale(a: Tensor): Tensor {
        return np.mul(a, y);
      },
      (a) => [np.mul(a, y), null],
      (_, ct) => [np.mul(ct, y)],
    )(x);

  test('staged values are constants; each lane of a batch has its own', () => {
    expect(jit(scaled)(np.array(3), np.array(5)).item()).toBe(15);
    expect(grad(jit(scaled))(np.array(3), np.array(5)).item()).toBe(5);
    expect(jit(grad(scaled))(np.array(3), np.array(5)).item()).toBe(5);
    expect(numbers(vmap(grad(scaled))(np.array([3, 1]), np.array([5, 7])))).toEqual([5, 7]);
    expect(numbers(jit(vmap(grad(scaled)))(np.array([3, 1]), np.array([5, 7])))).toEqual([5, 7]);
  });

  test('a concrete tensor that only the rule of customJvp closes over', () => {
    const weights = np.array([2, 3, 4]);
    const weighted: (x: Tensor) => Tensor = customJvp(
      (x: Tensor) => x,
      ([x], [t]) => [x, np.mul(t, weights)],
    );
    const f = (x: Tensor): Tensor => np.sum(weighted(x));
    const x = np.array([1, 2, 3]);
    const diagonal = [
      [2, 0, 0],
      [0, 3, 0],
      [0, 0, 4],
    ];
    expect(numbers(grad(f)(x))).toEqual([2, 3, 4]);
    expect(numbers(jit(grad(f))(x))).toEqual([2, 3, 4]);
    expect(numbers(grad(jit(f))(x))).toEqual([2, 3, 4]);
    expect(vjp(weighted, [x])[1](np.ones([3])).map(numbers)).toEqual([[2, 3, 4]]);
    expect(numbers(linearize(weighted, [x])[1](np.ones([3])))).toEqual([2, 3, 4]);
    expect(numbers(jvp(weighted, [x], [np.ones([3])])[1])).toEqual([2, 3, 4]);
    for (const jacobian of [jacrev, jacfwd]) expect(numbers(jacobian(weighted)(x))).toEqual(diagonal);
    expect(numbers(vmap(grad(f))(np.ones([2, 3])))).toEqual([
      [2, 3, 4],
      [2, 3, 4],
    ]);
    expect(numbers(grad((rows: Tensor) => np.sum(vmap(weighted)(rows)))(np.ones([2, 3])))).toEqual([
      [2, 3, 4],
      [2, 3, 4],
    ]);
    const twice = (v: Tensor): Tensor => np.sum(scan((c: Tensor) => [weighted(c), null], v, null, { length: 2 })[0]);
    expect(numbers(grad(twice)(x))).toEqual([4, 9, 16]);
    // With an argument that has no derivative in front, and one that is not differentiated behind.
    const scaled = customJvp(
      (_: Tensor, a: Tensor, b: Tensor) => np.mul(a, b),
      (_, [a, b], [da, db]) => [np.mul(a, b), np.mul(weights, np.add(np.mul(da, b), np.mul(a, db)))],
      { nondiffArgnums: [0] },
    );
    const n = np.array(1, { dtype: 'int32' });
    expect(numbers(grad((a: Tensor) => np.sum(scaled(n as never, a, x)))(np.ones([3])))).toEqual([2, 6, 12]);
  });
  test('only a rule closes over a staged value, and calls its function', () => {
    const f = (x: Tensor, y: Tensor): Tensor => {
      const cube: (a: Tensor) => Tensor = customJvp(
        (a: Tensor) => np.mul(a, np.mul(a, a)),
        ([a], [t]) => [cube(a), np.mul(t, np.add(cube(a), y))],
      );
      return cube(x);
    };
    // d/dx = x³ + y, by the rule; d²/dx² is the derivative of the x³ in it, x³ + y again.
    expect(grad(jit(f))(np.array(2), np.array(1)).item()).toBe(9);
    expect(grad(grad(jit(f)))(np.array(2), np.array(1)).item()).toBe(9);
  });

  test('what is differentiated must be an argument', () => {
    for (const g of [scaled, jit(scaled)]) {
      expect(() => grad(g, { argnums: 1 })(np.array(3), np.array(5))).toThrow(NotDifferentiableError);
      expect(() => jvp(g, [np.array(3), np.array(5)], [np.array(1), np.array(1)])).toThrow(NotDifferentiableError);
    }
    expect(message(() => grad(scaled, { argnums: 1 })(np.array(3), np.array(5)))).toMatchInlineSnapshot(`
      "
      NotDifferentiableError: customVjp(scale): closes over float32[], which is being differentiated: its rule says nothing of that
        remedy: pass the value as an argument, or close over stopGradient of it
        at test/core/closed-over.test.ts:LINE
      "
    `);
    const stopped = (x: Tensor, y: Tensor): Tensor => scaled(x, stopGradient(y));
    expect(grad(stopped, { argnums: 1 })(np.array(3), np.array(5)).item()).toBe(0);
    const fixed = customJvp(
      function fixed(x: Tensor, y: Tensor): Tensor {
        return np.mul(x, y);
      },
      (y, [x], [t]) => [np.mul(x, y), np.mul(t, y)],
      { nondiffArgnums: [1] },
    );
    expect(grad(fixed)(np.array(2), np.array(3)).item()).toBe(3);
    expect(message(() => grad(fixed, { argnums: 1 })(np.array(2), np.array(3)))).toMatchInlineSnapshot(`
      "
      NotDifferentiableError: customJvp(fixed): an argument of nondiffArgnums, float32[], is being differentiated
        remedy: leave the argument out of nondiffArgnums, or pass stopGradient of it
      "
    `);
  });
});
