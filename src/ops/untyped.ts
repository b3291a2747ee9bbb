/**
 * What untyped code passes: JavaScript, configuration files, a cast too many.
 *
 * Types cannot refuse it, so that functions whose arguments would otherwise be read past a mistake (options in the place of
 * an axis, a dtype in that of options) check them here, and say what was meant.
 */

import { type DType, dtypes } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import { describe, expectOptions, showKeys } from '../core/untyped.ts';
import type { DTypeOptions } from './types.ts';

export { describe, expectOptions, showKeys };

/** @throws DTypeError unless `dtype` is the name of one */
export function expectDType(op: string, dtype: unknown): DType {
  if ((dtypes as readonly unknown[]).includes(dtype)) return dtype as DType;
  throw new DTypeError({
    op,
    problem: `${describe(dtype)} is not a dtype here`,
    remedy: `use one of ${dtypes.map((name) => `'${name}'`).join(', ')}`,
  });
}

/**
 * The dtype that options ask for.
 *
 * @param others - the options that there are besides
 * @throws DTypeError for one that is not a dtype, and as {@link expectOptions}
 */
export function dtypeIn<D extends DType>(
  op: string,
  options: DTypeOptions<D>,
  ...others: readonly string[]
): D | undefined {
  expectOptions(op, options, 'dtype', ...others);
  return options.dtype === undefined ? undefined : (expectDType(op, options.dtype) as D);
}
