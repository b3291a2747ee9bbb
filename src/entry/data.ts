/** `pullback/data`: sets of images, and batches of them. */

import './device.ts';

export { type Batch, batches, randomOrder } from '../data/batches.ts';
export { digits, drawDigits, wordsPerDigit } from '../data/digits.ts';
export type { LabelledImages } from '../io/mnist.ts';
