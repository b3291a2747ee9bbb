/** `pullback/data`: sets of data, sequences of them, and generators. */

import './device.ts';

export type { AsyncStream } from '../data/async.ts';
export * as augment from '../data/augment/index.ts';
export type { BatchOptions } from '../data/counts.ts';
export type { Dataset } from '../data/dataset.ts';
export * as dataset from '../data/dataset.ts';
export { digits, drawDigits, wordsPerDigit } from '../data/digits.ts';
export { type Batch, type HostArray, hostArray, integer, type Row, stack, toTensor } from '../data/element.ts';
export { type LabelledImage, labelledImages } from '../data/images.ts';
export type { Position, PositionCodec } from '../data/position.ts';
export type { Step, Stream } from '../data/stream.ts';
export * as stream from '../data/streams.ts';
export { type DatePair, dates } from '../data/synthetic/dates.ts';
export {
  type BlobsOptions,
  blobs,
  type CirclesOptions,
  circles,
  type LabelledPoints,
  type NoiseOptions,
  type SpiralOptions,
  spirals,
  twoMoons,
} from '../data/synthetic/planar.ts';
export {
  type AddingBatch,
  addingProblem,
  type CopyBatch,
  type CopyOptions,
  copyTask,
} from '../data/synthetic/sequences.ts';
export { type CaptionedPicture, captionedShapes, type Shape, type ShapesOptions } from '../data/synthetic/shapes.ts';
export { type SentencePair, translations } from '../data/synthetic/translations.ts';
export {
  type BytePairsJson,
  type BytePairTokenizer,
  bytePairsJson,
  bytePairsOf,
  gpt2Pattern,
  type TrainBytePairsOptions,
  trainBytePairs,
} from '../data/tokens/bpe.ts';
export {
  type CharactersJson,
  type CharactersOptions,
  type CharacterTokenizer,
  characters,
  charactersJson,
  charactersOf,
} from '../data/tokens/characters.ts';
export type { Tokenizer } from '../data/tokens/tokenizer.ts';
export type { LabelledImages } from '../io/mnist.ts';
