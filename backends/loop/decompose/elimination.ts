/** Gaussian elimination, a pivot at each step of a loop. */

import { type Aval, makeAval } from '../../../src/core/aval.ts';
import { range } from '../../../src/core/shape.ts';
import type { Value } from '../../../src/core/value.ts';
import { abs, add, div, mul, sub } from '../../../src/prim/arithmetic.ts';
import { eq, gt, select } from '../../../src/prim/compare.ts';
import { fullLike, zeros } from '../../../src/prim/compose.ts';
import { allWeak } from '../../../src/prim/define.ts';
import { gatherAlong } from '../../../src/prim/gather.ts';
import { argmax } from '../../../src/prim/reduce.ts';
import { broadcastInDim, concatenate, iota, moveAxis, sliceAxis } from '../../../src/prim/structural.ts';
import { scan } from '../../../transforms/loops.ts';
import {
  along,
  asLast,
  asRows,
  counting,
  everywhere,
  index,
  isAt,
  isBeyond,
  outer,
  rowsOf,
  takeAt,
} from './matrices.ts';

/** Partial pivoting: the row with the pivot and row k change places, and its multiples go from the rows below. */
export function lu([a]: readonly Value[]): readonly Value[] {
  const { shape } = a!;
  const [m, n] = shape.slice(-2) as [number, number];
  const rows = shape.slice(0, -1);
  const axis = shape.length - 2;
  const order = iota(rows, axis, 'int32');
  if (Math.min(m, n) === 0) return [a!, zeros(makeAval([...shape.slice(0, -2), 0], 'int32')), order];
  const [[packed, permutation], pivots] = scan(
    ([work, numbers]: readonly [Value, Value], k: Value): readonly [readonly [Value, Value], Value] => {
      const column = abs(takeAt(work, -1, k));
      const above = gt(everywhere(k, rows), index(rows, -1));
      const pivot = argmax(select(above, fullLike(column, -1), column), axis);
      const chosen = along(pivot, rows, -1);
      const swap = select(
        isAt(rows, -1, k),
        chosen,
        select(eq(index(rows, -1), chosen), everywhere(k, rows), index(rows, -1)),
      );
      const moved = gatherAlong(work, broadcastInDim(swap, shape, range(axis + 1)), axis);
      const row = takeAt(moved, -2, k);
      const head = takeAt(moved, -1, k);
      const divisor = along(takeAt(row, -1, k), rows, -1);
      const zero = eq(divisor, zeros(divisor.aval));
      const quotients = div(head, select(zero, fullLike(divisor, 1), divisor));
      const below = isBeyond(shape, -2, k);
      const reduced = sub(moved, outer(quotients, row, shape, mul));
      const inner = select(
        isBeyond(shape, -1, k),
        reduced,
        select(isAt(shape, -1, k), along(quotients, shape, -1), moved),
      );
      return [[select(below, inner, moved), gatherAlong(numbers, swap, axis)], pivot];
    },
    [a!, order] as const,
    counting(Math.min(m, n)),
  );
  return [packed, asLast(pivots), permutation];
}

/** A row under elimination: its elements on the diagonal and to the right of it, and its right-hand sides. */
type Row = readonly [on: Value, next: Value, far: Value, sides: Value];

/** Forward with partial pivoting, of two rows that meet the one with the larger head stays; then back. */
export function tridiagonalSolve([dl, d, du, b]: readonly Value[]): readonly Value[] {
  const n = d!.shape.at(-1)!;
  if (n === 0) return [b!];
  const weak = allWeak([dl!, d!, du!, b!].map((x) => x.aval));
  const strong = (x: Value): Value => retyped(x, makeAval(x.shape, x.dtype, weak));
  const [below, on, right] = [dl!, d!, du!].map((x) => moveAxis(strong(x), x.ndim - 1, 0)) as [Value, Value, Value];
  const sides = rowsOf(strong(b!));
  // The last of `du` and what is behind it are not there.
  const inside = concatenate([sliceAxis(right, 0, 0, n - 1), zeros(sliceAxis(right, 0, 0, 1).aval)], 0);
  const part = (x: Value, from: number, to: number): Value => sliceAxis(x, 0, from, to);
  const first = (x: Value): Value => takeAt(x, 0, zeros(makeAval([], 'int32')));
  const nothing = zeros(first(on).aval);
  const wide = (x: Value, like: Value): Value => along(x, like.shape, -1);
  const [last, finished] = scan(
    (
      [on0, next0, far0, side0]: Row,
      [under, on1, next1, side1]: readonly [Value, Value, Value, Value],
    ): readonly [Row, Row] => {
      const exchange = gt(abs(under), abs(on0));
      const pick = (x: Value, y: Value): Value => select(exchange, x, y);
      const pivot = pick(under, on0);
      const zero = eq(pivot, zeros(pivot.aval));
      const factor = div(pick(on0, under), select(zero, fullLike(pivot, 1), pivot));
      // The row that stays, and the other one, both from the column of the pivot on.
      const stays: readonly [Value, Value] = [pick(on1, next0), pick(next1, far0)];
      const other: readonly [Value, Value] = [pick(next0, on1), pick(far0, next1)];
      const sideMask = broadcastInDim(exchange, side0.shape, range(exchange.ndim));
      const [staying, leaving] = [select(sideMask, side1, side0), select(sideMask, side0, side1)];
      const rest = (x: Value, y: Value): Value => sub(x, mul(factor, y));
      const next: Row = [
        rest(other[0], stays[0]),
        rest(other[1], stays[1]),
        nothing,
        sub(leaving, mul(wide(factor, leaving), staying)),
      ];
      return [next, [pivot, stays[0], stays[1], staying]];
    },
    [first(on), first(inside), nothing, first(sides)] as Row,
    [part(below, 1, n), part(on, 1, n), part(inside, 1, n), part(sides, 1, n)] as const,
  );
  const whole = finished.map((x, i) =>
    concatenate(
      [
        x,
        broadcastInDim(
          last[i]!,
          [1, ...last[i]!.shape],
          range(last[i]!.ndim).map((axis) => axis + 1),
        ),
      ],
      0,
    ),
  );
  const none = zeros(last[3].aval);
  const [, rows] = scan(
    (
      [x1, x2]: readonly [Value, Value],
      [pivot, next, far, side]: readonly Value[],
    ): readonly [readonly [Value, Value], Value] => {
      const behind = sub(sub(side!, mul(wide(next!, side!), x1)), mul(wide(far!, side!), x2));
      const x = div(behind, wide(pivot!, side!));
      return [[x, x1], x];
    },
    [none, none] as const,
    whole,
    { reverse: true },
  );
  return [asRows(rows)];
}

/** The value with the weakness of `aval`. */
const retyped = (x: Value, aval: Aval): Value => (x.aval.weak === aval.weak ? x : add(x, zeros(aval)));
