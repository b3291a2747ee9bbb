/** Worker threads of Node and of browsers, and what each lets us do. */

import { type WorkerData, workerSource } from './worker.ts';

/** A thread that runs {@link workerSource}. */
export interface TeamWorker {
  terminate(): unknown;
}

interface NodeWorker extends TeamWorker {
  unref(): void;
  on(event: 'error', listener: (error: Error) => void): void;
}
interface WorkerThreads {
  readonly Worker: new (source: string, options: object) => NodeWorker;
}
interface WebWorker extends TeamWorker {
  onerror: ((event: { readonly message?: string; preventDefault?(): void }) => void) | null;
  postMessage(data: WorkerData): void;
}
interface Host {
  readonly process?: {
    readonly env?: Readonly<Record<string, string | undefined>>;
    readonly getBuiltinModule?: (name: string) => unknown;
  };
  readonly navigator?: { readonly hardwareConcurrency?: number };
  readonly document?: object;
  readonly Worker?: new (url: string) => WebWorker;
  readonly Blob?: new (parts: readonly string[], options: { readonly type: string }) => object;
  readonly URL?: { createObjectURL(blob: object): string };
}

const host = globalThis as unknown as Host;
const nodeModule = <M>(name: string): M | undefined => host.process?.getBuiltinModule?.(name) as M | undefined;

/** What PULLBACK_THREADS says; `undefined` if nothing. */
export const threadsByEnvironment = (): string | undefined => host.process?.env?.['PULLBACK_THREADS'];

/** The machine's cores, as far as this process may use them. */
export const cores = (): number =>
  nodeModule<{ availableParallelism?(): number }>('node:os')?.availableParallelism?.() ??
  host.navigator?.hardwareConcurrency ??
  1;

/** Whether this thread may sleep: the main thread of a page may not. */
export const maySleep = (): boolean => host.document === undefined;

/** @param failed - told if the thread could not be started, or ended by an error */
export function startWorker(data: WorkerData, failed: () => void): TeamWorker {
  const threads = nodeModule<WorkerThreads>('node:worker_threads');
  if (threads) {
    const worker = new threads.Worker(workerSource, { eval: true, workerData: data, execArgv: [], argv: [] });
    worker.on('error', failed);
    // A program ends although its threads wait.
    worker.unref();
    return worker;
  }
  const { Worker, Blob, URL } = host;
  if (!Worker || !Blob || !URL) throw new Error('there are no workers');
  const worker = new Worker(URL.createObjectURL(new Blob([workerSource], { type: 'text/javascript' })));
  worker.onerror = (event) => {
    event.preventDefault?.();
    failed();
  };
  worker.postMessage(data);
  return worker;
}
