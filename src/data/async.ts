/**
 * Streams whose elements take a while: files that are read, work that others do. They look ahead, within a bound.
 *
 * Order and positions are those of the stream below: to look ahead changes when an element is made, never which. As many
 * elements as `ahead` says are under way or waiting, the one that was handed out last not among them; whoever stops early stops
 * them too.
 */

import { expectOptions } from '../ops/untyped.ts';
import { expectCount } from './counts.ts';
import type { Position, PositionCodec } from './position.ts';
import { expectStream, noPosition, type Step, type Stream } from './stream.ts';

/** A {@link Stream} whose elements are waited for. */
export interface AsyncStream<A> extends AsyncIterable<A> {
  /** The position before the first element. */
  readonly start: Position;
  /** What the positions of this stream are. */
  readonly position: PositionCodec;
  /** What follows a position. @throws TreeError for what is not a position of this stream */
  from(position: Position): AsyncIterable<Step<A>>;
}

/** How far to look ahead. */
export interface AheadOptions {
  /** Elements under way or waiting at one time; default 4. */
  readonly ahead?: number;
}

/** What makes elements of one iteration: `run` is called in order, `close` once, also when the consumer stops early. */
export interface Job<A, B> {
  readonly run: (a: A, index: number) => Promise<B>;
  readonly close: () => Promise<void>;
}

/** @throws ShapeError or DTypeError unless these are such options */
export function expectAhead(op: string, options: AheadOptions, ...others: readonly string[]): number {
  expectOptions(op, options, 'ahead', ...others);
  return expectCount(op, 'ahead', options.ahead ?? 4, 1);
}

const isAsync = (x: object): x is AsyncIterable<unknown> => Symbol.asyncIterator in x;

/** `self` through jobs, with a bounded number of them under way. Sources are pulled when there is room, not before. */
export function lookAhead<A, B>(
  op: string,
  self: Stream<A> | AsyncStream<A>,
  ahead: number,
  begin: () => Job<A, B>,
): AsyncStream<B> {
  if (!isAsync(self)) expectStream(op, self);
  const steps = (position: Position): AsyncIterable<Step<B>> => ({
    [Symbol.asyncIterator]: () => pipeline(self.from(position), ahead, begin),
  });
  return {
    start: self.start,
    position: self.position,
    from: (at) => {
      if (self.position.is(at)) return steps(at);
      throw noPosition('stream.from', at, self.position);
    },
    async *[Symbol.asyncIterator]() {
      for await (const { value } of steps(self.start)) yield value;
    },
  };
}

type Source<A> = Iterable<Step<A>> | AsyncIterable<Step<A>>;

async function* pipeline<A, B>(
  source: Source<A>,
  ahead: number,
  begin: () => Job<A, B>,
): AsyncGenerator<Step<B>, void> {
  const steps = isAsync(source)
    ? (source as AsyncIterable<Step<A>>)[Symbol.asyncIterator]()
    : (source as Iterable<Step<A>>)[Symbol.iterator]();
  const job = begin();
  const waiting: Promise<Step<B> | null>[] = [];
  let index = 0;
  // One pull after the other, as iterators want it; the jobs run beside each other.
  let pulled: Promise<unknown> = Promise.resolve();
  const pull = (): void => {
    const step = pulled.then(() => steps.next());
    pulled = step.catch(() => undefined);
    const result = step.then(async ({ done, value }): Promise<Step<B> | null> => {
      if (done) return null;
      return { value: await job.run(value.value, index++), next: value.next };
    });
    // Whoever stops before it has seen this one has no use for its failure.
    result.catch(() => undefined);
    waiting.push(result);
  };
  try {
    for (;;) {
      while (waiting.length < ahead) pull();
      const step = await waiting.shift()!;
      if (step === null) return;
      // There is room again while the consumer is at work.
      pull();
      yield step;
    }
  } finally {
    await job.close();
    await pulled;
    await steps.return?.();
  }
}

/**
 * Each element through `f`, which may take a while: up to `ahead` calls are under way at one time. Order and positions stay.
 *
 * What `f` rejects with is thrown where its element would have been. Whoever stops early (`break`) starts no further call.
 *
 * @param f - a function that returns a promise; fp-ts's `Task` is one when it is called
 * @throws ShapeError unless `ahead` is a positive integer
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { dataset, stream } from 'pullback/data';
 * const slowly = async (n: number) => new Promise<number>((done) => setTimeout(() => done(n * n), 5 - n));
 * const squares = pipe(stream.ofDataset(dataset.make(5, (i) => i)), stream.mapAsync(slowly, { ahead: 3 }));
 * const seen: number[] = [];
 * for await (const n of squares) seen.push(n);
 * console.log(seen); // => [ 0, 1, 4, 9, 16 ]
 * ```
 */
export const mapAsync = <A, B>(f: (a: A) => Promise<B>, options: AheadOptions = {}) => {
  const ahead = expectAhead('stream.mapAsync', options);
  return (self: Stream<A> | AsyncStream<A>): AsyncStream<B> =>
    lookAhead('stream.mapAsync', self, ahead, () => ({
      run: (a) => f(a),
      close: () => Promise.resolve(),
    }));
};

/**
 * The same elements, made before they are asked for: while the consumer waits for something else, up to `ahead` of them.
 *
 * In one thread this helps where elements are waited for, or where the consumer leaves the thread alone, as it does when it waits
 * for a device. Work that computes belongs into workers: `stream.mapInWorkers`.
 *
 * @throws ShapeError unless `ahead` is a positive integer
 */
export const prefetch = (options: AheadOptions = {}) => {
  const ahead = expectAhead('stream.prefetch', options);
  return <A>(self: Stream<A> | AsyncStream<A>): AsyncStream<A> =>
    lookAhead('stream.prefetch', self, ahead, () => ({
      run: (a: A) => Promise.resolve(a),
      close: () => Promise.resolve(),
    }));
};
