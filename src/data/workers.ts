/**
 * A function over the elements of a stream that runs in other threads.
 *
 * A function cannot be sent to another thread, but the name of one can: it is an export of a module, which each worker imports.
 * What goes there and comes back is copied, so that it is plain data: host arrays, typed arrays, numbers, text.
 */

import { DTypeError, TreeError, WorkerError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import { describe } from '../ops/untyped.ts';
import { type AheadOptions, type AsyncStream, expectAhead, type Job, lookAhead } from './async.ts';
import { expectCount } from './counts.ts';
import type { Stream } from './stream.ts';
import { type Answer, type WorkerHost, type WorkerPort, workerHost } from './worker-host.ts';

/** Options of {@link mapInWorkers}. */
export interface WorkersOptions extends AheadOptions {
  /** Threads; default 2. Each imports the module anew. */
  readonly workers?: number;
}

/**
 * Each element through a function that runs in worker threads: `name`, exported by `module`. Order and positions stay.
 *
 * Workers start when an iteration does and end with it, also when the consumer stops early; up to `ahead` elements (default: two
 * for each worker) are under way or waiting. The function gets and returns plain data (host arrays, typed arrays, numbers,
 * text), which is copied; it may be async. There is no other way to run it: without workers this throws.
 *
 * @param module - the URL of a module that the other thread can import as it is: `new URL('./decode.js', import.meta.url)`
 * @param name - the export
 * @throws DTypeError if `module` is not an absolute URL; ShapeError unless `workers` and `ahead` are positive integers
 * @throws WorkerError where an element would have been: what the function threw, or that its worker has died
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { dataset, stream } from 'pullback/data';
 * const module = 'data:text/javascript,export const square = (n) => n * n;';
 * const squares = pipe(
 *   stream.ofDataset(dataset.make(5, (i) => i)),
 *   stream.mapInWorkers<number, number>(module, 'square', { workers: 1 }),
 * );
 * const seen: number[] = [];
 * for await (const n of squares) seen.push(n);
 * console.log(seen); // => [ 0, 1, 4, 9, 16 ]
 * ```
 */
export const mapInWorkers = <A, B>(module: URL | string, name: string, options: WorkersOptions = {}) => {
  const op = 'stream.mapInWorkers';
  const workers = expectCount(op, 'the number of workers', options.workers ?? 2, 1);
  const ahead = expectAhead(op, { ahead: 2 * workers, ...options }, 'workers');
  const url = absolute(op, module);
  const host = workerHost();
  if (host === null) {
    throw new WorkerError({
      op,
      problem: 'there are no workers here',
      remedy: 'run the function in this thread: stream.map or stream.mapAsync',
    });
  }
  return (self: Stream<A> | AsyncStream<A>): AsyncStream<B> =>
    lookAhead(op, self, ahead, () => new Pool<A, B>(host, workers, url, name));
};

function absolute(op: string, module: URL | string): string {
  const text = String(module);
  if (URL.canParse(text)) return text;
  throw new DTypeError({
    op,
    problem: `${describe(text)} is not a URL: in another thread nothing says what a path is relative to`,
    remedy: "use new URL('./decode.js', import.meta.url)",
  });
}

interface Pending {
  readonly port: number;
  readonly index: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The threads of one iteration. */
export class Pool<A, B> implements Job<A, B> {
  private readonly ports: readonly Promise<WorkerPort>[];
  private readonly loads: number[];
  private readonly dead = new Map<number, string>();
  private readonly pending = new Map<number, Pending>();
  private readonly module: string;
  private readonly name: string;

  constructor(host: WorkerHost, workers: number, module: string, name: string) {
    this.module = module;
    this.name = name;
    this.loads = Array.from({ length: workers }, () => 0);
    this.ports = this.loads.map((_, port) =>
      host({
        answer: (answer) => this.settle(answer),
        died: (reason) => this.bury(port, reason),
      }),
    );
    // Whoever sends a task to it hears of it.
    for (const port of this.ports) port.catch(() => undefined);
  }

  run = async (a: A, index: number): Promise<B> => {
    expectPlain(a);
    const port = this.loads.indexOf(Math.min(...this.loads));
    this.loads[port]!++;
    try {
      const started = await this.ports[port]!;
      const result = await new Promise<unknown>((resolve, reject) => {
        const reason = this.dead.get(port);
        if (reason !== undefined) throw this.death(index, reason);
        this.pending.set(index, { port, index, resolve, reject });
        started.post({ id: index, module: this.module, name: this.name, value: a });
      });
      return result as B;
    } finally {
      this.pending.delete(index);
      this.loads[port]!--;
    }
  };

  close = async (): Promise<void> => {
    await Promise.allSettled(this.ports.map(async (port) => (await port).close()));
  };

  private settle(answer: Answer): void {
    const pending = this.pending.get(answer.id);
    if (!pending) return;
    if (answer.ok) {
      pending.resolve(answer.value);
      return;
    }
    const error = new WorkerError({
      op: 'stream.mapInWorkers',
      problem: `${this.name} of ${this.module} failed for element ${pending.index}: ${answer.name}: ${answer.message}`,
    });
    error.cause = answer;
    pending.reject(error);
  }

  private bury(port: number, reason: string): void {
    if (!this.dead.has(port)) this.dead.set(port, reason);
    for (const pending of this.pending.values()) {
      if (pending.port === port) pending.reject(this.death(pending.index, this.dead.get(port)!));
    }
  }

  private death(index: number, reason: string): WorkerError {
    return new WorkerError({
      op: 'stream.mapInWorkers',
      problem: `the worker that had element ${index} for ${this.name} of ${this.module} has died: ${reason}`,
      remedy: 'see that the function neither ends its thread nor takes more memory than there is',
    });
  }
}

/** @throws TreeError for a tensor, which cloning would silently empty */
function expectPlain(x: unknown, path = 'the element'): void {
  if (x instanceof Value) {
    throw new TreeError({
      op: 'stream.mapInWorkers',
      problem: `${path} is ${describe(x)}, which cannot be sent to a worker`,
      remedy: 'send host arrays: map in workers before elements are batched',
    });
  }
  if (typeof x !== 'object' || x === null || ArrayBuffer.isView(x)) return;
  for (const [key, child] of Object.entries(x)) {
    expectPlain(child, Array.isArray(x) ? `${path}[${key}]` : `${path}.${key}`);
  }
}
