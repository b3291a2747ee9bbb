/** What a worker thread of a team runs: the text of a script, as it must start wherever the library came from. */

import { words } from './protocol.ts';

/** Words of the mailbox, of 4 bytes; bytes of code follow. */
export const mailbox = {
  /** Counts letters, and how many were taken by whom, together. */
  letter: 0,
  taken: 1,
  /** Which code; bytes of it in all, where this piece of it begins, and how long it is: 0 if the code is to be forgotten. */
  code: 2,
  total: 3,
  offset: 4,
  length: 5,
  /** Bytes before the piece. */
  head: 64,
  /** Bytes of a piece at most. */
  room: 1 << 20,
} as const;

/** What a worker is given. */
export interface WorkerData {
  readonly memory: object;
  readonly mail: SharedArrayBuffer;
  /** Address of the control block. */
  readonly control: number;
  /** Which thread of the team it is. */
  readonly thread: number;
  /** Milliseconds for which it looks for the next call before it sleeps. */
  readonly awake: number;
}

const w = Object.fromEntries(Object.entries(words).map(([name, at]) => [name, at / 4])) as typeof words;

/**
 * It waits for letters, which bring code, and for calls. A call is read between two looks at the epoch, which is odd while it is written; what
 * is called when it is over finds nothing to do.
 */
export const workerSource = `'use strict';
const serve = ({ memory, mail, control, thread, awake }) => {
  const words = new Int32Array(memory.buffer, control, 128);
  const head = new Int32Array(mail, 0, 16);
  const codes = new Map();
  let bytes = null;
  let letters = 0;
  let epoch = Atomics.load(words, ${w.epoch});
  let until = 0;
  const open = () => {
    const [code, total, offset, length] = [${mailbox.code}, ${mailbox.total}, ${mailbox.offset}, ${mailbox.length}].map((i) => head[i]);
    if (length === 0) codes.delete(code);
    else {
      if (offset === 0) bytes = new Uint8Array(total);
      bytes.set(new Uint8Array(mail, ${mailbox.head}, length), offset);
      if (offset + length === total) {
        codes.set(code, new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports);
        bytes = null;
        // What is called already is looked at again.
        if (Atomics.load(words, ${w.code}) === code) epoch -= 2;
      }
    }
    Atomics.add(head, ${mailbox.taken}, 1);
    Atomics.notify(head, ${mailbox.taken});
  };
  for (;;) {
    const letter = Atomics.load(head, ${mailbox.letter});
    if (letter !== letters) {
      letters = letter;
      open();
    }
    const now = Atomics.load(words, ${w.epoch});
    if (now === epoch) {
      let turns = 256;
      while (turns > 0 && Atomics.load(words, ${w.epoch}) === epoch) turns--;
      if (turns > 0 || performance.now() < until) continue;
      Atomics.add(words, ${w.sleepers}, 1);
      Atomics.wait(words, ${w.epoch}, epoch);
      Atomics.sub(words, ${w.sleepers}, 1);
      continue;
    }
    epoch = now;
    const [code, table, threads, first] = [${w.code}, ${w.table}, ${w.threads}, ${w.first}].map((i) => Atomics.load(words, i));
    if (now % 2 !== 0 || Atomics.load(words, ${w.epoch}) !== now || thread >= threads) continue;
    const exports = codes.get(code);
    if (exports === undefined) continue;
    try {
      (exports.share ?? exports.run)(table, thread, threads, first);
    } catch (error) {
      const text = new TextEncoder().encode(String(error?.stack ?? error)).subarray(0, 1000);
      new Uint8Array(mail, ${mailbox.head}, text.length).set(text);
      head[${mailbox.length}] = text.length;
      Atomics.store(words, ${w.broken}, 1);
      Atomics.notify(words, ${w.left});
      throw error;
    }
    until = performance.now() + awake;
  }
};
const threads = globalThis.process?.getBuiltinModule?.('node:worker_threads');
if (threads) serve(threads.workerData);
else onmessage = ({ data }) => serve(data);
`;
