/** Runs examples for `all.ts`, one after the other, in one process: the library is loaded once, kernels are compiled once. */

import { runExample } from './cli.ts';
import { load } from './find.ts';

/** What is to be run. */
export interface Job {
  readonly path: string;
  readonly argv: readonly string[];
  /** What `--data` is where the example reads a folder of images, or a file of text. */
  readonly images: string | null;
  readonly text: string | null;
}

/** How it ended. */
export interface Done {
  /** As the exit code of an example; 70 if it threw. */
  readonly code: number;
  readonly seconds: number;
  /** What `--data` was. */
  readonly data: string | null;
}

process.on('message', async ({ path, argv, images, text }: Job) => {
  const began = performance.now();
  process.exitCode = 0;
  let data: string | null = null;
  try {
    const example = await load(path);
    const option = example.options['data'];
    data = option === undefined ? null : option.value === 'FILE' ? text : images;
    await runExample(example, data === null ? argv : [...argv, `--data=${data}`]);
  } catch (error) {
    console.error(error);
    process.exitCode = 70;
  }
  const code = Number(process.exitCode);
  process.exitCode = 0;
  process.send!({ code, data, seconds: (performance.now() - began) / 1000 } satisfies Done);
});
process.on('disconnect', () => process.exit());
