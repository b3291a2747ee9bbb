/** The main job's parameters survive their file: judged again, they read exactly as many digits. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { drawDigits, wordsPerDigit } from '../../src/data/digits.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'reload-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A folder of IDX files, as MNIST's, of digits of our own. */
function writeDigits(count: number): string {
  let state = 1;
  const words = Uint32Array.from({ length: count * wordsPerDigit }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
  });
  const { pixels, labels } = drawDigits(words);
  const header = (...axes: readonly number[]): Buffer => {
    const bytes = Buffer.from([0, 0, 8, axes.length, ...Array(4 * axes.length).fill(0)]);
    for (const [i, length] of axes.entries()) bytes.writeUInt32BE(length, 4 + 4 * i);
    return bytes;
  };
  writeFileSync(join(folder, 'train-images-idx3-ubyte'), Buffer.concat([header(count, 28, 28), pixels]));
  writeFileSync(join(folder, 'train-labels-idx1-ubyte'), Buffer.concat([header(count), labels]));
  return folder;
}

test('train, save, load: the same testAccuracy, exactly', () => {
  const data = writeDigits(600);
  const run = (...options: readonly string[]) => {
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      ['--import', 'tsx', 'examples/run.ts', 'digits', '--json', '--data', data, '--out', folder, ...options],
      { cwd: root, encoding: 'utf8' },
    );
    return {
      status,
      stderr,
      summary: JSON.parse(stdout.trim().split('\n').at(-1) || 'null') as Record<string, unknown>,
    };
  };
  const trained = run('--epochs', '2', '--hidden', '24');
  expect(trained).toMatchObject({ status: 0, stderr: '' });
  const { testAccuracy, parameters } = trained.summary;
  expect(testAccuracy).toBeGreaterThan(0.2);
  expect(testAccuracy).toBeLessThan(1);
  const path = join(folder, 'params.safetensors');
  const loaded = run('--hidden', '24', '--load', path);
  expect(loaded).toMatchObject({ status: 0, stderr: '', summary: { example: 'digits', parameters, testAccuracy } });

  // It is the file that decides: other numbers in it read other digits.
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0, bytes.length - 4 * 24 * 10));
  expect(run('--hidden', '24', '--load', path).summary['testAccuracy']).toBeLessThan(testAccuracy as number);
});
