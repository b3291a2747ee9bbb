/** How far one distribution is from another. */

import { showAval } from '../../core/aval.ts';
import { ShapeError } from '../../core/errors.ts';
import * as np from '../../ops/np.ts';
import type { ArrayLike, Floated, Promoted, Tensor } from '../../ops/types.ts';
import { mul, sub } from '../../prim/arithmetic.ts';
import { eq, select } from '../../prim/compare.ts';
import { fullLike, zeros } from '../../prim/compose.ts';
import { log } from '../../prim/math.ts';
import { expectFlag } from '../params.ts';
import { type LossOptions, paired, reduced } from './reduction.ts';

/** Options of {@link klDivergence}. */
export interface KlDivergenceOptions extends LossOptions {
  /** The target is log p, too; default false. */
  readonly logTarget?: boolean;
}

/**
 * Σ p·(log p − log q) along the last axis: the divergence of the predicted distribution q from the target p. Where p is 0 so is
 * the term.
 *
 * The order of the arguments is PyTorch's, as is that the prediction is a logarithm. But a loss here is that of a distribution, so
 * that the mean over a batch is PyTorch's `'batchmean'`; its `'mean'` divides by the number of classes too.
 *
 * @param logPrediction - log q, such as {@link logSoftmax} returns
 * @param target - p, of the same shape
 * @throws ShapeError unless the shapes are equal and have an axis
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.klDivergence(np.log(np.array([0.5, 0.5])), np.array([1, 0])).item()); // => 0.693…
 * ```
 */
export function klDivergence<A extends ArrayLike, B extends ArrayLike>(
  logPrediction: A,
  target: B,
  options: KlDivergenceOptions = {},
): Tensor<Floated<Promoted<A, B>>> {
  const op = 'nn.klDivergence';
  const [logQ, given] = paired(op, logPrediction, target);
  const { logTarget = false } = options;
  expectFlag(op, 'logTarget', logTarget);
  if (logQ.ndim === 0) {
    const problem = `prediction ${showAval(logQ.aval)} has no axis of classes`;
    throw new ShapeError({ op, problem, remedy: 'give the distribution as a vector' });
  }
  const p = logTarget ? np.exp(given) : given;
  const zero = zeros(p.aval);
  const absent = eq(p, zero);
  const logP = logTarget ? select(absent, zero, given) : log(select(absent, fullLike(p, 1), p));
  const terms = select(absent, zero, mul(p, sub(logP, logQ)));
  return reduced(op, np.sum(terms, -1), options, 'logTarget');
}
