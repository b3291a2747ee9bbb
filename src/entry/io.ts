/** `pullback/io`: reading and decoding files, and how that fails. */

import './device.ts';

export type {
  Corrupt,
  DecodeError,
  DecodeErrors,
  Failure,
  Invalid,
  Mislabelled,
  ReadError,
  Reading,
  Truncated,
  WriteError,
} from '../io/failure.ts';
export {
  corrupt,
  decodeErrors,
  decodeWith,
  invalid,
  mislabelled,
  readError,
  showDecodeError,
  showFailure,
  truncated,
  writeError,
} from '../io/failure.ts';
export { listFolder, makeFolder, readBytes, writeText } from '../io/file.ts';
export { decodeGzippedIdx, decodeIdx, type Idx, type IdxDType, readIdx, showIdx } from '../io/idx.ts';
export { holdOutTenth, type LabelledImages, labelImages, readMnist, type Split, takeImages } from '../io/mnist.ts';
