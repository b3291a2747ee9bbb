/** Arbitrary arguments of a function: what a user writes to say which inputs a law of theirs is about. */

import * as fc from 'fast-check';
import { type Aval, isAval } from '../../src/core/aval.ts';
import { Tensor, Value } from '../../src/core/value.ts';
import { type HostTensor, hostTensor, isHostTensor, showHost, toHost, toTensor } from '../host.ts';
import { readable } from './readable.ts';
import { tensorOf } from './tensor.ts';

/** What arguments are drawn as: a `T` with tensors, or their host data, at the leaves. */
export type Drawable<T> = T extends Value
  ? Value | HostTensor | number
  : T extends object
    ? { readonly [K in keyof T]: Drawable<T[K]> }
    : T;

/** What a specification stands for: an aval for a tensor of its kind, an arbitrary for what it draws, all else for itself. */
export type Drawn<S> =
  S extends fc.Arbitrary<infer A>
    ? A
    : S extends Aval | Value
      ? HostTensor
      : S extends object
        ? { readonly [K in keyof S]: Drawn<S[K]> }
        : S;

/** Constants of more elements are not printed. */
const shown = 16;

/**
 * Arguments of a function, from one specification for each: a tree of plain objects and arrays with at its leaves
 *
 * - an aval (of `makeAval`, or a whole tree of them from `evalShape`): any tensor of this shape and dtype, its elements within
 *   ±2 (whole numbers for integers),
 * - an arbitrary: what it draws, as `tensorOf(makeAval([4], 'int32'), between(0, 9))` for labels,
 * - a tensor, or a static value: itself.
 *
 * Counterexamples shrink to small whole numbers.
 *
 * @example
 * ```ts
 * import { makeAval, np, type Tensor } from 'pullback';
 * import { args, gradientLaw } from 'pullback/laws';
 * const scaled = (x: Tensor, y: Tensor) => np.sum(np.mul(np.sin(x), y));
 * console.log(gradientLaw(scaled, args(makeAval([3], 'float32'), np.ones([2, 3]))).check({ runs: 20 }).runs); // => 20
 * ```
 */
export const args = <const S extends readonly unknown[]>(...specifications: S): fc.Arbitrary<Drawn<S>> =>
  drawn(specifications) as fc.Arbitrary<Drawn<S>>;

function drawn(x: unknown): fc.Arbitrary<unknown> {
  if (x instanceof fc.Arbitrary) return x;
  if (isAval(x)) return tensorOf(x, readable(-2, 2));
  if (x instanceof Tensor) return fc.constant(constant(toHost(x)));
  if (Array.isArray(x)) return fc.tuple(...x.map(drawn));
  if (typeof x !== 'object' || x === null || isHostTensor(x)) return fc.constant(x);
  if (isPlain(x)) {
    return fc.record(Object.fromEntries(Object.entries(x).map(([name, child]) => [name, drawn(child)])), {
      noNullPrototype: true,
    });
  }
  throw new TypeError(
    `args: an instance of ${x.constructor?.name || 'an unnamed class'} is no specification: give plain objects and arrays of ` +
      'avals, tensors and arbitraries, and make the instance of what they draw with fc.map',
  );
}

/** A tensor that is the same in every case: its elements are known where it was made. */
function constant(x: HostTensor): HostTensor {
  if (x.data.length <= shown) return x;
  const text = showHost(hostTensor(x.shape, x.dtype, [], x.weak)).replace('[]', '(as given)');
  return Object.defineProperty({ ...x }, fc.toStringMethod, { value: () => text });
}

const isPlain = (x: object): boolean => [Object.prototype, null].includes(Object.getPrototypeOf(x));

/** What was drawn as a function takes it: tensors on the default device. */
export function realize(x: unknown): unknown {
  if (isHostTensor(x)) return toTensor(x);
  if (Array.isArray(x)) return x.map(realize);
  if (typeof x !== 'object' || x === null || x instanceof Value || !isPlain(x)) return x;
  return Object.fromEntries(Object.entries(x).map(([name, child]) => [name, realize(child)]));
}
