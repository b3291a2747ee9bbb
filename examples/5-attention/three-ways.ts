/**
 * Three ways to read a sequence (§6.6.1): a recurrent network, a one-dimensional convolution, and self-attention, on one task.
 *
 * Each symbol of the sequence is a name with a value; the last one asks for a name, wherever it was. The recurrent network must
 * carry everything along, the convolution sees its window only, attention looks it up.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

/** Sixteen places with a name and a value each, as one of 128 symbols; then one of 16 symbols that ask for a name. */
const [pairs, values, size] = [16, 8, 32];
const length = pairs + 1;
const symbols = pairs * values + pairs;

interface Lookups {
  readonly x: Tensor<'int32'>;
  readonly y: Tensor<'int32'>;
}
const lookups = (key: random.Key, count: number): Lookups => {
  const [orderKey, valueKey, askKey] = random.split(key, 3);
  const names = np.argsort(random.uniform(orderKey!, [count, pairs]), 1) as Tensor<'int32'>;
  const found = random.randint(valueKey!, [count, pairs], 0, values);
  const asked = random.randint(askKey!, [count, 1], 0, pairs);
  const body = np.add(np.mul(names, values), found);
  const question = np.add(np.takeAlongAxis(names, asked, 1), pairs * values);
  return {
    x: np.concatenate([body, question], 1) as Tensor<'int32'>,
    y: np.squeeze(np.takeAlongAxis(found, asked, 1), 1) as Tensor<'int32'>,
  };
};

const table = (key: random.Key) => nn.embedding.init(key, symbols, size);
const head = (key: random.Key) => nn.dense.init(key, size, values);

/** A network: from symbols to the scores of the answer, read at the last step. */
interface Way<P> {
  readonly name: string;
  readonly init: (key: random.Key) => P;
  readonly scores: (params: P, x: Tensor<'int32'>) => Tensor;
}

const recurrent: Way<ReturnType<typeof recurrentInit>> = {
  name: 'GRU',
  init: (key) => recurrentInit(key),
  scores: (p, x) => nn.dense(p.out)(np.index(nn.gru(p.cell)(nn.embedding(p.table)(x))[1], [], -1) as Tensor),
};
function recurrentInit(key: random.Key) {
  return {
    table: table(key),
    cell: nn.gru.init(random.foldIn(key, 1), size, size, { layers: 2 }),
    out: head(random.foldIn(key, 2)),
  };
}

const convolutional: Way<ReturnType<typeof convolutionalInit>> = {
  name: 'convolution',
  init: (key) => convolutionalInit(key),
  scores: (p, x) => {
    const end = p.convs.reduce<Tensor>(
      (y, conv) => np.add(y, nn.relu(nn.conv(conv, { padding: 'SAME' })(y))),
      nn.embedding(p.table)(x),
    );
    return nn.dense(p.out)(np.index(end, [], -1) as Tensor);
  },
};
function convolutionalInit(key: random.Key) {
  return {
    table: table(key),
    convs: [1, 2, 3].map((i) => nn.conv.init(random.foldIn(key, i), [5], size, size)),
    out: head(random.foldIn(key, 9)),
  };
}

const attentive: Way<ReturnType<typeof attentiveInit>> = {
  name: 'self-attention',
  init: (key) => attentiveInit(key),
  scores: (p, x) => {
    const placed = nn.learnedPositions(p.positions)(nn.embedding(p.table)(x));
    return nn.dense(p.out)(np.index(nn.transformerEncoder(p.stack)(placed), [], -1) as Tensor);
  },
};
function attentiveInit(key: random.Key) {
  return {
    table: table(key),
    positions: nn.learnedPositions.init(random.foldIn(key, 1), length, size),
    stack: nn.transformerEncoder.init(random.foldIn(key, 2), { size, heads: 4, layers: 2, feedForwardSize: 64 }),
    out: head(random.foldIn(key, 3)),
  };
}

const options = { ...cli.commonOptions('three-ways'), steps: cli.count(2500, 'steps of Adam', 25) };

export const example: cli.Example<typeof options> = {
  name: 'three-ways',
  about: 'a recurrent network, a convolution and self-attention look up what stands behind a name.',
  options,
  body: ({ seed, short, steps }) => {
    const [initKey, dataKey] = random.split(random.key(seed));
    const test = lookups(random.foldIn(dataKey, 2 ** 31), 1000);
    const learn = <P>({ name, init, scores }: Way<P>) => {
      const loss = (params: P, key: random.Key): Tensor => {
        const { x, y } = lookups(key, 64);
        return nn.crossEntropy(scores(params, x), y);
      };
      const batches = Array.from({ length: steps }, (_, i) => random.foldIn(dataKey, i));
      const { params, losses } = descend(
        loss,
        init(initKey),
        optim.adam(optim.warmupCosineDecaySchedule(0, 3e-3, Math.ceil(steps / 10), steps)),
        batches,
        cli.everySteps(name, Math.ceil(steps / 4)),
      );
      const hits = np.equal(np.argmax(scores(params, test.x), 1), test.y);
      return { name, losses, accuracy: np.mean(np.astype(hits, 'float32')).item() };
    };
    const rows = [learn(recurrent), learn(convolutional), learn(attentive)];
    for (const { name, accuracy } of rows) console.log(`${name}: ${(100 * accuracy).toFixed(1)} % right`);
    const [gru, conv, attention] = rows.map(({ accuracy }) => accuracy) as [number, number, number];
    return TE.of({
      numbers: { gru, convolution: conv, attention },
      claims: short
        ? [cli.atMost('loss of self-attention, to that of a guess', rows[2]!.losses.at(-1)! / Math.log(8), 1.1)]
        : [
            cli.atLeast('answers right by self-attention', attention, 0.95),
            cli.atLeast('what it gets right beyond the convolution, which does not see so far', attention - conv, 0.2),
          ],
      files: {
        'losses.svg': lineChart({
          title: 'Looking up a name',
          xLabel: 'step',
          yLabel: 'cross entropy',
          series: rows.map(({ name, losses }) => ({
            name,
            points: losses.filter((_, i) => i % 10 === 0).map((v, i) => [10 * i, v] as const),
          })),
        }),
      },
    });
  },
};
