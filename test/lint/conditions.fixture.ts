/** What the recommended lint rule is for: tensors where JS wants a boolean. Each such line is marked. */

import { np, type Tensor } from 'pullback';

export function branches(x: Tensor): Tensor {
  if (np.greater(x, 0)) return x; // wrong
  while (np.less(x, 0)) return x; // wrong
  const y = np.greater(x, 1) ? x : np.neg(x); // wrong
  const both = np.greater(x, 0) && y; // wrong
  if (!x) return y; // wrong
  if (np.greater(x, 0).item()) return both;
  return x.ndim > 0 ? np.sum(x) : x;
}

export const optional = (x: Tensor | null): Tensor | null => (x ? np.neg(x) : x);
