/** A run that is killed at random moments, and opened again each time, ends where an unbroken one does. */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { readSafetensors } from 'pullback/io';
import { afterAll, beforeAll, expect, test } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'pullback-run-'));
const program = join(folder, 'child.mjs');

beforeAll(() =>
  build({
    entryPoints: [join(import.meta.dirname, 'child.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'warning',
  }),
);
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the program, and kills it after so many milliseconds. How it ended: its exit code, or the signal. */
const run = (path: string, milliseconds: number): Promise<{ readonly end: number | string; readonly log: string }> =>
  new Promise((resolve) => {
    const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (text: Buffer) => {
      log += text.toString();
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), milliseconds);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ end: signal ?? code ?? 'lost', log });
    });
  });

/** Where a run has been saved, as text. */
const positionOf = async (path: string): Promise<string> => {
  const file = await readSafetensors(path)();
  return file._tag === 'Left'
    ? file.left._tag
    : /"epoch":\d+,"step":\d+/.exec(file.right.metadata['pullback.run']!)![0];
};

test('parameters are the same bits after 20 kills', { timeout: 120_000 }, async () => {
  const unbroken = join(folder, 'unbroken.safetensors');
  const began = performance.now();
  expect(await run(unbroken, 60_000)).toEqual({ end: 0, log: '' });
  const whole = performance.now() - began;

  const broken = join(folder, 'broken.safetensors');
  let kills = 0;
  const positions = new Set<string>();
  // Kills fall anywhere from the start of the process to after its end; a run that was done begins anew.
  while (kills < 20) {
    const { end, log } = await run(broken, whole * (0.1 + 0.8 * Math.random()));
    expect(log).toBe('');
    if (end === 'SIGKILL') {
      kills++;
      positions.add(await positionOf(broken));
      continue;
    }
    expect(end).toBe(0);
    expect(readFileSync(`${broken}.done`, 'utf8')).toBe(readFileSync(`${unbroken}.done`, 'utf8'));
    rmSync(broken);
  }
  expect(await run(broken, 60_000)).toEqual({ end: 0, log: '' });
  expect(readFileSync(`${broken}.done`, 'utf8')).toBe(readFileSync(`${unbroken}.done`, 'utf8'));
  // Some of them fell while it trained.
  expect(positions.size).toBeGreaterThan(3);
});
