/**
 * `npm run example mlp`: the network of the main job learns longer, from digits that are bent a little at every step.
 *
 * Pictures and parameters are written to `--out`; with `--save` the run goes on where it was cut short.
 */

import { recipe } from './digits/model.ts';
import { reader } from './digits/reader.ts';

export const example = reader({
  name: 'mlp',
  about: 'a network with one hidden layer learns to read handwritten digits, bent a little at every step.',
  title: 'A network with one hidden layer reads digits',
  recipe: recipe(256),
  epochs: 20,
  batch: 100,
  rate: 2e-3,
  wanted: 0.95,
});
