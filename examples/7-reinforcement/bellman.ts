/**
 * Bellman's equations (§8.2.4, §8.2.5): policy evaluation is a linear system, value iteration a contraction by γ, and policy
 * iteration ends after a few turns.
 *
 * v_π = r_π + γP_π v_π is solved at once and by iteration; v* = max_a (r + γPv*) by value iteration and by policy iteration: all to
 * 10⁻⁵ and far closer, in float64.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { jit, np, scan, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';
import { asGrid, drawPolicy, gridworld, lookAhead, signs, states } from '../shared/gridworld.ts';

type Vector = Tensor<'float64'>;

const options = {
  ...cli.commonOptions('bellman'),
  slip: cli.probability(0.2, 'how often a move goes astray'),
  turns: cli.count(400, 'turns of an iteration'),
};

export const example: cli.Example<typeof options> = {
  name: 'bellman',
  about: "Bellman's equations by linear solves, value iteration and policy iteration.",
  options,
  body: ({ slip, turns }) => {
    const gamma = 0.95;
    const process = gridworld(slip);
    const farthest = (a: Vector, b: Vector): number => np.max(np.abs(np.sub(a, b))).item();
    /** The values of a policy, int32[states], in closed form: (I − γP_π)⁻¹ r_π. */
    const valuesOf = (policy: readonly number[]): Vector => {
      const chosen = np.array(policy, { dtype: 'int32' });
      const index = np.arange(states, { dtype: 'int32' });
      const [p, r] = [np.index(process.transitions, index, chosen), np.index(process.rewards, index, chosen)] as [
        Vector,
        Vector,
      ];
      return np.linalg.solve(np.sub(np.eye(states, states, { dtype: 'float64' }), np.mul(gamma, p)), r) as Vector;
    };
    /** All iterates of a rule, from zeros: float64[turns, states]. */
    const iterates = (rule: (v: Vector) => Vector): Vector => {
      const step = (v: Vector): readonly [Vector, Vector] => [rule(v), v];
      return jit(() => scan(step, np.zeros([states], { dtype: 'float64' }), null, { length: turns })[1])();
    };

    // Evaluation of "always to the right", by iteration and at once.
    const right = new Array<number>(states).fill(1);
    const evaluated = iterates((v) => np.index(lookAhead(process, v, gamma), [], 1) as Vector);
    const goal = valuesOf(right);
    const evaluation = farthest(np.index(evaluated, -1) as Vector, goal);
    const errorsOf = (all: Vector, to: Vector): readonly number[] =>
      (np.max(np.abs(np.sub(all, to)), 1).toArray() as number[]).filter((e) => e > 1e-11);
    const rates = (errors: readonly number[]): readonly number[] => errors.slice(1).map((e, i) => e / errors[i]!);
    const evaluationErrors = errorsOf(evaluated, goal);

    // Policy iteration: evaluate at once, improve, until nothing changes.
    let policy: readonly number[] = right;
    let improvements = 0;
    for (;;) {
      const q = lookAhead(process, valuesOf(policy), gamma).toArray() as number[][];
      const better = q.map((row, s) =>
        row[policy[s]!]! >= Math.max(...row) - 1e-12 ? policy[s]! : row.indexOf(Math.max(...row)),
      );
      improvements++;
      if (better.join() === policy.join()) break;
      policy = better;
    }
    const closed = valuesOf(policy);
    const improved = iterates((v) => np.max(lookAhead(process, v, gamma), 1) as Vector);
    const iteration = farthest(np.index(improved, -1) as Vector, closed);
    const errors = errorsOf(improved, closed);
    const [contraction, slowest] = [Math.max(...rates(errors)), Math.max(...rates(evaluationErrors))];
    // The optimum is a fixed point of Bellman's operator.
    const residual = farthest(np.max(lookAhead(process, closed, gamma), 1) as Vector, closed);
    console.log(
      `value iteration against the closed form: ${iteration.toExponential(1)}; it contracts by ${contraction.toFixed(4)}, evaluation by ${slowest.toFixed(4)}; policy iteration took ${improvements} turns`,
    );
    for (const row of signs(policy)) console.log(`  ${row.join(' ')}`);
    return TE.of({
      numbers: { evaluation, iteration, contraction, slowest, improvements, residual },
      claims: [
        cli.atMost('policy evaluation against the linear solve', evaluation, 1e-5),
        cli.atMost('value iteration against the closed form of the best policy', iteration, 1e-5),
        cli.atMost('how much of the error a turn leaves: γ at most', contraction, gamma + 1e-6),
        { ...cli.atMost('… where few episodes end: nearly γ', slowest, gamma + 1e-6), atLeast: gamma - 0.01 },
        cli.atMost("Bellman's equation at the optimum", residual, 1e-10),
        cli.atMost('turns of policy iteration', improvements, 10),
      ],
      files: {
        'values.svg': drawPolicy('The best policy, its values and ways', asGrid(closed), policy),
        'convergence.svg': lineChart({
          title: "Bellman's operators contract by γ, or by more",
          xLabel: 'turn',
          yLabel: 'greatest error',
          yScale: 'log',
          series: [
            { name: 'value iteration', points: errors.map((e, i) => [i, e] as const) },
            { name: 'evaluation of "always right"', points: evaluationErrors.map((e, i) => [i, e] as const) },
            { name: 'γᵏ', points: evaluationErrors.map((_, i) => [i, evaluationErrors[0]! * gamma ** i] as const) },
          ],
        }),
      },
    });
  },
};
