/** The data of the layers' workloads. `peers/pytorch.py` has the same. */

import { drawn, filled, weights } from './data.ts';
import { layerSizes } from './workloads.ts';

/** A block of convolution, batch norm and relu, channels last, taps as [rows, columns, input, output]. */
export function convBlock() {
  const { images, size, input, output, taps } = layerSizes.conv;
  return {
    w: weights([taps, taps, input, output], 501, taps * taps * input),
    b: filled([output], 0),
    scale: filled([output], 1),
    bias: filled([output], 0),
    x: drawn([images, size, size, input], 51),
    target: drawn([images, size, size, output], 52),
  };
}

/** Projections of attention, [size, size] each, and what they are for; those of an encoder's perceptron beside. */
export function encoder() {
  const { batch, length, size, feedForward } = layerSizes.attention;
  return {
    query: weights([size, size], 511, size),
    key: weights([size, size], 512, size),
    value: weights([size, size], 513, size),
    out: weights([size, size], 514, size),
    hidden: weights([size, feedForward], 515, size),
    contract: weights([feedForward, size], 516, feedForward),
    x: drawn([batch, length, size], 53),
    target: drawn([batch, length, size], 54),
  };
}

/** A recurrent layer of so many gates: [in, gates·hidden], [hidden, gates·hidden]. */
export function recurrent(gates: number) {
  const { batch, length, inputs, hidden } = layerSizes.recurrent;
  return {
    wx: weights([inputs, gates * hidden], 521, hidden),
    wh: weights([hidden, gates * hidden], 522, hidden),
    b: filled([gates * hidden], 0),
    bn: filled([hidden], 0),
    x: drawn([batch, length, inputs], 55),
    target: drawn([batch, length, hidden], 56),
  };
}

/** Parameters for an optimizer. */
export function leaves() {
  const { count, size } = layerSizes.tree;
  return Array.from({ length: count }, (_, i) => drawn([size, size], 530 + i));
}
