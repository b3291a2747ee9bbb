/**
 * `pullback/reference`: the transforms, on the reference device alone. For pages that count kilobytes: no other device and no
 * compiler is reachable from here, and every export that is not used can be dropped by a bundler.
 */

import './reference/device.ts';

export { plainDevice } from '../../backends/reference/plain.ts';
export * from '../../transforms/index.ts';
export { type Device, defaultDevice, setDefaultDevice, withDefaultDevice } from '../core/backend.ts';
export type { DType, TypedArray } from '../core/dtype.ts';
export { type ErrorTag, PullbackError } from '../core/errors.ts';
export type { ArrayLike, Tensor } from '../ops/types.ts';
