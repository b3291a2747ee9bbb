/**
 * Numeric against automatic differentiation (§2.2.2): errors over the width h, and what they cost.
 *
 * Forward differences err by h·f″/2 and by the rounding ε/h: best at h ≈ √ε. Central ones err by h²·f‴/6: best at h ≈ ε^⅓. Neither
 * comes to the digits of automatic differentiation, and both call f once or twice for each parameter; a gradient costs a few calls,
 * whatever their number.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, jit, np, type Tensor, vmap } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

/** Of one number, float64 or float32. */
const f = (x: Tensor<'float32' | 'float64'>) => np.mul(np.exp(x), np.sin(x));
const slopeAt = (x: number): number => Math.exp(x) * (Math.sin(x) + Math.cos(x));
const point = 1.3;

type DType = 'float32' | 'float64';
const methods = {
  forward: (h: number, x: Tensor<DType>) => np.div(np.sub(f(np.add(x, h)), f(x)), h),
  central: (h: number, x: Tensor<DType>) => np.div(np.sub(f(np.add(x, h)), f(np.sub(x, h))), 2 * h),
};

const options = {
  ...cli.commonOptions('numeric'),
  parameters: cli.count(2000, 'parameters of the function whose cost is taken', 300),
};

export const example: cli.Example<typeof options> = {
  name: 'numeric',
  about: 'the errors of forward, central and automatic differentiation over h, and their cost.',
  options,
  body: ({ parameters }) => {
    const widths = Array.from({ length: 61 }, (_, i) => 10 ** (-15 + i / 4));
    const truth = slopeAt(point);
    const error = (slope: Tensor<DType>): number => Math.abs(slope.item() - truth) / Math.abs(truth);
    const at = (dtype: DType) => np.array(point, { dtype }) as Tensor<DType>;
    const series = (['float64', 'float32'] as const).flatMap((dtype) =>
      Object.entries(methods).map(([name, method]) => ({
        name: `${name}, ${dtype}`,
        points: widths.map((h) => [h, error(method(h, at(dtype)))] as const),
      })),
    );
    const automatic = { float64: error(grad(f)(at('float64'))), float32: error(grad(f)(at('float32'))) };
    const best = (index: number) => series[index]!.points.reduce((a, b) => (b[1] < a[1] ? b : a));
    for (const [i, { name }] of series.entries()) {
      const [h, least] = best(i);
      console.log(`${name.padEnd(18)} at best ${least.toExponential(1)}, at h = ${h.toExponential(0)}`);
    }
    console.log(
      `automatic: ${automatic.float64.toExponential(1)}, and ${automatic.float32.toExponential(1)} in float32`,
    );

    // The cost: f of so many parameters, its gradient in one pass, and differences, one by one for all parameters.
    const loss = (w: Tensor): Tensor => np.sum(np.mul(np.tanh(w), np.sin(w)));
    const w = np.linspace(-1, 1, parameters);
    const work = (g: (x: Tensor) => Tensor): number => jit(g).lower(w.aval).compile().cost().flops;
    const differences = (x: Tensor): Tensor =>
      vmap((direction: Tensor) => np.div(np.sub(loss(np.add(x, np.mul(1e-3, direction))), loss(x)), 1e-3))(
        np.eye(parameters),
      );
    const calls = { automatic: work(grad(loss)) / work(loss), differences: work(differences) / work(loss) };
    console.log(
      `a gradient of ${parameters} parameters costs ${calls.automatic.toFixed(1)} calls; by differences ${calls.differences.toFixed(0)}`,
    );
    const [forward, central] = [best(0), best(1)];
    return TE.of({
      numbers: {
        automatic: automatic.float64,
        forward: forward[1],
        central: central[1],
        calls: calls.automatic,
        callsOfDifferences: calls.differences,
      },
      claims: [
        cli.atMost('error of automatic differentiation in float64', automatic.float64, 1e-14),
        { ...cli.atLeast('where forward differences are best: h', forward[0], 1e-9), atMost: 1e-7 },
        { ...cli.atLeast('where central ones are: h', central[0], 1e-6), atMost: 1e-4 },
        cli.atMost('cost of a gradient, in calls of the function', calls.automatic, 5),
        cli.atLeast('cost by differences, in calls for each parameter', calls.differences / parameters, 0.5),
      ],
      files: {
        'errors.svg': lineChart({
          title: 'How wrong a derivative by differences is',
          width: 800,
          xLabel: 'h',
          yLabel: 'relative error',
          xScale: 'log',
          yScale: 'log',
          series: [
            ...series,
            { name: 'automatic, float64', points: widths.map((h) => [h, Math.max(automatic.float64, 1e-17)] as const) },
          ],
        }),
      },
    });
  },
};
