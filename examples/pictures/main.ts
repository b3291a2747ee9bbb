/**
 * A page of the pictures that there are: paths of optimizers, a decision boundary, images, attention, weights, a computational
 * graph.
 *
 * Each figure is a pure function from tensors to SVG; the page holds them all and needs nothing else.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import * as viz from 'pullback/viz';
import * as cli from '../cli.ts';
import { attention, initializers, moons, neuron, paths, shapes } from './figures.ts';

const options = cli.commonOptions('pictures');

export const example: cli.Example<typeof options> = {
  name: 'pictures',
  about: 'draws a page of the pictures that there are, each of something that was computed here.',
  options,
  body: () => {
    const { boundary, losses } = moons();
    const { grid, looking } = shapes();
    const { svg, derivatives } = neuron();
    console.log(`loss on two moons: ${viz.sparkline(losses)} ${losses.at(-1)!.toFixed(4)}`);
    const figures = [
      {
        svg: paths(),
        caption: 'Gradient descent swings from side to side, momentum overshoots, Adam scales each axis for itself.',
      },
      {
        svg: boundary,
        caption: 'A network of two hidden layers with 16 units; where colours are pale it is not sure.',
      },
      {
        svg: viz.lineChart({
          title: 'Its loss',
          xLabel: 'step',
          yLabel: 'cross-entropy',
          yScale: 'log',
          series: [{ name: 'training', points: losses.map((loss, step) => [step + 1, loss]) }],
        }),
      },
      { svg, caption: 'What flows forward (above) and the derivative that flows back (below) along each edge.' },
      { svg: initializers(), caption: 'Initializers differ in spread and in form.' },
      {
        svg: attention(),
        caption: 'Each row is a word that asks; its weights over the words that answer add up to 1.',
      },
      { svg: grid, caption: 'Generated pictures, for models that read or write captions.' },
      { svg: looking, caption: 'Bright is what a step looks at.' },
    ];
    return TE.of({
      numbers: { figures: figures.length, moonsLoss: losses.at(-1)!, derivatives },
      claims: [cli.atMost('loss on two moons', losses.at(-1)!, 0.05)],
      files: { 'index.html': viz.page({ title: 'Pictures', figures }) },
    });
  },
};
