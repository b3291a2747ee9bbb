/** A program that runs as a child: started for one workload, told to take turns, asked for its results. */

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import * as E from 'fp-ts/lib/Either.js';
import type { Command, Missing } from './contenders.ts';
import type { About, Checked, End, Ready, Times, Turn } from './program.ts';

/** How long an answer may take before the program is given up. */
const patience = 180_000;

/** A program that has prepared its workload. */
export interface Child {
  readonly about: About;
  /** Take a turn: ms a call, one number for each sample. */
  readonly turn: (turn: Turn) => Promise<E.Either<Missing, readonly number[]>>;
  /** End it, for what is to be compared. */
  readonly end: () => Promise<E.Either<Missing, readonly number[]>>;
}

/** Programs that run; none is left behind, however we end. */
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Start a program for a workload. */
export async function start({ command, args, env }: Command, workload: string): Promise<E.Either<Missing, Child>> {
  const child = spawn(command, [...args, workload], { env: { ...process.env, ...env }, stdio: 'pipe' });
  running.add(child);
  const errors: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  // A program that has died says so by ending its output.
  child.stdin.on('error', () => {});
  child.on('error', (error) => errors.push(Buffer.from(error.message)));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const closed = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      running.delete(child);
      resolve(code);
    });
  });

  /** Why there was no answer: what the program said last that looks like an error. */
  async function failure(): Promise<Missing> {
    const code = await closed;
    const said = Buffer.concat(errors).toString().trim().split('\n');
    const reason = said.find((line) => /^\s*(\w*Error|Uncaught)\b/.test(line)) ?? said.at(-1) ?? '';
    return `the program ended with ${code}: ${reason.trim().slice(0, 200)}`;
  }

  async function answer<A>(): Promise<E.Either<Missing, A>> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), patience);
    });
    const line = await Promise.race([lines.next(), late]);
    clearTimeout(timer);
    if (line === 'late') {
      child.kill('SIGKILL');
      return E.left(`no answer within ${patience / 1000} s`);
    }
    return line.done ? E.left(await failure()) : E.right(JSON.parse(line.value) as A);
  }

  const ask = <A>(request: Turn | End): Promise<E.Either<Missing, A>> => {
    child.stdin.write(`${JSON.stringify(request)}\n`);
    return answer<A>();
  };

  const ready = await answer<Ready>();
  if (E.isLeft(ready)) return ready;
  if ('cannot' in ready.right) return E.left(ready.right.cannot);
  return E.right({
    about: ready.right.ready,
    turn: async (turn) => E.map((message: Times) => message.times)(await ask<Times>(turn)),
    end: async () => {
      const message = await ask<Checked>({ end: true });
      child.stdin.end();
      if (E.isRight(message)) await closed;
      return E.map(({ check }: Checked) => check)(message);
    },
  });
}
