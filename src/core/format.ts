/** Elements as text: what `console.log(x)` shows. Long tensors are elided in the middle of each axis, as in NumPy. */

import type { DType, TypedArray } from './dtype.ts';
import { type Shape, sizeOf } from './shape.ts';

/** More elements than this are elided, with this many shown at each end of an axis. */
const threshold = 1000;
const edge = 3;

/** `[[1, 2.5], [3, 4]]`; floats are printed with 6 significant digits, as short as possible. */
export function formatElements(data: TypedArray, shape: Shape, dtype: DType): string {
  const elide = rowsOf(shape) > threshold;
  // Without elements the rows say no more than the shape, which is printed beside them.
  if (sizeOf(shape) === 0 && rowsOf(shape.map((n) => Math.min(n, 2 * edge + 1))) > threshold) return '[…]';
  const build = (axis: number, offset: number): string => {
    if (axis === shape.length) return formatElement(data[offset]!, dtype);
    const length = shape[axis]!;
    const step = sizeOf(shape.slice(axis + 1));
    const parts: string[] = [];
    for (let i = 0; i < length; i++) {
      if (elide && length > 2 * edge && i === edge) {
        parts.push('…');
        i = length - edge;
      }
      parts.push(build(axis + 1, offset + i * step));
    }
    const separator = axis < shape.length - 1 ? `,\n${' '.repeat(axis + 1)}` : ', ';
    return `[${parts.join(separator)}]`;
  };
  return build(0, 0);
}

/** How many elements there are or, if that is more, rows, which may be empty. */
export const rowsOf = (shape: Shape): number =>
  Math.max(...shape.map((_, axis) => sizeOf(shape.slice(0, axis))), sizeOf(shape));

/** One element: `true`, `3`, `0.333333`, `-0`, `Infinity`. */
export function formatElement(x: number, dtype: DType): string {
  if (dtype === 'bool') return x !== 0 ? 'true' : 'false';
  if (Object.is(x, -0)) return '-0';
  return dtype === 'float32' || dtype === 'float64' ? `${Number(x.toPrecision(6))}` : `${x}`;
}
