/** Triangular systems and Cholesky's factorization, a row or a column at each step of a loop. */

import { makeAval } from '../../../src/core/aval.ts';
import type { ParamsOf } from '../../../src/core/primitive.ts';
import { range } from '../../../src/core/shape.ts';
import type { Value } from '../../../src/core/value.ts';
import { div, mul, sub } from '../../../src/prim/arithmetic.ts';
import { gt, select } from '../../../src/prim/compare.ts';
import { fullLike, zeros } from '../../../src/prim/compose.ts';
import { allWeak } from '../../../src/prim/define.ts';
import { dotGeneral } from '../../../src/prim/dot.ts';
import { sqrt } from '../../../src/prim/math.ts';
import { identityLike, matrixTranspose, mirrored, onDiagonal, triangle } from '../../../src/prim/matrices.ts';
import { reduceAnd } from '../../../src/prim/reduce.ts';
import { broadcastInDim } from '../../../src/prim/structural.ts';
import type { triangularSolveP } from '../../../src/prim/triangular.ts';
import { scan } from '../../../transforms/loops.ts';
import { along, asLast, counting, everywhere, index, isAt, outer, rowsOf, takeAt } from './matrices.ts';

/** Substitution: row i of x is (bᵢ − Σⱼ tᵢⱼ xⱼ) / tᵢᵢ, where the rows that are not known yet are zero. */
export function triangularSolve(
  [a, b]: readonly Value[],
  { leftSide, lower, transposeA, unitDiagonal }: ParamsOf<typeof triangularSolveP>,
): readonly Value[] {
  const read = triangle(a!, lower, unitDiagonal);
  const whole = unitDiagonal ? select(onDiagonal(read), identityLike(read), read) : read;
  const flipped = transposeA === leftSide;
  const t = flipped ? matrixTranspose(whole) : whole;
  const sides = leftSide ? b! : matrixTranspose(b!);
  const { shape } = sides;
  const start = zeros(makeAval(shape, b!.dtype, allWeak([a!.aval, b!.aval])));
  const batch = range(shape.length - 2);
  const [x] = scan(
    (known: Value, [row, side, i]: readonly [Value, Value, Value]): readonly [Value, null] => {
      const sum = dotGeneral(row, known, {
        lhsContracting: [row.ndim - 1],
        rhsContracting: [known.ndim - 2],
        lhsBatch: batch,
        rhsBatch: batch,
      });
      const pivot = along(takeAt(row, -1, i), side.shape, -1);
      return [select(isAt(shape, -2, i), along(div(sub(side, sum), pivot), shape, -2), known), null];
    },
    start,
    [rowsOf(t), rowsOf(sides), counting(shape.at(-2)!)] as const,
    { reverse: lower === flipped },
  );
  return [leftSide ? x : matrixTranspose(x)];
}

/** Column by column: each leaves a smaller matrix behind, which is positive definite if the whole is. */
export function cholesky([a]: readonly Value[]): readonly Value[] {
  const matrix = mirrored(a!, true);
  const { shape } = matrix;
  const n = shape.at(-1)!;
  const [, [columns, pivots]] = scan(
    (rest: Value, j: Value): readonly [Value, readonly [Value, Value]] => {
      const column = takeAt(rest, -1, j);
      const pivot = takeAt(column, -1, j);
      const scaled = div(column, along(sqrt(pivot), column.shape, -1));
      const before = gt(everywhere(j, column.shape), index(column.shape, -1));
      const l = select(before, zeros(scaled.aval), scaled);
      return [sub(rest, outer(l, l, shape, mul)), [l, pivot]];
    },
    matrix,
    counting(n),
  );
  const l = asLast(columns);
  const definite = reduceAnd(gt(pivots, zeros(pivots.aval)), [0]);
  const sound = broadcastInDim(definite, shape, range(shape.length - 2));
  return [triangle(select(sound, l, fullLike(l, Number.NaN)), true)];
}
