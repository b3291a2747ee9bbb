/** Short forms of examples on WebGPU, with their claims: those that a software driver runs in a few seconds. */

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { onWebgpu } from './available.ts';

const names = ['jacobians', 'own-gradient', 'softmax-graph'] as const;

onWebgpu('examples', () => {
  test.each(names)('%s', (name) => {
    const { status, stdout, stderr } = spawnSync(
      'npm',
      ['run', '--silent', 'example', name, '--', '--short', '--json'],
      {
        env: { ...process.env, PULLBACK_DEVICE: 'webgpu' },
        encoding: 'utf8',
      },
    );
    expect([status, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({ example: name, device: 'webgpu' });
  });
});
