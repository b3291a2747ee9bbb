/** Functions that users have batched, and custom rules inside of loops and branches. */

import {
  cond,
  customJvp,
  customVjp,
  customVmap,
  grad,
  jit,
  jvp,
  np,
  scan,
  type Tensor,
  vmap,
  whileLoop,
} from 'pullback';
import { describe, expect, test } from 'vitest';
import { message } from '../errors/message.ts';

const numbers = (x: unknown): unknown => (x as Tensor).toArray();

describe('customVmap', () => {
  const seen: unknown[] = [];
  const scaled = customVmap(
    function scaled(p: { readonly x: Tensor; readonly factor: Tensor }): {
      readonly y: Tensor;
      readonly factor: Tensor;
    } {
      return { y: np.mul(p.x, p.factor), factor: p.factor };
    },
    (size, [batched], p) => {
      seen.push([size, batched]);
      const factor = batched.factor && p.x.ndim > 1 ? np.expandDims(p.factor, 1) : p.factor;
      return [
        { y: np.mul(p.x, factor), factor: p.factor },
        { y: true, factor: batched.factor },
      ];
    },
  );
  const args = {
    x: np.array([
      [1, 2],
      [3, 4],
      [5, 6],
    ]),
    factor: np.array([1, 10, 100]),
  };

  test('the rule gets batches in front, and says what it returns', () => {
    seen.length = 0;
    const whole = vmap(scaled)(args);
    expect([numbers(whole.y), numbers(whole.factor)]).toEqual([
      [
        [1, 2],
        [30, 40],
        [500, 600],
      ],
      [1, 10, 100],
    ]);
    const shared = vmap(scaled, [{ x: 1, factor: null }])({ x: np.transpose(args.x), factor: np.array(2) });
    expect([numbers(shared.y), numbers(shared.factor)]).toEqual([
      [
        [2, 4],
        [6, 8],
        [10, 12],
      ],
      [2, 2, 2],
    ]);
    expect(seen).toEqual([
      [3, { x: true, factor: true }],
      [3, { x: true, factor: false }],
    ]);
  });

  test('derivatives, inside and outside; jit', () => {
    const f = (x: Tensor, factor: Tensor): Tensor => np.sum(scaled({ x, factor }).y);
    const each = (transform: (g: typeof f) => (x: Tensor, factor: Tensor) => Tensor) =>
      numbers(transform(f)(args.x, args.factor));
    expect(each((g) => vmap(grad(g)))).toEqual([
      [1, 1],
      [10, 10],
      [100, 100],
    ]);
    expect(each((g) => grad((x: Tensor, y: Tensor) => np.sum(vmap(g)(x, y))))).toEqual([
      [1, 1],
      [10, 10],
      [100, 100],
    ]);
    seen.length = 0;
    expect(each((g) => vmap((x: Tensor, y: Tensor) => jvp(g, [x, y], [x, null])[1]))).toEqual([3, 70, 1100]);
    expect(seen).toEqual([[3, [{ x: true, factor: true }][0]]]);
    expect(each((g) => jit(vmap(g)))).toEqual([3, 70, 1100]);
  });

  test('rules of the wrong kind', () => {
    const withRule = (rule: unknown): string =>
      message(() =>
        vmap(
          customVmap(
            function f(x: Tensor): Tensor {
              return x;
            },
            rule as (size: number, batched: unknown, x: Tensor) => [Tensor, boolean],
          ),
        )(np.array([1, 2])),
      );
    expect(withRule((_: number, __: unknown, x: Tensor) => x)).toMatchInlineSnapshot(`
      "
      TreeError: customVmap(f): the rule must return [output, batched]
        remedy: return an array of two: a batch of outputs, and true where they have the batch (or one flag for all)
        at test/core/custom-vmap.test.ts:LINE
      "
    `);
    expect(withRule((_: number, __: unknown, x: Tensor) => [[x], true])).toMatchInlineSnapshot(`
      "
      TreeError: customVmap(f): the rule returns another structure than the function: output: a tensor beside array [*]
        remedy: let the rule return the same output as the function itself, of all lanes
        at test/core/custom-vmap.test.ts:LINE
      "
    `);
    expect(withRule((_: number, __: unknown, x: Tensor) => [x, false])).toMatchInlineSnapshot(`
      "
      ShapeError: customVmap(f): the rule returns float32[2] where float32[] is expected
        remedy: return the batch along the first axis where the rule says that there is one, and each lane as the function returns it
        at test/core/custom-vmap.test.ts:LINE
      "
    `);
    expect(withRule((_: number, __: unknown, x: Tensor) => [x, [true]])).toMatchInlineSnapshot(`
      "
      TreeError: customVmap(f): the flags that the rule returns are no prefix of the structure of its output, *
        remedy: return true or false for the whole output, or for each part of it
        at test/core/custom-vmap.test.ts:LINE
      "
    `);
    const closing = (x: Tensor): Tensor =>
      customVmap(
        function f(y: Tensor): Tensor {
          return np.mul(x, y);
        },
        (_, __, y) => [np.mul(x, y), true],
      )(np.array(1));
    expect(message(() => vmap(closing)(np.array([1, 2])))).toMatchInlineSnapshot(`
      "
      TreeError: customVmap(f): closes over float32[2] of a batch, which its rule does not get
        remedy: pass the value as an argument
        at test/core/custom-vmap.test.ts:LINE
      "
    `);
  });
});

describe('custom rules in control flow', () => {
  /** x², with seven times its derivative. */
  const marked = customVjp(
    (x: Tensor) => np.mul(x, x),
    (x: Tensor) => [np.mul(x, x), x],
    (x, ct) => [np.mul(np.mul(14, ct), x)],
  );
  const markedForward: (x: Tensor) => Tensor = customJvp(
    (x: Tensor) => np.mul(x, x),
    ([x], [t]) => [markedForward(x), np.mul(np.mul(14, t), x)],
  );

  test('scan: every step follows the rule, in every mode', () => {
    for (const square of [marked, markedForward]) {
      const loop = (x: Tensor): Tensor =>
        scan((c: Tensor, y: Tensor) => [np.add(square(c), y), null], x, np.array([1, 2]))[0];
      // c₁ = x² + 1, c₂ = c₁² + 2; by the rule each square has seven times its derivative.
      const slope = (x: number): number => 14 * (x * x + 1) * 14 * x;
      expect(grad(loop)(2).item()).toBe(slope(2));
      expect(jvp(loop, [np.array(2)], [np.array(1)])[1].item()).toBe(slope(2));
      expect(numbers(jit(vmap(grad(loop)))(np.array([1, 2])))).toEqual([slope(1), slope(2)]);
      expect(numbers(grad((x: Tensor) => np.sum(vmap(loop)(x)))(np.array([1, 2])))).toEqual([slope(1), slope(2)]);
      // The gradient is 196·c₁·x. In it c₁ is what fwd computes, x·x with the plain derivative; the other rule calls itself.
      const inner = square === marked ? 2 * 2 : 14 * 2;
      expect(grad(grad(loop))(2).item()).toBe(196 * (5 + 2 * inner));
    }
  });

  test('cond and while', () => {
    const either = (x: Tensor): Tensor => cond(np.greater(x, 0), marked, (y: Tensor) => y, x);
    expect([grad(either)(3).item(), grad(either)(-3).item()]).toEqual([42, 1]);
    expect(numbers(vmap(grad(either))(np.array([3, -3])))).toEqual([42, 1]);
    const repeated = (x: Tensor): Tensor => whileLoop((c: Tensor) => np.less(c, 10), markedForward, x);
    expect(jvp(repeated, [np.array(2)], [np.array(1)]).map((y) => y.item())).toEqual([16, 14 * 4 * 14 * 2]);
  });

  test('a rule that closes over what a scan stages', () => {
    const f = (x: Tensor): Tensor =>
      scan(
        (c: Tensor, y: Tensor) => [
          customVjp(
            (a: Tensor) => np.mul(a, y),
            (a: Tensor) => [np.mul(a, y), null],
            (_, ct) => [np.mul(ct, y)],
          )(c),
          null,
        ],
        x,
        np.array([2, 3]),
      )[0];
    expect([f(np.array(5)).item(), grad(f)(5).item()]).toEqual([30, 6]);
  });
});
