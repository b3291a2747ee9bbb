/**
 * `npm run example lenet`: LeNet-5 learns to read handwritten digits, generated or MNIST's.
 *
 * As in `digits`, the gradient is held against central differences first; pictures and parameters are written to `--out`, and with
 * `--save` the run goes on where it was cut short.
 */

import { reader } from '../digits/reader.ts';
import { recipe } from './model.ts';

export const example = reader({
  name: 'lenet',
  about: 'LeNet-5, a convolutional network with max-pooling, learns to read handwritten digits.',
  title: 'LeNet-5 reads digits',
  recipe,
  epochs: 14,
  batch: 50,
  rate: 3e-3,
  wanted: 0.98,
});
