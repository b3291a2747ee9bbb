/** Running means over steps, and the correction of their bias: what adaptive optimizers share. */

import { isFloat } from '../core/dtype.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { convertElementType, mul, neg } from '../prim/arithmetic.ts';
import { fullLike } from '../prim/compose.ts';
import { expm1 } from '../prim/math.ts';
import { map } from '../tree/tree.ts';
import { mapPairs } from './state.ts';

/** A tree like `params` with `value` in every element. */
export const filledLike = <P>(params: P, value: number): P => map((p: Value) => fullLike(p, value), params);

/**
 * The running means decay·mean + (1 − decay)·g.
 *
 * @param name - of the part of the state that the means are, for errors
 */
export const mixed = <P>(op: string, name: string, decay: number, updates: P, means: unknown): P =>
  mapPairs(op, ['updates', `state.${name}`], (g, mean) => mix(decay, mean, g), updates, means);

/** {@link mixed} of the squares of the updates. */
export const mixedSquares = <P>(op: string, name: string, decay: number, updates: P, means: unknown): P =>
  mapPairs(op, ['updates', `state.${name}`], (g, mean) => mix(decay, mean, mul(g, g)), updates, means);

const mix = (decay: number, mean: Value, x: Value): Value => np.add(np.mul(mean, decay), np.mul(x, 1 - decay));

/** Running means that started at 0, without the bias of that start: mean/(1 − decayᵗ). */
export const unbiased = <P>(decay: number, count: Value<'int32'>, means: P): P =>
  map((mean: Value) => np.div(mean, oneMinusPower(decay, count, mean)), means);

/**
 * 1 − bᵗ as a scalar of the dtype of `like`, for t ≥ 1.
 *
 * It is −expm1(t·log b): with b near 1 the difference itself would lose most of its digits in float32.
 */
function oneMinusPower(b: number, count: Value<'int32'>, like: Value): Value {
  const t = convertElementType(count, isFloat(like.dtype) ? like.dtype : 'float32');
  return neg(expm1(mul(t, fullLike(t, Math.log(b)))));
}
