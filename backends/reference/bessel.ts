/**
 * The modified Bessel functions I₀ and I₁, scaled by e^(−|x|), and the neighbours of a float.
 */

import type { TypedArray } from '../../src/core/dtype.ts';
import { unary } from './elementwise.ts';
import type { Lower } from './kernel.ts';

/**
 * e^(−x)·I_ν(x) of x ≥ 0 for ν = 0, 1.
 *
 * Below 30 by the power series, whose terms are all positive: (x/2)^ν·Σ (x²/4)ᵏ/(k!·(k + ν)!). Beyond by Hankel's expansion
 * (Abramowitz and Stegun 9.7.1), the smallest term of which is about e^(−2x).
 */
function scaledBessel(order: 0 | 1, x: number): number {
  if (x < 30) {
    const quarter = (x * x) / 4;
    let [term, sum] = [1, 1];
    for (let k = 1; term > sum * 1e-17; k++) {
      term *= quarter / (k * (k + order));
      sum += term;
    }
    return (order === 0 ? sum : (x / 2) * sum) * Math.exp(-x);
  }
  let [term, sum] = [1, 1];
  for (let k = 1; Math.abs(term) > 1e-17; k++) {
    term *= ((2 * k - 1) ** 2 - 4 * order) / (8 * k * x);
    sum += term;
  }
  return sum / Math.sqrt(2 * Math.PI) / Math.sqrt(x);
}

/** {@link scaledBessel} of order 0, which is even. */
export const besselI0e = unary((x, out) => {
  for (let i = 0; i < out.length; i++) out[i] = scaledBessel(0, Math.abs(x[i]!));
});

/** {@link scaledBessel} of order 1, which is odd. */
export const besselI1e = unary((x, out) => {
  for (let i = 0; i < out.length; i++) {
    const value = scaledBessel(1, Math.abs(x[i]!));
    out[i] = x[i]! < 0 || Object.is(x[i], -0) ? -value : value;
  }
});

/** Floats as integers whose order is that of the floats, but that the negative ones are mirrored. */
interface Bits {
  readonly float: TypedArray;
  readonly word: Int32Array | BigInt64Array;
}

function bitsOf(dtype: string): Bits {
  const float = dtype === 'float32' ? new Float32Array(1) : new Float64Array(1);
  return { float, word: dtype === 'float32' ? new Int32Array(float.buffer) : new BigInt64Array(float.buffer) };
}

function neighbour({ float, word }: Bits, x: number, y: number): number {
  float[0] = x;
  // What a device keeps of a float32 in double precision is rounded first: it has no neighbours else.
  const from = float[0]!;
  float[0] = y;
  const to = float[0]!;
  if (from === to || Number.isNaN(from) || Number.isNaN(to)) return from === to ? to : NaN;
  float[0] = from;
  if (from === 0) {
    float[0] = 0;
    word[0]!++;
    return to < 0 ? -float[0]! : float[0]!;
  }
  // A greater word is further from 0.
  if (to > from === from > 0) word[0]!++;
  else word[0]!--;
  return float[0]!;
}

/** The next float of the dtype after x towards y; y if they are equal, NaN if one is. */
export const nextafter: Lower<unknown> = (ins) => {
  const bits = bitsOf(ins[0]!.dtype);
  return (ins, outs) => {
    const [x, y, out] = [ins[0]!, ins[1]!, outs[0]!];
    for (let i = 0; i < out.length; i++) out[i] = neighbour(bits, x[i]!, y[i]!);
  };
};
