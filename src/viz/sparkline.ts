/** Curves of one line of text. */

import { isDrawable } from './figure.ts';

const blocks = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const;

/**
 * Numbers as a line of blocks, from the least to the greatest; a space for one that is not finite.
 *
 * @param width - at most so many blocks: further numbers are averaged
 *
 * @example
 * ```ts
 * import { sparkline } from 'pullback/viz';
 * console.log(sparkline([4, 2, 1, 0.5, 0.4])); // => █▄▂▁▁
 * ```
 */
export function sparkline(values: readonly number[], width = 60): string {
  const count = Math.min(width, values.length);
  const means = Array.from({ length: count }, (_, i) => {
    const part = values.slice(Math.floor((i * values.length) / count), Math.floor(((i + 1) * values.length) / count));
    return part.reduce((sum, x) => sum + x, 0) / part.length;
  });
  const drawable = means.filter(isDrawable);
  const [low, high] = [Math.min(...drawable), Math.max(...drawable)];
  return means
    .map((x) => (isDrawable(x) ? blocks[high > low ? Math.round(((x - low) / (high - low)) * 7) : 0] : ' '))
    .join('');
}
