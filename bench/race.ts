/**
 * A race: all contenders of one workload, by turns.
 *
 * Every program is started and prepared first. Then each makes its first call, each warms up, and rounds follow in which one after the
 * other takes a short turn, so that what disturbs the machine disturbs all of them. One program computes at a time.
 */

import * as E from 'fp-ts/lib/Either.js';
import { type Child, start } from './child.ts';
import { type ContenderName, commandOf, type Missing } from './contenders.ts';
import type { About } from './program.ts';
import { type WorkloadName, workloads } from './workloads.ts';

/** How much is measured. */
export interface Effort {
  /** Calls before those that count. */
  readonly warmUps: number;
  /** Rounds, at least; there are more while there is time and fewer than `samples` samples. */
  readonly rounds: number;
  /** Samples of a turn, and its ms; at least one sample. */
  readonly turn: { readonly calls: number; readonly ms: number };
  readonly samples: number;
  /** ms for each contender, after which it takes only the turns that it must. */
  readonly budget: number;
}

/** The two efforts. */
export const efforts = (seconds: number) =>
  ({
    quick: { warmUps: 1, rounds: 3, turn: { calls: 10, ms: 150 }, samples: 30, budget: seconds * 1000 },
    full: { warmUps: 3, rounds: 6, turn: { calls: 10, ms: 400 }, samples: 60, budget: seconds * 1000 },
  }) as const satisfies Record<string, Effort>;

/** What one contender has shown; times in ms a call. */
export interface Result {
  readonly about: About;
  /** The first call, with all that is compiled in it. */
  readonly first: number;
  readonly median: number;
  readonly min: number;
  readonly samples: number;
  /** What is compared: losses by step, or elements of the result. */
  readonly check: readonly number[];
}

/** What all contenders have shown, or why one has not. */
export type Outcome = ReadonlyMap<ContenderName, E.Either<Missing, Result>>;

/** One that is in the race. */
class Runner {
  readonly name: ContenderName;
  readonly child: Child;
  readonly times: number[] = [];
  first = 0;
  calls = 0;
  spent = 0;
  failed: Missing | null = null;

  constructor(name: ContenderName, child: Child) {
    this.name = name;
    this.child = child;
  }

  /** Take a turn; its times are returned, and its calls and time counted. */
  async turn(calls: number, ms: number, batch: number): Promise<readonly number[]> {
    if (this.failed !== null) return [];
    const began = performance.now();
    const times = await this.child.turn({ calls, ms, batch });
    this.spent += performance.now() - began;
    if (E.isLeft(times)) {
      this.failed = times.left;
      return [];
    }
    this.calls += times.right.length * batch;
    return times.right;
  }

  async result(): Promise<E.Either<Missing, Result>> {
    if (this.failed !== null) return E.left(this.failed);
    const check = await this.child.end();
    if (E.isLeft(check)) return check;
    const times = [...this.times].sort((a, b) => a - b);
    return E.right({
      about: this.child.about,
      first: this.first,
      median: times[times.length >> 1]!,
      min: times[0]!,
      samples: times.length,
      check: check.right,
    });
  }
}

/** Milliseconds between two turns. */
const settling = 150;

/** Race `names` at a workload. */
export async function race(
  workload: WorkloadName,
  names: readonly ContenderName[],
  threads: number,
  effort: Effort,
): Promise<Outcome> {
  const { steps } = workloads[workload];
  // The loops that measure the peak are as long as they are, whatever the workload.
  const batchOf = ({ name }: Runner): number => (name.startsWith('peak') ? 1 : workloads[workload].batch);
  const outcome = new Map<ContenderName, E.Either<Missing, Result>>();
  const runners: Runner[] = [];
  const started = names.map(async (name) => {
    const command = commandOf(name, threads);
    return [name, E.isLeft(command) ? command : await start(command.right, workload)] as const;
  });
  for (const [name, child] of await Promise.all(started)) {
    if (E.isLeft(child)) outcome.set(name, child);
    else runners.push(new Runner(name, child.right));
  }
  for (const runner of runners) runner.first = (await runner.turn(1, 0, 1))[0] ?? 0;
  for (const runner of runners) {
    // Tiny operations are cheap to warm up, and it takes thousands of calls until they are compiled well.
    const batch = batchOf(runner);
    await runner.turn(batch > 1 ? 10 * effort.warmUps : effort.warmUps, effort.budget / 3, batch);
  }
  for (let round = 0; ; round++) {
    const due = runners.filter(
      ({ failed, times, spent, calls }) =>
        failed === null &&
        (round < effort.rounds || calls < steps || (times.length < effort.samples && spent < effort.budget)),
    );
    if (due.length === 0) break;
    for (const runner of due) {
      // Threads of the one before may look for more to do for a while, on a core that the next one needs.
      if (due.length > 1) await new Promise((resolve) => setTimeout(resolve, settling));
      const hurried = runner.spent >= effort.budget;
      const { calls, ms } = hurried ? { calls: 1, ms: 0 } : effort.turn;
      runner.times.push(...(await runner.turn(calls, ms, batchOf(runner))));
    }
  }
  for (const runner of runners) outcome.set(runner.name, await runner.result());
  return outcome;
}
