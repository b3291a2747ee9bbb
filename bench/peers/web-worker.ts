/**
 * As much of a web Worker over `node:worker_threads` as a library needs that starts its workers from `blob:` URLs.
 *
 * jax-js computes on several threads where there is a global `Worker`, which Node does not have.
 */

import { resolveObjectURL } from 'node:buffer';
import { availableParallelism } from 'node:os';
import { Worker as Thread } from 'node:worker_threads';

const prelude = `const { parentPort } = require('node:worker_threads');
globalThis.self = globalThis;
globalThis.postMessage = (message, transfer) => parentPort.postMessage(message, transfer);
parentPort.on('message', (data) => globalThis.onmessage && globalThis.onmessage({ data }));
`;

type Message = readonly [message: unknown, transfer: readonly ArrayBuffer[] | undefined];

class WebWorker {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onerror: ((error: Error) => void) | null = null;
  #thread: Thread | null = null;
  readonly #early: Message[] = [];

  constructor(url: string | URL) {
    void this.#start(String(url));
  }

  async #start(url: string): Promise<void> {
    const blob = resolveObjectURL(url);
    if (blob === undefined) throw new Error(`${url} is no blob: URL`);
    this.#thread = new Thread(prelude + (await blob.text()), { eval: true });
    this.#thread.on('message', (data) => this.onmessage?.({ data }));
    this.#thread.on('error', (error) => this.onerror?.(error as Error));
    for (const message of this.#early.splice(0)) this.postMessage(...message);
  }

  postMessage(...message: Message): void {
    if (this.#thread === null) this.#early.push(message);
    else this.#thread.postMessage(message[0], message[1]);
  }

  terminate(): void {
    void this.#thread?.terminate();
  }
}

/** Make it the global `Worker`; call before the library is loaded. */
export function installWebWorker(): void {
  Reflect.set(globalThis, 'Worker', WebWorker);
  if (!('navigator' in globalThis)) {
    Reflect.set(globalThis, 'navigator', { hardwareConcurrency: availableParallelism() });
  }
}
