/** Scatters that combine: what is there meets every update by a product, a minimum or a maximum. */

import { isFloat } from '../../src/core/dtype.ts';
import type { ScatterAddParams } from '../../src/prim/scatter.ts';
import { scattering } from './indexing.ts';
import type { Lower } from './kernel.ts';
import { type Block, mergedAxes, mover } from './strided.ts';

// The same loop for each operation, and for floats and words apart: a loop shared through a callback is ten times slower.
const multiplyFloat: Block = (source, s, sA, sB, target, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    for (let j = 0, from = s + i * sA, to = t + i * tA; j < nB; j++, from += sB, to += tB) {
      target[to] = target[to]! * source[from]!;
    }
  }
};
const multiplyWord: Block = (source, s, sA, sB, target, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    for (let j = 0, from = s + i * sA, to = t + i * tA; j < nB; j++, from += sB, to += tB) {
      target[to] = Math.imul(target[to]!, source[from]!);
    }
  }
};
const minFloat: Block = (source, s, sA, sB, target, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    for (let j = 0, from = s + i * sA, to = t + i * tA; j < nB; j++, from += sB, to += tB) {
      target[to] = Math.min(target[to]!, source[from]!);
    }
  }
};
const minWord: Block = (source, s, sA, sB, target, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    for (let j = 0, from = s + i * sA, to = t + i * tA; j < nB; j++, from += sB, to += tB) {
      if (source[from]! < target[to]!) target[to] = source[from]!;
    }
  }
};
const maxFloat: Block = (source, s, sA, sB, target, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    for (let j = 0, from = s + i * sA, to = t + i * tA; j < nB; j++, from += sB, to += tB) {
      target[to] = Math.max(target[to]!, source[from]!);
    }
  }
};
const maxWord: Block = (source, s, sA, sB, target, t, tA, tB, nA, nB) => {
  for (let i = 0; i < nA; i++) {
    for (let j = 0, from = s + i * sA, to = t + i * tA; j < nB; j++, from += sB, to += tB) {
      if (source[from]! > target[to]!) target[to] = source[from]!;
    }
  }
};

/** @param accumulates - whether floats are kept in double until the end, so that a result rounds once */
const combining =
  (float: Block, word: Block, accumulates: boolean): Lower<ScatterAddParams> =>
  (ins, _outs, p) => {
    const [x, indices, updates] = [ins[0]!, ins[1]!, ins[2]!];
    const put = scattering([x.shape, indices.shape, updates.shape], p, (window, from, to) =>
      mover(
        isFloat(x.dtype) ? float : word,
        mergedAxes(window, { offset: 0, strides: from }, { offset: 0, strides: to }),
      ),
    );
    return (ins, outs) => {
      const out = outs[0]!;
      const wide = accumulates && out instanceof Float32Array ? Float64Array.from(ins[0]!) : out;
      if (wide === out) out.set(ins[0]!);
      put(ins[1]!, ins[2]!, wide);
      if (wide !== out) out.set(wide);
    };
  };

/** The operand, with every window of the updates multiplied onto it; integers wrap. */
export const scatterMul = combining(multiplyFloat, multiplyWord, true);
/** The operand, and the smaller of it and every window of the updates; NaN if either is, −0 < 0. */
export const scatterMin = combining(minFloat, minWord, false);
/** The operand, and the larger of it and every window of the updates; NaN if either is, −0 < 0. */
export const scatterMax = combining(maxFloat, maxWord, false);
