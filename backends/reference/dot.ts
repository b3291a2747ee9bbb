/**
 * `dot_general`: every contraction is a batch of matrix products `[B, M, K] × [B, N, K] → [B, M, N]`.
 *
 * The groups of axes become single strides (an operand whose groups do not merge is first copied dense), so transposed
 * operands cost nothing. Large float products are packed: panels of four rows, in double, interleaved along K, which a tile
 * of 4 × 4 local accumulators then walks over the *whole* of K. So a float32 result is rounded once, whatever K is.
 * Thin and small products, where packing would dominate, and integers run as plain loops.
 */

import type { Aval } from '../../src/core/aval.ts';
import { isFloat, type TypedArray } from '../../src/core/dtype.ts';
import { range, sizeOf, stridesOf } from '../../src/core/shape.ts';
import type { Kernel, Lower } from './kernel.ts';
import { scratch } from './scratch.ts';
import { mergedAxes, type Sweep, stridedCopy } from './strided.ts';

/** Params of `dot_general`; the axes of the result are batch, free of the left operand, free of the right one. */
export interface DotParams {
  readonly lhsContracting: readonly number[];
  readonly rhsContracting: readonly number[];
  readonly lhsBatch: readonly number[];
  readonly rhsBatch: readonly number[];
}

/** One operand as `[batch, rows, k]`, by strides, and the copy that makes it so if its axes are not. */
interface Operand {
  readonly batch: number;
  readonly rows: number;
  readonly k: number;
  readonly batchStride: number;
  readonly rowStride: number;
  readonly kStride: number;
  readonly pack: Sweep | null;
  readonly size: number;
}

function operand(x: Aval, batch: readonly number[], contracting: readonly number[]): Operand {
  const free = range(x.shape.length).filter((axis) => !batch.includes(axis) && !contracting.includes(axis));
  const groups = [batch, free, contracting];
  const own = stridesOf(x.shape);
  const [b, m, k] = groups.map((axes) => sizeOf(axes.map((axis) => x.shape[axis]!))) as [number, number, number];
  const merged = groups.map((axes) => {
    const view = { offset: 0, strides: axes.map((axis) => own[axis]!) };
    return mergedAxes(
      axes.map((axis) => x.shape[axis]!),
      view,
      view,
    );
  });
  const sizes = { batch: b, rows: m, k, size: x.size };
  if (merged.every((axes) => axes.length <= 1)) {
    const [batchStride, rowStride, kStride] = merged.map((axes) => axes[0]?.s ?? 0) as [number, number, number];
    return { ...sizes, batchStride, rowStride, kStride, pack: null };
  }
  const order = groups.flat();
  const shape = order.map((axis) => x.shape[axis]!);
  const source = { offset: 0, strides: order.map((axis) => own[axis]!) };
  const pack = stridedCopy(x.dtype, shape, source, { offset: 0, strides: stridesOf(shape) });
  return { ...sizes, batchStride: m * k, rowStride: k, kStride: 1, pack };
}

/** A product `out[b, m, n] = Σₖ x[b, m, k] y[b, n, k]`; `m` and `n` are the strides of the result. */
interface Product {
  readonly x: Operand;
  readonly y: Operand;
  readonly m: number;
  readonly n: number;
}

type Loop = (product: Product, x: TypedArray, y: TypedArray, out: TypedArray) => void;

/** Sum of products over the contracted axes; of nothing 0. Floats accumulate in double, integers wrap. */
export const dotGeneral: Lower<DotParams> = (ins, _outs, params) => {
  const lhs = operand(ins[0]!, params.lhsBatch, params.lhsContracting);
  const rhs = operand(ins[1]!, params.rhsBatch, params.rhsContracting);
  const product: Product = { x: lhs, y: rhs, m: rhs.rows, n: 1 };
  if (!isFloat(ins[0]!.dtype)) return kernel(dotWord, product);
  if (Math.min(lhs.rows, rhs.rows) >= side && lhs.rows * rhs.rows * lhs.k > 512) return kernel(blocked, product);
  // Thin: the operand with more rows is walked along the axis on which it is contiguous.
  const wide = lhs.rows > rhs.rows ? lhs : rhs;
  if (wide.rowStride !== 1 || wide.kStride === 1 || wide.rows < 8) return kernel(dotFloat, product);
  if (wide === rhs) return kernel(rowsFloat, product);
  const swapped: Product = { x: rhs, y: lhs, m: 1, n: rhs.rows };
  const run = kernel(rowsFloat, swapped);
  return (ins, outs) => run([ins[1]!, ins[0]!], outs);
};

const kernel =
  (loop: Loop, product: Product): Kernel =>
  (ins, outs) =>
    loop(product, dense(product.x, ins[0]!), dense(product.y, ins[1]!), outs[0]!);

function dense({ pack, size }: Operand, x: TypedArray): TypedArray {
  if (!pack) return x;
  const copy = new (x.constructor as new (size: number) => TypedArray)(size);
  pack(x, copy);
  return copy;
}

const dotFloat: Loop = ({ x, y, m, n }, xs, ys, out) => {
  const [xk, yk, length] = [x.kStride, y.kStride, x.k];
  for (let b = 0; b < x.batch; b++) {
    for (let i = 0; i < x.rows; i++) {
      for (let j = 0; j < y.rows; j++) {
        let p = b * x.batchStride + i * x.rowStride;
        let q = b * y.batchStride + j * y.rowStride;
        let sum = 0;
        for (let k = 0; k < length; k++, p += xk, q += yk) sum += xs[p]! * ys[q]!;
        out[b * x.rows * y.rows + i * m + j * n] = sum;
      }
    }
  }
};
const dotWord: Loop = ({ x, y, m, n }, xs, ys, out) => {
  const [xk, yk, length] = [x.kStride, y.kStride, x.k];
  for (let b = 0; b < x.batch; b++) {
    for (let i = 0; i < x.rows; i++) {
      for (let j = 0; j < y.rows; j++) {
        let p = b * x.batchStride + i * x.rowStride;
        let q = b * y.batchStride + j * y.rowStride;
        let sum = 0;
        for (let k = 0; k < length; k++, p += xk, q += yk) sum = (sum + Math.imul(xs[p]!, ys[q]!)) | 0;
        out[b * x.rows * y.rows + i * m + j * n] = sum;
      }
    }
  }
};

/** Each row of the result is a sum of rows of `y`, which are contiguous (`y.rowStride` is 1). */
const rowsFloat: Loop = ({ x, y, m, n }, xs, ys, out) => {
  const columns = y.rows;
  const sum = scratch(columns);
  for (let b = 0; b < x.batch; b++) {
    for (let i = 0; i < x.rows; i++) {
      sum.fill(0, 0, columns);
      for (let k = 0; k < x.k; k++) {
        const scale = xs[b * x.batchStride + i * x.rowStride + k * x.kStride]!;
        const q = b * y.batchStride + k * y.kStride;
        for (let j = 0; j < columns; j++) sum[j]! += scale * ys[q + j]!;
      }
      const p = b * x.rows * columns + i * m;
      for (let j = 0; j < columns; j++) out[p + j * n] = sum[j]!;
    }
  }
};

/** Rows and columns of the register tile. */
const side = 4;

/** Elements of a packed block of either operand: the left one stays in the second-level cache, the right one in memory. */
const leftBlock = 1 << 15;
const rightBlock = 1 << 21;

const blocked: Loop = ({ x, y }, xs, ys, out) => {
  const { rows, k } = x;
  const columns = y.rows;
  const rowsAtOnce = blockRows(rows, k, leftBlock);
  const columnsAtOnce = blockRows(columns, k, rightBlock);
  const left = 0;
  const right = rowsAtOnce * k;
  const panels = scratch((rowsAtOnce + columnsAtOnce) * k);
  for (let b = 0; b < x.batch; b++) {
    const corner = b * rows * columns;
    for (let j0 = 0; j0 < columns; j0 += columnsAtOnce) {
      const width = Math.min(columnsAtOnce, columns - j0);
      packPanels(ys, b * y.batchStride + j0 * y.rowStride, y.rowStride, y.kStride, width, k, panels, right);
      for (let i0 = 0; i0 < rows; i0 += rowsAtOnce) {
        const height = Math.min(rowsAtOnce, rows - i0);
        packPanels(xs, b * x.batchStride + i0 * x.rowStride, x.rowStride, x.kStride, height, k, panels, left);
        for (let j = 0; j < width; j += side) {
          for (let i = 0; i < height; i += side) {
            const at = corner + (i0 + i) * columns + j0 + j;
            if (i + side <= height && j + side <= width) {
              tile(panels, left + i * k, right + j * k, k, out, at, columns);
              continue;
            }
            tile(panels, left + i * k, right + j * k, k, border, 0, side);
            for (let r = 0; r < Math.min(side, height - i); r++) {
              for (let c = 0; c < Math.min(side, width - j); c++) out[at + r * columns + c] = border[r * side + c]!;
            }
          }
        }
      }
    }
  }
};

/** As many rows of length `k` as fit in `elements`, in whole panels, and no more than there are. */
const blockRows = (rows: number, k: number, elements: number): number =>
  side * Math.max(1, Math.min(Math.ceil(rows / side), Math.floor(elements / (side * k))));

/** Where a tile that overlaps the edge of the result goes first. */
const border = new Float64Array(side * side);

/** Rows as panels of four, interleaved along K: `to[4 * (panel * k + i) + row % 4]`; the last panel is filled up with zeros. */
function packPanels(
  from: TypedArray,
  offset: number,
  rowStride: number,
  kStride: number,
  rows: number,
  k: number,
  to: Float64Array,
  at: number,
): void {
  for (let row = 0; row < rows; row += side) {
    const start = at + row * k;
    const p = offset + row * rowStride;
    if (row + side <= rows) {
      const [p1, p2, p3] = [p + rowStride, p + 2 * rowStride, p + 3 * rowStride];
      for (let i = 0, s = 0, q = start; i < k; i++, s += kStride, q += side) {
        to[q] = from[p + s]!;
        to[q + 1] = from[p1 + s]!;
        to[q + 2] = from[p2 + s]!;
        to[q + 3] = from[p3 + s]!;
      }
    } else {
      for (let r = 0; r < side; r++) {
        const present = row + r < rows;
        for (let i = 0; i < k; i++) to[start + i * side + r] = present ? from[p + r * rowStride + i * kStride]! : 0;
      }
    }
  }
}

/** The 4 × 4 product of the panels at `a` and `b`, stored at `at` with `stride` between rows. */
function tile(
  panels: Float64Array,
  a: number,
  b: number,
  k: number,
  out: TypedArray,
  at: number,
  stride: number,
): void {
  let [c00, c01, c02, c03] = [0, 0, 0, 0];
  let [c10, c11, c12, c13] = [0, 0, 0, 0];
  let [c20, c21, c22, c23] = [0, 0, 0, 0];
  let [c30, c31, c32, c33] = [0, 0, 0, 0];
  let p = a;
  let q = b;
  for (let i = 0; i < k; i++) {
    const b0 = panels[q]!;
    const b1 = panels[q + 1]!;
    const b2 = panels[q + 2]!;
    const b3 = panels[q + 3]!;
    const a0 = panels[p]!;
    c00 += a0 * b0;
    c01 += a0 * b1;
    c02 += a0 * b2;
    c03 += a0 * b3;
    const a1 = panels[p + 1]!;
    c10 += a1 * b0;
    c11 += a1 * b1;
    c12 += a1 * b2;
    c13 += a1 * b3;
    const a2 = panels[p + 2]!;
    c20 += a2 * b0;
    c21 += a2 * b1;
    c22 += a2 * b2;
    c23 += a2 * b3;
    const a3 = panels[p + 3]!;
    c30 += a3 * b0;
    c31 += a3 * b1;
    c32 += a3 * b2;
    c33 += a3 * b3;
    p += side;
    q += side;
  }
  out[at] = c00;
  out[at + 1] = c01;
  out[at + 2] = c02;
  out[at + 3] = c03;
  const r1 = at + stride;
  out[r1] = c10;
  out[r1 + 1] = c11;
  out[r1 + 2] = c12;
  out[r1 + 3] = c13;
  const r2 = r1 + stride;
  out[r2] = c20;
  out[r2 + 1] = c21;
  out[r2 + 2] = c22;
  out[r2 + 3] = c23;
  const r3 = r2 + stride;
  out[r3] = c30;
  out[r3 + 1] = c31;
  out[r3 + 2] = c32;
  out[r3 + 3] = c33;
}
