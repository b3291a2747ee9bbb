/**
 * A multi-layer perceptron (§1.3) tells spirals apart that no line can, and its decision boundary is drawn.
 *
 * Beside it a linear model, which of three classes tells little more than a third: what is not linear bends the boundary.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor } from 'pullback';
import { spirals } from 'pullback/data';
import { decisionBoundary, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend, times } from '../shared/descend.ts';

const linear = nn.serial(nn.dense.layer(2, 3));
const perceptron = nn.serial(
  nn.dense.layer(2, 48),
  nn.lift(nn.relu),
  nn.dense.layer(48, 48),
  nn.lift(nn.relu),
  nn.dense.layer(48, 3),
);

const options = { ...cli.commonOptions('spirals'), steps: cli.count(1500, 'steps of Adam', 250) };

export const example: cli.Example<typeof options> = {
  name: 'spirals',
  about: 'a multi-layer perceptron tells three spirals apart.',
  options,
  body: ({ seed, short, steps }) => {
    const [trainKey, testKey, initKey] = random.split(random.key(seed), 3);
    const [seen, unseen] = [trainKey!, testKey!].map((key) => spirals(key, 450, { noise: 0.03, classes: 3 }));
    const learn = <P>(model: nn.Layer<P, Tensor, Tensor>, name: string) => {
      const loss = (params: P): Tensor => nn.crossEntropy(model.apply(params)(seen!.x), seen!.label);
      const optimizer = optim.adamw(optim.cosineDecaySchedule(0.01, steps), { weightDecay: 1e-3 });
      const { params, losses } = descend(
        loss,
        model.init(initKey!),
        optimizer,
        times(steps, null),
        cli.everySteps(name, Math.ceil(steps / 3)),
      );
      const scores = (points: Tensor): Tensor => model.apply(params)(points);
      const hits = np.equal(np.argmax(scores(unseen!.x), 1), unseen!.label);
      return { scores, losses, accuracy: np.mean(np.astype(hits, 'float32')).item() };
    };
    const [line, bent] = [learn(linear, 'linear'), learn(perceptron, 'perceptron')];
    console.log(
      `unseen points right: ${line.accuracy.toFixed(3)} by lines, ${bent.accuracy.toFixed(3)} by the perceptron`,
    );
    const { x, label } = unseen!;
    return TE.of({
      numbers: { linear: line.accuracy, perceptron: bent.accuracy },
      claims: [
        cli.atLeast('unseen points told rightly', bent.accuracy, short ? 0.9 : 0.95),
        cli.atMost('by a linear model', line.accuracy, 0.45),
      ],
      files: {
        'boundary.svg': decisionBoundary({
          title: 'Three spirals, and where the perceptron decides',
          scores: bent.scores,
          points: x,
          labels: Array.from(label.dataSync()),
        }),
        'losses.svg': lineChart({
          title: 'Learning',
          xLabel: 'step',
          yLabel: 'cross entropy',
          yScale: 'log',
          series: [line, bent].map(({ losses }, i) => ({
            name: i === 0 ? 'linear' : 'perceptron',
            points: losses.map((v, k) => [k, v] as const),
          })),
        }),
      },
    });
  },
};
