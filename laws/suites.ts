/** Every suite of laws, on the default device of the moment they are run. */

import type { Suite } from './law.ts';
import { primitiveLaws } from './primitives.laws.ts';

/** All suites. */
export const suites: readonly Suite[] = [primitiveLaws];
