/**
 * A recurrent network of two layers (Fig. 5.11): the outputs of the first are the inputs of the second.
 *
 * `{ layers: 2 }` is exactly that, checked against two networks one behind the other. They learn the parity of the last four
 * bits, a task of stages.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

const length = 24;

interface Bits {
  readonly x: Tensor;
  readonly y: Tensor;
}
/** Random bits, and at each step the parity of the last four. */
const bits = (key: random.Key): Bits => {
  const x = np.astype(random.bernoulli(key, 0.5, [32, length + 3]), 'float32');
  const windows = [0, 1, 2, 3].map((i) => np.index(x, [], [i, i + length]) as Tensor);
  const y = np.mod(
    windows.reduce((a, b) => np.add(a, b)),
    2,
  );
  return { x: np.expandDims(np.index(x, [], [3, length + 3]) as Tensor, -1), y };
};

interface Params {
  readonly rnn: ReturnType<typeof nn.rnn.init>;
  readonly out: nn.DenseParams;
}
const init = (key: random.Key, layers: number, hidden: number): Params => ({
  rnn: nn.rnn.init(key, 1, hidden, { layers }),
  out: nn.dense.init(random.foldIn(key, 1), hidden, 1),
});
const scores = ({ rnn, out }: Params, x: Tensor): Tensor => np.squeeze(nn.dense(out)(nn.rnn(rnn)(x)[1]), -1);
/** What is before the first bits is not seen: steps from the fourth on are judged. */
const late = (x: Tensor): Tensor => np.index(x, [], [3]) as Tensor;
const lossOf = (p: Params, { x, y }: Bits): Tensor => nn.sigmoidBinaryCrossEntropy(late(scores(p, x)), late(y));

const options = { ...cli.commonOptions('two-layer'), steps: cli.count(2500, 'steps of Adam', 150) };

export const example: cli.Example<typeof options> = {
  name: 'two-layer',
  about: 'a recurrent network of two layers, against one of one.',
  options,
  body: ({ seed, short, steps }) => {
    const [initKey, dataKey] = random.split(random.key(seed));
    const { x } = bits(dataKey);
    const two = nn.rnn.init(initKey, 1, 24, { layers: 2 });
    const [below, above] = [nn.rnn([two[0]!])(x)[1], (y: Tensor) => nn.rnn([two[1]!])(y)[1]];
    const apart = np.max(np.abs(np.sub(nn.rnn(two)(x)[1], above(below)))).item();

    const batches = Array.from({ length: steps }, (_, i) => random.foldIn(dataKey, i));
    const learn = (name: string, start: Params) => {
      const loss = (p: Params, key: random.Key): Tensor => lossOf(p, bits(key));
      const { params, losses } = descend(
        loss,
        start,
        optim.chain(optim.clipByGlobalNorm(1), optim.adam(optim.cosineDecaySchedule(5e-3, steps))),
        batches,
        cli.everySteps(name, Math.ceil(steps / 4)),
      );
      const test = bits(random.foldIn(dataKey, 2 ** 31));
      const hits = np.equal(np.greater(late(scores(params, test.x)), 0), np.greater(late(test.y), 0.5));
      return { losses, accuracy: np.mean(np.astype(hits, 'float32')).item(), size: nn.parameterCount(start) };
    };
    const one = learn('one layer', init(initKey, 1, 42));
    const both = learn('two layers', init(initKey, 2, 24));
    console.log(
      `bits right: ${one.accuracy.toFixed(3)} by one layer (${one.size} parameters), ${both.accuracy.toFixed(3)} by two (${both.size})`,
    );
    const line = (name: string, losses: readonly number[]) => ({
      name,
      points: losses.filter((_, i) => i % 5 === 0).map((v, i) => [5 * i, v] as const),
    });
    return TE.of({
      numbers: { apart, one: one.accuracy, two: both.accuracy },
      claims: [
        cli.atMost('two layers against two networks one behind the other', apart, 1e-6),
        ...(short ? [] : [cli.atLeast('parities right by two layers', both.accuracy, 0.97)]),
      ],
      files: {
        'losses.svg': lineChart({
          title: 'The parity of four bits',
          xLabel: 'step',
          yLabel: 'cross entropy',
          series: [
            line(`one layer, ${one.size} parameters`, one.losses),
            line(`two layers, ${both.size}`, both.losses),
          ],
        }),
      },
    });
  },
};
