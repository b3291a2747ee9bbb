/**
 * Structural primitives: they move elements and compute nothing. All are linear, and each one's transpose is built from the
 * others (broadcast ↔ sum, slice ↔ pad, transpose ↔ its inverse).
 */

import * as t from 'io-ts';
import { type Aval, makeAval, showAval, withShape } from '../core/aval.ts';
import type { DType } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { dtypeCodec, int, ints } from '../core/params.ts';
import { type Hole, isHole, type Primitive } from '../core/primitive.ts';
import { range, type Shape, sameShape, sizeOf } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { select } from './compare.ts';
import { filled, scalar, zeros } from './compose.ts';
import { batchAt, expectCount, instantiate, linearJvp, noDerivative, provide } from './define.ts';
import { reduceSum } from './reduce.ts';

const avalOf = (x: Value | Hole): Aval => x.aval;

const bad = (op: string, problem: string, remedy: string): ShapeError => new ShapeError({ op, problem, remedy });

const isPermutation = (tuple: readonly number[], n: number): boolean =>
  tuple.length === n &&
  sameShape(
    [...tuple].sort((a, b) => a - b),
    range(n),
  );

function expectShapeParam(op: string, shape: Shape): void {
  if (shape.every((n) => Number.isSafeInteger(n) && n >= 0)) return;
  throw bad(op, `[${shape.join(',')}] is not a shape`, 'use non-negative integers');
}

const broadcastParams = t.readonly(t.strict({ shape: ints, broadcastDimensions: ints }));

/** Axis i of the operand becomes axis `broadcastDimensions[i]` of the result, stretched if its length is 1. */
export const broadcastInDimP: Primitive<'broadcast_in_dim', t.TypeOf<typeof broadcastParams>> = {
  name: 'broadcast_in_dim',
  params: broadcastParams,
  abstractEval(ins, { shape, broadcastDimensions: dims }) {
    expectCount('broadcast_in_dim', 1, ins);
    expectShapeParam('broadcast_in_dim', shape);
    const aval = ins[0]!;
    const increasing = dims.every((d, i) => d < shape.length && d >= 0 && (i === 0 || d > dims[i - 1]!));
    const fits = dims.every((d, i) => aval.shape[i] === shape[d] || aval.shape[i] === 1);
    if (dims.length !== aval.shape.length || !increasing || !fits) {
      throw bad(
        'broadcast_in_dim',
        `${showAval(aval)} does not broadcast to [${shape.join(',')}] along dimensions (${dims.join()})`,
        'give one increasing result axis for each operand axis, of the same length or from length 1',
      );
    }
    return [withShape(aval, shape)];
  },
  jvp: linearJvp((x, p) => broadcastInDim(x, p.shape, p.broadcastDimensions)),
  transpose([ct], [x], { shape, broadcastDimensions: dims }) {
    const source = avalOf(x!).shape;
    const kept = new Set(dims.filter((d, i) => source[i] === shape[d]));
    const summed = reduceSum(
      ct!,
      range(shape.length).filter((d) => !kept.has(d)),
    );
    return [reshape(summed, source)];
  },
  vmap(size, [x], [dim], { shape, broadcastDimensions }) {
    const front = moveAxis(x!, dim!, 0);
    return {
      outs: [broadcastInDim(front, [size, ...shape], [0, ...broadcastDimensions.map((d) => d + 1)])],
      dims: [0],
    };
  },
};

const shapeParams = t.readonly(t.strict({ shape: ints }));

/** The same elements in row-major order under another shape. */
export const reshapeP: Primitive<'reshape', t.TypeOf<typeof shapeParams>> = {
  name: 'reshape',
  params: shapeParams,
  abstractEval(ins, { shape }) {
    expectCount('reshape', 1, ins);
    expectShapeParam('reshape', shape);
    if (sizeOf(shape) !== ins[0]!.size) {
      throw bad(
        'reshape',
        `${showAval(ins[0]!)} has ${ins[0]!.size} elements, [${shape.join(',')}] has ${sizeOf(shape)}`,
        'choose a shape with the same number of elements',
      );
    }
    return [withShape(ins[0]!, shape)];
  },
  jvp: linearJvp((x, { shape }) => reshape(x, shape)),
  transpose: ([ct], [x]) => [reshape(ct!, avalOf(x!).shape)],
  vmap: (size, [x], [dim], { shape }) => ({ outs: [reshape(moveAxis(x!, dim!, 0), [size, ...shape])], dims: [0] }),
};

const transposeParams = t.readonly(t.strict({ permutation: ints }));

/** Axis i of the result is axis `permutation[i]` of the operand. */
export const transposeP: Primitive<'transpose', t.TypeOf<typeof transposeParams>> = {
  name: 'transpose',
  params: transposeParams,
  abstractEval(ins, { permutation }) {
    expectCount('transpose', 1, ins);
    const { shape } = ins[0]!;
    if (!isPermutation(permutation, shape.length)) {
      throw bad(
        'transpose',
        `(${permutation.join()}) is not a permutation of the ${shape.length} axes of ${showAval(ins[0]!)}`,
        'name each axis once',
      );
    }
    return [
      withShape(
        ins[0]!,
        permutation.map((axis) => shape[axis]!),
      ),
    ];
  },
  jvp: linearJvp((x, { permutation }) => transpose(x, permutation)),
  transpose: ([ct], _x, { permutation }) => [transpose(ct!, inverse(permutation))],
  vmap: (_size, [x], [dim], { permutation }) => ({
    outs: [transpose(x!, [dim!, ...permutation.map((axis) => (axis >= dim! ? axis + 1 : axis))])],
    dims: [0],
  }),
};

/** The permutation that undoes `permutation`. */
export const inverse = (permutation: readonly number[]): number[] =>
  permutation.map((_, axis) => permutation.indexOf(axis));

const sliceParams = t.readonly(t.strict({ start: ints, limit: ints, strides: ints }));

/** The elements at start, start + stride, … below limit, on each axis. */
export const sliceP: Primitive<'slice', t.TypeOf<typeof sliceParams>> = {
  name: 'slice',
  params: sliceParams,
  abstractEval(ins, { start, limit, strides }) {
    expectCount('slice', 1, ins);
    const { shape } = ins[0]!;
    const fits =
      start.length === shape.length &&
      limit.length === shape.length &&
      strides.length === shape.length &&
      shape.every((n, i) => 0 <= start[i]! && start[i]! <= limit[i]! && limit[i]! <= n && strides[i]! >= 1);
    if (!fits) {
      throw bad(
        'slice',
        `start (${start.join()}), limit (${limit.join()}), strides (${strides.join()}) do not fit ${showAval(ins[0]!)}`,
        'on each axis 0 ≤ start ≤ limit ≤ length and stride ≥ 1; np.index takes negative indices and steps',
      );
    }
    return [
      withShape(
        ins[0]!,
        shape.map((_, i) => Math.ceil((limit[i]! - start[i]!) / strides[i]!)),
      ),
    ];
  },
  jvp: linearJvp((x, p) => slice(x, p.start, p.limit, p.strides)),
  transpose([ct], [x], { start, strides }) {
    const { shape } = avalOf(x!);
    const taken = ct!.shape;
    const covered = taken.map((n, i) => start[i]! + (n === 0 ? 0 : (n - 1) * strides[i]! + 1));
    return [
      pad(
        ct!,
        scalar(0, ct!.dtype, ct!.aval.weak),
        start,
        shape.map((n, i) => n - covered[i]!),
        strides.map((s) => s - 1),
      ),
    ];
  },
  vmap: (size, [x], [dim], { start, limit, strides }) => ({
    outs: [slice(moveAxis(x!, dim!, 0), [0, ...start], [size, ...limit], [1, ...strides])],
    dims: [0],
  }),
};

const revParams = t.readonly(t.strict({ dimensions: ints }));

/** The elements in the opposite order along each of `dimensions`. It is its own inverse and transpose. */
export const revP: Primitive<'rev', t.TypeOf<typeof revParams>> = {
  name: 'rev',
  params: revParams,
  abstractEval(ins, { dimensions }) {
    expectCount('rev', 1, ins);
    const n = ins[0]!.shape.length;
    if (dimensions.some((d, i) => d < 0 || d >= n || dimensions.indexOf(d) !== i)) {
      throw bad('rev', `(${dimensions.join()}) are not axes of ${showAval(ins[0]!)}`, 'name each axis at most once');
    }
    return [ins[0]!];
  },
  jvp: linearJvp((x, { dimensions }) => rev(x, dimensions)),
  transpose: ([ct], _x, { dimensions }) => [rev(ct!, dimensions)],
  vmap: (_size, [x], [dim], { dimensions }) => ({
    outs: [
      rev(
        x!,
        dimensions.map((d) => (d >= dim! ? d + 1 : d)),
      ),
    ],
    dims: [dim!],
  }),
};

const padParams = t.readonly(t.strict({ low: ints, high: ints, interior: ints }));

/** Length of one padded axis; `interior` goes between neighbours, negative `low` and `high` cut. */
const paddedLength = (n: number, low: number, high: number, interior: number): number =>
  n + low + high + Math.max(n - 1, 0) * interior;

/** Padding with one value before, after and between the elements of each axis; negative `low` and `high` cut. */
export const padP: Primitive<'pad', t.TypeOf<typeof padParams>> = {
  name: 'pad',
  params: padParams,
  abstractEval(ins, { low, high, interior }) {
    expectCount('pad', 2, ins);
    const [x, value] = ins;
    if (value!.dtype !== x!.dtype) {
      throw new DTypeError({
        op: 'pad',
        problem: `the padding value must have the operand's dtype, got ${showAval(x!)} and ${showAval(value!)}`,
        remedy: 'cast the padding value',
      });
    }
    const n = x!.shape.length;
    const shape = x!.shape.map((length, i) => paddedLength(length, low[i]!, high[i]!, interior[i]!));
    const ok = low.length === n && high.length === n && interior.length === n && interior.every((i) => i >= 0);
    if (value!.shape.length !== 0 || !ok || shape.some((length) => !(length >= 0))) {
      throw bad(
        'pad',
        `low (${low.join()}), high (${high.join()}), interior (${interior.join()}) do not fit ${showAval(x!)} padded with ${showAval(value!)}`,
        'give a scalar value and one entry for each axis, interior ≥ 0, cutting no more than there is',
      );
    }
    return [makeAval(shape, x!.dtype, x!.weak && value!.weak)];
  },
  jvp([x, value], [dx, dValue], p) {
    const apply = (operand: Value, fill: Value): Value => pad(operand, fill, p.low, p.high, p.interior);
    return { outs: [apply(x!, value!)], tangents: [apply(instantiate(dx!, x!), instantiate(dValue!, value!))] };
  },
  transpose([ct], [x, value], { low, high, interior }) {
    const { shape } = avalOf(x!);
    const negated = (tuple: readonly number[]): number[] => tuple.map((n) => -n || 0);
    const zero = zeros(makeAval([], ct!.dtype, ct!.aval.weak));
    const uncut = (): Value =>
      pad(
        ct!,
        zero,
        negated(low),
        negated(high),
        interior.map(() => 0),
      );
    const toX = (): Value => {
      const spread = uncut();
      return slice(
        spread,
        low.map(() => 0),
        spread.shape,
        interior.map((i) => i + 1),
      );
    };
    const toValue = (): Value =>
      reduceSum(select(padding(shape, low, high, interior), ct!, zeros(ct!.aval)), range(shape.length));
    return [isHole(x!) ? toX() : null, isHole(value!) ? toValue() : null];
  },
  vmap(size, [x, value], [dim, valueDim], { low, high, interior }) {
    const front = batchAt(size, x!, dim!, 0);
    const wide = (tuple: readonly number[]): readonly number[] => [0, ...tuple];
    if (valueDim === null) {
      return { outs: [pad(front, value!, wide(low), wide(high), wide(interior))], dims: [0] };
    }
    const zero = scalar(0, x!.dtype, x!.aval.weak);
    const padded = pad(front, zero, wide(low), wide(high), wide(interior));
    const mask = padding(front.shape, wide(low), wide(high), wide(interior));
    return { outs: [select(mask, broadcastInDim(value!, padded.shape, [0]), padded)], dims: [0] };
  },
};

/** True where padding a tensor of this shape puts the padding value. */
const padding = (shape: Shape, low: readonly number[], high: readonly number[], interior: readonly number[]): Value =>
  pad(filled(shape, 0, 'bool'), scalar(1, 'bool'), low, high, interior);

const concatenateParams = t.readonly(t.strict({ dimension: int }));

/** Operands of equal shapes but for axis `dimension`, one after the other along it. */
export const concatenateP: Primitive<'concatenate', t.TypeOf<typeof concatenateParams>> = {
  name: 'concatenate',
  params: concatenateParams,
  abstractEval(ins, { dimension }) {
    const first = ins[0];
    const others = (shape: Shape): Shape => shape.filter((_, i) => i !== dimension);
    if (!first || !(dimension >= 0 && dimension < first.shape.length)) {
      throw bad(
        'concatenate',
        `axis ${dimension} is out of range for ${ins.map(showAval).join(', ')}`,
        'use an axis of the operands',
      );
    }
    for (const aval of ins) {
      if (aval.dtype !== first.dtype) {
        throw new DTypeError({
          op: 'concatenate',
          problem: `operands must have equal dtypes, got ${ins.map(showAval).join(', ')}`,
          remedy: 'cast first, or use np.concatenate, which promotes',
        });
      }
      if (aval.shape.length !== first.shape.length || !sameShape(others(aval.shape), others(first.shape))) {
        throw bad(
          'concatenate',
          `operands must agree in every axis but ${dimension}, got ${ins.map(showAval).join(', ')}`,
          'reshape or slice the operands to equal lengths on the other axes',
        );
      }
    }
    const length = ins.reduce((sum, aval) => sum + aval.shape[dimension]!, 0);
    const shape = first.shape.map((n, i) => (i === dimension ? length : n));
    return [
      makeAval(
        shape,
        first.dtype,
        ins.every((a) => a.weak),
      ),
    ];
  },
  jvp: (primals, tangents, { dimension }) => ({
    outs: [concatenate(primals, dimension)],
    tangents: [
      concatenate(
        primals.map((x, i) => instantiate(tangents[i]!, x)),
        dimension,
      ),
    ],
  }),
  transpose([ct], operands, { dimension }) {
    let offset = 0;
    return operands.map((x) => {
      const begin = offset;
      offset += avalOf(x).shape[dimension]!;
      return isHole(x) ? sliceAxis(ct!, dimension, begin, offset) : null;
    });
  },
  vmap: (size, operands, dims, { dimension }) => ({
    outs: [
      concatenate(
        operands.map((x, i) => batchAt(size, x, dims[i]!, 0)),
        dimension + 1,
      ),
    ],
    dims: [0],
  }),
};

const iotaParams = t.readonly(t.strict({ shape: ints, dimension: int, dtype: dtypeCodec }));

/** The index along `dimension`, in every element. It has no operands, so transforms never meet it. */
export const iotaP: Primitive<'iota', t.TypeOf<typeof iotaParams>> = {
  name: 'iota',
  params: iotaParams,
  abstractEval(ins, { shape, dimension, dtype }) {
    expectCount('iota', 0, ins);
    expectShapeParam('iota', shape);
    if (!(dimension >= 0 && dimension < shape.length)) {
      throw bad('iota', `axis ${dimension} is out of range for [${shape.join(',')}]`, 'use an axis of the shape');
    }
    if (dtype === 'bool') {
      throw new DTypeError({ op: 'iota', problem: 'bool cannot count', remedy: 'use a numeric dtype' });
    }
    return [makeAval(shape, dtype)];
  },
  jvp: noDerivative((_, p) => [iota(p.shape, p.dimension, p.dtype)]),
  transpose: 'nonlinear',
  vmap: (_size, _operands, _dims, p) => ({ outs: [iota(p.shape, p.dimension, p.dtype)], dims: [null] }),
};

/** `x` with its axis i as axis `dims[i]` of `shape`. */
export const broadcastInDim = (x: Value, shape: Shape, dims: readonly number[]): Value =>
  dims.length === shape.length && sameShape(x.shape, shape)
    ? x
    : bind1(broadcastInDimP, [x], { shape, broadcastDimensions: dims });
/** `x` under another shape of the same size. */
export const reshape = (x: Value, shape: Shape): Value =>
  sameShape(x.shape, shape) ? x : bind1(reshapeP, [x], { shape });
/** `x` with its axes permuted. */
export const transpose = (x: Value, permutation: readonly number[]): Value =>
  permutation.every((axis, i) => axis === i) && permutation.length === x.ndim
    ? x
    : bind1(transposeP, [x], { permutation });
/** The part of `x` from `start` to `limit` (exclusive) by `strides` on each axis. */
export const slice = (
  x: Value,
  start: readonly number[],
  limit: readonly number[],
  strides?: readonly number[],
): Value => {
  const steps = strides ?? start.map(() => 1);
  const whole = sameShape(limit, x.shape) && start.every((s) => s === 0) && steps.every((s) => s === 1);
  return whole && start.length === x.ndim ? x : bind1(sliceP, [x], { start, limit, strides: steps });
};
/** `x` with its elements in the opposite order along `dimensions`. */
export const rev = (x: Value, dimensions: readonly number[]): Value =>
  dimensions.length === 0 ? x : bind1(revP, [x], { dimensions });
/** `x` padded with the scalar `value`. */
export const pad = (
  x: Value,
  value: Value,
  low: readonly number[],
  high: readonly number[],
  interior: readonly number[],
): Value => bind1(padP, [x, value], { low, high, interior });
/** The operands one after the other along `dimension`. */
export const concatenate = (operands: readonly Value[], dimension: number): Value =>
  operands.length === 1 ? operands[0]! : bind1(concatenateP, operands, { dimension });
/** 0, 1, 2, … along `dimension` of `shape`. */
export const iota = (shape: Shape, dimension: number, dtype: DType): Value =>
  bind1(iotaP, [], { shape, dimension, dtype });

/** The part of `x` from `begin` to `end` on one axis. */
export const sliceAxis = (x: Value, axis: number, begin: number, end: number): Value =>
  slice(
    x,
    x.shape.map((_, i) => (i === axis ? begin : 0)),
    x.shape.map((n, i) => (i === axis ? end : n)),
  );

/** `x` with axis `from` moved to position `to`. */
export function moveAxis(x: Value, from: number, to: number): Value {
  if (from === to) return x;
  const permutation = range(x.ndim).filter((axis) => axis !== from);
  permutation.splice(to, 0, from);
  return transpose(x, permutation);
}

provide({ broadcastInDim, moveAxis });
