/**
 * Regression by the mean square error is maximum likelihood (§3.2.1): of y = g(x) + ε with ε normal, −log P is the sum of squares
 * over 2σ², and a constant.
 *
 * The two losses have gradients that point the same way, and one minimum: that of the normal equations. The likelihood knows one
 * thing more, σ, whose best value is the root of the mean square error.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, nn, np, optim, random, type Tensor } from 'pullback';
import { scatterPlot } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend, times } from '../shared/descend.ts';

const truth = { slope: 1.7, intercept: -0.4, noise: 0.5 };

interface Line {
  readonly slope: Tensor;
  readonly intercept: Tensor;
}
const predict = ({ slope, intercept }: Line, x: Tensor): Tensor => np.add(np.mul(slope, x), intercept);

const options = { ...cli.commonOptions('likelihood'), points: cli.count(200, 'points') };

export const example: cli.Example<typeof options> = {
  name: 'likelihood',
  about: 'the mean square error and the likelihood of normal noise have one minimum.',
  options,
  body: ({ points, seed }) => {
    const [forX, forNoise] = random.split(random.key(seed));
    const x = random.uniform(forX, [points], { minval: -2, maxval: 2 });
    const clean = np.add(np.mul(truth.slope, x), truth.intercept);
    const y = np.add(clean, np.mul(truth.noise, random.normal(forNoise, [points])));

    const byError = (line: Line): Tensor => nn.mse(predict(line, x), y);
    /** −log P of all points, over their number. */
    const byLikelihood = ({ logNoise, ...line }: Line & { readonly logNoise: Tensor }): Tensor => {
      const z = np.div(np.sub(y, predict(line, x)), np.exp(logNoise));
      return np.add(np.add(np.mul(0.5, np.mean(np.square(z))), logNoise), 0.5 * Math.log(2 * Math.PI));
    };

    const start = { slope: np.array(0), intercept: np.array(0) };
    const sgd = optim.sgd(0.1);
    const line = descend((p: Line) => byError(p), start, sgd, times(200, null)).params;
    const found = descend(
      byLikelihood,
      { ...start, logNoise: np.array(0) },
      optim.sgd(0.05),
      times(1500, null),
      cli.everySteps('−log P', 500),
    ).params;

    const design = np.stack([x, np.ones([points])], 1);
    const [slope, intercept] = np.linalg.lstsq(design, y)[0].toArray() as [number, number];
    const distance = (l: Line): number => Math.hypot(l.slope.item() - slope, l.intercept.item() - intercept);
    const noise = Math.exp(found.logNoise.item());
    const residual = Math.sqrt(byError(line).item());
    // At one σ, the gradient of −log P is that of the error over 2σ².
    const [ofError, ofLikelihood] = [
      grad(byError)(start),
      grad(byLikelihood)({ ...start, logNoise: np.array(Math.log(2)) }),
    ];
    const factor = ofError.slope.item() / ofLikelihood.slope.item();
    console.log(
      `least squares ${slope.toFixed(4)} x + ${intercept.toFixed(4)}; σ ${noise.toFixed(4)}, root mean square ${residual.toFixed(4)}`,
    );
    const ends = [-2, 2];
    return TE.of({
      numbers: { slope, intercept, noise, residual, factor },
      claims: [
        cli.atMost('the minimum of the square error from the normal equations', distance(line), 1e-4),
        cli.atMost('the maximum of the likelihood from them', distance(found), 1e-3),
        cli.atMost('σ of the likelihood from the root of the mean square error', Math.abs(noise - residual), 1e-3),
        { ...cli.atLeast('ratio of the gradients at σ = 2, which is 2σ²', factor, 7.999), atMost: 8.001 },
      ],
      files: {
        'line.svg': scatterPlot({
          title: 'The likeliest line',
          xLabel: 'x',
          yLabel: 'y',
          groups: [{ name: 'observed', points: np.stack([x, y], 1) }],
          lines: [
            { name: 'likeliest', points: ends.map((v) => [v, slope * v + intercept] as const) },
            { name: 'true', points: ends.map((v) => [v, truth.slope * v + truth.intercept] as const) },
          ],
        }),
      },
    });
  },
};
