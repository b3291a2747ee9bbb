/**
 * A block with a gradient of its own (§2.3.4, §2.3.5): the sigmoid as one node, whose rule is σ′ = σ(1 − σ), by `customVjp`.
 *
 * The program of the gradient is shorter than that of the neuron taken apart, and it is right where the plain formula is not: far
 * to the left the plain one divides Infinity by Infinity. A rule may be wrong as well: a law finds it.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { countEqns, customVjp, grad, jit, makeAval, makeJaxpr, np, optimize, type Tensor, vmap } from 'pullback';
import { args, gradientLaw } from 'pullback/laws';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

/** σ as the notes write it: 1/(1 + e⁻ˣ). */
const plain = (x: Tensor): Tensor => np.div(1, np.add(1, np.exp(np.neg(x))));

/** The same, and its derivative from its value. */
const sigmoid = customVjp(
  plain,
  (x: Tensor) => {
    const y = plain(x);
    return [y, y] as const;
  },
  (y, upstream: Tensor) => [np.mul(upstream, np.mul(y, np.sub(1, y)))] as const,
);

/** A rule that forgets a factor. */
const wrong = customVjp(
  plain,
  (x: Tensor) => {
    const y = plain(x);
    return [y, y] as const;
  },
  (y, upstream: Tensor) => [np.mul(upstream, y)] as const,
);

const options = { ...cli.commonOptions('own-gradient'), runs: cli.count(50, 'cases of the law', 20) };

export const example: cli.Example<typeof options> = {
  name: 'own-gradient',
  about: 'a sigmoid with a derivative of its own, by customVjp, and the law that finds a wrong one.',
  options,
  body: ({ runs, seed }) => {
    const slopes = (f: (x: Tensor) => Tensor) => vmap(grad(f));
    const xs = np.linspace(-120, 6, 127);
    const [byRule, byParts] = [jit(slopes(sigmoid))(xs), jit(slopes(plain))(xs)];
    const near = np.linspace(-6, 6, 61);
    const apart = np.max(np.abs(np.sub(slopes(sigmoid)(near), slopes(plain)(near)))).item();
    const notFinite = (x: Tensor): number => Array.from(x.dataSync()).filter((v) => !Number.isFinite(v)).length;
    const equations = (f: (x: Tensor) => Tensor): number => countEqns(optimize(makeJaxpr(grad(f))(np.array(0)).jaxpr));
    console.log(`equations of the gradient: ${equations(sigmoid)} by the rule, ${equations(plain)} taken apart`);

    const judge = (f: (x: Tensor) => Tensor) => gradientLaw(f, args(makeAval([], 'float32'))).run({ runs, seed });
    const [right, caught] = [judge(sigmoid), judge(wrong)];
    console.log(`the law on the wrong rule: ${caught.failure?.why.split('\n')[0] ?? 'holds'}`);
    const curve = (name: string, f: (x: Tensor) => Tensor) => ({
      name,
      points: Array.from(near.dataSync(), (x, i) => [x, (f(near).toArray() as number[])[i]!] as const),
    });
    return TE.of({
      numbers: {
        apart,
        byRule: notFinite(byRule),
        byParts: notFinite(byParts),
        rule: equations(sigmoid),
        parts: equations(plain),
      },
      claims: [
        cli.atMost('the rule against the derivative taken apart', apart, 1e-6),
        cli.atMost('slopes by the rule that are not finite', notFinite(byRule), 0),
        cli.atLeast('… taken apart, far to the left', notFinite(byParts), 1),
        cli.atMost('failures of the law on the right rule', right.failure === null ? 0 : 1, 0),
        cli.atLeast('failures of the law on the wrong one', caught.failure === null ? 0 : 1, 1),
      ],
      files: {
        'sigmoid.svg': lineChart({
          title: 'σ and its derivative, of one block',
          xLabel: 'x',
          yLabel: 'y',
          series: [curve('σ', sigmoid), curve('σ′', slopes(sigmoid))],
        }),
      },
    });
  },
};
