/**
 * Hamiltonian Monte Carlo: samples of a posterior, by the gradient of its logarithm, for sixteen chains at once.
 *
 * Bayesian linear regression, whose posterior is a Gaussian that is known: the samples have its mean and its covariance. A chain is
 * a `scan` of leapfrogs within a `scan` of proposals, and `vmap` makes it sixteen. R. Neal, "MCMC using Hamiltonian dynamics"
 * (2011).
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { foriLoop, grad, jit, np, random, scan, type Tensor, vmap } from 'pullback';
import { scatterPlot } from 'pullback/viz';
import * as cli from '../cli.ts';

type LogDensity = (x: Tensor) => Tensor;
const leapfrogs = 12;

/** One proposal: a momentum is drawn, the two are moved as a body is, and the end is accepted as Metropolis has it. */
const proposal =
  (logDensity: LogDensity, stepSize: number) =>
  (position: Tensor, key: random.Key): readonly [Tensor, { readonly position: Tensor; readonly accepted: Tensor }] => {
    const [momentumKey, acceptKey] = random.split(key);
    const force = grad(logDensity);
    const momentum = random.normal(momentumKey, position.shape);
    const half = (q: Tensor, p: Tensor): Tensor => np.add(p, np.mul(stepSize / 2, force(q)));
    const leapfrog = (_: unknown, [q, p]: readonly [Tensor, Tensor]): readonly [Tensor, Tensor] => {
      const middle = half(q, p);
      const moved = np.add(q, np.mul(stepSize, middle));
      return [moved, half(moved, middle)];
    };
    const [end, last] = foriLoop(0, leapfrogs, leapfrog, [position, momentum] as const);
    const energy = (q: Tensor, p: Tensor): Tensor => np.sub(np.mul(0.5, np.sum(np.square(p))), logDensity(q));
    const gain = np.sub(energy(position, momentum), energy(end, last));
    const accepted = np.less(np.log(random.uniform(acceptKey, [])), gain);
    const next = np.where(accepted, end, position) as Tensor;
    return [next, { position: next, accepted: np.astype(accepted, 'float32') }];
  };

/** y = 1.5 − 0.7 x with noise of deviation 0.4, at twenty places. */
function observed(key: random.Key): { readonly design: Tensor; readonly y: Tensor } {
  const x = np.linspace(-1, 2, 20);
  const design = np.stack([np.ones([20]), x], 1);
  return { design, y: np.add(np.matmul(design, np.array([1.5, -0.7])), np.mul(0.4, random.normal(key, [20]))) };
}

const options = {
  ...cli.commonOptions('hmc'),
  chains: cli.count(16, 'chains'),
  samples: cli.countIn(1000, 'samples of each', [50, 100_000], 200),
};

export const example: cli.Example<typeof options> = {
  name: 'hmc',
  about: 'samples the posterior of a regression by Hamiltonian Monte Carlo, and holds them against its closed form.',
  options,
  body: ({ chains, samples, seed, short }) => {
    const [dataKey, startKey, runKey] = random.split(random.key(seed), 3);
    const { design, y } = observed(dataKey!);
    const noise = 0.4 ** 2;
    const logPosterior: LogDensity = (w) =>
      np.sub(np.div(np.sum(np.square(np.sub(np.matmul(design, w), y))), -2 * noise), np.mul(0.5, np.sum(np.square(w))));
    const warmUp = Math.ceil(samples / 4);
    const chain = (start: Tensor, key: random.Key) => {
      const keys = np.stack(random.split(key, samples + warmUp));
      return scan(proposal(logPosterior, 0.08), start, keys)[1];
    };
    const starts = np.mul(3, random.normal(startKey!, [chains, 2]));
    const runs = jit(vmap(chain))(starts, np.stack(random.split(runKey!, chains)));
    const kept = np.reshape(np.index(runs.position, [], [warmUp]) as Tensor, [-1, 2]);
    const acceptance = np.mean(runs.accepted).item();

    // The posterior of a Gaussian prior and Gaussian noise: precision XᵀX/σ² + 1, mean Σ Xᵀy/σ².
    const precision = np.add(np.div(np.matmul(np.transpose(design), design), noise), np.eye(2));
    const covariance = np.linalg.inv(precision);
    const mean = np.matmul(covariance, np.div(np.matmul(np.transpose(design), y), noise));
    const deviations = np.sqrt(np.diagonal(covariance));
    const centred = np.sub(kept, np.mean(kept, 0));
    const found = np.div(np.matmul(np.transpose(centred), centred), kept.shape[0]! - 1);
    const meanError = np.max(np.abs(np.div(np.sub(np.mean(kept, 0), mean), deviations))).item();
    const scale = np.outer(deviations, deviations);
    const covarianceError = np.max(np.abs(np.div(np.sub(found, covariance), scale))).item();
    console.log(`${kept.shape[0]} samples, ${(100 * acceptance).toFixed(1)} % of proposals accepted`);
    return TE.of({
      numbers: { acceptance, meanError, covarianceError },
      claims: [
        cli.atMost('error of the mean, in deviations', meanError, short ? 0.1 : 0.04),
        cli.atMost('error of the covariance, relative', covarianceError, short ? 0.15 : 0.06),
        cli.atLeast('proposals accepted', acceptance, 0.8),
      ],
      files: {
        'posterior.svg': scatterPlot({
          title: 'Samples of the posterior, and two of its standard deviations',
          xLabel: 'intercept',
          yLabel: 'slope',
          groups: [{ name: 'samples', points: np.index(kept, [0, null, Math.ceil(kept.shape[0]! / 1500)]) as Tensor }],
          lines: [{ name: 'the true ellipse', points: ellipse(mean, np.linalg.cholesky(covariance)) }],
        }),
      },
    });
  },
};

/** Two standard deviations around the mean: m + 2 L (cos t, sin t). */
function ellipse(mean: Tensor, factor: Tensor): readonly (readonly [number, number])[] {
  const t = np.linspace(0, 2 * Math.PI, 101);
  const circle = np.mul(2, np.stack([np.cos(t), np.sin(t)]));
  const points = np.transpose(np.add(np.expandDims(mean, 1), np.matmul(factor, circle)));
  return points.toArray() as [number, number][];
}
