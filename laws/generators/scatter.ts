/** Rows of the scatters that combine: products and extrema of what meets at an element. */

import * as fc from 'fast-check';
import { makeAval } from '../../src/core/aval.ts';
import { type DType, isFloat } from '../../src/core/dtype.ts';
import { sizeOf } from '../../src/core/shape.ts';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import { dtype, everyDType, numbers } from '../arbitrary/dtype.ts';
import { type Domain, edgy, inWords, separated, summable, within } from '../arbitrary/elements.ts';
import {
  addressed,
  addressing,
  addressingOf,
  anywhere,
  distinct,
  scatterAvals,
  scatterCalls,
  scattered,
} from './indexing.ts';
import {
  type Call,
  notFloat,
  nowhere,
  type OperandClaim,
  piecewise,
  type Row,
  smooth,
  together,
  weaknesses,
} from './row.ts';

/** Operands as those of any scatter, at places that may meet. */
const meeting = (dtypes: readonly DType[]) =>
  fc
    .tuple(addressing, dtype(dtypes), weaknesses(2))
    .map(([a, d, weak]) => addressed(scatterAvals(a, d, weak), { ...scattered(a), mode: a.mode }, a));

const results = ({ ins }: Call<unknown>) => [makeAval(ins[0]!.shape, ins[0]!.dtype, together([ins[0]!, ins[2]!]))];

/** Claims for operand and updates, and where the indices lie. */
const claimed = (
  call: Call<unknown>,
  own: readonly [OperandClaim, OperandClaim],
  places: Domain,
): readonly OperandClaim[] => {
  const [operand, updates] = isFloat(call.ins[0]!.dtype)
    ? own
    : own.map((): OperandClaim => ({ derivative: notFloat, domain: edgy }));
  return [operand!, { derivative: notFloat, domain: places }, updates!];
};

/** Half of the calls promise unique indices and keep the promise, the others meet anywhere. */
const mulCalls = (dtypes: readonly DType[]): fc.Arbitrary<Call<FirstOrderParams<'scatter_mul'>>> =>
  fc.oneof(
    scatterCalls(dtypes, fc.constant(true)),
    meeting(dtypes).map((call) => addressed(call.ins, { ...call.params, uniqueIndices: false }, call.addressing)),
  );

const places = (call: Call<FirstOrderParams<'scatter_mul'>>): Domain =>
  (call.params.uniqueIndices ? distinct : anywhere)(addressingOf(call));

const product: OperandClaim = { derivative: smooth, domain: within(-2, 2) };

const scatterMul: Row<FirstOrderParams<'scatter_mul'>> = {
  takes: numbers,
  calls: mulCalls,
  operands: (call) => claimed(call, [product, product], places(call)),
  values: (call, operand) => (operand === 1 ? places(call) : summable),
  linear: ({ ins }) => (isFloat(ins[0]!.dtype) ? [[0]] : []),
  results,
  terms: (call) => 1 + sizeOf(addressingOf(call).indices.slice(0, -1)),
};

const ties = piecewise('where it is attained more than once');

/** None equals one of {@link separated}. */
const between: Domain = inWords('⅛ apart, moved by 1/16', (d, n) =>
  separated(d, n).map((xs) => xs.map((x) => x + 1 / 16)),
);

const extremum: Row<FirstOrderParams<'scatter_min'>> = {
  takes: everyDType,
  calls: meeting,
  operands: (call) =>
    claimed(
      call,
      [
        { derivative: ties, domain: separated },
        { derivative: ties, domain: between },
      ],
      anywhere(addressingOf(call)),
    ),
  values: (call, operand) => (operand === 1 ? anywhere(addressingOf(call)) : edgy),
  linear: nowhere,
  results,
};

/** Rows by name. */
export const scatterRows = {
  scatter_mul: scatterMul,
  scatter_min: extremum,
  scatter_max: extremum,
} as const;
