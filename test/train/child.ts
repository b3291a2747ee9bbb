/**
 * A run that is killed: `node child.js PATH` trains a small network with dropout and saves the run after every second step.
 * When it is done it writes its parameters as text to PATH.done.
 */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { nn, np, optim, random, type Tensor, train, valueAndGrad } from 'pullback';
import { showFailure, writeText } from 'pullback/io';

const path = process.argv[2]!;
const adam = optim.adam(0.01);
const params = nn.dense.init(random.key(1), 4, 3);
const start = train.startRun({ params, state: adam.init(params) }, random.key(2));

type Carry = typeof start.carry;
type Batch = readonly [Tensor, Tensor<'int32'>];

const step = ({ params, state }: Carry, [x, y]: Batch, key: random.Key) => {
  const noisy = np.add(x, random.normal(key, x.shape));
  const [loss, gradient] = valueAndGrad((p: Carry['params']) => nn.crossEntropy(nn.dense(p)(noisy), y))(params);
  const [updates, next] = adam.update(gradient, state, params);
  return [{ params: optim.applyUpdates(params, updates), state: next }, { loss }] as const;
};

/** Batches that depend on the epoch and on their number in it. */
function* batches(epoch: number, from: number): Generator<Batch> {
  const key = random.foldIn(random.key(3), epoch);
  for (let i = from; i < 40; i++) {
    const [kx, ky] = random.split(random.foldIn(key, i));
    yield [random.normal(kx, [8, 4]), random.randint(ky, [8], 0, 3)];
  }
}

/** The last bits of a run, as text. */
const bits = ({ carry, history }: typeof start): string =>
  JSON.stringify([carry.params.w.toArray(), carry.params.b.toArray(), history]);

const end = await pipe(
  train.openRun(path, start),
  TE.flatMap((run) => train.fit(step, run, batches, { epochs: 4, save: { path, everySteps: 2 } })),
  TE.flatMap((run) => writeText(`${path}.done`, bits(run))),
)();
if (end._tag === 'Left') {
  console.error(showFailure(end.left));
  process.exitCode = 1;
}
