/**
 * Kernels that are given, not learned (§4.2.2): Gaussian blur, and Sobel's derivatives of an image.
 *
 * The convolution of the notes, (4.2.1), turns the kernel around; that of the field's libraries, and of this one, does not:
 * `np.flip` of both axes makes one the other. Without turning, Sobel's kernel has the opposite sign. A blur is a weighted mean, and
 * the blur of a blur is a wider one.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, random, type Tensor } from 'pullback';
import { imageGrid } from 'pullback/viz';
import * as cli from '../cli.ts';
import { greyScene } from '../shared/drawings.ts';

const gauss = np.div(
  np.array([
    [1, 2, 1],
    [2, 4, 2],
    [1, 2, 1],
  ]),
  16,
);
const sobelX = np.array([
  [1, 0, -1],
  [2, 0, -2],
  [1, 0, -1],
]);
const sobelY = np.transpose(sobelX);

/** The field's convolution of one image by one kernel: float32[height, width] → float32[height − 2, width − 2]. */
const correlate = (image: Tensor, kernel: Tensor): Tensor =>
  np.squeeze(
    nn.functional.conv(np.reshape(image, [1, ...image.shape, 1]), np.reshape(kernel, [...kernel.shape, 1, 1])),
    [0, 3],
  );

/** The convolution of (4.2.1), which turns the kernel around. */
const convolve = (image: Tensor, kernel: Tensor): Tensor => correlate(image, np.flip(kernel, [0, 1]));

/** (4.2.1) for one window, as it is written. */
const atPixel = (image: Tensor, kernel: Tensor, row: number, column: number): number => {
  const [a, b] = [image.toArray() as number[][], kernel.toArray() as number[][]];
  const indices = [0, 1, 2];
  return indices.reduce(
    (sum, i) => sum + indices.reduce((s, j) => s + a[row + 2 - i]![column + 2 - j]! * b[i]![j]!, 0),
    0,
  );
};

const options = { ...cli.commonOptions('filters'), size: cli.countIn(96, 'pixels of a side', [16, 512]) };

export const example: cli.Example<typeof options> = {
  name: 'filters',
  about: 'Gaussian blur and Sobel edges by kernels that are given.',
  options,
  body: ({ seed, size }) => {
    const image = greyScene(random.key(seed), size);
    const [blurred, dx, dy] = [convolve(image, gauss), convolve(image, sobelX), convolve(image, sobelY)];
    const edges = np.sqrt(np.add(np.square(dx), np.square(dy)));
    const apart = (a: Tensor, b: Tensor): number => np.max(np.abs(np.sub(a, b))).item();

    const pixels = [
      [0, 0],
      [10, 20],
      [40, 33],
      [size - 3, size - 3],
    ] as const;
    const asWritten = Math.max(
      ...pixels.map(([r, c]) => Math.abs(atPixel(image, sobelX, r, c) - (np.index(dx, r, c) as Tensor).item())),
    );
    const opposite = apart(dx, np.neg(correlate(image, sobelX)));
    // The slope of a ramp is 1 a pixel to the right: Sobel's weights sum to 8 of it.
    const ramp = np.broadcastTo(np.arange(8), [8, 8]);
    const slope = apart(np.div(convolve(np.astype(ramp, 'float32'), sobelX), 8), np.ones([6, 6]));
    const five = np.array([1, 4, 6, 4, 1]);
    const twice = apart(convolve(convolve(image, gauss), gauss), correlate(image, np.div(np.outer(five, five), 256)));
    console.log(
      `Sobel's slope of a ramp is off by ${slope}; a blur twice is the kernel 1 4 6 4 1: ${twice.toExponential(1)} apart`,
    );
    const cut = np.index(image, [1, -1], [1, -1]) as Tensor;
    const scaled = (x: Tensor): Tensor => np.div(np.sub(x, np.min(x)), np.maximum(np.sub(np.max(x), np.min(x)), 1e-9));
    return TE.of({
      numbers: { asWritten, opposite, slope, twice },
      claims: [
        cli.atMost('the convolution against (4.2.1) as it is written', asWritten, 1e-5),
        cli.atMost("Sobel's kernel, not turned, against the opposite sign", opposite, 0),
        cli.atMost("Sobel's slope of a ramp", slope, 1e-6),
        cli.atMost('a blur twice against one wider blur', twice, 1e-5),
      ],
      files: {
        'filters.svg': imageGrid({
          title: 'An image, blurred, its derivatives and its edges',
          images: np.stack([cut, blurred, dx, dy, edges].map(scaled)),
          captions: ['image', 'Gaussian blur', 'Sobel, to the right', 'Sobel, downwards', 'length of both'],
          columns: 5,
          scale: 1.4,
        }),
      },
    });
  },
};
