/**
 * Implicit differentiation: Kepler's equation E − e·sin E = M has no closed solution, but its root has a derivative.
 *
 * The position of a planet follows from the root E, which a fixed-point iteration finds in as many steps as it needs. From noisy
 * distances the eccentricity e of the orbit is fitted by gradients, which `customRoot` takes at the root: they do not pass through
 * the iteration, and so cost one step of it and not all.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { customRoot, foriLoop, grad, jit, np, random, type Tensor, valueAndGrad, whileLoop } from 'pullback';
import * as cli from './cli.ts';

/** One step of the iteration E ← M + e·sin E, a contraction as e < 1. */
const step =
  (e: Tensor, mean: Tensor) =>
  (anomaly: Tensor): Tensor =>
    np.add(mean, np.mul(e, np.sin(anomaly)));

/** E, for all mean anomalies M at once, until no element moves by more than 10⁻⁵. */
const anomalies = (e: Tensor, mean: Tensor): Tensor =>
  customRoot(
    (anomaly: Tensor) => np.sub(step(e, mean)(anomaly), anomaly),
    mean,
    (f, initial) =>
      whileLoop(
        (s: { readonly at: Tensor; readonly moved: Tensor }) => np.greater(s.moved, 1e-5),
        ({ at }) => {
          const by = f(at);
          return { at: np.add(at, by), moved: np.max(np.abs(by)) };
        },
        { at: initial, moved: np.array(1) },
      ).at,
    // The equations do not touch one another, so ∂f/∂E is diagonal.
    (slope, y) => np.div(y, slope(np.ones(mean.shape))),
  );

/** The distance from the sun, in units of the orbit's half axis. */
const distances = (e: Tensor, anomaly: Tensor): Tensor => np.sub(1, np.mul(e, np.cos(anomaly)));

const truth = 0.6;

/** Distances at 64 times of an orbit, measured with errors of a hundredth. */
function observations(key: Tensor<'uint32'>) {
  const mean = np.linspace(0, 2 * Math.PI, 64, { endpoint: false }) as Tensor;
  const noise = np.mul(0.01, random.normal(key, [64])) as Tensor;
  return { mean, measured: np.add(distances(np.array(truth), anomalies(np.array(truth), mean)), noise) };
}

const options = cli.commonOptions('kepler');

export const example: cli.Example<typeof options> = {
  name: 'kepler',
  about: "fits the eccentricity of an orbit through the roots of Kepler's equation, by implicit differentiation.",
  options,
  body: () => {
    const { mean, measured } = observations(random.key(0));
    const lossOf = (solve: typeof anomalies) => (e: Tensor) =>
      np.mean(np.square(np.sub(distances(e, solve(e, mean)), measured)));
    const unrolled = (e: Tensor, m: Tensor): Tensor => foriLoop(0, 40, (_, anomaly) => step(e, m)(anomaly), m);

    const start = np.array(0.2);
    const [implicit, through] = [lossOf(anomalies), lossOf(unrolled)].map((loss) => grad(loss)(start).item());
    const lines = [`gradient at e = 0.2: ${implicit!.toFixed(6)} at the root, ${through!.toFixed(6)} through 40 steps`];

    const both = jit(valueAndGrad(lossOf(anomalies)));
    let e = start;
    for (let i = 0; i <= 40; i++) {
      const [loss, slope] = both(e);
      if (i % 10 === 0) lines.push(`step ${i}: e = ${e.item().toFixed(4)}, loss ${loss.item().toExponential(2)}`);
      e = np.sub(e, np.mul(0.25, slope));
    }
    lines.push(`the orbit's eccentricity is ${truth}`);
    const text = `${lines.join('\n')}\n`;
    console.log(text);
    const error = Math.abs(e.item() - truth);
    return TE.of({
      numbers: { eccentricity: e.item(), error, implicit: implicit!, unrolled: through! },
      claims: [
        cli.atMost('error of the eccentricity', error, 0.01),
        cli.atMost('implicit gradient against that through all steps', Math.abs(implicit! - through!), 1e-5),
      ],
      files: { 'fit.txt': text },
    });
  },
};
