/** Singular values of matrices that are known to be symmetric: the magnitudes of eigenvalues. */

import { range } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { abs, mul, neg } from '../prim/arithmetic.ts';
import { ge, select } from '../prim/compare.ts';
import { fullLike, zeros } from '../prim/compose.ts';
import { gatherAlong } from '../prim/gather.ts';
import { alongColumns, matrixTranspose } from '../prim/matrices.ts';
import { eigh } from '../prim/orthogonal.ts';
import { sort } from '../prim/sort.ts';
import { broadcastInDim, iota } from '../prim/structural.ts';

/** Options of what can make use of symmetry. */
export interface HermitianOptions {
  /** The promise that the matrices are symmetric, which is cheaper; they are symmetrized first. Default false. */
  readonly hermitian?: boolean;
}

/**
 * [s, u, vᵀ] with a = u diag(s) vᵀ, of symmetric matrices: from a = q diag(w) qᵀ follow s = |w|, u = q, and v = q with the signs
 * of w.
 */
export function symmetricSvd(a: Value): readonly [s: Value, u: Value, vt: Value] {
  const [q, w] = eigh(a, { lower: true });
  const last = w.ndim - 1;
  const [, order] = sort([neg(abs(w)), iota(w.shape, last, 'int32')], last);
  const values = gatherAlong(w, order!, last);
  const columns = broadcastInDim(order!, q.shape, [...range(last), last + 1]);
  const u = gatherAlong(q, columns, last + 1);
  const one = fullLike(values, 1);
  const signs = select(ge(values, zeros(values.aval)), one, neg(one));
  const v = mul(u, alongColumns(signs, u.shape.at(-2)!));
  return [abs(values), u, matrixTranspose(v)];
}
