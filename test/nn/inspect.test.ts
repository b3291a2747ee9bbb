/** What is said of models: counts, tables, receptive fields; what a compiled step of a network with batch norm is. */

import { jit, makeAval, nn, np, random, type Tensor, valueAndGrad, wasmDevice, withDefaultDevice } from 'pullback';
import { describe, expect, it } from 'vitest';

const key = random.key(0);

describe('summary', () => {
  const branch = nn.residual(nn.dense.layer(4, 4));
  const pair = nn.lift(([a, b]: readonly [Tensor, Tensor]) => np.add(a, b) as Tensor, 'sum');
  const model = nn.serial(
    nn.dense.layer(3, 4),
    nn.lift(nn.relu, 'relu'),
    nn.fanOut(branch, nn.dense.layer(4, 4)),
    pair,
  );
  it('counts what init makes, and shows each layer', () => {
    const summary = nn.summary(model, makeAval([2, 3], 'float32'));
    expect(summary.parameters).toBe(3 * 4 + 4 + 2 * (4 * 4 + 4));
    expect(nn.parameterCount(model.init(key))).toBe(summary.parameters);
    expect(`\n${summary}\n`).toMatchInlineSnapshot(`
      "
      layer            output                      parameters
      serial           float32[2,4]                        56
        dense 3→4      float32[2,4]                        16
        relu           float32[2,4]                         0
        fanOut         float32[2,4], float32[2,4]          40
          residual     float32[2,4]                        20
            dense 4→4  float32[2,4]                        20
          dense 4→4    float32[2,4]                        20
        sum            float32[2,4]                         0
      "
    `);
  });
  it('gives each of parallel layers its own input', () => {
    const both = nn.parallel(nn.dense.layer(3, 4), nn.dense.layer(5, 2));
    const input = [makeAval([3], 'float32'), makeAval([7, 5], 'float32')];
    expect(nn.summary(both, input).rows.map((row) => row.output)).toEqual([
      'float32[4], float32[7,2]',
      'float32[4]',
      'float32[7,2]',
    ]);
  });
});

it('a compiled training step with batch norm keeps its convolutions whole and its statistics in few kernels', () => {
  const params = { conv: nn.conv.init(key, [3, 3], 3, 8), norm: nn.batchNorm.init(8), out: nn.dense.init(key, 8, 2) };
  const x = random.normal(key, [4, 8, 8, 3]);
  const step = (p: typeof params, s: nn.BatchNormState) => {
    const forward = (q: typeof params): [Tensor, nn.BatchNormState] => {
      const [y, next] = nn.batchNorm(q.norm, { training: true })(nn.conv(q.conv, { padding: 'SAME' })(x), s);
      return [np.mean(np.square(nn.dense(q.out)(nn.functional.globalAvgPool(nn.relu(y))))) as Tensor, next];
    };
    return valueAndGrad(forward, { hasAux: true })(p);
  };
  const program = withDefaultDevice(wasmDevice(), () => jit(step).lower(params, nn.batchNorm.state(8)).compile());
  const steps = program
    .text('plan')
    .split('\n')
    .filter((line) => /^\d+: /.test(line));
  // The convolution and the gradient of its taps, no copies of windows before them.
  expect(steps.map((line) => line.split(' ')[1]!.replace(/\d+$/, ''))).toEqual([
    'convolve',
    ...Array.from({ length: 8 }, () => 'nest'),
    'convolve',
  ]);
  // Statistics, normalization and their derivatives read what the convolution wrote in three kernels at most.
  expect(steps.filter((line) => line.split('->')[0]!.includes('arena[0:8192]')).length).toBeLessThanOrEqual(3);
});
