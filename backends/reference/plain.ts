/**
 * The reference device without the passes: nothing but the inlining of calls stands before the interpreter.
 *
 * It computes the same bits (the passes change none), with more steps; a page that only needs gradients of small functions
 * loads a third less. It is what `pullback/reference` registers.
 */

import type { Device } from '../../src/core/backend.ts';
import { inline } from '../../transforms/passes/inline.ts';
import { interpreter, type ReferenceOptions } from './interpreter.ts';

/** A device that interprets programs as they were traced. */
export const plainDevice = (options: ReferenceOptions = {}): Device => interpreter('reference:plain', options, inline);
