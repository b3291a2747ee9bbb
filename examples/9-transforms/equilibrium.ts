/**
 * A layer that is defined by an equation: its output z solves z = tanh(Wz + Ux + b), however it is found.
 *
 * `customRoot` differentiates the equation, not the iteration: the gradient costs a linear solve, no step is kept, and it is that
 * through a hundred unrolled steps. S. Bai, J. Z. Kolter, V. Koltun, "Deep equilibrium models" (2019).
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import {
  customRoot,
  foriLoop,
  grad,
  jit,
  makeJaxpr,
  nn,
  np,
  optim,
  peakLiveBytes,
  random,
  type Tensor,
  tree,
  vmap,
  whileLoop,
} from 'pullback';
import { twoMoons } from 'pullback/data';
import { decisionBoundary, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend, times } from '../shared/descend.ts';

const hidden = 16;
interface Params {
  readonly w: Tensor;
  readonly u: Tensor;
  readonly b: Tensor;
  readonly out: nn.DenseParams;
}

function init(key: random.Key): Params {
  const [w, u, out] = random.split(key, 3);
  return {
    w: np.mul(0.3, nn.initializers.orthogonal(w!, [hidden, hidden])),
    u: random.normal(u!, [2, hidden]),
    b: np.zeros([hidden]),
    out: nn.dense.init(out!, hidden, 2),
  };
}

/** One turn of the equation for one input. The norm of W is kept under 1, so that there is one solution. */
function turn({ w, u, b }: Params, z: Tensor, x: Tensor): Tensor {
  const scale = np.minimum(1, np.div(0.9, np.linalg.norm(w)));
  return np.tanh(np.add(np.add(np.matmul(z, np.mul(scale, w)), np.matmul(x, u)), b));
}

/** The solution by turning until it stands. */
function settled(f: (z: Tensor) => Tensor, start: Tensor): Tensor {
  type State = { readonly z: Tensor; readonly change: Tensor; readonly turns: Tensor<'int32'> };
  const more = ({ change, turns }: State): Tensor<'bool'> =>
    np.logicalAnd(np.greater(change, 1e-6), np.less(turns, 200));
  const again = ({ z, turns }: State): State => {
    const next = f(z);
    return { z: next, change: np.max(np.abs(np.sub(next, z))), turns: np.add(turns, 1) as Tensor<'int32'> };
  };
  return whileLoop(more, again, { z: start, change: np.array(1), turns: np.array(0, { dtype: 'int32' }) }).z;
}

/** The solution, differentiated through the equation; and the same through so many turns. */
const equilibrium = (params: Params, x: Tensor): Tensor => {
  const residual = (z: Tensor): Tensor => np.sub(turn(params, z, x), z);
  return customRoot(
    residual,
    np.zeros([hidden]),
    (f, z) => settled((y) => np.add(f(y), y), z),
    (linear, y) => np.linalg.solve(vmap(linear, 0, 1)(np.eye(hidden)), y),
  );
};

const unrolled =
  (steps: number) =>
  (params: Params, x: Tensor): Tensor =>
    foriLoop(0, steps, (_, z: Tensor) => turn(params, z, x), np.zeros([hidden]));

const scores =
  (layer: typeof equilibrium) =>
  (params: Params, x: Tensor): Tensor =>
    nn.dense(params.out)(vmap(layer, [null, 0])(params, x));

const options = { ...cli.commonOptions('equilibrium'), steps: cli.count(250, 'steps of Adam', 40) };

export const example: cli.Example<typeof options> = {
  name: 'equilibrium',
  about: 'a layer that solves an equation, and is differentiated through the equation.',
  options,
  body: ({ seed, short, steps }) => {
    const [dataKey, initKey] = random.split(random.key(seed));
    const { x, label } = twoMoons(dataKey, 200, { noise: 0.15 });
    const start = init(initKey);
    const lossBy =
      (layer: typeof equilibrium) =>
      (params: Params): Tensor =>
        nn.crossEntropy(scores(layer)(params, x), label);
    const vectorOf = (layer: typeof equilibrium): Tensor => tree.ravel(jit(grad(lossBy(layer)))(start))[0];
    const implicit = vectorOf(equilibrium);
    const depths = [1, 2, 4, 8, 16, 32, 64];
    const differences = depths.map((n) => {
      const difference = np.sub(vectorOf(unrolled(n)), implicit);
      return np.div(np.linalg.norm(difference), np.linalg.norm(implicit)).item();
    });
    const bytes = (layer: typeof equilibrium): number => peakLiveBytes(makeJaxpr(grad(lossBy(layer)))(start).jaxpr);
    const memory = bytes(unrolled(256)) / bytes(equilibrium);
    console.log(
      `unrolled 64 times it is ${differences.at(-1)!.toExponential(1)} away; 256 times it holds ${memory.toFixed(1)} × the memory`,
    );

    const { params } = descend(
      lossBy(equilibrium),
      start,
      optim.adam(0.02),
      times(steps, null),
      cli.everySteps('loss', Math.ceil(steps / 5)),
    );
    const found = scores(equilibrium)(params, x);
    const accuracy = np.mean(np.astype(np.equal(np.argmax(found, 1), label), 'float32')).item();
    return TE.of({
      numbers: { away: differences.at(-1)!, memory, accuracy },
      claims: [
        cli.atMost('the gradient against that through 64 turns, relative', differences.at(-1)!, 1e-4),
        cli.atLeast('memory of 256 turns, to that of the equation', memory, 2),
        cli.atLeast('moons told apart', accuracy, short ? 0.85 : 0.97),
      ],
      files: {
        'boundary.svg': decisionBoundary({
          title: 'Two moons, by a layer of one equation',
          scores: (points) => scores(equilibrium)(params, points),
          points: x,
          labels: Array.from(label.dataSync()),
          resolution: 80,
        }),
        'unrolled.svg': lineChart({
          title: 'Gradients through turns, beside that of the equation',
          xLabel: 'turns',
          yLabel: 'relative difference',
          xScale: 'log',
          yScale: 'log',
          series: [{ name: 'unrolled', points: depths.map((n, i) => [n, differences[i]!]) }],
        }),
      },
    });
  },
};
