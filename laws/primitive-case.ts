/** What the laws of primitives are about: a call of the generator table with operands, and tangents for them. */

import * as fc from 'fast-check';
import type { Aval } from '../src/core/aval.ts';
import type { Primitive } from '../src/core/primitive.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { type Domain, edgy, summable, within } from './arbitrary/elements.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import type { Call, Row } from './generators/row.ts';
import type { HostTensor } from './host.ts';

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
export const directions = (avals: readonly Aval[]): fc.Arbitrary<readonly HostTensor[]> =>
  fc.tuple(...avals.map((aval) => tensorOf(aval, within(-2, 2))));

/** Edge values, or such that can be summed in any order. */
export const anyDomain = <P>(row: Row<P>) => (row.sums ? summable : edgy);

/** Float arrays of a list of operands. */
export const doubles = (xs: readonly HostTensor[]): readonly Float64Array[] => xs.map((x) => Float64Array.from(x.data));
