/** The namespace `stream`: sequences one after the other, in this thread, awaited, and in workers. */

export { type AheadOptions, mapAsync, prefetch } from './async.ts';
export {
  batch,
  type EpochsOptions,
  epochs,
  filter,
  generate,
  map,
  ofDataset,
  shuffle,
  skip,
  take,
  unfold,
  zip,
} from './stream.ts';
export { mapInWorkers, type WorkersOptions } from './workers.ts';
