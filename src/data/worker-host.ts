/**
 * Workers, of Node and of browsers, behind one small interface: a port to another thread that imports modules.
 *
 * What runs there first is the text below and not a file of this package, so that it works from sources, from a bundle and from
 * `node_modules` alike. It imports the module that it is told, calls the function, and answers; it knows nothing of tensors.
 */

import type * as Threads from 'node:worker_threads';

/** A task for a worker: call an export of a module. */
export interface Task {
  readonly id: number;
  /** The module's URL. */
  readonly module: string;
  readonly name: string;
  readonly value: unknown;
}

/** What a worker answers. */
export type Answer =
  | { readonly id: number; readonly ok: true; readonly value: unknown }
  | {
      readonly id: number;
      readonly ok: false;
      readonly name: string;
      readonly message: string;
      readonly stack: string;
    };

/** A thread that has been started. */
export interface WorkerPort {
  /** @throws whatever refuses to be cloned */
  post(task: Task): void;
  /** Stop it, whatever it is doing. */
  close(): Promise<void>;
}

/** What a port reports: answers, and that the thread has died. */
export interface Listener {
  answer(answer: Answer): void;
  died(reason: string): void;
}

/** Something that starts threads. */
export type WorkerHost = (listener: Listener) => Promise<WorkerPort>;

const body = `
let loaded = null;
const plain = (x, path) => {
  if (typeof x === 'function' || typeof x === 'symbol') throw new TypeError(path + ' is a ' + typeof x + ': return plain data and typed arrays');
  if (typeof x !== 'object' || x === null || ArrayBuffer.isView(x) || x instanceof ArrayBuffer) return;
  const prototype = Object.getPrototypeOf(x);
  if (!Array.isArray(x) && prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(path + ' is an instance of ' + (x.constructor?.name || 'a class') + ': return plain data and typed arrays');
  }
  for (const key of Object.keys(x)) plain(x[key], path + (Array.isArray(x) ? '[' + key + ']' : '.' + key));
};
const handle = async ({ id, module, name, value }) => {
  try {
    loaded ??= import(module);
    const f = (await loaded)[name];
    if (typeof f !== 'function') throw new TypeError('the module exports no function named ' + name);
    const result = await f(value);
    plain(result, 'the result');
    send({ id, ok: true, value: result });
  } catch (error) {
    const is = error instanceof Error;
    send({ id, ok: false, name: is ? error.name : 'Error', message: is ? error.message : String(error), stack: is ? String(error.stack) : '' });
  }
};`;

/** What a worker of Node runs. */
export const nodeProgram = `
const { parentPort } = process.getBuiltinModule('node:worker_threads');
const send = (answer) => parentPort.postMessage(answer);
${body}
parentPort.on('message', handle);`;

/** What a worker of a browser runs. */
export const webProgram = `
const send = (answer) => postMessage(answer);
${body}
onmessage = ({ data }) => handle(data);`;

/** Under a name that no bundler follows. */
const threads = 'node:worker_threads';

/** Worker threads of Node. */
export const nodeHost: WorkerHost = async (listener) => {
  const { Worker } = (await import(/* @vite-ignore */ threads)) as typeof Threads;
  // What it computes it computes beside the training that it serves, which has the cores.
  const env = { PULLBACK_THREADS: '1', ...process.env };
  const worker = new Worker(nodeProgram, { eval: true, env });
  worker.on('message', (answer: Answer) => listener.answer(answer));
  worker.on('error', (error) => listener.died(error instanceof Error ? error.message : String(error)));
  worker.on('exit', (code) => listener.died(`it ended with exit code ${code}`));
  return {
    post: (task) => worker.postMessage(task),
    close: async () => {
      await worker.terminate();
    },
  };
};

/** What is used of a browser's `Worker`. */
export interface WebWorker {
  postMessage(message: unknown): void;
  terminate(): void;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { readonly message?: string }) => void) | null;
  onmessageerror: (() => void) | null;
}

/** Module workers of a browser. */
export const webHost =
  (Worker: new (url: string, options: { readonly type: 'module' }) => WebWorker): WorkerHost =>
  async (listener) => {
    const url = URL.createObjectURL(new Blob([webProgram], { type: 'text/javascript' }));
    const worker = new Worker(url, { type: 'module' });
    worker.onmessage = ({ data }) => listener.answer(data as Answer);
    worker.onerror = ({ message }) => listener.died(message ?? 'it could not be started');
    worker.onmessageerror = () => listener.died('what it answered could not be read');
    return {
      post: (task) => worker.postMessage(task),
      close: () => {
        worker.terminate();
        URL.revokeObjectURL(url);
        return Promise.resolve();
      },
    };
  };

/** What this environment has; `null` if it has no workers. */
export function workerHost(): WorkerHost | null {
  const { process, Worker } = globalThis as {
    readonly process?: { readonly versions?: { readonly node?: string } };
    readonly Worker?: Parameters<typeof webHost>[0];
  };
  if (process?.versions?.node) return nodeHost;
  return Worker ? webHost(Worker) : null;
}
