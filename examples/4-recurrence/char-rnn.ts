/**
 * A character network writes (§5.2.5, §5.4): a plain recurrent network and an LSTM of as many units learn to guess the next
 * character of a text, and go on with it.
 *
 * From a file, or from sentences that are generated. Each is one `scan` over time; to write, the output of a step is drawn and is
 * the input of the next.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, scan, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';
import { allWindows, corpusOf, randomWindows, type Windows } from '../shared/text.ts';

/** A cell, and how its parameters begin. */
const cells = {
  RNN: { init: nn.rnnCell.init, cell: nn.rnnCell, carry: nn.rnnCell.carry },
  LSTM: { init: nn.lstmCell.init, cell: nn.lstmCell, carry: nn.lstmCell.carry },
} as const;
type Kind = keyof typeof cells;

interface Params {
  readonly table: nn.EmbeddingParams;
  readonly cell: nn.RecurrentParams;
  readonly out: nn.DenseParams;
}

/** One step for a batch: scores of the next characters. A carry of either kind is a tree. */
const stepOf = (kind: Kind, { table, cell, out }: Params) => {
  const turn = cells[kind].cell(cell) as (carry: object, x: Tensor) => readonly [object, Tensor];
  return (carry: object, symbols: Tensor<'int32'>): readonly [object, Tensor] => {
    const [next, y] = turn(carry, nn.embedding(table)(symbols));
    return [next, nn.dense(out)(y)];
  };
};
const begin = (kind: Kind, { cell }: Params, batch: number): object => cells[kind].carry(cell, [batch]);

const lossOf =
  (kind: Kind) =>
  (params: Params, { x, y }: Windows): Tensor => {
    const [, scores] = scan(stepOf(kind, params), begin(kind, params, x.shape[0]!), np.transpose(x) as Tensor<'int32'>);
    return nn.crossEntropy(scores, np.transpose(y) as Tensor<'int32'>);
  };

/** So many characters behind a first one, each drawn from the scores. */
const write =
  (kind: Kind, count: number) =>
  (params: Params, first: Tensor<'int32'>, key: random.Key): Tensor<'int32'> => {
    const step = stepOf(kind, params);
    const go = ([carry, symbol]: readonly [object, Tensor<'int32'>], i: Tensor<'int32'>) => {
      const [next, scores] = step(carry, symbol);
      const drawn = random.categorical(random.foldIn(key, i), np.div(scores, 0.7));
      return [[next, drawn], drawn] as const;
    };
    return scan(go, [begin(kind, params, 1), first] as const, np.arange(count, { dtype: 'int32' }))[1];
  };

const options = {
  ...cli.commonOptions('char-rnn'),
  data: cli.optionalFile('file of text; sentences are generated without it'),
  steps: cli.count(1000, 'steps of each', 60),
  hidden: cli.count(128, 'units', 48),
  length: cli.countIn(64, 'characters of a window', [2, 128], 32),
};

export const example: cli.Example<typeof options> = {
  name: 'char-rnn',
  about: 'a plain recurrent network and an LSTM learn to write, character by character.',
  options,
  body: ({ data, hidden, length, seed, short, steps }) => {
    const [textKey, initKey, batchKey, writeKey] = random.split(random.key(seed), 4);
    return pipe(
      corpusOf(data, textKey!, 3000),
      TE.map(({ letters, seen, unseen }) => {
        const learn = (kind: Kind) => {
          const start: Params = {
            table: nn.embedding.init(initKey!, letters.size, 24),
            cell: cells[kind].init(random.foldIn(initKey!, 1), 24, hidden),
            out: nn.dense.init(random.foldIn(initKey!, 2), hidden, letters.size),
          };
          const optimizer = optim.chain(optim.clipByGlobalNorm(1), optim.adam(optim.cosineDecaySchedule(5e-3, steps)));
          const windows = randomWindows(batchKey!, seen, steps, 32, length);
          const { params, losses } = descend(
            lossOf(kind),
            start,
            optimizer,
            windows,
            cli.everySteps(kind, Math.ceil(steps / 5)),
          );
          const judge = jit(lossOf(kind));
          const judged = allWindows(unseen, 32, length, short ? 3 : 50).map((w) => judge(params, w).item());
          const first = np.array([letters.encode('\n')[0]!], { dtype: 'int32' });
          const text = letters.decode(
            np.ravel(jit(write(kind, short ? 60 : 300))(params, first, writeKey!)).toArray() as number[],
          );
          return { losses, nats: judged.reduce((a, b) => a + b, 0) / judged.length, text };
        };
        const [plain, lstm] = [learn('RNN'), learn('LSTM')];
        console.log(
          `held out: ${plain.nats.toFixed(3)} nats a character by the RNN, ${lstm.nats.toFixed(3)} by the LSTM, which writes:\n${lstm.text}`,
        );
        const line = (name: string, losses: readonly number[]) => ({
          name,
          points: losses.map((v, i) => [i, v] as const),
        });
        const bound = data === null ? (short ? 2.2 : 0.75) : short ? 3.3 : 1.9;
        return {
          numbers: { rnn: plain.nats, lstm: lstm.nats },
          claims: [
            cli.atMost('nats a character of the LSTM, held out', lstm.nats, bound),
            ...(short
              ? []
              : [cli.atMost("the LSTM's to the plain network's", lstm.nats / plain.nats, data === null ? 1.02 : 1)]),
          ],
          files: {
            'losses.svg': lineChart({
              title: 'Learning to write',
              xLabel: 'step',
              yLabel: 'nats a character',
              series: [line('RNN', plain.losses), line('LSTM', lstm.losses)],
            }),
            'written.txt': `${lstm.text}\n`,
          },
        };
      }),
    );
  },
};
