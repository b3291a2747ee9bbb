/**
 * A tour of tensors (§3.1): how they are made, what they are, how they change shape, and how a gradient is kept from flowing.
 *
 * A tensor never changes: what "changes" it gives another one, so that nothing need be cloned. Each line is printed with its value.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, np, random, stopGradient, type Tensor } from 'pullback';
import { heatMap } from 'pullback/viz';
import * as cli from '../cli.ts';

const options = cli.commonOptions('tensors');

/** Lines of the tour: the code, and what it gives. */
const tour = (x: Tensor): readonly (readonly [code: string, value: unknown])[] => [
  ['np.array([[1, 0, 2], [3, 2, 2]])', x],
  ['x.dtype, x.shape, x.ndim, x.size', [x.dtype, x.shape, x.ndim, x.size]],
  ["np.array([1, 2], { dtype: 'int32' })", np.array([1, 2], { dtype: 'int32' })],
  ['np.zeros([2, 2])', np.zeros([2, 2])],
  ['np.arange(4)', np.arange(4)],
  ['np.eye(2)', np.eye(2)],
  ['random.normal(random.key(0), [2])', random.normal(random.key(0), [2])],
  ['np.add(x, 1)', np.add(x, 1)],
  ['np.mul(x, x)', np.mul(x, x)],
  ['np.exp(x)', np.exp(x)],
  ['np.power(x, 2)', np.power(x, 2)],
  ['np.matmul(x, np.transpose(x))', np.matmul(x, np.transpose(x))],
  ['np.reshape(x, [1, 3, -1]).shape', np.reshape(x, [1, 3, -1]).shape],
  ['np.reshape(x, [-1])', np.reshape(x, [-1])],
  ['np.expandDims(x, 0).shape', np.expandDims(x, 0).shape],
  ['np.index(x, 0)', np.index(x, 0)],
  ['np.index(x, [], [1, 3])', np.index(x, [], [1, 3])],
  ['np.at(x, 0, 1).set(9)', np.at(x, 0, 1).set(9)],
  ['x, as it was', x],
  ['np.sum(x), np.mean(x, 0)', [np.sum(x), np.mean(x, 0)]],
  ['x.toArray()', x.toArray()],
];

const shown = (value: unknown): string =>
  Array.isArray(value)
    ? value.map(shown).join(', ')
    : typeof value === 'object'
      ? String(value)
      : JSON.stringify(value);

export const example: cli.Example<typeof options> = {
  name: 'tensors',
  about: 'a tour of tensors: creation, dtypes, shapes, and stopGradient where PyTorch has detach.',
  options,
  body: () => {
    const x = np.array([
      [1, 0, 2],
      [3, 2, 2],
    ]);
    for (const [code, value] of tour(x))
      console.log(`${code.padEnd(38)} ${shown(value).replaceAll('\n', '\n'.padEnd(40))}`);

    // x² has the derivative 2x; with one of its factors detached, x.
    const flows = grad((a: Tensor) => np.sum(np.mul(a, a)))(x);
    const detached = grad((a: Tensor) => np.sum(np.mul(a, stopGradient(a))))(x);
    console.log(`${'gradient of Σ x·x'.padEnd(38)} ${flows}`);
    console.log(`${'… of Σ x·stopGradient(x)'.padEnd(38)} ${detached}`);
    const halved = np.max(np.abs(np.sub(np.mul(2, detached), flows))).item();
    const views = [np.reshape(x, [-1]), np.expandDims(x, 0), np.transpose(x), np.reshape(x, [3, 1, -1])];
    const kept = views.filter((view) => np.sum(view).item() === np.sum(x).item() && view.size === x.size).length;
    return TE.of({
      numbers: { halved, kept },
      claims: [
        cli.atMost('twice the gradient with one factor detached, from the whole one', halved, 0),
        cli.atLeast('views that keep every element', kept, views.length),
      ],
      files: {
        'matrix.svg': heatMap({
          title: 'np.array([[1, 0, 2], [3, 2, 2]])',
          values: x,
          digits: 0,
          xLabel: 'axis 1',
          yLabel: 'axis 0',
          width: 320,
          height: 240,
        }),
      },
    });
  },
};
