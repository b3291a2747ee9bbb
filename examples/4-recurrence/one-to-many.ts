/**
 * One to many (§5.2.4): a number is read once, and its name is written letter by letter, until the symbol that ends it.
 *
 * From the second step on the network reads what it wrote. Numbers that it never saw are spelled too, as names are made of parts.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, optim, random, scan, type Tensor } from 'pullback';
import { characters } from 'pullback/data';
import { heatMap } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend, times } from '../shared/descend.ts';

const ones = [
  'zero',
  'one',
  'two',
  'three',
  'four',
  'five',
  'six',
  'seven',
  'eight',
  'nine',
  'ten',
  'eleven',
  'twelve',
  'thirteen',
  'fourteen',
  'fifteen',
  'sixteen',
  'seventeen',
  'eighteen',
  'nineteen',
];
const tens = ['twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'];

/** The name of a number below a hundred. */
function nameOf(n: number): string {
  if (n < 20) return ones[n]!;
  const [ten, one] = [Math.floor(n / 10), n % 10];
  return one === 0 ? tens[ten - 2]! : `${tens[ten - 2]}-${ones[one]}`;
}

const letters = characters('abcdefghijklmnopqrstuvwxyz-', { specials: ['<end>'] });
const [end, length, hidden] = [0, 14, 40];

const numbers = Array.from({ length: 100 }, (_, n) => n);
const isHeldOut = (n: number): boolean => n > 20 && n % 7 === 3;

/** The digits of numbers, float32[n, 20], and their names, int32[n, length], ended. */
const pairs = (some: readonly number[]) => ({
  digits: np.array(
    some.map((n) =>
      [Math.floor(n / 10), n % 10].flatMap((digit) => ones.slice(0, 10).map((_, i) => Number(i === digit))),
    ),
  ),
  names: np.array(
    some.map((n) => [...letters.encode(nameOf(n)), ...new Array<number>(length).fill(end)].slice(0, length)),
    { dtype: 'int32' },
  ),
});

const init = (key: random.Key) => ({
  first: nn.dense.init(key, 20, hidden),
  table: nn.embedding.init(random.foldIn(key, 1), letters.size, 16),
  cell: nn.gruCell.init(random.foldIn(key, 2), 16, hidden),
  out: nn.dense.init(random.foldIn(key, 3), hidden, letters.size),
});
type Params = ReturnType<typeof init>;

/** Scores of each letter; what is read is what was there, or (without `names`) what was written. */
function spell(
  p: Params,
  digits: Tensor,
  names?: Tensor<'int32'>,
): readonly [scores: Tensor, written: Tensor<'int32'>] {
  const cell = nn.gruCell(p.cell);
  const go = np.zeros([digits.shape[0]!], { dtype: 'int32' });
  const step = ([h, read]: readonly [Tensor, Tensor<'int32'>], known: Tensor<'int32'>) => {
    const [next, y] = cell(h, nn.embedding(p.table)(read));
    const scores = nn.dense(p.out)(y);
    const written = np.argmax(scores, 1);
    return [
      [next, names ? known : written],
      [scores, written],
    ] as const;
  };
  const wanted = np.transpose(names ?? np.zeros([digits.shape[0]!, length], { dtype: 'int32' })) as Tensor<'int32'>;
  const [, [scores, written]] = scan(step, [np.tanh(nn.dense(p.first)(digits)), go] as const, wanted);
  return [np.swapaxes(scores, 0, 1), np.transpose(written) as Tensor<'int32'>];
}

const options = { ...cli.commonOptions('one-to-many'), steps: cli.count(1500, 'steps of Adam', 250) };

export const example: cli.Example<typeof options> = {
  name: 'one-to-many',
  about: 'a number is read once, and its name is written letter by letter.',
  options,
  body: ({ seed, short, steps }) => {
    const [seen, unseen] = [pairs(numbers.filter((n) => !isHeldOut(n))), pairs(numbers.filter(isHeldOut))];
    const loss = (p: Params): Tensor => nn.crossEntropy(spell(p, seen.digits, seen.names)[0], seen.names);
    const optimizer = optim.adamw(optim.cosineDecaySchedule(5e-3, steps), { weightDecay: 0.5 });
    const { params } = descend(
      loss,
      init(random.key(seed)),
      optimizer,
      times(steps, null),
      cli.everySteps('loss', Math.ceil(steps / 4)),
    );
    const writing = jit((p: Params, digits: Tensor) => spell(p, digits)[1]);
    // Behind the end nothing counts.
    const read = (written: Tensor<'int32'>): string[] =>
      (written.toArray() as number[][]).map((row) => letters.decode(row.slice(0, [...row, end].indexOf(end))));
    const right = (some: { readonly digits: Tensor; readonly names: Tensor<'int32'> }) => {
      const [found, wanted] = [read(writing(params, some.digits)), read(some.names)];
      return { found, share: found.filter((name, i) => name === wanted[i]).length / wanted.length };
    };
    const [known, fresh] = [right(seen), right(unseen)];
    console.log(
      `names right: ${known.share.toFixed(2)} of those seen, ${fresh.share.toFixed(2)} of those never seen: ${fresh.found.join(', ')}`,
    );
    const scores = nn.softmax(spell(params, pairs([73]).digits)[0]);
    return TE.of({
      numbers: { seen: known.share, unseen: fresh.share },
      claims: [
        cli.atLeast('names of numbers that it saw', known.share, short ? 0.1 : 0.98),
        ...(short ? [] : [cli.atLeast('names of numbers that it never saw', fresh.share, 0.6)]),
      ],
      files: {
        'writing.svg': heatMap({
          title: 'Writing 73, letter by letter',
          values: np.transpose(np.index(scores, 0) as Tensor),
          xLabel: 'step',
          yLabel: 'letter',
          rows: ['end', ...Array.from({ length: scores.shape[2]! - 1 }, (_, i) => letters.decode([i + 1]))],
          width: 480,
          height: 520,
        }),
      },
    });
  },
};
