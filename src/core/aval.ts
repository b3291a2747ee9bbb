/**
 * Abstract values: what is known of a tensor before it is computed.
 *
 * Avals are interned, so that the eager path finds its program by comparing small integers. The table of interned avals is
 * bounded: identity is a fast path, never the meaning ({@link sameAval} compares structure).
 */

import { type DType, shortName } from './dtype.ts';
import { type Shape, sameShape, sizeOf } from './shape.ts';

/** Shape, dtype and weak type of a value. */
export interface Aval<D extends DType = DType> {
  readonly _tag: 'Aval';
  readonly shape: Shape;
  readonly dtype: D;
  /** True for what stands for a JS number or boolean: its dtype gives way to that of the tensor it meets. */
  readonly weak: boolean;
  /** Number of elements. */
  readonly size: number;
  /** A number that no structurally different aval has; equal avals may differ in it. */
  readonly id: number;
}

const limit = 1 << 16;
const interned = new Map<string, Aval>();
let nextId = 0;

/** The aval of this shape, dtype and weakness. */
export function makeAval<D extends DType>(shape: Shape, dtype: D, weak = false): Aval<D> {
  const key = `${dtype}${weak ? '*' : ''}${shape.join()}`;
  const found = interned.get(key);
  if (found) return found as Aval<D>;
  if (interned.size >= limit) interned.clear();
  const aval: Aval<D> = Object.freeze({
    _tag: 'Aval' as const,
    // Of a length of −0 all who find this aval by its key would get the sign.
    shape: Object.freeze(shape.map((n) => n + 0)),
    dtype,
    weak,
    size: sizeOf(shape),
    id: nextId++,
  });
  interned.set(key, aval);
  return aval;
}

/** Is this an aval? */
export const isAval = (x: unknown): x is Aval =>
  typeof x === 'object' && x !== null && (x as { readonly _tag?: unknown })._tag === 'Aval';

/** Same shape, dtype and weakness. */
export const sameAval = (a: Aval, b: Aval): boolean =>
  a === b || (a.dtype === b.dtype && a.weak === b.weak && sameShape(a.shape, b.shape));

/** Same shape and dtype, whatever the weakness: what makes one value usable in another's place. */
export const compatible = (a: Aval, b: Aval): boolean =>
  a === b || (a.dtype === b.dtype && sameShape(a.shape, b.shape));

/** The aval with another shape, dtype kept. */
export const withShape = <D extends DType>(aval: Aval<D>, shape: Shape): Aval<D> =>
  makeAval(shape, aval.dtype, aval.weak);

/** The aval with another dtype, shape kept. */
export const withDType = <D extends DType>(aval: Aval, dtype: D): Aval<D> => makeAval(aval.shape, dtype, aval.weak);

/** `float32[3,4]`, as errors print it. */
export const showAval = (aval: Aval): string => `${aval.dtype}[${aval.shape.join(',')}]`;

/** `f32[3,4]`, or `f32*[]` for a weak one, as jaxprs print it. */
export const showAvalShort = (aval: Aval): string =>
  `${shortName(aval.dtype)}${aval.weak ? '*' : ''}[${aval.shape.join(',')}]`;
