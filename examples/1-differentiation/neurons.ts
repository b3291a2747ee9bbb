/**
 * Two functions of the notes as graphs, with what flows forward and what flows back on every edge: f = (x + y)·z at (−2, 5, −4), of
 * Figs. 2.3 and 2.4, and the neuron σ(w₀x₀ + w₁x₁ + w₂) of Fig. 2.6.
 *
 * The downstream gradient of a node is its local gradient times the upstream one (§2.3.3). The derivatives here are those on paper.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, makeJaxpr, np, type Tensor } from 'pullback';
import { graph } from 'pullback/viz';
import * as cli from '../cli.ts';

const f = (x: Tensor, y: Tensor, z: Tensor): Tensor => np.mul(np.add(x, y), z);

const neuron = (w0: Tensor, x0: Tensor, w1: Tensor, x1: Tensor, w2: Tensor): Tensor =>
  np.div(1, np.add(1, np.exp(np.neg(np.add(np.add(np.mul(w0, x0), np.mul(w1, x1)), w2)))));

const farthest = (found: readonly Tensor[], wanted: readonly number[]): number =>
  Math.max(...found.map((x, i) => Math.abs(x.item() - wanted[i]!)));

const options = cli.commonOptions('neurons');

export const example: cli.Example<typeof options> = {
  name: 'neurons',
  about: 'draws two functions as graphs, with values forward and gradients back.',
  options,
  body: () => {
    const at = [-2, 5, -4] as const;
    const product = grad(f, { argnums: [0, 1, 2] })(...at);
    console.log(`∂f/∂(x, y, z) at (${at.join(', ')}): ${product.map((x) => x.item()).join(', ')}`);
    const weights = [2, -1, -3, -2, -3] as const;
    const slopes = grad(neuron, { argnums: [0, 1, 2, 3, 4] })(...weights);
    console.log(`∂σ/∂(w₀, x₀, w₁, x₁, w₂): ${slopes.map((x) => x.item().toFixed(4)).join(', ')}`);

    // w·x + w₂ = 1 at these weights, and σ′ = σ(1 − σ).
    const sigma = 1 / (1 + Math.exp(-1));
    const slope = sigma * (1 - sigma);
    const onPaper = [-1, 2, -2, -3, 1].map((factor) => factor * slope);
    const draw = (
      g: typeof f | typeof neuron,
      args: readonly number[],
      title: string,
      names: readonly string[],
    ): string => {
      const tensors = args.map((x) => np.array(x));
      return graph(makeJaxpr(g as (...xs: Tensor[]) => Tensor)(...tensors), { title, at: tensors, names });
    };
    return TE.of({
      numbers: { product: product.map((x) => x.item()), neuron: slopes.map((x) => x.item()) },
      claims: [
        cli.atMost('the gradient of (x + y)·z against (−4, −4, 3)', farthest(product, [-4, -4, 3]), 0),
        cli.atMost('the gradient of the neuron against that on paper', farthest(slopes, onPaper), 1e-6),
      ],
      files: {
        'product.svg': draw(f, at, '(x + y)·z', ['x', 'y', 'z']),
        'neuron.svg': draw(neuron, weights, 'σ(w₀x₀ + w₁x₁ + w₂)', ['w0', 'x0', 'w1', 'x1', 'w2']),
      },
    });
  },
};
