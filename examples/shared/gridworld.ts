/** The gridworld of the notes (§8.2.2) as a Markov decision process: tables of transitions and rewards. */

import { np, type Tensor } from 'pullback';
import { heatMap } from 'pullback/viz';

export const side = 5;
export const states = side * side;
/** What arrows say. */
export const arrows = ['←', '→', '↑', '↓'];
const moves = [
  [0, -1],
  [0, 1],
  [-1, 0],
  [1, 0],
] as const;
/** Two corners end an episode. */
export const terminals: readonly number[] = [0, states - 1];

/** Where a move leads: the wall holds one back. */
export function next(state: number, action: number): number {
  if (terminals.includes(state)) return state;
  const [row, column] = [Math.floor(state / side) + moves[action]![0], (state % side) + moves[action]![1]];
  return row < 0 || row >= side || column < 0 || column >= side ? state : row * side + column;
}

/** P(s′ | s, a), float64[states, 4, states], and R(s, a), float64[states, 4]: −1 for each step until the end. */
export interface Process {
  readonly transitions: Tensor<'float64'>;
  readonly rewards: Tensor<'float64'>;
}

/** The process; with probability `slip` another move than the chosen one is made, any of the four. */
export function gridworld(slip: number): Process {
  const rows = Array.from({ length: states }, (_, s) =>
    arrows.map((_, a) => {
      const row = new Array<number>(states).fill(0);
      for (const b of arrows.keys()) row[next(s, b)]! += (b === a ? 1 - slip : 0) + slip / 4;
      return row;
    }),
  );
  const rewards = Array.from({ length: states }, (_, s) => arrows.map(() => (terminals.includes(s) ? 0 : -1)));
  return { transitions: np.array(rows, { dtype: 'float64' }), rewards: np.array(rewards, { dtype: 'float64' }) };
}

/** r + γ Σ P v: float64[states, 4]. */
export const lookAhead = (
  { transitions, rewards }: Process,
  values: Tensor<'float64'>,
  gamma: number,
): Tensor<'float64'> => np.add(rewards, np.mul(gamma, np.matmul(transitions, values))) as Tensor<'float64'>;

/** The values of the best policy, by value iteration to the last digit. */
export function optimal(
  process: Process,
  gamma: number,
): { readonly q: Tensor<'float64'>; readonly v: Tensor<'float64'> } {
  let v = np.zeros([states], { dtype: 'float64' });
  for (let i = 0; i < 2000; i++) {
    const better = np.max(lookAhead(process, v, gamma), 1);
    const change = np.max(np.abs(np.sub(better, v))).item();
    v = better;
    if (change < 1e-13) break;
  }
  return { q: lookAhead(process, v, gamma), v };
}

/** As a grid. */
export const asGrid = (values: Tensor<'float64'> | Tensor): number[][] =>
  np.reshape(values, [side, side]).toArray() as number[][];

/** The states through which a policy goes from one of them until it ends, or does not. */
export function way(policy: readonly number[], from: number): readonly number[] {
  const path = [from];
  for (let at = from; !terminals.includes(at) && path.length <= states; path.push(at)) at = next(at, policy[at]!);
  return path;
}

/** The moves of a policy as arrows, row by row. */
export function signs(policy: readonly number[]): readonly (readonly string[])[] {
  const all = policy.map((move, s) => (terminals.includes(s) ? '•' : arrows[move]!));
  return Array.from({ length: side }, (_, row) => all.slice(row * side, (row + 1) * side));
}

/** A map of values, with the move in each state, and the ways from two corners. */
export const drawPolicy = (title: string, values: readonly (readonly number[])[], policy: readonly number[]): string =>
  heatMap({
    title,
    values,
    digits: 2,
    text: signs(policy),
    paths: [['from below', states - side] as const, ['from the right', side - 1] as const].map(([name, from]) => ({
      name,
      points: way(policy, from).map((s) => [s % side, Math.floor(s / side)] as const),
    })),
    xLabel: 'column',
    yLabel: 'row',
    width: 420,
    height: 420,
  });
