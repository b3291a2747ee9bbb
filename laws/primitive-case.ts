/** What the laws of primitives are about: a call of the generator table with operands, and tangents for them. */

import * as fc from 'fast-check';
import type { Aval } from '../src/core/aval.ts';
import type { Primitive, Tangent } from '../src/core/primitive.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { jvpFlat } from '../transforms/jvp.ts';
import { type Domain, edgy, summable, within } from './arbitrary/elements.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { type Call, floatsOf, type Row } from './generators/row.ts';
import { type HostTensor, toTensor } from './host.ts';

/** A call with its operands. */
export interface Case<P> {
  readonly call: Call<P>;
  readonly operands: readonly HostTensor[];
}

/** An application of a record to values, under the current trace. */
export const applying =
  <P>(primitive: Primitive<string, P>, { params }: Call<P>) =>
  (...operands: readonly Value[]): readonly Value[] =>
    bind(primitive, operands, params);

/** A call with operands from a domain for each. */
export const cases = <P>(
  calls: fc.Arbitrary<Call<P>>,
  domainOf: (call: Call<P>, operand: number) => Domain,
): fc.Arbitrary<Case<P>> =>
  calls.chain((call) =>
    fc.tuple(...call.ins.map((aval, i) => tensorOf(aval, domainOf(call, i)))).map((operands) => ({ call, operands })),
  );

/** Tensors like these, for tangents and cotangents. */
export const directions = (avals: readonly Aval[], domain = within(-2, 2)): fc.Arbitrary<readonly HostTensor[]> =>
  fc.tuple(...avals.map((aval) => tensorOf(aval, domain)));

/** Edge values, or such that can be summed in any order, or what the row says of an operand. */
export const anyDomain =
  <P>(row: Row<P>) =>
  (call: Call<P>, operand: number): Domain =>
    row.values?.(call, operand) ?? (row.terms ? summable : edgy);

/** The calls on floats of which differences can be taken. */
export const differentiableCalls = <P>(row: Row<P>): fc.Arbitrary<Call<P>> =>
  row.differentiableCalls ?? row.calls(floatsOf(row.takes));

/** The tangents of `apply` at `primals` for tangents of the operands `active` only. */
export function pushForward(
  apply: (...operands: readonly Value[]) => readonly Value[],
  primals: readonly HostTensor[],
  tangents: readonly HostTensor[],
  active: readonly number[],
): ReturnType<typeof jvpFlat> {
  return jvpFlat(
    apply,
    primals.map((x) => toTensor(x)),
    tangents.map((x, i) => (active.includes(i) ? toTensor(x) : null)),
  );
}

/** The elements of a tangent of something of `size` elements. */
export const elements = (tangent: Tangent, { size }: { readonly size: number }): Float64Array =>
  tangent ? Float64Array.from(tangent.dataSync()) : new Float64Array(size);

/** Float arrays of a list of operands. */
export const doubles = (xs: readonly HostTensor[]): readonly Float64Array[] => xs.map((x) => Float64Array.from(x.data));
