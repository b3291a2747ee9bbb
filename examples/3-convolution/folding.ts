/**
 * Batch norm costs nothing once learning is over (§4.5.2): it is affine then, and folds into the convolution before it.
 *
 * w·γ/√(σ² + ε) and (b − μ)·γ/√(σ² + ε) + β make a convolution that computes what the two did. The program of the folded network
 * has fewer operations; of the compiled one the flops say how many.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, nn, np, random, type Tensor, tree } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

const channels = [3, 8, 16, 16];

interface Block {
  readonly conv: nn.ConvParams;
  readonly norm: ReturnType<typeof nn.batchNorm.init>;
  readonly state: nn.BatchNormState;
}

/** Blocks with statistics of some training. */
const blocksOf = (key: random.Key): readonly Block[] =>
  channels.slice(1).map((out, i) => {
    const [forConv, forScale, forBias, forMean, forVariance] = random.split(random.foldIn(key, i), 5);
    return {
      conv: nn.conv.init(forConv!, [3, 3], channels[i]!, out),
      norm: {
        scale: random.uniform(forScale!, [out], { minval: 0.5, maxval: 2 }),
        bias: random.normal(forBias!, [out]),
      },
      state: {
        mean: random.normal(forMean!, [out]),
        variance: random.uniform(forVariance!, [out], { minval: 0.2, maxval: 3 }),
      },
    };
  });

const withNorms = (blocks: readonly Block[], x: Tensor): Tensor =>
  blocks.reduce(
    (y, { conv, norm, state }) => nn.relu(nn.batchNorm(norm)(nn.conv(conv, { padding: 1 })(y), state)[0]),
    x,
  );

const fold = ({ conv, norm, state }: Block): nn.ConvParams => nn.foldBatchNorm(conv, norm, state);

const folded = (layers: readonly nn.ConvParams[], x: Tensor): Tensor =>
  layers.reduce((y, conv) => nn.relu(nn.conv(conv, { padding: 1 })(y)), x);

const options = { ...cli.commonOptions('folding'), images: cli.count(16, 'images', 4) };

export const example: cli.Example<typeof options> = {
  name: 'folding',
  about: 'batch norm folds into the convolution before it: the same outputs for less.',
  options,
  body: ({ images, seed }) => {
    const [paramsKey, imageKey] = random.split(random.key(seed));
    const x = random.normal(imageKey, [images, 32, 32, 3]);
    const blocks = blocksOf(paramsKey);
    const layers = blocks.map(fold);
    const [before, after] = [jit(withNorms)(blocks, x), jit(folded)(layers, x)];
    const apart = np.div(np.max(np.abs(np.sub(before, after))), np.max(np.abs(before))).item();
    const costs = [
      jit(withNorms).lower(blocks, x).compile().cost(),
      jit(folded).lower(layers, x).compile().cost(),
    ] as const;
    const saved = costs[0].flops - costs[1].flops;
    const numbers = (t: unknown): number => tree.reduce((sum, leaf) => sum + leaf.size, 0, t);
    console.log(`${apart.toExponential(1)} apart; ${costs[0].flops} flops before, ${costs[1].flops} folded`);
    const points = (y: Tensor) =>
      (np.ravel(np.index(y, 0, 0, [], [0, 3]) as Tensor).toArray() as number[]).map((v, i) => [i, v] as const);
    return TE.of({
      numbers: {
        apart,
        before: costs[0].flops,
        after: costs[1].flops,
        numbersBefore: numbers(blocks),
        numbersAfter: numbers(layers),
      },
      claims: [
        cli.atMost('outputs of the folded network from the others, relative', apart, 1e-5),
        cli.atLeast('operations saved, for each element of a norm', saved / (images * 1024 * (8 + 16 + 16)), 1),
        cli.atMost('numbers to keep, to those before', numbers(layers) / numbers(blocks), 0.999),
      ],
      files: {
        'outputs.svg': lineChart({
          title: 'Some outputs, before and after folding',
          xLabel: 'element',
          yLabel: 'output',
          series: [
            { name: 'convolutions and norms', points: points(before) },
            { name: 'folded', points: points(after) },
          ],
        }),
      },
    });
  },
};
