/** Choosing the next symbol: the likeliest, or one drawn by its probability, sharpened and cut. */

import { showAval } from '../core/aval.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { takeAlongAxis } from '../ops/along.ts';
import { toFloat } from '../ops/convert.ts';
import { topK as largest } from '../ops/lax-sort.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import { categorical } from '../random/discrete.ts';
import type { Key } from '../random/key.ts';
import { softmax } from './softmax.ts';

/** Options of {@link sampleSymbols}. */
export interface SampleOptions {
  /** Divides the logits: below 1 sharper, 0 the likeliest symbol alone. Default 1. */
  readonly temperature?: number;
  /** Draw among so many of the likeliest only; default all. */
  readonly topK?: number;
  /** Draw among the fewest of the likeliest that have this probability together; default 1, all. */
  readonly topP?: number;
}

/** The names of those options. */
export const sampleOptions = ['temperature', 'topK', 'topP'] as const;

/** @throws DTypeError unless the options are numbers that make sense, and there is a key if one is needed */
export function expectSampling(
  op: string,
  key: Key | undefined,
  { temperature = 1, topK, topP = 1 }: SampleOptions,
): void {
  const wrong = (what: string, x: unknown, remedy: string): DTypeError =>
    new DTypeError({ op, problem: `${what} is ${describe(x)}`, remedy });
  if (typeof temperature !== 'number' || !(temperature >= 0)) {
    throw wrong('temperature', temperature, 'give a number of at least 0');
  }
  if (topK !== undefined && (!Number.isSafeInteger(topK) || topK < 1)) {
    throw wrong('topK', topK, 'give a positive integer');
  }
  if (typeof topP !== 'number' || !(topP > 0 && topP <= 1)) throw wrong('topP', topP, 'give a number in (0, 1]');
  if (temperature > 0 && key === undefined) {
    throw wrong('the key', key, 'give a key, or { temperature: 0 } for the likeliest symbols');
  }
}

/**
 * Symbols, int32[...], drawn from logits, float[..., symbols]: among the `topK` likeliest, and of them the fewest whose probabilities
 * make up `topP`, by softmax(logits/temperature).
 *
 * @param key - a random key; it may be left out (`undefined`) at temperature 0
 * @throws DTypeError for options that make no sense, ShapeError for logits without symbols
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const logits = np.array([[0, 3, 1], [2, 0, 1]]);
 * console.log(nn.sampleSymbols(undefined, logits, { temperature: 0 }).toArray()); // => [ 1, 0 ]
 * console.log(nn.sampleSymbols(random.key(0), logits, { topK: 1 }).toArray()); // => [ 1, 0 ]
 * ```
 */
export function sampleSymbols(
  key: Key | undefined,
  logits: Tensor<'float32' | 'float64'>,
  options: SampleOptions = {},
): Tensor<'int32'> {
  const op = 'nn.sampleSymbols';
  expectOptions(op, options, ...sampleOptions);
  expectSampling(op, key, options);
  const { temperature = 1, topK, topP = 1 } = options;
  const x = toFloat(op, logits);
  const symbols = x.shape.at(-1) ?? 0;
  if (symbols === 0) {
    throw new ShapeError({ op, problem: `${showAval(x.aval)} has no symbols`, remedy: 'give [..., symbols]' });
  }
  if (temperature === 0) return np.argmax(x, -1) as Tensor<'int32'>;
  const scaled = np.div(x, temperature) as Value<'float32'>;
  if (topK === undefined && topP === 1) return categorical(key!, scaled);
  const [values, indices] = largest(scaled, Math.min(topK ?? symbols, symbols));
  const p = softmax(values);
  // A symbol stays if those before it do not make up topP yet: the first always does.
  const before = np.sub(np.cumsum(p, -1), p);
  const kept = np.where(np.less(before, topP), values, Number.NEGATIVE_INFINITY) as Value;
  const drawn = np.expandDims(categorical(key!, kept), -1) as Value<'int32'>;
  return np.squeeze(takeAlongAxis(indices, drawn, -1), -1) as Tensor<'int32'>;
}
