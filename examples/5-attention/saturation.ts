/**
 * Why scores are divided by √D (§6.4.2): without it the softmax of attention saturates, and its gradient vanishes.
 *
 * Dot products of independent queries and keys have the variance D. Unscaled, one weight is nearly 1 where D is large, and the
 * gradient with respect to the scores, A(δ − A), is nearly 0; scaled, neither depends on D.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, nn, np, random, type Tensor, vmap } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

const keys = 32;

const options = { ...cli.commonOptions('saturation'), draws: cli.count(400, 'queries of which means are taken', 100) };

export const example: cli.Example<typeof options> = {
  name: 'saturation',
  about: 'attention saturates without the division by √D, and its gradient vanishes.',
  options,
  body: ({ draws, seed }) => {
    const [queryKey, keyKey, valueKey] = random.split(random.key(seed), 3);
    const measure = (size: number, scale: number) => {
      const q = random.normal(queryKey!, [draws, size]);
      const k = random.normal(keyKey!, [draws, keys, size]);
      const v = random.normal(valueKey!, [draws, keys]);
      const scores = np.mul(scale, np.einsum('nd,nkd->nk', q, k));
      const output = (e: Tensor, values: Tensor): Tensor => np.dot(nn.softmax(e), values);
      const slopes = vmap(grad(output))(scores, v);
      return {
        variance: np.var(scores).item(),
        greatest: np.mean(np.max(nn.softmax(scores, 1), 1)).item(),
        slope: np.mean(np.linalg.vectorNorm(slopes, { axis: 1 })).item(),
      };
    };
    const sizes = [1, 4, 16, 64, 256, 1024];
    const plain = sizes.map((size) => measure(size, 1));
    const scaled = sizes.map((size) => measure(size, 1 / Math.sqrt(size)));
    sizes.forEach((size, i) => {
      const [a, b] = [plain[i]!, scaled[i]!];
      console.log(
        `D = ${size}: greatest weight ${a.greatest.toFixed(2)}, scaled ${b.greatest.toFixed(2)}; gradient ${a.slope.toExponential(1)}, scaled ${b.slope.toExponential(1)}`,
      );
    });
    const [p, s] = [plain.at(-1)!, scaled.at(-1)!];
    // The library's attention scales by itself; `{ scale: 1 }` is the plain product.
    const [q, k] = [random.normal(queryKey!, [1, 1, 1, 64]), random.normal(keyKey!, [1, keys, 1, 64])];
    const weights = np.ravel(nn.functional.attentionWeights(q, k));
    const byHand = nn.softmax(np.div(np.matmul(np.reshape(k, [keys, 64]), np.ravel(q)), 8));
    const apart = np.max(np.abs(np.sub(weights, byHand))).item();
    const line = (name: string, rows: typeof plain, of: (row: (typeof plain)[number]) => number) => ({
      name,
      points: rows.map((row, i) => [sizes[i]!, of(row)] as const),
    });
    return TE.of({
      numbers: {
        variance: p.variance,
        greatest: p.greatest,
        greatestScaled: s.greatest,
        slope: p.slope,
        slopeScaled: s.slope,
      },
      claims: [
        { ...cli.atLeast('variance of the plain scores at D = 1024, to D', p.variance / 1024, 0.9), atMost: 1.1 },
        cli.atLeast('the greatest weight without scaling at D = 1024', p.greatest, 0.9),
        cli.atMost('with scaling', s.greatest, 0.3),
        cli.atLeast('the gradient with scaling, to that without', s.slope / p.slope, 3),
        cli.atMost("the library's attention against softmax(q·k/√D)", apart, 1e-6),
      ],
      files: {
        'weights.svg': lineChart({
          title: 'The greatest of 32 weights',
          xLabel: 'D',
          yLabel: 'weight',
          xScale: 'log',
          series: [line('q·k', plain, (r) => r.greatest), line('q·k/√D', scaled, (r) => r.greatest)],
        }),
        'gradients.svg': lineChart({
          title: 'The gradient of the output in the scores',
          xLabel: 'D',
          yLabel: '‖gradient‖',
          xScale: 'log',
          yScale: 'log',
          series: [line('q·k', plain, (r) => r.slope), line('q·k/√D', scaled, (r) => r.slope)],
        }),
      },
    });
  },
};
