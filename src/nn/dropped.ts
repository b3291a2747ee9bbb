/** Elements that are left out at random, as layers of several families do it. */

import { DTypeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { describe } from '../ops/untyped.ts';
import { bernoulli } from '../random/discrete.ts';
import type { Key } from '../random/key.ts';

/** @throws DTypeError unless `rate` is a probability below 1 */
export function expectRate(op: string, rate: unknown): void {
  if (typeof rate === 'number' && rate >= 0 && rate < 1) return;
  throw new DTypeError({ op, problem: `dropout is ${describe(rate)}`, remedy: 'give a probability in [0, 1)' });
}

/** `x`, whose elements are 0 with probability `rate` and are divided by 1 − rate otherwise. @throws as {@link expectRate} */
export function dropped(op: string, key: Key, rate: number, x: Value): Value {
  expectRate(op, rate);
  if (rate === 0) return x;
  return np.where(bernoulli(key, 1 - rate, x.shape), np.div(x, 1 - rate), 0) as Value;
}
