/** The reference device: the interpreter, behind all clean-up passes. */

import type { Device } from '../../src/core/backend.ts';
import { optimize } from '../../transforms/passes/index.ts';
import { interpreter, type ReferenceOptions } from './interpreter.ts';

export type { ReferenceOptions } from './interpreter.ts';

/**
 * A device that interprets programs on host arrays. Two devices of the same options are different places for tensors.
 *
 * @example
 * ```ts
 * import { np, referenceDevice, withDefaultDevice } from 'pullback';
 * const exact = referenceDevice({ precision: 'float64' });
 * console.log(withDefaultDevice(exact, () => np.div(1, 3).item())); // => 0.3333333333333333
 * ```
 */
export const referenceDevice = (options: ReferenceOptions = {}): Device => interpreter('reference', options, optimize);
