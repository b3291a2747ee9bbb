/** `pullback/special`: special functions, under the names of `jax.scipy.special`. */

import './device.ts';

export { logsumexp } from '../nn/softmax.ts';
export * from '../ops/special.ts';
