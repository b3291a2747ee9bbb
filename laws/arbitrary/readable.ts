/**
 * Elements for people: drawn as finely as others, but a counterexample shrinks to whole numbers, then halves, and as many zeros
 * and ones as it can.
 *
 * A tensor shrinks as one: all of it, then its halves, its quarters, down to single elements if it is small. A model of thousands
 * of parameters is so reduced in some hundred steps.
 */

import * as fc from 'fast-check';
import { type DType, isFloat } from '../../src/core/dtype.ts';
import type { Domain } from './elements.ts';

/** Floats are multiples of 1/256. */
const grid = 256;
/** A tensor of more elements is not shrunk one by one. */
const parts = 64;

/** Floats of [low, high], and whole numbers there in other dtypes (0 and 1 for bool, from 0 for uint32). */
export const readable =
  (low: number, high: number): Domain =>
  (dtype, n) =>
    new Elements(stepsOf(dtype), ...boundsOf(dtype, low, high), n);

/** Whole numbers of [low, high], in any dtype: labels, indices. */
export const between =
  (low: number, high: number): Domain =>
  (dtype, n) =>
    new Elements(1, ...boundsOf(dtype, low, high), n);

const stepsOf = (dtype: DType): number => (isFloat(dtype) ? grid : 1);

function boundsOf(dtype: DType, low: number, high: number): readonly [number, number] {
  if (dtype === 'bool') return [0, 1];
  const least = dtype === 'uint32' ? Math.max(0, low) : low;
  if (least <= high) return [least, high];
  throw new RangeError(`elements of ${dtype} from ${low} to ${high}: there are none`);
}

/** Lists of `n` multiples of 1/steps from `low` to `high`. */
class Elements extends fc.Arbitrary<readonly number[]> {
  private readonly steps: number;
  private readonly low: number;
  private readonly high: number;
  private readonly n: number;

  constructor(steps: number, low: number, high: number, n: number) {
    super();
    this.steps = steps;
    this.low = low;
    this.high = high;
    this.n = n;
  }

  override generate(random: fc.Random): fc.Value<readonly number[]> {
    const [least, most] = [Math.ceil(this.low * this.steps), Math.floor(this.high * this.steps)];
    const draw = (): number => random.nextInt(least, most) / this.steps || 0;
    return new fc.Value(Array.from({ length: this.n }, draw), undefined);
  }

  override canShrinkWithoutContext(value: unknown): value is readonly number[] {
    return Array.isArray(value) && value.length === this.n && value.every((x) => typeof x === 'number');
  }

  override shrink(value: readonly number[]): fc.Stream<fc.Value<readonly number[]>> {
    return fc.stream(this.simpler(value)).map((xs) => new fc.Value(xs, undefined));
  }

  private *simpler(xs: readonly number[]): IterableIterator<readonly number[]> {
    for (const [from, to] of blocksOf(xs.length)) {
      const seen = new Set([xs.slice(from, to).join()]);
      for (const rewrite of this.rewrites) {
        const block = xs.slice(from, to).map((x) => simplest(x, rewrite(x)));
        if (seen.has(block.join())) continue;
        seen.add(block.join());
        yield [...xs.slice(0, from), ...block, ...xs.slice(to)];
      }
    }
  }

  /** From the simplest on; what is outside the bounds is the nearest bound. */
  private readonly rewrites: readonly ((x: number) => number)[] = [
    () => 0,
    () => 1,
    Math.abs,
    Math.trunc,
    Math.round,
    (x: number) => Math.trunc(x * 2) / 2,
    (x: number) => Math.round(x * 2) / 2,
    (x: number) => Math.round(x * 8) / 8,
  ].map((f) => (x: number) => Math.min(this.high, Math.max(this.low, f(x))) || 0);
}

/** All of a list, its halves, its quarters, …: at most {@link parts} blocks of a size. */
function* blocksOf(n: number): IterableIterator<readonly [number, number]> {
  for (let count = 1; count <= parts && (count === 1 || count < 2 * n); count *= 2) {
    for (let i = 0; i < count; i++) {
      const [from, to] = [Math.floor((i * n) / count), Math.floor(((i + 1) * n) / count)];
      if (from < to) yield [from, to];
    }
  }
}

/** How hard a number is to read: by its binary places, then its size, then its sign. */
const weight = (x: number): number => {
  let places = 0;
  while (places < 9 && !Number.isInteger(x * 2 ** places)) places += 1;
  return places * 1e6 + 2 * Math.min(Math.abs(x), 1e5) + (x < 0 ? 1 : 0);
};

const simplest = (x: number, other: number): number => (weight(other) < weight(x) ? other : x);
