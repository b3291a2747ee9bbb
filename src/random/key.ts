/**
 * Keys: randomness as a value.
 *
 * A key is the 64-bit key of a hash, Threefry-2x32, and every random number is the hash of a counter under a key; so the same
 * key gives the same numbers, everywhere and under every transform, and independent numbers need independent keys. Bit for
 * bit JAX's generator (`jax_threefry_partitionable`): element i of anything depends on the key and on i alone.
 */

import { makeAval, showAval } from '../core/aval.ts';
import { isInteger } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { range, sizeOf } from '../core/shape.ts';
import { tensorFrom, Value } from '../core/value.ts';
import { shapeOf } from '../ops/axes.ts';
import type { ShapeLike } from '../ops/types.ts';
import { describe } from '../ops/untyped.ts';
import { convertElementType } from '../prim/arithmetic.ts';
import { threefry2x32 } from '../prim/bits.ts';
import { filled, scalar } from '../prim/compose.ts';
import { broadcastInDim, concatenate, iota, reshape, slice, sliceAxis } from '../prim/structural.ts';

/** A random key: uint32[2]. */
export type Key = Value<'uint32'>;

/** `N` keys: a tuple where `N` is known and at most 64. */
export type Keys<N extends number> = number extends N ? readonly Key[] : Tuple<N>;

type Tuple<N extends number, T extends readonly Key[] = readonly []> = T['length'] extends N
  ? T
  : T['length'] extends 64
    ? readonly Key[]
    : Tuple<N, readonly [...T, Key]>;

/** @throws DTypeError or ShapeError unless `key` is uint32[2] */
export function expectKey(op: string, key: Key): void {
  const remedy = 'make keys with random.key(seed), random.split(key) and random.foldIn(key, data)';
  const problem = (): string => `a key is uint32[2], got ${key instanceof Value ? showAval(key.aval) : describe(key)}`;
  if (!(key instanceof Value) || key.dtype !== 'uint32') throw new DTypeError({ op, problem: problem(), remedy });
  if (key.ndim !== 1 || key.shape[0] !== 2) throw new ShapeError({ op, problem: problem(), remedy });
}

/** An integer as a uint32 scalar: a JS number modulo 2³², a tensor by its bits. */
function word(op: string, what: string, data: number | Value): Value {
  if (typeof data === 'number') {
    if (Number.isSafeInteger(data)) return scalar(data >>> 0, 'uint32');
    throw new DTypeError({
      op,
      problem: `${what} must be an integer below 2⁵³ in magnitude, got ${data}`,
      remedy: 'use a whole number',
    });
  }
  if (!(data instanceof Value) || !isInteger(data.dtype)) {
    throw new DTypeError({
      op,
      problem: `${what} must be an integer, got ${data instanceof Value ? showAval(data.aval) : describe(data)}`,
      remedy: data instanceof Value ? "cast first: np.astype(x, 'int32')" : 'pass a JS number or an integer tensor',
    });
  }
  if (data.ndim === 0) return convertElementType(data, 'uint32');
  throw new ShapeError({
    op,
    problem: `${what} must be a scalar, got ${showAval(data.aval)}`,
    remedy: 'use vmap to make many keys at once',
  });
}

const pair = (high: Value, low: Value): Key => concatenate([reshape(high, [1]), reshape(low, [1])], 0) as Key;

/**
 * The key of a seed: its two 32-bit words. As JAX without 64-bit types, the high word is 0 and the seed is taken modulo 2³².
 *
 * @param seed - an integer, or an integer scalar tensor
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.key(42).toArray()); // => [ 0, 42 ]
 * console.log(random.key(-1).toArray()); // => [ 0, 4294967295 ]
 * ```
 */
export function key(seed: number | Value): Key {
  if (typeof seed !== 'number') return pair(scalar(0, 'uint32'), word('random.key', 'the seed', seed));
  word('random.key', 'the seed', seed);
  return tensorFrom(makeAval([2], 'uint32'), Uint32Array.of(0, seed >>> 0));
}

/** The hash of the counters (`high`, `low`) under a key: two words for each. */
export function hash(op: string, key: Key, high: Value, low: Value): readonly [Value, Value] {
  expectKey(op, key);
  const spread = (i: number): Value => broadcastInDim(reshape(slice(key, [i], [i + 1]), []), low.shape, []);
  const [first, second] = threefry2x32(spread(0), spread(1), high, low);
  return [first!, second!];
}

/** The hash of 0, 1, 2, … in row-major order, one for each element of `shape`. */
export function hashIndices(op: string, key: Key, lengths: ShapeLike): readonly [Value, Value] {
  const shape = shapeOf(op, lengths);
  const size = sizeOf(shape);
  if (size >= 2 ** 32) {
    throw new ShapeError({
      op,
      problem: `[${shape.join(',')}] has ${size} elements: one key numbers 2³² of them`,
      remedy: 'split the key and draw in parts',
    });
  }
  return hash(op, key, filled(shape, 0, 'uint32'), reshape(iota([size], 0, 'uint32'), shape));
}

/**
 * `n` independent keys. Use each once, and the key that was split not again.
 *
 * @param n - how many; known numbers give a tuple to destructure
 * @returns an array of keys, `np.stack(random.split(key, n))` where a tensor uint32[n, 2] is wanted (for `vmap`)
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * const [first, second] = random.split(random.key(0));
 * console.log(first.toArray()); // => [ 1797259609, 2579123966 ]
 * console.log(second.toArray()); // => [ 928981903, 3453687069 ]
 * ```
 */
export function split<N extends number = 2>(key: Key, n?: N): Keys<N> {
  const count = n ?? 2;
  const [high, low] = hashIndices('random.split', key, [count]);
  const rows = concatenate([reshape(high, [count, 1]), reshape(low, [count, 1])], 1);
  return range(count).map((i) => reshape(sliceAxis(rows, 0, i, i + 1), [2])) as readonly Key[] as Keys<N>;
}

/**
 * The key of `key` for `data`: different data give independent keys, such as one for each step of a loop.
 *
 * Law: `foldIn(key, i)` is key i of `split(key, n)` for every i < n.
 *
 * @param data - an integer modulo 2³², or an integer scalar tensor
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.foldIn(random.key(0), 4).toArray()); // => [ 2285895361, 433833334 ]
 * ```
 */
export function foldIn(key: Key, data: number | Value): Key {
  return pair(...hash('random.foldIn', key, scalar(0, 'uint32'), word('random.foldIn', 'the data', data)));
}
