/**
 * Processes that use the GPU end as they should: by themselves, by `process.exit` in the middle of work, killed in the middle of work.
 * GPU_PROCESSES is how many train and end: 1,000 in the soak; of the others there are 50 at most.
 */

import { spawn } from 'node:child_process';
import { build } from 'esbuild';
import { beforeAll, expect, test } from 'vitest';
import { onWebgpu } from './available.ts';

const count = Number(process.env['GPU_PROCESSES'] || 2);
const together = 2;
/** Bundled once: a process starts in a third of the time. */
const program = new URL('../../.reports/gpu-program.mjs', import.meta.url).pathname;
beforeAll(() =>
  build({
    entryPoints: [new URL('./training-program.ts', import.meta.url).pathname],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
  }),
);

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly said: string;
}

/** Runs the program; it is killed `after` so many milliseconds from when it says that it computes. */
const run = (how: string, after: number | null = null): Promise<End> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [program, how], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    let killing = false;
    const hear = (text: Buffer): void => {
      said += text.toString();
      if (after === null || killing || !said.includes('step')) return;
      killing = true;
      setTimeout(() => child.kill('SIGKILL'), after);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('close', (code, signal) => resolve({ code, signal, said }));
  });

async function all(
  how: string,
  after: (i: number) => number | null,
  want: (end: End) => boolean,
  most = Math.min(count, 50),
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < most; i = next++) {
      const end = await run(how, after(i));
      if (!want(end)) expect({ run: i, ...end }).toEqual({});
    }
  };
  await Promise.all(Array.from({ length: together }, worker));
}

const timeout = 60_000 + 5_000 * count;

onWebgpu('processes', () => {
  test('train and end', { timeout }, () =>
    all(
      'end',
      () => null,
      ({ code, said }) => code === 0 && said.includes('loss 4.69'),
      count,
    ),
  );
  test('leave work behind and end', { timeout }, () =>
    all(
      'leave',
      () => null,
      ({ code }) => code === 0,
    ),
  );
  test('process.exit in the middle of work', { timeout }, () =>
    all(
      'exit',
      () => null,
      ({ code }) => code === 0,
    ),
  );
  test('are killed in the middle of work', { timeout }, () =>
    all(
      'forever',
      (i) => (i * 37) % 300,
      ({ signal }) => signal === 'SIGKILL',
    ),
  );
});
