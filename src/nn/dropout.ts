/** Dropout: elements, or whole channels, that are left out at random in training; as a layer, and as other layers do it. */

import type { FloatDType } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { axesOf } from '../ops/axes.ts';
import { expectTensor } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { bernoulli } from '../random/discrete.ts';
import type { Key } from '../random/key.ts';

/** @throws DTypeError unless `rate` is a probability below 1 */
export function expectRate(op: string, rate: unknown): void {
  if (typeof rate === 'number' && rate >= 0 && rate < 1) return;
  throw new DTypeError({ op, problem: `dropout is ${describe(rate)}`, remedy: 'give a probability in [0, 1)' });
}

/** `x` where a coin of this shape, which broadcasts, falls so with probability 1 − rate, divided by that; else 0. */
const kept = <D extends FloatDType>(key: Key, rate: number, x: Value<D>, shape: readonly number[]): Value<D> =>
  np.where(bernoulli(key, 1 - rate, shape), np.div(x, 1 - rate), 0) as Value<D>;

/** {@link dropout} in training, within a layer that has it as an option. @throws as {@link expectRate} */
export function dropped(op: string, key: Key, rate: number, x: Value): Value {
  expectRate(op, rate);
  return rate === 0 ? x : (kept(key, rate, x as Value<FloatDType>, x.shape) as Value);
}

/** Options of {@link dropout}. */
export interface DropoutOptions {
  /** Outside of training nothing is left out, and no key is needed. */
  readonly training: boolean;
  /** Axes along which all elements share one fate: [1, 2] leaves out channels of images, PyTorch's `Dropout2d`. */
  readonly shared?: number | readonly number[];
}

/**
 * In training elements are 0 with probability `rate`, and divided by 1 − rate otherwise, so that their mean stays; outside x is as
 * it is. At rate 1 all is 0.
 *
 * The key is an argument of each call: the same key leaves out the same elements. N. Srivastava et al., "Dropout" (2014).
 *
 * @throws DTypeError for a rate outside of [0, 1], and in training without a key
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const drop = nn.dropout(0.5, { training: true });
 * const twice = Array.from(drop(np.ones([6]), random.key(1)).dataSync());
 * console.log(twice.every((x) => x === 0 || x === 2)); // => true
 * console.log(nn.dropout(0.5, { training: false })(np.ones([2])).toArray()); // => [ 1, 1 ]
 * const channels = nn.dropout(0.5, { training: true, shared: [1, 2] })(np.ones([2, 4, 4, 3]), random.key(0));
 * console.log(np.all(np.equal(channels, np.max(channels, [1, 2], { keepdims: true }))).item()); // => true
 * ```
 */
export function dropout(rate: number, options: DropoutOptions) {
  const op = 'nn.dropout';
  expectOptions(op, options, 'training', 'shared');
  if (!(typeof rate === 'number' && rate >= 0 && rate <= 1)) {
    throw new DTypeError({ op, problem: `the rate is ${describe(rate)}`, remedy: 'give a probability in [0, 1]' });
  }
  const { training, shared = [] } = options;
  if (typeof training !== 'boolean') {
    throw new DTypeError({ op, problem: `training is ${describe(training)}`, remedy: 'give true or false' });
  }
  return <D extends FloatDType>(x: Value<D>, key?: Key): Value<D> => {
    const value = expectTensor(op, x) as Value<D>;
    const axes = axesOf(op, shared, value.aval);
    if (!training || rate === 0) return value;
    if (key === undefined) {
      throw new DTypeError({ op, problem: 'there is no key', remedy: 'give one to each call: drop(x, key)' });
    }
    const shape = value.shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
    // At rate 1 nothing is kept, infinities neither, and nothing is divided by 0.
    if (rate === 1) return np.zerosLike(value) as Value<D>;
    return kept(key, rate, value, shape);
  };
}
