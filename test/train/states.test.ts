/** States of all shapes of optimizers, through steps of `fit`, files and back. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nn, np, optim, random, type Tensor, train, tree, valueAndGrad } from 'pullback';
import { paramsCodec, readParams, writeParams } from 'pullback/io';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'pullback-states-'));
afterAll(() => rmSync(folder, { recursive: true }));

const params = nn.serial(nn.dense.layer(2, 3), nn.lift(nn.tanh), nn.dense.layer(3, 1)).init(random.key(0));
type Params = typeof params;
const model = (p: Params, x: Tensor): Tensor => nn.dense(p[2])(nn.tanh(nn.dense(p[0])(x)));
const loss = (p: Params, x: Tensor): Tensor =>
  np.mean(np.square(np.sub(model(p, x), np.sum(x, 1, { keepdims: true }))));

const isWeight = (path: string): boolean => path.endsWith('w');
const optimizers: Readonly<Record<string, optim.GradientTransformation>> = {
  masked: optim.chain(optim.masked(optim.trace({ decay: 0.9 }), isWeight), optim.scale(-0.1)),
  multiTransform: optim.multiTransform({ slow: optim.adam(0.01), fixed: optim.setToZero() }, (path) =>
    isWeight(path) ? 'slow' : 'fixed',
  ),
  maskedDecay: optim.adamw(0.01, { mask: isWeight }),
  adafactor: optim.adafactor(0.01),
  lookaheadOfNothing: optim.multiSteps(optim.sgd(0.1, { momentum: 0.9 }), 2),
  noise: optim.chain(optim.addNoise(0.01, 0.55, random.key(5)), optim.sgd(0.1)),
  lbfgs: optim.lbfgs(),
};

const batches = [0, 1, 2].map((i) => random.normal(random.key(10 + i), [4, 2]));
const data = (_epoch: number, from: number): readonly Tensor[] => batches.slice(from);

const stepOf =
  (optimizer: optim.GradientTransformation) =>
  ({ p, state }: { readonly p: Params; readonly state: optim.OptState }, x: Tensor) => {
    const [value, grad] = valueAndGrad((q: Params) => loss(q, x))(p);
    const [updates, next] = optimizer.update(grad, state, p, { value, grad, valueFn: (q: Params) => loss(q, x) });
    return [{ p: optim.applyUpdates(p, updates), state: next }, { loss: value }] as const;
  };

const bits = (x: unknown): readonly string[] =>
  tree.leaves(x as Tensor).map((leaf) => Array.from(new Uint8Array(leaf.dataSync().buffer)).join());

const right = <A>(x: { readonly _tag: 'Left' } | { readonly _tag: 'Right'; readonly right: A }): A => {
  if (x._tag === 'Left') throw new Error(JSON.stringify(x));
  return x.right;
};

describe.each(Object.keys(optimizers))('the state of %s', (name) => {
  const optimizer = optimizers[name]!;
  const fresh = (): train.Run<{ p: Params; state: optim.OptState }> =>
    train.startRun({ p: params, state: optimizer.init(params) }, random.key(1));

  it('goes on from a file, in the midst of an epoch, to the same bits', async () => {
    const step = stepOf(optimizer);
    const unbroken = right(await train.fit(step, fresh(), data, { epochs: 3 })());
    const path = join(folder, `${name}.safetensors`);
    let steps = 0;
    const stop = new AbortController();
    const broken = (epoch: number, from: number): Iterable<Tensor> => ({
      *[Symbol.iterator]() {
        for (const x of data(epoch, from)) {
          if (++steps === 6) stop.abort();
          yield x;
        }
      },
    });
    const cut = right(await train.fit(step, fresh(), broken, { epochs: 3, save: { path }, signal: stop.signal })());
    expect([cut.epoch, cut.step]).toEqual([1, 2]);
    const opened = right(await train.openRun(path, fresh())());
    expect(bits(opened.carry)).toEqual(bits(cut.carry));
    const resumed = right(await train.fit(step, opened, data, { epochs: 3 })());
    expect(bits(resumed.carry)).toEqual(bits(unbroken.carry));
    expect(resumed.history).toEqual(unbroken.history);
    expect(bits(resumed.carry.p)).not.toEqual(bits(params));
  });

  it('is read by the codec of its avals', async () => {
    const state = optimizer.init(params);
    const path = join(folder, `${name}-state.safetensors`);
    right(await writeParams(path, state)());
    const back = right(await readParams(path, paramsCodec<unknown>(state))());
    expect(bits(back)).toEqual(bits(state));
    // Also what is null there: the next update takes it.
    const zeros = tree.map<Params>((x) => np.zerosLike(x as Tensor), params);
    const extra = { value: np.array(0), grad: zeros, valueFn: () => np.array(0) };
    expect(bits(optimizer.update(zeros, back as optim.OptState, params, extra))).toEqual(
      bits(optimizer.update(zeros, state, params, extra)),
    );
  });
});

it('sharp gradients are taken in a step of fit, and go down', async () => {
  const sgd = optim.sgd(0.1, { momentum: 0.9 });
  const sharp = optim.sam(loss, { rho: 0.05 });
  const step = ({ p, state }: { readonly p: Params; readonly state: optim.OptState }, x: Tensor) => {
    const [value, grad] = sharp(p, x);
    const [updates, next] = sgd.update(grad, state, p);
    return [{ p: optim.applyUpdates(p, updates), state: next }, { loss: value }] as const;
  };
  const start = train.startRun({ p: params, state: sgd.init(params) }, random.key(1));
  const { history } = right(await train.fit(step, start, data, { epochs: 20 })());
  expect(history.at(-1)!.training['loss']!).toBeLessThan(history[0]!.training['loss']! / 4);
});
