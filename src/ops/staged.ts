/** How `lax` applies primitives: to tensors only, and under the name that the user called. */

import { annotate } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { expectTensor } from './convert.ts';

/** `apply` of tensors; what the primitive refuses is reported with the name that the user called. */
export function staged<R>(name: string, operands: readonly Value[], apply: (...operands: Value[]) => R): R {
  const tensors = operands.map((x) => expectTensor(name, x));
  return annotate(
    () => `while computing ${name}`,
    () => apply(...tensors),
  );
}
