/** Where tensors are: copies on another device, of trees and for jitted functions that name one. */

import type { Device } from '../src/core/backend.ts';
import { ConcretizationError } from '../src/core/errors.ts';
import { Tensor, type Value } from '../src/core/value.ts';
import { flatten, unflatten } from '../src/tree/tree.ts';

/** The value on `device`: itself if it is there or a tracer, whose tensor is wherever it will be, and else a copy. */
export const onDevice = (x: Value, device: Device): Value =>
  !(x instanceof Tensor) || (x.device === device && x.committed) ? x : new Tensor(x.aval, x.storageOn(device), device);

/**
 * The tree with its tensors on `device`: copies of those that were elsewhere. Programs run where their operands are, and operands on two
 * devices are refused, so this is how data gets from one to another.
 *
 * @throws ConcretizationError for a tracer: which device a program runs on is not part of it
 * @throws CompileError where the device has not the dtype of a tensor, or, on a page, where one is on a GPU, which a page reads by waiting:
 * put `np.array(await x.data())` there instead
 *
 * @example
 * ```ts
 * import { devicePut, np, referenceDevice } from 'pullback';
 * const params = { w: np.ones([2, 3]), b: np.zeros([3]) };
 * const there = devicePut(params, referenceDevice());
 * // Computed on the reference device:
 * console.log(np.sum(there.w).item()); // => 6
 * ```
 */
export function devicePut<T>(tree: T, device: Device): T {
  const { leaves, def } = flatten<Value>(tree, 'devicePut', 'tree');
  for (const x of leaves) {
    if (x instanceof Tensor) continue;
    throw new ConcretizationError({
      op: 'devicePut',
      problem: 'a tracer has no device while a transform looks at the function',
      remedy: 'put the arguments before the call, or name a device in jit(f, { device })',
    });
  }
  return unflatten<T>(
    def,
    leaves.map((x) => onDevice(x, device)),
  );
}
