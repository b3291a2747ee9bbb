/**
 * Simplification: the list of all bit-exact rewrites. It is data, so that it prints and that laws judge each line alone.
 *
 * What a rewrite of the whole program needs (shared values, dead values) is in `cse.ts` and `dce.ts`; what needs arithmetic on
 * constants is in `fold.ts`, which is one more rewrite.
 */

import type { Jaxpr } from '../../src/core/jaxpr.ts';
import { algebra } from './algebra.ts';
import { moving } from './moving.ts';
import { type Rewrite, rewrite } from './rewrite.ts';

/** Every simplification, in the order in which they are tried. */
export const simplifications: readonly Rewrite[] = [...moving, ...algebra];

/**
 * Apply all simplifications until none applies.
 *
 * For programs that are about to be compiled: `stop_gradient` and `name` are gone afterwards.
 */
export const simplify = (jaxpr: Jaxpr): Jaxpr => rewrite(jaxpr, simplifications);
