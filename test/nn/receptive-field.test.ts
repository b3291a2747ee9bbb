/** Receptive fields: the published ones of well-known networks, and the support of gradients. */

import { grad, nn, np, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { message } from '../errors/message.ts';

const times = (n: number, ...layers: readonly nn.SlidingWindow[]) => Array.from({ length: n }, () => layers).flat();
const conv = (k: number, strides = 1): nn.SlidingWindow => ({ window: [k], strides, padding: [[k >> 1, k >> 1]] });
const pool = (k: number): nn.SlidingWindow => ({ window: [k], strides: 2 });

/** A bottleneck whose middle has this stride. */
const unit = (strides: number) => [conv(1), conv(3, strides), conv(1)];

describe('the receptive field', () => {
  // The table of A. Araujo, W. Norris, J. Sim (2019): size, effective stride, effective padding.
  it.each([
    [
      'AlexNet v2',
      [{ window: [11], strides: 4 }, pool(3), conv(5), pool(3), ...times(3, conv(3)), pool(3)],
      [195, 32, 64],
    ],
    ['VGG-16', [2, 2, 3, 3, 3].flatMap((n) => [...times(n, conv(3)), pool(2)]), [212, 32, 90]],
    [
      'ResNet-50 v1',
      // Pooling by 'SAME' pads an even length on the far side only.
      [
        conv(7, 2),
        pool(3),
        ...[3, 4, 6].flatMap((n) => [...times(n - 1, ...unit(1)), ...unit(2)]),
        ...times(3, ...unit(1)),
      ],
      [483, 32, 239],
    ],
  ] as const)('of %s is the published one', (_, layers, [size, stride, padding]) => {
    const wanted = { size: [size], strides: [stride], center: [(size - 1) / 2 - padding] };
    expect(nn.receptiveField(layers)).toEqual(wanted);
  });

  it('of L layers of a window K is 1 + L·(K − 1), the form of the notes', () => {
    for (const [l, k] of [
      [1, 3],
      [4, 3],
      [7, 5],
    ] as const)
      expect(nn.receptiveField(times(l, { window: [k] })).size).toEqual([1 + l * (k - 1)]);
    expect(nn.receptiveField([])).toEqual({ size: [], strides: [], center: [] });
  });

  it('is of each axis on its own', () => {
    const both = nn.receptiveField([
      {
        window: [3, 5],
        strides: [2, 1],
        dilation: [1, 2],
        padding: [
          [1, 0],
          [0, 3],
        ],
      },
      { window: [2, 1], strides: 3 },
    ]);
    expect(both).toEqual({ size: [5, 9], strides: [6, 3], center: [1, 4] });
  });

  it('with the lengths of the input pads as convolutions do', () => {
    const layers = [
      { window: [3], strides: 2, padding: 'SAME' },
      { window: [4], strides: 3, padding: 'SAME_LOWER' },
    ] as const;
    // 10 → 5 windows, [0, 1] of padding; 5 → 2 windows, [1, 1]. 11 → 6, [1, 1]; 6 → 2, [1, 0].
    const same = [
      { window: [3, 3], padding: 1 },
      { window: [3, 3], padding: [1, 1] },
    ];
    expect(nn.receptiveField(same)).toEqual({ size: [5, 5], strides: [1, 1], center: [0, 0] });
    expect(nn.receptiveField(layers, { lengths: [10] })).toEqual({ size: [9], strides: [6], center: [4 - 0 - 2] });
    expect(nn.receptiveField(layers, { lengths: [11] })).toEqual({ size: [9], strides: [6], center: [4 - 1 - 2] });
  });
});

/** How a layer is applied to [length, 1]: `conv` of ones, or `max`. */
type Applied = nn.SlidingWindow & {
  readonly by: 'conv' | 'max';
  readonly padding?: 'SAME' | 'SAME_LOWER' | 'VALID' | Pairs;
};
type Pairs = readonly (readonly [number, number])[];

const applied = (layers: readonly Applied[]) => (x: Tensor) =>
  layers.reduce<Tensor>((y, { by, window, strides = 1, dilation = 1, padding = 'VALID' }) => {
    const how = { strides: [strides].flat(), padding };
    return by === 'conv'
      ? nn.functional.conv(y, np.ones([...window, 1, 1]), { ...how, dilation: [dilation].flat() })
      : nn.functional.maxPool(y, window, { ...how, windowDilation: [dilation].flat() });
  }, x);

describe('is the support of the gradient', () => {
  const length = 41;
  it.each<[string, readonly Applied[]]>([
    [
      'convolutions',
      [
        { by: 'conv', window: [3] },
        { by: 'conv', window: [3], strides: 2 },
        { by: 'conv', window: [2], dilation: 3 },
      ],
    ],
    [
      'pooling',
      [
        { by: 'conv', window: [5], strides: 2 },
        { by: 'max', window: [3], dilation: 2 },
        { by: 'max', window: [2], strides: 2 },
      ],
    ],
    [
      'padding',
      [
        { by: 'conv', window: [5], padding: [[4, 0]] },
        { by: 'max', window: [3], strides: 2, padding: 'SAME' },
        { by: 'conv', window: [4], strides: 2, padding: 'SAME_LOWER' },
        { by: 'conv', window: [3], padding: [[1, 2]] },
      ],
    ],
    [
      'padding that cuts',
      [
        { by: 'conv', window: [3], padding: [[-2, 1]] },
        { by: 'conv', window: [3], strides: 2 },
      ],
    ],
  ])('of %s', (_, layers) => {
    const f = applied(layers);
    const bare = layers.map(({ by: _by, ...window }) => window);
    const { size, strides, center } = nn.receptiveField(bare, { lengths: [length] });
    // The greatest of a window is its last element where elements ascend, its first where they descend.
    const ascending = np.reshape(np.arange(1, length + 1, 1, { dtype: 'float32' }), [length, 1]) as Tensor;
    const descending = np.flip(ascending, 0) as Tensor;
    const outputs = f(ascending).shape[0]!;
    expect(outputs).toBeGreaterThan(3);
    for (let i = 0; i < outputs; i++) {
      const gradient = grad((x: Tensor) => np.index(f(x), i, 0) as Tensor);
      const seen = [ascending, descending].flatMap((x) =>
        Array.from(gradient(x).dataSync()).flatMap((v, j) => (v === 0 ? [] : [j])),
      );
      const middle = center[0]! + i * strides[0]!;
      const [first, last] = [middle - (size[0]! - 1) / 2, middle + (size[0]! - 1) / 2];
      expect([i, Math.min(...seen), Math.max(...seen)]).toEqual([i, Math.max(first, 0), Math.min(last, length - 1)]);
    }
  });
});

describe('what is no window is refused', () => {
  it('by rank, sign, name and length', () => {
    const of = (...[layers, options]: Parameters<typeof nn.receptiveField>) =>
      message(() => nn.receptiveField(layers, options));
    expect(
      [
        of([{ window: [3, 3] }, { window: [2] }]),
        of([{ window: [3], strides: 0 }]),
        of([{ window: 3 as never }]),
        of([{ window: [3], stride: 2 } as never]),
        of([{ window: [3], strides: 2, padding: 'SAME' }]),
        of([
          {
            window: [3],
            padding: [
              [1, 1],
              [1, 1],
            ],
          },
        ]),
        of([{ window: [3] }, { window: [5] }], { lengths: [6] }),
        of([{ window: [3] }], { lengths: [6, 6] }),
      ].join(''),
    ).toMatchInlineSnapshot(`
      "
      ShapeError: nn.receptiveField: window [2] has not 2 axes
        remedy: give all layers a positive integer for each of the same axes
        at test/nn/receptive-field.test.ts:LINE

      ShapeError: nn.receptiveField: strides[0] is 0
        remedy: give a positive integer
        at test/nn/receptive-field.test.ts:LINE

      ShapeError: nn.receptiveField: window is 3, not a tuple
        remedy: give all layers a positive integer for each of the same axes
        at test/nn/receptive-field.test.ts:LINE

      DTypeError: nn.receptiveField: there is no option 'stride'
        remedy: the options are { window, strides, dilation, padding }
        at test/nn/receptive-field.test.ts:LINE

      ShapeError: nn.receptiveField: 'SAME' beside strides [2] pads as the lengths of the input say
        remedy: give { lengths }, the spatial lengths of the input, or the padding as pairs
        at test/nn/receptive-field.test.ts:LINE

      ShapeError: nn.receptiveField: the padding [[1,1],[1,1]] does not fit 1 axes
        remedy: use 'SAME', 'SAME_LOWER', 'VALID', or 1 pairs [low, high] of integers
        at test/nn/receptive-field.test.ts:LINE

      ShapeError: nn.receptiveField: layer 1 has a window over 5 of axis 0, which is 4 long by then
        remedy: give longer inputs, or pad
        at test/nn/receptive-field.test.ts:LINE

      ShapeError: nn.receptiveField: lengths [6,6] beside windows of 1 axes
        remedy: give the length of the input on each spatial axis
        at test/nn/receptive-field.test.ts:LINE
      "
    `);
  });
});
