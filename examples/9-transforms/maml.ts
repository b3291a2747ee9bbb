/**
 * Learning to learn: parameters from which a few steps of descent fit any sine, found by the gradient through those steps.
 *
 * The inner learning is a function of the outer parameters, with `grad` inside; its own gradient is `grad` of it, and `vmap` does
 * many tasks at once. C. Finn, P. Abbeel, S. Levine, "Model-agnostic meta-learning for fast adaptation of deep networks" (2017).
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { foriLoop, grad, jit, nn, np, optim, random, type Tensor, tree, vmap } from 'pullback';
import { scatterPlot } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend } from '../shared/descend.ts';

const network = nn.serial(
  nn.dense.layer(1, 40),
  nn.lift(np.tanh),
  nn.dense.layer(40, 40),
  nn.lift(np.tanh),
  nn.dense.layer(40, 1),
);
type Params = nn.ParamsOf<typeof network>;
const predict = (params: Params, x: Tensor): Tensor => np.squeeze(network.apply(params)(np.expandDims(x, 1)), 1);

/** A sine of some amplitude and phase, seen at a few places and judged at others. */
interface Task {
  readonly seen: Tensor;
  readonly judged: Tensor;
  readonly amplitude: Tensor;
  readonly phase: Tensor;
}

const sine = ({ amplitude, phase }: Task, x: Tensor): Tensor => np.mul(amplitude, np.sin(np.add(x, phase)));

function drawn(key: random.Key): Task {
  const [a, b, c, d] = random.split(key, 4);
  const places = (k: random.Key, n: number): Tensor => random.uniform(k, [n], { minval: -4, maxval: 4 });
  return {
    seen: places(a, 10),
    judged: places(b, 20),
    amplitude: random.uniform(c, [], { minval: 0.5, maxval: 2 }),
    phase: random.uniform(d, [], { maxval: Math.PI }),
  };
}

const lossAt = (params: Params, task: Task, x: Tensor): Tensor =>
  np.mean(np.square(np.sub(predict(params, x), sine(task, x))));

/** The parameters after so many steps on what was seen of a task. */
function adapted(params: Params, task: Task, steps: number): Params {
  const space = tree.vectorSpace<Params>();
  const step = (_: unknown, p: Params): Params =>
    space.add(p, space.scale(-0.05, grad(lossAt)(p, task, task.seen) as Params));
  return foriLoop(0, steps, step, params);
}

/** The loss, after adaptation, on what was not seen. */
const afterSteps =
  (steps: number) =>
  (params: Params, task: Task): Tensor =>
    lossAt(adapted(params, task, steps), task, task.judged);

const tasksOf = (key: random.Key, count: number): Task => vmap(drawn)(np.stack(random.split(key, count)));

const options = {
  ...cli.commonOptions('maml'),
  steps: cli.count(2500, 'steps of the outer learning', 120),
  tasks: cli.count(24, 'tasks a step'),
};

export const example: cli.Example<typeof options> = {
  name: 'maml',
  about: 'learns parameters that learn fast: the gradient through the steps of another gradient.',
  options,
  body: ({ seed, short, steps, tasks }) => {
    const [initKey, taskKey, testKey] = random.split(random.key(seed), 3);
    const batches = Array.from({ length: steps }, (_, i) => random.foldIn(taskKey!, i));
    const learnBy = (loss: (params: Params, task: Task) => Tensor, what: string): Params =>
      descend(
        (params: Params, key: random.Key) => np.mean(vmap(loss, [null, 0])(params, tasksOf(key, tasks))),
        network.init(initKey!),
        optim.adam(2e-3),
        batches,
        cli.everySteps(what, Math.ceil(steps / 3)),
      ).params;
    const meta = learnBy(afterSteps(2), 'through two steps');
    // What learns from all tasks at once learns their mean.
    const joint = learnBy((params, task) => lossAt(params, task, task.judged), 'of all tasks at once');
    const tests = tasksOf(testKey!, 200);
    const judge = (params: Params, inner: number): number =>
      jit((p: Params) => np.mean(vmap(afterSteps(inner), [null, 0])(p, tests)))(params).item();
    const losses = {
      metaBefore: judge(meta, 0),
      meta: judge(meta, 5),
      jointBefore: judge(joint, 0),
      joint: judge(joint, 5),
    };
    console.log(`after five steps: ${losses.meta.toFixed(3)}, from the jointly trained ${losses.joint.toFixed(3)}`);

    const task = drawn(random.foldIn(testKey!, 1));
    const grid = np.linspace(-4, 4, 161);
    const line = (name: string, y: Tensor) => ({
      name,
      points: Array.from(grid.dataSync(), (v, i) => [v, y.dataSync()[i]!] as const),
    });
    return TE.of({
      numbers: losses,
      claims: [
        cli.atMost(
          'loss on new tasks after five steps, of that before',
          losses.meta / losses.metaBefore,
          short ? 0.5 : 0.15,
        ),
        cli.atMost(
          'to that from parameters trained on all tasks at once',
          losses.meta / losses.joint,
          short ? 0.9 : 0.5,
        ),
      ],
      files: {
        'adaptation.svg': scatterPlot({
          title: 'A sine from ten points, in five steps',
          xLabel: 'x',
          yLabel: 'y',
          groups: [{ name: 'seen', points: np.stack([task.seen, sine(task, task.seen)], 1) }],
          lines: [
            line('true', sine(task, grid)),
            line('before', predict(meta, grid)),
            line('after', predict(adapted(meta, task, 5), grid)),
            line('jointly trained, after', predict(adapted(joint, task, 5), grid)),
          ],
        }),
      },
    });
  },
};
