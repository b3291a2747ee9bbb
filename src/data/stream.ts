/**
 * Data that come one after the other, as a pure lazy sequence: from any position, as often as one likes.
 *
 * A stream is a function from a position to what follows it. Each element comes with the position after it, which is plain data
 * (`{ epoch, index }`, say): whoever saves it beside the parameters and goes on with `stream.from(position)` sees what an
 * unbroken run would have seen, to the last bit.
 */

import type * as t from 'io-ts';
import { ShapeError, TreeError } from '../core/errors.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { foldIn, type Key } from '../random/key.ts';
import { bits } from '../random/samplers.ts';
import { type BatchOptions, expectBatch, expectCount } from './counts.ts';
import type { Dataset } from './dataset.ts';
import { type Batch, stack } from './element.ts';
import { counts, fields, type Position, type PositionCodec, positions, showPosition } from './position.ts';

/** An element, and the position after it. */
export interface Step<A> {
  readonly value: A;
  readonly next: Position;
}

/** A sequence that can be iterated over again, from any position. */
export interface Stream<A> extends Iterable<A> {
  /** The position before the first element. */
  readonly start: Position;
  /** What the positions of this stream are: decode one that comes from a file with `decodeWith(stream.position, path)`. */
  readonly position: PositionCodec;
  /**
   * What follows a position. Law: the steps from `next` of any step are the steps that follow it.
   *
   * @throws TreeError for what is not a position of this stream
   */
  from(position: Position): Iterable<Step<A>>;
}

/** A stream of its parts; `steps` gets positions that `position` has accepted. */
export const streamOf = <A>(
  start: Position,
  position: PositionCodec,
  steps: (position: Position) => Iterable<Step<A>>,
): Stream<A> => ({
  start,
  position,
  from: (at) => {
    if (position.is(at)) return steps(at);
    throw noPosition('stream.from', at, position);
  },
  *[Symbol.iterator]() {
    for (const { value } of steps(start)) yield value;
  },
});

/** The error for what is not a position of a stream. */
export const noPosition = (op: string, at: unknown, position: PositionCodec): TreeError =>
  new TreeError({
    op,
    problem: `${showPosition(at)} is not a position of this stream, which are ${position.name}`,
    remedy:
      'use stream.start, or the next of a step of the same stream; decode what comes from a file with stream.position',
  });

/**
 * The stream of a pure function from a state to an element and the next state, or to `null` at the end; positions are the states.
 *
 * @param state - the io-ts codec of the states, which are plain data
 *
 * @example
 * ```ts
 * import * as t from 'io-ts';
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { stream } from 'pullback/data';
 * const state = t.type({ a: t.number, b: t.number });
 * const fibonacci = stream.unfold(state, { a: 0, b: 1 }, ({ a, b }) => ({ value: a, next: { a: b, b: a + b } }));
 * console.log([...pipe(fibonacci, stream.take(7))]); // => [ 0, 1, 1, 2, 3, 5, 8 ]
 * const [step] = fibonacci.from({ a: 8, b: 13 });
 * console.log(step); // => { value: 8, next: { a: 13, b: 21 } }
 * ```
 */
export const unfold = <S extends Position, A>(
  state: t.Type<S, unknown, unknown>,
  start: NoInfer<S>,
  step: (state: S) => { readonly value: A; readonly next: NoInfer<S> } | null,
): Stream<A> =>
  streamOf(start, state as unknown as PositionCodec, function* (position) {
    for (let found = step(position as S); found !== null; found = step(found.next)) yield found;
  });

/** The elements of a dataset, in order; positions are indices. */
export const ofDataset = <A>(data: Dataset<A>): Stream<A> =>
  streamOf(0, counts(data.length), function* (position) {
    for (let i = position as number; i < data.length; i++) yield { value: data.at(i), next: i + 1 };
  });

/**
 * Elements made of keys, without end: element i is `make(random.foldIn(key, i), i)`. Positions are indices.
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { random } from 'pullback';
 * import { stream } from 'pullback/data';
 * const noise = stream.generate(random.key(0), (key) => random.normal(key, [2]));
 * const [, second] = pipe(noise, stream.batch(8));
 * console.log(second!.shape); // => [ 8, 2 ]
 * ```
 */
export const generate = <A>(key: Key, make: (key: Key, index: number) => A): Stream<A> =>
  streamOf(0, counts(Number.POSITIVE_INFINITY), function* (position) {
    for (let i = position as number; ; i++) yield { value: make(foldIn(key, i), i), next: i + 1 };
  });

/** Options of {@link epochs}. */
export interface EpochsOptions {
  /** How many; without it they go on. */
  readonly count?: number;
}

/**
 * Pass after pass over data, each with a key of its own: epoch e is `make(random.foldIn(key, e), e)`. Positions are
 * `{ epoch, index }`, where `index` is the place in the dataset, or the position in the stream, that `make` has made.
 *
 * `make` is a pure function, so that a run that resumes at a position finds the same shuffle there.
 *
 * @throws ShapeError unless the count is a non-negative integer; when it is reached, for a pass without elements if they go on
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { random } from 'pullback';
 * import { dataset, stream } from 'pullback/data';
 * const numbers = dataset.make(5, (i) => i);
 * const passes = stream.epochs(
 *   random.key(0),
 *   (key) => pipe(numbers, dataset.shuffle(key), dataset.batch(2)),
 *   { count: 2 },
 * );
 * const steps = [...passes.from(passes.start)];
 * console.log(steps.map(({ next }) => next));
 * // => [ { epoch: 0, index: 1 }, { epoch: 0, index: 2 }, { epoch: 0, index: 3 },
 * //      { epoch: 1, index: 1 }, { epoch: 1, index: 2 }, { epoch: 1, index: 3 } ]
 * const rest = [...passes.from({ epoch: 0, index: 2 })];
 * console.log(rest.map(({ value }) => `${value}`).join() === steps.slice(2).map(({ value }) => `${value}`).join()); // => true
 * ```
 */
export function epochs<A>(
  key: Key,
  make: (key: Key, epoch: number) => Dataset<A> | Stream<A>,
  options: EpochsOptions = {},
): Stream<A> {
  const op = 'stream.epochs';
  expectOptions(op, options, 'count');
  const { count = Number.POSITIVE_INFINITY } = options;
  if (count !== Number.POSITIVE_INFINITY) expectCount(op, 'the count', count);
  // The pass that is under way is asked for again and again: by `is`, by `from`, by steps.
  let last: readonly [number, Stream<A>] | null = null;
  const pass = (epoch: number): Stream<A> => {
    if (last?.[0] !== epoch) {
      const made = make(foldIn(key, epoch), epoch);
      last = [epoch, isStream(made) ? made : ofDataset(made)];
    }
    return last[1];
  };
  const start = { epoch: 0, index: count === 0 ? 0 : pass(0).start };
  const shape = fields({ epoch: counts(Number.POSITIVE_INFINITY), index: anything });
  const codec = positions('{ epoch, index } of its epochs', (u) => {
    if (!shape.is(u)) return false;
    const { epoch, index } = u as typeof start;
    return count === 0 ? epoch === 0 && index === 0 : epoch < count && pass(epoch).position.is(index);
  });
  return streamOf(start, codec, function* (position) {
    const { epoch: begun, index } = position as typeof start;
    for (let epoch = begun; epoch < count; epoch++) {
      const elements = pass(epoch);
      let empty = true;
      for (const { value, next } of elements.from(epoch === begun ? index : elements.start)) {
        empty = false;
        yield { value, next: { epoch, index: next } };
      }
      if (empty && epoch > begun && count === Number.POSITIVE_INFINITY) {
        throw new ShapeError({
          op,
          problem: `epoch ${epoch} has no elements: epochs without end might never give one`,
          remedy: 'make epochs with elements, or give their count',
        });
      }
    }
  });
}

const anything = positions('anything', (u) => u !== undefined);

/** Is this a stream, and not a dataset? */
export const isStream = <A>(x: Dataset<A> | Stream<A>): x is Stream<A> => 'from' in x;

/** Each element through `f`; positions stay. Laws: as those of `dataset.map`. */
export const map =
  <A, B>(f: (a: A) => B) =>
  (self: Stream<A>): Stream<B> =>
    streamOf(self.start, self.position, function* (position) {
      for (const { value, next } of self.from(position)) yield { value: f(value), next };
    });

/** The elements that `keep` holds of. From a stream without end that has no more of them, no next one is ever found. */
export const filter =
  <A>(keep: (a: A) => boolean) =>
  (self: Stream<A>): Stream<A> =>
    streamOf(self.start, self.position, function* (position) {
      for (const step of self.from(position)) if (keep(step.value)) yield step;
    });

/** Elements `size` at a time, stacked as by `dataset.batch`. @throws as `dataset.batch` */
export const batch = (size: number, options: BatchOptions = {}) => {
  const op = 'stream.batch';
  const drop = expectBatch(op, size, options);
  return <A>(self: Stream<A>): Stream<Batch<A>> =>
    streamOf(self.start, self.position, function* (position) {
      let elements: A[] = [];
      let end = position;
      for (const { value, next } of self.from(position)) {
        elements.push(value);
        end = next;
        if (elements.length < size) continue;
        yield { value: stack(elements, op), next };
        elements = [];
      }
      if (elements.length > 0 && !drop) yield { value: stack(elements, op), next: end };
    });
};

/** The first `count` elements; positions are `{ taken, of }`. */
export const take = (count: number) => {
  const most = expectCount('stream.take', 'the count', count);
  return <A>(self: Stream<A>): Stream<A> => {
    const start = { taken: 0, of: self.start };
    return streamOf(start, fields({ taken: counts(most), of: self.position }), function* (position) {
      let { taken, of } = position as typeof start;
      if (taken === most) return;
      for (const { value, next } of self.from(of)) {
        [taken, of] = [taken + 1, next];
        yield { value, next: { taken, of } };
        if (taken === most) return;
      }
    });
  };
};

/** All but the first `count` elements; positions are `{ skipped, of }`. */
export const skip = (count: number) => {
  const most = expectCount('stream.skip', 'the count', count);
  return <A>(self: Stream<A>): Stream<A> => {
    const start = { skipped: 0, of: self.start };
    return streamOf(start, fields({ skipped: counts(most), of: self.position }), function* (position) {
      let { skipped, of } = position as typeof start;
      for (const { value, next } of self.from(of)) {
        if (skipped === most) yield { value, next: { skipped, of: next } };
        else skipped++;
        of = next;
      }
    });
  };
};

/** Pairs, as far as the shorter stream goes; positions are `{ first, second }`. */
export const zip =
  <B>(that: Stream<B>) =>
  <A>(self: Stream<A>): Stream<readonly [A, B]> => {
    const start = { first: self.start, second: that.start };
    const codec = fields({ first: self.position, second: that.position });
    return streamOf(start, codec, function* (position) {
      const at = position as typeof start;
      const others = that.from(at.second)[Symbol.iterator]();
      try {
        for (const first of self.from(at.first)) {
          const second = others.next();
          if (second.done) return;
          const value = [first.value, second.value.value] as const;
          yield { value, next: { first: first.next, second: second.value.next } };
        }
      } finally {
        others.return?.();
      }
    });
  };

/** Words drawn at once: one call of the generator is as dear as many words. */
const block = 256;

/**
 * A stream in a random order as far as a buffer reaches: the next element is drawn from `buffer` waiting ones, and the stream fills
 * its place. With a buffer as long as the stream every order is possible; a dataset has `dataset.shuffle`, which is exact.
 *
 * Laws: a permutation; the same key gives the same order. Positions are `{ drawn, waiting, of }`, where `waiting` are the
 * positions of what is in the buffer: to go on, each of those elements is asked for again.
 *
 * @throws ShapeError unless the buffer holds at least one element
 */
export const shuffle = (key: Key, buffer: number) => {
  const size = expectCount('stream.shuffle', 'the length of the buffer', buffer, 1);
  return <A>(self: Stream<A>): Stream<A> => {
    const start = { drawn: 0, waiting: [] as readonly Position[], of: self.start };
    const waiting = positions(
      `at most ${size} positions`,
      (u) => Array.isArray(u) && u.length <= size && u.every((p) => self.position.is(p)),
    );
    const codec = fields({ drawn: counts(Number.POSITIVE_INFINITY), waiting, of: self.position });
    return streamOf(start, codec, function* (position) {
      let { drawn, of } = position as typeof start;
      const places = [...(position as typeof start).waiting];
      const values = places.map((place) => first(self, place));
      const rest = self.from(of)[Symbol.iterator]();
      let words: Uint32Array = new Uint32Array(0);
      const pull = (at: number): boolean => {
        const step = rest.next();
        if (step.done) return false;
        [places[at], values[at], of] = [of, step.value.value, step.value.next];
        return true;
      };
      try {
        while (places.length < size && pull(places.length));
        while (places.length > 0) {
          if (words.length === 0 || drawn % block === 0) {
            words = bits(foldIn(key, Math.floor(drawn / block)), [block]).dataSync() as Uint32Array;
          }
          // Of n places each has its share of the 2³² words, to one part in 2³²/n.
          const at = Math.floor((words[drawn % block]! / 2 ** 32) * places.length);
          const value = values[at]!;
          drawn++;
          if (!pull(at)) {
            places[at] = places.at(-1)!;
            values[at] = values.at(-1)!;
            places.pop();
            values.pop();
          }
          yield { value, next: { drawn, waiting: [...places], of } };
        }
      } finally {
        rest.return?.();
      }
    });
  };
};

/** The element after a position. */
function first<A>(self: Stream<A>, position: Position): A {
  for (const { value } of self.from(position)) return value;
  throw new TreeError({
    op: 'stream.shuffle',
    problem: `nothing follows the position ${showPosition(position)}, which is said to wait in the buffer`,
    remedy: 'use a position of this stream',
  });
}

/** @throws TreeError unless this is a stream */
export function expectStream<A>(op: string, x: Stream<A>): Stream<A> {
  if (typeof x === 'object' && x !== null && isStream(x)) return x;
  throw new TreeError({
    op,
    problem: `${describe(x)} stands where a stream is expected`,
    remedy: 'make a stream of a dataset with stream.ofDataset',
  });
}
