/** Work in other threads: order, bounds, errors, and that nothing is left behind. */
import { Worker } from 'node:worker_threads';
import { pipe } from 'fp-ts/lib/function.js';
import { np, WorkerError } from 'pullback';
import { dataset, type HostArray, hostArray, stream } from 'pullback/data';
import { describe, expect, test } from 'vitest';
import {
  type Answer,
  type Listener,
  nodeHost,
  type Task,
  type WebWorker,
  webHost,
  webProgram,
} from '../../src/data/worker-host.ts';
import { Pool } from '../../src/data/workers.ts';

const module = new URL('../fixtures/data/work.mjs', import.meta.url);
const upTo = (n: number) => stream.ofDataset(dataset.make(n, (i) => i));
const collected = async <A>(xs: AsyncIterable<A>): Promise<A[]> => {
  const all: A[] = [];
  for await (const x of xs) all.push(x);
  return all;
};
const failure = async (xs: AsyncIterable<unknown>): Promise<Error> => {
  try {
    await collected(xs);
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
};
/** Threads of this process, beside those of the test runner. */
const threads = (): number => process.getActiveResourcesInfo().filter((name) => /MessagePort|Worker/.test(name)).length;

describe('in worker threads', () => {
  test('order and positions are those of the stream, on several threads', async () => {
    const before = threads();
    const later = stream.mapInWorkers<number, { n: number; threadId: number }>(module, 'slowly', { workers: 2 })(
      upTo(8),
    );
    const steps = await collected(later.from(0));
    expect(steps.map(({ value, next }) => [value.n, next])).toEqual(Array.from({ length: 8 }, (_, i) => [i, i + 1]));
    expect(new Set(steps.map(({ value }) => value.threadId)).size).toBe(2);
    expect((await collected(later.from(6))).map(({ value }) => value.n)).toEqual([6, 7]);
    expect(threads()).toBe(before);
  });

  test('host arrays and text go there and come back', async () => {
    const data = stream.ofDataset(
      dataset.make(3, (i) => ({ x: hostArray(Float32Array.of(i, 0.5), [1, 2]), name: `n${i}` })),
    );
    type Element = { readonly x: HostArray<'float32'>; readonly name: string };
    const doubled = stream.mapInWorkers<Element, Element>(module, 'double', { workers: 1 })(data);
    const all = await collected(doubled);
    expect(all[2]).toEqual({ x: hostArray(Float32Array.of(4, 1), [1, 2]), name: 'N2' });
    const batches = pipe(
      dataset.fromArray(all),
      dataset.map(({ x }) => x),
      dataset.batch(3),
    );
    expect(batches.at(0).shape).toEqual([3, 1, 2]);
  });

  test('an error comes in its place, and says what the function said', async () => {
    const later = stream.mapInWorkers<number, number>(module, 'odd', { workers: 2, ahead: 6 })(upTo(9));
    const seen: number[] = [];
    const run = async () => {
      for await (const n of later) seen.push(n);
    };
    await expect(run()).rejects.toThrow(
      `stream.mapInWorkers: odd of ${module} failed for element 3: RangeError: three is refused`,
    );
    expect(seen).toEqual([0, 1, 2]);
  });

  test.each<readonly [string, string]>([
    ['ends', `the worker that had element 2 for ends of ${module} has died: it ended with exit code 7`],
    ['instance', 'failed for element 0: TypeError: the result.list[0] is an instance of URL: return plain data'],
    ['callback', 'failed for element 0: TypeError: the result.f is a function: return plain data and typed arrays'],
    ['missing', 'failed for element 0: TypeError: the module exports no function named missing'],
    ['notAFunction', 'failed for element 0: TypeError: the module exports no function named notAFunction'],
  ])('%s', async (name, said) => {
    const before = threads();
    const error = await failure(stream.mapInWorkers<number, unknown>(module, name, { workers: 1 })(upTo(4)));
    expect(error).toBeInstanceOf(WorkerError);
    expect(error.message).toContain(said);
    expect(threads()).toBe(before);
  });

  test('a module that cannot be imported', async () => {
    const missing = new URL('./missing.mjs', import.meta.url);
    const error = await failure(stream.mapInWorkers<number, unknown>(missing, 'f', { workers: 1 })(upTo(1)));
    expect(error.message).toContain(`f of ${missing} failed for element 0: Error: Cannot find module`);
  });

  test('tensors are refused, with the path', async () => {
    const data = stream.ofDataset(dataset.make(1, () => ({ x: [np.zeros([2])] })));
    const error = await failure(stream.mapInWorkers<unknown, unknown>(module, 'square', { workers: 1 })(data));
    expect(error.message).toContain(
      'stream.mapInWorkers: the element.x[0] is the tensor float32[2], which cannot be sent to a worker\n' +
        '  remedy: send host arrays: map in workers before elements are batched',
    );
  });

  test('who stops early leaves no thread, and pulls no more than the bound', async () => {
    const before = threads();
    let pulled = 0;
    const source = pipe(
      upTo(10_000),
      stream.map((i) => {
        pulled++;
        return i;
      }),
    );
    for await (const n of stream.mapInWorkers<number, number>(module, 'square', { workers: 2, ahead: 3 })(source)) {
      if (n === 16) break;
    }
    expect(threads()).toBe(before);
    expect(pulled).toBeLessThanOrEqual(5 + 3);
  });

  test.each<readonly [string, () => unknown, string]>([
    [
      'a path',
      () => stream.mapInWorkers('./work.mjs', 'square'),
      'stream.mapInWorkers: "./work.mjs" is not a URL: in another thread nothing says what a path is relative to\n' +
        "  remedy: use new URL('./decode.js', import.meta.url)",
    ],
    ['no workers', () => stream.mapInWorkers(module, 'square', { workers: 0 }), 'the number of workers is 0'],
    ['an option', () => stream.mapInWorkers(module, 'f', { threads: 2 } as never), "there is no option 'threads'"],
  ])('%s is refused', (_, f, said) => {
    expect(f).toThrow(said);
  });
});

describe('in the workers of a browser', () => {
  /** A browser's worker, played by a thread: the program is the one that a browser gets. */
  class Played implements WebWorker {
    onmessage: WebWorker['onmessage'] = null;
    onerror: WebWorker['onerror'] = null;
    onmessageerror: WebWorker['onmessageerror'] = null;
    private readonly thread: Promise<Worker>;
    static alive = 0;

    constructor(url: string, options: { readonly type: 'module' }) {
      expect(options.type).toBe('module');
      Played.alive++;
      this.thread = fetch(url).then(async (response) => {
        const text = await response.text();
        expect(text).toBe(webProgram);
        const page = `const { parentPort } = require('node:worker_threads');
          let onmessage; const postMessage = (m) => parentPort.postMessage(m);
          ${text}
          parentPort.on('message', (data) => onmessage({ data }));`;
        const thread = new Worker(page, { eval: true });
        thread.on('message', (data) => this.onmessage?.({ data }));
        thread.on('error', (error) => this.onerror?.(error as Error));
        return thread;
      });
    }

    postMessage(message: unknown): void {
      void this.thread.then((thread) => thread.postMessage(message));
    }

    terminate(): void {
      Played.alive--;
      void this.thread.then((thread) => thread.terminate());
    }
  }

  test('the same answers by the same program', async () => {
    const pool = new Pool<number, number>(webHost(Played), 2, String(module), 'square');
    expect(await Promise.all([1, 2, 3].map((n) => pool.run(n, n)))).toEqual([1, 4, 9]);
    const failing = new Pool<number, number>(webHost(Played), 1, String(module), 'odd');
    await expect(failing.run(3, 0)).rejects.toThrow('RangeError: three is refused');
    await Promise.all([pool.close(), failing.close()]);
    expect(Played.alive).toBe(0);
  });

  test('a worker that cannot be started', async () => {
    class Refused implements WebWorker {
      onmessage: WebWorker['onmessage'] = null;
      onerror: WebWorker['onerror'] = null;
      onmessageerror: WebWorker['onmessageerror'] = null;
      postMessage(): void {
        this.onerror?.({ message: 'blocked by the policy of the page' });
      }
      terminate(): void {}
    }
    const pool = new Pool<number, number>(webHost(Refused), 1, String(module), 'square');
    await expect(pool.run(1, 0)).rejects.toThrow('has died: blocked by the policy of the page');
    await pool.close();
  });
});

test('a host answers tasks one by one', async () => {
  const answers: Answer[] = [];
  const listener: Listener = { answer: (answer) => answers.push(answer), died: () => undefined };
  const port = await nodeHost(listener);
  const task: Task = { id: 1, module: String(module), name: 'square', value: 3 };
  port.post(task);
  while (answers.length === 0) await new Promise((done) => setTimeout(done, 1));
  await port.close();
  expect(answers).toEqual([{ id: 1, ok: true, value: 9 }]);
});
