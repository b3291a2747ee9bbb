/**
 * All prefixes of an associative operation in O(n) applications and O(log n) steps (Ladner and Fischer 1980), in the order in
 * which JAX's `associative_scan` applies it: pairs of neighbours, their prefixes, and from those the prefixes between.
 */

import type { Value } from '../core/value.ts';
import { concatenate, reshape, rev, slice, sliceAxis } from './structural.ts';

/** An associative operation on tuples of tensors. */
export type Combine = (a: readonly Value[], b: readonly Value[]) => readonly Value[];

/** The elements `begin`, `begin + 2`, … below `end` on one axis. */
const everyOther = (x: Value, axis: number, begin: number, end: number): Value =>
  slice(
    x,
    x.shape.map((_, i) => (i === axis ? begin : 0)),
    x.shape.map((n, i) => (i === axis ? end : n)),
    x.shape.map((_, i) => (i === axis ? 2 : 1)),
  );

/** Elements of `even` and `odd` in turn; `even` has as many, or one more. */
function interleave(even: Value, odd: Value, axis: number): Value {
  const n = odd.shape[axis]!;
  const unit = (x: Value): Value => reshape(x, [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)]);
  const pairs = concatenate([unit(sliceAxis(even, axis, 0, n)), unit(odd)], axis + 1);
  const turns = reshape(
    pairs,
    odd.shape.map((length, i) => (i === axis ? 2 * n : length)),
  );
  const rest = even.shape[axis]!;
  return rest === n ? turns : concatenate([turns, sliceAxis(even, axis, n, rest)], axis);
}

/** The tuple combined of the first 1, 2, … elements of `elements` along `axes`, one of each, or of the last ones if `reverse`. */
export function associativeScan(
  combine: Combine,
  elements: readonly Value[],
  axes: readonly number[],
  reverse: boolean,
): readonly Value[] {
  const turned = (xs: readonly Value[]): readonly Value[] => (reverse ? xs.map((x, i) => rev(x, [axes[i]!])) : xs);
  return turned(prefixes(combine, turned(elements), axes));
}

function prefixes(combine: Combine, elements: readonly Value[], axes: readonly number[]): readonly Value[] {
  const n = elements[0]?.shape[axes[0]!] ?? 0;
  if (n < 2) return elements;
  const part = (xs: readonly Value[], begin: number, end: number): readonly Value[] =>
    xs.map((x, i) => everyOther(x, axes[i]!, begin, end));
  const start = (xs: readonly Value[], end: number): readonly Value[] =>
    xs.map((x, i) => sliceAxis(x, axes[i]!, 0, end));
  const odd = prefixes(combine, combine(part(elements, 0, n - 1), part(elements, 1, n)), axes);
  const first = start(elements, 1);
  if (n === 2) return first.map((x, i) => interleave(x, odd[i]!, axes[i]!));
  const between = combine(start(odd, Math.ceil(n / 2) - 1), part(elements, 2, n));
  return first.map((x, i) => interleave(concatenate([x, between[i]!], axes[i]!), odd[i]!, axes[i]!));
}
