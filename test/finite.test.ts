/** `checkFinite`: the operation that made the first NaN, whatever transforms it came through. */

import { ConcretizationError, checkFinite, grad, jit, NonFiniteError, np, type Tensor, vmap } from 'pullback';
import { describe, expect, it } from 'vitest';

const norm = (x: Tensor): Tensor => np.sum(np.sqrt(np.mul(x, x)));

/** What it says, without where. */
const report = (f: () => unknown): string => {
  try {
    f();
  } catch (error) {
    if (error instanceof NonFiniteError) return error.problem;
    throw error;
  }
  return 'finite';
};

const at = np.array([1, 0]);
const culprit = 'mul is the first to make NaN: element [1] of float32[2], from 0, Infinity';

describe('checkFinite', () => {
  it('finds the operation in derivatives, batches and calls', () => {
    expect(report(() => checkFinite(grad(norm))(at))).toBe(culprit);
    expect(report(() => checkFinite(jit(grad(norm)))(at))).toBe(culprit);
    expect(report(() => checkFinite(grad(jit(norm)))(at))).toBe(culprit);
    expect(report(() => checkFinite(vmap(grad(norm)))(at))).toBe(culprit);
  });

  it('names the line, and what was being done with it', () => {
    const f = (x: Tensor): Tensor => np.sum(np.sqrt(np.mul(x, x)));
    let message = '';
    try {
      checkFinite(grad(f))(at);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message.replace(/finite\.test\.ts:\d+:\d+/g, 'LINE')).toBe(
      `checkFinite: ${culprit}\n` +
        '  remedy: keep its operands inside its domain; where a branch is not taken, choose a safe operand with np.where first\n' +
        '  at test/LINE\n' +
        '  while transposing mul from test/LINE',
    );
  });

  it('is silent where all is well, or the NaN came in, or infinities are allowed', () => {
    expect(checkFinite(norm)(at).item()).toBe(1);
    expect(report(() => checkFinite(norm)(np.array([Number.NaN])))).toBe('finite');
    expect(report(() => checkFinite(np.log)(np.array(0)))).toBe('finite');
  });

  it('reports infinities if asked', () => {
    expect(report(() => checkFinite((x: Tensor) => np.log(x), { infinities: true })(np.array([[1, 0]])))).toBe(
      'log is the first to make -Infinity: element [0,1] of float32[1,2], from 0',
    );
    const sum = (x: Tensor): Tensor => np.sum(x, 0);
    expect(report(() => checkFinite(sum, { infinities: true })(np.array([3e38, 3e38, 1])))).toBe(
      'reduce_sum is the first to make Infinity: element [] of float32[], from float32[3]',
    );
  });

  it('is refused inside another transform', () => {
    expect(() => jit(checkFinite(norm))(at)).toThrow(ConcretizationError);
    expect(() => jit(checkFinite(norm))(at)).toThrow(/put it outermost: checkFinite\(jit\(grad\(f\)\)\)/);
  });
});
