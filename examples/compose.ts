/**
 * Transforms compose: each takes a function and gives one, so that a program can be read before and after each of them.
 *
 * The function is a neuron, tanh(w · x). Every step prints its jaxpr and what to see in it.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, jit, makeJaxpr, np, type Tensor, vmap } from 'pullback';
import * as cli from './cli.ts';

const neuron = (w: Tensor, x: Tensor) => np.tanh(np.sum(np.mul(w, x)));

const w = np.array([0.5, -1, 2]);
const x = np.array([1, 2, 3]);
const xs = np.array([
  [1, 2, 3],
  [0, 1, 0],
]);

/** The compositions, each with its program and what to see in it. */
const compositions = () => [
  {
    name: 'neuron',
    see: 'Tracing turns the function into a program: a product, a sum, a tanh.',
    jaxpr: makeJaxpr(neuron)(w, x),
  },
  {
    name: 'grad(neuron)',
    see: 'The derivative runs forward to the tanh, then backwards: 1 − tanh² is sent through the sum and the product to w.',
    jaxpr: makeJaxpr(grad(neuron))(w, x),
  },
  {
    name: 'vmap(neuron, [null, 0])',
    see: 'The same neuron for two inputs at once: w is shared, so it is broadcast, and only the sum knows of the new axis.',
    jaxpr: makeJaxpr(vmap(neuron, [null, 0]))(w, xs),
  },
  {
    name: 'vmap(grad(neuron), [null, 0])',
    see: "One gradient for each input, without a loop: the gradient's program, batched equation by equation.",
    jaxpr: makeJaxpr(vmap(grad(neuron), [null, 0]))(w, xs),
  },
  {
    name: 'grad(sum(grad(neuron)))',
    see: 'A derivative of a derivative is nothing special: grad of a function that uses grad.',
    jaxpr: makeJaxpr(grad((w: Tensor, x: Tensor) => np.sum(grad(neuron)(w, x))))(w, x),
  },
  {
    name: 'jit(vmap(grad(neuron), [null, 0]))',
    see: 'jit makes the whole one equation with a program inside, which is compiled once and can be transformed again.',
    jaxpr: makeJaxpr(jit(vmap(grad(neuron), [null, 0])))(w, xs),
  },
  {
    name: 'grad through jit',
    see: 'Differentiating a compiled function gives two compiled programs: one forward, which hands residuals to one backward.',
    jaxpr: makeJaxpr(grad(jit(neuron)))(w, x),
  },
];

/** A composition as text: its name, what to see, the program. */
const show = ({ name, see, jaxpr }: ReturnType<typeof compositions>[number]): string => `${name}\n${see}\n\n${jaxpr}\n`;

const options = cli.commonOptions('compose');

export const example: cli.Example<typeof options> = {
  name: 'compose',
  about: 'composes grad, vmap and jit, and prints the program that each composition is.',
  options,
  body: () => {
    const programs = compositions();
    const text = programs.map(show).join('\n');
    console.log(text);
    // Whatever is composed, it is one derivative: (1 − tanh²(w·x))·x, for each x.
    const found = jit(vmap(grad(neuron), [null, 0]))(w, xs);
    const slopes = np.sub(1, np.square(np.tanh(np.matmul(xs, w))));
    const apart = np.max(np.abs(np.sub(found, np.mul(np.expandDims(slopes, 1), xs)))).item();
    return TE.of({
      numbers: { programs: programs.length, apart },
      claims: [cli.atMost('jit(vmap(grad(neuron))) against the derivative on paper', apart, 1e-6)],
      files: { 'programs.txt': text },
    });
  },
};
