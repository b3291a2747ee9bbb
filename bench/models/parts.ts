/** Parameters of the parts that models here have in common. */

import type { Tensor } from 'pullback';

/** A dense layer: float32[in, out] and float32[out]. */
export interface Dense {
  readonly w: Tensor;
  readonly b: Tensor;
}

/** A convolution: float32[output, input, rows, columns] and float32[output]. */
export interface Conv {
  readonly w: Tensor;
  readonly b: Tensor;
}

/** A layer norm: two float32[dim]. */
export interface Norm {
  readonly scale: Tensor;
  readonly bias: Tensor;
}
