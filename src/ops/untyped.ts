/**
 * What untyped code passes: JavaScript, configuration files, a cast too many.
 *
 * Types cannot refuse it, so that functions whose arguments would otherwise be read past a mistake (options in the place of
 * an axis, a dtype in that of options) check them here, and say what was meant.
 */

import { showAval } from '../core/aval.ts';
import { type DType, dtypes } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import type { DTypeOptions } from './types.ts';

const isPlain = (x: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(x);
  return prototype === Object.prototype || prototype === null;
};

/** An object by its keys: `{ w, b }`. */
export const showKeys = (names: readonly string[]): string => (names.length > 0 ? `{ ${names.join(', ')} }` : '{}');

/** Anything at all in a few words, for errors. */
export function describe(x: unknown): string {
  if (x instanceof Value) return `the tensor ${showAval(x.aval)}`;
  if (typeof x === 'string') return JSON.stringify(x);
  if (Array.isArray(x)) return 'an array';
  if (typeof x === 'function') return `the function ${x.name || 'without a name'}`;
  if (typeof x !== 'object' || x === null) return String(x);
  if (isPlain(x)) return showKeys(Object.keys(x));
  return `an instance of ${x.constructor?.name || 'an unnamed class'}`;
}

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
 * @param names - the options that there are
 * @throws DTypeError unless `options` is an object that holds no others
 */
export function expectOptions(op: string, options: unknown, ...names: readonly string[]): void {
  const known = showKeys(names);
  if (typeof options !== 'object' || options === null || !isPlain(options)) {
    const shape = typeof options === 'number' ? '; a shape of several axes is one array, [2, 3]' : '';
    const wanted = (dtypes as readonly unknown[]).includes(options) ? `{ dtype: '${options}' }` : known;
    throw new DTypeError({
      op,
      problem: `${describe(options)} stands where options are expected`,
      remedy: `options are an object, ${wanted}${shape}`,
    });
  }
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw new DTypeError({ op, problem: `there is no option '${name}'`, remedy: `the options are ${known}` });
  }
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
