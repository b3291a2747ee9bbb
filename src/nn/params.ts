/** What layers expect of their parameters, which may come from a file. */

import { showAval } from '../core/aval.ts';
import { DTypeError, ShapeError, TreeError } from '../core/errors.ts';
import { Value } from '../core/value.ts';
import { describe } from '../ops/untyped.ts';

/** A parameter: what it is called in messages, its number of axes (any where it is null), and may it be left out? */
export type Part = readonly [word: string, ndim: number | null, optional?: 'optional'];

/**
 * @param parts - the parameters by name
 * @param fits - do their shapes fit one another? Asked when there are all with their numbers of axes
 * @throws TreeError naming what is no tensor, ShapeError naming all for those that do not fit
 */
export function expectParams(
  op: string,
  params: unknown,
  parts: Readonly<Record<string, Part>>,
  remedy: string,
  fits: (of: Readonly<Record<string, Value>>) => boolean = () => true,
): void {
  const given = (params ?? {}) as Readonly<Record<string, unknown>>;
  const there = Object.entries(parts).filter(([name, part]) => given[name] !== undefined || part[2] === undefined);
  for (const [name] of there) {
    const part = given[name];
    if (part instanceof Value) continue;
    throw new TreeError({ op, problem: `params.${name} is ${describe(part)}, not a tensor`, remedy });
  }
  const tensors = given as Readonly<Record<string, Value>>;
  if (there.every(([name, [, ndim]]) => ndim === null || tensors[name]!.ndim === ndim) && fits(tensors)) return;
  const shown = there.map(([name, [word]]) => `${word} ${showAval(tensors[name]!.aval)}`).join(' and ');
  throw new ShapeError({ op, problem: `${shown} do not make a layer`, remedy });
}

/** @throws DTypeError unless `x` is a boolean: the string `'false'` of a config would be taken for true */
export function expectFlag(op: string, name: string, x: unknown): asserts x is boolean {
  if (typeof x === 'boolean') return;
  throw new DTypeError({ op, problem: `${name} is ${describe(x)}, not a boolean`, remedy: 'use true or false' });
}

/** @throws DTypeError unless this is a number of at least 0 */
export function expectEpsilon(op: string, x: unknown): void {
  if (typeof x === 'number' && x >= 0) return;
  throw new DTypeError({ op, problem: `epsilon is ${describe(x)}`, remedy: 'give a small number, 1e-5 say' });
}

/** @throws ShapeError unless this is an array, the elements of which are for others to judge */
export function expectList(op: string, what: string, x: unknown, example: string): void {
  if (Array.isArray(x)) return;
  throw new ShapeError({ op, problem: `${what} is ${describe(x)}`, remedy: `give an array, ${example} say` });
}

/** @throws ShapeError unless each of these is a positive integer */
export function expectSizes(op: string, sizes: Readonly<Record<string, unknown>>): void {
  for (const [what, n] of Object.entries(sizes)) {
    if (Number.isSafeInteger(n) && (n as number) > 0) continue;
    throw new ShapeError({ op, problem: `${what} is ${describe(n)}`, remedy: 'give a positive integer' });
  }
}
