/**
 * Captions for pictures (§6.3): a convolutional network makes a grid of features, and a decoder looks at it anew for each word.
 *
 * Scenes are generated, with what is to be said of them. At each word the state of the decoder asks the grid by additive attention,
 * and the answer is an input of the next step; where it looked is drawn. K. Xu et al., "Show, attend and tell" (2015).
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, scan, type Tensor } from 'pullback';
import { captionedShapes, dataset } from 'pullback/data';
import { attentionOverImage, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

/** Words of the captions; 0 ends one. */
const vocabulary =
  '. a above at below blue bottom circle green in large left middle of on orange purple red right small square the top triangle yellow';
const words = vocabulary.split(' ');
const [length, hidden, features] = [11, 96, 48];

interface Scenes {
  readonly images: Tensor;
  readonly texts: Tensor<'int32'>;
}
const encode = (caption: string): number[] => {
  const found = caption.split(' ').map((word) => words.indexOf(word));
  if (found.includes(-1)) throw new Error(`no word of "${caption}" is to be missing`);
  return [...found, ...new Array<number>(length).fill(0)].slice(0, length);
};
function scenes(key: random.Key, count: number): Scenes {
  const pictures = captionedShapes(key, count, { size: 32 });
  const images = pipe(
    pictures,
    dataset.map(({ image }) => image),
    dataset.batch(count),
  ).at(0);
  return {
    images,
    texts: np.array(
      [...pictures].map(({ caption }) => encode(caption)),
      { dtype: 'int32' },
    ),
  };
}

const eye = nn.serial(
  nn.conv.layer([5, 5], 3, 24, { strides: 2, padding: 2 }),
  nn.lift(nn.relu),
  nn.conv.layer([3, 3], 24, features, { strides: 2, padding: 1 }),
  nn.lift(nn.relu),
  nn.conv.layer([3, 3], features, features, { padding: 1 }),
  nn.lift(nn.relu),
);
const init = (key: random.Key) => ({
  eye: eye.init(key),
  places: nn.learnedPositions.init(random.foldIn(key, 1), 64, features),
  table: nn.embedding.init(random.foldIn(key, 2), words.length, 32),
  attention: nn.additiveAttention.init(random.foldIn(key, 3), hidden, features, 48),
  cell: nn.gruCell.init(random.foldIn(key, 4), 32 + features, hidden),
  first: nn.dense.init(random.foldIn(key, 5), features, hidden),
  out: nn.dense.init(random.foldIn(key, 6), hidden, words.length),
});
type Params = ReturnType<typeof init>;

/** Scores of each word, what is said without `texts`, and the weights of the 8×8 places at each word. */
function tell(p: Params, images: Tensor, texts?: Tensor<'int32'>) {
  const grid = nn.learnedPositions(p.places)(np.reshape(eye.apply(p.eye)(images), [images.shape[0]!, 64, features]));
  const step = ([h, word]: readonly [Tensor, Tensor<'int32'>], known: Tensor<'int32'>) => {
    const query = np.expandDims(h, 1);
    const weights = nn.additiveAttention.weights(p.attention)(query, grid);
    const looked = np.squeeze(np.matmul(weights, grid), 1);
    const [next, y] = nn.gruCell(p.cell)(h, np.concatenate([nn.embedding(p.table)(word), looked], 1));
    const scores = nn.dense(p.out)(y);
    const said = np.argmax(scores, 1);
    return [[next, texts ? known : said], { scores, said, weights: np.squeeze(weights, 1) }] as const;
  };
  const batch = images.shape[0]!;
  const start = np.tanh(nn.dense(p.first)(np.mean(grid, 1)));
  const wanted = np.transpose(texts ?? np.zeros([batch, length], { dtype: 'int32' })) as Tensor<'int32'>;
  return scan(step, [start, np.zeros([batch], { dtype: 'int32' })] as const, wanted)[1];
}

const options = {
  ...cli.commonOptions('captions'),
  steps: cli.count(2000, 'steps of Adam', 12),
  pictures: cli.count(6000, 'pictures to learn from', 400),
};

export const example: cli.Example<typeof options> = {
  name: 'captions',
  about: 'a network says what it sees, and where it looks at each word is drawn.',
  options,
  body: ({ pictures, seed, short, steps }) => {
    const [seenKey, unseenKey, initKey, orderKey] = random.split(random.key(seed), 4);
    const [seen, unseen] = [scenes(seenKey!, pictures), scenes(unseenKey!, short ? 50 : 300)];
    const loss = (p: Params, { images, texts }: Scenes): Tensor =>
      nn.crossEntropy(np.swapaxes(tell(p, images, texts).scores, 0, 1), texts);
    function* batches() {
      for (let i = 0; i < steps; i++) {
        const places = random.randint(random.foldIn(orderKey!, i), [32], 0, pictures);
        yield { images: np.take(seen.images, places, 0), texts: np.take(seen.texts, places, 0) as Tensor<'int32'> };
      }
    }
    const optimizer = optim.chain(optim.clipByGlobalNorm(1), optim.adam(optim.cosineDecaySchedule(3e-3, steps)));
    const { params, losses } = descend(
      loss,
      init(initKey!),
      optimizer,
      batches(),
      cli.everySteps('loss', Math.ceil(steps / 6)),
    );
    const { said, weights } = jit((p: Params, images: Tensor) => tell(p, images))(params, unseen.images);
    const right = np.equal(np.transpose(said), unseen.texts);
    const whole = np.mean(np.astype(np.all(right, 1), 'float32')).item();
    const byWord = np.mean(np.astype(right, 'float32')).item();
    const text = (np.transpose(said).toArray() as number[][]).map((row) =>
      row.map((word) => words[word]!).slice(0, [...row, 0].indexOf(0)),
    );
    console.log(
      `captions right: ${(100 * whole).toFixed(1)} %, words ${(100 * byWord).toFixed(1)} %: "${text[0]!.join(' ')}"`,
    );
    const looks = (np.index(weights, [], 0) as Tensor).toArray() as number[][];
    const grid = looks
      .slice(0, text[0]!.length)
      .map((row) => Array.from({ length: 8 }, (_, r) => row.slice(8 * r, 8 * r + 8)));
    return TE.of({
      numbers: { whole, byWord, loss: losses.at(-1)! },
      claims: short
        ? [cli.atLeast('words right: more than by always ending', byWord, 0.3)]
        : [cli.atLeast('captions of unseen scenes right to the last word', whole, 0.65)],
      files: {
        'attention.svg': attentionOverImage({
          title: 'Where it looked for each word',
          image: np.index(unseen.images, 0),
          weights: grid.length > 0 ? grid : [Array.from({ length: 8 }, () => new Array<number>(8).fill(1))],
          words: grid.length > 0 ? text[0]! : ['.'],
        }),
        'loss.svg': lineChart({
          title: 'Learning to say what is seen',
          xLabel: 'step',
          yLabel: 'nats a word',
          yScale: 'log',
          series: [{ name: 'loss', points: losses.map((v, i) => [i, v] as const) }],
        }),
      },
    });
  },
};
