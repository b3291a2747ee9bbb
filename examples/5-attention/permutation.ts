/**
 * Self-attention works on sets (§6.5.2): permute the inputs, and the outputs are permuted alike; until positions are added.
 *
 * Of a masked layer it does not hold: what is before and what behind is an order. With positions a layer can tell "ab" from "ba",
 * which without them it cannot, whatever its parameters.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, random, type Tensor } from 'pullback';
import { heatMap } from 'pullback/viz';
import * as cli from '../cli.ts';

const [length, size] = [8, 16];

const options = { ...cli.commonOptions('permutation'), trials: cli.count(20, 'permutations') };

export const example: cli.Example<typeof options> = {
  name: 'permutation',
  about: 'self-attention is permutation equivariant, and positional encoding breaks that.',
  options,
  body: ({ seed, trials }) => {
    const [paramsKey, xKey, orderKey, tableKey] = random.split(random.key(seed), 4);
    const params = nn.multiHeadAttention.init(paramsKey!, size, 4);
    const x = random.normal(xKey!, [1, length, size]);
    const learned = nn.learnedPositions.init(tableKey!, length, size);
    const attention = (input: Tensor, isCausal = false): Tensor => nn.multiHeadAttention(params, { isCausal })(input);
    const layers = {
      'self-attention': (input: Tensor): Tensor => attention(input),
      masked: (input: Tensor): Tensor => attention(input, true),
      'with sines': (input: Tensor): Tensor => attention(np.add(input, nn.sinusoidalPositions(length, size))),
      'with learned positions': (input: Tensor): Tensor => attention(nn.learnedPositions(learned)(input)),
    };
    /** How far f(Px) is from P f(x), at most, over the size of f. */
    const broken = Object.entries(layers).map(([name, f]) => {
      const far = Array.from({ length: trials }, (_, i) => {
        const order = random.permutation(random.foldIn(orderKey!, i), length);
        const permuted = (y: Tensor): Tensor => np.take(y, order, 1);
        return np.max(np.abs(np.sub(f(permuted(x)), permuted(f(x))))).item();
      });
      const relative = Math.max(...far) / np.max(np.abs(f(x))).item();
      console.log(`${name}: ${relative.toExponential(1)} from equivariance`);
      return relative;
    });
    const encoding = nn.sinusoidalPositions(32, 32);
    // Shifts are linear in sines: the products of two positions depend on their distance alone.
    const products = np.matmul(encoding, np.transpose(encoding)).toArray() as number[][];
    const uneven = Math.max(...Array.from({ length: 20 }, (_, i) => Math.abs(products[i]![i + 5]! - products[0]![5]!)));
    return TE.of({
      numbers: { plain: broken[0]!, masked: broken[1]!, sines: broken[2]!, learned: broken[3]!, uneven },
      claims: [
        cli.atMost('self-attention from equivariance, relative', broken[0]!, 1e-5),
        cli.atLeast('… masked', broken[1]!, 0.05),
        cli.atLeast('… with sines', broken[2]!, 0.05),
        cli.atLeast('… with learned positions', broken[3]!, 1e-3),
        cli.atMost('products of sines at one distance, from each other', uneven, 1e-4),
      ],
      files: {
        'sines.svg': heatMap({
          title: 'Sinusoidal positions',
          values: encoding,
          colours: 'diverging',
          xLabel: 'feature',
          yLabel: 'position',
          width: 480,
          height: 440,
        }),
      },
    });
  },
};
