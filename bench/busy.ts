/**
 * Training steps where other work takes the cores: a busy loop on each, and this library on one thread and on several by turns. What the
 * threads may cost there is that nothing comes back from a chunk for as long as the system runs something else.
 *
 *     npm run bench:busy [-- THREADS]
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import * as E from 'fp-ts/lib/Either.js';
import { type Child, start } from './child.ts';
import { commandOf } from './contenders.ts';
import type { WorkloadName } from './workloads.ts';

const threads = Number(process.argv[2] ?? availableParallelism());
/** Steps of each, of which the medians are compared. */
const steps = 50;
const models: readonly WorkloadName[] = ['mlp', 'lenet', 'lstm', 'gpt'];

const orThrow = <A>(x: E.Either<string, A>): A => {
  if (E.isLeft(x)) throw new Error(x.left);
  return x.right;
};
const started = async (model: WorkloadName, count: number): Promise<Child> =>
  orThrow(await start(orThrow(commandOf('ours', count)), model));
const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[Math.floor(xs.length / 2)]!;

const others: ChildProcess[] = Array.from({ length: availableParallelism() }, () =>
  spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
);
process.on('exit', () => {
  for (const child of others) child.kill('SIGKILL');
});

console.log(`medians of ${steps} steps beside a busy loop on each of ${availableParallelism()} cores, in ms`);
for (const model of models) {
  const children = [await started(model, 1), await started(model, threads)];
  const times: number[][] = [[], []];
  for (const child of children) orThrow(await child.turn({ calls: 5, ms: 10_000, batch: 1 }));
  while (times[0]!.length < steps) {
    for (const [i, child] of children.entries()) {
      times[i]!.push(...orThrow(await child.turn({ calls: 10, ms: 60_000, batch: 1 })));
    }
  }
  for (const child of children) orThrow(await child.end());
  const [one, several] = times.map(median) as [number, number];
  console.log(
    `${model.padEnd(8)}1 thread ${one.toFixed(1).padStart(7)}   ${threads} threads ${several.toFixed(1).padStart(7)}   ×${(several / one).toFixed(2)}`,
  );
}
process.exit(0);
