/** `emitContraction`: which of the ways to compute a product of matrices a shape takes. */

import { nothing } from '../code/control.ts';
import type { Module } from '../code/module.ts';
import { count, run } from './axes.ts';
import { emitDot, isDot } from './dot.ts';
import { emitOuter, type Product } from './outer.ts';
import { type Contraction, parametersOf, planOuter, simplified, transposed } from './plan.ts';

/**
 * Adds to the module a function that computes a contraction, block by block. Calls of it with parts of the blocks, in any order and
 * each with a scratch memory of its own, give the same bits as one call.
 */
export function emitContraction(module: Module, contraction: Contraction): Product {
  const x = simplified(contraction);
  if (count(x.batch) * count(x.m) * count(x.n) === 0) {
    const func = module.func(parametersOf(x.epilogue, x.together)).body(nothing);
    return { func, scratchBytes: 0, blocks: 0, unit: 1, packing: null };
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
