/**
 * Positions: what tells attention where in a sequence it is. Tables that are learned or computed, added to the features or appended
 * to them, and rotations of queries and keys.
 */

import { showAval } from '../core/aval.ts';
import { type DType, type FloatDType, isFloat } from '../core/dtype.ts';
import { DTypeError, ShapeError, TreeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import { broadcastShapes, expectTensor } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe, dtypeIn, expectOptions } from '../ops/untyped.ts';
import { cos, sin } from '../prim/math.ts';
import type { Key } from '../random/key.ts';
import { normal } from '../random/samplers.ts';
import type { Layer } from './layer.ts';

/** Options of {@link sinusoidalPositions}. */
export interface SinusoidalOptions<D extends FloatDType = 'float32'> {
  /** The position of the first row: a number, or an integer scalar; default 0. */
  readonly offset?: number | Tensor<'int32'>;
  /** Wave lengths grow from 2π to 2π·base; default 10000. */
  readonly base?: number;
  /** Default `float32`. */
  readonly dtype?: D;
}

/** offset, offset + 1, …: int32[length]. */
const positionsFrom = (offset: number | Value, length: number): Value => np.add(np.arange(length), offset) as Value;

/** Angles of positions: [...positions, count], base^(−i/count) times the position. */
function anglesOf(positions: Value, count: number, base: number, dtype: FloatDType): Value {
  // In double, and rounded once: the error of a rate grows with the position.
  const rates = np.array(
    Array.from({ length: count }, (_, i) => base ** (-i / count)),
    { dtype },
  );
  return np.mul(np.expandDims(np.astype(positions as Value<DType>, dtype), -1), rates) as Value;
}

/**
 * The table P of float[length, size] with P[t, 2i] = sin(t/base^(2i/size)) and P[t, 2i+1] = cos of the same.
 *
 * A. Vaswani et al., "Attention is all you need" (2017), section 3.5.
 *
 * @throws ShapeError unless length and size are non-negative integers
 *
 * @example
 * ```ts
 * import { nn } from 'pullback';
 * console.log(nn.sinusoidalPositions(2, 4).toArray()); // => [ [ 0, 1, 0, 1 ], [ 0.84147…, 0.54030…, 0.0099998…, 0.99994… ] ]
 * ```
 */
export function sinusoidalPositions<D extends FloatDType = 'float32'>(
  length: number,
  size: number,
  options: SinusoidalOptions<D> = {},
): Tensor<D> {
  const op = 'nn.sinusoidalPositions';
  const dtype = dtypeIn(op, options, 'offset', 'base') ?? ('float32' as D);
  for (const n of [length, size]) {
    if (Number.isSafeInteger(n) && n >= 0) continue;
    throw new ShapeError({ op, problem: `a length is ${describe(n)}`, remedy: 'give non-negative integers' });
  }
  const { offset = 0, base = 10000 } = options;
  const count = Math.ceil(size / 2);
  // The exponent is 2i/size, also where the size is odd.
  const rates = np.exp(np.mul(np.astype(np.arange(count), dtype), (-2 * Math.log(base)) / Math.max(size, 1)));
  const angles = np.mul(np.expandDims(np.astype(positionsFrom(offset, length), dtype), -1), rates) as Value;
  const pairs = np.reshape(np.stack([sin(angles), cos(angles)], -1), [length, 2 * count]);
  return np.index(pairs, [], [0, size]) as Tensor<D>;
}

/** @throws ShapeError unless a table of [time, size] lies along the last axes of `x` */
function expectAlong(op: string, x: Value, table: Value): void {
  if (table.ndim === 2 && x.ndim >= 2 && x.shape.at(-2) === table.shape[0]) return;
  throw new ShapeError({
    op,
    problem: `positions ${showAval(table.aval)} do not lie along ${showAval(x.aval)}`,
    remedy: `give [${x.shape.at(-2) ?? 'time'}, size] beside [..., time, features]`,
  });
}

/**
 * Positions added to features: float[..., time, size] and float[time, size] → float[..., time, size].
 *
 * @throws ShapeError if the table has other lengths than the last two axes of `x`
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.addPositions(np.zeros([2, 3, 4]), nn.sinusoidalPositions(3, 4)).shape); // => [ 2, 3, 4 ]
 * ```
 */
export function addPositions<D extends FloatDType>(x: Tensor<D>, table: Tensor<D>): Tensor<D> {
  const op = 'nn.addPositions';
  expectAlong(op, expectTensor(op, x), expectTensor(op, table));
  if (x.shape.at(-1) === table.shape[1]) return np.add(x, table) as Tensor<D>;
  throw new ShapeError({
    op,
    problem: `positions ${showAval(table.aval)} are not of the size of ${showAval(x.aval)}`,
    remedy: 'give positions of as many features, or append them: nn.appendPositions',
  });
}

/**
 * Positions beside features, as the course notes have it (§6.5.2): float[..., time, features] and float[time, size] → float[...,
 * time, features + size]. The field adds them: {@link addPositions}.
 *
 * @throws ShapeError if the table has another length than the axis of time
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * console.log(nn.appendPositions(np.zeros([2, 3, 4]), nn.sinusoidalPositions(3, 6)).shape); // => [ 2, 3, 10 ]
 * ```
 */
export function appendPositions<D extends FloatDType>(x: Tensor<D>, table: Tensor<D>): Tensor<D> {
  const op = 'nn.appendPositions';
  expectAlong(op, expectTensor(op, x), expectTensor(op, table));
  const whole = np.broadcastTo(table, [...x.shape.slice(0, -1), table.shape[1]!]);
  return np.concatenate([x as Value, whole as Value], -1) as Tensor<D>;
}

/** Parameters of {@link learnedPositions}. */
export interface PositionParams<D extends FloatDType = 'float32'> {
  /** float[length, size]: a row for each position. */
  readonly table: Value<D>;
}

/** Options of {@link learnedPositions}. */
export interface PositionOptions {
  /** Append positions to the features instead of adding them; default false. */
  readonly append?: boolean;
}

const applyLearned = <D extends FloatDType>(params: PositionParams<D>, options: PositionOptions = {}) => {
  const op = 'nn.learnedPositions';
  expectOptions(op, options, 'append');
  const table: unknown = params?.table;
  if (!(table instanceof Value) || table.ndim !== 2) {
    throw new TreeError({
      op,
      problem: `params.table is ${describe(table)}`,
      remedy: 'make parameters with nn.learnedPositions.init(key, length, size): { table: float[length, size] }',
    });
  }
  const { append = false } = options;
  return (x: Value<D>, { offset = 0 }: { readonly offset?: number | Tensor<'int32'> } = {}): Value<D> => {
    const time = expectTensor(op, x).shape.at(-2) ?? 0;
    const last = typeof offset === 'number' ? offset + time : time;
    if (last > table.shape[0]!) {
      throw new ShapeError({
        op,
        problem: `${showAval(x.aval)} has positions up to ${last}, the table ${showAval(table.aval)} ends before`,
        remedy: 'make a longer table, or cut the sequence',
      });
    }
    // A position that is data may be behind the end: its row is NaN.
    const rows =
      typeof offset === 'number'
        ? np.index(table, [offset, offset + time])
        : np.take(table, positionsFrom(offset, time) as Value<'int32'>, 0);
    return append ? appendPositions(x, rows as Value<D>) : addPositions(x, rows as Value<D>);
  };
};

/**
 * A learned row for each position, added to float[..., time, size] (or appended, `{ append: true }`, as in the course notes).
 *
 * `learnedPositions.init(key, length, size)` draws rows of deviation 0.02, as GPT-2 does. The layer takes `{ offset }`, the position
 * of the first row; rows behind the end of the table are NaN where that is a tensor, and refused where it is a number.
 *
 * @throws ShapeError for inputs longer than the table or of another size, TreeError for parameters that are not `{ table }`
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const params = nn.learnedPositions.init(random.key(0), 16, 4);
 * console.log(nn.learnedPositions(params)(np.zeros([2, 3, 4])).shape); // => [ 2, 3, 4 ]
 * console.log(nn.learnedPositions(params, { append: true })(np.zeros([2, 3, 5])).shape); // => [ 2, 3, 9 ]
 * ```
 */
export const learnedPositions = Object.assign(applyLearned, {
  /** A configured layer: `{ init(key), apply(params) }`. */
  layer: (length: number, size: number, options: PositionOptions = {}): Layer<PositionParams, Tensor, Tensor> => ({
    name: 'learnedPositions',
    init: (key: Key): PositionParams => learnedPositions.init(key, length, size),
    apply: (params: PositionParams) => applyLearned(params, options),
  }),
  init: (key: Key, length: number, size: number): PositionParams => ({
    table: np.mul(normal(key, [length, size]), 0.02),
  }),
});

/** Options of {@link rotary}. */
export interface RotaryOptions {
  /** The slowest pair turns once in about 2π·base positions; default 10000. */
  readonly base?: number;
  /** Pairs are neighbours, (0, 1), (2, 3), …, as first published, instead of halves, (0, dim/2), …; default false. */
  readonly interleaved?: boolean;
  /** Which positions these are: integers that broadcast to [..., time]; default 0, 1, 2, … */
  readonly positions?: Tensor<'int32'>;
}

/**
 * Pairs of features turned by angles that grow with the position, pair i by position·base^(−2i/dim): products of rotated queries
 * and keys depend on differences of positions alone. float[..., time, heads, dim] → the same.
 *
 * Feature i is paired with i + dim/2, as in GPT-NeoX and LLaMA; `{ interleaved: true }` pairs 2i with 2i + 1, as the paper and GPT-J.
 * Either is the other, with features permuted; weights must be used with the one they were trained with.
 *
 * J. Su et al., "RoFormer: enhanced transformer with rotary position embedding" (2021).
 *
 * @throws ShapeError unless `dim` is even, there are three axes at least, and positions broadcast
 *
 * @example
 * ```ts
 * import { nn, np } from 'pullback';
 * const x = np.reshape(np.array([1, 0, 1, 0]), [2, 1, 2]);
 * console.log(nn.rotary(x).toArray()); // => [ [ [ 1, 0 ] ], [ [ 0.54030…, 0.84147… ] ] ]
 * ```
 */
export function rotary<D extends FloatDType>(x: Tensor<D>, options: RotaryOptions = {}): Tensor<D> {
  const op = 'nn.rotary';
  expectOptions(op, options, 'base', 'interleaved', 'positions');
  const value = expectTensor(op, x);
  if (!isFloat(value.dtype)) {
    throw new DTypeError({ op, problem: `${showAval(value.aval)} cannot turn`, remedy: 'cast it to float32 first' });
  }
  const dim = value.shape.at(-1) ?? 1;
  if (value.ndim < 3 || dim % 2 !== 0) {
    throw new ShapeError({
      op,
      problem: `${showAval(value.aval)} is not [..., time, heads, dim] with an even dim`,
      remedy: 'rotate queries and keys of heads that have an even number of features',
    });
  }
  const { base = 10000, interleaved = false, positions = np.arange(value.shape.at(-3)!) } = options;
  const places = value.shape.slice(0, -2);
  const met = broadcastShapes(op, [value.aval, np.expandDims(np.expandDims(positions, -1), -1).aval]);
  if (met.length !== value.ndim || met.some((n, i) => n !== value.shape[i])) {
    throw new ShapeError({
      op,
      problem: `positions ${showAval((positions as Value).aval)} do not broadcast to [${places.join(',')}]`,
      remedy: 'give an integer for each step',
    });
  }
  const angles = np.expandDims(anglesOf(positions, dim / 2, base, value.dtype as FloatDType), -2) as Value;
  const [c, s] = [cos(angles), sin(angles)];
  const pairs = np.reshape(value, [...value.shape.slice(0, -1), ...(interleaved ? [dim / 2, 2] : [2, dim / 2])]);
  const axis = interleaved ? -1 : -2;
  const [a, b] = np.split(pairs, 2, axis).map((half) => np.squeeze(half, axis)) as unknown as [Value, Value];
  const turned = [np.sub(np.mul(a, c), np.mul(b, s)), np.add(np.mul(b, c), np.mul(a, s))] as readonly Value[];
  return np.reshape(np.stack(turned, axis), value.shape) as Tensor<D>;
}
