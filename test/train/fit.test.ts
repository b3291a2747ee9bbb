/** `train.fit`: the loop written out, from any point of it, with what is told of it. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { np, optim, random, type Tensor, train, valueAndGrad } from 'pullback';
import { readSafetensors } from 'pullback/io';
import { afterAll, describe, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'pullback-fit-'));
afterAll(() => rmSync(folder, { recursive: true }));

const adam = optim.adam(0.1);
type Carry = { readonly w: Tensor; readonly state: optim.OptState };
const w = np.array([3, -1]);
const fresh = (): train.Run<Carry> => train.startRun({ w, state: adam.init(w) }, random.key(4));

const step = ({ w, state }: Carry, x: Tensor, key: random.Key) => {
  const target = np.add(x, random.normal(key, [2]));
  const [loss, gradient] = valueAndGrad((p: Tensor) => np.mean(np.square(np.sub(p, target))))(w);
  const [updates, next] = adam.update(gradient, state, w);
  return [
    { w: optim.applyUpdates(w, updates), state: next },
    { loss, size: np.sum(np.abs(w)) },
  ] as const;
};

const stepsOfEpoch = 5;
function* batches(epoch: number, from: number): Generator<Tensor> {
  for (let i = from; i < stepsOfEpoch; i++) yield np.array([epoch, i]);
}
async function* slowly(epoch: number, from: number): AsyncGenerator<Tensor> {
  for (const x of batches(epoch, from)) {
    await null;
    yield x;
  }
}

const first = (x: Tensor): number => np.index(x, 0).item();

const ended = async <C>(task: ReturnType<typeof train.fit<C, Tensor>>): Promise<train.Run<C>> => {
  const end = await task();
  if (end._tag === 'Left') throw new Error(end.left.reason);
  return end.right;
};
const bits = ({ carry, ...run }: train.Run<Carry>) => ({
  ...run,
  w: carry.w.toArray(),
  key: run.key.toArray(),
  best: null,
});

describe('fit', () => {
  it('is the loop written out', async () => {
    let { w, state } = fresh().carry;
    const losses: number[][] = [];
    for (let epoch = 0; epoch < 3; epoch++) {
      const key = random.foldIn(random.key(4), epoch);
      losses.push([]);
      let i = 0;
      for (const x of batches(epoch, 0)) {
        const [next, { loss }] = step({ w, state }, x, random.foldIn(key, i++));
        ({ w, state } = next);
        losses.at(-1)!.push(loss.item());
      }
    }
    const end = await ended(train.fit(step, fresh(), batches, { epochs: 3 }));
    expect(np.allclose(end.carry.w, w).item()).toBe(true);
    expect(end.history.map(({ epoch }) => epoch)).toEqual([0, 1, 2]);
    for (const [i, { training }] of end.history.entries()) {
      expect(training['loss']).toBeCloseTo(losses[i]!.reduce((a, b) => a + b) / stepsOfEpoch, 4);
    }
    expect(Object.keys(end.history[0]!.training)).toEqual(['loss', 'size']);
  });

  it('goes on from any step as if it had not stopped, also over an asynchronous source', async () => {
    const whole = await ended(train.fit(step, fresh(), batches, { epochs: 3 }));
    for (let stopAfter = 1; stopAfter < 3 * stepsOfEpoch; stopAfter += 2) {
      const abort = new AbortController();
      let done = 0;
      const counted = function* (epoch: number, from: number) {
        for (const x of batches(epoch, from)) {
          if (done++ === stopAfter) abort.abort();
          yield x;
        }
      };
      const path = join(folder, `${stopAfter}.safetensors`);
      const part = await ended(train.fit(step, fresh(), counted, { epochs: 3, save: { path }, signal: abort.signal }));
      expect(part.epoch * stepsOfEpoch + part.step).toBe(stopAfter);
      const saved = await train.openRun(path, fresh())();
      if (saved._tag === 'Left') throw new Error('not saved');
      expect(bits(saved.right)).toEqual(bits(part));
      const rest = await ended(train.fit(step, saved.right, stopAfter % 4 === 1 ? batches : slowly, { epochs: 3 }));
      expect(bits(rest)).toEqual(bits(whole));
    }
  });

  it('leaves the run that it begins from, and every carry that it shows, alone', async () => {
    const start = fresh();
    const shown: Tensor[] = [];
    const validated: number[] = [];
    const end = await ended(
      train.fit(step, start, batches, {
        epochs: 3,
        validate: ({ w }) => {
          validated.push(first(w));
          return { first: first(w) };
        },
        onEpoch: (_record, { w }) => shown.push(w),
      }),
    );
    expect(start.carry.w.toArray()).toEqual([3, -1]);
    expect(shown.map((x) => first(x))).toEqual(validated);
    expect(end.history.map(({ validation }) => validation['first'])).toEqual(validated);
  });

  it('keeps the best carry, which the file has as well', async () => {
    const path = join(folder, 'best.safetensors');
    const scores = [1, 3, Number.NaN, 3, 2];
    const shown: Tensor[] = [];
    const end = await ended(
      train.fit(step, fresh(), batches, {
        epochs: 5,
        best: ({ epoch }) => scores[epoch]!,
        onEpoch: (_record, { w }) => shown.push(w),
        save: { path },
      }),
    );
    expect([end.best?.epoch, end.best?.value]).toEqual([1, 3]);
    expect(end.best?.carry.w.toArray()).toEqual(shown[1]!.toArray());
    const file = await readSafetensors(path)();
    expect(file._tag === 'Right' && file.right.tensors['best.w']!.toArray()).toEqual(shown[1]!.toArray());
  });

  it('stops early, and does not begin again', async () => {
    const validate = ({ w }: Carry) => ({ loss: w.size });
    const stop = train.earlyStopping(({ validation }) => validation['loss']!, { patience: 2 });
    const end = await ended(train.fit(step, fresh(), batches, { epochs: 9, validate, stop }));
    expect(end.history.length).toBe(3);
    expect(bits(await ended(train.fit(step, end, batches, { epochs: 9, validate, stop })))).toEqual(bits(end));
  });

  it('tells how far it is', async () => {
    const told: unknown[] = [];
    const progress: train.Progress = {
      begin: (...at) => told.push(['begin', ...at]),
      advance: (steps, latest) => told.push(['advance', steps, Object.keys(latest)]),
      end: () => told.push(['end']),
    };
    await ended(train.fit(step, { ...fresh(), step: 2 }, batches, { epochs: 2, progress }));
    expect(told).toEqual([
      ['begin', 0, 2, 2],
      ['advance', 3, ['loss', 'size']],
      ['end'],
      ['begin', 1, 2, 0],
      ['advance', 5, ['loss', 'size']],
      ['end'],
    ]);
  });

  it('ends with the reason when the run cannot be saved, before the first step', async () => {
    const path = join(folder, 'taken.safetensors');
    await train.writeRun(path, fresh())();
    let steps = 0;
    const counted = function* (epoch: number, from: number) {
      steps++;
      yield* batches(epoch, from);
    };
    const end = await train.fit(step, fresh(), counted, { epochs: 1, save: { path: join(path, 'below') } })();
    expect([end._tag, steps]).toEqual(['Left', 0]);
  });
});

describe('fit, where the data fail', () => {
  it('rejects with what they threw, takes the bar away, and keeps what was saved', async () => {
    const path = join(folder, 'failing.safetensors');
    const failing = function* (epoch: number, from: number) {
      for (const x of batches(epoch, from)) {
        if (epoch === 1) throw new Error('the disk is gone');
        yield x;
      }
    };
    let ends = 0;
    const progress: train.Progress = { begin: () => {}, advance: () => {}, end: () => ends++ };
    const options = { epochs: 2, save: { path }, progress };
    await expect(train.fit(step, fresh(), failing, options)()).rejects.toThrow('the disk is gone');
    expect(ends).toBe(2);
    const saved = await train.openRun(path, fresh())();
    expect(saved._tag === 'Right' && [saved.right.epoch, saved.right.step]).toEqual([1, 0]);
  });
});

describe('fit refuses', () => {
  const rejection = async (task: () => Promise<unknown>): Promise<string> =>
    task().then(
      () => 'nothing',
      (error: Error & { readonly _tag?: string }) => `${error._tag}: ${error.message.split('\n')[0]}`,
    );
  const told =
    (y: unknown) =>
    (carry: Carry): [Carry, train.Told] => [carry, y as train.Told];
  const all = { epochs: 1 };

  it.each<[string, () => () => Promise<unknown>, string]>([
    [
      'no scalars',
      () => train.fit(told({ loss: np.zeros([2]) }), fresh(), batches, all),
      'ShapeError: train.fit: the step tells loss: the tensor float32[2], not a scalar',
    ],
    [
      'numbers',
      () => train.fit(told({ loss: 3 }), fresh(), batches, all),
      'TreeError: train.fit: the step tells loss: 3, not a tensor',
    ],
    [
      'no record',
      () => train.fit(told(np.zeros([])), fresh(), batches, all),
      'TreeError: train.fit: the step tells the tensor float32[]',
    ],
    [
      'another carry',
      () => train.fit((_: Carry) => [{ w: np.zeros([3]), state: {} }, {}] as never, fresh(), batches, all),
      'TreeError: train.fit: the step returns a carry of another structure',
    ],
    ['no data', () => train.fit(step, fresh(), () => [], all), 'ShapeError: train.fit: the data of epoch 0 are empty'],
    [
      'what is no data',
      () => train.fit(step, fresh(), () => 3 as never, all),
      'TreeError: train.fit: the data of an epoch are 3',
    ],
    [
      'a tensor for a measure, before it overwrites what was saved',
      () => train.fit(step, fresh(), batches, { ...all, validate: () => ({ loss: np.array(1) }) as never }),
      'DTypeError: train.fit: validate returns loss: the tensor float32[], not a JS number',
    ],
    [
      'a tensor for a score',
      () => train.fit(step, fresh(), batches, { ...all, best: () => np.array(1) as never }),
      'DTypeError: train.fit: best returns the tensor float32[], not a JS number',
    ],
    ['half an epoch', () => train.fit(step, fresh(), batches, { epochs: 0.5 }), 'ShapeError: train.fit: epochs is 0.5'],
    [
      'an option that there is not',
      () => train.fit(step, fresh(), batches, { ...all, epoch: 3 } as never),
      'DTypeError: train.fit: there is no option',
    ],
  ])('%s', async (_name, make, expected) => {
    expect(await rejection(make())).toContain(expected);
  });
});
