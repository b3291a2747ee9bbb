/**
 * `dot_general`: the contraction of two tensors, with StableHLO's meaning. The axes of the result are the batch axes, then the
 * free axes of the left operand, then those of the right.
 */

import * as t from 'io-ts';
import { type Aval, makeAval, showAval } from '../core/aval.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { ints } from '../core/params.ts';
import { type Hole, isHole, type Primitive } from '../core/primitive.ts';
import { range } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { allWeak, expectCount, expectKind, known, productTangent } from './define.ts';
import { inverse, moveAxis, transpose } from './structural.ts';

const dotParams = t.readonly(t.strict({ lhsContracting: ints, rhsContracting: ints, lhsBatch: ints, rhsBatch: ints }));

/** Which axes are summed over, and which are shared. */
export type DotDimensions = t.TypeOf<typeof dotParams>;

/** The axes that are neither contracted nor shared, in order. */
export const freeAxes = (ndim: number, contracting: readonly number[], batch: readonly number[]): number[] =>
  range(ndim).filter((axis) => !contracting.includes(axis) && !batch.includes(axis));

function dotAval(ins: readonly Aval[], d: DotDimensions): Aval {
  expectCount('dot_general', 2, ins);
  const [lhs, rhs] = ins as readonly [Aval, Aval];
  expectKind('dot_general', 'number', lhs);
  if (lhs.dtype !== rhs.dtype) {
    throw new DTypeError({
      op: 'dot_general',
      problem: `operands must have equal dtypes, got ${showAval(lhs)} and ${showAval(rhs)}`,
      remedy: 'cast one of them, or use np.matmul, which promotes',
    });
  }
  const lhsAxes = [...d.lhsBatch, ...d.lhsContracting];
  const rhsAxes = [...d.rhsBatch, ...d.rhsContracting];
  const valid = (axes: readonly number[], aval: Aval): boolean =>
    new Set(axes).size === axes.length && axes.every((axis) => axis >= 0 && axis < aval.shape.length);
  const paired = d.lhsBatch.length === d.rhsBatch.length && d.lhsContracting.length === d.rhsContracting.length;
  const fits = paired && valid(lhsAxes, lhs) && valid(rhsAxes, rhs);
  if (!fits || lhsAxes.some((axis, i) => lhs.shape[axis] !== rhs.shape[rhsAxes[i]!])) {
    throw new ShapeError({
      op: 'dot_general',
      problem:
        `cannot contract ${showAval(lhs)} over (${d.lhsContracting.join()}) with ${showAval(rhs)} over ` +
        `(${d.rhsContracting.join()}), batch (${d.lhsBatch.join()}) and (${d.rhsBatch.join()})`,
      remedy: 'contracted and batch axes must be distinct, pairwise of equal length',
    });
  }
  const shape = [
    ...d.lhsBatch.map((axis) => lhs.shape[axis]!),
    ...freeAxes(lhs.shape.length, d.lhsContracting, d.lhsBatch).map((axis) => lhs.shape[axis]!),
    ...freeAxes(rhs.shape.length, d.rhsContracting, d.rhsBatch).map((axis) => rhs.shape[axis]!),
  ];
  return makeAval(shape, lhs.dtype, allWeak(ins));
}

/** The other way round: the product with its operands exchanged has the free axes exchanged. */
const flip = (d: DotDimensions): DotDimensions => ({
  lhsContracting: d.rhsContracting,
  rhsContracting: d.lhsContracting,
  lhsBatch: d.rhsBatch,
  rhsBatch: d.lhsBatch,
});

/**
 * The cotangent of the left operand: contract `ct` with `rhs` over the free axes of `rhs`, then put the axes (batch, free,
 * contracted) back where the left operand has them. `swapped` says that `ct` has the free axes of `rhs` first.
 */
function transposeLhs(ct: Value, lhs: Aval, rhs: Value, d: DotDimensions, swapped: boolean): Value {
  const lhsFree = freeAxes(lhs.shape.length, d.lhsContracting, d.lhsBatch);
  const rhsFree = freeAxes(rhs.ndim, d.rhsContracting, d.rhsBatch);
  const nBatch = d.lhsBatch.length;
  const offset = nBatch + (swapped ? 0 : lhsFree.length);
  const out = dotGeneral(ct, rhs, {
    lhsContracting: rhsFree.map((_, i) => offset + i),
    rhsContracting: rhsFree,
    lhsBatch: range(nBatch),
    rhsBatch: d.rhsBatch,
  });
  // The remaining axes of rhs come in its order: name the left axis that each was contracted with.
  const byRhs = d.rhsContracting.map((axis, i) => [axis, d.lhsContracting[i]!] as const).sort(([a], [b]) => a - b);
  return transpose(out, inverse([...d.lhsBatch, ...lhsFree, ...byRhs.map(([, axis]) => axis)]));
}

const bump = (axes: readonly number[], at: number): number[] => axes.map((axis) => (axis >= at ? axis + 1 : axis));

export const dotGeneralP: Primitive<'dot_general', DotDimensions> = {
  name: 'dot_general',
  params: dotParams,
  abstractEval: (ins, d) => [dotAval(ins, d)],
  jvp: (primals, tangents, d) => ({
    outs: [dotGeneral(primals[0]!, primals[1]!, d)],
    tangents: [productTangent((x, y) => dotGeneral(x, y, d), primals, tangents)],
  }),
  transpose([ct], [lhs, rhs], d) {
    if (isHole(lhs!)) return [transposeLhs(ct!, lhs.aval, known('dot_general', rhs!), d, false), null];
    return [null, transposeLhs(ct!, (rhs as Hole).aval, lhs!, flip(d), true)];
  },
  vmap(_size, [lhs, rhs], [lhsDim, rhsDim], d) {
    if (lhsDim !== null && rhsDim !== null) {
      const out = dotGeneral(moveAxis(lhs!, lhsDim!, 0), moveAxis(rhs!, rhsDim!, 0), {
        lhsContracting: d.lhsContracting.map((axis) => axis + 1),
        rhsContracting: d.rhsContracting.map((axis) => axis + 1),
        lhsBatch: [0, ...d.lhsBatch.map((axis) => axis + 1)],
        rhsBatch: [0, ...d.rhsBatch.map((axis) => axis + 1)],
      });
      return { outs: [out], dims: [0] };
    }
    // A batch axis on one side only is one more free axis there.
    const nBatch = d.lhsBatch.length;
    if (lhsDim !== null) {
      const shifted = { ...d, lhsContracting: bump(d.lhsContracting, lhsDim!), lhsBatch: bump(d.lhsBatch, lhsDim!) };
      const free = freeAxes(lhs!.ndim, shifted.lhsContracting, shifted.lhsBatch);
      return { outs: [dotGeneral(lhs!, rhs!, shifted)], dims: [nBatch + free.indexOf(lhsDim!)] };
    }
    const at = rhsDim!;
    const shifted = { ...d, rhsContracting: bump(d.rhsContracting, at), rhsBatch: bump(d.rhsBatch, at) };
    const lhsFree = lhs!.ndim - nBatch - d.lhsContracting.length;
    const free = freeAxes(rhs!.ndim, shifted.rhsContracting, shifted.rhsBatch);
    return { outs: [dotGeneral(lhs!, rhs!, shifted)], dims: [nBatch + lhsFree + free.indexOf(at)] };
  },
};

/** The contraction of `lhs` and `rhs`. */
export const dotGeneral = (lhs: Value, rhs: Value, dimensions: DotDimensions): Value =>
  bind1(dotGeneralP, [lhs, rhs], dimensions);
