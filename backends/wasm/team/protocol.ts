/**
 * How threads run one program together. Every thread runs the whole program (SPMD); a step that is worth it is *open* for a while, in chunks
 * that threads claim. The first thread opens a step and waits until its chunks are done; it is all that a program waits for. A thread
 * that comes late, or is kept from running, holds nothing but the chunk that it has claimed: the others take the rest.
 *
 * Steps have *tickets*, numbers that are never used again, and a claim succeeds only with the ticket of the open step, so a thread that
 * wakes up in a step that is long over, or in a program that is, claims nothing more and skips what is left. Where the way through a program is data
 * (a `while`, a `branch`) the first thread publishes what it decided; who comes too late to read it leaves the program.
 *
 * A thread that stalls with a chunk is waited for, a few times: then the program goes on without others, with the same bits.
 */

import { block, breakIf, breakTo, leave, loop, sequence, when } from '../code/control.ts';
import { atomic, type Code, call, drop, get, i32, i64, select, set, tee } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';

/** Words of the control block, in bytes from its beginning; what different threads write lies in different cache lines. */
export const words = {
  /** Counts calls and letters: what idle threads look at. Odd while the call is being written. */
  epoch: 0,
  sleepers: 4,
  /** The call: which code, the address of its table, how many threads, the ticket before its first. */
  code: 8,
  table: 12,
  threads: 16,
  first: 20,
  /** A thread failed. */
  broken: 24,
  /** The ticket of the step that was opened last, and how many threads sleep until there is another. */
  ticket: 64,
  waiting: 68,
  /** Chunks of the open step that are not done, and whether the first thread sleeps until they are. */
  left: 128,
  asleep: 132,
  /** How often the first thread has waited for a chunk for too long. */
  stalls: 136,
  /** What was decided, by the last digits of the ticket. */
  decisions: 192,
  /** Of each thread, the next of its chunks: the ticket in the upper half. */
  next: 512,
} as const;

const line = 64;
const decisionCount = 64;
/** The distance in tickets after which a decision may have been written over. */
const tooLate = decisionCount - 4;

export const controlBytes = (threads: number): number => words.next + line * threads;

/** What a module is told of the threads that may run it. */
export interface TeamLayout {
  /** Address of the control block. */
  readonly control: number;
  readonly threads: number;
  /** Whether the first thread may sleep: not on a page's main thread. */
  readonly sleeps: boolean;
}

/** Turns of a loop before a thread sleeps: some ten microseconds. */
const patience = 20_000;

/** The functions of the protocol in a module. */
export interface Protocol {
  /** (thread, threads, ticket, chunks) → whether the step is open. */
  readonly enter: Func;
  /** (thread, threads, ticket, chunks) → a chunk, or −1. */
  readonly claim: Func;
  /** A chunk is done. */
  readonly done: Func;
  /** (turns to spin) → whether a chunk took longer: the first thread waits for all chunks. */
  readonly close: Func;
  /** (thread, ticket, decision) → the decision of the first thread, or −1 for a thread that is too late. */
  readonly decide: Func;
  /** (ticket): the program is over. */
  readonly finish: Func;
}

export function emitProtocol(module: Module, { control, sleeps }: TeamLayout): Protocol {
  const at = (word: number): Code => i32.const(control + word);
  const load = (word: number): Code => atomic.load(at(word));
  const store = (word: number, value: Code): Code => atomic.store(at(word), value);
  const one = i32.const(1);
  const wake = (word: number, asleep: number): Code =>
    when(load(asleep), drop(atomic.notify(at(word), i32.const(0x7fffffff))));
  const publish = (ticket: Code): Code => sequence(store(words.ticket, ticket), wake(words.ticket, words.waiting));

  // (ticket) → how many tickets later it is, once it is there.
  const reach = module.func(['i32'], ['i32']);
  {
    const [late, spins, seen] = [reach.local('i32'), reach.local('i32'), reach.local('i32')];
    const lateness = tee(late, i32.sub(tee(seen, load(words.ticket)), get(0)));
    reach.body(
      sequence(
        set(spins, i32.const(patience)),
        block(
          sequence(
            loop(
              sequence(breakIf(i32.geS(lateness, i32.const(0)), 1), breakIf(tee(spins, i32.sub(get(spins), one)), 0)),
            ),
            drop(atomic.add(at(words.waiting), one)),
            block(
              loop(
                sequence(
                  breakIf(i32.geS(lateness, i32.const(0)), 1),
                  drop(atomic.wait(at(words.ticket), get(seen), i64.const(-1n))),
                  breakTo(0),
                ),
              ),
            ),
            drop(atomic.sub(at(words.waiting), one)),
          ),
        ),
        get(late),
      ),
    );
  }

  const shareOf = (thread: Code, threads: Code, chunks: Code): Code => i32.divU(i32.mul(chunks, thread), threads);
  const word64 = (ticket: Code, chunk: Code): Code =>
    i64.or(i64.shl(i64.extendI32U(ticket), i64.const(32n)), i64.extendI32U(chunk));
  const nextOf = (thread: Code): Code => i32.add(at(words.next), i32.mul(thread, i32.const(line)));

  const enter = module.func(['i32', 'i32', 'i32', 'i32'], ['i32']);
  {
    const [thread, threads, ticket, chunks] = [0, 1, 2, 3];
    const t = enter.local('i32');
    enter.body(
      sequence(
        when(get(thread), leave(i32.eqz(call(reach.index, get(ticket))))),
        loop(
          sequence(
            atomic.store64(nextOf(get(t)), word64(get(ticket), shareOf(get(t), get(threads), get(chunks)))),
            breakIf(i32.ltS(tee(t, i32.add(get(t), one)), get(threads)), 0),
          ),
        ),
        store(words.left, get(chunks)),
        publish(get(ticket)),
        one,
      ),
    );
  }

  const claim = module.func(['i32', 'i32', 'i32', 'i32'], ['i32']);
  {
    const [thread, threads, ticket, chunks] = [0, 1, 2, 3];
    const [v, t, chunk] = [claim.local('i32'), claim.local('i32'), claim.local('i32')];
    const seen = claim.local('i64');
    const end = shareOf(i32.add(get(t), one), get(threads), get(chunks));
    claim.body(
      sequence(
        loop(
          sequence(
            set(t, i32.add(get(thread), get(v))),
            set(t, select(i32.sub(get(t), get(threads)), get(t), i32.geS(get(t), get(threads)))),
            block(
              loop(
                sequence(
                  set(seen, atomic.load64(nextOf(get(t)))),
                  when(i32.ne(i32.wrapI64(i64.shrU(get(seen), i64.const(32n))), get(ticket)), leave(i32.const(-1))),
                  breakIf(i32.geU(tee(chunk, i32.wrapI64(get(seen))), end), 1),
                  when(
                    i64.eq(atomic.exchange64(nextOf(get(t)), get(seen), i64.add(get(seen), i64.const(1n))), get(seen)),
                    leave(get(chunk)),
                  ),
                  breakTo(0),
                ),
              ),
            ),
            breakIf(i32.ltS(tee(v, i32.add(get(v), one)), get(threads)), 0),
          ),
        ),
        i32.const(-1),
      ),
    );
  }

  const done = module
    .func([])
    .body(
      when(
        i32.eq(atomic.sub(at(words.left), one), one),
        when(load(words.asleep), drop(atomic.notify(at(words.left), one))),
      ),
    );

  const close = module.func(['i32'], ['i32']);
  {
    const left = close.local('i32');
    const spin = loop(
      sequence(when(i32.eqz(load(words.left)), leave(i32.const(0))), breakIf(tee(0, i32.sub(get(0), one)), 0)),
    );
    // For a while: a thread that fails says so, and may not finish what it has in hand.
    const sleep = drop(atomic.wait(at(words.left), get(left), i64.const(nap)));
    close.body(
      sequence(
        spin,
        drop(atomic.add(at(words.stalls), one)),
        store(words.asleep, one),
        block(
          loop(
            sequence(
              breakIf(i32.or(i32.eqz(tee(left, load(words.left))), load(words.broken)), 1),
              sleeps ? sleep : () => {},
              breakTo(0),
            ),
          ),
        ),
        store(words.asleep, i32.const(0)),
        one,
      ),
    );
  }

  const decide = module.func(['i32', 'i32', 'i32'], ['i32']);
  {
    const [thread, ticket, decision] = [0, 1, 2];
    const slot = i32.add(
      at(words.decisions),
      i32.shl(i32.and(get(ticket), i32.const(decisionCount - 1)), i32.const(2)),
    );
    decide.body(
      sequence(
        when(
          i32.eqz(get(thread)),
          sequence(atomic.store(slot, get(decision)), publish(get(ticket)), leave(get(decision))),
        ),
        drop(call(reach.index, get(ticket))),
        set(decision, atomic.load(slot)),
        select(get(decision), i32.const(-1), i32.ltS(i32.sub(load(words.ticket), get(ticket)), i32.const(tooLate))),
      ),
    );
  }

  const finish = module.func(['i32']).body(publish(i32.add(get(0), i32.const(decisionCount + 1))));
  return { enter, claim, done, close, decide, finish };
}

/** Nanoseconds after which the first thread looks whether another one has failed. */
const nap = 20_000_000n;

/** How the turns of a step are divided: which depends on what it costs, and results do not. */
export interface Division {
  readonly turns: Code;
  readonly chunks: Code;
  /** Turns of a chunk, but the last. */
  readonly grain: Code;
  /** Turns of a loop for which the first thread waits for chunks to be done. */
  readonly spins: Code;
}

/** Which thread this is, as a program knows it. */
export interface Thread {
  readonly protocol: Protocol;
  readonly thread: number;
  readonly threads: number;
  readonly ticket: number;
  /** Whether no other thread takes part, or not any more. */
  readonly alone: number;
  /** How often the first thread had to wait. */
  readonly strikes: number;
}

/** Chunks that are waited for, each for too long, before a program goes on without the others: the first use of pages may take as long. */
export const strikesAllowed = 3;

/** Statements: a step in chunks, or in one piece by a thread that is alone. */
export function shared(func: Func, own: Thread, how: Division, work: (from: Code, to: Code) => Code): Code {
  const { protocol, thread, threads, ticket, alone, strikes } = own;
  const [from, to, chunk] = [func.local('i32'), func.local('i32'), func.local('i32')];
  const { turns, chunks, grain, spins } = how;
  const who = [get(thread), get(threads), get(ticket), chunks] as const;
  const end = i32.add(get(from), grain);
  const next = sequence(
    breakIf(i32.ltS(tee(chunk, call(protocol.claim.index, ...who)), i32.const(0)), 2),
    set(from, i32.mul(get(chunk), grain)),
    set(to, select(end, turns, i32.ltS(end, turns))),
  );
  return sequence(
    set(ticket, i32.add(get(ticket), i32.const(1))),
    set(from, i32.const(0)),
    set(to, turns),
    block(
      sequence(
        breakIf(i32.eqz(i32.or(get(alone), enterUnless(own, who))), 0),
        loop(
          sequence(
            when(i32.eqz(get(alone)), next),
            work(get(from), get(to)),
            breakIf(get(alone), 1),
            call(protocol.done.index),
            breakTo(0),
          ),
        ),
      ),
    ),
    when(
      i32.eqz(i32.or(get(alone), get(thread))),
      sequence(
        set(strikes, i32.add(get(strikes), call(protocol.close.index, spins))),
        set(alone, i32.geS(get(strikes), i32.const(strikesAllowed))),
      ),
    ),
  );
}

/** Whether the step is open, asked only by a thread that is not alone. */
const enterUnless =
  ({ protocol, alone }: Thread, who: readonly Code[]): Code =>
  (out) => {
    get(alone)(out);
    out.u8(0x04).u8(0x7f);
    i32.const(1)(out);
    out.u8(0x05);
    call(protocol.enter.index, ...who)(out);
    out.u8(0x0b);
  };
