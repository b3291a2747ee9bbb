/**
 * Two convolutions one behind the other are one (§4.2.4), with a larger kernel, until something that is not linear stands between.
 *
 * The one kernel is the convolution of the two: here it is found as the response to an impulse. With a ReLU between them no single
 * convolution fits, by the least squares of all kernels of that size.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, random, type Tensor } from 'pullback';
import { heatMap } from 'pullback/viz';
import * as cli from '../cli.ts';

const convolve = (image: Tensor, kernel: Tensor): Tensor =>
  np.squeeze(
    nn.functional.conv(np.reshape(image, [1, ...image.shape, 1]), np.reshape(kernel, [...kernel.shape, 1, 1])),
    [0, 3],
  );

const options = cli.commonOptions('stacked');

export const example: cli.Example<typeof options> = {
  name: 'stacked',
  about: 'two stacked convolutions equal one, until a ReLU stands between them.',
  options,
  body: ({ seed }) => {
    const [forImage, forFirst, forSecond] = random.split(random.key(seed), 3);
    const image = random.normal(forImage!, [24, 24]);
    const [first, second] = [forFirst!, forSecond!].map((key) => random.normal(key, [3, 3])) as [Tensor, Tensor];
    const stack =
      (between: (x: Tensor) => Tensor) =>
      (x: Tensor): Tensor =>
        convolve(between(convolve(x, first)), second);
    const plain = stack((x) => x);
    const bent = stack(nn.relu);

    // The response to an impulse, read backwards, is the kernel of a linear map of windows.
    const impulse = np.at(np.zeros([9, 9]), 4, 4).set(1);
    const kernel = np.flip(plain(impulse), [0, 1]);
    const apart = np.max(np.abs(np.sub(plain(image), convolve(image, kernel)))).item();

    /** The kernel 5×5 with a bias that comes closest to a map, and how far it stays, relative to the map's deviation. */
    const bestOne = (f: (x: Tensor) => Tensor): number => {
      const wanted = np.ravel(f(image));
      const windows = Array.from({ length: 25 }, (_, i) => {
        const [r, c] = [Math.floor(i / 5), i % 5];
        return np.ravel(np.index(image, [r, r + 20], [c, c + 20]) as Tensor);
      });
      const design = np.stack([...windows, np.ones([400])], 1);
      const [solution] = np.linalg.lstsq(design, wanted);
      const rest = np.sub(np.matmul(design, solution), wanted);
      return np.div(np.std(rest), np.std(wanted)).item();
    };
    const [linear, nonlinear] = [bestOne(plain), bestOne(bent)];
    console.log(
      `left by the best 5×5 kernel: ${linear.toExponential(1)} without, ${nonlinear.toFixed(3)} with a ReLU between`,
    );
    return TE.of({
      numbers: { apart, linear, nonlinear },
      claims: [
        cli.atMost('two convolutions against the one by their impulse response', apart, 1e-4),
        cli.atMost('what the best single kernel leaves of two', linear, 1e-4),
        cli.atLeast('what it leaves with a ReLU between', nonlinear, 0.2),
      ],
      files: {
        'kernel.svg': heatMap({
          title: 'The one kernel of two',
          values: kernel,
          colours: 'diverging',
          digits: 1,
          xLabel: 'column',
          yLabel: 'row',
          width: 420,
          height: 400,
        }),
      },
    });
  },
};
