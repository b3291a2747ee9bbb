/** What `np.linalg` refuses, and how it says so. */

import { DTypeError, np, ShapeError } from 'pullback';
import { describe, expect, it } from 'vitest';

const { linalg } = np;

describe('what is refused', () => {
  const [wide, vector] = [np.zeros([2, 3]), np.zeros([3])];
  const errors: readonly (readonly [string, () => unknown, string])[] = [
    ['det', () => linalg.det(wide), 'np.linalg.det: needs square matrices, got float32[2,3]: 2 rows and 3 columns'],
    ['inv', () => linalg.inv(vector), 'np.linalg.inv: float32[3] is no matrix: it has 1 axis'],
    ['svd', () => linalg.svd(np.array(1)), 'np.linalg.svd: float32[] is no matrix: it has no axes'],
    [
      'solve',
      () => linalg.solve(np.eye(2), vector),
      'np.linalg.solve: float32[2,2] does not fit float32[3], which has 3 rows',
    ],
    [
      'solve of batches',
      () => linalg.solve(np.zeros([4, 2, 2]), np.zeros([3, 2, 1])),
      'np.linalg.solve: the batch axes of float32[4,2,2] and float32[3,2,1] do not broadcast',
    ],
    ['qr', () => linalg.qr(wide, 'raw' as 'r'), 'np.linalg.qr: "raw" is not a mode'],
    ['eigh', () => linalg.eigh(np.eye(2), { UPLO: 'X' as 'L' }), 'np.linalg.eigh: "X" is not a triangle'],
    ['norm', () => linalg.norm(wide, 3), 'np.linalg.norm: 3 is not the order of a norm of matrices'],
    [
      'norm of a vector',
      () => linalg.norm(vector, 'fro'),
      'np.linalg.norm: "fro" is not the order of a norm of vectors',
    ],
    [
      'norm of three axes',
      () => linalg.norm(np.zeros([1, 2, 3]), 2),
      'np.linalg.norm: a norm of float32[1,2,3] over 3 axes',
    ],
    [
      'matrixPower',
      () => linalg.matrixPower(np.eye(2), 0.5),
      'np.linalg.matrixPower: the exponent 0.5 is not an integer',
    ],
    ['multiDot', () => linalg.multiDot([wide, wide]), 'np.linalg.multiDot: float32[2,3], float32[2,3] do not fit'],
    [
      'multiDot of one',
      () => linalg.multiDot([wide]),
      'np.linalg.multiDot: needs two or more operands, got float32[2,3]',
    ],
    [
      'multiDot of a tensor',
      () => linalg.multiDot([wide, np.zeros([3, 1, 1])]),
      'are not matrices, vectors at the ends',
    ],
    [
      'tensorinv',
      () => linalg.tensorinv(np.zeros([2, 3, 4])),
      'np.linalg.tensorinv: the axes of float32[2,3,4] before and from 2 on have 6 and 4 elements',
    ],
    [
      'tensorsolve',
      () => linalg.tensorsolve(np.zeros([2, 3]), np.zeros([2])),
      'np.linalg.tensorsolve: float32[2,3] is no map onto float32[2]',
    ],
    ['lstsq', () => linalg.lstsq(wide, vector), 'np.linalg.lstsq: float32[2,3] and float32[3] do not fit'],
    ['pinv', () => linalg.pinv(wide, { rtol: -1 }), 'np.linalg.pinv: rtol is -1'],
    ['cond', () => linalg.cond(np.zeros([0, 0])), 'np.linalg.cond: float32[0,0] is empty'],
    ['cross', () => np.cross(wide, np.zeros([2, 1]), { axis: 0 }), 'np.cross: axis 0 of float32[2,3] has length 2'],
    [
      'diagonal',
      () => np.diagonal(wide, { axis1: 1 }),
      'np.diagonal: offset 0 of the axes 1 and 1 of float32[2,3] is no diagonal',
    ],
    ['trace', () => linalg.trace(vector), 'np.linalg.trace: float32[3] is no matrix: it has 1 axis'],
  ];
  it.each(errors)('%s', (_, call, message) => {
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(message);
  });

  it('options and operands that are none', () => {
    expect(() => linalg.cholesky(np.eye(2), { lower: true } as never)).toThrow(DTypeError);
    expect(() => linalg.det([[1]] as never)).toThrow('np.linalg.det: an operand is an array, which is not a tensor');
  });
});
