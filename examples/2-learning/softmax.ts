/**
 * Classification by cross entropy (§3.2.2), and why the softmax and its logarithm are one function.
 *
 * The formula −log(exp x_y / Σ exp xᵢ), written so, overflows from logits of 89 on in float32, and its gradient is NaN; from logits
 * alone, with the greatest taken away, it is exact for all. The minimum over constant scores is the frequency of the classes:
 * maximum likelihood once more.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, nn, np, optim, random, type Tensor, valueAndGrad } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend, times } from '../shared/descend.ts';

/** As the definition has it. */
const asWritten = (logits: Tensor, label: number): Tensor =>
  np.neg(np.log(np.div(np.exp(np.index(logits, label)), np.sum(np.exp(logits)))) as Tensor);

const label = (y: number): Tensor<'int32'> => np.array([y], { dtype: 'int32' });
const stable = (logits: Tensor, y: number): Tensor => nn.crossEntropy(np.expandDims(logits, 0), label(y));

const options = cli.commonOptions('softmax');

export const example: cli.Example<typeof options> = {
  name: 'softmax',
  about: 'cross entropy from logits against the formula as it is written.',
  options,
  body: ({ seed }) => {
    // The two classes are c apart: the loss of the smaller one is log(1 + eᶜ), about c.
    const gaps = Array.from({ length: 41 }, (_, i) => 5 * i);
    const rows = gaps.map((gap) => {
      const logits = np.array([gap, 0]);
      const exact = gap + Math.log1p(Math.exp(-gap));
      const [value, slope] = valueAndGrad((x: Tensor) => stable(x, 1))(logits);
      const plain = asWritten(logits, 1).item();
      const plainSlope = grad((x: Tensor) => asWritten(x, 1))(logits);
      return {
        gap,
        exact,
        stable: value.item(),
        plain,
        slope: Math.abs((slope.toArray() as number[])[0]! - 1 / (1 + Math.exp(-gap))),
        plainFails: !Number.isFinite(plain) || !(plainSlope.toArray() as number[]).every(Number.isFinite),
      };
    });
    const first = rows.find(({ plainFails }) => plainFails)?.gap ?? Number.POSITIVE_INFINITY;
    const worst = Math.max(...rows.map(({ stable, exact }) => Math.abs(stable - exact) / Math.max(1, exact)));
    const worstSlope = Math.max(...rows.map(({ slope }) => slope));
    console.log(
      `as it is written it fails from a gap of ${first} on; from logits it errs by ${worst.toExponential(1)} at most`,
    );

    // Constant scores of four classes that come with these frequencies.
    const labels = random.choice(random.key(seed), 4, [2000], { p: np.array([0.5, 0.25, 0.15, 0.1]) });
    const loss = (scores: Tensor): Tensor => nn.crossEntropy(np.broadcastTo(scores, [2000, 4]), labels);
    const { params } = descend(loss, np.zeros([4]), optim.sgd(2), times(300, null));
    const frequencies = np.div(np.astype(np.bincount(labels, { length: 4 }), 'float32'), 2000);
    const apart = np.max(np.abs(np.sub(nn.softmax(params), frequencies))).item();
    console.log(`the softmax of the best scores: ${nn.softmax(params)}; frequencies ${frequencies}`);
    const line = (name: string, of: (row: (typeof rows)[number]) => number) => ({
      name,
      points: rows.map((row) => [row.gap, of(row)] as const),
    });
    return TE.of({
      numbers: { first, worst, worstSlope, apart },
      claims: [
        cli.atMost('error of the cross entropy from logits, relative', worst, 1e-6),
        cli.atMost('error of its gradient', worstSlope, 1e-6),
        cli.atMost('the gap from which on the formula as written fails', first, 105),
        cli.atMost('softmax of the likeliest scores from the frequencies', apart, 1e-3),
      ],
      files: {
        'stability.svg': lineChart({
          title: 'The loss of the smaller of two logits',
          xLabel: 'gap of the logits',
          yLabel: 'loss',
          series: [line('from logits', (r) => r.stable), line('as written', (r) => r.plain)],
        }),
      },
    });
  },
};
