/**
 * Many to one (§5.2.4): a text is read word by word, and what is remembered at its end says whether it is praise or blame.
 *
 * The texts are generated, with "not" that turns what comes next around: a bag of words, which knows no order, cannot tell "good,
 * not bad" from "bad, not good". A GRU can.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

const words = [
  '<pad>',
  'not',
  'good',
  'great',
  'lovely',
  'bad',
  'dull',
  'poor',
  'the',
  'plot',
  'music',
  'and',
  'was',
  'it',
  'very',
  'a',
];
const [praise, blame, other] = [
  [2, 3, 4],
  [5, 6, 7],
  [8, 9, 10, 11, 12, 13, 14, 15],
];

interface Reviews {
  readonly texts: Tensor<'int32'>;
  readonly labels: Tensor;
}

/** So many reviews: 1 where more is praised than blamed. */
function reviews(key: random.Key, count: number): Reviews {
  const draws = random.uniform(key, [count, 5, 3]).toArray() as number[][][];
  const pick = (from: readonly number[], u: number): number => from[Math.floor(u * from.length)]!;
  const rows = draws.map((opinions) => {
    let score = 0;
    const text: number[] = [];
    for (const [kind, turn, which] of opinions as [number, number, number][]) {
      const good = kind < 0.5;
      const turned = turn < 0.4;
      text.push(pick(other, (turn * 17) % 1), ...(turned ? [1] : []), pick(good ? praise : blame, which));
      score += good === turned ? -1 : 1;
    }
    return { text: [...text, ...new Array<number>(15).fill(0)].slice(0, 15), label: score > 0 ? 1 : 0 };
  });
  return {
    texts: np.array(
      rows.map(({ text }) => text),
      { dtype: 'int32' },
    ),
    labels: np.array(rows.map(({ label }) => label)),
  };
}

const gru = { embed: 8, hidden: 24 };

const options = {
  ...cli.commonOptions('sentiment'),
  steps: cli.count(1200, 'steps of Adam', 150),
  texts: cli.count(4000, 'texts to learn from', 1000),
};

export const example: cli.Example<typeof options> = {
  name: 'sentiment',
  about: 'a recurrent network reads reviews and says whether they praise or blame.',
  options,
  body: ({ seed, short, steps, texts: count }) => {
    const [seenKey, unseenKey, initKey, orderKey] = random.split(random.key(seed), 4);
    const [seen, unseen] = [reviews(seenKey!, count), reviews(unseenKey!, 1000)];
    const embedded = (table: nn.EmbeddingParams, texts: Tensor<'int32'>): Tensor => nn.embedding(table)(texts);
    const isWord = (texts: Tensor<'int32'>): Tensor => np.expandDims(np.astype(np.greater(texts, 0), 'float32'), -1);
    const bagInit = {
      table: nn.embedding.init(initKey!, words.length, gru.embed),
      out: nn.dense.init(random.foldIn(initKey!, 1), gru.embed, 1),
    };
    const bag = (p: typeof bagInit, texts: Tensor<'int32'>): Tensor =>
      np.squeeze(nn.dense(p.out)(np.sum(np.mul(embedded(p.table, texts), isWord(texts)), 1)), -1);
    const readerInit = {
      table: nn.embedding.init(initKey!, words.length, gru.embed),
      cell: nn.gru.init(random.foldIn(initKey!, 1), gru.embed, gru.hidden),
      out: nn.dense.init(random.foldIn(initKey!, 2), gru.hidden, 1),
    };
    const reader = (p: typeof readerInit, texts: Tensor<'int32'>): Tensor => {
      const lengths = np.sum(np.astype(np.greater(texts, 0), 'int32'), 1) as Tensor<'int32'>;
      const [carry] = nn.gru(p.cell)(embedded(p.table, texts), { lengths });
      return np.squeeze(nn.dense(p.out)(carry[0]!.forward), -1);
    };
    const learn = <P>(name: string, start: P, model: (p: P, texts: Tensor<'int32'>) => Tensor) => {
      const batches = Array.from({ length: steps }, (_, i): Reviews => {
        const places = random.randint(random.foldIn(orderKey!, i), [64], 0, count);
        return { texts: np.take(seen.texts, places, 0), labels: np.take(seen.labels, places, 0) };
      });
      const loss = (p: P, { texts, labels }: Reviews): Tensor => nn.sigmoidBinaryCrossEntropy(model(p, texts), labels);
      const { params, losses } = descend(
        loss,
        start,
        optim.adam(5e-3),
        batches,
        cli.everySteps(name, Math.ceil(steps / 3)),
      );
      const hits = np.equal(np.greater(model(params, unseen.texts), 0), np.greater(unseen.labels, 0.5));
      return { params, losses, accuracy: np.mean(np.astype(hits, 'float32')).item() };
    };
    const [byBag, byReading] = [learn('bag of words', bagInit, bag), learn('GRU', readerInit, reader)];
    console.log(
      `unseen texts right: ${byBag.accuracy.toFixed(3)} by the bag of words, ${byReading.accuracy.toFixed(3)} by reading`,
    );
    const line = (name: string, losses: readonly number[]) => ({ name, points: losses.map((v, i) => [i, v] as const) });
    return TE.of({
      numbers: { bag: byBag.accuracy, reading: byReading.accuracy },
      claims: [
        cli.atLeast('unseen texts right by reading', byReading.accuracy, short ? 0.7 : 0.97),
        ...(short
          ? []
          : [cli.atLeast('what reading gets right beyond the bag of words', byReading.accuracy - byBag.accuracy, 0.1)]),
      ],
      files: {
        'losses.svg': lineChart({
          title: 'Praise or blame',
          xLabel: 'step',
          yLabel: 'cross entropy',
          series: [line('bag of words', byBag.losses), line('GRU', byReading.losses)],
        }),
      },
    });
  },
};
