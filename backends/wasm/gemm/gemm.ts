/** `emitGemm` and `emitContraction`: which of the ways to compute a product of matrices a shape takes. */

import { nothing } from '../code/control.ts';
import type { Module } from '../code/module.ts';
import type { Element } from './arithmetic.ts';
import { count, run } from './axes.ts';
import { emitDot, isDot } from './dot.ts';
import { emitOuter, type Product } from './outer.ts';
import { type Contraction, planOuter, simplified, transposed } from './plan.ts';

/** A product of matrices: extents, and how many elements lie between neighbours (0: the same element again). */
export interface GemmShape {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly dtype: Element;
  /** Extents of the batch's axes. */
  readonly batch: readonly number[];
  readonly a: Strides;
  readonly b: Strides;
  readonly c: Strides;
  readonly relaxed: boolean;
  readonly epilogue: Contraction['epilogue'];
}

/** Strides of a matrix, (m, k) for A, (k, n) for B, (m, n) for C, and of the batch's axes. */
export interface Strides {
  readonly row: number;
  readonly column: number;
  readonly batch: readonly number[];
}

/** Adds to the module a function that computes C[…, m, n] = Σₖ A[…, m, k] · B[…, k, n]. */
export const emitGemm = (module: Module, { m, n, k, dtype, batch, a, b, c, relaxed, epilogue }: GemmShape): Product =>
  emitContraction(module, {
    dtype,
    batch: batch.map((extent, i) => ({ extent, a: a.batch[i]!, b: b.batch[i]!, c: c.batch[i]! })),
    m: [{ extent: m, a: a.row, b: 0, c: c.row }],
    n: [{ extent: n, a: 0, b: b.column, c: c.column }],
    k: [{ extent: k, a: a.column, b: b.row, c: 0 }],
    relaxed,
    epilogue,
  });

/**
 * Adds to the module a function that computes a contraction, block by block. Calls of it with parts of the blocks, in any order and
 * each with a scratch memory of its own, give the same bits as one call.
 */
export function emitContraction(module: Module, contraction: Contraction): Product {
  const x = simplified(contraction);
  if (count(x.batch) * count(x.m) * count(x.n) === 0) {
    const func = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']).body(nothing);
    return { func, scratchBytes: 0, blocks: 0 };
  }
  const turned = transposed(x);
  if (isDot(x)) return emitDot(module, x, false);
  if (isDot(turned)) return emitDot(module, turned, true);
  return isAcross(x) ? emitOuter(module, turned, planOuter(turned, true)) : emitOuter(module, x, planOuter(x, false));
}

/** Whether rows and columns change places: vectors lie along columns, where C and B should be contiguous. */
function isAcross(x: Contraction): boolean {
  const [rows, columns] = [count(x.m), count(x.n)];
  const fewColumns = columns < 16 && rows > columns && run(x.m, 'a').stride === 1 && run(x.m, 'a').extent > columns;
  return fewColumns || (run(x.m, 'c').stride === 1 && rows > 1 && (run(x.n, 'c').stride !== 1 || columns === 1));
}
