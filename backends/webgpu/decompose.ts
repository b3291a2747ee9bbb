/**
 * What has no kernel that suits a GPU is decomposed: beside what the CPU has no loops for, sequences along an axis, which become steps over
 * whole arrays, and what has several writers for one element.
 */

import type { Jaxpr } from '../../src/core/jaxpr.ts';
import type { Value } from '../../src/core/value.ts';
import { decompose } from '../loop/decompose/program.ts';
import { decomposedNames } from '../loop/lower/table.ts';

/** The program in primitives that have kernels, and the constants that it needs. */
export const decomposedOn = (jaxpr: Jaxpr): { readonly jaxpr: Jaxpr; readonly consts: readonly Value[] } =>
  decompose(jaxpr, decomposedNames) as never;
