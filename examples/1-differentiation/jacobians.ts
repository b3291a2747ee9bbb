/**
 * Jacobians (§2.4): that of a linear layer is its matrix, and that of a composition the product of Jacobians.
 *
 * `jacfwd` takes a column at a time, by `jvp`, and `jacrev` a row, by `vjp`: the same matrix, and which is cheaper depends on its
 * shape. The chain rule (2.4.2), J of f∘g at a = J of f at g(a) times J of g at a, holds to rounding.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jacfwd, jacrev, jit, np, random, type Tensor } from 'pullback';
import { heatMap } from 'pullback/viz';
import * as cli from '../cli.ts';

const farthest = (a: Tensor, b: Tensor): number => np.max(np.abs(np.sub(a, b))).item();

const options = cli.commonOptions('jacobians');

export const example: cli.Example<typeof options> = {
  name: 'jacobians',
  about: 'the Jacobian of a linear layer is its matrix; those of compositions multiply.',
  options,
  body: ({ seed }) => {
    const [forW, forV, forA] = random.split(random.key(seed), 3);
    const [w, v, a] = [random.normal(forW!, [5, 4]), random.normal(forV!, [3, 5]), random.normal(forA!, [4])];

    const linear = (x: Tensor): Tensor => np.matmul(w, x);
    const ofLinear = Math.max(farthest(jacfwd(linear)(a), w), farthest(jacrev(linear)(a), w));
    console.log(`the Jacobian of x ↦ Wx is W: ${ofLinear} apart`);

    const g = (x: Tensor): Tensor => np.tanh(linear(x));
    const f = (y: Tensor): Tensor => np.sin(np.matmul(v, y));
    const whole = jacrev((x: Tensor) => f(g(x)))(a);
    const product = np.matmul(jacrev(f)(g(a)), jacrev(g)(a));
    const ofChain = farthest(whole, product);
    console.log(`J of f∘g against the product of the two: ${ofChain.toExponential(1)} apart`);

    // 3 outputs of 400 inputs: three rows cost less than four hundred columns.
    const wide = (x: Tensor): Tensor => np.matmul(np.reshape(np.sin(x), [3, -1]), np.ones([134]));
    const input = np.linspace(0, 1, 402);
    const work = (jacobian: typeof jacfwd): number => jit(jacobian(wide)).lower(input.aval).compile().cost().flops;
    const [columns, rows] = [work(jacfwd), work(jacrev)];
    console.log(`flops of a 3×402 Jacobian: ${columns} by columns, ${rows} by rows`);
    return TE.of({
      numbers: { ofLinear, ofChain, columns, rows },
      claims: [
        cli.atMost('the Jacobian of a linear layer from its matrix', ofLinear, 0),
        cli.atMost('the chain rule', ofChain, 1e-5),
        cli.atLeast('a wide Jacobian by columns, in the cost by rows', columns / rows, 5),
      ],
      files: {
        'linear.svg': heatMap({
          title: 'The Jacobian of x ↦ Wx: W',
          values: jacrev(linear)(a),
          colours: 'diverging',
          digits: 2,
          xLabel: 'input',
          yLabel: 'output',
          width: 420,
          height: 360,
        }),
        'chain.svg': heatMap({
          title: 'The Jacobian of sin(V tanh(Wx))',
          values: whole,
          colours: 'diverging',
          digits: 2,
          xLabel: 'input',
          yLabel: 'output',
          width: 420,
          height: 300,
        }),
      },
    });
  },
};
