/** Shapes of training steps: what they dispatch and submit, as times of software drivers mean nothing. */

import { type Device, jit, optim, setDefaultDevice, type Tensor, valueAndGrad, webgpuCounts } from 'pullback';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as gpt from '../../bench/models/gpt.ts';
import * as lenet from '../../bench/models/lenet.ts';
import * as lstm from '../../bench/models/lstm.ts';
import * as mlp from '../../bench/models/mlp.ts';
import * as starts from '../../bench/models/starts.ts';
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

interface Training {
  readonly model: Model;
  readonly start: () => Trees;
  readonly most: number;
}

const models: Readonly<Record<string, Training>> = {
  mlp: { model: mlp as unknown as Model, start: starts.mlp, most: 25 },
  lenet: { model: lenet as unknown as Model, start: starts.lenet, most: 45 },
  // As it is: 424 are wanted.
  lstm: { model: lstm as unknown as Model, start: starts.lstm, most: 860 },
  gpt: { model: gpt as unknown as Model, start: starts.gpt, most: 200 },
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
  test.each(Object.entries(models))('%s dispatches no more than so many kernels', (_, { model, start, most }) => {
    const [params, x, labels] = start();
    const compiled = stepOf(model)
      .lower(params, model.optimizer.init(params as never), x, labels)
      .compile();
    expect(compiled.cost().dispatches).toBeLessThanOrEqual(most);
  });

  test('mlp is one submission, and makes no buffer, kernel or binding once it has begun', () => {
    const { model, start: begin } = models['mlp']!;
    const [params, x, labels] = begin();
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
