/**
 * The generator table: a row for each primitive. It is total over {@link PrimitiveName}: a primitive without a row does not
 * type-check, so none escapes the laws.
 */

import type { PrimitiveName, PrimitiveParams } from '../transforms/registry.ts';
import { callRows } from './generators/call.ts';
import { controlRows } from './generators/control.ts';
import { convRows } from './generators/conv.ts';
import { cumulativeRows } from './generators/cumulative.ts';
import { customRows } from './generators/custom.ts';
import { elementwiseRows } from './generators/elementwise.ts';
import { fftRows } from './generators/fft.ts';
import { indexingRows } from './generators/indexing.ts';
import { linalgRows } from './generators/linalg.ts';
import { reduceRows } from './generators/reduce.ts';
import type { Row } from './generators/row.ts';
import { scatterRows } from './generators/scatter.ts';
import { specialRows } from './generators/special.ts';
import { structuralRows } from './generators/structural.ts';
import { windowRows } from './generators/window.ts';

export type { Call, Derivative, OperandClaim, Row } from './generators/row.ts';

/** How applications of each primitive are made, and what is claimed of them. */
export const generators = {
  ...structuralRows,
  ...elementwiseRows,
  ...specialRows,
  ...reduceRows,
  ...convRows,
  ...indexingRows,
  ...fftRows,
  ...linalgRows,
  ...scatterRows,
  ...windowRows,
  ...cumulativeRows,
  ...callRows,
  ...controlRows,
  ...customRows,
} as const satisfies { readonly [Name in PrimitiveName]: Row<PrimitiveParams<Name>> };
