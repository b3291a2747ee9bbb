/** Arbitrary dtypes, and the classes of them that operations take. */

import * as fc from 'fast-check';
import { type DType, dtypes } from '../../src/core/dtype.ts';

/** Those with derivatives. */
export const floats = ['float32', 'float64'] as const satisfies readonly DType[];
/** Those of whole numbers. */
export const integers = ['int32', 'uint32'] as const satisfies readonly DType[];
/** Those that arithmetic takes. */
export const numbers = [...floats, ...integers] as const satisfies readonly DType[];
/** Those with bits to combine. */
export const logicals = ['bool', ...integers] as const satisfies readonly DType[];
/** Those of 32 bits. */
export const words = ['float32', ...integers] as const satisfies readonly DType[];
/** All of them. */
export const everyDType: readonly DType[] = dtypes;

/** One of `among`, which is not empty. */
export const dtype = (among: readonly DType[] = everyDType): fc.Arbitrary<DType> => fc.constantFrom(...among);

/** Is a generated aval weak? One in eight. */
export const weakness = (): fc.Arbitrary<boolean> => fc.nat({ max: 7 }).map((n) => n === 7);

/** The classes by name. */
export const dtypeClasses: { readonly [name: string]: readonly DType[] } = {
  any: everyDType,
  numbers,
  floats,
  integers,
  'bool and integers': logicals,
  '32 bits': words,
};
