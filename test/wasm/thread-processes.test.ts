/**
 * Threads and the process: they keep it from nothing. A program that trains on two threads is bundled once and run many times: it ends by
 * itself, by `process.exit` and by being killed, and leaves no process behind; and it goes on, with the same bits, where other work
 * takes the cores.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Processes that are killed; `npm run soak threads`: 200. */
const killed = Number(process.env['SOAK_KILLED'] ?? 3);
const timeout = 600_000;

const folder = mkdtempSync(join(tmpdir(), 'pullback-threads-'));
const program = join(folder, 'train.mjs');
beforeAll(async () => {
  await build({
    entryPoints: ['test/wasm/thread-program.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: program,
    alias: { pullback: './src/index.ts' },
    logLevel: 'error',
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
}, timeout);
afterAll(() => rmSync(folder, { recursive: true }));

const start = (args: readonly string[], threads = '2'): ChildProcess =>
  spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, PULLBACK_THREADS: threads },
  });

interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly out: string;
}

async function end(child: ChildProcess): Promise<End> {
  let out = '';
  child.stdout!.on('data', (text) => {
    out += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, out };
}

/** Whether a process of this number is there, a zombie counted. */
const isThere = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

describe('a process whose threads wait', () => {
  it('ends by itself', { timeout }, async () => {
    const { code, out } = await end(start(['steps', '200']));
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ shared: true });
  });

  it('ends by process.exit, whatever its threads do', { timeout }, async () => {
    for (const status of ['0', '7']) {
      const { code } = await end(start(['exit', status]));
      expect(code).toBe(Number(status));
    }
  });

  it('leaves nothing behind when it is killed', { timeout }, async () => {
    for (let i = 0; i < killed; i++) {
      const child = start(['steps', '1000000']);
      const over = end(child);
      await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 500));
      child.kill('SIGKILL');
      expect((await over).signal).toBe('SIGKILL');
      expect(isThere(child.pid!)).toBe(false);
    }
  });
});

describe('where other work takes the cores', () => {
  it('a program has the same bits, on the threads that it gets', { timeout }, async () => {
    const alone = JSON.parse((await end(start(['steps', '100'], '1'))).out);
    const others = Array.from({ length: availableParallelism() }, () =>
      spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' }),
    );
    try {
      const busy = JSON.parse((await end(start(['steps', '100']))).out);
      expect(busy.bits).toBe(alone.bits);
      expect(busy.shared).toBe(true);
    } finally {
      for (const child of others) child.kill('SIGKILL');
    }
  });
});
