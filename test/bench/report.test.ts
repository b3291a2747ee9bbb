/** From times to rows and tables: units, ratios, who is missing, and whose results differ. */

import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, test } from 'vitest';
import type { ContenderName, Missing } from '../../bench/contenders.ts';
import { peakFlops } from '../../bench/peak-loop.ts';
import type { Outcome, Result } from '../../bench/race.ts';
import { againstPeak, difference, isSound, onThreads, rowOf } from '../../bench/report.ts';
import { absences, document, tableHead, tableRow } from '../../bench/table.ts';

const about = { version: '1.2.3', device: 'reference', threads: 1, relaxed: null };
const result = (min: number, check: readonly number[]): E.Either<Missing, Result> =>
  E.right({ about, first: 10 * min, median: 2 * min, min, samples: 5, check });
const outcome = (entries: readonly (readonly [ContenderName, E.Either<Missing, Result>])[]): Outcome =>
  new Map(entries);

describe('difference', () => {
  test('three digits of the largest agree, and no NaN does', () => {
    expect(difference([2, 1], [2.0019, 0.9981])).toBe(null);
    expect(difference([2, 1], [2, 1.0021])).toBe('2, 1.0021 where ours are 2, 1');
    expect(difference([2, 1], [2, Number.NaN])).toBe('2, NaN where ours are 2, 1');
    expect(difference([Number.NaN], [Number.NaN])).toBe('NaN where ours are NaN');
    expect(difference([1], [])).toBe(' where ours are 1');
  });
});

describe('rows', () => {
  const losses = (last: number): readonly number[] => [2.3, 2.29, 2.28, 2.27, last, 2.1];
  const trained = rowOf(
    'mlp',
    outcome([
      ['ours', result(2, losses(2.26))],
      ['jax-js', result(8, losses(2.2601))],
      ['torch/t1', result(4, losses(2.25))],
      ['onnxruntime/t1', E.left('it does inference only')],
    ]),
    'reference',
    1,
  );

  test('a model: ratios of best times, losses at steps 1 and 5, whose are others', () => {
    expect(trained).toEqual({
      workload: 'mlp',
      metric: 'ms/step',
      ours: { median: 4, min: 2, first: 20 },
      peers: { 'jax-js': { median: 16, min: 8, first: 80 }, 'torch/t1': { median: 8, min: 4, first: 40 } },
      ratio: { 'jax-js': 0.25, 'torch/t1': 0.5 },
      missing: { 'onnxruntime/t1': 'it does inference only' },
      mismatch: { 'torch/t1': '2.3, 2.25 where ours are 2.3, 2.26' },
      losses: { ours: [2.3, 2.26], 'jax-js': [2.3, 2.2601], 'torch/t1': [2.3, 2.25] },
      device: 'reference',
      threads: 1,
    });
    expect(isSound(trained)).toBe(false);
  });

  test('a product: operations a second, beside the peak of the same minute', () => {
    const row = rowOf(
      'matmul_512',
      outcome([
        ['ours', result(5, [1, 2])],
        ['tfjs-wasm', result(10, [1, 2])],
        ['peak', result(peakFlops / 50e6, [])],
        ['peak+relaxed', E.left('no answer within 180 s')],
      ]),
      'wasm',
      1,
    );
    expect(row.gflops).toEqual({ ours: 53.687, 'tfjs-wasm': 26.844 });
    expect(row.peak).toEqual({ mulAdd: 50, relaxedMadd: null });
    expect(row.missing).toEqual({ 'peak+relaxed': 'no answer within 180 s' });
    expect(isSound(row)).toBe(true);
    expect(againstPeak(row, { mulAdd: 40, relaxedMadd: 60 }).peak).toEqual({ mulAdd: 50, relaxedMadd: 60 });
    expect(againstPeak(trained, { mulAdd: 40, relaxedMadd: 60 })).toEqual(trained);
  });

  test('tiny operations are in µs; ours failing is no sound row', () => {
    const row = rowOf('jit_tiny', outcome([['ours', result(0.0025, [1])]]), 'wasm', 1);
    expect([row.metric, row.ours]).toEqual(['us', { median: 5, min: 2.5, first: 25 }]);
    const failed = rowOf(
      'jit_tiny',
      outcome([
        ['ours', E.left('no')],
        ['jax-js', result(1, [1])],
      ]),
      'wasm',
      1,
    );
    expect([failed.ours, failed.ratio, failed.missing, isSound(failed)]).toEqual([null, {}, { ours: 'no' }, false]);
  });

  test('ours on another number of threads than was asked for has failed; peers have their own', () => {
    const found = outcome([
      ['ours', result(1, [1])],
      ['jax-js', result(1, [1])],
    ]);
    expect(onThreads(found, 1)).toEqual(found);
    const { missing, peers } = rowOf('softmax', onThreads(found, 2), 'reference', 2);
    expect(missing).toEqual({ ours: '2 threads were asked for, the reference device computes on 1' });
    expect(Object.keys(peers)).toEqual(['jax-js']);
  });

  test('as people see them', () => {
    const peers = ['jax-js', 'torch/t1', 'onnxruntime/t1'] as const;
    expect(`${tableHead(peers)}\n${tableRow(trained, peers)}`).toMatchInlineSnapshot(`
      "best of all samples         unit        ours      jax-js       torch onnxruntime
                                                                       /t1         /t1
      mlp                      ms/step           2           8           4           –
                                                         ×0.25        ×0.5
          MISMATCH with torch/t1: 2.3, 2.25 where ours are 2.3, 2.26"
    `);
    expect(absences([trained])).toEqual(['onnxruntime/t1: it does inference only']);
    const text = document([trained], peers, {
      command: 'npm run bench -- mlp',
      date: new Date(0),
      device: 'reference',
      threads: 1,
      load: 0.25,
      versions: new Map([['jax-js', '0.1.25, 1 thread']]),
      anatomy: '| product |',
    });
    expect(text).toContain('Written by `npm run bench -- mlp` on 1970-01-01 00:00 UTC');
    expect(text).toContain('- Load when it began: 0.3\n');
    expect(text).toContain('| mlp | ms/step | 2 MISMATCH | 8 (×0.25) | 4 (×0.5) | – |');
    expect(text).toContain('- mlp, torch/t1: 2.3, 2.25 where ours are 2.3, 2.26');
    expect(text).toContain('- onnxruntime/t1: it does inference only');
    expect(text).toContain("## Where the products' time goes\n\n| product |\n\n## Workloads");
  });
});
