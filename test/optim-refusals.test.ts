/** What optimizers refuse: states and updates of something else, options that there are not, numbers that make no sense. */

import { DTypeError, np, optim, PullbackError } from 'pullback';
import { describe, expect, test } from 'vitest';

describe('states and updates that belong to something else', () => {
  const params = { w: np.array([1, 2]), b: np.array(3) };
  const adam = optim.adam(0.1);
  const message = (f: () => unknown): string => {
    try {
      f();
    } catch (error) {
      if (error instanceof PullbackError) return `${error._tag}: ${error.message.replace(/\n {2}at .*/, '')}`;
      throw error;
    }
    throw new Error('nothing was thrown');
  };
  const update = (optimizer: optim.GradientTransformation, state: unknown, updates: unknown = params) =>
    message(() => optimizer.update(updates, state as optim.OptState, params));

  test('a state of another optimizer names the optimizer and the place', () => {
    expect(update(adam, optim.sgd(0.1, { momentum: 0.9 }).init(params))).toBe(
      'TreeError: optim.scaleByAdam: the state is { trace }: it has no count\n' +
        '  remedy: pass the state that init(params) or the last update returned, for parameters of this structure\n' +
        '  while updating by optim.adam with state[0]',
    );
    expect(update(optim.sgd(0.1), adam.init(params))).toMatch(
      /^TreeError: optim\.identity: the state is \{ count, mu, nu \}: count is of another optimizer\n(.|\n)*while updating by optim\.sgd with state\[0\]$/,
    );
    expect(update(adam, undefined)).toMatch('TreeError: optim.adam: the state is undefined, not an array of 2\n');
    expect(update(optim.chain(optim.scale(2)), [])).toMatch(
      'optim.chain: the state is an array of 0, not an array of 1',
    );
    expect(update(optim.scale(2), np.array(1))).toMatch('optim.scale: the state is the tensor float32[], not {}');
    expect(update(optim.scaleByAdam(), { count: 3, mu: params, nu: params })).toMatch(
      'TreeError: optim.scaleByAdam: state.count is 3, not an int32 scalar',
    );
    expect(
      update(
        optim.scaleBySchedule(() => 1),
        {},
      ),
    ).toMatch('TreeError: optim.scaleBySchedule: the state is {}: it has no count');
  });

  test('a state of another model names the path', () => {
    expect(update(adam, adam.init({ w: params.w }))).toMatch(
      /^TreeError: optim\.scaleByAdam: updates and state\.mu differ: b is in only one of the two\n {2}remedy: pass the state/,
    );
    expect(update(adam, adam.init({ w: np.zeros([1]), b: np.array(0) }))).toMatch(
      /^ShapeError: optim\.scaleByAdam: updates\.w is float32\[2\], state\.mu\.w is float32\[1\]\n {2}remedy: pass the state/,
    );
    expect(update(optim.trace({ decay: 0.9 }), optim.trace({ decay: 0.9 }).init([params.w]))).toMatch(
      'TreeError: optim.trace: updates and state.trace differ: the tree: ',
    );
  });

  test('updates that do not fit are not broadcast', () => {
    expect(message(() => optim.applyUpdates(params, { w: params.w } as typeof params))).toBe(
      'TreeError: optim.applyUpdates: params and updates differ: b is in only one of the two\n' +
        '  remedy: pass params and updates with the same keys and lengths',
    );
    expect(message(() => optim.applyUpdates(params, { w: params.w, b: np.array([1]) }))).toBe(
      'ShapeError: optim.applyUpdates: params.b is float32[], updates.b is float32[1]\n  remedy: they must have equal shapes',
    );
  });

  test('a rate that was read as text', () => {
    expect(message(() => optim.adam('1e-3' as unknown as number))).toBe(
      'DTypeError: optim.scaleByLearningRate: the learning rate is "1e-3", not a JS number\n  remedy: convert it first',
    );
    expect(message(() => optim.scale('2' as unknown as number))).toMatch(
      'optim.scale: the factor is "2", not a JS number',
    );
  });
});

describe('hyperparameters are checked where a transformation is built', () => {
  const js = optim as unknown as Readonly<Record<string, (...args: readonly unknown[]) => unknown>>;

  test.each([
    ['sgd', [0.1, { momemtum: 0.9 }], "there is no option 'momemtum'"],
    ['sgd', [0.1, 0.9], '0.9 stands where options are expected'],
    ['sgd', [0.1, { momentum: '0.9' }], 'momentum is "0.9", not a JS number'],
    ['adam', [0.1, { beta1: 0.9 }], "there is no option 'beta1'"],
    ['adam', [0.1, { b1: Number.NaN }], 'b1 is NaN'],
    ['adamw', [0.1, { weight_decay: 0.1 }], "there is no option 'weight_decay'"],
    ['adamw', [0.1, { weightDecay: '0.1' }], 'weightDecay is "0.1", not a JS number'],
    ['amsgrad', [0.1, { epsilon: 1e-8 }], "there is no option 'epsilon'"],
    ['rmsprop', [0.1, { rho: 0.9 }], "there is no option 'rho'"],
    ['rmsprop', [0.1, { centered: 'no' }], 'centered is "no", not a boolean'],
    ['adagrad', [0.1, { decay: 0.9 }], "there is no option 'decay'"],
    ['trace', [{ decay: 0.9, momentum: 0.9 }], "there is no option 'momentum'"],
    ['trace', [{}], 'decay is undefined, not a JS number'],
    ['scaleByAdam', [{ weightDecay: 0.1 }], "there is no option 'weightDecay'"],
    ['scaleByAmsgrad', [{ b3: 0.1 }], "there is no option 'b3'"],
    ['scaleByRms', [{ decay: null }], 'decay is null, not a JS number'],
    ['scaleByStddev', [{ centered: true }], "there is no option 'centered'"],
    ['scaleByRss', [{ initial: 0.1 }], "there is no option 'initial'"],
    ['scaleBySchedule', [0.1], 'the factor is 0.1, not a schedule'],
    ['scaleByLearningRate', [Number.NaN], 'the learning rate is NaN'],
    ['scale', [Number.NaN], 'the factor is NaN'],
    ['addDecayedWeights', [Number.NaN], 'the rate is NaN'],
    ['clip', [-1], 'the bound is -1, which is negative'],
    ['clip', [Number.NaN], 'the bound is NaN'],
    ['clipByGlobalNorm', [-0.5], 'the greatest norm is -0.5, which is negative'],
    ['chain', [undefined], 'argument 0 is undefined, not a gradient transformation'],
    ['chain', [optim.identity(), [optim.scale(2)]], 'argument 1 is an array, not a gradient transformation'],
    ['chain', [optim.sgd], 'argument 0 is the function sgd, not a gradient transformation'],
  ])('%s(%j)', (name, args, problem) => {
    expect(() => js[name]!(...args)).toThrow(DTypeError);
    expect(() => js[name]!(...args)).toThrow(`optim.${name}: ${problem}`);
  });

  test('a learning rate that is NaN, of every optimizer', () => {
    for (const name of ['sgd', 'adam', 'adamw', 'amsgrad', 'rmsprop', 'adagrad']) {
      expect(() => js[name]!(Number.NaN), name).toThrow('optim.scaleByLearningRate: the learning rate is NaN');
    }
  });

  test('options that are undefined are their defaults', () => {
    const x = np.array([1, -2]);
    const step = (o: optim.GradientTransformation) => o.update(x, o.init(x), x)[0].toArray();
    expect(step(optim.adamw(0.1, JSON.parse('{}')))).toEqual(step(optim.adamw(0.1)));
    const unset = js['adamw']!(0.1, { b1: undefined, weightDecay: undefined }) as optim.GradientTransformation;
    expect(step(unset)).toEqual(step(optim.adamw(0.1)));
    expect(step(optim.chain())).toEqual([1, -2]);
    expect(step(optim.clip(0))).toEqual([0, -0]);
  });
});
