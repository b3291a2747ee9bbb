/**
 * Rewrites of what moves elements and computes nothing: neighbours compose, and what moves nothing disappears.
 *
 * They are exact because no element is touched. Reductions over axes of length 1 belong here too, as far as they are exact:
 * a maximum of one element is that element, but a float sum starts at 0, and 0 + (−0) is +0.
 */

import { isFloat } from '../../src/core/dtype.ts';
import type { Eqn } from '../../src/core/jaxpr.ts';
import type { Primitive } from '../../src/core/primitive.ts';
import { range, type Shape, sameShape, without } from '../../src/core/shape.ts';
import { reduceMaxP, reduceSumP } from '../../src/prim/reduce.ts';
import { broadcastInDimP, concatenateP, padP, reshapeP, sliceP, transposeP } from '../../src/prim/structural.ts';
import { application, definedBy, elementOf, on, type Rewrite, sameAtom, spread } from './rewrite.ts';

const isRange = (tuple: readonly number[]): boolean => tuple.every((axis, i) => axis === i);
const operandShape = (eqn: Eqn): Shape => eqn.ins[0]!.aval.shape;
const resultShape = (eqn: Eqn): Shape => eqn.outs[0]!.aval.shape;

/** The axes of length 1 left out. */
const nonUnit = (shape: Shape): Shape => shape.filter((n) => n !== 1);

const reshapes: readonly Rewrite[] = [
  on(reshapeP, 'reshape_identity', 'reshape x = x, if the shape is that of x', (eqn, { shape }) =>
    sameShape(operandShape(eqn), shape) ? eqn.ins[0]! : null,
  ),
  on(reshapeP, 'reshape_reshape', 'reshape (reshape x) = reshape x', (eqn, params, definitions) => {
    const inner = definedBy(reshapeP, eqn.ins[0]!, definitions);
    return inner && application(reshapeP, inner.ins, params);
  }),
];

const transposes: readonly Rewrite[] = [
  on(transposeP, 'transpose_identity', 'transpose x = x, if no axis moves', (eqn, { permutation }) =>
    isRange(permutation) ? eqn.ins[0]! : null,
  ),
  on(
    transposeP,
    'transpose_transpose',
    'transpose[q] (transpose[p] x) = transpose[p∘q] x',
    (eqn, params, definitions) => {
      const inner = definedBy(transposeP, eqn.ins[0]!, definitions);
      if (!inner) return null;
      const permutation = params.permutation.map((axis) => inner.params.permutation[axis]!);
      return application(transposeP, inner.ins, { permutation });
    },
  ),
];

const broadcasts: readonly Rewrite[] = [
  on(broadcastInDimP, 'broadcast_identity', 'broadcast x = x, if the shape is that of x', (eqn, { shape }) =>
    // Increasing dimensions, as many as there are axes, are all of them in order.
    sameShape(operandShape(eqn), shape) ? eqn.ins[0]! : null,
  ),
  on(
    broadcastInDimP,
    'broadcast_broadcast',
    'broadcast[e] (broadcast[d] x) = broadcast[e∘d] x',
    (eqn, { shape, broadcastDimensions: outer }, definitions) => {
      const inner = definedBy(broadcastInDimP, eqn.ins[0]!, definitions);
      if (!inner) return null;
      const broadcastDimensions = inner.params.broadcastDimensions.map((axis) => outer[axis]!);
      return application(broadcastInDimP, inner.ins, { shape, broadcastDimensions });
    },
  ),
  on(
    broadcastInDimP,
    'broadcast_reshape',
    'broadcast (reshape x) = broadcast x, if the reshape only adds axes of length 1 to longer ones',
    (eqn, { shape, broadcastDimensions: outer }, definitions) => {
      const inner = definedBy(reshapeP, eqn.ins[0]!, definitions);
      if (!inner) return null;
      const source = inner.ins[0]!.aval.shape;
      if (!sameShape(source, nonUnit(inner.params.shape))) return null;
      const broadcastDimensions = outer.filter((_, axis) => inner.params.shape[axis] !== 1);
      return application(broadcastInDimP, inner.ins, { shape, broadcastDimensions });
    },
  ),
];

const slices: readonly Rewrite[] = [
  on(sliceP, 'slice_identity', 'slice x = x, if all of x is taken', (eqn) =>
    sameShape(operandShape(eqn), resultShape(eqn)) ? eqn.ins[0]! : null,
  ),
  on(sliceP, 'slice_slice', 'slice (slice x) = slice x', (eqn, outer, definitions) => {
    const inner = definedBy(sliceP, eqn.ins[0]!, definitions);
    if (!inner) return null;
    const shape = resultShape(eqn);
    const taken = (axis: number): number => shape[axis]!;
    const strides = outer.strides.map((stride, axis) => stride * inner.params.strides[axis]!);
    // Where nothing is taken, the composed start may lie outside of x: take nothing from its beginning.
    const start = outer.start.map((at, axis) =>
      taken(axis) === 0 ? 0 : inner.params.start[axis]! + at * inner.params.strides[axis]!,
    );
    const limit = start.map((at, axis) => (taken(axis) === 0 ? 0 : at + (taken(axis) - 1) * strides[axis]! + 1));
    return application(sliceP, inner.ins, { start, limit, strides });
  }),
];

const pads: readonly Rewrite[] = [
  on(padP, 'pad_cut', 'pad x = slice x, if it only cuts', (eqn, { low, high, interior }) => {
    const shape = operandShape(eqn);
    const cuts = low.every((n) => n <= 0) && high.every((n) => n <= 0);
    if (!cuts || !interior.every((n, axis) => n === 0 || shape[axis]! <= 1)) return null;
    const start = low.map((n) => -n || 0);
    const limit = shape.map((n, axis) => n + high[axis]!);
    return application(sliceP, [eqn.ins[0]!], { start, limit, strides: shape.map(() => 1) });
  }),
  on(padP, 'pad_same', 'pad (broadcast x) x = broadcast x', (eqn, _params, definitions) => {
    const element = elementOf(eqn.ins[0]!, definitions);
    return element && sameAtom(element, eqn.ins[1]!) ? spread(element, resultShape(eqn)) : null;
  }),
];

const concatenates: readonly Rewrite[] = [
  on(concatenateP, 'concatenate_one', 'concatenate x = x', (eqn) => (eqn.ins.length === 1 ? eqn.ins[0]! : null)),
  on(concatenateP, 'concatenate_empty', 'concatenate x y = concatenate y, if x is empty', (eqn, params) => {
    const kept = eqn.ins.filter((atom) => atom.aval.shape[params.dimension] !== 0);
    if (kept.length === eqn.ins.length || kept.length === 0) return null;
    return application(concatenateP, kept, params);
  }),
  on(
    concatenateP,
    'concatenate_same',
    'concatenate (broadcast x) (broadcast x) = broadcast x',
    (eqn, _params, definitions) => {
      const elements = eqn.ins.map((atom) => elementOf(atom, definitions));
      const [first] = elements;
      if (!first || !elements.every((x) => x && sameAtom(x, first))) return null;
      return spread(first, resultShape(eqn));
    },
  ),
];

/** A broadcast scalar looks the same from every side. */
const ofSpread = <P>(primitive: Primitive<string, P>): Rewrite =>
  on(
    primitive,
    `${primitive.name}_spread`,
    `${primitive.name} (broadcast x) = broadcast x, if x is a scalar`,
    (eqn, _, ds) => {
      const element = elementOf(eqn.ins[0]!, ds);
      return element && spread(element, resultShape(eqn));
    },
  );

type Reduction = typeof reduceSumP | typeof reduceMaxP;

/** Does this reduction give an element itself, and may its order be changed? Not so a float sum. */
const isExact = (primitive: Reduction, eqn: Eqn): boolean =>
  primitive === reduceMaxP || !isFloat(eqn.ins[0]!.aval.dtype);

const ofReduction = (primitive: Reduction): readonly Rewrite[] => {
  const { name } = primitive;
  const domain = primitive === reduceSumP ? ' (integers)' : '';
  return [
    on(primitive, `${name}_unit_axes`, `${name} x = reshape x over axes of length 1${domain}`, (eqn, { axes }) => {
      const shape = operandShape(eqn);
      const unit = axes.every((axis) => shape[axis] === 1);
      return unit && isExact(primitive, eqn) ? application(reshapeP, eqn.ins, { shape: resultShape(eqn) }) : null;
    }),
    on(primitive, `${name}_${name}`, `${name}[b] (${name}[a] x) = ${name}[a, b] x${domain}`, (eqn, { axes }, ds) => {
      const inner = definedBy<{ readonly axes: readonly number[] }>(primitive, eqn.ins[0]!, ds);
      if (!inner || !isExact(primitive, eqn)) return null;
      const remaining = without(range(inner.ins[0]!.aval.shape.length), inner.params.axes);
      const both = [...inner.params.axes, ...axes.map((axis) => remaining[axis]!)].sort((a, b) => a - b);
      return application(primitive, inner.ins, { axes: both });
    }),
  ];
};

const reductions: readonly Rewrite[] = [
  ...ofReduction(reduceSumP),
  ...ofReduction(reduceMaxP),
  on(
    reduceMaxP,
    'reduce_max_spread',
    'reduce_max (broadcast x) = broadcast x, over axes with elements',
    (eqn, { axes }, ds) => {
      const shape = operandShape(eqn);
      const element = axes.some((axis) => shape[axis] === 0) ? null : elementOf(eqn.ins[0]!, ds);
      return element && spread(element, resultShape(eqn));
    },
  ),
];

/** Rewrites of what moves elements. */
export const moving: readonly Rewrite[] = [
  ...reshapes,
  ofSpread(reshapeP),
  ...transposes,
  ofSpread(transposeP),
  ...broadcasts,
  ...slices,
  ofSpread(sliceP),
  ...pads,
  ...concatenates,
  ...reductions,
];
