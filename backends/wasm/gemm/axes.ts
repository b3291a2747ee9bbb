/**
 * Where the elements of a contraction lie: an index (of rows, of columns, of what is summed over, of the batch) is one number that
 * counts through several axes, and each operand has its own strides for them.
 *
 * Neighbouring axes that follow each other in every operand are merged, so that most indices are one axis and an address is a
 * product; where they are not, as in a view [batch, heads, time, depth] contracted over heads and depth, the address takes the
 * number apart, once for each row that is packed and never in an inner loop.
 */

import { type Code, i32 } from '../code/instructions.ts';

/** An axis: its length, and from one element to the next how many elements further in each operand (0: the same one). */
export interface Axis {
  readonly extent: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

export type Operand = 'a' | 'b' | 'c';

/** The number of values of an index. */
export const count = (axes: readonly Axis[]): number => axes.reduce((n, { extent }) => n * extent, 1);

/** Without axes of length 1, and neighbours as one where they follow each other in all operands. */
export function merged(axes: readonly Axis[]): Axis[] {
  const all: Axis[] = [];
  for (const axis of axes) {
    if (axis.extent === 1) continue;
    const last = all.at(-1);
    const n = axis.extent;
    if (last && last.a === n * axis.a && last.b === n * axis.b && last.c === n * axis.c) {
      all[all.length - 1] = { ...axis, extent: last.extent * n };
    } else all.push(axis);
  }
  return all;
}

/** How many of the last axes an operand runs through with one stride, and which. */
export function run(axes: readonly Axis[], operand: Operand): { readonly extent: number; readonly stride: number } {
  const last = axes.at(-1);
  if (!last) return { extent: 1, stride: 1 };
  let extent = last.extent;
  for (let i = axes.length - 2; i >= 0 && axes[i]![operand] === extent * last[operand]; i--) extent *= axes[i]!.extent;
  return { extent, stride: last[operand] };
}

const times = (x: Code, n: number): Code => {
  if (n === 1) return x;
  const power = Math.log2(n);
  return Number.isInteger(power) ? i32.shl(x, i32.const(power)) : i32.mul(x, i32.const(n));
};

/** How far an index lies from the beginning, in bytes. `index` is evaluated several times. */
export function offset(axes: readonly Axis[], operand: Operand, index: Code, bytes: number): Code {
  const parts: Code[] = [];
  if (count(axes) === 0) return i32.const(0);
  let inner = 1;
  // Axes that this operand runs through with one stride need not be taken apart.
  for (let i = axes.length - 1; i >= 0; ) {
    const { extent, stride } = run(axes.slice(0, i + 1), operand);
    let length = 1;
    while (length < extent) length *= axes[i--]!.extent;
    if (extent === 1) i--;
    if (stride !== 0 && extent > 1) {
      const within = inner === 1 ? index : i32.divU(index, i32.const(inner));
      parts.push(times(i < 0 ? within : i32.remU(within, i32.const(extent)), stride * bytes));
    }
    inner *= extent;
  }
  return parts.length === 0 ? i32.const(0) : parts.reduce((sum, part) => i32.add(sum, part));
}
