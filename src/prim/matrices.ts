/**
 * What the rules of linear algebra are made of: products, transposes and parts of the matrices that lie on the last two axes.
 * All axes before those are batch axes, equal in all operands.
 */

import { type Aval, makeAval, showAval } from '../core/aval.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import type { BatchDim } from '../core/primitive.ts';
import { range, type Shape, sameShape } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { add, mul } from './arithmetic.ts';
import { eq, ge, gt, select } from './compare.ts';
import { fullLike, zeros } from './compose.ts';
import { expectKind } from './define.ts';
import { dotGeneral } from './dot.ts';
import { broadcastInDim, iota, moveAxis, reshape, slice, sliceAxis, transpose } from './structural.ts';

/** The batch axes. */
export const batchOf = (shape: Shape): Shape => shape.slice(0, -2);

/** Rows and columns. */
export const sidesOf = (shape: Shape): readonly [number, number] => shape.slice(-2) as [number, number];

/** @throws DTypeError or ShapeError unless these are matrices of floats */
export function expectMatrices(op: string, aval: Aval): void {
  expectKind(op, 'float', aval);
  if (aval.shape.length >= 2) return;
  throw new ShapeError({
    op,
    problem: `${showAval(aval)} is no matrix: it has ${aval.shape.length === 1 ? '1 axis' : 'no axes'}`,
    remedy: 'matrices lie on the last two axes; np.reshape or np.expandDims inserts axes',
  });
}

/** @throws DTypeError or ShapeError unless these are square matrices of floats */
export function expectSquare(op: string, aval: Aval): void {
  expectMatrices(op, aval);
  const [m, n] = sidesOf(aval.shape);
  if (m === n) return;
  throw new ShapeError({
    op,
    problem: `needs square matrices, got ${showAval(aval)}: ${m} rows and ${n} columns`,
    remedy: 'the last two axes must have equal lengths',
  });
}

/** @throws DTypeError or ShapeError unless both have one dtype and equal batch axes */
export function expectBatched(op: string, a: Aval, b: Aval): void {
  if (a.dtype !== b.dtype) {
    throw new DTypeError({
      op,
      problem: `operands must have equal dtypes, got ${showAval(a)} and ${showAval(b)}`,
      remedy: 'cast one of them, or use the function of np.linalg, which promotes',
    });
  }
  if (sameShape(batchOf(a.shape), batchOf(b.shape))) return;
  throw new ShapeError({
    op,
    problem: `operands must have equal batch axes, got ${showAval(a)} and ${showAval(b)}`,
    remedy: 'broadcast them first, or use the function of np.linalg, which broadcasts',
  });
}

/** The transposed matrices. */
export function matrixTranspose(x: Value): Value {
  const n = x.ndim;
  return transpose(x, [...range(n - 2), n - 1, n - 2]);
}

/** Which operands of a product are transposed first. */
interface Transposed {
  readonly x?: boolean;
  readonly y?: boolean;
}

/** The product of matrices; a transposed operand costs nothing. */
export function matmul(x: Value, y: Value, { x: tx = false, y: ty = false }: Transposed = {}): Value {
  const n = x.ndim;
  const batch = range(n - 2);
  return dotGeneral(x, y, {
    lhsContracting: [tx ? n - 2 : n - 1],
    rhsContracting: [ty ? n - 1 : n - 2],
    lhsBatch: batch,
    rhsBatch: batch,
  });
}

const rowIndex = (x: Value): Value => iota(x.shape, x.ndim - 2, 'int32');
const columnIndex = (x: Value): Value => iota(x.shape, x.ndim - 1, 'int32');

/** The triangle below the diagonal (or above it), with the diagonal unless `strict`; zeros elsewhere. */
export function triangle(x: Value, lower: boolean, strict = false): Value {
  const [far, near] = lower ? [rowIndex(x), columnIndex(x)] : [columnIndex(x), rowIndex(x)];
  return select((strict ? gt : ge)(far, near), x, zeros(x.aval));
}

/** True on the diagonal. */
export const onDiagonal = (x: Value): Value => eq(rowIndex(x), columnIndex(x));

/** The diagonal of each matrix, as a vector: of the k × k elements in a row every (k + 1)-th. */
export function diagonal(x: Value): Value {
  const k = Math.min(...sidesOf(x.shape));
  const square = sliceAxis(sliceAxis(x, x.ndim - 2, 0, k), x.ndim - 1, 0, k);
  const rows = reshape(square, [...batchOf(x.shape), k * k]);
  const whole = rows.shape;
  return slice(
    rows,
    whole.map(() => 0),
    whole,
    whole.map((_, axis) => (axis === whole.length - 1 ? k + 1 : 1)),
  );
}

/** The symmetric matrices of which this triangle was given; the other one is not read. */
export const mirrored = (x: Value, lower: boolean): Value =>
  add(triangle(x, lower), matrixTranspose(triangle(x, lower, true)));

/** The identity, in the shape and dtype of `x`. */
export const identityLike = (x: Value): Value => select(onDiagonal(x), fullLike(x, 1), zeros(x.aval));

/** Vectors `v` as the rows of matrices with `rows` rows: entry j in every element of column j. */
export const alongColumns = (v: Value, rows: number): Value =>
  broadcastInDim(v, [...v.shape.slice(0, -1), rows, v.shape.at(-1)!], [...range(v.ndim - 1), v.ndim]);

/** Vectors `v` as the columns of matrices with `columns` columns: entry i in every element of row i. */
export const alongRows = (v: Value, columns: number): Value => broadcastInDim(v, [...v.shape, columns], range(v.ndim));

/** `x` times the number `factor`. */
export const times = (x: Value, factor: number): Value => mul(x, fullLike(x, factor));

/** An aval of these batch axes and lengths, otherwise as that of `like`. */
export const like = (source: Aval, ...lengths: readonly number[]): Aval =>
  makeAval([...batchOf(source.shape), ...lengths], source.dtype, source.weak);

/** The batching of what takes matrices alone: the batch axis becomes the first one. */
export const vmapMatrices =
  <P>(apply: (x: Value, params: P) => readonly Value[]) =>
  (_size: number, [x]: readonly Value[], [dim]: readonly BatchDim[], params: P) => {
    const outs = apply(moveAxis(x!, dim!, 0), params);
    return { outs, dims: outs.map(() => 0) };
  };
