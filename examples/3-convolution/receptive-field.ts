/**
 * The receptive field of an output (§4.2.6, §4.2.7): what of the input it depends on, by formula and by gradient.
 *
 * L convolutions of K see 1 + L·(K − 1); strides multiply what comes after them; padding gives W′ = (W − K + 2P)/S + 1 outputs. The
 * gradient of one output is not zero exactly where `nn.receptiveField` says.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, nn, np, type Tensor } from 'pullback';
import { imageGrid } from 'pullback/viz';
import * as cli from '../cli.ts';

interface Layer {
  readonly window: readonly [number, number];
  readonly strides: number;
  readonly padding: number;
}
const layer = (k: number, strides = 1, padding = 0): Layer => ({ window: [k, k], strides, padding });

const stacks: Readonly<Record<string, readonly Layer[]>> = {
  'three 3×3': [layer(3), layer(3), layer(3)],
  'same padding': [layer(3, 1, 1), layer(3, 1, 1), layer(3, 1, 1)],
  'strides 2': [layer(3, 2, 1), layer(3, 2, 1), layer(3, 2, 1)],
  'LeNet-5': [layer(5, 1, 2), layer(2, 2), layer(5), layer(2, 2)],
};
const size = 32;

/** The stack with taps of 1: float32[size, size] → float32[out, out]. */
const through =
  (layers: readonly Layer[]) =>
  (image: Tensor): Tensor => {
    const start = np.reshape(image, [1, size, size, 1]);
    const end = layers.reduce((x, { window, strides, padding }) => {
      const around = [padding, padding] as const;
      return nn.functional.conv(x, np.ones([...window, 1, 1]), {
        strides: [strides, strides],
        padding: [around, around],
      });
    }, start);
    return np.squeeze(end, [0, 3]);
  };

const options = cli.commonOptions('receptive-field');

export const example: cli.Example<typeof options> = {
  name: 'receptive-field',
  about: 'what an output depends on: by the formula, and by where its gradient is not zero.',
  options,
  body: () => {
    const image = np.ones([size, size]);
    const rows = Object.entries(stacks).map(([name, layers]) => {
      const field = nn.receptiveField(layers);
      const f = through(layers);
      const out = f(image).shape[0]!;
      const formula = layers.reduce(
        (w, { window: [k], strides, padding }) => Math.floor((w - k + 2 * padding) / strides) + 1,
        size,
      );
      const at = Math.floor(out / 2);
      const sees = np.notEqual(grad((x: Tensor) => np.index(f(x), at, at) as Tensor)(image), 0);
      const along = np.flatnonzero(np.any(sees, 0)).toArray() as number[];
      // The field of the output `at`, cut off at the borders.
      const middle = field.center[0]! + at * field.strides[0]!;
      const [low, high] = [middle - (field.size[0]! - 1) / 2, middle + (field.size[0]! - 1) / 2];
      const expected = Array.from({ length: size }, (_, i) => i).filter((i) => i >= low && i <= high);
      console.log(`${name}: ${out} outputs, each of ${field.size[0]} pixels, ${field.strides[0]} apart`);
      return {
        name,
        sees,
        sameSize: out === formula,
        sameField: along.join() === expected.join(),
        pixels: field.size[0]!,
      };
    });
    return TE.of({
      numbers: Object.fromEntries(rows.map(({ name, pixels }) => [name, pixels])),
      claims: [
        cli.atLeast(
          'stacks whose outputs are as many as (4.2.3) says',
          rows.filter(({ sameSize }) => sameSize).length,
          rows.length,
        ),
        cli.atLeast(
          'stacks whose gradient is where the formula says',
          rows.filter(({ sameField }) => sameField).length,
          rows.length,
        ),
        { ...cli.atLeast('field of three 3×3: 1 + L·(K − 1)', rows[0]!.pixels, 7), atMost: 7 },
      ],
      files: {
        'fields.svg': imageGrid({
          title: 'What the middle output sees of 32×32 pixels',
          images: np.stack(rows.map(({ sees }) => np.astype(sees, 'float32'))),
          captions: rows.map(({ name, pixels }) => `${name}: ${pixels}×${pixels}`),
          range: [1.1, -0.1],
          columns: 4,
          scale: 4.5,
        }),
      },
    });
  },
};
