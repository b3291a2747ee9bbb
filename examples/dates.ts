/**
 * From sequence to sequence: dates as people write them become dates as computers do, character by character.
 *
 * Three models learn the same: recurrent cells whose decoder knows the last state of the encoder only, the same looking back by
 * attention, and a transformer. What the attention looked at is drawn: digits of the day look at the day, those of the month at its name.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, type Tensor, train, valueAndGrad } from 'pullback';
import { characters, dates } from 'pullback/data';
import { attentionOverWords } from 'pullback/viz';
import * as cli from './cli.ts';

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
  const config = { ...vocabulary, embeddingSize: 16, hiddenSize: 48, bidirectional: true, attention };
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
function learned<P>(model: Model<P>, steps: number, heldOut: Batch): { readonly params: P; readonly right: number } {
  const adam = optim.adam(optim.cosineDecaySchedule(0.01, steps));
  const start = model.init(random.key(1));
  type Carry = { readonly params: P; readonly state: ReturnType<typeof adam.init> };
  type Row = Pick<Batch, 'source' | 'lengths' | 'symbols'>;
  const step = ({ params, state }: Carry, { source, lengths, symbols }: Row): readonly [Carry, Tensor] => {
    const loss = (p: P): Tensor =>
      nn.crossEntropy(model.logits(p, { source, lengths, target: before(symbols) }), symbols);
    const [value, gradient] = valueAndGrad(loss)(params);
    const [updates, next] = adam.update(gradient as unknown as P, state, params);
    return [{ params: optim.applyUpdates(params, updates), state: next }, value];
  };
  const batches = (function* () {
    for (let i = 0; i < steps; i++) {
      const { source, lengths, symbols } = drawn(random.foldIn(random.key(2), i), 64);
      yield { source, lengths, symbols };
    }
  })();
  const [{ params }] = train.fold(step, { params: start, state: adam.init(start) }, batches);
  const write = jit((p: P, source: Tensor<'int32'>, lengths: Tensor<'int32'>) =>
    model.greedy(p, source, { start: go, steps: written, lengths }),
  );
  const same = np.equal(write(params, heldOut.source, heldOut.lengths), heldOut.symbols);
  return { params, right: np.mean(np.astype(np.all(same, 1), 'float32')).item() };
}

const options = { ...cli.commonOptions('dates'), steps: cli.count(1000, 'steps that each model learns', 20) };

export const example: cli.Example<typeof options> = {
  name: 'dates',
  about: 'translates dates, character by character, with recurrent cells, with attention, and with a transformer.',
  options,
  body: ({ short, steps }) => {
    const heldOut = drawn(random.key(3), 256);
    const lastState = learned(recurrent(false), steps, heldOut);
    const lookingBack = learned(recurrent(true), steps, heldOut);
    const transformer = learned(attentive, steps, heldOut);
    const shares = { lastState, lookingBack, transformer };
    for (const [name, { right }] of Object.entries(shares)) console.log(`${name}: ${(100 * right).toFixed(1)} % right`);

    const one = encoded([heldOut.read[0]!], heldOut.read[0]!.length);
    const target = before(encoded([heldOut.wanted[0]!], written).ids);
    const weights = nn.seq2seq.weights(lookingBack.params)({ source: one.ids, target });
    const svg = attentionOverWords({
      weights: (weights.toArray() as number[][][])[0]!,
      queries: [...heldOut.wanted[0]!],
      keys: [...heldOut.read[0]!],
      title: 'what each character looked at',
    });
    const [alone, looking] = [lastState.right, lookingBack.right];
    return TE.of({
      numbers: { lastState: alone, lookingBack: looking, transformer: transformer.right },
      claims: short ? [] : [cli.atLeast('dates right with attention', looking, 0.99)],
      files: { 'attention.svg': svg },
    });
  },
};
