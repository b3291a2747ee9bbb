/** `pullback/io`: reading, decoding and writing files, and how that fails. */

import './device.ts';

export { primitives } from '../../transforms/registry.ts';
export {
  type Columns,
  type CsvOptions,
  csvInteger,
  csvLabel,
  csvNumber,
  decodeCsv,
  type Row,
  readCsv,
} from '../io/csv.ts';
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
export { fileExists, listFolder, makeFolder, readBytes, writeBytes, writeText } from '../io/file.ts';
export { decodeGzippedIdx, decodeIdx, type Idx, type IdxDType, readIdx, showIdx } from '../io/idx.ts';
export { decodeImage, type ImageOptions, imageTensor, type Pixels, readImage } from '../io/image.ts';
export {
  type ClassedImage,
  type ImageFile,
  type ImageFolder,
  listImageFolder,
  readImageFolder,
} from '../io/image-folder.ts';
export { encodeJaxpr, type JaxprJson, type ProgramJson } from '../io/jaxpr.ts';
export { decodeClosedJaxpr, decodeJaxpr, type Registry } from '../io/jaxpr-decode.ts';
export { decodeJson, readJson } from '../io/json.ts';
export { decodeJsonLines, readJsonLines } from '../io/jsonl.ts';
export { holdOutTenth, type LabelledImages, labelImages, readMnist, type Split, takeImages } from '../io/mnist.ts';
export { decodeNpy, readNpy } from '../io/npy.ts';
export { type NamedTensors, namedLeaves, paramsCodec, type ValuesOf } from '../io/params.ts';
export { encodePng, writePng } from '../io/png-write.ts';
export {
  decodeSafetensors,
  encodeSafetensors,
  type Metadata,
  readParams,
  readSafetensors,
  type Safetensors,
  writeParams,
  writeSafetensors,
} from '../io/safetensors.ts';
export { decodeText, readText } from '../io/text.ts';
