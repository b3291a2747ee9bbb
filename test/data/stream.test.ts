/** Streams: positions as they are saved, work that is awaited, and what is refused. Their laws are in `laws/data.laws.ts`. */
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import { random } from 'pullback';
import { type AsyncStream, dataset, type Stream, stream } from 'pullback/data';
import { decodeWith, showFailure } from 'pullback/io';
import { describe, expect, test } from 'vitest';

const upTo = (n: number) => stream.ofDataset(dataset.make(n, (i) => i));
const collected = async <A>(xs: AsyncIterable<A>): Promise<A[]> => {
  const all: A[] = [];
  for await (const x of xs) all.push(x);
  return all;
};
const message = async (f: () => Promise<unknown>): Promise<string> => {
  try {
    await f();
    return 'nothing is thrown';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
};

describe('positions', () => {
  const passes = stream.epochs(random.key(0), (key) =>
    pipe(
      dataset.make(5, (i) => i),
      dataset.shuffle(key),
    ),
  );

  test('of epochs without end', () => {
    const iterator = passes.from({ epoch: 7, index: 3 })[Symbol.iterator]();
    const steps = [iterator.next(), iterator.next(), iterator.next()].map(({ value }) => value!.next);
    expect(steps).toEqual([
      { epoch: 7, index: 4 },
      { epoch: 7, index: 5 },
      { epoch: 8, index: 1 },
    ]);
    expect(passes.start).toEqual({ epoch: 0, index: 0 });
  });

  test('each epoch has the key foldIn(key, epoch)', () => {
    const order = (epoch: number) => {
      const key = random.foldIn(random.key(0), epoch);
      return random.permutation(key, 5).toArray();
    };
    expect([...pipe(passes, stream.take(15))]).toEqual([0, 1, 2].flatMap(order));
  });

  test.each<readonly [unknown, string]>([
    [{ epoch: 0, index: 6 }, 'expected { epoch, index } of its epochs, got {"epoch":0,"index":6}'],
    [{ epoch: -1, index: 0 }, 'expected { epoch, index } of its epochs, got {"epoch":-1,"index":0}'],
    [{ epoch: 0 }, 'expected { epoch, index } of its epochs, got {"epoch":0}'],
    ['x', 'expected { epoch, index } of its epochs, got "x"'],
  ])('%j is none', (position, said) => {
    const decoded = decodeWith(passes.position, 'run.json')(position);
    expect(E.isLeft(decoded) && showFailure(decoded.left)).toBe(`run.json: ${said}`);
    expect(() => [...passes.from(position as never)]).toThrow('is not a position of this stream');
  });

  test('the codec says where a nested position is wrong', () => {
    const nested = pipe(upTo(5), stream.skip(1), stream.take(3));
    const decoded = decodeWith(nested.position, 'run.json')({ taken: 0, of: { skipped: 9, of: 6 } });
    expect(E.isLeft(decoded) && showFailure(decoded.left)).toBe(
      'run.json: of.skipped: expected a whole number from 0 to 1, got 9\n' +
        'run.json: of.of: expected a whole number from 0 to 5, got 6',
    );
    expect(() => nested.from(3)).toThrow(
      'stream.from: 3 is not a position of this stream, which are { taken, of }\n' +
        '  remedy: use stream.start, or the next of a step of the same stream; ' +
        'decode what comes from a file with stream.position',
    );
  });

  test('a shuffled stream asks for what waits in its buffer again, and for nothing before it', () => {
    const asked: number[] = [];
    const source = pipe(
      upTo(1000),
      stream.map((i) => {
        asked.push(i);
        return i;
      }),
    );
    const shuffled = pipe(source, stream.shuffle(random.key(1), 4));
    const steps = [...shuffled.from(shuffled.start)];
    asked.length = 0;
    const resumed = shuffled.from(steps[899]!.next)[Symbol.iterator]();
    expect(resumed.next().value!.value).toBe(steps[900]!.value);
    expect(asked.length).toBe(5);
    expect(Math.min(...asked)).toBeGreaterThan(850);
  });

  test('epochs without elements end in an error and not in a loop', () => {
    const empty = stream.epochs(random.key(0), () => dataset.make(0, (i) => i));
    expect(() => [...empty]).toThrow('stream.epochs: epoch 1 has no elements: epochs without end might never give one');
    expect([...stream.epochs(random.key(0), () => dataset.make(0, (i) => i), { count: 3 })]).toEqual([]);
  });
});

describe('work that is awaited', () => {
  const soon = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

  test('order and positions are those of the stream', async () => {
    const source = pipe(stream.epochs(random.key(0), () => dataset.make(4, (i) => i), { count: 2 }));
    const later = stream.mapAsync(async (i: number) => {
      await soon(4 - i);
      return i * 10;
    })(source);
    const steps = await collected(later.from(later.start));
    expect(steps).toEqual([...source.from(source.start)].map(({ value, next }) => ({ value: value * 10, next })));
    const rest = await collected(later.from(steps[4]!.next));
    expect(rest).toEqual(steps.slice(5));
    expect(() => later.from(3)).toThrow('stream.from: 3 is not a position of this stream');
  });

  test('no more than `ahead` are under way or waiting', async () => {
    let [begun, taken, most] = [0, 0, 0];
    const later = stream.mapAsync(
      async (i: number) => {
        begun++;
        most = Math.max(most, begun - taken);
        await soon(1);
        return i;
      },
      { ahead: 3 },
    )(upTo(30));
    for await (const _ of later) {
      taken++;
      if (taken % 7 === 0) await soon(10);
    }
    // Three, and the one that is being handed out.
    expect([begun, most]).toEqual([30, 3 + 1]);
  });

  test('an error comes where its element would have been', async () => {
    const later = stream.mapAsync(
      (i: number) => (i === 2 ? Promise.reject(new RangeError('two')) : Promise.resolve(i)),
      { ahead: 5 },
    )(upTo(9));
    const seen: number[] = [];
    const said = await message(async () => {
      for await (const i of later) seen.push(i);
    });
    expect([seen, said]).toEqual([[0, 1], 'two']);
  });

  test('an error of the source comes in its place', async () => {
    const broken = pipe(
      upTo(9),
      stream.map((i) => {
        if (i === 2) throw new RangeError('source');
        return i;
      }),
      stream.prefetch({ ahead: 4 }),
    );
    const seen: number[] = [];
    expect(
      await message(async () => {
        for await (const i of broken) seen.push(i);
      }),
    ).toBe('source');
    expect(seen).toEqual([0, 1]);
  });

  test('who stops early stops the source and starts no more work', async () => {
    let [closed, begun] = [false, 0];
    const source: Stream<number> = {
      ...upTo(1000),
      *from() {
        try {
          for (let i = 0; i < 1000; i++) yield { value: i, next: i + 1 };
        } finally {
          closed = true;
        }
      },
    };
    const later = stream.mapAsync(async (i: number) => {
      begun++;
      await soon(1);
      return i;
    })(source);
    for await (const i of later) if (i === 3) break;
    expect(closed).toBe(true);
    const after = begun;
    expect(after).toBeLessThanOrEqual(3 + 1 + 4);
    await soon(20);
    expect(begun).toBe(after);
  });

  test('prefetching makes elements while the consumer waits for something else', async () => {
    let made = 0;
    const ahead: AsyncStream<number> = pipe(
      upTo(100),
      stream.map((i) => {
        made++;
        return i;
      }),
      stream.prefetch({ ahead: 6 }),
    );
    for await (const i of ahead) {
      if (i < 3) continue;
      await soon(5);
      expect(made).toBe(3 + 1 + 6);
      break;
    }
  });

  test('streams that look ahead stack', async () => {
    const twice = pipe(
      upTo(20),
      stream.mapAsync(async (i: number) => i + 1, { ahead: 2 }),
      stream.mapAsync(async (i: number) => i * 2, { ahead: 3 }),
      stream.prefetch({ ahead: 1 }),
    );
    expect(await collected(twice)).toEqual(Array.from({ length: 20 }, (_, i) => 2 * (i + 1)));
  });

  test.each<readonly [string, () => unknown, string]>([
    [
      'ahead',
      () => stream.prefetch({ ahead: 0 }),
      'stream.prefetch: ahead is 0\n  remedy: use a whole number of at least 1',
    ],
    [
      'options',
      () => stream.mapAsync(async () => 1, { buffer: 2 } as never),
      "stream.mapAsync: there is no option 'buffer'",
    ],
    [
      'a dataset',
      () => stream.prefetch()(dataset.make(1, (i) => i) as never),
      'stream.prefetch: { length, at } stands where a stream is expected\n' +
        '  remedy: make a stream of a dataset with stream.ofDataset',
    ],
    ['a buffer', () => stream.shuffle(random.key(0), 0), 'stream.shuffle: the length of the buffer is 0'],
    ['a count', () => stream.take(-1), 'stream.take: the count is -1'],
  ])('%s that cannot be', (_, f, said) => {
    expect(f).toThrow(said);
  });
});
