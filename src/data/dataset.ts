/**
 * Data as a pure lazy sequence: a length, and a function from an index to its element.
 *
 * Nothing is computed before it is asked for, and asking twice gives the same: a shuffle is another order of the indices, a
 * split two ranges of them. So every place can be returned to, and a pipeline is an expression. What is not of known length,
 * or known only one after the other, is a `Stream`.
 */

import { ShapeError } from '../core/errors.ts';
import { range } from '../core/shape.ts';
import { expectOptions } from '../ops/untyped.ts';
import { permutation } from '../random/discrete.ts';
import { foldIn, type Key } from '../random/key.ts';
import { type BatchOptions, expectBatch, expectCount } from './counts.ts';
import { type Batch, type Row, rowsOf, stack } from './element.ts';

/** A finite sequence that is computed as it is read. */
export interface Dataset<A> extends Iterable<A> {
  readonly length: number;
  /** Element `index`, of 0, …, length − 1. @throws ShapeError beyond them */
  at(index: number): A;
}

/**
 * The sequence `at(0)`, …, `at(length − 1)`. `at` is a pure function: it is called when an element is asked for, each time.
 *
 * @throws ShapeError unless the length is a non-negative integer
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { dataset } from 'pullback/data';
 * const squares = dataset.make(1000, (i) => i * i);
 * console.log(squares.at(30)); // => 900
 * console.log([...pipe(squares, dataset.skip(3), dataset.take(2))]); // => [ 9, 16 ]
 * ```
 */
export function make<A>(length: number, at: (index: number) => A): Dataset<A> {
  const count = expectCount('dataset.make', 'the length', length);
  return {
    length: count,
    at: (index) => {
      if (Number.isInteger(index) && index >= 0 && index < count) return at(index);
      throw new ShapeError({
        op: 'dataset.at',
        problem: `there is no element ${String(index)} of ${count}`,
        remedy: 'count from 0 to length − 1',
      });
    },
    *[Symbol.iterator]() {
      for (let i = 0; i < count; i++) yield at(i);
    },
  };
}

/** The elements of an array, in its order. */
export const fromArray = <A>(elements: readonly A[]): Dataset<A> => make(elements.length, (i) => elements[i]!);

/**
 * The rows of a tree of tensors (or of host arrays): element i is the tree with row i of each leaf, as host arrays.
 *
 * Tensors are read once, now. Law: `batch(n)` of the rows of n gives the tree back.
 *
 * @throws ShapeError if leaves have different numbers of rows, or none; TreeError for a tree without tensors
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { np } from 'pullback';
 * import { dataset } from 'pullback/data';
 * const points = dataset.rows({ x: np.array([[1, 2], [3, 4], [5, 6]]), label: np.array(Int32Array.of(0, 1, 0)) });
 * console.log(points.length, points.at(1).x.data); // => 3 Float32Array(2) [ 3, 4 ]
 * const { x, label } = pipe(points, dataset.batch(2)).at(0);
 * console.log(x.shape, label.toArray()); // => [ 2, 2 ] [ 0, 1 ]
 * ```
 */
export function rows<A>(tree: A): Dataset<Row<A>> {
  const { length, at } = rowsOf(tree, 'dataset.rows');
  return make(length, at);
}

/** Each element through `f`, when it is asked for. Laws: `map(identity)` is the identity, `map(g)` after `map(f)` is `map(g ∘ f)`. */
export const map =
  <A, B>(f: (a: A) => B) =>
  (self: Dataset<A>): Dataset<B> =>
    make(self.length, (i) => f(self.at(i)));

/**
 * Each element through `f` with a key of its own: that of element i is `random.foldIn(key, i)`, whatever is asked for before it.
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { np, random } from 'pullback';
 * import { dataset } from 'pullback/data';
 * const images = dataset.make(4, () => np.zeros([8, 8]));
 * const noisy = pipe(images, dataset.mapKeyed(random.key(0), (key, x) => np.add(x, random.normal(key, x.shape))));
 * console.log(np.allclose(noisy.at(1), noisy.at(1)).item(), np.allclose(noisy.at(1), noisy.at(2)).item()); // => true false
 * ```
 */
export const mapKeyed =
  <A, B>(key: Key, f: (key: Key, a: A) => B) =>
  (self: Dataset<A>): Dataset<B> =>
    make(self.length, (i) => f(foldIn(key, i), self.at(i)));

/** The elements at `indices`, in that order; an index may come again, or not at all. */
export const select =
  (indices: ArrayLike<number>) =>
  <A>(self: Dataset<A>): Dataset<A> =>
    make(indices.length, (i) => self.at(indices[i]!));

/** The first `count` elements, or all if there are not so many. */
export const take = (count: number) => {
  const wanted = expectCount('dataset.take', 'the count', count);
  return <A>(self: Dataset<A>): Dataset<A> => make(Math.min(wanted, self.length), (i) => self.at(i));
};

/** All but the first `count` elements. */
export const skip = (count: number) => {
  const left = expectCount('dataset.skip', 'the count', count);
  return <A>(self: Dataset<A>): Dataset<A> => make(Math.max(0, self.length - left), (i) => self.at(left + i));
};

/** One sequence after the other. */
export const concat =
  <A>(that: Dataset<A>) =>
  (self: Dataset<A>): Dataset<A> =>
    make(self.length + that.length, (i) => (i < self.length ? self.at(i) : that.at(i - self.length)));

/** The whole sequence `count` times over, in the same order; {@link epochs} of `stream` shuffles each time anew. */
export const repeat = (count: number) => {
  const times = expectCount('dataset.repeat', 'the count', count);
  return <A>(self: Dataset<A>): Dataset<A> => make(self.length * times, (i) => self.at(i % self.length));
};

/** Pairs of elements at the same index, as far as the shorter sequence goes. */
export const zip =
  <B>(that: Dataset<B>) =>
  <A>(self: Dataset<A>): Dataset<readonly [A, B]> =>
    make(Math.min(self.length, that.length), (i) => [self.at(i), that.at(i)] as const);

/** The elements that `keep` holds of, in order. Every element is looked at once, when this is called. */
export const filter =
  <A>(keep: (a: A) => boolean) =>
  (self: Dataset<A>): Dataset<A> =>
    select(range(self.length).filter((i) => keep(self.at(i))))(self);

/**
 * All elements in a random order, every order equally likely: that of `random.permutation(key, length)`, bit for bit JAX's.
 *
 * Laws: it is a permutation; the same key gives the same order. The order is drawn when the first element is asked for.
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { random } from 'pullback';
 * import { dataset } from 'pullback/data';
 * const shuffled = pipe(dataset.make(5, (i) => i), dataset.shuffle(random.key(0)));
 * console.log([...shuffled].sort()); // => [ 0, 1, 2, 3, 4 ]
 * console.log([...shuffled].join() === [...shuffled].join()); // => true
 * ```
 */
export const shuffle =
  (key: Key) =>
  <A>(self: Dataset<A>): Dataset<A> => {
    let order: Int32Array | null = null;
    return make(self.length, (i) => {
      order ??= permutation(key, self.length).dataSync();
      return self.at(order[i]!);
    });
  };

/**
 * Elements `size` at a time, stacked: the same tree, each leaf a tensor with a new first axis.
 *
 * Leaves are host arrays, typed arrays, tensors, numbers (`float32`) and booleans. Law: {@link unbatch} undoes it.
 *
 * @throws ShapeError unless the size is a positive integer; when a batch is asked for, as {@link stack}
 */
export const batch = (size: number, options: BatchOptions = {}) => {
  const drop = expectBatch('dataset.batch', size, options);
  return <A>(self: Dataset<A>): Dataset<Batch<A>> => {
    const count = drop ? Math.floor(self.length / size) : Math.ceil(self.length / size);
    return make(count, (b) => {
      const end = Math.min(self.length, (b + 1) * size);
      return stack(
        Array.from({ length: end - b * size }, (_, i) => self.at(b * size + i)),
        'dataset.batch',
      );
    });
  };
};

/** The elements of batches, one after the other, as host arrays. Every batch is asked for once, when this is called. */
export const unbatch = <A>(self: Dataset<A>): Dataset<Row<A>> => {
  const parts = Array.from(self, (tree) => rows(tree));
  const places = parts.flatMap((part) => range(part.length).map((i) => [part, i] as const));
  return make(places.length, (i) => places[i]![0].at(places[i]![1]));
};

/**
 * Parts of these fractions, in order or, given a key, at random. Law: together they are a permutation of the whole.
 *
 * Part k ends at element round(length · (f₀ + … + fₖ)), so that sizes are right to one element.
 *
 * @param fractions - non-negative numbers whose sum is 1
 * @throws ShapeError unless they are
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { random } from 'pullback';
 * import { dataset } from 'pullback/data';
 * const [train, test] = pipe(dataset.make(10, (i) => i), dataset.split([0.8, 0.2], { key: random.key(0) }));
 * console.log(train.length, test.length); // => 8 2
 * console.log([...train, ...test].sort((a, b) => a - b)); // => [ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 ]
 * ```
 */
export const split = <const F extends readonly number[]>(fractions: F, options: { readonly key?: Key } = {}) => {
  const op = 'dataset.split';
  expectOptions(op, options, 'key');
  const sums: number[] = [0];
  for (const fraction of fractions) sums.push(sums.at(-1)! + fraction);
  if (fractions.some((fraction) => !(fraction >= 0)) || !(Math.abs(sums.at(-1)! - 1) < 1e-9)) {
    throw new ShapeError({
      op,
      problem: `the fractions ${fractions.join(', ')} have the sum ${sums.at(-1)}`,
      remedy: 'use non-negative fractions whose sum is 1',
    });
  }
  return <A>(self: Dataset<A>): { readonly [K in keyof F]: Dataset<A> } => {
    const { key } = options;
    const whole = key === undefined ? self : shuffle(key)(self);
    const ends = sums.map((sum) => Math.round(self.length * sum));
    const part = (k: number): Dataset<A> => make(ends[k + 1]! - ends[k]!, (i) => whole.at(ends[k]! + i));
    return fractions.map((_, k) => part(k)) as { readonly [K in keyof F]: Dataset<A> };
  };
};

/**
 * `[rest, held]`: every `n`-th element held out, those with `index % n = n − 1`, to judge by what was not learned from.
 *
 * @throws ShapeError unless n is an integer of at least 2
 */
export const holdOut = (n: number) => {
  expectCount('dataset.holdOut', 'n', n, 2);
  return <A>(self: Dataset<A>): readonly [Dataset<A>, Dataset<A>] => {
    const held = Math.floor(self.length / n);
    return [
      make(self.length - held, (i) => self.at(i + Math.floor(i / (n - 1)))),
      make(held, (i) => self.at(i * n + n - 1)),
    ];
  };
};
