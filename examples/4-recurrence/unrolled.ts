/**
 * A recurrent network is a deep one that uses one matrix again and again (§5.2.3): the graph unrolled, and the gradient as a sum.
 *
 * Give each step a copy of W. Then dL/dW = Σₜ dL/dWₜ, the sum of Fig. 5.3; backpropagation through time is nothing else, and `grad`
 * of the loop gives it.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, makeJaxpr, np, random, scan, type Tensor } from 'pullback';
import { graph, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

const [time, size] = [12, 8];

/** hₜ = tanh(W hₜ₋₁ + U xₜ); the loss is the sum over steps of how far hₜ is from yₜ. Each step has a W of its own: float32[time, size, size]. */
const lossOf = (ws: Tensor, u: Tensor, xs: Tensor, ys: Tensor): Tensor => {
  const step = (h: Tensor, [w, x, y]: readonly [Tensor, Tensor, Tensor]): readonly [Tensor, Tensor] => {
    const next = np.tanh(np.add(np.matmul(w, h), np.matmul(u, x)));
    return [next, np.sum(np.square(np.sub(next, y)))];
  };
  return np.sum(scan(step, np.zeros([size]), [ws, xs, ys] as const)[1]);
};

/** The same with one W for all, which the loop closes over. */
const shared = (w: Tensor, u: Tensor, xs: Tensor, ys: Tensor): Tensor => {
  const step = (h: Tensor, [x, y]: readonly [Tensor, Tensor]): readonly [Tensor, Tensor] => {
    const next = np.tanh(np.add(np.matmul(w, h), np.matmul(u, x)));
    return [next, np.sum(np.square(np.sub(next, y)))];
  };
  return np.sum(scan(step, np.zeros([size]), [xs, ys] as const)[1]);
};

/** Three steps with numbers for matrices, without a loop: a graph to look at. */
const three = (w: Tensor, u: Tensor, x1: Tensor, x2: Tensor, x3: Tensor): Tensor => {
  const step = (h: Tensor, x: Tensor): Tensor => np.tanh(np.add(np.mul(w, h), np.mul(u, x)));
  return step(step(np.tanh(np.mul(u, x1)), x2), x3);
};

const options = cli.commonOptions('unrolled');

export const example: cli.Example<typeof options> = {
  name: 'unrolled',
  about: 'the unrolled graph of a recurrent network, and dL/dW as the sum over its steps.',
  options,
  body: ({ seed }) => {
    const [forW, forU, forX, forY] = random.split(random.key(seed), 4);
    const w = np.div(random.normal(forW!, [size, size]), Math.sqrt(size));
    const u = random.normal(forU!, [size, 3]);
    const [xs, ys] = [random.normal(forX!, [time, 3]), random.normal(forY!, [time, size])];
    const whole = grad(shared)(w, u, xs, ys);
    const each = grad(lossOf)(np.broadcastTo(w, [time, size, size]), u, xs, ys);
    const apart = np.div(np.max(np.abs(np.sub(np.sum(each, 0), whole))), np.max(np.abs(whole))).item();
    const norms = np.linalg.vectorNorm(each, { axis: [1, 2] }).toArray() as number[];
    console.log(`the sum over ${time} steps is the gradient: ${apart.toExponential(1)} apart`);

    const at = [0.9, 0.5, 1, -0.5, 0.3];
    const numbers = at.map((v) => np.array(v)) as [Tensor, Tensor, Tensor, Tensor, Tensor];
    // On paper: dh₃/dw = (1 − h₃²)(h₂ + w (1 − h₂²) h₁).
    const [wv, uv, x1, x2, x3] = at as [number, number, number, number, number];
    const h1 = Math.tanh(uv * x1);
    const h2 = Math.tanh(wv * h1 + uv * x2);
    const h3 = Math.tanh(wv * h2 + uv * x3);
    const onPaper = (1 - h3 ** 2) * (h2 + wv * (1 - h2 ** 2) * h1);
    const found = grad(three)(...numbers).item();
    return TE.of({
      numbers: { apart, found, onPaper },
      claims: [
        cli.atMost('the sum of the gradients of the steps against dL/dW, relative', apart, 1e-6),
        cli.atMost('dh₃/dw of three steps against that on paper', Math.abs(found - onPaper), 1e-6),
      ],
      files: {
        'graph.svg': graph(makeJaxpr(three)(...numbers), {
          title: 'Three steps of a recurrent network',
          at: numbers,
          names: ['w', 'u', 'x1', 'x2', 'x3'],
        }),
        'steps.svg': lineChart({
          title: 'What each step adds to dL/dW',
          xLabel: 'step',
          yLabel: '‖dL/dWₜ‖',
          series: [{ name: '‖dL/dWₜ‖', points: norms.map((v, i) => [i + 1, v] as const) }],
        }),
      },
    });
  },
};
