/** Races between programs that exist without any peer: ours, the peak, and children that fail. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { defaultDevice } from 'pullback';
import { beforeAll, describe, expect, test } from 'vitest';
import { start } from '../../bench/child.ts';
import { commandOf } from '../../bench/contenders.ts';
import { buildPrograms } from '../../bench/install.ts';
import { type Result, race } from '../../bench/race.ts';
import type { Row } from '../../bench/report.ts';

const node = (source: string) => ({ command: process.execPath, args: ['-e', source], env: {} });

describe('children that fail', () => {
  test('one that dies, one that is not there, one that cannot, one that dies later', async () => {
    expect(await start(node('throw new TypeError("no such op")'), 'mlp')).toEqual(
      E.left('the program ended with 1: TypeError: no such op'),
    );
    const absent = await start({ command: '/nonexistent', args: [], env: {} }, 'mlp');
    expect(E.isLeft(absent) && absent.left).toMatch(/spawn \/nonexistent ENOENT/);
    expect(await start(node('console.log(JSON.stringify({ cannot: "no gradients" }))'), 'mlp')).toEqual(
      E.left('no gradients'),
    );
    const ready = JSON.stringify({ ready: { version: '1', threads: 1, relaxed: null } });
    const dies = `console.log(${JSON.stringify(ready)}); process.stdin.on('data', () => { throw new Error('in step'); })`;
    const child = await start(node(dies), 'mlp');
    if (E.isLeft(child)) throw new Error(child.left);
    expect(await child.right.turn({ calls: 1, ms: 0, batch: 1 })).toEqual(
      E.left('the program ended with 1: Error: in step'),
    );
  });
});

test('a peer whose packages are not installed says so', () => {
  for (const name of ['jax-js', 'jax-js+relaxed+workers', 'tfjs-wasm', 'onnxruntime/t1'] as const) {
    const command = commandOf(name, 1, '/nonexistent');
    expect(E.isLeft(command) && command.left).toMatch(
      /^(@jax-js\/jax|@tensorflow\/tfjs|onnxruntime-node) is not installed$/,
    );
  }
});

test('npm run bench -- --json: a line for each workload, and the table written', { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'bench-'));
  const out = join(folder, 'RESULTS.md');
  const argv = ['bench/main.ts', '--json', '--quick', '--seconds=1', '--peers', 'none', '--out', out, 'jit_tiny'];
  const { stdout, status } = spawnSync('node_modules/.bin/tsx', argv, { encoding: 'utf8' });
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
  expect(rows).toMatchObject([
    {
      workload: 'jit_tiny',
      metric: 'us',
      peers: {},
      ratio: {},
      missing: {},
      mismatch: {},
      device: defaultDevice().name,
    },
  ]);
  const { median, min, first } = rows[0]!.ours!;
  expect([min > 0, min <= median, min < first]).toEqual([true, true, true]);
  expect(readFileSync(out, 'utf8')).toContain('| jit_tiny | us |');
  expect(status).toBe(0);
  rmSync(folder, { recursive: true });
});

describe('ours', () => {
  beforeAll(buildPrograms);
  const effort = { warmUps: 1, rounds: 1, turn: { calls: 1, ms: 0 }, samples: 3, budget: 50 };

  test('by turns with the loops that measure the peak', async () => {
    const outcome = await race('matmul_128', ['ours', 'peak', 'peak+relaxed'], 1, effort);
    for (const [name, result] of outcome) {
      if (E.isLeft(result)) throw new Error(`${name}: ${result.left}`);
      const { samples, min, median, first } = result.right;
      expect(samples).toBeGreaterThanOrEqual(1);
      expect(min).toBeGreaterThan(0);
      expect(median).toBeGreaterThanOrEqual(min);
      expect(first).toBeGreaterThan(0);
    }
    const check = (name: 'peak' | 'peak+relaxed') => E.map((result: Result) => result.check)(outcome.get(name)!);
    // The chains have come to their fixed point: every multiplication and addition was done.
    expect(check('peak')).toEqual(E.right([1]));
    expect(check('peak+relaxed')).toEqual(E.right([1]));
  });

  // The losses are PyTorch 1.13's, by bench/peers/pytorch.py.
  test.each([
    ['mlp', 2.3041558265686035, 2.1093714237213135],
    ['lenet', 2.3029489517211914, 2.301353693008423],
  ] as const)('%s: the losses of PyTorch at steps 1 and 5', async (name, one, five) => {
    const result = (await race(name, ['ours'], 1, effort)).get('ours')!;
    if (E.isLeft(result)) throw new Error(result.left);
    expect(result.right.check[0]).toBeCloseTo(one, 4);
    expect(result.right.check[4]).toBeCloseTo(five, 4);
  });
});
