/**
 * RealNVP: a flow from a Gaussian to two moons that is inverted exactly, so that every point has an exact likelihood.
 *
 * A coupling layer scales and shifts one coordinate by functions of the other: its inverse is as cheap, its Jacobian triangular,
 * and log p(x) = log N(f(x)) + log|det ∂f/∂x|. L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP" (2017).
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jacfwd, jit, nn, np, optim, random, type Tensor, vmap } from 'pullback';
import { twoMoons } from 'pullback/data';
import { contourPlot, scatterPlot } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

const net = nn.serial(
  nn.dense.layer(1, 64),
  nn.lift(np.tanh),
  nn.dense.layer(64, 64),
  nn.lift(np.tanh),
  nn.dense.layer(64, 2),
);
type Coupling = nn.ParamsOf<typeof net>;
const layers = 8;
const init = (key: random.Key): readonly Coupling[] =>
  Array.from({ length: layers }, (_, i) => net.init(random.foldIn(key, i)));

const column = (x: Tensor, i: number): Tensor => np.index(x, [], i) as Tensor;
/** Scale (its logarithm, kept within 2) and shift of the one coordinate, from the other. */
const scaleShift = (p: Coupling, other: Tensor): readonly [Tensor, Tensor] => {
  const y = net.apply(p)(np.expandDims(other, 1));
  return [np.mul(2, np.tanh(column(y, 0))), column(y, 1)];
};
const paired = (moved: Tensor, kept: Tensor, at: number): Tensor =>
  np.stack(at === 0 ? [moved, kept] : [kept, moved], 1);

/** From data to noise, and the logarithm of the determinant: float32[n, 2] → float32[n, 2], float32[n]. */
function forward(params: readonly Coupling[], x: Tensor): readonly [Tensor, Tensor] {
  return params.reduce<readonly [Tensor, Tensor]>(
    ([y, logDet], p, i) => {
      const [at, other] = [i % 2, column(y, 1 - (i % 2))];
      const [scale, shift] = scaleShift(p, other);
      return [paired(np.add(np.mul(column(y, at), np.exp(scale)), shift), other, at), np.add(logDet, scale)];
    },
    [x, np.zeros([x.shape[0]!])],
  );
}

/** From noise to data. */
const inverse = (params: readonly Coupling[], z: Tensor): Tensor =>
  params.reduceRight<Tensor>((y, p, i) => {
    const [at, other] = [i % 2, column(y, 1 - (i % 2))];
    const [scale, shift] = scaleShift(p, other);
    return paired(np.mul(np.sub(column(y, at), shift), np.exp(np.neg(scale))), other, at);
  }, z);

/** log p(x), in nats: float32[n]. */
const logDensity = (params: readonly Coupling[], x: Tensor): Tensor => {
  const [z, logDet] = forward(params, x);
  return np.add(np.sub(np.mul(-0.5, np.sum(np.square(z), 1)), Math.log(2 * Math.PI)), logDet);
};

const options = { ...cli.commonOptions('realnvp'), steps: cli.count(3000, 'steps of Adam', 80) };

export const example: cli.Example<typeof options> = {
  name: 'realnvp',
  about: 'a flow with exact likelihoods learns two moons.',
  options,
  body: ({ seed, short, steps }) => {
    const [seenKey, unseenKey, initKey, drawKey] = random.split(random.key(seed), 4);
    const moons = (key: random.Key, n: number): Tensor => twoMoons(key, n, { noise: 0.1 }).x;
    const [seen, unseen] = [moons(seenKey!, 4000), moons(unseenKey!, 2000)];
    const loss = (p: readonly Coupling[], key: random.Key): Tensor =>
      np.neg(np.mean(logDensity(p, np.take(seen, random.randint(key, [256], 0, 4000), 0))));
    const keys = Array.from({ length: steps }, (_, i) => random.foldIn(drawKey!, i));
    const optimizer = optim.chain(optim.clipByGlobalNorm(1), optim.adam(optim.cosineDecaySchedule(3e-3, steps)));
    const { params } = descend(loss, init(initKey!), optimizer, keys, cli.everySteps('−log p', Math.ceil(steps / 4)));

    const flow = np.mean(jit(logDensity)(params, unseen)).item();
    // The Gaussian of maximum likelihood: the mean of −log N over unseen points.
    const centre = np.mean(seen, 0);
    const covariance = np.div(np.matmul(np.transpose(np.sub(seen, centre)), np.sub(seen, centre)), 4000);
    const off = np.sub(unseen, centre);
    const distances = np.sum(np.mul(off, np.transpose(np.linalg.solve(covariance, np.transpose(off)))), 1);
    const gaussian =
      -0.5 * np.mean(distances).item() -
      0.5 * (np.linalg.slogdet(covariance)[1] as Tensor).item() -
      Math.log(2 * Math.PI);
    console.log(`held out, nats a point: ${flow.toFixed(3)} by the flow, ${gaussian.toFixed(3)} by a Gaussian`);

    const some = np.index(unseen, [0, 50]) as Tensor;
    const [z, logDet] = forward(params, some);
    const roundTrip = np.max(np.abs(np.sub(inverse(params, z), some))).item();
    const jacobians = vmap(jacfwd((x: Tensor) => np.index(forward(params, np.expandDims(x, 0))[0], 0) as Tensor))(some);
    const determinants = np.max(np.abs(np.sub(np.linalg.slogdet(jacobians)[1] as Tensor, logDet))).item();
    // The density is one: a sum over a fine grid.
    const axis = np.linspace(-4, 5, 301);
    const grid = np.reshape(
      np.stack([np.broadcastTo(np.expandDims(axis, 1), [301, 301]), np.broadcastTo(axis, [301, 301])], -1),
      [-1, 2],
    );
    const mass = np.sum(np.exp(jit(logDensity)(params, grid))).item() * (9 / 300) ** 2;
    const samples = inverse(params, random.normal(drawKey!, [1000, 2]));
    return TE.of({
      numbers: { flow, gaussian, gain: flow - gaussian, roundTrip, determinants, mass },
      claims: [
        cli.atLeast('nats a point beyond a fitted Gaussian, held out', flow - gaussian, short ? 0.1 : 0.5),
        cli.atMost('data → noise → data', roundTrip, 1e-3),
        cli.atMost('log-determinants against those of the Jacobian', determinants, 1e-3),
        cli.atMost('the integral of the density, from 1', Math.abs(mass - 1), 0.02),
      ],
      files: {
        'samples.svg': scatterPlot({
          title: 'Data, and samples of the flow',
          xLabel: 'x₁',
          yLabel: 'x₂',
          groups: [
            { name: 'data', points: np.index(unseen, [0, 1000]) as Tensor },
            { name: 'samples', points: samples },
          ],
        }),
        'density.svg': contourPlot({
          title: 'The logarithm of the density',
          f: (points) => np.maximum(logDensity(params, points), -12),
          x: [-1.8, 2.8],
          y: [-1.3, 1.8],
          xLabel: 'x₁',
          yLabel: 'x₂',
        }),
      },
    });
  },
};
