/**
 * A neural differential equation: a network is the velocity of the plane, and where it takes points is learned.
 *
 * Its gradient comes from the adjoint equation, solved backwards in time, which keeps nothing of the way forward: a rule of our
 * own, by `customVjp`. It is held against the gradient through all steps of the solver. R. Chen, Y. Rubanova, J. Bettencourt, D.
 * Duvenaud, "Neural ordinary differential equations" (2018), appendix B.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { customVjp, foriLoop, grad, jit, nn, np, optim, random, type Tensor, tree, vjp } from 'pullback';
import { twoMoons } from 'pullback/data';
import { scatterPlot } from 'pullback/viz';
import * as cli from '../cli.ts';
import { descend, times } from '../shared/descend.ts';

const velocity = nn.serial(nn.dense.layer(2, 32), nn.lift(np.tanh), nn.dense.layer(32, 2));
type Params = nn.ParamsOf<typeof velocity>;
const field = (params: Params, x: Tensor): Tensor => velocity.apply(params)(x);

const steps = 16;

/** x + c·y, leaf by leaf. */
function plus<T>(x: T, c: number, y: T): T {
  const space = tree.vectorSpace<T>();
  return space.add(x, space.scale(c, y));
}

/** One step of Runge and Kutta's fourth order, for a state of any structure. */
function rungeKutta<S>(f: (state: S) => S, state: S, h: number): S {
  const k1 = f(state);
  const k2 = f(plus(state, h / 2, k1));
  const k3 = f(plus(state, h / 2, k2));
  const k4 = f(plus(state, h, k3));
  return plus(plus(state, h / 6, plus(k1, 2, k2)), h / 6, plus(k4, 2, k3));
}

const solve = <S extends object>(f: (state: S) => S, start: S, time: number): S =>
  foriLoop(0, steps, (_, state: S) => rungeKutta(f, state, time / steps), start);

/** The flow for one unit of time, differentiated through all steps of the solver. */
const through = (params: Params, x: Tensor): Tensor => solve((s: Tensor) => field(params, s), x, 1);

/** The same flow, whose derivative is the adjoint's: λ′ = −λ ∂v/∂x, and ∂L/∂θ the integral of λ ∂v/∂θ. */
const byAdjoint = customVjp(
  through,
  (params: Params, x: Tensor) => {
    const end = through(params, x);
    return [end, { params, end }] as const;
  },
  ({ params, end }, cotangent: Tensor) => {
    const zeros = tree.vectorSpace<Params>().zerosLike(params);
    type State = { readonly x: Tensor; readonly adjoint: Tensor; readonly gradient: Params };
    const backwards = ({ x, adjoint }: State): State => {
      const [v, pull] = vjp(field, [params, x]);
      const [toParams, toX] = pull(adjoint);
      return { x: v, adjoint: np.neg(toX), gradient: tree.vectorSpace<Params>().scale(-1, toParams) };
    };
    const start: State = { x: end, adjoint: cotangent, gradient: zeros };
    const { adjoint, gradient } = solve(backwards, start, -1);
    return [gradient, adjoint] as const;
  },
);

const logits = (x: Tensor): Tensor => np.mul(4, np.index(x, [], 0) as Tensor);

const options = { ...cli.commonOptions('neural-ode'), steps: cli.count(300, 'steps of Adam', 60) };

export const example: cli.Example<typeof options> = {
  name: 'neural-ode',
  about: 'a flow takes two moons apart; its gradient is solved backwards in time.',
  options,
  body: ({ seed, short, steps: learning }) => {
    const [dataKey, initKey] = random.split(random.key(seed));
    const { x, label } = twoMoons(dataKey, 300, { noise: 0.1 });
    const target = np.astype(label, 'float32');
    const lossBy = (flow: typeof through) => (params: Params) =>
      nn.sigmoidBinaryCrossEntropy(logits(flow(params, x)), target);
    const start = velocity.init(initKey);
    const [adjoint, direct] = [byAdjoint, through].map((flow) => jit(grad(lossBy(flow)))(start));
    const largest = (t: unknown): number =>
      Math.max(...tree.leaves(t).map((leaf) => np.max(np.abs(leaf as Tensor)).item()));
    const apart = largest(plus(adjoint!, -1, direct!)) / largest(direct);
    console.log(`the two gradients are ${apart.toExponential(1)} apart`);

    const { params } = descend(
      (p: Params) => lossBy(byAdjoint)(p),
      start,
      optim.adam(0.03),
      times(learning, null),
      cli.everySteps('loss', Math.ceil(learning / 5)),
    );
    const end = jit(byAdjoint)(params, x);
    const right = np.equal(np.greater(logits(end), 0), np.equal(label, 1));
    const accuracy = np.mean(np.astype(right, 'float32')).item();
    const labels = label.dataSync();
    const moon = (points: Tensor, k: number) => ({
      name: `moon ${k + 1}`,
      points: (points.toArray() as number[][]).filter((_, i) => labels[i] === k),
    });
    const cloud = (title: string, points: Tensor): string =>
      scatterPlot({ title, xLabel: 'x₁', yLabel: 'x₂', groups: [moon(points, 0), moon(points, 1)] });
    return TE.of({
      numbers: { apart, accuracy },
      claims: [
        cli.atMost("the adjoint's gradient against that through the solver, relative", apart, 1e-3),
        cli.atLeast('points taken to their side', accuracy, short ? 0.85 : 0.98),
      ],
      files: {
        'before.svg': cloud('Where the points begin', x),
        'after.svg': cloud('Where the flow has taken them', end),
      },
    });
  },
};
