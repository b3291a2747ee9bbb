/**
 * Double descent (§7.2): the error on unseen points rises until a model just fits what it learned from, and falls again beyond.
 *
 * Linear regression on random features, in closed form: of all that fit, the shortest. At as many features as examples the one fit
 * is wild; far beyond, the shortest of many is smooth; a ridge takes the peak away. M. Belkin, D. Hsu, S. Ma, S. Mandal (2019).
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, random, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

const [inputs, examples] = [10, 60];

const options = {
  ...cli.commonOptions('double-descent'),
  repeats: cli.count(20, 'draws of which medians are taken', 5),
  most: cli.countIn(960, 'features, at most', [240, 4000], 480),
};

export const example: cli.Example<typeof options> = {
  name: 'double-descent',
  about: 'the error on unseen points over the number of random features.',
  options,
  body: ({ most, repeats, seed }) => {
    const counts = [5, 10, 20, 30, 40, 50, 55, 60, 65, 70, 80, 100, 140, 200, 300, 480, 960].filter((n) => n <= most);
    const median = (values: readonly number[]): number =>
      [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
    const errors = (features: number, ridge: number) => {
      const runs = Array.from({ length: repeats }, (_, i) => {
        const [teacherKey, seenKey, unseenKey, noiseKey, featureKey] = random.split(
          random.foldIn(random.key(seed), i),
          5,
        );
        const normal = (key: random.Key, shape: readonly number[]) => random.normal(key, shape, { dtype: 'float64' });
        const teacher = normal(teacherKey!, [inputs]);
        const truth = (x: Tensor<'float64'>) => np.div(np.matmul(x, teacher), Math.sqrt(inputs));
        const [x, unseen] = [normal(seenKey!, [examples, inputs]), normal(unseenKey!, [300, inputs])];
        const y = np.add(truth(x), np.mul(0.3, normal(noiseKey!, [examples])));
        const w = np.div(normal(featureKey!, [inputs, features]), Math.sqrt(inputs));
        const see = (points: Tensor<'float64'>) => np.div(nn.relu(np.matmul(points, w)), Math.sqrt(features));
        // The shortest of all best weights, Φᵀ(ΦΦᵀ + λ)⁻¹y, of λ → 0; a ridge is a larger λ.
        const gram = np.add(np.matmul(see(x), np.transpose(see(x))), np.mul(ridge, np.eye(examples)));
        const weights = np.matmul(np.transpose(see(x)), np.linalg.solve(gram, y));
        const error = (points: Tensor<'float64'>, wanted: Tensor<'float64'>): number =>
          np.mean(np.square(np.sub(np.matmul(see(points), weights), wanted))).item();
        return { seen: error(x, y), unseen: error(unseen, truth(unseen)) };
      });
      return { seen: median(runs.map((r) => r.seen)), unseen: median(runs.map((r) => r.unseen)) };
    };
    const rows = counts.map((features) => ({
      features,
      plain: errors(features, 1e-10),
      ridge: errors(features, 0.03),
    }));
    for (const { features, plain } of rows)
      console.log(`${features} features: ${plain.seen.toExponential(1)} seen, ${plain.unseen.toFixed(3)} unseen`);
    const at = (features: number) => rows.find((row) => row.features === features)!;
    const peak = rows.reduce((a, b) => (b.plain.unseen > a.plain.unseen ? b : a));
    const before = Math.min(...rows.filter(({ features }) => features < examples).map(({ plain }) => plain.unseen));
    const line = (name: string, of: (row: (typeof rows)[number]) => number) => ({
      name,
      points: rows.map((row) => [row.features, Math.max(of(row), 1e-6)] as const),
    });
    return TE.of({
      numbers: { peak: peak.features, atPeak: peak.plain.unseen, before, last: rows.at(-1)!.plain.unseen },
      claims: [
        { ...cli.atLeast('features at the peak: about as many as examples', peak.features, 50), atMost: 70 },
        cli.atLeast('the peak, to the best before it', peak.plain.unseen / before, 3),
        cli.atLeast('the peak, to the error far beyond it', peak.plain.unseen / rows.at(-1)!.plain.unseen, 3),
        cli.atMost('error on what was learned from, beyond the peak', at(140).plain.seen, 1e-6),
        cli.atMost(
          'the peak with a ridge, to that without',
          Math.max(...rows.map(({ ridge }) => ridge.unseen)) / peak.plain.unseen,
          0.7,
        ),
      ],
      files: {
        'errors.svg': lineChart({
          title: 'Error over the size of the model',
          xLabel: 'features',
          yLabel: 'square error',
          xScale: 'log',
          yScale: 'log',
          series: [
            line('unseen', (r) => r.plain.unseen),
            line('seen', (r) => r.plain.seen),
            line('unseen, with a ridge', (r) => r.ridge.unseen),
          ],
        }),
      },
    });
  },
};
