/**
 * What all losses share: how the losses of a batch become one number, predictions beside targets, and options that are numbers.
 *
 * The `reduction` says what becomes of the losses of a batch: their mean (one number to minimize), their sum, or themselves.
 */

import { showAval } from '../../core/aval.ts';
import type { DType } from '../../core/dtype.ts';
import { DTypeError, ShapeError } from '../../core/errors.ts';
import { sameShape } from '../../core/shape.ts';
import type { Value } from '../../core/value.ts';
import { promoted, toFloat } from '../../ops/convert.ts';
import * as np from '../../ops/np.ts';
import type { ArrayLike, Tensor } from '../../ops/types.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { convertElementType } from '../../prim/arithmetic.ts';

/** What becomes of the losses of a batch. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of a loss. */
export interface LossOptions {
  /** The mean of all losses (default), their sum, or the losses themselves. */
  readonly reduction?: Reduction;
}

type Reducer = (losses: Value, weights: Value | undefined) => Value;

const reductions: { readonly [R in Reduction]: Reducer } = {
  mean: (losses, weights) => (weights === undefined ? np.mean(losses) : np.div(np.sum(losses), np.sum(weights))),
  sum: (losses) => np.sum(losses),
  none: (losses) => losses,
};

/** What the options make of the losses. @throws DTypeError for a reduction that there is not, and other options than `others` */
export const reduced = <D extends DType>(
  op: string,
  losses: Value,
  options: LossOptions = {},
  ...others: string[]
): Tensor<D> => weighted<D>(op, losses, undefined, options, ...others);

/** {@link reduced}, where the mean is the sum of the losses divided by that of the weights which they contain already. */
export function weighted<D extends DType>(
  op: string,
  losses: Value,
  weights: Value | undefined,
  options: LossOptions = {},
  ...others: string[]
): Tensor<D> {
  expectOptions(op, options, 'reduction', ...others);
  const { reduction = 'mean' } = options;
  if (Object.hasOwn(reductions, reduction)) return reductions[reduction](losses, weights) as Tensor<D>;
  throw new DTypeError({
    op,
    problem: `there is no reduction ${describe(reduction)}`,
    remedy: "use 'mean', 'sum' or 'none'",
  });
}

/**
 * The two as floats of one dtype.
 *
 * @throws ShapeError unless the shapes are equal: [n] beside [n, 1] would broadcast to [n, n]
 */
export function paired(op: string, prediction: ArrayLike, target: ArrayLike): readonly [Value, Value] {
  const [x, y] = promoted(op, [toFloat(op, prediction), toFloat(op, target)]);
  if (sameShape(x!.shape, y!.shape)) return [x!, y!];
  throw new ShapeError({
    op,
    problem: `prediction ${showAval(x!.aval)} and target ${showAval(y!.aval)} must have equal shapes`,
    remedy: 'reshape or broadcast one of them',
  });
}

/**
 * `x` as a float of the dtype and shape of `like`.
 *
 * @throws ShapeError if it does not broadcast to that shape
 */
export function broadcastBeside(op: string, what: string, x: ArrayLike, like: Value): Value {
  const value = convertElementType(toFloat(op, x), like.dtype);
  const missing = like.ndim - value.ndim;
  if (missing >= 0 && value.shape.every((n, i) => n === 1 || n === like.shape[i + missing])) {
    return np.broadcastTo(value, like.shape);
  }
  throw new ShapeError({
    op,
    problem: `${what} ${showAval(value.aval)} does not broadcast to ${showAval(like.aval)}`,
    remedy: `give one for each element, or for each along the last axes`,
  });
}

const ranges = {
  number: (x: number) => !Number.isNaN(x),
  'positive number': (x: number) => x > 0,
  'number of at least 0': (x: number) => x >= 0,
  'share from 0 to 1': (x: number) => x >= 0 && x <= 1,
} as const;

/** @throws DTypeError unless `x` is a number of this kind */
export function expectOption(
  op: string,
  name: string,
  x: unknown,
  kind: keyof typeof ranges,
  remedy = `use a ${kind}`,
): asserts x is number {
  if (typeof x === 'number' && ranges[kind](x)) return;
  throw new DTypeError({ op, problem: `${name} is ${describe(x)}, not a ${kind}`, remedy });
}
