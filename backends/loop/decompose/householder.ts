/** `qr`: a reflection at each step of a loop, with LAPACK's signs. */

import type { ParamsOf } from '../../../src/core/primitive.ts';
import { range } from '../../../src/core/shape.ts';
import type { Value } from '../../../src/core/value.ts';
import { abs, add, div, mul, neg, sub } from '../../../src/prim/arithmetic.ts';
import { eq, ge, select } from '../../../src/prim/compare.ts';
import { fullLike, zeros } from '../../../src/prim/compose.ts';
import { dotGeneral } from '../../../src/prim/dot.ts';
import { sqrt } from '../../../src/prim/math.ts';
import { identityLike, like, triangle } from '../../../src/prim/matrices.ts';
import type { qrP } from '../../../src/prim/orthogonal.ts';
import { reduceMax, reduceSum } from '../../../src/prim/reduce.ts';
import { sliceAxis } from '../../../src/prim/structural.ts';
import { scan } from '../../../transforms/loops.ts';
import { along, counting, isAt, isBeyond, outer, takeAt, where } from './matrices.ts';

/** The sums over one axis of matrices, weighted by vectors. */
function contracted(x: Value, v: Value, axis: number): Value {
  const batch = range(x.ndim - 2);
  return dotGeneral(x, v, {
    lhsContracting: [axis < 0 ? axis + x.ndim : axis],
    rhsContracting: [v.ndim - 1],
    lhsBatch: batch,
    rhsBatch: batch,
  });
}

/** 1 where x is 0. */
const divisor = (x: Value): Value => select(eq(x, zeros(x.aval)), fullLike(x, 1), x);

/** The reflections one after the other, and their product. */
export function qr([a]: readonly Value[], { fullMatrices }: ParamsOf<typeof qrP>): readonly Value[] {
  const { shape } = a!;
  const [m, n] = shape.slice(-2) as [number, number];
  const k = Math.min(m, n);
  const unit = identityLike(zeros(like(a!.aval, m, m)));
  const square = unit.shape;
  const [[r, q]] = scan(
    ([work, turned]: readonly [Value, Value], j: Value): readonly [readonly [Value, Value], null] => {
      const column = takeAt(work, -1, j);
      const { shape: rows } = column;
      const tail = where(isBeyond(rows, -1, j), column);
      const head = takeAt(column, -1, j);
      const largest = reduceMax(abs(add(tail, where(isAt(rows, -1, j), column))), [rows.length - 1]);
      const scale = divisor(largest);
      const scaled = div(tail, along(scale, rows, -1));
      const alpha = div(head, scale);
      const below = reduceSum(mul(scaled, scaled), [rows.length - 1]);
      const length = sqrt(add(mul(alpha, alpha), below));
      const beta = select(ge(alpha, zeros(alpha.aval)), neg(length), length);
      const none = eq(below, zeros(below.aval));
      const tau = select(none, zeros(beta.aval), div(sub(beta, alpha), divisor(beta)));
      const inner = div(scaled, along(divisor(sub(alpha, beta)), rows, -1));
      const v = select(isAt(rows, -1, j), fullLike(inner, 1), inner);
      const scaledV = mul(v, along(tau, rows, -1));
      // H x = x − τ v (vᵀ x) from the left, x H = x − (x v) τ vᵀ from the right.
      const reflected = sub(work, outer(scaledV, contracted(work, v, -2), shape, mul));
      const next = sub(turned, outer(contracted(turned, v, -1), scaledV, square, mul));
      return [[reflected, next], null];
    },
    [a!, unit] as const,
    counting(k),
  );
  const side = fullMatrices ? m : k;
  return [sliceAxis(q, q.ndim - 1, 0, side), sliceAxis(triangle(r, false), r.ndim - 2, 0, side)];
}
