/**
 * Pooling (§4.3): the maximum and the mean of windows, and what they do not see of a small shift.
 *
 * A digit that is moved by a pixel changes most of its pixels; of the maxima of windows of four fewer change, and less. Shifts by a
 * whole window are not invisible but move the output: pooling is invariant to small shifts, and equivariant to those of its stride.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, random, type Tensor } from 'pullback';
import { digits } from 'pullback/data';
import { imageGrid, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

const options = {
  ...cli.commonOptions('pooling'),
  images: cli.count(200, 'digits', 50),
  window: cli.countIn(4, 'pixels of a window', [2, 4]),
};

export const example: cli.Example<typeof options> = {
  name: 'pooling',
  about: 'max and average pooling, and how little they see of a small shift.',
  options,
  body: ({ images: count, seed, window }) =>
    pipe(
      TE.fromTask(() => digits(random.key(seed), count)),
      TE.map(({ pixels }) => {
        const drawn = np.div(
          np.reshape(np.astype(np.array(Int32Array.from(pixels)), 'float32'), [count, 28, 28, 1]),
          255,
        );
        const options = { strides: [window, window] } as const;
        const pools = {
          pixels: (x: Tensor): Tensor => x,
          maxima: (x: Tensor): Tensor => nn.functional.maxPool(x, [window, window], options),
          means: (x: Tensor): Tensor => nn.functional.avgPool(x, [window, window], options),
        };
        const shifted = (by: number): Tensor => np.roll(drawn, by, 2);
        /** How much of what is seen changes with a shift: the distance over the length. */
        const change = (see: (x: Tensor) => Tensor, by: number): number => {
          const [before, after] = [see(drawn), see(shifted(by))].map((x) => np.reshape(x, [count, -1])) as [
            Tensor,
            Tensor,
          ];
          const norms = np.linalg.vectorNorm(np.sub(after, before), { axis: 1 });
          return np.mean(np.div(norms, np.linalg.vectorNorm(before, { axis: 1 }))).item();
        };
        const shifts = Array.from({ length: 2 * window + 1 }, (_, i) => i);
        const series = Object.entries(pools).map(([name, see]) => ({
          name,
          points: shifts.map((by) => [by, change(see, by)] as const),
        }));
        const at = (index: number, by: number): number => series[index]!.points[by]![1];
        for (const [i, { name }] of series.entries())
          console.log(`${name}: a shift of one pixel changes ${(100 * at(i, 1)).toFixed(0)} %`);
        const moved = np.max(np.abs(np.sub(pools.maxima(shifted(window)), np.roll(pools.maxima(drawn), 1, 2)))).item();
        const small = np.array([
          [1, 2, 5, 6],
          [3, 4, 7, 8],
          [0, 1, 1, 0],
          [2, 1, 0, 4],
        ]);
        const reference = nn.functional.maxPool(np.reshape(small, [1, 4, 4, 1]), [2, 2], { strides: [2, 2] });
        const byHand = np.max(np.abs(np.sub(np.ravel(reference), np.array([4, 8, 2, 4])))).item();
        const show = (x: Tensor): Tensor => np.squeeze(np.index(x, [0, 5]) as Tensor, 3);
        const wide = (x: Tensor): Tensor =>
          show(x).shape[1] === 28 ? show(x) : np.repeat(np.repeat(show(x), window, 1), window, 2);
        return {
          numbers: { pixels: at(0, 1), maxima: at(1, 1), means: at(2, 1) },
          claims: [
            cli.atMost('max pooling of a small matrix against that by hand', byHand, 0),
            cli.atMost('change of the maxima by a shift of one pixel, to that of the pixels', at(1, 1) / at(0, 1), 0.8),
            cli.atMost('change of the means, to that of the pixels', at(2, 1) / at(0, 1), 0.8),
            cli.atMost('a shift by a window against the shifted output', moved, 0),
          ],
          files: {
            'pooled.svg': imageGrid({
              title: 'Digits, their maxima and their means',
              images: np.concatenate([wide(drawn), wide(pools.maxima(drawn)), wide(pools.means(drawn))]),
              range: [1, 0],
              columns: 5,
              scale: 2,
            }),
            'shifts.svg': lineChart({
              title: 'What changes with a shift',
              xLabel: 'pixels',
              yLabel: 'change, relative',
              series,
            }),
          },
        };
      }),
    ),
};
