/** Neural networks: layers, activations, losses. */

export {
  celu,
  elu,
  type GeluOptions,
  gelu,
  glu,
  hardSigmoid,
  hardSilu,
  hardSwish,
  hardTanh,
  identity,
  leakyRelu,
  logSigmoid,
  mish,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softplus,
  softSign,
  sparsePlus,
  sparseSigmoid,
  squareplus,
  swish,
  tanh,
} from './activations.ts';
export { type AdditiveOptions, type AdditiveParams, additiveAttention } from './additive.ts';
export {
  type AttendOptions,
  type HeadsParams,
  type KvCache,
  type MultiHeadInitOptions,
  type MultiHeadOptions,
  type MultiHeadParams,
  multiHeadAttention,
  paddingMask,
} from './attention.ts';
export {
  type GruOptions,
  type GruParams,
  gruCell,
  type LstmCarry,
  type LstmInitOptions,
  lstmCell,
  type RecurrentParams,
  type RnnOptions,
  rnnCell,
} from './cells.ts';
export {
  type ConvInitOptions,
  type ConvLayerOptions,
  type ConvParams,
  type ConvTransposeLayerOptions,
  conv,
  convTranspose,
} from './conv.ts';
export { type DenseInitOptions, type DenseParams, dense } from './dense.ts';
export { type DropoutOptions, dropout } from './dropout.ts';
export { type EmbeddingParams, embedding } from './embedding.ts';
export * as functional from './functional/index.ts';
export { type GenerateOptions, type GptCache, type GptConfig, type GptOptions, type GptParams, gpt } from './gpt.ts';
export * as initializers from './initializers.ts';
export { lecunNormal } from './initializers.ts';
export { parameterCount, type Summary, type SummaryRow, summary } from './inspect.ts';
export {
  type AllInputs,
  type AllOutputs,
  type AllParams,
  type AnyLayer,
  type Chained,
  fanOut,
  type InputOf,
  type Layer,
  lift,
  type OutputOf,
  type ParamsOf,
  parallel,
  residual,
  serial,
} from './layer.ts';
export {
  type BinaryCrossEntropyOptions,
  binaryCrossEntropy,
  type SigmoidBinaryCrossEntropyOptions,
  type SigmoidFocalOptions,
  sigmoidBinaryCrossEntropy,
  sigmoidFocal,
} from './losses/binary.ts';
export {
  type CrossEntropyOptions,
  crossEntropy,
  type NllOptions,
  nll,
  oneHot,
  type SoftmaxFocalOptions,
  softmaxFocal,
} from './losses/classes.ts';
export { type CtcOptions, ctc } from './losses/ctc.ts';
export { type KlDivergenceOptions, klDivergence } from './losses/divergence.ts';
export {
  type CosineEmbeddingOptions,
  cosineEmbedding,
  cosineSimilarity,
  hinge,
  type MultiClassHingeOptions,
  multiClassHinge,
  type TripletOptions,
  triplet,
} from './losses/margins.ts';
export type { LossOptions, Reduction } from './losses/reduction.ts';
export {
  type GaussianNllOptions,
  gaussianNll,
  type HuberOptions,
  huber,
  logCosh,
  mae,
  mse,
  type PoissonNllOptions,
  poissonNll,
  type SmoothL1Options,
  smoothL1,
} from './losses/regression.ts';
export * as metrics from './metrics/index.ts';
export {
  type BatchNormLayerOptions,
  type BatchNormState,
  batchNorm,
  foldBatchNorm,
  groupNorm,
  instanceNorm,
  layerNorm,
  type NormOptions,
  rmsNorm,
  type ScaleInitOptions,
  type ScaleParams,
} from './norms.ts';
export {
  addPositions,
  appendPositions,
  learnedPositions,
  type PositionOptions,
  type PositionParams,
  type RotaryOptions,
  rotary,
  type SinusoidalOptions,
  sinusoidalPositions,
} from './positions.ts';
export {
  type ReceptiveField,
  type ReceptiveFieldOptions,
  receptiveField,
  type SlidingWindow,
} from './receptive-field.ts';
export {
  type GruLayers,
  gru,
  lstm,
  type RecurrenceOptions,
  type RecurrentLayers,
  type RecurrentOptions,
  recurrence,
  rnn,
  type Sequenced,
  type SequenceOptions,
} from './recurrent.ts';
export { type SampleOptions, sampleSymbols } from './sampling.ts';
export {
  type CellParams,
  type Seq2SeqBatch,
  type Seq2SeqConfig,
  type Seq2SeqOptions,
  type Seq2SeqParams,
  seq2seq,
} from './seq2seq.ts';
export type { Directions, RecurrentInitOptions } from './sequence-layer.ts';
export { logSoftmax, logsumexp, type StandardizeOptions, softmax, standardize } from './softmax.ts';
export {
  type GreedyOptions,
  type TransformerConfig,
  type TransformerOptions,
  type TransformerParams,
  type TranslationBatch,
  transformer,
} from './transformer.ts';
export {
  type DecoderCall,
  type DecoderLayerParams,
  type EncoderLayerParams,
  type FeedForwardParams,
  type TransformerActivation,
  type TransformerCall,
  type TransformerLayerInitOptions,
  type TransformerLayerOptions,
  type TransformerNormParams,
  transformerDecoderLayer,
  transformerEncoderLayer,
} from './transformer-layer.ts';
export {
  stackLayers,
  type TransformerStackConfig,
  type TransformerStackInitOptions,
  type TransformerStackOptions,
  type TransformerStackParams,
  transformerDecoder,
  transformerEncoder,
} from './transformer-stack.ts';
export { patchesOf, type VitConfig, type VitOptions, type VitParams, vit } from './vit.ts';
