/** Connectionist temporal classification: the likelihood of a text whose letters may stand anywhere in time. */

import { scan } from '../../../transforms/index.ts';
import { makeAval, showAval } from '../../core/aval.ts';
import { isInteger } from '../../core/dtype.ts';
import { DTypeError, ShapeError } from '../../core/errors.ts';
import { sameShape } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { toFloat, toValue } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { ArrayLike, DTypeOf, Floated, Tensor } from '../../ops/types.ts';
import { describe } from '../../ops/untyped.ts';
import { convertElementType } from '../../prim/arithmetic.ts';
import { filled, fullLike, zeros } from '../../prim/compose.ts';
import { stopGradientOf } from '../../prim/identity.ts';
import { concatenate, reshape, sliceAxis } from '../../prim/structural.ts';
import { expectFlag } from '../params.ts';
import { logSoftmaxOf } from '../softmax.ts';
import { type LossOptions, reduced } from './reduction.ts';

/** Options of {@link ctc}. */
export interface CtcOptions extends LossOptions {
  /** The steps of each sequence, integers[batch]; all by default. */
  readonly logitLengths?: ArrayLike;
  /** The labels of each sequence, integers[batch]; all by default. */
  readonly labelLengths?: ArrayLike;
  /** The class that stands for nothing; default 0. */
  readonly blank?: number;
  /** The loss and derivative of a text that is too long for its sequence are 0 instead of Infinity; default false. */
  readonly zeroInfinity?: boolean;
}

const impossible = Number.NEGATIVE_INFINITY;

/** log(eᵃ + eᵇ + eᶜ), −Infinity of nothing else, where its derivatives are 0. */
function logAdd(...terms: readonly Value[]): Value {
  const top = stopGradientOf(terms.reduce((a, b) => np.maximum(a, b)));
  const some = np.greater(top, impossible);
  const shift = np.where(some, top, 0);
  const total = terms.map((x) => np.exp(np.sub(x, shift))).reduce((a, b) => np.add(a, b));
  return np.where(some, np.add(np.log(np.where(some, total, 1)), shift), impossible);
}

/** The lengths that options give, or `all`. @throws ShapeError or DTypeError unless they are integers[batch] */
function lengthsOf(op: string, name: string, given: ArrayLike | undefined, batch: number, all: number): Value {
  if (given === undefined) return np.full([batch], all, { dtype: 'int32' });
  const lengths = toValue(op, given);
  if (isInteger(lengths.dtype) && sameShape(lengths.shape, [batch])) return convertElementType(lengths, 'int32');
  throw new ShapeError({
    op,
    problem: `${name} ${showAval(lengths.aval)} do not fit a batch of ${batch}`,
    remedy: `give an integer for each sequence, int32[${batch}]`,
  });
}

/** `xs` moved by `count` places to the right along the last axis, with −Infinity before. */
function delayed(xs: Value, count: number): Value {
  const [batch, states] = xs.shape as unknown as readonly [number, number];
  const width = Math.min(count, states);
  const before = filled([batch, width], impossible, xs.dtype);
  return concatenate([before, sliceAxis(xs, 1, 0, states - width)], 1);
}

/**
 * −log P(labels): the probability that a sequence of independent classes, whose softmax the logits give at each step, becomes the labels
 * when repetitions are merged and then blanks are dropped.
 *
 * It is the sum over all such sequences, by the forward recursion in logarithms, as a `scan` over time: its derivative is that of the
 * recursion. A text that does not fit into its sequence has the loss Infinity; labels that are no classes, and lengths beyond the arrays,
 * have the loss NaN (also inside of `jit`, where they cannot be refused). The mean is PyTorch's: each loss is divided by the number
 * of its labels (at least 1) first.
 *
 * A. Graves et al., "Connectionist temporal classification" (2006), equations 6–8.
 *
 * @param logits - float[batch, time, classes], or log-probabilities, which their softmax leaves as they are (PyTorch has time first)
 * @param labels - integers[batch, length]; what is behind `labelLengths` does not matter
 * @returns float[], or float[batch] without a reduction, of the dtype of the logits
 * @throws ShapeError or DTypeError for shapes that do not fit, or a blank that is no class
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const even = np.zeros([1, 3, 3]); // Each of the 27 sequences of three classes is as likely.
 * const ab = np.array([[1, 2]], { dtype: 'int32' });
 * console.log(nn.ctc(even, ab, { reduction: 'sum' }).item(), Math.log(27 / 5)); // => 1.686… 1.686…
 * ```
 */
export function ctc<A extends ArrayLike>(
  logits: A,
  labels: ArrayLike,
  options: CtcOptions = {},
): Tensor<Floated<DTypeOf<A>>> {
  const op = 'nn.ctc';
  const { blank = 0, zeroInfinity = false } = options;
  expectFlag(op, 'zeroInfinity', zeroInfinity);
  const [scores, wanted] = [toFloat(op, logits), toValue(op, labels)];
  const [batch, time, classes] = scores.shape as unknown as readonly [number, number, number];
  if (scores.ndim !== 3 || wanted.ndim !== 2 || wanted.shape[0] !== batch || !isInteger(wanted.dtype)) {
    throw new ShapeError({
      op,
      problem: `labels ${showAval(wanted.aval)} do not fit logits ${showAval(scores.aval)}`,
      remedy: 'give logits float[batch, time, classes] and labels int32[batch, length]',
    });
  }
  if (!(Number.isInteger(blank) && blank >= 0 && blank < classes)) {
    const remedy = `use one of the ${classes} classes`;
    throw new DTypeError({ op, problem: `blank is ${describe(blank)}, not a class`, remedy });
  }
  const length = wanted.shape[1]!;
  const steps = lengthsOf(op, 'logitLengths', options.logitLengths, batch, time);
  const counts = lengthsOf(op, 'labelLengths', options.labelLengths, batch, length);
  const logs = logSoftmaxOf(op, scores, -1);

  // The states are the labels with a blank before, between and behind them: int32[batch, 2·length + 1].
  const width = 2 * length + 1;
  const places = np.arange(width);
  const isLabel = np.less(np.arange(length), np.expandDims(counts, 1));
  const own = np.where(isLabel, convertElementType(wanted, 'int32'), blank);
  const pairs = reshape(np.stack([fullLike(own, blank), own], 2), [batch, 2 * length]);
  const states = concatenate([pairs, filled([batch, 1], blank, 'int32')], 1);
  // From a label to the next past the blank between, unless the two are the same, which a blank must part.
  const before = concatenate([filled([batch, 2], blank, 'int32'), states], 1);
  const differs = np.notEqual(states, sliceAxis(before, 1, 0, width));
  const skips = np.logicalAnd(np.equal(np.mod(places, 2), 1), differs);

  // Before the first step all is in the first blank: the first step stays there, or goes to the first label.
  const start = np.where(np.equal(places, 0), zeros(makeAval([batch, width], logs.dtype)), impossible);
  const step = (alpha: Value, [now, t]: readonly [Value, Value]): readonly [Value, null] => {
    const reached = logAdd(alpha, delayed(alpha, 1), np.where(skips, delayed(alpha, 2), impossible));
    const next = np.add(reached, np.takeAlongAxis(now, states as Value<'int32'>, 1));
    return [np.where(np.expandDims(np.less(t, steps), 1), next, alpha), null];
  };
  const [alpha] = scan(step, start as Value, [np.moveaxis(logs, 1, 0), np.arange(time)] as const);

  const end = np.expandDims(np.mul(counts, 2), 1) as Value<'int32'>;
  const inBlank = np.squeeze(np.takeAlongAxis(alpha, end, 1), 1);
  const inLabel = np.squeeze(np.takeAlongAxis(alpha, np.maximum(np.sub(end, 1), 0) as Value<'int32'>, 1), 1);
  const total = logAdd(inBlank, np.where(np.greater(counts, 0), inLabel, impossible));
  const losses = np.neg(total);
  const finite = zeroInfinity ? np.where(np.isinf(losses), 0, losses) : losses;
  const within = (x: Value, least: number, most: number): Value<'bool'> =>
    np.logicalAnd(np.greaterEqual(x, least), np.lessEqual(x, most));
  const sound = [
    np.all(np.logicalOr(np.logicalNot(isLabel), within(wanted, 0, classes - 1)), 1),
    within(steps, 0, time),
    within(counts, 0, length),
  ].reduce((a, b) => np.logicalAnd(a, b));
  const judged = np.where(sound, finite, Number.NaN);
  const perLabel = (options.reduction ?? 'mean') === 'mean';
  const scaled = perLabel ? np.div(judged, convertElementType(np.maximum(counts, 1), judged.dtype)) : judged;
  return reduced(op, scaled, options, 'logitLengths', 'labelLengths', 'blank', 'zeroInfinity');
}
