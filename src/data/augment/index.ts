/** Augmentation: images of a batch changed by chance, as pure functions of a key, which `jit`, `vmap` and `grad` take as any others. */

export {
  type Augmentation,
  chain,
  colourJitter,
  cutout,
  type JitterOptions,
  mixup,
  noise,
  normalize,
} from './colour.ts';
export {
  type AffineOptions,
  affine,
  type CropOptions,
  type FlipOptions,
  randomAffine,
  randomCrop,
  randomFlip,
  randomRotate,
} from './geometry.ts';
export type { Images } from './images.ts';
