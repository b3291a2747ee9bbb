/**
 * Integers, choices and orders, by JAX's algorithms. What is made of bits by integer arithmetic and sorting (`randint`,
 * `permutation`, and `choice` without weights) is JAX's to the last bit.
 */

import { makeAval, showAval } from '../core/aval.ts';
import { type DType, type FloatDType, integerRange, isFloat, isInteger } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { range, type Shape, sameShape, sizeOf, without } from '../core/shape.ts';
import { Value } from '../core/value.ts';
import { axisOf, shapeOf } from '../ops/axes.ts';
import { take } from '../ops/indexing.ts';
import { located } from '../ops/located.ts';
import { stretchTo } from '../ops/shape.ts';
import type { ShapeLike, Tensor } from '../ops/types.ts';
import { dtypeIn, expectOptions } from '../ops/untyped.ts';
import { add, convertElementType, max, min, mul, neg, rem, sub } from '../prim/arithmetic.ts';
import { and } from '../prim/bits.ts';
import { gt, le, lt, select } from '../prim/compare.ts';
import { filled, fullLike, scalar, zeros } from '../prim/compose.ts';
import { log } from '../prim/math.ts';
import { argmax } from '../prim/reduce.ts';
import { sort } from '../prim/sort.ts';
import { broadcastInDim, iota, moveAxis, pad, reshape, sliceAxis } from '../prim/structural.ts';
import { expectKey, type Key, split } from './key.ts';
import { bits, gumbel, uniform, uniformOf } from './samplers.ts';

const invalid = (op: string, problem: string, remedy: string): ShapeError => new ShapeError({ op, problem, remedy });

/** Options of {@link randint}. */
export interface RandintOptions<D extends 'int32' | 'uint32'> {
  /** Default `int32`. */
  readonly dtype?: D;
}

/** A bound as far as `dtype` reaches, and whether it is beyond. */
function integerBound(
  bound: number | Value,
  shape: Shape,
  dtype: 'int32' | 'uint32',
): { readonly value: Value; readonly beyond: Value } {
  const [least, greatest] = integerRange(dtype);
  const refuse = (got: string): DTypeError =>
    new DTypeError({ op: 'random.randint', problem: `bounds are integers, got ${got}`, remedy: 'round them first' });
  if (typeof bound === 'number') {
    if (!Number.isInteger(bound)) throw refuse(String(bound));
    const value = filled(shape, Math.min(Math.max(bound, least), greatest), dtype);
    return { value, beyond: filled(shape, Number(bound > greatest), 'bool') };
  }
  if (!isInteger(bound.dtype)) throw refuse(showAval(bound.aval));
  const whole = stretchTo('random.randint', bound, shape);
  if (whole.dtype === dtype) return { value: whole, beyond: filled(shape, 0, 'bool') };
  if (dtype === 'uint32') {
    return { value: convertElementType(max(whole, fullLike(whole, 0)), dtype), beyond: filled(shape, 0, 'bool') };
  }
  const limit = fullLike(whole, greatest);
  return { value: convertElementType(min(whole, limit), dtype), beyond: gt(whole, limit) };
}

/**
 * Uniform integers in [minval, maxval); `minval` where that is empty. Bit for bit JAX's.
 *
 * Two words are drawn for each, so that the bias where the width of the interval is no power of 2 is below 2⁻³².
 *
 * @param minval - an integer, or a tensor of integers that broadcasts to the shape
 * @param maxval - likewise; 2³¹ (`uint32`: 2³²) reaches the greatest integer
 * @throws DTypeError for bounds that are not integers
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.randint(random.key(0), [9], 0, 8).toArray()); // => [ 5, 0, 0, 5, 3, 3, 0, 7, 5 ]
 * ```
 */
export function randint<D extends 'int32' | 'uint32' = 'int32'>(
  key: Key,
  shape: ShapeLike,
  minval: number | Value,
  maxval: number | Value,
  options: RandintOptions<D> = {},
): Value<D> {
  const integer = dtypeIn('random.randint', options) ?? 'int32';
  if (!isInteger(integer)) {
    throw new DTypeError({
      op: 'random.randint',
      problem: `makes integers, not ${integer}`,
      remedy: 'cast the result',
    });
  }
  const lengths = shapeOf('random.randint', shape);
  return located(() => integersBetween(key, lengths, minval, maxval, integer)) as Value<D>;
}

function integersBetween(
  key: Key,
  lengths: Shape,
  minval: number | Value,
  maxval: number | Value,
  integer: 'int32' | 'uint32',
): Value {
  const { value: low } = integerBound(minval, lengths, integer);
  const { value: high, beyond } = integerBound(maxval, lengths, integer);
  const [first, second] = split(key);
  const [upper, lower] = [bits(first, lengths), bits(second, lengths)];
  const one = fullLike(upper, 1);
  const width = convertElementType(sub(high, low), 'uint32');
  const nonEmpty = select(le(high, low), one, width);
  // A width of 2³² wraps to 0, and the remainder by 0 is the number itself: what is meant.
  const span = select(and(beyond, gt(high, low)), add(nonEmpty, one), nonEmpty);
  const half = rem(fullLike(span, 2 ** 16), span);
  const multiplier = rem(mul(half, half), span);
  const offset = add(mul(rem(upper, span), multiplier), rem(lower, span));
  return add(low, convertElementType(rem(offset, span), integer));
}

/** Options of {@link permutation}. */
export interface PermutationOptions {
  /** Shuffle every row along the axis for itself, instead of all alike. Default false. */
  readonly independent?: boolean;
}

/**
 * Sort by random words, again and again: words that are equal leave an order as it was, so that one round alone would favour
 * some orders of a long row. As many rounds as JAX, by the number of elements.
 */
function shuffled(key: Key, x: Value, axis: number): Value {
  const rounds = Math.ceil((3 * Math.log(Math.max(1, x.size))) / Math.log(2 ** 32 - 1));
  let [rest, result] = [key, x];
  for (let round = 0; round < rounds; round++) {
    const [next, words] = split(rest);
    rest = next;
    result = sort([bits(words, x.shape), result], axis)[1]!;
  }
  return result;
}

const isIndexed = (x: number | Value): x is Value => x instanceof Value && x.ndim > 0;

/** n of 0, 1, …, n − 1, which are `int32`: a number or a scalar that has a value. */
function counted(op: string, x: number | Value): number {
  const n = typeof x === 'number' ? x : Number(x.item());
  if (Number.isInteger(n) && n >= 0 && n <= 2 ** 31) return n;
  if (n > 2 ** 31) throw invalid(op, `the numbers below ${n} are not all int32`, `count to at most ${2 ** 31}`);
  throw invalid(op, `cannot count to ${n}`, 'use a non-negative integer');
}

/**
 * `x` with its elements along `axis` in random order, every order equally likely; or, for an integer n, the integers
 * 0, …, n − 1 (`int32`) in random order. Bit for bit JAX's.
 *
 * @throws ShapeError for an axis out of range, a negative number, or one above 2³¹
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.permutation(random.key(0), 6).size); // => 6
 * ```
 */
export function permutation(key: Key, x: number): Value<'int32'>;
export function permutation<T extends Value>(key: Key, x: T, axis?: number, options?: PermutationOptions): T;
export function permutation(key: Key, x: number | Value, axis = 0, options: PermutationOptions = {}): Value {
  const op = 'random.permutation';
  expectOptions(op, options, 'independent');
  const { independent = false } = options;
  return located(() => {
    if (!isIndexed(x)) return shuffled(key, iota([counted(op, x)], 0, 'int32'), 0);
    const at = axisOf(op, axis, x.aval);
    if (independent || x.ndim === 1) return shuffled(key, x, at);
    const order = shuffled(key, iota([x.shape[at]!], 0, 'int32'), 0) as Tensor<'int32'>;
    return take(x as Tensor, order, at, { mode: 'promise_in_bounds' });
  });
}

/** A probability or the like as a float tensor. */
function floated(op: string, what: string, x: number | Value): Value {
  if (typeof x === 'number') return scalar(x, 'float32');
  if (isFloat(x.dtype)) return x;
  throw new DTypeError({
    op,
    problem: `${what} must be floating-point numbers, got ${showAval(x.aval)}`,
    remedy: "cast first: np.astype(x, 'float32')",
  });
}

/**
 * Independent booleans, each true with probability `p`.
 *
 * @param shape - of the result; that of `p` by default
 * @throws ShapeError if `p` does not broadcast to the shape
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.bernoulli(random.key(5), 0.3, [4]).toArray()); // => [ false, false, false, true ]
 * ```
 */
export function bernoulli(key: Key, p: number | Value = 0.5, shape?: ShapeLike): Value<'bool'> {
  const op = 'random.bernoulli';
  const probability = floated(op, 'probabilities', p);
  const lengths = shapeOf(op, shape ?? probability.shape);
  return located(() => {
    const u = uniform(key, lengths, { dtype: probability.dtype as FloatDType });
    return lt(u, stretchTo(op, probability, lengths));
  }) as Value<'bool'>;
}

/** Options of {@link rademacher}. */
export interface RademacherOptions<D extends 'int32' | FloatDType> {
  /** Default `int32`. */
  readonly dtype?: D;
}

/**
 * −1 or 1, each with probability ½: 1 where a {@link bernoulli} of the same key is true.
 *
 * @param shape - of the result; a scalar by default
 * @throws DTypeError for a dtype without −1
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * console.log(random.rademacher(random.key(5), [4]).toArray()); // => [ 1, -1, -1, 1 ]
 * ```
 */
export function rademacher<D extends 'int32' | FloatDType = 'int32'>(
  key: Key,
  shape: ShapeLike = [],
  options: RademacherOptions<D> = {},
): Value<D> {
  const op = 'random.rademacher';
  const dtype: DType = dtypeIn(op, options) ?? 'int32';
  if (dtype === 'bool' || dtype === 'uint32') {
    throw new DTypeError({ op, problem: `${dtype} has no −1`, remedy: "use 'int32' or a floating-point dtype" });
  }
  return located(() => {
    const u = uniformOf(op, key, shape, 0, 1, 'float32');
    return select(lt(u, fullLike(u, 0.5)), filled(u.shape, 1, dtype), filled(u.shape, -1, dtype));
  }) as Value<D>;
}

/** Options of {@link categorical}. */
export interface CategoricalOptions {
  /** Of the result: axes in front of those of the logits without `axis`. Default those alone. */
  readonly shape?: ShapeLike;
  /** May a category come more than once among the axes in front? Default true. */
  readonly replace?: boolean;
}

/** The indices of the largest elements along the last axis, in decreasing order. */
function largest(x: Value, count: number): Value {
  const last = x.ndim - 1;
  const [, order] = sort([neg(x), iota(x.shape, last, 'int32')], last);
  return sliceAxis(order!, last, 0, count);
}

/**
 * Categories (`int32`), drawn with probabilities proportional to the exponentials of `logits` along `axis`: the argmax of
 * logits plus Gumbel noise.
 *
 * @param axis - that of the categories; default the last
 * @throws ShapeError if the shape does not end with that of the logits without the axis, or there are no categories, or too few
 *   without replacement
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * const logits = np.log(np.array([0.5, 0.5, 0]));
 * console.log(np.max(random.categorical(random.key(0), logits, -1, { shape: [100] })).item()); // => 1
 * ```
 */
export function categorical(key: Key, logits: Value, axis = -1, options: CategoricalOptions = {}): Value<'int32'> {
  const op = 'random.categorical';
  expectOptions(op, options, 'shape', 'replace');
  const { shape, replace = true } = options;
  expectKey(op, key);
  const x = floated(op, 'logits', logits);
  const at = axisOf(op, axis, x.aval);
  const batch = without(x.shape, [at]);
  const lengths = shapeOf(op, shape ?? batch);
  if (x.shape[at] === 0) throw invalid(op, `${showAval(x.aval)} has no categories`, 'draw from at least one');
  const front = lengths.length - batch.length;
  if (front < 0 || !sameShape(lengths.slice(front), batch)) {
    throw invalid(op, `[${lengths.join(',')}] does not end with [${batch.join(',')}]`, 'add axes in front only');
  }
  const prefix = lengths.slice(0, front);
  if (!replace && sizeOf(prefix) > x.shape[at]!) {
    throw invalid(
      op,
      `${sizeOf(prefix)} of ${x.shape[at]} categories cannot differ`,
      'draw fewer, or with replacement',
    );
  }
  return located(() => noisiest(key, x, at, prefix, replace)) as Value<'int32'>;
}

/** The categories of greatest logit plus noise along `at`, with the axes `prefix` in front. */
function noisiest(key: Key, x: Value, at: number, prefix: Shape, replace: boolean): Value {
  const dtype = x.dtype as FloatDType;
  const front = prefix.length;
  if (replace) {
    const whole = [...prefix, ...x.shape];
    const noise = gumbel(key, whole, { dtype });
    const tiled = broadcastInDim(
      x,
      whole,
      range(x.ndim).map((i) => i + front),
    );
    return argmax(add(noise, tiled), at + front);
  }
  const noisy = add(gumbel(key, x.shape, { dtype }), x);
  const chosen = largest(moveAxis(noisy, at, x.ndim - 1), sizeOf(prefix));
  return reshape(moveAxis(chosen, chosen.ndim - 1, 0), [...prefix, ...without(x.shape, [at])]);
}

/** Options of {@link choice}. */
export interface ChoiceOptions {
  /** May an element be drawn more than once? Default true. */
  readonly replace?: boolean;
  /**
   * The probability of each element, or numbers proportional to them; equal ones by default. As in JAX these are not checked, which
   * a program that is staged could not do: where some are negative or NaN, or all are 0, there is no such distribution, and which
   * elements are drawn is unspecified. One of weight 0 is drawn only without replacement, when those of other weights are out.
   */
  readonly p?: Value;
  /** The axis of `a` whose elements are drawn; default the first. */
  readonly axis?: number;
}

/** The sums of the first 1, 2, … elements of a vector, in ⌈log₂ n⌉ additions of shifted vectors. */
function cumulative(p: Value): Value {
  let sums = p;
  for (let by = 1; by < p.size; by *= 2) sums = add(sums, pad(sums, scalar(0, p.dtype), [by], [-by], [0]));
  return sums;
}

/** For each number how many elements of an increasing vector are below it, by bisection. */
function countBelow(sums: Value, x: Value): Value {
  let count = filled(x.shape, 0, 'int32');
  for (let step = 2 ** Math.floor(Math.log2(sums.size)); step >= 1; step /= 2) {
    const next = add(count, fullLike(count, step));
    const inside = le(next, fullLike(count, sums.size));
    const last = take(sums as Tensor, sub(next, fullLike(next, 1)) as Tensor<'int32'>, 0, { mode: 'clip' });
    count = select(and(inside, lt(last, x)), next, count);
  }
  return count;
}

/** The numbers of the elements that are drawn. */
function drawn(key: Key, n: number, shape: Shape, replace: boolean, p: Value | undefined): Value {
  if (!p) return replace ? randint(key, shape, 0, n) : sliceAxis(permutation(key, n), 0, 0, sizeOf(shape));
  const weights = floated('random.choice', 'probabilities', p);
  if (!sameShape(weights.shape, [n])) {
    throw invalid(
      'random.choice',
      `${showAval(p.aval)} is not a probability for each of ${n}`,
      'give a vector of them',
    );
  }
  const dtype = weights.dtype as FloatDType;
  if (!replace) return largest(add(gumbel(key, [n], { dtype }), log(weights)), sizeOf(shape));
  const sums = cumulative(weights);
  const total = broadcastInDim(reshape(sliceAxis(sums, 0, n - 1, n), []), shape, []);
  const u = uniform(key, shape, { dtype });
  return countBelow(sums, mul(total, sub(fullLike(u, 1), u)));
}

/**
 * Random elements of `a` along an axis, or, if `a` is an integer, random integers (`int32`) below it. Without weights bit for
 * bit JAX's.
 *
 * @param shape - how many: these axes stand in the result in place of the axis; a single one by default
 * @throws ShapeError for more draws without replacement than there are elements, any from none, or an integer above 2³¹
 *
 * @example
 * ```ts
 * import { np, random } from 'pullback';
 * const letters = np.array([10, 20, 30]);
 * console.log(np.sort(random.choice(random.key(1), letters, [3], { replace: false })).toArray()); // => [ 10, 20, 30 ]
 * ```
 */
export function choice(key: Key, a: number, shape?: ShapeLike, options?: ChoiceOptions): Value<'int32'>;
export function choice<T extends Value>(key: Key, a: T, shape?: ShapeLike, options?: ChoiceOptions): T;
export function choice(key: Key, a: number | Value, shape: ShapeLike = [], options: ChoiceOptions = {}): Value {
  const op = 'random.choice';
  expectOptions(op, options, 'replace', 'p', 'axis');
  const { replace = true, p, axis = 0 } = options;
  expectKey(op, key);
  const source = isIndexed(a) ? a : null;
  const at = source ? axisOf(op, axis, source.aval) : 0;
  const n = source ? source.shape[at]! : counted(op, a);
  const lengths = shapeOf(op, shape);
  const draws = sizeOf(lengths);
  const around = source ? source.shape : [n];
  const result = [...around.slice(0, at), ...lengths, ...around.slice(at + 1)];
  if (draws === 0) return zeros(makeAval(result, source ? source.dtype : 'int32'));
  if (n === 0) throw invalid(op, 'there is nothing to draw from', 'draw from at least one element');
  if (!replace && draws > n) {
    throw invalid(op, `${draws} of ${n} elements cannot differ`, 'draw fewer, or with replacement');
  }
  return located(() => {
    if (source && !replace && !p) return reshape(sliceAxis(permutation(key, source, at), at, 0, draws), result);
    const numbers = drawn(key, n, lengths, replace, p);
    if (!source) return reshape(numbers, lengths);
    const flat = reshape(numbers, [draws]) as Tensor<'int32'>;
    return reshape(take(source as Tensor, flat, at, { mode: 'promise_in_bounds' }), result);
  });
}
