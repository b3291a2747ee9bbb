/** What `npm run bench` can be told, and what it answers to what it cannot. */

import { availableParallelism } from 'node:os';
import * as E from 'fp-ts/lib/Either.js';
import { showFailure } from 'pullback/io';
import { expect, test } from 'vitest';
import { decodeAsked, helpText } from '../../bench/options.ts';
import { workloadNames } from '../../bench/workloads.ts';

const refusal = (...argv: readonly string[]): string => {
  const result = decodeAsked(argv);
  return E.isLeft(result) ? showFailure(result.left) : 'accepted';
};

const defaults = {
  device: null,
  peers: null,
  threads: availableParallelism(),
  quick: false,
  seconds: 8,
  out: null,
  json: false,
  help: false,
  workloads: workloadNames,
};

test('without options: every workload, every peer', () => {
  expect(decodeAsked([])).toEqual(E.right(defaults));
});

test('names of workloads anywhere among options, in the order of the table', () => {
  expect(decodeAsked(['softmax', '--json', 'mlp', '--threads', '2', '--peers=jax-js,torch/t2', 'matmul_512'])).toEqual(
    E.right({
      ...defaults,
      json: true,
      threads: 2,
      peers: ['jax-js', 'torch/t2'],
      workloads: ['mlp', 'matmul_512', 'softmax'],
    }),
  );
  expect(decodeAsked(['--peers', 'none', 'jit_tiny'])).toEqual(
    E.right({ ...defaults, peers: [], workloads: ['jit_tiny'] }),
  );
});

test('quick takes less time, unless told how much', () => {
  expect(decodeAsked(['--quick'])).toEqual(E.right({ ...defaults, quick: true, seconds: 2 }));
  expect(decodeAsked(['--quick', '--seconds=8'])).toEqual(E.right({ ...defaults, quick: true, seconds: 8 }));
});

test('what is wrong, verbatim', () => {
  expect(refusal('matmul', 'mlp', 'vit')).toBe(
    `options: matmul: expected one of ${workloadNames.join(', ')}, got an unknown workload\n` +
      `options: vit: expected one of ${workloadNames.join(', ')}, got an unknown workload`,
  );
  expect(refusal('--threads', '0')).toBe('options: --threads: expected a whole number from 1 to 1000000, got "0"');
  expect(refusal('--peers', 'jax,torch/t1', 'mlp')).toBe(
    'options: --peers: expected names among ours+relaxed, jax-js, jax-js+relaxed, jax-js+relaxed+workers, tfjs-wasm, ' +
      'onnxruntime/t1, onnxruntime/t2, torch/t1, torch/t2, separated by commas, or none, got "jax,torch/t1"',
  );
  expect(refusal('--peer', 'jax-js')).toBe(
    'options: --peer: expected one of --device, --peers, --threads, --quick, --seconds, --out, --json, --help, got an unknown option\n' +
      `options: jax-js: expected one of ${workloadNames.join(', ')}, got an unknown workload`,
  );
});

test('the help names every workload and option', () => {
  const text = helpText();
  for (const name of [...workloadNames, '--peers', '--threads', '--quick', '--seconds', '--out', '--json', '--help']) {
    expect(text).toContain(name);
  }
});
