/**
 * What the Polyak–Łojasiewicz condition is good for: ½‖∇f‖² ≥ μ(f − f*) makes descent converge as (1 − μ/β)ᵗ, convex or not.
 *
 * x² + 3 sin²x is not convex, and has it, with μ = 1/32 and β = 8; x⁴ is convex, has it not, and crawls. H. Karimi, J. Nutini, M.
 * Schmidt, "Linear convergence of gradient and proximal-gradient methods under the Polyak–Łojasiewicz condition" (2016), §2 and
 * theorem 1.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, jit, np, scan, type Tensor, vmap } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

const wavy = (x: Tensor): Tensor => np.add(np.square(x), np.mul(3, np.square(np.sin(x))));
const flat = (x: Tensor): Tensor => np.square(np.square(x));
const [mu, beta] = [1 / 32, 8];

/** f at each of so many steps of descent: f* is 0 for both. */
const descent = (f: (x: Tensor) => Tensor, from: number, rate: number, steps: number): number[] => {
  const step = (x: Tensor): readonly [Tensor, Tensor] => [np.sub(x, np.mul(rate, grad(f)(x))), f(x)];
  return jit(() => scan(step, np.array(from), null, { length: steps })[1])().toArray() as number[];
};

const options = { ...cli.commonOptions('polyak-lojasiewicz'), steps: cli.countIn(200, 'steps', [50, 10_000]) };

export const example: cli.Example<typeof options> = {
  name: 'polyak-lojasiewicz',
  about: 'under the Polyak–Łojasiewicz condition descent is exponential, without convexity.',
  options,
  body: ({ steps }) => {
    const grid = np.linspace(-6, 6, 1201);
    const [values, slopes] = [wavy(grid), vmap(grad(wavy))(grid)];
    const away = np.greater(np.abs(grid), 1e-3);
    const condition = np
      .min(np.where(away, np.div(np.mul(0.5, np.square(slopes)), np.maximum(values, 1e-12)), 1e9))
      .item();
    const curvature = vmap(grad(grad(wavy)))(grid);
    console.log(
      `½‖∇f‖²/f is at least ${condition.toFixed(3)}, where μ = ${mu}; f″ from ${np.min(curvature).item().toFixed(2)} to ${np.max(curvature).item().toFixed(2)}`,
    );

    const fast = descent(wavy, 3, 1 / beta, steps);
    const slow = descent(flat, 1, 1 / 12, steps);
    const bound = fast.map((_, t) => fast[0]! * (1 - mu / beta) ** t);
    const over = Math.max(...fast.map((value, t) => value / bound[t]!));
    const halves = (values: readonly number[]): number => values.findIndex((value) => value < 1e-6 * values[0]!);
    console.log(
      `a millionth is reached after ${halves(fast)} steps; of x⁴ after ${halves(slow) < 0 ? `more than ${steps}` : halves(slow)}`,
    );
    const line = (name: string, values: readonly number[]) => ({
      name,
      points: values.map((v, i) => [i, Math.max(v, 1e-12)] as const),
    });
    return TE.of({
      numbers: { condition, steps: halves(fast), flat: slow.at(-1)! },
      claims: [
        cli.atLeast('½‖∇f‖²/(f − f*) on a grid', condition, mu),
        cli.atMost('least f″: it is not convex', np.min(curvature).item(), 0),
        cli.atMost('greatest f″, which is β', np.max(curvature).item(), beta + 1e-4),
        cli.atMost('descent to the bound (1 − μ/β)ᵗ', over, 1.00001),
        cli.atLeast('x⁴ after as many steps, where that of the wavy function is gone', slow.at(-1)!, 1e-5),
      ],
      files: {
        'convergence.svg': lineChart({
          title: 'With the condition, and without',
          xLabel: 'step',
          yLabel: 'f − f*',
          yScale: 'log',
          series: [line('x² + 3 sin²x', fast), line('its bound', bound), line('x⁴', slow)],
        }),
        'function.svg': lineChart({
          title: 'x² + 3 sin²x',
          xLabel: 'x',
          yLabel: 'f',
          series: [{ name: 'f', points: Array.from(grid.dataSync(), (x, i) => [x, values.dataSync()[i]!] as const) }],
        }),
      },
    });
  },
};
