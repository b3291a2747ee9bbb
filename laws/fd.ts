/**
 * Finite differences: what a derivative is, without any rule.
 *
 * They are central, taken in float64 on the reference device, with a step and its half, and extrapolated (Richardson 1911), so
 * that the error is of fourth order. Where the two steps disagree there is a kink or a pole within reach, and the
 * difference decides nothing.
 */

import { referenceDevice } from '../backends/reference/device.ts';
import { type Device, withDefaultDevice } from '../src/core/backend.ts';
import type { Tensor, Value } from '../src/core/value.ts';
import { exactTensor, type HostTensor, toTensor } from './host.ts';

/** The device on which float32 values are not rounded: derivatives are judged there. */
export const exact: Device = referenceDevice({ precision: 'float64' });

/** A function of numbers, in double precision. */
export type NumericFunction = (xs: readonly Float64Array[]) => readonly Float64Array[];

/** One output's difference quotient, and where the two steps agree. */
export interface Difference {
  readonly value: Float64Array;
  readonly conclusive: readonly boolean[];
  /** What rounding of the function's values and of the points may have done to the quotient. */
  readonly noise: Float64Array;
}

/** How differences are taken. */
export interface DifferenceOptions {
  /** The larger of the two steps; default 10⁻⁴. */
  readonly step?: number;
  /** How far the two quotients may be apart, relative to the quotient; default 10⁻³. */
  readonly agreement?: number;
  /** How far they may be apart whatever the quotient is; default `agreement`. */
  readonly floor?: number;
  /** Is a kink right at the point undecided as well? Without, it has the mean of the slopes on both sides. Default false. */
  readonly kinks?: boolean;
}

/** The derivative of `f` at `xs` in the direction `ts`. */
export function difference(
  f: NumericFunction,
  xs: readonly Float64Array[],
  ts: readonly Float64Array[],
  { step = 1e-4, agreement = 1e-3, floor = agreement, kinks = false }: DifferenceOptions = {},
): readonly Difference[] {
  const at = (h: number): readonly Float64Array[] => f(xs.map((x, i) => x.map((v, k) => v + h * ts[i]![k]!)));
  const centre = kinks ? at(0) : null;
  const quotients = (h: number) => {
    const [ahead, behind] = [at(h), at(-h)];
    return {
      size: ahead.map((y, i) => y.map((v, k) => Math.max(Math.abs(v), Math.abs(behind[i]![k]!)))),
      central: ahead.map((y, i) => y.map((v, k) => (v - behind[i]![k]!) / (2 * h))),
      // What the slopes on both sides differ by: it vanishes with the step, but for a kink.
      bend: centre?.map((y, i) => y.map((v, k) => (ahead[i]![k]! - 2 * v + behind[i]![k]!) / h)),
    };
  };
  const [coarse, fine] = [quotients(step), quotients(step / 2)];
  return fine.central.map((d, i) => {
    const noise = coarse.size[i]!.map((size) => (ulps * 2 ** -53 * size) / step);
    return {
      value: d.map((v, k) => (4 * v - coarse.central[i]![k]!) / 3),
      conclusive: Array.from(d, (v, k) => {
        // A quotient of which rounding leaves less than three digits says nothing.
        if (noise[k]! > 1e-3 * Math.max(1, Math.abs(v))) return false;
        const bound = Math.max(floor, agreement * Math.abs(v)) + noise[k]!;
        const near = (a: number, b: number): boolean => Math.abs(a - b) <= bound;
        if (!near(v, coarse.central[i]![k]!)) return false;
        return !coarse.bend || !fine.bend || near(2 * fine.bend[i]![k]!, coarse.bend[i]![k]!);
      }),
      noise,
    };
  });
}

/** By how many units in the last place a function's value may be wrong: a few roundings, amplified by the extrapolation. */
const ulps = 16;

/**
 * A function of values as one of numbers, evaluated on {@link exact} or another device.
 *
 * @param like - the inputs; those that are not `active` keep their elements
 */
export function numeric(
  f: (...args: readonly Value[]) => readonly Value[],
  like: readonly HostTensor[],
  active: readonly number[],
  device: Device = exact,
): NumericFunction {
  return (xs) =>
    withDefaultDevice(device, () => {
      const args = like.map((x, i) => {
        const at = active.indexOf(i);
        return place(x, at >= 0 ? xs[at]! : Float64Array.from(x.data), device);
      });
      return f(...args).map((y) => Float64Array.from(y.dataSync()));
    });
}

/** A tensor of `device` with these elements, which only {@link exact} keeps unrounded whatever its dtype. */
export const place = (like: HostTensor, data: Float64Array, device: Device): Tensor =>
  device === exact ? exactTensor(like, data, device) : toTensor({ ...like, data }, device);
