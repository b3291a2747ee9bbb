/**
 * What is around an image (§4.2.5): zeros, the edge again, or the other side; and what each does to the border of a convolution.
 *
 * Same-padding P = (K − 1)/2 keeps the size. A bright image is dark at the border of zeros: each window there has zeros in its
 * mean. The edge again leaves a constant image constant; the other side makes the convolution commute with turning the image
 * around.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, random, type Tensor } from 'pullback';
import { imageGrid, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { greyScene } from '../shared/drawings.ts';

const modes = { zeros: 'constant', edge: 'edge', circular: 'wrap' } as const;
const names = Object.keys(modes) as readonly (keyof typeof modes)[];

const options = {
  ...cli.commonOptions('padding'),
  reach: cli.countIn(4, 'pixels of the mean on each side of its place', [1, 13]),
};

export const example: cli.Example<typeof options> = {
  name: 'padding',
  about: 'zero, edge and circular padding, and the border of a blurred image.',
  options,
  body: ({ reach: width, seed }) => {
    const window = 2 * width + 1;
    const kernel = np.full([window, window, 1, 1], 1 / window ** 2);
    const padded = (x: Tensor, name: keyof typeof modes): Tensor => np.pad(x, width, { mode: modes[name] });
    const blur = (x: Tensor, name: keyof typeof modes): Tensor => {
      const around = padded(x, name);
      return np.squeeze(nn.functional.conv(np.reshape(around, [1, ...around.shape, 1]), kernel), [0, 3]);
    };
    const image = greyScene(random.key(seed), 64);
    const grown = names.map((name) => blur(image, name));
    const same = grown.filter(({ shape }) => shape.join() === image.shape.join()).length;

    // Of a constant image: how dark its border gets.
    const ones = np.ones([32, 32]);
    const border = names.map((name) => np.max(np.abs(np.sub(blur(ones, name), 1))).item());
    names.forEach((name, i) =>
      console.log(`${name}: a constant image changes by ${border[i]!.toFixed(3)} at its border`),
    );
    const turned = (x: Tensor): Tensor => np.roll(x, 11, 1);
    const commutes = names.map((name) =>
      np.max(np.abs(np.sub(blur(turned(image), name), turned(blur(image, name))))).item(),
    );
    // nn.conv pads by zeros itself.
    const itself = nn.functional.conv(np.reshape(image, [1, 64, 64, 1]), kernel, { padding: 'SAME' });
    const zeros = np.max(np.abs(np.sub(np.squeeze(itself, [0, 3]), grown[0]!))).item();
    return TE.of({
      numbers: { zeros: border[0]!, edge: border[1]!, circular: commutes[2]! },
      claims: [
        cli.atLeast('outputs as large as the image', same, 3),
        cli.atLeast('what zeros take from a constant image in its corner', border[0]!, 0.6),
        cli.atMost('what the edge again takes from it', border[1]!, 1e-6),
        cli.atMost('circular: turned and blurred against blurred and turned', commutes[2]!, 1e-6),
        cli.atLeast('the same of zeros', commutes[0]!, 0.01),
        cli.atMost("zeros against 'SAME' of the layer", zeros, 1e-6),
      ],
      files: {
        'padding.svg': imageGrid({
          title: 'Padded, and blurred',
          images: np.concatenate([
            np.stack(names.map((name) => padded(image, name))),
            np.stack(grown.map((x) => np.pad(x, width, { constantValues: 1 }))),
          ]),
          range: [0, 1],
          captions: [...names, ...names.map((name) => `${name}, blurred`)],
          columns: 3,
          scale: 2,
        }),
        'border.svg': lineChart({
          title: 'A constant image, blurred: its middle row',
          xLabel: 'column',
          yLabel: 'brightness',
          series: names.map((name) => ({
            name,
            points: ((np.index(blur(ones, name), 16) as Tensor).toArray() as number[]).map((v, i) => [i, v] as const),
          })),
        }),
      },
    });
  },
};
