/** The part of `lax` that slides windows over a tensor. */

import { makeAval, showAval } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import { stage } from '../core/stage.ts';
import type { Value } from '../core/value.ts';
import * as arithmetic from '../prim/arithmetic.ts';
import { filled } from '../prim/compose.ts';
import * as window from '../prim/window.ts';
import { expectHolds } from './convert.ts';
import { type Padding, paddingPairs } from './padding.ts';
import { staged } from './staged.ts';
import type { Tensor } from './types.ts';
import { describe, expectOptions } from './untyped.ts';

/** Options of {@link reduceWindow} and of what selects in windows. */
export interface WindowOptions {
  /** From one element of the operand to the next, on each axis; default 1. */
  readonly baseDilation?: readonly number[];
  /** From one place of a window to the next, on each axis; default 1. */
  readonly windowDilation?: readonly number[];
}

/** The windows that are meant, over `x`. @throws ShapeError if there is not a positive entry for each axis */
function windowsOf(
  op: string,
  x: Value,
  windowDimensions: readonly number[],
  windowStrides: readonly number[],
  padding: Padding,
  options: WindowOptions,
): window.Windows {
  expectOptions(op, options, 'baseDilation', 'windowDilation');
  const ones = x.shape.map(() => 1);
  const zeros = x.shape.map(() => 0);
  const { baseDilation = ones, windowDilation = ones } = options;
  const plain = { windowDimensions, windowStrides, baseDilation, windowDilation };
  window.windowCounts(op, x.aval, { ...plain, paddingLow: zeros, paddingHigh: zeros });
  const pairs = paddingPairs(
    op,
    padding,
    x.shape.map((n, i) => (n === 0 ? 0 : (n - 1) * baseDilation[i]! + 1)),
    x.shape.map((_, i) => ({
      extent: (windowDimensions[i]! - 1) * windowDilation[i]! + 1,
      stride: windowStrides[i]!,
    })),
  );
  return { ...plain, paddingLow: pairs.map(([low]) => low), paddingHigh: pairs.map(([, high]) => high) };
}

/** What combines the elements of a window: `lax.add`, `lax.max` or `lax.min`. */
export type WindowComputation = (x: Tensor, y: Tensor) => Value;

const reductions = {
  add: { reduce: window.reduceWindowSum, combine: null },
  max: { reduce: window.reduceWindowMax, combine: arithmetic.max },
  min: { reduce: window.reduceWindowMin, combine: arithmetic.min },
} as const;

const isReduction = (name: string): name is keyof typeof reductions => Object.hasOwn(reductions, name);

/** The reduction that a function of two scalars is one step of. @throws DTypeError for one of another meaning */
function reductionOf(op: string, computation: unknown, dtype: DType): (typeof reductions)[keyof typeof reductions] {
  const scalar = makeAval([], dtype);
  let given = describe(computation);
  if (typeof computation === 'function') {
    const { jaxpr } = stage(op, (x, y) => [computation(x, y) as Value], [scalar, scalar]);
    const eqn = jaxpr.eqns[0];
    const whole = jaxpr.eqns.length === 1 && eqn!.outs[0] === jaxpr.outs[0];
    const [x, y] = jaxpr.ins;
    if (whole && eqn!.ins.includes(x!) && eqn!.ins.includes(y!) && isReduction(eqn!.primitive.name)) {
      return reductions[eqn!.primitive.name];
    }
    given = `a function that computes ${jaxpr.eqns.map(({ primitive }) => primitive.name).join(', ') || 'nothing'}`;
  }
  throw new DTypeError({
    op,
    problem: `windows are not reduced by ${given}`,
    remedy: 'use lax.add, lax.max or lax.min',
  });
}

/**
 * The elements of each window over `operand`, combined by `computation`: their sum, maximum or minimum. Of a window that has
 * none, `initValue`.
 *
 * Windows of `windowDimensions` begin `windowStrides` apart on the padded operand. Padding and the holes of `baseDilation` are
 * no elements. NaN is the extremum of each window that has it.
 *
 * @param initValue - 0 for `lax.add`, any number for `lax.max` and `lax.min`: mostly −Infinity and Infinity
 * @throws ShapeError for windows that do not fit the operand
 * @throws DTypeError for another computation, another initial value of a sum, or one that an integer dtype cannot hold
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const x = np.array([3, 1, 4, 1, 5]);
 * console.log(lax.reduceWindow(x, -Infinity, lax.max, [2], [2], 'VALID').toArray()); // => [ 3, 4 ]
 * console.log(lax.reduceWindow(x, 0, lax.add, [3], [1], 'SAME').toArray()); // => [ 4, 8, 6, 10, 6 ]
 * console.log(lax.reduceWindow(x, 0, lax.add, [2], [1], 'VALID', { windowDilation: [3] }).toArray()); // => [ 4, 6 ]
 * ```
 */
export function reduceWindow<D extends DType>(
  operand: Tensor<D>,
  initValue: number,
  computation: WindowComputation,
  windowDimensions: readonly number[],
  windowStrides: readonly number[],
  padding: Padding,
  options: WindowOptions = {},
): Tensor<D> {
  const op = 'lax.reduceWindow';
  return staged(op, [operand], (x) => {
    const { reduce, combine } = reductionOf(op, computation, x!.dtype);
    const windows = windowsOf(op, x!, windowDimensions, windowStrides, padding, options);
    const reduced = reduce(x!, windows);
    if (combine === null && initValue !== 0) {
      throw new DTypeError({
        op,
        problem: `a sum begins at 0, got the initial value ${describe(initValue)}`,
        remedy: 'add it to the result, which says whether padding counts',
      });
    }
    const neutral = combine === arithmetic.max ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    if (combine === null || initValue === neutral) return reduced;
    expectHolds(op, initValue, x!.dtype, showAval(x!.aval));
    return combine(reduced, filled(reduced.shape, initValue, x!.dtype));
  }) as Tensor<D>;
}

/** @throws DTypeError unless it is the name of a comparison that selects */
function expectSelect(op: string, select: unknown): window.Select {
  if (select === 'ge' || select === 'le') return select;
  throw new DTypeError({
    op,
    problem: `${describe(select)} selects nothing`,
    remedy: "use 'ge' for the largest element or 'le' for the least",
  });
}

/**
 * Of each window over `operand`, the element of `tangents` where that of `operand` is the largest (`'ge'`) or least (`'le'`):
 * the first in row-major order of equal ones, the first NaN if there is one. Of a window without elements, 0.
 *
 * It is the derivative of {@link reduceWindow} by `lax.max` or `lax.min`, in the direction `tangents`.
 *
 * @throws ShapeError for windows that do not fit, or if `tangents` has another shape than `operand`
 * @throws DTypeError for `bool`, or if dtypes differ
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const [x, t] = [np.array([3, 1, 4, 4]), np.array([10, 20, 30, 40])];
 * console.log(lax.selectAndGatherAdd(t, x, 'ge', [2], [2], 'VALID').toArray()); // => [ 10, 30 ]
 * ```
 */
export function selectAndGatherAdd<D extends DType>(
  tangents: Tensor<D>,
  operand: Tensor<D>,
  selectPrim: window.Select,
  windowDimensions: readonly number[],
  windowStrides: readonly number[],
  padding: Padding,
  options: WindowOptions = {},
): Tensor<D> {
  const op = 'lax.selectAndGatherAdd';
  return staged(op, [tangents, operand], (t, x) => {
    const windows = windowsOf(op, x!, windowDimensions, windowStrides, padding, options);
    return window.selectAndGatherAdd(t!, x!, { ...windows, select: expectSelect(op, selectPrim) });
  }) as Tensor<D>;
}

/**
 * Zeros in the shape of `operand`, and each element of `source`, one for each window over `operand`, added where the window
 * has its largest (`'ge'`) or least (`'le'`) element: the first in row-major order of equal ones, the first NaN if there is one.
 *
 * It is the adjoint of {@link selectAndGatherAdd}: the gradient of pooling.
 *
 * @throws ShapeError for windows that do not fit, or if `source` has not one element for each
 * @throws DTypeError for `bool`, or if dtypes differ
 *
 * @example
 * ```ts
 * import { lax, np } from 'pullback';
 * const [x, y] = [np.array([3, 1, 4, 4]), np.array([10, 20])];
 * console.log(lax.selectAndScatterAdd(y, x, 'ge', [2], [2], 'VALID').toArray()); // => [ 10, 0, 20, 0 ]
 * ```
 */
export function selectAndScatterAdd<D extends DType>(
  source: Tensor<D>,
  operand: Tensor<D>,
  selectPrim: window.Select,
  windowDimensions: readonly number[],
  windowStrides: readonly number[],
  padding: Padding,
  options: WindowOptions = {},
): Tensor<D> {
  const op = 'lax.selectAndScatterAdd';
  return staged(op, [source, operand], (y, x) => {
    const windows = windowsOf(op, x!, windowDimensions, windowStrides, padding, options);
    return window.selectAndScatterAdd(y!, x!, { ...windows, select: expectSelect(op, selectPrim) });
  }) as Tensor<D>;
}
