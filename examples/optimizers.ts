/**
 * All optimizers in one valley, Rosenbrock's: from the same point, for as many steps, each with a rate that suits it.
 *
 * An optimizer is a value, so that a table of them is a record and a race between them is a loop over it. Line searches, which look
 * at the loss itself, run inside of the same compiled step as the others.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { np, optim, random, type Tensor, train, valueAndGrad } from 'pullback';
import * as cli from './cli.ts';

/** (1 − a)² + 10(b − a²)², with its minimum 0 at (1, 1) behind a bend. */
const valley = (x: Tensor): Tensor => {
  const [a, b] = [np.index(x, 0), np.index(x, 1)];
  return np.add(np.square(np.sub(1, a)), np.mul(10, np.square(np.sub(b, np.square(a)))));
};

const start = [-1, 1.5];
const cooling = (rate: number, steps: number): optim.Schedule => optim.cosineDecaySchedule(rate, steps);

/** Every optimizer, for a race of so many steps. */
const racers = (steps: number): Readonly<Record<string, optim.GradientTransformation>> => ({
  sgd: optim.sgd(0.01),
  momentum: optim.sgd(0.005, { momentum: 0.9 }),
  nesterov: optim.sgd(0.005, { momentum: 0.9, nesterov: true }),
  'sgd, one cycle': optim.sgd(optim.cosineOnecycleSchedule(steps, 0.03)),
  'sgd, clipped': optim.chain(optim.clipByNorm(1), optim.sgd(0.02, { momentum: 0.9 })),
  'sgd, backtracking': optim.chain(optim.sgd(1), optim.scaleByBacktrackingLinesearch()),
  'sgd, plateaus': optim.chain(optim.sgd(0.02), optim.reduceOnPlateau({ factor: 0.5, patience: 20 })),
  adagrad: optim.adagrad(0.5),
  adadelta: optim.adadelta(1, { eps: 1e-3 }),
  rmsprop: optim.rmsprop(cooling(0.03, steps)),
  adam: optim.adam(0.1),
  nadam: optim.nadam(0.1),
  adamax: optim.adamax(0.2),
  amsgrad: optim.amsgrad(0.1),
  'adam, noise': optim.chain(optim.addNoise(0.01, 1, random.key(0)), optim.adam(0.1)),
  'adam, lookahead': optim.lookahead(optim.adam(0.1), 5, 0.5),
  lion: optim.lion(cooling(0.05, steps), { weightDecay: 0 }),
  lamb: optim.lamb(cooling(0.05, steps)),
  lars: optim.lars(cooling(0.05, steps), { trustCoefficient: 0.1 }),
  adafactor: optim.adafactor(cooling(0.1, steps)),
  lbfgs: optim.lbfgs(),
});

/** The loss after each of so many steps, the one at the start first. */
function race(optimizer: optim.GradientTransformation, steps: number): readonly number[] {
  const x = np.array(start);
  type Carry = { readonly x: Tensor; readonly state: optim.OptState };
  const step = ({ x, state }: Carry): readonly [Carry, Tensor] => {
    const [value, grad] = valueAndGrad(valley)(x);
    const [updates, next] = optimizer.update(grad, state, x, { value, grad, valueFn: valley });
    return [{ x: optim.applyUpdates(x, updates), state: next }, value];
  };
  const [end, values] = train.fold(
    step,
    { x, state: optimizer.init(x) },
    Array.from({ length: steps }, () => null),
  );
  return [...values, valley(end.x)].map((value) => value.item());
}

const options = { ...cli.commonOptions('optimizers'), steps: cli.count(200, 'steps that each may take', 60) };

export const example: cli.Example<typeof options> = {
  name: 'optimizers',
  about: 'lets all optimizers run through the same valley, and says how far they come.',
  options,
  body: ({ steps }) => {
    const half = Math.floor(steps / 2);
    const losses = Object.entries(racers(steps)).map(([name, optimizer]) => [name, race(optimizer, steps)] as const);
    const row = (name: string, ...cells: readonly string[]): string =>
      [name.padEnd(18), ...cells.map((cell) => cell.padStart(12))].join('');
    const shown = losses.map(([name, path]) => row(name, path[half]!.toExponential(2), path[steps]!.toExponential(2)));
    const text = `${[row('loss after steps:', `${half}`, `${steps}`), ...shown].join('\n')}\n`;
    console.log(text);
    const begin = losses[0]![1][0]!;
    const ends = Object.fromEntries(losses.map(([name, path]) => [name, path[steps]!]));
    return TE.of({
      numbers: { start: begin, ...ends },
      claims: [
        cli.atMost('the worst loss at the end, of the first', Math.max(...Object.values(ends)) / begin, 0.66),
        cli.atMost('loss of L-BFGS at the end', ends['lbfgs']!, 1e-6),
      ],
      files: { 'losses.txt': text },
    });
  },
};
