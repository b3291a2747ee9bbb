/** Linear algebra in random programs: factors of positive definite matrices and systems of them, which are smooth everywhere. */

import { isFloat } from '../../src/core/dtype.ts';
import { noParams } from '../../src/core/primitive.ts';
import { range } from '../../src/core/shape.ts';
import { systemOf } from '../../src/ops/linalg-system.ts';
import { firstOrder as p } from '../../src/prim/registry.ts';
import { customLinearSolveP } from '../../transforms/linear-solve.ts';
import type { Draft, Op } from './program.ts';

/** A value of matrices of moderate elements, and mᵀ m + 2 of it: positive definite, and well-conditioned. */
function definite(d: Draft): { readonly moderate: number; readonly matrix: number } | null {
  const x = d.pick(({ shape, dtype }) => shape.length >= 2 && isFloat(dtype));
  if (x === null || !d.fits(d.avals[x]!.size * d.avals[x]!.shape.at(-1)!)) return null;
  const moderate = d.emit(p.sin, [x], noParams);
  const n = d.avals[moderate]!.shape.length;
  const batch = range(n - 2);
  const contraction = { lhsContracting: [n - 2], rhsContracting: [n - 2], lhsBatch: batch, rhsBatch: batch };
  const gram = d.emit(p.dot_general, [moderate, moderate], contraction);
  const { shape } = d.avals[gram]!;
  const [row, column] = [n - 2, n - 1].map((dimension) =>
    d.hide(d.emit(p.iota, [], { shape, dimension, dtype: 'int32' })),
  ) as [number, number];
  const onDiagonal = d.hide(d.emit(p.eq, [row, column], noParams));
  const [two, zero] = [d.constantLike(gram, 2), d.constantLike(gram, 0)];
  const twice = d.hide(d.emit(p.select, [onDiagonal, two, zero], noParams));
  return { moderate, matrix: d.emit(p.add, [gram, twice], noParams) };
}

/** Run `f` on such a matrix, if there is one, and the value that it is made of. */
const onDefinite =
  (f: (d: Draft, matrix: number, moderate: number) => void): Op =>
  (d) => {
    const made = definite(d);
    if (made) f(d, made.matrix, made.moderate);
  };

/** Factors of matrices, and solutions of systems with them: triangular ones, and those that are differentiated implicitly. */
export const smoothLinalg: readonly Op[] = [
  onDefinite((d, matrix) => d.emit(p.cholesky, [matrix], noParams)),
  onDefinite((d, matrix, sides) =>
    d.emit(p.triangular_solve, [matrix, sides], {
      leftSide: false,
      lower: d.next(1) === 0,
      transposeA: d.next(1) === 0,
      unitDiagonal: false,
    }),
  ),
  onDefinite((d, matrix, moderate) => {
    const constant = d.hide(d.emit(p.stop_gradient, [matrix], noParams));
    const factors = d.emit(p.lu, [constant], noParams);
    const [, , permutation] = [factors, factors + 1, factors + 2].map((i) => d.hide(i));
    const n = d.avals[matrix]!.shape.length;
    const sides = d.emit(p.transpose, [moderate], { permutation: [...range(n - 2), n - 1, n - 2] });
    const operands = [matrix, factors, permutation!, sides];
    d.emit(customLinearSolveP, operands, systemOf(operands.map((i) => d.avals[i]!)));
  }),
];
