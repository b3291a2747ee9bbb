/**
 * `eigh` and `svd` by Jacobi's rotations, half as many at once as there are columns: the pairs of a round have no column in
 * common, and the rounds of a sweep are those of a tournament in which all meet all (Brent and Luk 1985). The number of
 * sweeps is fixed: convergence is quadratic, and a rotation that has nothing to do does nothing.
 */

import { makeAval } from '../../../src/core/aval.ts';
import type { ParamsOf } from '../../../src/core/primitive.ts';
import { range } from '../../../src/core/shape.ts';
import type { Value } from '../../../src/core/value.ts';
import { abs, add, div, mul, neg, rem, sub } from '../../../src/prim/arithmetic.ts';
import { or } from '../../../src/prim/bits.ts';
import { eq, ge, gt, lt, select } from '../../../src/prim/compare.ts';
import { fullLike, ones, scalar, zeros } from '../../../src/prim/compose.ts';
import { gatherAlong } from '../../../src/prim/gather.ts';
import { rsqrt, sqrt } from '../../../src/prim/math.ts';
import { diagonal, identityLike, like, matrixTranspose, mirrored, sidesOf, times } from '../../../src/prim/matrices.ts';
import { type eighP, qr, type svdP } from '../../../src/prim/orthogonal.ts';
import { argmax, reduceAnd, reduceMax, reduceSum } from '../../../src/prim/reduce.ts';
import { finite } from '../../../src/prim/rounding.ts';
import { sort } from '../../../src/prim/sort.ts';
import { broadcastInDim, concatenate, iota, sliceAxis } from '../../../src/prim/structural.ts';
import { scan } from '../../../transforms/loops.ts';
import { along, counting, everywhere, index, normalized, where } from './matrices.ts';

/** Rounds in which each of n columns meets each other. */
const rounds = (n: number): number => (n % 2 === 0 ? Math.max(n - 1, 0) : n);

const sweeps = (n: number): number => (n < 2 ? 0 : 8 + 2 * Math.ceil(Math.log2(n)));

/**
 * Whom each column meets in a round, itself if nobody: i and j with i + j ≡ round, modulo the largest odd number that is not more
 * than n; of an even number of columns the last one meets the one that is left.
 */
function partners(n: number, round: Value): Value {
  const i = iota([n], 0, 'int32');
  const modulus = n % 2 === 0 ? n - 1 : n;
  const at = (x: number): Value => fullLike(i, x);
  const here = everywhere(round, [n]);
  const met = rem(add(sub(here, rem(i, at(modulus))), at(modulus)), at(modulus));
  if (n % 2 === 1) return met;
  const left = rem(mul(here, at(n / 2)), at(modulus));
  const isLast = eq(i, at(n - 1));
  return select(isLast, left, select(eq(met, i), at(n - 1), met));
}

/**
 * Cosine and sine by which each column turns against its partner, given the products of columns with themselves, of partners
 * with themselves, and of both. The smaller of two angles; of opposite sign for the two columns of a pair.
 */
function angles(own: Value, met: Value, mixed: Value, partner: Value): readonly [Value, Value] {
  const one = fullLike(mixed, 1);
  const zero = zeros(mixed.aval);
  const here = index(own.shape, -1);
  const idle = or(eq(mixed, zero), eq(here, partner));
  const zeta = div(sub(met, own), times(select(idle, one, mixed), 2));
  const tie = select(lt(here, partner), one, neg(one));
  const sign = select(eq(zeta, zero), tie, select(lt(zeta, zero), neg(one), one));
  const t = div(sign, add(abs(zeta), sqrt(add(one, mul(zeta, zeta)))));
  const c = rsqrt(add(one, mul(t, t)));
  return [select(idle, one, c), select(idle, zero, mul(t, c))];
}

/** The columns in another order. */
const columnsIn = (x: Value, order: Value): Value =>
  gatherAlong(x, broadcastInDim(order, x.shape, [...range(x.ndim - 2), x.ndim - 1].slice(-order.ndim)), x.ndim - 1);

/** x c − x[partner] s, column by column. */
const turned = (x: Value, met: Value, c: Value, s: Value): Value =>
  sub(mul(x, along(c, x.shape, -2)), mul(met, along(s, x.shape, -2)));

/** Each column times a number. */
const scaledColumns = (x: Value, by: Value): Value => mul(x, along(by, x.shape, -2));

/** −1 for the columns whose first element that is nearly as large as the largest is negative, else 1. */
function signs(x: Value): Value {
  const row = x.ndim - 2;
  const vectors = x.shape.filter((_, axis) => axis !== row);
  if (x.shape[row] === 0) return broadcastInDim(scalar(1, x.dtype, x.aval.weak), vectors, []);
  const size = abs(x);
  const near = ge(size, along(times(reduceMax(size, [row]), 0.99), x.shape, -2));
  const first = reduceSum(where(eq(index(x.shape, -2), along(argmax(near, row), x.shape, -2)), x), [row]);
  const one = fullLike(first, 1);
  return select(lt(first, zeros(first.aval)), neg(one), one);
}

/** `x` of the matrices that are finite, NaN for the others. */
function ofFinite(a: Value, x: Value): Value {
  const sound = reduceAnd(finite(a), [a.ndim - 2, a.ndim - 1]);
  return select(broadcastInDim(sound, x.shape, range(sound.ndim)), x, fullLike(x, Number.NaN));
}

/** Vectors in increasing order, and the order. */
const ordered = (keys: Value): readonly [Value, Value] =>
  sort([keys, index(keys.shape, -1)], keys.ndim - 1) as readonly [Value, Value];

/** Two-sided rotations: a becomes diagonal, and the product of the rotations holds the vectors. */
export function eigh([a]: readonly Value[], { lower }: ParamsOf<typeof eighP>): readonly Value[] {
  const n = a!.shape.at(-1)!;
  if (n === 0) return [a!, zeros(makeAval(a!.shape.slice(0, -1), a!.dtype, a!.aval.weak))];
  const whole = mirrored(a!, lower);
  const [matrix, scale] = normalized(whole);
  const [[diagonalized, vectors]] = scan(
    ([x, v]: readonly [Value, Value], step: Value): readonly [readonly [Value, Value], null] => {
      const pairs = partners(n, rem(step, fullLike(step, rounds(n))));
      const met = columnsIn(x, pairs);
      const own = diagonal(x);
      const partner = broadcastInDim(pairs, own.shape, [own.ndim - 1]);
      const across = (v: Value): Value => gatherAlong(v, partner, own.ndim - 1);
      // Rounding spoils the symmetry, but both columns of a pair must turn by the same angle.
      const beside = diagonal(met);
      const [c, s] = angles(own, across(own), times(add(beside, across(beside)), 0.5), partner);
      const half = matrixTranspose(turned(x, met, c, s));
      return [[turned(half, columnsIn(half, pairs), c, s), turned(v, columnsIn(v, pairs), c, s)], null];
    },
    [matrix, identityLike(matrix)] as const,
    counting(sweeps(n) * rounds(n)),
  );
  const [w, order] = ordered(diagonal(diagonalized));
  const v = columnsIn(vectors, order);
  return [ofFinite(whole, scaledColumns(v, signs(v))), ofFinite(whole, mul(w, along(scale, w.shape, -1)))];
}

/** One-sided rotations: columns become orthogonal, and their lengths are the singular values. */
function tallSvd(a: Value, fullMatrices: boolean, computeUv: boolean): readonly [s: Value, u: Value, v: Value] {
  const n = a.shape.at(-1)!;
  const [matrix, scale] = normalized(a);
  const unit = identityLike(zeros(like(a.aval, n, n)));
  const [[columns, rotated]] = scan(
    ([x, v]: readonly [Value, Value], step: Value): readonly [readonly [Value, Value], null] => {
      const pairs = partners(n, rem(step, fullLike(step, rounds(n))));
      const met = columnsIn(x, pairs);
      const own = reduceSum(mul(x, x), [x.ndim - 2]);
      const partner = broadcastInDim(pairs, own.shape, [own.ndim - 1]);
      const mixed = reduceSum(mul(x, met), [x.ndim - 2]);
      const [c, s] = angles(own, gatherAlong(own, partner, own.ndim - 1), mixed, partner);
      const next = computeUv ? turned(v, columnsIn(v, pairs), c, s) : v;
      return [[turned(x, met, c, s), next], null];
    },
    [matrix, unit] as const,
    counting(sweeps(n) * rounds(n)),
  );
  const [negated, order] = ordered(neg(reduceSum(mul(columns, columns), [columns.ndim - 2])));
  const lengths = sqrt(neg(negated));
  const s = mul(lengths, along(scale, lengths.shape, -1));
  if (!computeUv) return [s, columns, rotated];
  // Reflections of orthogonal columns scale them to length 1, but for signs, and complete those of length 0.
  const [q, r] = qr(columnsIn(columns, order), { fullMatrices });
  const onDiagonal = diagonal(r);
  const one = fullLike(onDiagonal, 1);
  const flips = select(lt(onDiagonal, zeros(onDiagonal.aval)), neg(one), one);
  const extra = q.shape.at(-1)! - n;
  return [s, scaledColumns(q, extra > 0 ? extended(flips, extra) : flips), columnsIn(rotated, order)];
}

/** Vectors with ones appended. */
const extended = (x: Value, count: number): Value =>
  concatenate([x, ones(makeAval([...x.shape.slice(0, -1), count], x.dtype, x.aval.weak))], x.ndim - 1);

/** The decomposition of a tall matrix, or of the transposed one; then signs. */
export function svd([a]: readonly Value[], { fullMatrices, computeUv }: ParamsOf<typeof svdP>): readonly Value[] {
  const [m, n] = sidesOf(a!.shape);
  const tall = m >= n;
  const k = Math.min(m, n);
  if (k === 0) return nothing(a!, fullMatrices, computeUv);
  const [s, long, short] = tallSvd(tall ? a! : matrixTranspose(a!), fullMatrices, computeUv);
  if (!computeUv) return [ofFinite(a!, s)];
  const [u, v] = tall ? [long, short] : [short, long];
  const part = (x: Value): Value => sliceAxis(x, x.ndim - 1, 0, k);
  const rest = (x: Value, from: Value): Value =>
    concatenate([from, sliceAxis(signs(x), x.ndim - 2, k, x.shape.at(-1)!)], x.ndim - 2);
  const byU = signs(u);
  const byBoth = select(gt(s, zeros(s.aval)), signs(part(u)), signs(part(v)));
  const byV = v.shape.at(-1)! > k ? rest(v, byBoth) : byBoth;
  const [left, right] = [scaledColumns(u, byU), matrixTranspose(scaledColumns(v, byV))];
  return [s, left, right].map((x) => ofFinite(a!, x));
}

/** Of matrices without elements: no singular values, and any orthonormal columns. */
function nothing(a: Value, fullMatrices: boolean, computeUv: boolean): readonly Value[] {
  const [m, n] = sidesOf(a.shape);
  const s = zeros(makeAval([...a.shape.slice(0, -2), 0], a.dtype, a.aval.weak));
  const unit = (rows: number, columns: number): Value => identityLike(zeros(like(a.aval, rows, columns)));
  return computeUv ? [s, unit(m, fullMatrices ? m : 0), unit(fullMatrices ? n : 0, n)] : [s];
}
