/** Tasks for networks that remember: to add two numbers that are far apart, and to copy what was said long ago. */

import * as np from '../../ops/np.ts';
import type { Tensor } from '../../ops/types.ts';
import { expectOptions } from '../../ops/untyped.ts';
import { randint } from '../../random/discrete.ts';
import { type Key, split } from '../../random/key.ts';
import { uniform } from '../../random/samplers.ts';
import { expectCount } from '../counts.ts';

/** Sequences of the adding problem, and their sums. */
export interface AddingBatch {
  /** float32[batch, length, 2]: a number in [0, 1), and a mark. */
  readonly x: Tensor;
  /** float32[batch]: the sum of the two numbers that are marked. */
  readonly y: Tensor;
}

/**
 * The adding problem: of numbers in [0, 1) two are marked by a 1, one in each half; their sum is asked for. Who answers 1 always has a
 * mean squared error of 1/6.
 *
 * S. Hochreiter, J. Schmidhuber, "Long short-term memory" (1997), as Q. Le, N. Jaitly, G. Hinton have it (2015).
 *
 * @throws ShapeError unless the sequences have two elements
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * import { addingProblem } from 'pullback/data';
 * const { x, y } = addingProblem(random.key(0), 32, 50);
 * const [number, mark] = np.split(x, 2, 2);
 * console.log(x.shape, np.allclose(np.sum(np.mul(number!, mark!), [1, 2]), y).item()); // => [ 32, 50, 2 ] true
 * ```
 */
export function addingProblem(key: Key, batch: number, length: number): AddingBatch {
  const op = 'addingProblem';
  expectCount(op, 'the batch', batch);
  expectCount(op, 'the length', length, 2);
  const [k1, k2, k3] = split(key, 3);
  const numbers = uniform(k1, [batch, length]);
  const half = Math.floor(length / 2);
  const place = np.arange(length, { dtype: 'int32' });
  const mark = np.logicalOr(
    np.equal(place, randint(k2, [batch, 1], 0, half)),
    np.equal(place, randint(k3, [batch, 1], half, length)),
  );
  const marks = np.astype(mark, 'float32');
  return { x: np.stack([numbers, marks], 2), y: np.sum(np.mul(numbers, marks), 1) };
}

/** Sequences of the copying task. */
export interface CopyBatch {
  /** int32[batch, 2·length + delay]: tokens; 0 is a blank, `symbols` + 1 says: now. */
  readonly input: Tensor<'int32'>;
  /** As long: blanks, then what is to be repeated. */
  readonly target: Tensor<'int32'>;
}

/** Options of {@link copyTask}. */
export interface CopyOptions {
  /** Symbols to be remembered: 1, …, symbols; default 8. */
  readonly symbols?: number;
  /** How many of them; default 10. */
  readonly length?: number;
  /** Steps from the last of them to the first answer, of which the last one says: now; default 20. */
  readonly delay?: number;
}

/**
 * The copying task: `length` random symbols, blanks, a sign, and blanks, over which the symbols are to be repeated.
 *
 * S. Hochreiter, J. Schmidhuber (1997); as M. Arjovsky, A. Shah, Y. Bengio, "Unitary evolution recurrent neural networks" (2016).
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * import { copyTask } from 'pullback/data';
 * const { input, target } = copyTask(random.key(0), 1, { symbols: 3, length: 2, delay: 3 });
 * console.log(`${input}`); // => int32[1,7] [[2, 1, 0, 0, 4, 0, 0]]
 * console.log(`${target}`); // => int32[1,7] [[0, 0, 0, 0, 0, 2, 1]]
 * ```
 */
export function copyTask(key: Key, batch: number, options: CopyOptions = {}): CopyBatch {
  const op = 'copyTask';
  expectOptions(op, options, 'symbols', 'length', 'delay');
  const symbols = expectCount(op, 'the number of symbols', options.symbols ?? 8, 1);
  const length = expectCount(op, 'the length', options.length ?? 10, 1);
  const delay = expectCount(op, 'the delay', options.delay ?? 20, 1);
  expectCount(op, 'the batch', batch);
  const said = randint(key, [batch, length], 1, symbols + 1);
  const blanks = (n: number): Tensor<'int32'> => np.zeros([batch, n], { dtype: 'int32' });
  const now = np.full([batch, 1], symbols + 1, { dtype: 'int32' });
  return {
    input: np.concatenate([said, blanks(delay - 1), now, blanks(length)], 1),
    target: np.concatenate([blanks(length + delay), said], 1),
  };
}
