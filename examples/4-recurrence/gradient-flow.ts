/**
 * How gradients flow through time (§5.3, §5.4.2): in a plain recurrent network they vanish or explode as powers of its matrix; in
 * an LSTM there is a way along the cell state that is multiplied by the forget gates only, so that they need not vanish.
 *
 * The loss looks at the last of 200 steps; ‖dL/dxₜ‖ tells what it knows of step t. With a spectral radius of 0.9 that is 0.9²⁰⁰ ≈
 * 10⁻⁹ of step 1, with 1.1 it is 10⁸. Along the cell state of an LSTM whose forget gates have the bias 4 σ(4)²⁰⁰ ≈ 0.03 is left; through its
 * other gates, which are open as well, comes more, and here grows.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, jit, nn, np, random, scan, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

const [features, size] = [4, 32];

/** A cell from a carry and an input to a carry and an output, and what it begins with. */
interface Network<C> {
  readonly cell: (carry: C, x: Tensor) => readonly [C, Tensor];
  readonly start: C;
}

/** ‖dL/dxₜ‖ for each step, of the sum of the last output. */
function flow<C extends object>({ cell, start }: Network<C>, xs: Tensor): number[] {
  const loss = (inputs: Tensor): Tensor => np.sum(np.index(scan(cell, start, inputs)[1], -1) as Tensor);
  return np.linalg.vectorNorm(jit(grad(loss))(xs), { axis: 1 }).toArray() as number[];
}

/** A plain network whose matrix is a rotation, times its spectral radius. Small inputs keep tanh where its slope is 1. */
function plain(key: random.Key, radius: number): Network<Tensor> {
  const [forW, forU] = random.split(key);
  const w = np.mul(radius, nn.initializers.orthogonal(forW, [size, size]));
  const u = np.mul(0.1, random.normal(forU, [features, size]));
  return {
    cell: (h, x) => {
      const next = np.tanh(np.add(np.matmul(h, w), np.matmul(x, u)));
      return [next, next];
    },
    start: np.zeros([size]),
  };
}

function lstm(key: random.Key, forgetBias: number): Network<nn.LstmCarry> {
  const params = nn.lstmCell.init(key, features, size, { forgetBias });
  return { cell: nn.lstmCell(params), start: nn.lstmCell.carry(params) };
}

const options = { ...cli.commonOptions('gradient-flow'), time: cli.countIn(200, 'steps', [20, 250]) };

export const example: cli.Example<typeof options> = {
  name: 'gradient-flow',
  about: 'gradients through time vanish or explode in plain recurrent networks; in an LSTM they need not vanish.',
  options,
  body: ({ seed, time }) => {
    const [cellKey, inputKey] = random.split(random.key(seed));
    // So small that the state stays where tanh is nearly linear, also when it grows.
    const xs = np.mul(1e-3, random.normal(inputKey, [time, features]));
    const flows = {
      'RNN, radius 0.9': flow(plain(cellKey, 0.9), xs),
      'RNN, radius 1': flow(plain(cellKey, 1), xs),
      'RNN, radius 1.1': flow(plain(cellKey, 1.1), np.mul(1e-9, xs)),
      'LSTM, forget bias 1': flow(lstm(cellKey, 1), xs),
      'LSTM, forget bias 4': flow(lstm(cellKey, 4), xs),
    };
    const first = (name: keyof typeof flows): number => flows[name][0]! / flows[name][time - 1]!;
    for (const [name, norms] of Object.entries(flows))
      console.log(`${name}: step 1 has ${(norms[0]! / norms.at(-1)!).toExponential(1)} of the last one's gradient`);
    const ratio = flows['LSTM, forget bias 4'][0]! / flows['RNN, radius 0.9'][0]!;
    const decay = Math.log(first('RNN, radius 0.9')) / ((time - 1) * Math.log(0.9));
    const growth = Math.log(first('RNN, radius 1.1')) / ((time - 1) * Math.log(1.1));
    return TE.of({
      numbers: { ratio, decay, growth, lstm: first('LSTM, forget bias 4') },
      claims: [
        cli.atLeast(
          'what an LSTM with forget bias 4 keeps to step 1, to what its forget gates alone keep',
          first('LSTM, forget bias 4') / (1 / (1 + Math.exp(-4))) ** (time - 1),
          1,
        ),
        cli.atLeast('gradient at step 1 of the LSTM with forget bias 4, to that of the RNN of radius 0.9', ratio, 1e3),
        { ...cli.atLeast('rate at which it vanishes, in logarithms of 0.9 a step', decay, 0.95), atMost: 1.1 },
        { ...cli.atLeast('rate at which it explodes, in logarithms of 1.1 a step', growth, 0.9), atMost: 1.05 },
      ],
      files: {
        'flow.svg': lineChart({
          title: `What the last of ${time} steps knows of each`,
          xLabel: 'step',
          yLabel: '‖dL/dxₜ‖',
          yScale: 'log',
          series: Object.entries(flows).map(([name, norms]) => ({
            name,
            points: norms.map((v, i) => [i + 1, v] as const),
          })),
        }),
      },
    });
  },
};
