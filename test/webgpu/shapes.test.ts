/** Shapes of training steps: what they dispatch and submit, as times of software drivers mean nothing. */

import { type Device, jit, optim, setDefaultDevice, type Tensor, valueAndGrad, webgpuCounts } from 'pullback';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as data from '../../bench/data.ts';
import * as gpt from '../../bench/models/gpt.ts';
import * as lenet from '../../bench/models/lenet.ts';
import * as lstm from '../../bench/models/lstm.ts';
import * as mlp from '../../bench/models/mlp.ts';
import { integers, tensor } from '../../bench/training.ts';
import { device, onWebgpu } from './available.ts';

interface Model {
  readonly loss: (params: never, x: never, truth: never) => Tensor;
  readonly optimizer: optim.GradientTransformation;
}

type Trees = readonly [params: unknown, x: unknown, labels: unknown];

const stepOf = ({ loss, optimizer }: Model) => {
  const lossAndGradient = valueAndGrad(loss) as unknown as (...args: unknown[]) => readonly [Tensor, unknown];
  return jit(
    (params: unknown, state: unknown, x: unknown, truth: unknown) => {
      const [value, gradient] = lossAndGradient(params, x, truth);
      const [updates, next] = optimizer.update(gradient as never, state as never, params as never);
      return [value, optim.applyUpdates(params as never, updates as never), next] as const;
    },
    { donateArgnums: [0, 1] },
  );
};

const models: Readonly<Record<string, { readonly model: Model; readonly trees: () => Trees; readonly most: number }>> =
  {
    mlp: {
      model: mlp as unknown as Model,
      trees() {
        const { params: p, x, labels } = data.mlp();
        const layer = (w: data.Host, b: data.Host) => ({ w: tensor(w), b: tensor(b) });
        const params = { first: layer(p.w1, p.b1), second: layer(p.w2, p.b2), out: layer(p.w3, p.b3) };
        return [params, tensor(x), integers(labels, [labels.length])];
      },
      most: 25,
    },
    lenet: {
      model: lenet as unknown as Model,
      trees() {
        const { params: p, x, labels } = data.lenet();
        const layer = (w: data.Host, b: data.Host) => ({ w: tensor(w), b: tensor(b) });
        const params = {
          conv1: layer(p.cw1, p.cb1),
          conv2: layer(p.cw2, p.cb2),
          dense1: layer(p.w1, p.b1),
          dense2: layer(p.w2, p.b2),
          out: layer(p.w3, p.b3),
        };
        return [params, tensor(x), integers(labels, [labels.length])];
      },
      most: 45,
    },
    lstm: {
      model: lstm as unknown as Model,
      trees() {
        const { params: p, x, labels } = data.lstm();
        const params = {
          wx: tensor(p.wx),
          wh: tensor(p.wh),
          b: tensor(p.b),
          out: { w: tensor(p.wo), b: tensor(p.bo) },
        };
        return [params, tensor(x), integers(labels, [labels.length])];
      },
      most: 860,
    },
    gpt: {
      model: gpt as unknown as Model,
      trees() {
        const { params: p, blocks, ids, labels } = data.gpt();
        const { batch, length } = data.gptSizes;
        const norm = (scale: data.Host, bias: data.Host) => ({ scale: tensor(scale), bias: tensor(bias) });
        const layer = (w: data.Host, b: data.Host) => ({ w: tensor(w), b: tensor(b) });
        const params = {
          symbols: tensor(p.wte),
          positions: tensor(p.wpe),
          blocks: blocks.map((q) => ({
            norm1: norm(q.ln1g, q.ln1b),
            qkv: layer(q.qkvw, q.qkvb),
            projection: layer(q.projw, q.projb),
            norm2: norm(q.ln2g, q.ln2b),
            expand: layer(q.fcw, q.fcb),
            contract: layer(q.fc2w, q.fc2b),
          })),
          norm: norm(p.lnfg, p.lnfb),
          head: tensor(p.head),
        };
        return [params, integers(ids, [batch, length]), integers(labels, [batch, length])];
      },
      most: 200,
    },
  };

onWebgpu('a training step of', () => {
  let before: Device | null;
  beforeAll(() => {
    before = setDefaultDevice(device);
  });
  afterAll(() => {
    setDefaultDevice(before);
  });

  // As many as a kernel of this driver can bind, which SwiftShader says is 12.
  test.each(Object.entries(models))('%s dispatches no more than so many kernels', (_, { model, trees, most }) => {
    const [params, x, labels] = trees();
    const compiled = stepOf(model)
      .lower(params, model.optimizer.init(params as never), x, labels)
      .compile();
    expect(compiled.cost().dispatches).toBeLessThanOrEqual(most);
  });

  test('mlp is one submission, and makes no buffer, kernel or binding once it has begun', () => {
    const { model, trees } = models['mlp']!;
    const [params, x, labels] = trees();
    const step = stepOf(model);
    let state: readonly [unknown, unknown] = [params, model.optimizer.init(params as never)];
    const run = (): number => {
      const [loss, ...next] = step(...state, x, labels);
      state = next;
      return loss.item();
    };
    const losses = Array.from({ length: 6 }, run);
    expect(losses.at(-1)).toBeLessThan(losses[0]!);
    const start = webgpuCounts(device);
    for (let i = 0; i < 3; i++) run();
    const end = webgpuCounts(device);
    expect(end.submits - start.submits).toBe(3);
    expect([end.buffers, end.pipelines, end.bindGroups]).toEqual([start.buffers, start.pipelines, start.bindGroups]);
  });
});
