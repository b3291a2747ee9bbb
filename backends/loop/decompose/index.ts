/** Primitives that a loop nest cannot express well as programs of simpler ones, and programs in which they are replaced. */

export { decompose, decomposing } from './program.ts';
export { type Decompose, type DecomposedName, decompositions, isDecomposed } from './table.ts';
