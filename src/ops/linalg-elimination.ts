/** What elimination gives besides solutions: determinants, with derivatives at singular matrices. */

import { makeAval } from '../core/aval.ts';
import { range, type Shape } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { abs, add, convertElementType, mul, sign, sub } from '../prim/arithmetic.ts';
import { and } from '../prim/bits.ts';
import { eq, ge, ne, select } from '../prim/compare.ts';
import { full, fullLike, ones, zeros } from '../prim/compose.ts';
import { gatherAlong } from '../prim/gather.ts';
import { stopGradientOf as stopGradient } from '../prim/identity.ts';
import { lu } from '../prim/lu.ts';
import { log } from '../prim/math.ts';
import { batchOf, diagonal, identityLike, times } from '../prim/matrices.ts';
import { argmax, reduceOr, reduceProd, reduceSum } from '../prim/reduce.ts';
import { broadcastInDim, iota, reshape, sliceAxis } from '../prim/structural.ts';

/** 1 for an even number of exchanges, −1 for an odd one, in the dtype of `like`. */
function parity(pivots: Value, like: Value): Value {
  const exchanges = convertElementType(ne(pivots, iota(pivots.shape, pivots.ndim - 1, 'int32')), 'int32');
  const count = reduceSum(exchanges, [pivots.ndim - 1]);
  return signOf(and(count, fullLike(count, 1)), like);
}

/** 1 − 2x: the sign of an odd number of exchanges where x is 1. */
function signOf(odd: Value, like: Value): Value {
  const float = convertElementType(odd, like.dtype, like.aval.weak);
  return sub(fullLike(float, 1), times(float, 2));
}

/** Sign and logarithm of the magnitude of determinants. */
export function signAndLog(a: Value): readonly [Value, Value] {
  const [factors, pivots] = lu(a);
  const u = diagonal(factors);
  const axes = [u.ndim - 1];
  return [mul(parity(pivots, a), reduceProd(sign(u), axes)), reduceSum(log(abs(u)), axes)];
}

/** Element (i, j) of each matrix. */
const element = (x: Value, i: number, j: number): Value =>
  reshape(sliceAxis(sliceAxis(x, x.ndim - 2, i, i + 1), x.ndim - 1, j, j + 1), batchOf(x.shape));

/** Σ over even permutations less Σ over odd ones, for up to three rows: a polynomial, with all its derivatives. */
function expansion(x: Value, n: number): Value {
  const minor = (i: number, j: number): Value =>
    sub(mul(element(x, 1, i), element(x, 2, j)), mul(element(x, 1, j), element(x, 2, i)));
  const batch: Shape = batchOf(x.shape);
  if (n === 0) return ones(makeAval(batch, x.dtype, x.aval.weak));
  if (n === 1) return element(x, 0, 0);
  if (n === 2) return sub(mul(element(x, 0, 0), element(x, 1, 1)), mul(element(x, 0, 1), element(x, 1, 0)));
  const terms = [minor(1, 2), minor(2, 0), minor(0, 1)].map((m, j) => mul(element(x, 0, j), m));
  return add(add(terms[0]!, terms[1]!), terms[2]!);
}

/**
 * Determinants. Their derivative at a matrix of rank n − 1 is the matrix of cofactors, and 0 at one of lower rank.
 *
 * The derivative of elimination holds if no pivot but the last is zero. So a column that depends on those before it goes to the end
 * first; if there is another zero pivot then, the rank is less than n − 1, where determinant and derivative are zero.
 */
export function determinant(a: Value): Value {
  const n = a.shape.at(-1)!;
  if (n <= 3) return expansion(a, n);
  const batch = batchOf(a.shape);
  const axis = batch.length;
  const early = (u: Value): Value => eq(sliceAxis(u, axis, 0, n - 1), full(makeAval([...batch, n - 1], u.dtype), 0));
  const dependent = early(diagonal(lu(stopGradient(a))[0]));
  const last = full(makeAval(batch, 'int32'), n - 1);
  const moved = select(reduceOr(dependent, [axis]), argmax(dependent, axis), last);
  const places = iota([...batch, n], axis, 'int32');
  const along = broadcastInDim(moved, places.shape, range(axis));
  const isLast = eq(places, fullLike(places, n - 1));
  const shifted = add(places, convertElementType(ge(places, along), 'int32'));
  const order = select(isLast, along, shifted);
  const columns = gatherAlong(a, broadcastInDim(order, a.shape, [...range(axis), axis + 1]), axis + 1);
  const low = reduceOr(early(diagonal(lu(stopGradient(columns))[0])), [axis]);
  const sound = select(broadcastInDim(low, a.shape, range(axis)), identityLike(columns), columns);
  const [factors, pivots] = lu(sound);
  const product = mul(parity(pivots, a), reduceProd(diagonal(factors), [axis]));
  const cycles = sub(last, moved);
  const value = mul(signOf(and(cycles, fullLike(cycles, 1)), a), product);
  return select(low, zeros(value.aval), value);
}
