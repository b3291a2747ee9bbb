/**
 * Tensors as plain data: what laws generate, stack, compare and print, independent of any device.
 */

import * as fc from 'fast-check';
import { makeAval, showAval } from '../src/core/aval.ts';
import { type Device, defaultDevice } from '../src/core/backend.ts';
import { allocate, type DType, isFloat, type TypedArray } from '../src/core/dtype.ts';
import { inserted, type Shape, sizeOf, stridesOf, without } from '../src/core/shape.ts';
import { type Tensor, tensorFrom, Value } from '../src/core/value.ts';
import { expect, fails, holds, type Verdict } from './law.ts';

/** A tensor on the host; a bool is 0 or 1. */
export interface HostTensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly weak: boolean;
  readonly data: ArrayLike<number>;
}

/** A host tensor, which prints as `float32[2] [1,-0]`. */
export function hostTensor(shape: Shape, dtype: DType, data: ArrayLike<number>, weak = false): HostTensor {
  const self: HostTensor = { shape, dtype, weak, data };
  return Object.defineProperty(self, fc.toStringMethod, { value: () => showHost(self) });
}

/** Is this a host tensor, and not a tree that has a `data`? */
export const isHostTensor = (x: unknown): x is HostTensor =>
  typeof x === 'object' &&
  x !== null &&
  !(x instanceof Value) &&
  'data' in x &&
  'shape' in x &&
  Array.isArray(x.shape) &&
  'dtype' in x &&
  typeof x.dtype === 'string';

/** `float32[2] [1,-0]`. */
export const showHost = ({ shape, dtype, weak, data }: HostTensor): string =>
  `${showAval(makeAval(shape, dtype))}${weak ? ' (weak)' : ''} ${fc.stringify(Array.from(data))}`;

/** The tensor on `device`; the host array is copied. */
export function toTensor({ shape, dtype, weak, data }: HostTensor, device: Device = defaultDevice()): Tensor {
  const host = allocate(dtype, sizeOf(shape));
  host.set(data as ArrayLike<number> & TypedArray);
  return tensorFrom(makeAval(shape, dtype, weak), host, device);
}

/** A tensor of `device` with these unrounded elements: what finite differences are taken of. */
export function exactTensor({ shape, dtype, weak }: HostTensor, data: Float64Array, device: Device): Tensor {
  const aval = makeAval(shape, dtype, weak);
  return tensorFrom(aval, isFloat(dtype) ? data.slice() : toHostArray(dtype, data), device);
}

const toHostArray = (dtype: DType, data: ArrayLike<number>): TypedArray => {
  const host = allocate(dtype, data.length);
  for (let i = 0; i < data.length; i++) host[i] = data[i]!;
  return host;
};

/** A concrete value as a host tensor. */
export const toHost = (x: Value): HostTensor => hostTensor(x.shape, x.dtype, x.dataSync(), x.aval.weak);

/** Tensors of one shape as one tensor with a new axis. @param lanes - at least one, or the result is empty */
export function stackHost(like: HostTensor, lanes: readonly ArrayLike<number>[], axis: number): HostTensor {
  const shape = inserted(like.shape, axis, lanes.length);
  const inner = sizeOf(like.shape.slice(axis));
  const outer = sizeOf(like.shape.slice(0, axis));
  const data = new Array<number>(outer * inner * lanes.length);
  for (let o = 0; o < outer; o++) {
    lanes.forEach((lane, k) => {
      for (let i = 0; i < inner; i++) data[(o * lanes.length + k) * inner + i] = lane[o * inner + i]!;
    });
  }
  return hostTensor(shape, like.dtype, data, like.weak);
}

/** The slice at `index` of `axis`. */
export function laneOf(x: HostTensor, axis: number, index: number): HostTensor {
  const count = x.shape[axis]!;
  const inner = stridesOf(x.shape)[axis]!;
  const data: number[] = [];
  for (let o = 0; o < x.data.length; o += count * inner) {
    for (let i = 0; i < inner; i++) data.push(x.data[o + index * inner + i]!);
  }
  return hostTensor(without(x.shape, [axis]), x.dtype, data, x.weak);
}

/** `[1,2]` for the flat index 5 in a shape [2,3]. */
export const indexText = (shape: Shape, flat: number): string =>
  `[${stridesOf(shape).map((stride, axis) => Math.floor(flat / stride) % shape[axis]!)}]`;

/** Same dtype, shape and elements: NaN is NaN, −0 is not 0. */
export function sameBits(what: string, found: HostTensor, wanted: HostTensor): Verdict {
  const types = sameType(what, found, wanted);
  if (types._tag === 'Fails') return types;
  for (let i = 0; i < wanted.data.length; i++) {
    if (!Object.is(found.data[i], wanted.data[i])) return differs(what, found, wanted, i);
  }
  return holds;
}

/**
 * Same dtype and shape, and elements within `rtol` of the larger of 1, the element and `scale`; infinities and NaN as they are.
 */
export function close(what: string, found: HostTensor, wanted: HostTensor, rtol: number, scale = 1): Verdict {
  const types = sameType(what, found, wanted);
  if (types._tag === 'Fails') return types;
  for (let i = 0; i < wanted.data.length; i++) {
    const [a, b] = [found.data[i]!, wanted.data[i]!];
    if (Object.is(a, b) || a === b) continue;
    if (!(Math.abs(a - b) <= rtol * Math.max(scale, Math.abs(b)))) return differs(what, found, wanted, i);
  }
  return holds;
}

/** Half the distance from 1 to the next float: the relative error of one rounding. */
const roundings = { float32: 2 ** -24, float64: 2 ** -53 } as const;

/**
 * Same dtype and shape, and elements as two orders of summation may differ: by at most 2·√n·u·Σ|terms|, where u is the error
 * of one rounding. What is not finite, or is no float, is the same.
 *
 * @param terms - n, the number of terms of one element
 * @param magnitudes - Σ|terms| of each element
 */
export function closeSum(
  what: string,
  found: HostTensor,
  wanted: HostTensor,
  terms: number,
  magnitudes: () => ArrayLike<number>,
): Verdict {
  const exactly = sameBits(what, found, wanted);
  const { dtype } = wanted;
  if (exactly._tag === 'Holds' || !isFloat(dtype) || sameType(what, found, wanted)._tag === 'Fails') return exactly;
  const bounds = magnitudes();
  for (let i = 0; i < wanted.data.length; i++) {
    const [a, b] = [found.data[i]!, wanted.data[i]!];
    if (Object.is(a, b) || a === b) continue;
    if (!(Math.abs(a - b) <= 2 * Math.sqrt(terms) * roundings[dtype] * bounds[i]!))
      return differs(what, found, wanted, i);
  }
  return holds;
}

/** Same dtype, shape, and number of elements. */
export const sameType = (what: string, found: HostTensor, wanted: HostTensor): Verdict =>
  expect(
    found.dtype === wanted.dtype &&
      found.shape.join() === wanted.shape.join() &&
      found.data.length === wanted.data.length,
    () =>
      `${what}: ${showAval(makeAval(found.shape, found.dtype))} of ${found.data.length} elements, expected ` +
      `${showAval(makeAval(wanted.shape, wanted.dtype))} of ${wanted.data.length}`,
  );

const differs = (what: string, found: HostTensor, wanted: HostTensor, at: number): Verdict =>
  fails(
    `${what}: element ${indexText(wanted.shape, at)} is ${fc.stringify(found.data[at])}, expected ` +
      `${fc.stringify(wanted.data[at])} (${showHost(found)} beside ${showHost(wanted)})`,
  );

/** {@link sameBits} of two lists of values. */
export const sameValues = (what: string, found: readonly Value[], wanted: readonly Value[]): Verdict =>
  pairwise(what, found, wanted, sameBits);

/** {@link close} of two lists of values. */
export const closeValues = (what: string, found: readonly Value[], wanted: readonly Value[], rtol: number): Verdict =>
  pairwise(what, found, wanted, (name, a, b) => close(name, a, b, rtol));

function pairwise(
  what: string,
  found: readonly Value[],
  wanted: readonly Value[],
  judge: (what: string, a: HostTensor, b: HostTensor) => Verdict,
): Verdict {
  if (found.length !== wanted.length) return fails(`${what}: ${found.length} results, expected ${wanted.length}`);
  for (let i = 0; i < found.length; i++) {
    const verdict = judge(`${what}, result ${i}`, toHost(found[i]!), toHost(wanted[i]!));
    if (verdict._tag === 'Fails') return verdict;
  }
  return holds;
}
