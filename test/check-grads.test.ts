/** `checkGrads`, on functions that are right, wrong, and undecidable. */

import { nn, np, random, stopGradient, type Tensor, whileLoop } from 'pullback';
import { checkGrads, GradientError } from 'pullback/laws';
import { describe, expect, it } from 'vitest';

/** x · stop(x): its derivative is half of what differences say. */
const half = (x: Tensor) => np.mul(x, stopGradient(x));

const messageOf = (f: () => void): string => {
  try {
    f();
  } catch (error) {
    return error instanceof GradientError ? error.message : `threw ${error}`;
  }
  return 'held';
};

describe('checkGrads', () => {
  it('accepts what is right, to third order, over trees, with integer leaves', () => {
    const params = nn.dense.init(random.key(0), 4, 3);
    const labels = np.array([0, 2], { dtype: 'int32' });
    const loss = (p: typeof params, x: Tensor, y: Tensor<'int32'>) => nn.crossEntropy(np.tanh(nn.dense(p)(x)), y);
    checkGrads(
      loss,
      [
        params,
        np.array([
          [1, -0.5, 2, 0.25],
          [0, 1.5, -1, 3],
        ]),
        labels,
      ],
      { order: 3 },
    );
    checkGrads((x: Tensor) => ({ y: np.sin(x), count: np.argmax(x) }), [np.array([1, 2, 3])]);
    checkGrads((x: Tensor) => np.mul(x, x), [3]);
  });

  it('names the mode, the worst element, both numbers, and what stops the derivative', () => {
    const f = (x: Tensor) => ({ out: [half(x)] });
    expect(messageOf(() => checkGrads(f, [np.array([0.5, 4])], { modes: ['fwd'] }))).toMatchInlineSnapshot(`
      "checkGrads: the derivative by jvp is wrong, worst at output.out[0][1] along args[0][1]: 4, central differences say 8 (eps 0.00001, rtol 0.00001, atol 1e-7)
        output.out[0] by jvp:         [0, 4]
        output.out[0] by differences: [0, 8]
        no equation is wrong by itself, but stop_gradient from test/check-grads.test.ts:8:39 stops the derivative"
    `);
    expect(messageOf(() => checkGrads(f, [np.array([4, 0.5])], { modes: ['rev'] }))).toMatchInlineSnapshot(`
      "checkGrads: the derivative by vjp is wrong, worst at args[0][0]: -1.8685663, central differences say -3.7371327 (eps 0.00001, rtol 0.00001, atol 1e-7)
        args[0] by vjp:         [-1.8685663, -0.49967025]
        args[0] by differences: [-3.7371327, -0.99934051]
        no equation is wrong by itself, but stop_gradient from test/check-grads.test.ts:8:39 stops the derivative"
    `);
  });

  it('checks derivatives of derivatives if asked', () => {
    // Right to first order only: the slope 2x of the square is hidden from the second derivative.
    const f = (x: Tensor) =>
      np.add(np.mul(np.sub(x, stopGradient(x)), np.mul(2, stopGradient(x))), stopGradient(np.square(x)));
    expect(messageOf(() => checkGrads(f, [np.array([1, 2])], { order: 1 }))).toBe('held');
    expect(messageOf(() => checkGrads(f, [np.array([1, 2])], { order: 2 }))).toMatch(
      /derivative of order 2 by vjp is wrong, worst at args\[0\]\[1\]: 0, /,
    );
    expect(messageOf(() => checkGrads(f, [np.array([1, 2])], { order: 2, modes: ['fwd'] }))).toMatch(
      /derivative of order 2 by jvp is wrong, worst at tangent of output\[1\] along args\[0\]\[1\]: 0, /,
    );
  });

  it('runs what asks for values, and says how', () => {
    const branch = (x: Tensor) => (x.item() > 0 ? half(x) : x);
    checkGrads(branch, [-1]);
    expect(messageOf(() => checkGrads(branch, [2]))).toMatchInlineSnapshot(`
      "checkGrads: the derivative by vjp is wrong, worst at args[0]: 2, central differences say 4 (eps 0.00001, rtol 0.00001, atol 1e-7)
        no equation is wrong by itself, but stop_gradient from test/check-grads.test.ts:8:39 stops the derivative
        not traced: run with float64 arguments"
    `);
  });

  it('says so where nothing can be said', () => {
    expect(messageOf(() => checkGrads((x: Tensor) => nn.relu(x), [np.array([0, 1])]))).toMatch(/nothing can be said/);
    expect(messageOf(() => checkGrads((x: Tensor) => np.sqrt(x), [np.array([0])]))).toMatch(/nothing can be said/);
  });
});

describe('what differences are good for', () => {
  it('a large value beside a small slope, and large arguments, are no wrong derivatives', () => {
    checkGrads((x: Tensor) => np.add(np.sum(np.sin(x)), 1e5), [np.array([1, 2])]);
    checkGrads((x: Tensor) => np.mul(x, x), [np.array([1e8, 1])]);
    expect(messageOf(() => checkGrads((x: Tensor) => np.add(np.sum(np.sin(x)), 1e9), [np.array([1])]))).toMatch(
      /nothing can be said .* rounding hides the slope/,
    );
  });

  it('a jump of the second derivative is no wrong first one', () => {
    const messages = [(x: Tensor) => np.square(nn.relu(x)), (x: Tensor) => np.mul(x, np.abs(x))].map((f) =>
      messageOf(() => checkGrads(f, [np.array([0])])),
    );
    for (const message of messages) expect(message).toMatch(/^held$|nothing can be said/);
  });

  it('what has no reverse mode is checked to second order by forward mode', () => {
    const powers = (x: Tensor): Tensor =>
      whileLoop(
        (c) => np.less(c, 10),
        (c) => np.mul(c, c),
        x,
      );
    checkGrads(powers, [np.array(1.5)], { order: 2, modes: ['fwd'] });
  });

  it('nothing to check is a mistake', () => {
    const nothing = /nothing to check: no argument, or no output, is a floating-point tensor with elements/;
    expect(() => checkGrads((x: Tensor) => np.astype(x, 'int32'), [np.array([1])])).toThrow(nothing);
    expect(() => checkGrads((x: Tensor) => x, [np.zeros([0])])).toThrow(nothing);
    expect(() => checkGrads((x: Tensor) => x, [np.ones([1])], { ordr: 2 } as never)).toThrow(/no option 'ordr'/);
  });
});
