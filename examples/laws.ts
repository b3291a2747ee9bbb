/**
 * A bug in a derivative that you have written yourself, and the report that finds it.
 *
 * A small model uses a leaky softplus, whose derivative is given as a rule. In the copy with the bug the rule has forgotten the
 * leak: such a model still trains, only worse. Every law of both models is run; the gradient law prints the smallest arguments for
 * which the derivative is wrong, and the line of the first equation that is to blame.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { customJvp, evalShape, makeAval, nn, np, random, type Tensor } from 'pullback';
import { adjointLaw, args, batchingLaw, gradientLaw, jitLaw, type Report, showReport } from 'pullback/laws';
import * as cli from './cli.ts';

const leak = 0.1;

/** leak·x + (1 − leak)·log(1 + eˣ). */
const value = (x: Tensor) => np.add(np.mul(leak, x), np.mul(1 - leak, nn.softplus(x)));

const right = customJvp(value, ([x], [t]) => [value(x), np.mul(t, np.add(leak, np.mul(1 - leak, nn.sigmoid(x))))]);

// The slope of a softplus without the leak.
const wrong = customJvp(value, ([x], [t]) => [value(x), np.mul(t, np.mul(1 - leak, nn.sigmoid(x)))]);

const init = () => {
  const [first, second] = random.split(random.key(0));
  return { hidden: nn.dense.init(first, 2, 3), out: nn.dense.init(second, 3, 1) };
};
type Params = ReturnType<typeof init>;

/** The laws of a model with this activation, of its output and of its loss, for any parameters, points and targets. */
function lawsOf(activation: (x: Tensor) => Tensor) {
  const model = (params: Params, x: Tensor) => pipe(x, nn.dense(params.hidden), activation, nn.dense(params.out));
  const loss = (params: Params, x: Tensor, y: Tensor) => nn.mse(model(params, x), y);
  const params = evalShape(init);
  const batch = args(params, makeAval([2, 2], 'float32'), makeAval([2, 1], 'float32'));
  return [
    gradientLaw(loss, batch),
    adjointLaw(loss, batch),
    batchingLaw(model, args(params, makeAval([2], 'float32'))),
    jitLaw(loss, batch),
  ];
}

const options = {
  runs: cli.count(100, 'cases of a law', 10),
  ...cli.commonOptions('laws'),
};

/** The line of a report that names what is to blame. */
const culpritIn = (report: Report): string | null =>
  /first wrong equation: ([^,]*)/.exec(report.failure?.why ?? '')?.[1] ?? null;

export const example: cli.Example<typeof options> = {
  name: 'laws',
  about: 'plants a bug in a rule for derivatives, and shows the report of the law that finds it.',
  options,
  body: ({ runs, seed }) => {
    const judge = (activation: (x: Tensor) => Tensor) => lawsOf(activation).map((law) => law.run({ runs, seed }));
    const [sound, planted] = [judge(right), judge(wrong)];
    const text = [
      'The right rule\n',
      ...sound.map(showReport),
      '\nThe rule that forgets the leak: one derivative in both modes, under vmap and jit, but not that of the function\n',
      ...planted.map(showReport),
      '',
    ].join('\n');
    console.log(text);
    const failed = planted.filter(({ failure }) => failure !== null);
    const held = sound.filter(({ failure }) => failure === null).length;
    return TE.of({
      numbers: {
        laws: sound.length,
        held,
        caughtBy: failed.map(({ law }) => law).join(', '),
        firstWrongEquation: failed.map(culpritIn).find((culprit) => culprit !== null) ?? null,
      },
      claims: [
        cli.atLeast('laws that hold of the right rule', held, sound.length),
        cli.atLeast('laws that find the wrong one', failed.length, 1),
      ],
      files: { 'report.txt': text },
    });
  },
};
