/**
 * The eigenvalues of a Hessian that is never formed: Lanczos' method needs its products with vectors only, which `hvp` computes for
 * the price of two gradients.
 *
 * On a network small enough the whole Hessian is formed as well, and the two agree. Most eigenvalues are near 0, a few are large:
 * the loss is flat in most directions. B. Ghorbani, S. Krishnan, Y. Xiao, "An investigation into neural net optimization via
 * Hessian eigenvalue density" (2019).
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { foriLoop, hessian, hvp, jit, nn, np, optim, random, type Tensor, tree } from 'pullback';
import { spirals } from 'pullback/data';
import { histogram, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend, times } from '../shared/descend.ts';

const network = nn.serial(
  nn.dense.layer(2, 8),
  nn.lift(np.tanh),
  nn.dense.layer(8, 8),
  nn.lift(np.tanh),
  nn.dense.layer(8, 2),
);
type Params = nn.ParamsOf<typeof network>;

/**
 * The tridiagonal matrix that Lanczos' method makes of a symmetric map in so many steps; its extreme eigenvalues come to those of the map. Vectors are
 * kept orthogonal to all before, without which rounding would find the largest again and again.
 */
function lanczos(map: (v: Tensor) => Tensor, first: Tensor, steps: number): Tensor {
  const size = first.shape[0]!;
  const unit = (v: Tensor): Tensor => np.div(v, np.linalg.norm(v));
  type State = { readonly basis: Tensor; readonly alphas: Tensor; readonly betas: Tensor; readonly v: Tensor };
  const start: State = {
    basis: np.zeros([steps, size]),
    alphas: np.zeros([steps]),
    betas: np.zeros([steps]),
    v: unit(first),
  };
  const step = (i: Tensor<'int32'>, { basis, alphas, betas, v }: State): State => {
    const known = np.at(basis, i).set(v);
    const w = map(v);
    const orthogonal = (x: Tensor): Tensor => np.sub(x, np.matmul(np.transpose(known), np.matmul(known, x)));
    const rest = orthogonal(orthogonal(w));
    const beta = np.linalg.norm(rest);
    return {
      basis: known,
      alphas: np.at(alphas, i).set(np.dot(w, v)),
      betas: np.at(betas, i).set(beta),
      v: np.div(rest, np.maximum(beta, 1e-20)),
    };
  };
  const { alphas, betas } = foriLoop(0, steps, step, start);
  const off = np.index(betas, [0, -1]) as Tensor;
  const diagonal = (values: Tensor, k: number): Tensor =>
    np.mul(np.eye(steps, steps, { k }), np.expandDims(k === 1 ? np.concatenate([values, np.zeros([1])]) : values, 1));
  const upper = diagonal(off, 1);
  return np.add(diagonal(alphas, 0), np.add(upper, np.transpose(upper)));
}

const options = {
  ...cli.commonOptions('hessian-spectrum'),
  steps: cli.count(2000, 'steps of training', 300),
  lanczos: cli.countIn(30, "steps of Lanczos' method", [5, 100]),
};

export const example: cli.Example<typeof options> = {
  name: 'hessian-spectrum',
  about: "finds the largest eigenvalues of a network's Hessian by its products with vectors.",
  options,
  body: ({ lanczos: count, seed, short, steps }) => {
    const [dataKey, initKey, firstKey] = random.split(random.key(seed), 3);
    const { x, label } = spirals(dataKey!, 200, { noise: 0.05 });
    const loss = (params: Params): Tensor => nn.crossEntropy(network.apply(params)(x), label);
    const { params } = descend(loss, network.init(initKey!), optim.adam(0.01), times(steps, null));
    const [flat, unravel] = tree.ravel(params);
    const ofVector = (v: Tensor): Tensor => loss(unravel(v) as Params);

    const product = (v: Tensor): Tensor => hvp(ofVector, [flat], [v]);
    const first = random.normal(firstKey!, flat.shape);
    const found = np.linalg.eigvalsh(jit(() => lanczos(product, first, count))());
    const whole = np.linalg.eigvalsh(jit(hessian(ofVector))(flat) as Tensor);
    const sorted = (values: Tensor): number[] => Array.from(values.dataSync()).sort((a, b) => b - a);
    const [some, all] = [sorted(found), sorted(whole)];
    const error = Math.max(...[0, 1, 2].map((i) => Math.abs(some[i]! - all[i]!))) / all[0]!;
    const small = all.filter((value) => Math.abs(value) < 0.05 * all[0]!).length / all.length;
    console.log(
      `${all.length} parameters; the largest eigenvalues ${some
        .slice(0, 3)
        .map((v) => v.toFixed(4))
        .join(', ')}`,
    );
    const ranked = (name: string, values: readonly number[]) => ({
      name,
      points: values.slice(0, 15).map((value, i) => [i + 1, value] as const),
    });
    return TE.of({
      numbers: { parameters: all.length, largest: some[0]!, error, small },
      claims: [
        cli.atMost("the three largest, by Lanczos' method and of the whole Hessian, relative", error, 1e-3),
        cli.atLeast('share of eigenvalues under a twentieth of the largest', small, short ? 0.5 : 0.7),
      ],
      files: {
        'spectrum.svg': histogram({
          title: 'All eigenvalues of the Hessian',
          xLabel: 'eigenvalue',
          groups: [{ name: 'of the trained network', values: all }],
          bins: 60,
        }),
        'largest.svg': lineChart({
          title: 'The largest eigenvalues, found in two ways',
          xLabel: 'rank',
          yLabel: 'eigenvalue',
          series: [ranked('the whole Hessian', all), ranked("Lanczos' method", some)],
        }),
      },
    });
  },
};
