/**
 * The threads of a device beside the one that calls it. They start when the first program comes that is worth it, and join a run as soon as they
 * have its code, even in the midst of it; until then, and where there are none, a program runs on one thread, with the same bits.
 *
 * Nothing here waits. Code travels through shared memory, in letters that workers take when they are idle, so that it works where no
 * message arrives: between two threads that never yield.
 */

import type { LinearMemory } from '../memory.ts';
import { failedError, threadsError } from '../refusals.ts';
import { cores, maySleep, startWorker, type TeamWorker, threadsByEnvironment } from './platform.ts';
import { controlBytes, strikesAllowed, type TeamLayout, words } from './protocol.ts';
import { mailbox } from './worker.ts';

/** (table, thread, threads, ticket): a program, or a part of it. */
export type SharedRun = (table: number, thread: number, threads: number, ticket: number) => void;

/** Code that threads share: by which number they know it, and how many of them it has room for. */
export interface SharedCode {
  readonly run: SharedRun;
  readonly number: number;
  readonly threads: number;
  /** The module: workers that have forgotten it are sent it again. */
  readonly bytes: Uint8Array;
}

/** Milliseconds for which an idle thread looks for the next call: training steps follow each other in less. */
const awake = 0.2;
/** Programs whose code workers keep, those used last; and calls of another one after which they are sent it again. */
const codeLimit = 512;
const missed = 8;
/** Milliseconds in which programs run alone after one that stalled: at first, and at most. */
const rests = { first: 10, most: 250 };
/** Milliseconds for which tests wait for a worker. */
const patience = 20_000;

const most = 256;

/** The number of threads that is asked for. @throws WorkerError */
export function threadCount(option: number | undefined): number {
  const text = threadsByEnvironment();
  const given = option ?? (text === undefined || text === '' ? undefined : Number(text));
  if (given === undefined) return Math.min(cores(), most);
  if (!Number.isInteger(given) || given < 1 || given > most) {
    throw threadsError(option === undefined ? `PULLBACK_THREADS=${text}` : `threads: ${given}`, most);
  }
  return given;
}

const w = Object.fromEntries(Object.entries(words).map(([name, at]) => [name, at / 4])) as typeof words;

interface Letter {
  readonly code: number;
  /** `null`: forget it. */
  readonly bytes: Uint8Array | null;
  /** Bytes that were sent already. */
  sent: number;
}

/** Threads of devices that are garbage. */
const orphans = new FinalizationRegistry<readonly TeamWorker[]>((workers) => {
  for (const worker of workers) worker.terminate();
});

export class Team {
  readonly layout: TeamLayout;
  readonly #memory: LinearMemory;
  /** Whether a call waits until the others have its code: for tests, which would see one thread otherwise. */
  readonly #patient: boolean;
  #workers: TeamWorker[] | null = null;
  #failed = false;
  #mail: SharedArrayBuffer | null = null;
  #head: Int32Array = new Int32Array(16);
  readonly #outbox: Letter[] = [];
  #letters = 0;
  /** Code that all threads have, and that they will have: in the order of its last use. */
  readonly #codes = new Map<number, boolean>();
  /** How often code that they have not was called; what is sent at its first call begins with all but one of them. */
  readonly #missed = new Map<number, number>();
  #count = 0;
  #ticket = 0;
  /** When programs are shared again after one that stalled; 0: they are. */
  #rest = 0;
  #penalty = rests.first;
  /** How many calls were shared. */
  calls = 0;

  constructor(memory: LinearMemory, threads: number, patient: boolean) {
    this.#memory = memory;
    this.#patient = patient;
    this.layout = { control: memory.reserve(controlBytes(threads)), threads, sleeps: maySleep() };
    const at = this.layout.control >>> 2;
    memory.words.fill(0, at, at + (controlBytes(threads) >>> 2));
  }

  /** The number of code that the threads will have: at once, or when it is first run with them. */
  enroll(bytes: Uint8Array, when: 'now' | 'later' = 'now'): number {
    const code = ++this.#count;
    if (when === 'now') this.#send(code, bytes);
    else this.#missed.set(code, missed);
    return code;
  }

  #send(code: number, bytes: Uint8Array): void {
    this.start();
    if (this.#failed) return;
    this.#codes.set(code, false);
    this.#outbox.push({ code, bytes, sent: 0 });
    if (this.#codes.size > codeLimit) this.dismiss(this.#codes.keys().next().value!);
    this.#deliver();
  }

  /** Code that was dismissed for newer ones, and is called again and again, comes back. */
  #miss({ number, bytes }: SharedCode): void {
    const count = (this.#missed.get(number) ?? 0) + 1;
    this.#missed.set(number, count);
    if (count < missed) return;
    this.#missed.delete(number);
    this.#send(number, bytes);
  }

  /** The code is needed no more. */
  dismiss(code: number): void {
    this.#missed.delete(code);
    if (!this.#codes.delete(code)) return;
    this.#outbox.push({ code, bytes: null, sent: 0 });
  }

  /** Threads that work in areas of so many bytes, at most an eighth of memory in all, on a step of so many chunks. */
  members(area: number, chunks: number): number {
    const room = area === 0 ? Number.POSITIVE_INFINITY : Math.floor(this.#memory.budget / 8 / area);
    return Math.max(1, Math.min(this.layout.threads, chunks, room));
  }

  /** Run a program, with all who have its code, or so many. */
  run(code: SharedCode, table: number, threads = code.threads): void {
    const { number, run } = code;
    if (this.#outbox.length > 0) this.#deliver();
    if (this.#patient) this.#await(number);
    if (!this.#codes.has(number)) this.#miss(code);
    if (!this.#codes.has(number) || (this.#rest > 0 && performance.now() < this.#rest)) {
      run(table, 0, 1, 0);
      return;
    }
    // What was used last goes last. Who has the code comes in; nobody waits for the others.
    const all = this.#codes.get(number)!;
    this.#codes.delete(number);
    this.#codes.set(number, all);
    this.#share(code, table, threads);
  }

  #share({ number, run }: SharedCode, table: number, threads: number): void {
    const { control } = this.layout;
    const { words } = this.#memory;
    const at = control >>> 2;
    const stalls = words[at + w.stalls]!;
    // Odd while the call is written down, whatever happened before.
    const epoch = Atomics.load(words, at + w.epoch) & ~1;
    Atomics.store(words, at + w.epoch, epoch + 1);
    Atomics.store(words, at + w.code, number);
    Atomics.store(words, at + w.table, table);
    Atomics.store(words, at + w.threads, threads);
    Atomics.store(words, at + w.first, this.#ticket);
    Atomics.store(words, at + w.epoch, epoch + 2);
    this.calls++;
    try {
      this.#wake();
      run(table, 0, threads, this.#ticket);
    } catch (error) {
      // Somebody may be at work on a chunk.
      this.end();
      throw error;
    }
    this.#ticket = Atomics.load(words, at + w.ticket);
    if (Atomics.load(words, at + w.broken) !== 0) {
      this.end();
      const bytes = new Uint8Array(this.#mail!, mailbox.head, this.#head[mailbox.length]!);
      throw failedError(new TextDecoder().decode(bytes.slice()));
    }
    this.#rest = 0;
    if (words[at + w.stalls]! - stalls < strikesAllowed) this.#penalty = Math.max(rests.first, this.#penalty / 2);
    else {
      this.#rest = performance.now() + this.#penalty;
      this.#penalty = Math.min(rests.most, this.#penalty * 2);
    }
  }

  #wake(): void {
    const { words } = this.#memory;
    const at = this.layout.control >>> 2;
    if (Atomics.load(words, at + w.sleepers) > 0) Atomics.notify(words, at + w.epoch);
  }

  /** Whether there are other threads by now. */
  get isStarted(): boolean {
    return this.#workers !== null;
  }

  /** Start the threads, if they are not there: who will have something for them soon need not wait for them then. */
  start(): void {
    if (this.#workers || this.#failed) return;
    const { control, threads } = this.layout;
    this.#mail = new SharedArrayBuffer(mailbox.head + mailbox.room);
    this.#head = new Int32Array(this.#mail, 0, 16);
    const workers: TeamWorker[] = [];
    this.#workers = workers;
    try {
      for (let thread = 1; thread < threads; thread++) {
        const { memory } = this.#memory;
        const data = { memory, mail: this.#mail, control, thread, awake };
        // It may be the device's last user, so it knows of the team no more than this.
        const team = new WeakRef<Team>(this);
        workers.push(startWorker(data, () => team.deref()?.end()));
      }
      orphans.register(this, workers);
    } catch {
      this.end();
    }
  }

  /** From now on everything runs on one thread. */
  end(): void {
    this.#failed = true;
    for (const worker of this.#workers ?? []) worker.terminate();
    this.#codes.clear();
    this.#outbox.length = 0;
  }

  /** Send what is to be sent, as far as everybody has taken what was sent before. */
  #deliver(): void {
    const others = this.layout.threads - 1;
    while (Atomics.load(this.#head, mailbox.taken) === this.#letters * others) {
      const letter = this.#outbox[0];
      if (!letter) return;
      const { code, bytes, sent } = letter;
      if (bytes && sent === bytes.length) {
        if (this.#codes.has(code)) this.#codes.set(code, true);
        this.#outbox.shift();
      } else this.#post(letter);
    }
  }

  /** Send a letter, or the next piece of it. */
  #post(letter: Letter): void {
    const { code, bytes, sent } = letter;
    const total = bytes?.length ?? 0;
    const length = Math.min(mailbox.room, total - sent);
    if (bytes) new Uint8Array(this.#mail!, mailbox.head, length).set(bytes.subarray(sent, sent + length));
    else this.#outbox.shift();
    letter.sent += length;
    this.#head[mailbox.code] = code;
    this.#head[mailbox.total] = total;
    this.#head[mailbox.offset] = sent;
    this.#head[mailbox.length] = length;
    this.#letters++;
    Atomics.add(this.#head, mailbox.letter, 1);
    // Idle threads look at the epoch alone.
    Atomics.add(this.#memory.words, (this.layout.control >>> 2) + w.epoch, 2);
    this.#wake();
  }

  /** Wait until everybody has the code. */
  #await(code: number): void {
    const until = performance.now() + patience;
    while (this.#codes.get(code) === false) {
      if (performance.now() > until) throw failedError('it did not start');
      Atomics.wait(this.#head, mailbox.taken, Atomics.load(this.#head, mailbox.taken), 1);
      this.#deliver();
    }
  }
}
