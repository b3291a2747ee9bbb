/**
 * What has no kernel that suits a GPU is decomposed: beside what the CPU has no loops for, sequences along an axis, which become steps over
 * whole arrays, and what has several writers for one element.
 */

import type { ClosedJaxpr, Jaxpr } from '../../src/core/jaxpr.ts';
import type { DecomposedName } from '../loop/decompose/index.ts';
import { decompose } from '../loop/decompose/program.ts';
import { decomposedNames } from '../loop/lower/table.ts';

/** Beside what the CPU has no loops for. */
const sequences: readonly DecomposedName[] = ['cumsum', 'cumprod', 'cummax', 'cummin', 'cumlogsumexp', 'sort', 'top_k'];

const names: readonly DecomposedName[] = [...decomposedNames, ...sequences];

/** The program in primitives that have kernels, and the constants that it needs. */
export const decomposedOn = (jaxpr: Jaxpr): ClosedJaxpr => decompose(jaxpr, names);
