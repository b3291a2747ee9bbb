/** Initializers: how the parameters of a layer are drawn. */

import type { Shape } from '../core/shape.ts';
import { sizeOf } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { max, min, mul } from '../prim/arithmetic.ts';
import { fullLike } from '../prim/compose.ts';
import { erfInv } from '../prim/math.ts';
import type { Key } from '../random/key.ts';
import { uniformOf } from '../random/samplers.ts';

/** erf(2/√2): what a standard normal number has of its probability within ±2. */
const withinTwo = 0.9544997361036416;

/** The standard deviation of a standard normal number that was cut at ±2. */
const deviationWithinTwo = 0.87962566103423978;

/** The float32 below 2. */
const belowTwo = 2 - 2 ** -23;

/**
 * Normal numbers of mean 0 and variance 1/fan-in, none further out than 2/0.8796… deviations: outputs of a linear layer then
 * have the variance of its inputs.
 *
 * JAX's default for dense layers and convolutions (`jax.nn.initializers.lecun_normal`); Y. LeCun, L. Bottou, G. Orr,
 * K.-R. Müller, "Efficient BackProp" (1998), section 4.6.
 *
 * @param shape - […, out]; the fan-in is the product of all axes but the last
 *
 * @example
 * ```ts
 * import { nn, random } from 'pullback';
 * console.log(nn.lecunNormal(random.key(0), [784, 256]).shape); // => [ 784, 256 ]
 * ```
 */
export function lecunNormal(key: Key, shape: Shape): Value<'float32'> {
  const u = uniformOf('nn.lecunNormal', key, shape, -withinTwo, withinTwo, 'float32');
  const normal = mul(fullLike(u, Math.SQRT2), erfInv(u));
  const cut = max(min(normal, fullLike(u, belowTwo)), fullLike(u, -belowTwo));
  const fanIn = sizeOf(shape.slice(0, -1));
  return mul(cut, fullLike(u, Math.sqrt(1 / Math.max(fanIn, 1)) / deviationWithinTwo)) as Value<'float32'>;
}
