/** The laws of datasets and streams: pure sequences, whatever is done to them, from whatever position they go on. */

import * as fc from 'fast-check';
import { flow, identity, pipe } from 'fp-ts/lib/function.js';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import type { Dataset } from '../src/data/dataset.ts';
import * as dataset from '../src/data/dataset.ts';
import { type HostArray, hostArray } from '../src/data/element.ts';
import type { Position } from '../src/data/position.ts';
import type { Stream } from '../src/data/stream.ts';
import * as stream from '../src/data/streams.ts';
import { permutation } from '../src/random/discrete.ts';
import { key } from '../src/random/key.ts';
import { every, expect, fails, holds, type Law, law, type Suite, type Verdict } from './law.ts';

/** Something with the text that makes it. */
type Named<A> = readonly [string, A];

const named = <A>(name: string, value: A): Named<A> =>
  Object.defineProperty([name, value] as const, fc.toStringMethod, { value: () => name });

const seed = fc.nat({ max: 2 ** 31 });
const numbers = fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 12 });

/** Pure functions of numbers. */
const functions = fc.constantFrom(
  named<(n: number) => number>('n + 1', (n) => n + 1),
  named<(n: number) => number>('3 n', (n) => 3 * n),
  named<(n: number) => number>('n²', (n) => n * n),
  named<(n: number) => number>('−n', (n) => -n),
);

/** A dataset of numbers beside the array that it should be. */
interface Modelled {
  readonly data: Dataset<number>;
  readonly model: readonly number[];
}

type Change = (x: Modelled) => Modelled;

const count = fc.nat({ max: 14 });

const changes: fc.Arbitrary<Named<Change>> = fc.oneof(
  functions.map(([name, f]) =>
    named<Change>(`map(${name})`, ({ data, model }) => ({ data: dataset.map(f)(data), model: model.map(f) })),
  ),
  count.map((n) =>
    named<Change>(`take(${n})`, ({ data, model }) => ({ data: dataset.take(n)(data), model: model.slice(0, n) })),
  ),
  count.map((n) =>
    named<Change>(`skip(${n})`, ({ data, model }) => ({ data: dataset.skip(n)(data), model: model.slice(n) })),
  ),
  fc.nat({ max: 2 }).map((n) =>
    named<Change>(`repeat(${n})`, ({ data, model }) => ({
      data: dataset.repeat(n)(data),
      model: range(n).flatMap(() => model),
    })),
  ),
  fc.constant(
    named<Change>('filter(even)', ({ data, model }) => ({
      data: dataset.filter((n: number) => n % 2 === 0)(data),
      model: model.filter((n) => n % 2 === 0),
    })),
  ),
  numbers.map((more) =>
    named<Change>(`concat(${more})`, ({ data, model }) => ({
      data: dataset.concat(dataset.fromArray(more))(data),
      model: [...model, ...more],
    })),
  ),
  numbers.map((more) =>
    named<Change>(`zip(${more}), added`, ({ data, model }) => ({
      data: pipe(
        data,
        dataset.zip(dataset.fromArray(more)),
        dataset.map(([a, b]) => a + b),
      ),
      model: model.slice(0, more.length).map((a, i) => a + (more[i] ?? 0)),
    })),
  ),
  fc.integer({ min: 2, max: 4 }).map((n) =>
    named<Change>(`holdOut(${n})`, ({ data, model }) => ({
      data: dataset.holdOut(n)(data)[0],
      model: model.filter((_, i) => i % n !== n - 1),
    })),
  ),
);

const listed = (xs: Iterable<unknown>): string => JSON.stringify([...xs]);
const sameList = (what: string, a: Iterable<unknown>, b: Iterable<unknown>): Verdict =>
  expect(listed(a) === listed(b), () => `${what} is ${listed(a)}, not ${listed(b)}`);
const sorted = (xs: Iterable<number>): readonly number[] => [...xs].sort((a, b) => a - b);

const datasetLaws: readonly Law[] = [
  law(
    'a pipeline is the array that its steps make, by index and in turn',
    [numbers, fc.array(changes, { maxLength: 5 })],
    (xs, steps) => {
      const made = steps.reduce((x, [, change]) => change(x), { data: dataset.fromArray(xs), model: xs } as Modelled);
      const byIndex = range(made.data.length).map((i) => made.data.at(i));
      const verdict = sameList('by index it', byIndex, made.model);
      return verdict._tag === 'Fails' ? verdict : sameList('in turn it', made.data, made.model);
    },
  ),
  law('map is a functor', [numbers, functions, functions], (xs, [, f], [, g]) => {
    const data = dataset.fromArray(xs);
    const verdict = sameList('map(identity)', dataset.map((n: number) => identity(n))(data), xs);
    if (verdict._tag === 'Fails') return verdict;
    return sameList('map(g ∘ f)', dataset.map(flow(f, g))(data), pipe(data, dataset.map(f), dataset.map(g)));
  }),
  law('shuffle is a permutation, the same for the same key, and JAX’s', [numbers, seed], (xs, s) => {
    const shuffled = [...dataset.shuffle(key(s))(dataset.fromArray(xs))];
    const again = dataset.shuffle(key(s))(dataset.fromArray(xs));
    const order = [...permutation(key(s), xs.length).dataSync()];
    return every(
      [
        sameList('sorted, it', sorted(shuffled), sorted(xs)),
        sameList('again, it', again, shuffled),
        sameList(
          'it',
          shuffled,
          order.map((i) => xs[i]!),
        ),
      ],
      (verdict) => verdict,
    );
  }),
  law(
    'split is a partition, to one element of its fractions',
    [numbers, fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 }), fc.option(seed)],
    (xs, weights, s) => {
      const total = weights.reduce((a, b) => a + b, 0);
      if (total === 0) return holds;
      const fractions = weights.map((w) => w / total);
      const parts = dataset.split(fractions, s === null ? {} : { key: key(s) })(dataset.fromArray(xs));
      const all = parts.flatMap((part) => [...part]);
      const wrong = parts.findIndex((part, k) => Math.abs(part.length - fractions[k]! * xs.length) > 1);
      if (wrong >= 0) return fails(`part ${wrong} of ${fractions} has ${parts[wrong]!.length} of ${xs.length}`);
      return s === null ? sameList('together they', all, xs) : sameList('together they', sorted(all), sorted(xs));
    },
  ),
  law('holdOut is a partition', [numbers, fc.integer({ min: 2, max: 5 })], (xs, n) => {
    const [rest, held] = dataset.holdOut(n)(dataset.fromArray(xs));
    const verdict = sameList('rest', sorted([...rest, ...held]), sorted(xs));
    if (verdict._tag === 'Fails') return verdict;
    return sameList(
      'held',
      held,
      xs.filter((_, i) => i % n === n - 1),
    );
  }),
  law(
    'unbatch undoes batch, and batch undoes rows',
    [fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 5 }), fc.nat({ max: 3 })],
    (length, size, width) => {
      const data = dataset.make(length, (i) => ({
        x: hostArray(Float32Array.from({ length: width }, (_, k) => i + k / 8)),
        y: [i, i % 2 === 0] as const,
      }));
      const back = pipe(data, dataset.batch(size), dataset.unbatch);
      const show = (x: HostArray): string => `${x.dtype}[${x.shape}] ${[...x.data]}`;
      for (let i = 0; i < length; i++) {
        const { x, y } = back.at(i);
        const got = [show(x), show(y[0]), show(y[1])].join('; ');
        const wanted = `float32[${width}] ${[...data.at(i).x.data]}; float32[] ${i}; bool[] ${Number(i % 2 === 0)}`;
        if (got !== wanted) return fails(`element ${i} is ${got}, not ${wanted}`);
      }
      const whole = pipe(data, dataset.batch(length)).at(0);
      const again = pipe(dataset.rows(whole), dataset.batch(length)).at(0);
      return sameList('the whole', [shown(again)], [shown(whole)]);
    },
  ),
];

/** A value of a stream as text: numbers, and batches of them. */
const shown = (x: unknown): string => JSON.stringify(x);

/** A stream of numbers, with the text that makes it. */
type NamedStream = Named<Stream<number>>;

const sources: fc.Arbitrary<NamedStream> = fc.oneof(
  numbers.map((xs) => named(`[${xs}]`, stream.ofDataset(dataset.fromArray(xs)))),
  fc.nat({ max: 9 }).map((n) =>
    named(
      `unfold to ${n}`,
      stream.unfold(stream.ofDataset(dataset.make(n, (i) => i)).position, 0, (i) =>
        (i as number) < n ? { value: (i as number) * 2, next: (i as number) + 1 } : null,
      ),
    ),
  ),
  fc.tuple(numbers, seed, fc.nat({ max: 3 })).map(([xs, s, n]) =>
    named(
      `${n} shuffled epochs of [${xs}]`,
      stream.epochs(key(s), (k) => dataset.shuffle(k)(dataset.fromArray(xs)), { count: n }),
    ),
  ),
);

const streamChanges: fc.Arbitrary<Named<(x: Stream<number>) => Stream<number>>> = fc.oneof(
  functions.map(([name, f]) => named(`map(${name})`, stream.map(f))),
  fc.constant(
    named(
      'filter(odd)',
      stream.filter((n: number) => n % 2 !== 0),
    ),
  ),
  count.map((n) => named(`take(${n})`, stream.take(n))),
  count.map((n) => named(`skip(${n})`, stream.skip(n))),
  fc.tuple(seed, fc.integer({ min: 1, max: 5 })).map(([s, n]) => named(`shuffle(${n})`, stream.shuffle(key(s), n))),
  numbers.map((xs) =>
    named(`zip(${xs})`, (x: Stream<number>) =>
      pipe(
        x,
        stream.zip(stream.ofDataset(dataset.fromArray(xs))),
        stream.map(([a, b]) => a * 100 + b),
      ),
    ),
  ),
);

const streams: fc.Arbitrary<NamedStream> = fc
  .tuple(sources, fc.array(streamChanges, { maxLength: 3 }))
  .map(([[source, x], steps]) =>
    named(
      [source, ...steps.map(([name]) => name)].join(' | '),
      steps.reduce((y, [, change]) => change(y), x),
    ),
  );

/** What JSON keeps of a position. */
const saved = (position: Position): Position => JSON.parse(JSON.stringify(position)) as Position;

/** From every position on, a stream goes on as it would have. */
function resumes<A>(s: Stream<A>): Verdict {
  const steps = [...s.from(s.start)].map(({ value, next }) => ({ value: shown(value), next }));
  const places = [s.start, ...steps.map(({ next }) => next)];
  return every(places.entries(), ([i, place]) => {
    const read = s.position.decode(saved(place));
    if (read._tag === 'Left') return fails(`its codec refuses its position ${shown(place)}`);
    const rest = [...s.from(read.right)].map(({ value, next }) => ({ value: shown(value), next }));
    return sameList(`from ${shown(place)} on it`, rest.map(shown), steps.slice(i).map(shown));
  });
}

const streamLaws: readonly Law[] = [
  law('resumed = unbroken, from every position, through JSON', [streams], ([, s]) => resumes(s)),
  law(
    'resumed = unbroken, in batches',
    [streams, fc.integer({ min: 1, max: 4 }), fc.boolean()],
    ([, s], size, dropRemainder) => resumes(stream.batch(size, { dropRemainder })(s)),
  ),
  law('iterating twice gives the same', [streams], ([, s]) => sameList('the second time it', s, [...s])),
  law('shuffle in a buffer is a permutation', [numbers, seed, fc.integer({ min: 1, max: 15 })], (xs, s, n) => {
    const shuffled = [...stream.shuffle(key(s), n)(stream.ofDataset(dataset.fromArray(xs)))];
    // What is drawn k-th is among the first k + n.
    const early = shuffled.every((x, i) => xs.slice(0, i + n).includes(x));
    if (!early) return fails(`${shuffled} was drawn from further ahead than ${n} of ${xs}`);
    return sameList('sorted, it', sorted(shuffled), sorted(xs));
  }),
  law('epochs are what their keys make, one after the other', [numbers, seed, fc.nat({ max: 3 })], (xs, s, n) => {
    const make = (k: Value<'uint32'>): Dataset<number> => dataset.shuffle(k)(dataset.fromArray(xs));
    const passes = [...stream.epochs(key(s), make, { count: n })];
    const parts = range(n).map((e) => sorted(passes.slice(e * xs.length, (e + 1) * xs.length)));
    return sameList(
      'they',
      parts,
      range(n).map(() => sorted(xs)),
    );
  }),
];

/** Laws of data. */
export const dataLaws: Suite = { name: 'data', laws: [...datasetLaws, ...streamLaws] };
