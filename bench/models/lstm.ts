/** A long short-term memory that reads a sequence and classifies it by its last state. The loop is one equation, by `scan`. */

import { nn, np, optim, scan, type Tensor } from 'pullback';
import type { Dense } from './parts.ts';

const { dense, sigmoid } = nn;

/** The weights of the input and of the state, each for four gates, and the classifier. */
export interface Params {
  /** float32[inputs, 4·hidden] */
  readonly wx: Tensor;
  /** float32[hidden, 4·hidden] */
  readonly wh: Tensor;
  /** float32[4·hidden] */
  readonly b: Tensor;
  readonly out: Dense;
}

interface State {
  readonly h: Tensor;
  readonly c: Tensor;
}

const cell =
  ({ wx, wh, b }: Params) =>
  (state: State, x: Tensor): readonly [State, null] => {
    const gates = np.add(np.add(np.matmul(x, wx), np.matmul(state.h, wh)), b);
    const [input, forget, update, output] = np.split(gates, 4, 1) as [Tensor, Tensor, Tensor, Tensor];
    const c = np.add(np.mul(sigmoid(forget), state.c), np.mul(sigmoid(input), np.tanh(update)));
    return [{ h: np.mul(sigmoid(output), np.tanh(c)), c }, null];
  };

/** Scores of the classes: float32[steps, batch, inputs] → float32[batch, classes]. */
export const model = (p: Params) => (x: Tensor) => {
  const zeros = np.zeros([x.shape[1]!, p.wh.shape[0]!]);
  const [last] = scan(cell(p), { h: zeros, c: zeros }, x);
  return dense(p.out)(last.h);
};

/** Mean cross entropy of a batch. */
export const loss = (p: Params, x: Tensor, labels: Tensor<'int32'>) => nn.crossEntropy(model(p)(x), labels);

/** How it learns. */
export const optimizer = optim.sgd(0.1);
