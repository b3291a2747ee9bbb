/** Drawings to look at: scenes of shapes, in grey or in colours. */

import { np, type random, type Tensor } from 'pullback';
import { captionedShapes, toTensor } from 'pullback/data';

/** One scene in grey: float32[size, size], from 0 to 1. */
export const greyScene = (key: random.Key, size: number): Tensor => {
  const { image } = captionedShapes(key, 1, { size }).at(0);
  return np.mean(toTensor(image), -1);
};
