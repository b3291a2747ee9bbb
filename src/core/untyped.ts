/**
 * What untyped code passes in the place of something else, in words; and options that there are not. Types cannot refuse it, so
 * that functions which would otherwise read past a mistake check it.
 */

import { showAval } from './aval.ts';
import { dtypes } from './dtype.ts';
import { DTypeError } from './errors.ts';
import { Value } from './value.ts';

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
