/**
 * From sequence to sequence: dates as people write them become dates as computers do, character by character.
 *
 * Recurrent cells whose decoder knows the last state of the encoder only, the same looking back by attention (D. Bahdanau, K. Cho,
 * Y. Bengio, 2015), and a transformer. What the attention looked at is drawn: digits of the day look at the day, those of the month
 * at its name.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, type Tensor } from 'pullback';
import { characters, dates } from 'pullback/data';
import { attentionOverWords } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ,./-';
const letters = characters(alphabet, { specials: ['<pad>', '<go>'] });
const [go, longest, written] = [1, 'Wednesday, 30 September 2031'.length, '2031-09-30'.length];

/** Texts as rows of symbols, padded, and how many each has. */
function encoded(texts: readonly string[], length: number) {
  const rows = texts.map((text) => {
    const symbols = Array.from(letters.encode(text));
    return [...symbols, ...new Array<number>(length - symbols.length).fill(0)];
  });
  const int32 = (x: number[] | number[][]) => np.array(x, { dtype: 'int32' }) as Tensor<'int32'>;
  return { ids: int32(rows), lengths: int32(texts.map((text) => text.length)) };
}

/** So many dates, as read and as written. */
function drawn(key: random.Key, count: number) {
  const pairs = [...dates(key, count)];
  const [read, wanted] = [pairs.map(({ human }) => human), pairs.map(({ iso }) => iso)];
  const { ids: source, lengths } = encoded(read, longest);
  return { read, wanted, source, lengths, symbols: encoded(wanted, written).ids };
}

type Batch = ReturnType<typeof drawn>;

/** A model: how it scores the symbols behind those that are known, and how it writes by itself. */
interface Model<P> {
  readonly init: (key: random.Key) => P;
  readonly logits: (params: P, batch: nn.Seq2SeqBatch) => Tensor;
  readonly greedy: (params: P, source: Tensor<'int32'>, options: nn.GreedyOptions) => Tensor<'int32'>;
}

const vocabulary = { sourceVocabulary: letters.size, targetVocabulary: letters.size } as const;

function recurrent(attention: boolean): Model<nn.Seq2SeqParams> {
  const config = { ...vocabulary, embeddingSize: 16, hiddenSize: 64, bidirectional: true, attention };
  return {
    init: (key) => nn.seq2seq.init(key, config),
    logits: (params, batch) => nn.seq2seq(params, config)(batch),
    greedy: (params, source, options) => nn.seq2seq.greedy(params, config)(source, options),
  };
}

const attentive: Model<nn.TransformerParams> = (() => {
  const config = { ...vocabulary, size: 32, heads: 4, layers: 2, feedForwardSize: 64, norm: 'pre' } as const;
  return {
    init: (key) => nn.transformer.init(key, config),
    logits: (params, batch) => nn.transformer(params, config)(batch),
    greedy: (params, source, options) => nn.transformer.greedy(params, config)(source, options),
  };
})();

/** The known symbols behind the one for the beginning: at each position the one before (teacher forcing). */
const before = (symbols: Tensor<'int32'>): Tensor<'int32'> => {
  const first = np.full([symbols.shape[0]!, 1], go, { dtype: 'int32' });
  return np.concatenate([first, np.index(symbols, [], [0, -1]) as Tensor<'int32'>], 1);
};

/** Parameters after so many steps on batches of 64, and the share of held-out dates that come out right to the last character. */
function learned<P>(name: string, model: Model<P>, steps: number, key: random.Key, heldOut: Batch) {
  type Row = Pick<Batch, 'source' | 'lengths' | 'symbols'>;
  const [initKey, dataKey] = random.split(key);
  const batches = (function* (): Generator<Row> {
    for (let i = 0; i < steps; i++) {
      const { source, lengths, symbols } = drawn(random.foldIn(dataKey, i), 64);
      yield { source, lengths, symbols };
    }
  })();
  const loss = (p: P, { source, lengths, symbols }: Row): Tensor =>
    nn.crossEntropy(model.logits(p, { source, lengths, target: before(symbols) }), symbols);
  const adam = optim.adam(optim.cosineDecaySchedule(0.01, steps));
  const { params, losses } = descend(
    loss,
    model.init(initKey),
    adam,
    batches,
    cli.everySteps(name, Math.ceil(steps / 3)),
  );
  const write = jit((p: P, source: Tensor<'int32'>, lengths: Tensor<'int32'>) =>
    model.greedy(p, source, { start: go, steps: written, lengths }),
  );
  const same = np.equal(write(params, heldOut.source, heldOut.lengths), heldOut.symbols);
  const right = np.mean(np.astype(np.all(same, 1), 'float32')).item();
  console.log(`${name}, ${steps} steps: ${(100 * right).toFixed(1)} % right`);
  return { params, right, fall: losses.at(-1)! / losses[0]! };
}

const options = {
  ...cli.commonOptions('dates'),
  steps: cli.count(2500, 'steps that each model learns', 15),
  budget: cli.count(250, 'steps of the small budget', 10),
};

export const example: cli.Example<typeof options> = {
  name: 'dates',
  about: 'translates dates, character by character, with recurrent cells, with attention, and with a transformer.',
  options,
  body: ({ budget, seed, short, steps }) => {
    const [testKey, learnKey] = random.split(random.key(seed));
    const heldOut = drawn(testKey, short ? 64 : 512);
    // At a small budget, from the last state alone and looking back; then in full.
    const alone = learned('last state', recurrent(false), budget, learnKey, heldOut).right;
    const looking = learned('attention', recurrent(true), budget, learnKey, heldOut).right;
    const full = learned('attention', recurrent(true), steps, learnKey, heldOut);
    const transformer = learned('transformer', attentive, steps, learnKey, heldOut).right;

    const one = encoded([heldOut.read[0]!], heldOut.read[0]!.length);
    const target = before(encoded([heldOut.wanted[0]!], written).ids);
    const weights = nn.seq2seq.weights(full.params)({ source: one.ids, target });
    const svg = attentionOverWords({
      weights: (weights.toArray() as number[][][])[0]!,
      queries: [...heldOut.wanted[0]!],
      keys: [...heldOut.read[0]!],
      title: 'what each character looked at',
    });
    return TE.of({
      numbers: { alone, looking, attention: full.right, transformer },
      claims: short
        ? [cli.atMost('loss after a few steps, to the first', full.fall, 0.75)]
        : [
            cli.atLeast('dates right to the last character with attention', full.right, 0.99),
            cli.atLeast(
              'at the small budget, what attention gets right beyond the last state alone',
              looking - alone,
              0.05,
            ),
          ],
      files: { 'attention.svg': svg },
    });
  },
};
