/**
 * `npm run examples [-- NAME… --full --images DIR --text FILE --jobs N]`: all examples, or those named, and what came of their
 * claims.
 *
 * Short forms unless `--full`. A full run takes seeds 0, 1 and 2 where the first takes less than two minutes, each in a process of
 * its own; its numbers and pictures go to `docs/gallery`, and `docs/EXAMPLES.md` is written anew from all that are there.
 */

import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as T from 'fp-ts/lib/Task.js';
import { decodeWith, showFailure } from 'pullback/io';
import { count, decodeOptions, flag, optionalFile, optionalFolder, separated } from './cli.ts';
import { examples } from './find.ts';
import { keep, Numbers, type Result, report, writePage } from './report.ts';
import type { Done, Job } from './worker.ts';

const options = {
  full: flag('the whole of each, on three seeds where that is quick'),
  images: optionalFolder("folder with MNIST's IDX files, for the examples that read images"),
  text: optionalFile('file of text, for the examples that read text'),
  jobs: count(Math.min(cpus().length, 8), 'processes at a time'),
};

/** Seconds after which an example is stopped. */
const patience = { short: 60, full: 1800 };

/** A process that runs examples, as long as it lives. */
class Worker {
  #process: ChildProcess | undefined;

  /** Run one, and give what it printed. */
  run(job: Job, seconds: number): Promise<Done & { readonly printed: string }> {
    this.#process ??= fork(new URL('./worker.ts', import.meta.url), { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    const child = this.#process;
    return new Promise((resolve) => {
      let printed = '';
      const hear = (text: Buffer): void => {
        printed += text.toString();
      };
      const end = (done: Done): void => {
        clearTimeout(timer);
        child.stdout!.off('data', hear);
        child.stderr!.off('data', hear);
        child.off('exit', died);
        child.off('message', end);
        resolve({ ...done, printed });
      };
      const died = (): void => {
        this.#process = undefined;
        printed += 'the process ended\n';
        end({ code: 70, data: null, seconds });
      };
      const timer = setTimeout(() => {
        printed += `stopped after ${seconds} s\n`;
        child.kill('SIGKILL');
      }, seconds * 1000);
      child.stdout!.on('data', hear);
      child.stderr!.on('data', hear);
      child.once('exit', died);
      child.once('message', end);
      child.send(job);
    });
  }

  /** Let the process go: the next example gets a fresh one. */
  stop(): void {
    this.#process?.removeAllListeners('exit');
    this.#process?.kill();
    this.#process = undefined;
  }
}

/** One example: its first seed, and two more if they are wanted and quick. */
async function judged(
  worker: Worker,
  name: string,
  { full, images, text }: { readonly full: boolean; readonly images: string | null; readonly text: string | null },
): Promise<Result> {
  const out = `examples/out/${name}`;
  const once = async (seed: number) => {
    const folder = seed === 0 ? out : `${out}/seed-${seed}`;
    const argv = [`--out=${folder}`, `--seed=${seed}`, ...(full ? [] : ['--short'])];
    rmSync(`${folder}/numbers.json`, { force: true });
    const done = await worker.run({ path: examples.get(name)!, argv, images, text }, patience[full ? 'full' : 'short']);
    if (full) worker.stop();
    const file = E.tryCatch(() => JSON.parse(readFileSync(`${folder}/numbers.json`, 'utf8')) as unknown, String);
    const numbers = pipe(
      file,
      E.flatMap((json) => pipe(json, decodeWith(Numbers, 'numbers.json'), E.mapLeft(showFailure))),
    );
    return { ...done, seed, numbers: E.getOrElseW(() => null)(numbers) };
  };
  const runs = [await once(0)];
  if (full && runs[0]!.code === 0 && runs[0]!.seconds < 120) runs.push(await once(1), await once(2));
  const result = { name, out, runs };
  console.log(report.line(result));
  // At once: what an hour gave is not lost to the next one.
  if (full) {
    keep(result);
    writePage();
  }
  return result;
}

const [wanted, rest] = separated(options, process.argv.slice(2));
const decoded = decodeOptions(options, rest);
const unknown = wanted.filter((name) => !examples.has(name));
if (E.isLeft(decoded) || unknown.length > 0) {
  const wrong = E.isLeft(decoded) ? showFailure(decoded.left) : `There is no example '${unknown[0]}'.`;
  console.error(`${wrong}\nexamples: [NAME…] [--full] [--images DIR] [--text FILE] [--jobs N]`);
  process.exitCode = 2;
} else {
  const given = decoded.right;
  const queue = wanted.length > 0 ? [...wanted] : [...examples.keys()];
  const results: Result[] = [];
  const lane = async (): Promise<void> => {
    const worker = new Worker();
    for (let name = queue.shift(); name !== undefined; name = queue.shift())
      results.push(await judged(worker, name, given));
    worker.stop();
  };
  await T.sequenceArray(Array.from({ length: given.jobs }, () => lane))();
  report.write(results);
  const failed = results.filter(({ runs }) => runs.some(({ code }) => code !== 0));
  for (const { name, runs } of failed) console.error(`\n${name}:\n${runs.map(({ printed }) => printed).join('')}`);
  console.log(`${results.length - failed.length} examples hold, ${failed.length} do not`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}
