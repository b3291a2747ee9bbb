/**
 * Many to many (§5.2.4, Fig. 5.6): an encoder reads a sequence to its end, a decoder writes another from what is left in the last
 * state.
 *
 * The task is to write digits backwards. All that the decoder knows is one vector, into which what was read must fit: attention (`dates`)
 * is for sequences that do not.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

const go = 10;
const config = {
  sourceVocabulary: 10,
  targetVocabulary: 11,
  embeddingSize: 16,
  hiddenSize: 64,
  attention: false,
} as const;

interface Pairs {
  readonly source: Tensor<'int32'>;
  readonly wanted: Tensor<'int32'>;
}
const drawn = (key: random.Key, count: number, length: number): Pairs => {
  const source = random.randint(key, [count, length], 0, 10);
  return { source, wanted: np.flip(source, 1) as Tensor<'int32'> };
};
/** What the decoder reads: the symbol before each that it is to write. */
const before = (wanted: Tensor<'int32'>): Tensor<'int32'> => {
  const first = np.full([wanted.shape[0]!, 1], go, { dtype: 'int32' });
  return np.concatenate([first, np.index(wanted, [], [0, -1]) as Tensor<'int32'>], 1);
};

const options = {
  ...cli.commonOptions('encoder-decoder'),
  steps: cli.count(1500, 'steps of Adam for each length', 120),
  longest: cli.countIn(8, 'digits of the longest sequences', [2, 12], 3),
};

export const example: cli.Example<typeof options> = {
  name: 'encoder-decoder',
  about: 'an encoder and a decoder write digits backwards, through one vector.',
  options,
  body: ({ longest, seed, short, steps }) => {
    const [initKey, dataKey] = random.split(random.key(seed));
    const learn = (length: number) => {
      const loss = (params: nn.Seq2SeqParams, key: random.Key): Tensor => {
        const { source, wanted } = drawn(key, 64, length);
        return nn.crossEntropy(nn.seq2seq(params, config)({ source, target: before(wanted) }), wanted);
      };
      const batches = Array.from({ length: steps }, (_, i) => random.foldIn(dataKey, i));
      const optimizer = optim.chain(optim.clipByGlobalNorm(1), optim.adam(optim.cosineDecaySchedule(0.01, steps)));
      const { params, losses } = descend(
        loss,
        nn.seq2seq.init(initKey, config),
        optimizer,
        batches,
        cli.everySteps(`${length} digits`, Math.ceil(steps / 2)),
      );
      const test = drawn(random.foldIn(dataKey, 2 ** 31), 500, length);
      const write = jit((p: nn.Seq2SeqParams, source: Tensor<'int32'>) =>
        nn.seq2seq.greedy(p, config)(source, { start: go, steps: length }),
      );
      const right = np.equal(write(params, test.source), test.wanted);
      return {
        length,
        losses,
        whole: np.mean(np.astype(np.all(right, 1), 'float32')).item(),
        digits: np.mean(np.astype(right, 'float32')).item(),
      };
    };
    const lengths = Array.from({ length: Math.ceil(longest / 2) }, (_, i) => 2 + 2 * i).filter((n) => n <= longest);
    const rows = lengths.map(learn);
    for (const { length, whole, digits } of rows)
      console.log(
        `${length} digits: ${(100 * whole).toFixed(1)} % of sequences, ${(100 * digits).toFixed(1)} % of digits right`,
      );
    return TE.of({
      numbers: Object.fromEntries(rows.map(({ length, whole }) => [`right at ${length}`, whole])),
      claims: [
        cli.atLeast('sequences of two digits right', rows[0]!.whole, short ? 0.5 : 0.99),
        ...(short ? [] : [cli.atLeast('digits right of the longest', rows.at(-1)!.digits, 0.6)]),
      ],
      files: {
        'losses.svg': lineChart({
          title: 'Digits backwards, through one vector',
          xLabel: 'step',
          yLabel: 'cross entropy',
          yScale: 'log',
          series: rows.map(({ length, losses }) => ({
            name: `${length} digits`,
            points: losses.filter((_, i) => i % 5 === 0).map((v, i) => [5 * i, v] as const),
          })),
        }),
      },
    });
  },
};
