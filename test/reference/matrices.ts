/** Matrices that factor well, and one number made of many. */

import { np, type Tensor } from 'pullback';

/** A well-conditioned matrix without any symmetry. */
export const general = (m: number, n: number): Tensor =>
  np.array(
    Array.from({ length: m }, (_, i) => Array.from({ length: n }, (_, j) => Math.sin(3 * i + 5 * j + i * j + 1))),
  );

/** A positive definite matrix. */
export const definite = (n: number): Tensor => {
  const a = general(n, n);
  return np.add(np.matmul(a, np.transpose(a)), np.eye(n));
};

/** The sum of two. */
export const sum2 = (x: Tensor, y: Tensor): Tensor => np.add(x, y);

/** A combination of all elements that no symmetry makes trivial. */
export const mix = (x: Tensor): Tensor =>
  np.sum(np.mul(x, np.reshape(np.cos(np.astype(np.arange(x.size), 'float32')), x.shape)));
