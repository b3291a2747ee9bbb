/** Every suite of laws, on the default device of the moment they are run. */

import type { Suite } from './law.ts';
import { passesLaws } from './passes.laws.ts';
import { primitiveLaws } from './primitives.laws.ts';
import { programsLaws } from './programs.laws.ts';

/** All suites. */
export const suites: readonly Suite[] = [primitiveLaws, programsLaws, passesLaws];
