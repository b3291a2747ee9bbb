/** Numbers in rows, from tensors or from arrays: what pictures of matrices take. */

import { showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { Tensor, Value } from '../core/value.ts';

/** A matrix: a tensor of two axes on a device that is read synchronously, or rows of numbers. */
export type Grid = Value | readonly (readonly number[])[];

/** The rows of a matrix. @throws ShapeError unless there are two axes, and rows of one length */
export function rowsOf(op: string, grid: Grid): readonly (readonly number[])[] {
  if (grid instanceof Value) {
    if (grid.ndim !== 2) throw wrong(op, `the matrix is ${showAval(grid.aval)}`);
    const [, columns] = grid.shape as readonly [number, number];
    const data = numbersOf(op, grid);
    return Array.from({ length: grid.shape[0]! }, (_, i) => data.slice(i * columns, (i + 1) * columns));
  }
  const odd = grid.findIndex((row) => row.length !== grid[0]!.length);
  if (odd > 0) throw wrong(op, `row ${odd} has ${grid[odd]!.length} numbers, row 0 has ${grid[0]!.length}`);
  return grid;
}

/** The elements of a tensor as numbers. @throws ShapeError for a tracer: a picture is no part of a program */
export function numbersOf(op: string, x: Value): number[] {
  if (x instanceof Tensor) return Array.from(x.dataSync(), Number);
  throw new ShapeError({
    op,
    problem: `${showAval(x.aval)} is a tracer and has no elements to draw`,
    remedy: 'draw what a transformed function returns, or use debug.callback inside of it',
  });
}

const wrong = (op: string, problem: string): ShapeError =>
  new ShapeError({ op, problem, remedy: 'pass a matrix: a tensor of two axes, or rows of one length' });
