/**
 * The laws of primitives: each rule of a record against what it is to mean.
 *
 * Laws take the record as an argument, so that broken copies of it can be judged (`mutants.ts`).
 */

import type { Primitive } from '../src/core/primitive.ts';
import { type PrimitiveName, primitives } from '../transforms/registry.ts';
import { floatsOf, type Row } from './generators/row.ts';
import { generators } from './generators.ts';
import type { Law, Suite } from './law.ts';
import { contractsOf } from './primitive-contracts.laws.ts';
import { jvpLaw, linearityLaw, linearizeLaw, transposeLaw } from './primitive-derivatives.laws.ts';
import { abstractEvalLaw, jitLaw, vmapLaw } from './primitive-values.laws.ts';

/** The laws of one primitive. Those of derivatives are left out for primitives that take no floats. */
export function lawsOf<P>(primitive: Primitive<string, P>, row: Row<P>): readonly Law[] {
  const carries = floatsOf(row.takes).length > 0;
  return [
    abstractEvalLaw(primitive, row),
    ...(carries ? [jvpLaw(primitive, row), linearityLaw(primitive, row), linearizeLaw(primitive, row)] : []),
    ...(carries ? [transposeLaw(primitive, row)] : []),
    ...contractsOf(primitive, row),
    vmapLaw(primitive, row),
    jitLaw(primitive, row),
  ];
}

/** The record and row of a primitive, with the type of its parameters forgotten. */
export const subject = (name: PrimitiveName): { readonly primitive: Primitive; readonly row: Row<unknown> } => ({
  primitive: primitives[name] as unknown as Primitive,
  row: generators[name] as unknown as Row<unknown>,
});

/** The names of all primitives. */
export const primitiveNames = Object.keys(primitives) as readonly PrimitiveName[];

/** The laws of every primitive of the registry, each under its name. */
export const primitiveLaws: Suite = {
  name: 'primitives',
  laws: primitiveNames.flatMap((name) => {
    const { primitive, row } = subject(name);
    return lawsOf(primitive, row);
  }),
};
