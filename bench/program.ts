/**
 * A program that is raced: it prepares one workload, then times calls when told to.
 *
 * A request is a line of JSON on stdin, an answer a line on stdout: first {@link Ready}, then {@link Times} for each {@link Turn}, at last
 * {@link Checked}. `peers/pytorch.py` speaks the same.
 */

import { createInterface } from 'node:readline';
import { webAssembly } from './web-assembly.ts';
import type { WorkloadName } from './workloads.ts';

/** One workload, prepared: data are where the library wants them. */
export interface Task {
  /** What is timed. A promise is awaited. */
  readonly call: () => unknown;
  /** What is compared between libraries: the losses of all steps so far, or elements of the result. Not timed. */
  readonly check: () => readonly number[] | Promise<readonly number[]>;
}

/** How a library does each workload; what is not there, it cannot do. */
export type Tasks = { readonly [W in WorkloadName]?: () => Task | Promise<Task> };

/** What a program says of itself. */
export interface About {
  readonly version: string;
  /** Threads it computes with. */
  readonly threads: number;
  /** Whether its WebAssembly may use relaxed SIMD; `null` where there is none. */
  readonly relaxed: boolean | null;
  /** The device, where the library has several. */
  readonly device?: string;
}

/** A request: up to `calls` samples or `ms` of time, at least one sample; each is the mean of `batch` calls. */
export interface Turn {
  readonly calls: number;
  readonly ms: number;
  readonly batch: number;
}

/** The request of what is to be compared, after which the program ends. */
export interface End {
  readonly end: true;
}

/** The first answer: the workload is prepared, or the library does not do it. */
export type Ready = { readonly ready: About } | { readonly cannot: string };

/** The answer to a turn: ms a call, one number for each sample. */
export interface Times {
  readonly times: readonly number[];
}

/** The last answer. */
export interface Checked {
  readonly check: readonly number[];
}

/** Whether WebAssembly in this process may use relaxed SIMD: a module with one `f32x4.relaxed_madd` validates. */
export const relaxedSimd = (): boolean =>
  webAssembly.validate(
    Buffer.from('0061736d0100000001080160037b7b7b017b030201000a0d010b00200020012002fd85020b', 'hex'),
  );

/** Time up to `calls` samples. */
async function timed(call: Task['call'], { calls, ms, batch }: Turn): Promise<readonly number[]> {
  const times: number[] = [];
  const end = performance.now() + ms;
  while (times.length === 0 || (times.length < calls && performance.now() < end)) {
    const start = performance.now();
    for (let i = 0; i < batch; i++) {
      const result = call();
      if (result instanceof Promise) await result;
    }
    times.push((performance.now() - start) / batch);
  }
  return times;
}

/** Be the program for the workload named in argv. Whatever a library prints goes to stderr. */
export async function serve(tasks: Tasks, about: About, cannot: string): Promise<void> {
  const answer = (message: Ready | Times | Checked) => process.stdout.write(`${JSON.stringify(message)}\n`);
  const prepare = tasks[process.argv[2] as WorkloadName];
  if (prepare === undefined) {
    answer({ cannot });
    return;
  }
  const task = await prepare();
  answer({ ready: about });
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as Turn | End;
    if ('end' in request) {
      answer({ check: await task.check() });
      break;
    }
    answer({ times: await timed(task.call, request) });
  }
  // Worker pools of libraries would keep a process alive, also when whoever asks has died.
  process.stdout.write('', () => process.exit(0));
}

/** Libraries talk; stdout is for answers. */
export function quiet(): void {
  console.log = console.info = console.warn = (...words: unknown[]) => console.error(...words);
}
