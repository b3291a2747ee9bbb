/**
 * A row of the generator table: how applications of one primitive are made, and what is claimed of its derivative.
 *
 * The claims (where it is linear, which operands carry derivatives, the avals of the results) are written here independently
 * of the record, so that laws can hold the record against them.
 */

import * as fc from 'fast-check';
import { type Aval, makeAval, showAvalShort } from '../../src/core/aval.ts';
import type { DType } from '../../src/core/dtype.ts';
import { isJaxpr } from '../../src/core/jaxpr.ts';
import { showJaxprInline } from '../../src/core/pretty.ts';
import type { Shape } from '../../src/core/shape.ts';
import { dtype, floats } from '../arbitrary/dtype.ts';
import { type Domain, edgy, within } from '../arbitrary/elements.ts';
import { type ShapeOptions, shape } from '../arbitrary/shape.ts';

/** An application: avals of the operands, and parameters. */
export interface Call<P> {
  readonly ins: readonly Aval[];
  readonly params: P;
}

/** How a result depends on an operand, as far as derivatives are concerned. */
export type Derivative =
  | { readonly kind: 'smooth' }
  /** Differentiable but for the places named. */
  | { readonly kind: 'piecewise'; readonly kinks: string }
  /** A float with a derivative that is zero by definition. */
  | { readonly kind: 'zero' }
  /** A float in which the record refuses to be differentiated, by a NotDifferentiableError. */
  | { readonly kind: 'refused' }
  /** Not a float: no tangents exist. */
  | { readonly kind: 'undefined' };

/** The claim for one operand, and the domain from which differences are taken. */
export interface OperandClaim {
  readonly derivative: Derivative;
  readonly domain: Domain;
}

/** Everything that laws need to know of a primitive besides its record. */
export interface Row<P> {
  /** The dtypes that it takes, where it has a choice. */
  readonly takes: readonly DType[];
  /** Well-typed applications with operands of these dtypes. */
  readonly calls: (dtypes: readonly DType[]) => fc.Arbitrary<Call<P>>;
  /** One claim for each operand of a call. */
  readonly operands: (call: Call<P>) => readonly OperandClaim[];
  /** The values for which laws of values hold, where those are not all values (or, of sums, all that can be summed). */
  readonly values?: (call: Call<P>, operand: number) => Domain;
  /** The sets of operands in which a call is linear together, the others fixed. */
  readonly linear: (call: Call<P>) => readonly (readonly number[])[];
  /** Calls that are linear, where not all are. */
  readonly linearCalls?: fc.Arbitrary<Call<P>>;
  /** Calls of which differences can be taken, where not of all on floats. */
  readonly differentiableCalls?: fc.Arbitrary<Call<P>>;
  /** The results: shape, dtype and weakness. */
  readonly results: (call: Call<P>) => readonly Aval[];
  /** If results are rounded sums, whose last bits depend on the order of terms: how many terms one element has. */
  readonly terms?: (call: Call<P>) => number;
  /**
   * If devices compute an element by a sum within a program, whose order they choose: how many roundings of the larger of 1 and the element
   * two of them may be apart. On the reference device it has the same bits in any batch.
   */
  readonly reordered?: number;
  /** True if each element of a result is one of an operand that the call is linear in, copied, or a zero. */
  readonly moves?: true;
}

/** A call, which prints as `(f32[2], f32[2]) {"axes":[0]}`. */
export function makeCall<P>(ins: readonly Aval[], params: P): Call<P> {
  const self: Call<P> = { ins, params };
  return Object.defineProperty(self, fc.toStringMethod, { value: () => showCall(self) });
}

/** A call as text. */
export const showCall = ({ ins, params }: Call<unknown>): string =>
  `(${ins.map(showAvalShort).join(', ')}) ${JSON.stringify(params, (_, x) => (isJaxpr(x) ? showJaxprInline(x) : x))}`;

const isFloatAval = (aval: Aval): boolean => aval.dtype === 'float32' || aval.dtype === 'float64';

/** The claim where derivatives exist, for each operand that is a float; the others have none. */
export const claims =
  (derivative: Derivative, domain: Domain = within(-2, 2)) =>
  ({ ins }: Call<unknown>): readonly OperandClaim[] =>
    ins.map((aval) => (isFloatAval(aval) ? { derivative, domain } : { derivative: notFloat, domain: edgy }));

/** Differentiable everywhere in the domain. */
export const smooth: Derivative = { kind: 'smooth' };
/** A float whose derivative is zero by definition. */
export const zero: Derivative = { kind: 'zero' };
/** A float whose tangents are refused. */
export const refused: Derivative = { kind: 'refused' };
/** Not a float, so without tangents. */
export const notFloat: Derivative = { kind: 'undefined' };
/** Differentiable but where `kinks` says. */
export const piecewise = (kinks: string): Derivative => ({ kind: 'piecewise', kinks });

/** Linear in no operand. */
export const nowhere = (): readonly (readonly number[])[] => [];

/** Linear in all float operands together, if the result is a float. */
export const everywhere = ({ ins }: Call<unknown>): readonly (readonly number[])[] => {
  const group = ins.flatMap((aval, i) => (isFloatAval(aval) ? [i] : []));
  return group.length > 0 ? [group] : [];
};

/** The weakness of what is computed of these operands: it is weak if all of them are. */
export const together = (ins: readonly Aval[]): boolean => !ins.some((x) => !x.weak);

/** One result, of the shape and dtype of the first operand. */
export const likeFirst = ({ ins }: Call<unknown>): readonly Aval[] => [
  makeAval(ins[0]!.shape, ins[0]!.dtype, together(ins)),
];

/** One result, of the shape of the first operand and this dtype. */
export const likeFirstAs =
  (result: DType) =>
  ({ ins }: Call<unknown>): readonly Aval[] => [makeAval(ins[0]!.shape, result, together(ins))];

/** One result of the first operand's dtype and this shape. */
export const ofShape =
  <P>(result: (call: Call<P>) => Shape) =>
  (call: Call<P>): readonly Aval[] => [makeAval(result(call), call.ins[0]!.dtype, together(call.ins))];

/** Which of `count` operands are weak: often none, one time in seven all, else any. */
export const weaknesses = (count: number): fc.Arbitrary<readonly boolean[]> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant(Array.from({ length: count }, () => false)) },
    { weight: 1, arbitrary: fc.constant(Array.from({ length: count }, () => true)) },
    { weight: 2, arbitrary: fc.array(fc.boolean(), { minLength: count, maxLength: count }) },
  );

/** An aval of one of these dtypes, weak now and then. */
export const aval = (dtypes: readonly DType[], options: ShapeOptions = {}): fc.Arbitrary<Aval> =>
  fc.tuple(shape(options), dtype(dtypes), weaknesses(1)).map(([s, d, weak]) => makeAval(s, d, weak[0]!));

/** `count` operands of one shape and dtype, each weak or not. */
export const alike =
  (count: number, options: ShapeOptions = {}) =>
  (dtypes: readonly DType[]): fc.Arbitrary<readonly Aval[]> =>
    fc
      .tuple(shape(options), dtype(dtypes), weaknesses(count))
      .map(([s, d, weak]) => weak.map((w) => makeAval(s, d, w)));

/** The part of `dtypes` that carries derivatives. */
export const floatsOf = (dtypes: readonly DType[]): readonly DType[] =>
  dtypes.filter((d) => (floats as readonly DType[]).includes(d));
