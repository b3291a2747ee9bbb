/** Neural networks: layers, activations, losses. */

export { gelu, logSoftmax, relu, sigmoid, softmax, tanh } from './activations.ts';
export { type DenseParams, dense } from './dense.ts';
export { lecunNormal } from './initializers.ts';
export { crossEntropy, mse, oneHot } from './losses.ts';
