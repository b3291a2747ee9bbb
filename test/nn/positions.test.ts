/** Positions: tables and rotations against their formulas, and what rotations are for. */

import { jit, nn, np, random, type Tensor, vmap } from 'pullback';
import { checkGrads } from 'pullback/laws';
import { expect, it, test } from 'vitest';
import { message } from '../errors/message.ts';
import fixture from '../fixtures/sequence/attention.json' with { type: 'json' };
import { expectNear, fill, flat } from './sequence-fixtures.ts';

test.each([
  [6, 0],
  [5, 1],
])('sinusoidal positions of %i features are the paper’s', (size, i) => {
  const wanted = fixture.sinusoidal[i]!;
  expectNear(nn.sinusoidalPositions(3, size, { offset: 3, dtype: 'float64' }), wanted, 1e-10);
  const offset = np.array(3, { dtype: 'int32' });
  expectNear(jit((o: Tensor<'int32'>) => nn.sinusoidalPositions(3, size, { offset: o }))(offset), wanted, 1e-5);
  expect(nn.sinusoidalPositions(0, size).shape).toEqual([0, size]);
});

test.each([
  [true, fixture.rotary.interleaved],
  [false, fixture.rotary.halves],
])('rotations are the formula, interleaved %s', (interleaved, wanted) => {
  const x = fill([2, 3, 2, 6], 100);
  const positions = np.array([2, 3, 4], { dtype: 'int32' });
  expectNear(nn.rotary(x, { interleaved, positions }), wanted, 1e-10);
  // Positions of each sequence by itself.
  const each = np.stack([positions, positions]);
  expectNear(nn.rotary(x, { interleaved, positions: each }), wanted, 1e-10);
  expectNear(vmap((v: typeof x) => nn.rotary(v, { interleaved, positions }))(x), wanted, 1e-10);
  checkGrads((v: typeof x) => np.sum(np.sin(nn.rotary(v, { interleaved }))), [x], { directions: 1 });
});

it('products of rotated queries and keys depend on differences of positions', () => {
  const [q, k] = [fill([4, 1, 6], 1), fill([4, 1, 6], 2)];
  const scores = (from: number): number[] => {
    const positions = np.add(np.arange(4), from);
    const [a, b] = [q, k].map((x) => nn.rotary(x, { positions }));
    return flat(np.einsum('thd,shd->ts', a!, b!));
  };
  expectNear(np.array(scores(7), { dtype: 'float64' }), scores(0), 1e-10);
  // A rotation keeps lengths.
  expectNear(np.sum(np.square(nn.rotary(q)), -1), flat(np.sum(np.square(q), -1)), 1e-10);
});

it('learned rows are added or appended, from any position', () => {
  const { table } = nn.learnedPositions.init(random.key(0), 5, 3);
  const x = np.ones([2, 2, 3]);
  const rows = np.index(table, [1, 3]);
  expect(flat(nn.learnedPositions({ table })(x, { offset: 1 }))).toEqual(flat(np.add(x, rows)));
  const appended = nn.learnedPositions({ table }, { append: true })(x, { offset: 1 });
  expect(flat(np.index(appended, 1, [], [3, 6]))).toEqual(flat(rows));
  const at = (i: number): Tensor<'int32'> => np.array(i, { dtype: 'int32' });
  expect(flat(nn.learnedPositions({ table })(x, { offset: at(1) }))).toEqual(flat(np.add(x, rows)));
  const behind = nn.learnedPositions({ table })(x, { offset: at(4) });
  expect(flat(np.index(behind, 0)).map(Number.isNaN)).toEqual([false, false, false, true, true, true]);
});

it('says what does not fit', () => {
  const { table } = nn.learnedPositions.init(random.key(0), 5, 3);
  const wrong: readonly (() => unknown)[] = [
    () => nn.learnedPositions({ table })(np.zeros([2, 6, 3])),
    () => nn.learnedPositions({ table })(np.zeros([2, 4, 2])),
    () => nn.learnedPositions({} as nn.PositionParams),
    () => nn.addPositions(np.zeros([2, 3]), np.zeros([3, 3])),
    () => nn.rotary(np.zeros([2, 1, 3])),
    () => nn.rotary(np.zeros([2, 1, 4]), { positions: np.arange(3) }),
    () => nn.sinusoidalPositions(2.5, 4),
  ];
  expect(wrong.map(message).join('')).toMatchInlineSnapshot(`
    "
    ShapeError: nn.learnedPositions: float32[2,6,3] has positions up to 6, the table float32[5,3] ends before
      remedy: make a longer table, or cut the sequence
      at test/nn/positions.test.ts:LINE

    ShapeError: nn.addPositions: positions float32[4,3] are not of the size of float32[2,4,2]
      remedy: give positions of as many features, or append them: nn.appendPositions
      at test/nn/positions.test.ts:LINE

    TreeError: nn.learnedPositions: params.table is undefined
      remedy: make parameters with nn.learnedPositions.init(key, length, size): { table: float[length, size] }
      at test/nn/positions.test.ts:LINE

    ShapeError: nn.addPositions: positions float32[3,3] do not lie along float32[2,3]
      remedy: give [2, size] beside [..., time, features]
      at test/nn/positions.test.ts:LINE

    ShapeError: nn.rotary: float32[2,1,3] is not [..., time, heads, dim] with an even dim
      remedy: rotate queries and keys of heads that have an even number of features
      at test/nn/positions.test.ts:LINE

    ShapeError: nn.rotary: shapes float32[2,1,4] and int32[3,1,1] do not broadcast: axis -3 has length 2 beside 3
      remedy: lengths of axes, aligned at the last one, must be equal or 1; np.reshape and np.expandDims insert axes
      at test/nn/positions.test.ts:LINE

    ShapeError: nn.sinusoidalPositions: a length is 2.5
      remedy: give non-negative integers
      at test/nn/positions.test.ts:LINE
    "
  `);
});
