/** Drawings to look at: scenes of shapes, in grey or in colours. */

import { np, type random, type Tensor } from 'pullback';
import { captionedShapes, toTensor } from 'pullback/data';

/** A few scenes of shapes over one another, in grey: float32[size, size], from 0 to 1. */
export const greyScene = (key: random.Key, size: number): Tensor => {
  const scenes = [...captionedShapes(key, 6, { size })].map(({ image }) => np.mean(toTensor(image), -1));
  return scenes.reduce((a, b) => np.minimum(a, b));
};
