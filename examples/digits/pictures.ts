/** Pictures of how a model has learned to read, and of what it reads wrongly. */

import { pipe } from 'fp-ts/lib/function.js';
import { jit, nn, np, type Tensor, type train } from 'pullback';
import { dataset, labelledImages } from 'pullback/data';
import type { LabelledImages } from 'pullback/io';
import { heatMap, imageGrid, lineChart, type Page, page } from 'pullback/viz';
import { tensorsOf } from './data.ts';
import { type Measure, measurer, type Recipe, type Trained } from './train.ts';

/** What was measured epoch by epoch, on both halves. */
export const curve = (history: readonly train.EpochRecord[], what: 'loss' | 'accuracy'): string =>
  lineChart({
    title: what === 'loss' ? 'Cross-entropy by epoch' : 'Accuracy by epoch',
    xLabel: 'epoch',
    yLabel: what === 'loss' ? 'mean cross-entropy' : 'fraction classified rightly',
    series: [
      { name: 'training', points: history.map(({ epoch, training }) => [epoch + 1, training[what]!]) },
      { name: 'held out', points: history.map(({ epoch, validation }) => [epoch + 1, validation[what]!]) },
    ],
  });

const digits = Array.from({ length: 10 }, (_, digit) => String(digit));

/** How often each digit was taken for each other; those read rightly are left white, as they would outshine the rest. */
function confusions({ confusion }: Measure): string {
  const counts = np.astype(confusion, 'float32');
  const wrong = np.where(np.equal(np.eye(10), 1), Number.NaN, counts) as Tensor;
  const names = { rows: digits, columns: digits, xLabel: 'read as', yLabel: 'digit' };
  return heatMap({ title: 'What is taken for what', values: wrong, ...names, digits: 0, width: 480, height: 440 });
}

/** The images that are read wrongly, those first of which the model is the surest. */
function errors<P>(params: P, { scores }: Recipe<P>, set: LabelledImages, most: number): Page['figures'] {
  const read = jit((p: P, x: Tensor) => {
    const probabilities = nn.softmax(scores(p)(x), 1);
    return { sure: np.max(probabilities, 1), found: np.argmax(probabilities, 1) };
  });
  const images = labelledImages(set);
  const wrong = [...pipe(images, dataset.batch(500), dataset.map(tensorsOf))]
    .flatMap(([x, labels], batch) => {
      const { sure, found } = read(params, x);
      const [probability, guess, truth] = [sure.dataSync(), found.dataSync(), np.array(labels).dataSync()];
      return Array.from(guess, (digit, i) => ({
        index: 500 * batch + i,
        sure: probability[i]!,
        caption: `${truth[i]} as ${digit}`,
        right: digit === truth[i],
      }));
    })
    .filter(({ right }) => !right)
    .sort((a, b) => b.sure - a.sure)
    .slice(0, most);
  if (wrong.length === 0) return [];
  const indices = wrong.map(({ index }) => index);
  const { image } = pipe(images, dataset.select(indices), dataset.batch(indices.length)).at(0);
  const svg = imageGrid({
    title: 'Read wrongly, the surest errors first',
    images: image,
    range: [1, 0],
    captions: wrong.map(({ caption }) => caption),
    columns: 8,
    scale: 2,
  });
  return [{ svg, caption: 'The digit, and what it was read as.' }];
}

/** Everything on one page. */
export const report = <P>(
  title: string,
  recipe: Recipe<P>,
  { params, history }: Trained<P>,
  test: LabelledImages,
): string =>
  page({
    title,
    about: `${history.length} epochs; ${test.count} images were held out.`,
    figures: [
      { svg: curve(history, 'loss'), caption: 'Training: means over the steps of an epoch; held out: after it.' },
      { svg: curve(history, 'accuracy') },
      { svg: confusions(measurer(recipe)(params, test)), caption: 'Errors only: the diagonal is left out.' },
      ...errors(params, recipe, test, 40),
    ],
  });
