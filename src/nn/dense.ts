/** The dense layer. A layer is `params => x => y`, so that a model is a pipe of them, and it carries its initializer. */

import { makeAval, showAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { ShapeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { toValue } from '../ops/convert.ts';
import * as np from '../ops/np.ts';
import { expectOptions } from '../ops/untyped.ts';
import { zeros } from '../prim/compose.ts';
import { type Key, split } from '../random/key.ts';
import { type Initializer, lecunNormal } from './initializers.ts';
import type { Layer } from './layer.ts';
import { expectParams, expectSizes } from './params.ts';

/** Parameters of a dense layer. */
export interface DenseParams<D extends FloatDType = 'float32'> {
  /** float[in, out]. */
  readonly w: Value<D>;
  /** float[out]. */
  readonly b: Value<D>;
}

/** How parameters of a dense layer are drawn. */
export interface DenseInitOptions {
  /** Of the weights; {@link lecunNormal} by default. */
  readonly w?: Initializer;
  /** Of the bias; default 0. */
  readonly b?: Initializer;
}

const remedy = 'make parameters with nn.dense.init(key, inSize, outSize): { w: float[in, out], b: float[out] }';

const apply = <D extends FloatDType>(params: DenseParams<D>): ((x: Value<D>) => Value<D>) => {
  expectParams('nn.dense', params, { w: ['weights', 2], b: ['bias', 1] }, remedy, (p) => {
    return p['b']!.shape[0] === p['w']!.shape[1];
  });
  const { w, b } = params;
  return (x) => {
    const input = toValue('nn.dense', x);
    if (input.ndim === 0 || input.shape.at(-1) !== w.shape[0]) {
      throw new ShapeError({
        op: 'nn.dense',
        problem: `input ${showAval(input.aval)} does not fit weights ${showAval(w.aval)}`,
        remedy: `the last axis of the input must have length ${w.shape[0]}`,
      });
    }
    return np.add(np.matmul(input, w), b) as Value<D>;
  };
};

const init = (key: Key, inSize: number, outSize: number, options: DenseInitOptions = {}): DenseParams => {
  const op = 'nn.dense.init';
  expectOptions(op, options, 'w', 'b');
  expectSizes(op, { inSize, outSize });
  const { w = lecunNormal, b } = options;
  const [forWeights, forBias] = b === undefined ? [key, key] : split(key);
  const none = (): Value<'float32'> => zeros(makeAval([outSize], 'float32')) as Value<'float32'>;
  return { w: w(forWeights, [inSize, outSize]), b: b === undefined ? none() : b(forBias, [outSize]) };
};

const layer = (
  inSize: number,
  outSize: number,
  options: DenseInitOptions = {},
): Layer<DenseParams, Value<'float32'>, Value<'float32'>> => ({
  init: (key) => init(key, inSize, outSize, options),
  apply,
  name: `dense ${inSize}→${outSize}`,
});

/**
 * The affine map x·w + b of the last axis: float[..., in] → float[..., out].
 *
 * `dense.init(key, inSize, outSize)` draws w by {@link lecunNormal} and sets b to 0, as JAX's libraries do; `{ w, b }` name other
 * {@link initializers}.
 * `dense.layer(inSize, outSize, options)` is the layer without parameters, for {@link serial}.
 *
 * @throws ShapeError if the last axis of the input is not that of the weights
 * @throws TreeError for parameters that are not `{ w, b }`, ShapeError for sizes that are not positive
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import { nn, np, random, type Tensor } from 'pullback';
 * const [first, second] = random.split(random.key(0));
 * const params = { hidden: nn.dense.init(first, 3, 8), out: nn.dense.init(second, 8, 2) };
 * const model = (x: Tensor) => pipe(x, nn.dense(params.hidden), nn.tanh, nn.dense(params.out));
 * console.log(model(np.ones([5, 3])).shape); // => [ 5, 2 ]
 * ```
 */
export const dense = Object.assign(apply, { init, layer });
