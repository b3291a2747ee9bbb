/** Locations of operations that are made of many. */

import { evalTrace } from '../core/eager.ts';
import { currentSource, withSource } from '../core/source.ts';
import { currentTrace } from '../core/trace.ts';

/**
 * Run an operation whose equations are staged deeper than a location is looked for: all of them get the line of the call of
 * this function's caller. Where operations compute at once it costs nothing.
 */
export const located = <A>(f: () => A): A => (currentTrace() === evalTrace ? f() : withSource(currentSource(), f));
