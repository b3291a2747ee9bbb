/**
 * Writing by subscripts: `np.at(x, …)` makes the tensor that an assignment to NumPy's `x[…]` would leave behind, or one of NumPy's
 * `ufunc.at`. All of it is one scatter.
 */

import { makeAval, showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import type { IndexMode } from '../prim/addressing.ts';
import { div } from '../prim/arithmetic.ts';
import { select } from '../prim/compare.ts';
import { full, fullLike, zeros } from '../prim/compose.ts';
import { expectKind } from '../prim/define.ts';
import { pow } from '../prim/math.ts';
import { type ScatterAddParams, type ScatterParams, scatter, scatterAdd } from '../prim/scatter.ts';
import { scatterMax, scatterMin, scatterMul } from '../prim/scatter-combine.ts';
import { reshape } from '../prim/structural.ts';
import { expectTensor, promoted } from './convert.ts';
import { expectMode, type ReadOptions, selected } from './indexing.ts';
import { located } from './located.ts';
import { stretchTo } from './shape.ts';
import { address, type Index, parse, type Subscripts, selectedShape } from './subscripts.ts';
import type { ArrayLike, Tensor } from './types.ts';
import { expectOptions } from './untyped.ts';

/** Options of {@link At.add}, {@link At.min} and {@link At.max}. */
export interface WriteOptions {
  /** What becomes of an update outside: `fill`, it is dropped (default), or `clip`, it goes to the nearest element. */
  readonly mode?: IndexMode;
}

/** Options of {@link At.set}, {@link At.mul}, {@link At.divide} and {@link At.power}. */
export interface SetOptions extends WriteOptions {
  /** The promise that no element is named twice, which makes derivatives cheaper. Default false. */
  readonly uniqueIndices?: boolean;
}

/** A part of a tensor, to be read or replaced. */
export interface At<D extends DType> {
  /** The part itself, as `np.index` reads it. */
  get(options?: ReadOptions): Tensor<D>;
  /**
   * The whole tensor with `values`, which broadcast to the part, in its place. Where tensors of indices name an element more
   * than once, one of its values stays: the last on the reference device, an unspecified one elsewhere.
   *
   * @throws ShapeError if the values do not broadcast to the part
   * @throws DTypeError if the tensor's dtype does not hold them
   */
  set(values: ArrayLike, options?: SetOptions): Tensor<D>;
  /** The whole tensor with `values` added to the part, as often as an element is named. @throws as {@link At.set} */
  add(values: ArrayLike, options?: WriteOptions): Tensor<D>;
  /**
   * The whole tensor with `values` multiplied onto the part, as often as an element is named. The derivative is right at zeros.
   *
   * @throws as {@link At.set}
   */
  mul(values: ArrayLike, options?: SetOptions): Tensor<D>;
  /** The same as {@link At.mul}. */
  multiply(values: ArrayLike, options?: SetOptions): Tensor<D>;
  /** The whole tensor with the part divided by `values`, as often as an element is named. @throws DTypeError unless it is of floats */
  divide(values: ArrayLike, options?: SetOptions): Tensor<D>;
  /**
   * The whole tensor with the part raised to the power of `values`: of their product, where an element is named more than once.
   *
   * @throws as {@link At.set}
   */
  power(values: ArrayLike, options?: SetOptions): Tensor<D>;
  /**
   * The whole tensor with the smallest of an element and all `values` for it. Ties share the derivative.
   *
   * @throws as {@link At.set}
   */
  min(values: ArrayLike, options?: WriteOptions): Tensor<D>;
  /**
   * The whole tensor with the largest of an element and all `values` for it. Ties share the derivative.
   *
   * @throws as {@link At.set}
   */
  max(values: ArrayLike, options?: WriteOptions): Tensor<D>;
}

/** Values as updates of the part that subscripts select, without its new axes. */
function updatesOf(op: string, x: Value, values: ArrayLike, subscripts: Subscripts): Value {
  const [, cast] = promoted(op, [x, values]);
  if (cast!.dtype !== x.dtype) {
    throw new DTypeError({
      op,
      problem: `${showAval(x.aval)} does not hold ${cast!.dtype}`,
      remedy: `cast first: np.astype(values, '${x.dtype}'), or np.astype(x, '${cast!.dtype}')`,
    });
  }
  return reshape(stretchTo(op, cast!, selectedShape(subscripts, true)), selectedShape(subscripts, false));
}

/** A scatter primitive, as a function. */
type Scatter<P> = (x: Value, indices: Value, updates: Value, params: P) => Value;

/** The product of the values for each element, 1 where there are none. */
const factors: Scatter<ScatterParams> = (x, indices, updates, params) =>
  scatterMul(fullLike(x, 1), indices, updates, params);

/** Elements that are not named stay as they are, and so do their derivatives: they are no powers. */
const raised: Scatter<ScatterParams> = (x, indices, updates, params) => {
  const untouched = zeros(makeAval(x.shape, 'bool'));
  const named = scatter(untouched, indices, full(makeAval(updates.shape, 'bool'), 1), params);
  const base = select(named, x, fullLike(x, 1));
  return select(named, pow(base, factors(x, indices, updates, params)), x);
};

/**
 * The part of `x` that `np.index` reads with the same subscripts, to be replaced, added to, and so on. Tensors never change: each
 * of the methods returns a new one.
 *
 * @throws as `np.index`
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const x = np.zeros([2, 3]);
 * console.log(np.at(x, [], 1).set(np.array([7, 8])).toArray()); // => [ [ 0, 7, 0 ], [ 0, 8, 0 ] ]
 * const twice = np.array([0, 0, 5], { dtype: 'int32' });
 * console.log(np.at(x, twice).add(1).toArray()); // => [ [ 2, 2, 2 ], [ 0, 0, 0 ] ]
 * console.log(np.at(np.ones([3]), twice).mul(3).toArray()); // => [ 9, 1, 1 ]
 * const y = np.array([8, 3]);
 * console.log(np.at(y, 0).divide(4).toArray(), np.at(y, 1).power(2).toArray()); // => [ 2, 3 ] [ 8, 9 ]
 * console.log(np.at(x, 0).max(np.array([-1, 0, 1])).toArray()); // => [ [ 0, 0, 1 ], [ 0, 0, 0 ] ]
 * ```
 */
export function at<D extends DType>(x: Tensor<D>, ...subscripts: readonly Index[]): At<D> {
  const { aval } = expectTensor('np.at', x);
  const read = parse('np.at', aval, subscripts);
  const written = <P extends ScatterAddParams>(
    op: string,
    values: ArrayLike,
    options: SetOptions,
    apply: Scatter<P>,
    promises: boolean,
  ): Tensor<D> =>
    located(() => {
      const updates = updatesOf(op, x, values, read);
      expectOptions(op, options, 'mode', ...(promises ? ['uniqueIndices'] : []));
      const { mode = 'fill', uniqueIndices = false } = options;
      expectMode(op, mode);
      if (updates.size === 0) return x;
      const { indices, windowDims, hidden, indexed } = address(x.shape, read, true);
      const params: ScatterAddParams = {
        updateWindowDims: windowDims,
        insertedWindowDims: hidden,
        scatterDimsToOperandDims: indexed,
        operandBatchingDims: [],
        scatterIndicesBatchingDims: [],
        mode,
      };
      const whole = promises ? { ...params, uniqueIndices: uniqueIndices || read.unique } : params;
      return apply(x, indices, updates, whole as P);
    }) as Tensor<D>;
  const mul: At<D>['mul'] = (values, options = {}) =>
    written<ScatterParams>('np.at.mul', values, options, scatterMul, true);
  return {
    get: (options = {}) => located(() => selected('np.at.get', x, read, options)) as Tensor<D>,
    set: (values, options = {}) => written<ScatterParams>('np.at.set', values, options, scatter, true),
    add: (values, options = {}) => written<ScatterAddParams>('np.at.add', values, options, scatterAdd, false),
    mul,
    multiply: mul,
    divide: (values, options = {}) => {
      expectKind('np.at.divide', 'float', aval);
      const apply: Scatter<ScatterParams> = (a, indices, updates, params) =>
        div(a, factors(a, indices, updates, params));
      return written<ScatterParams>('np.at.divide', values, options, apply, true);
    },
    power: (values, options = {}) => {
      expectKind('np.at.power', 'number', aval);
      return written<ScatterParams>('np.at.power', values, options, raised, true);
    },
    min: (values, options = {}) => written<ScatterAddParams>('np.at.min', values, options, scatterMin, false),
    max: (values, options = {}) => written<ScatterAddParams>('np.at.max', values, options, scatterMax, false),
  };
}
