/** Adafactor: second moments of matrices as products of a row and a column, in the memory of their edges. */

import { makeAval, showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { sameShape } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { mul } from '../prim/arithmetic.ts';
import { zeros } from '../prim/compose.ts';
import { rsqrt } from '../prim/math.ts';
import { flatten, map, unflatten } from '../tree/tree.ts';
import { ema } from './averages.ts';
import { expectHyperparameters } from './hyperparameters.ts';
import { clipByBlockRms, scaleByParamBlockRms } from './layerwise.ts';
import type { Mask } from './masking.ts';
import { addDecayedWeights } from './optimizers.ts';
import { countOf, partsOf, wrongState } from './state.ts';
import {
  chainOf,
  type GradientTransformation,
  noSteps,
  type OptState,
  oneMore,
  type Schedule,
  scale,
  scaleBySchedule,
} from './transformation.ts';

/** Options of {@link scaleByFactoredRms}. */
export interface FactoredRmsOptions {
  /** Factor at all; default true. */
  readonly factored?: boolean;
  /** The mean of squares decays by 1 − t^−decayRate at step t; default 0.8. */
  readonly decayRate?: number;
  /** Counted from this step on, for fine-tuning; default 0. */
  readonly decayOffset?: number;
  /** A leaf is factored if its two longest axes are at least this long; default 128. */
  readonly minDimSizeToFactor?: number;
  /** Added to the squares; default 1e-30. */
  readonly eps?: number;
}

const factoredNumbers = ['decayRate', 'decayOffset', 'minDimSizeToFactor', 'eps'] as const;

/** The axes that a mean over columns (the second longest) and over rows (the longest) leaves, or null: not factored. */
function factoredAxes(shape: readonly number[], least: number): readonly [number, number] | null {
  if (shape.length < 2) return null;
  const axes = shape.map((_, i) => i).sort((i, k) => shape[i]! - shape[k]! || i - k);
  const [second, longest] = [axes.at(-2)!, axes.at(-1)!];
  return shape[second]! < least ? null : [second, longest];
}

const without = (shape: readonly number[], axis: number): number[] => shape.filter((_, i) => i !== axis);

/**
 * g/√v, with a running mean v of squares that decays by β = 1 − t^−decayRate at step t; that of a leaf with two long axes is the
 * product of its means over each, divided by the mean of all.
 *
 * The state is `{ count, vRow, vCol, v }`; of each leaf either `v` or the other two are in use, and the rest are zeros of shape [1].
 * N. Shazeer, M. Stern, "Adafactor: adaptive learning rates with sublinear memory cost" (2018).
 */
export const scaleByFactoredRms = (options: FactoredRmsOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByFactoredRms';
  expectHyperparameters(op, options, factoredNumbers, ['factored']);
  const { factored = true, decayRate = 0.8, decayOffset = 0, minDimSizeToFactor = 128, eps = 1e-30 } = options;
  const axesOf = (x: Value) => (factored ? factoredAxes(x.shape, minDimSizeToFactor) : null);
  const shapesOf = (x: Value): readonly [number[], number[], readonly number[]] => {
    const axes = axesOf(x);
    return axes === null ? [[1], [1], x.shape] : [without(x.shape, axes[1]), without(x.shape, axes[0]), [1]];
  };
  const names = ['vRow', 'vCol', 'v'] as const;
  const start = <P>(params: P, part: 0 | 1 | 2): OptState =>
    map((p: Value) => zeros(makeAval(shapesOf(p)[part], p.dtype)), params) as OptState;
  return {
    init: (params) => ({
      count: noSteps(),
      vRow: start(params, 0),
      vCol: start(params, 1),
      v: start(params, 2),
    }),
    update: <P>(updates: P, state: OptState) => {
      const before = partsOf(op, state, 'count', ...names);
      const count = countOf(op, before.count);
      const { leaves, def } = flatten(updates);
      const parts = names.map((name, part) => {
        const flat = flatten(before[name]);
        if (flat.def.key !== def.key) throw wrongState(op, `updates and state.${name} differ in their structure`);
        leaves.forEach((g, i) => {
          const [found, wanted] = [flat.leaves[i]!, shapesOf(g)[part]!];
          if (sameShape(found.shape, wanted)) return;
          const problem = `a leaf of state.${name} is ${showAval(found.aval)}, not of shape [${wanted}]`;
          throw new ShapeError({ op, problem, remedy: 'pass the state of parameters of these shapes' });
        });
        return flat.leaves;
      }) as unknown as readonly [readonly Value[], readonly Value[], readonly Value[]];
      const rows = leaves.map((g, i) => {
        const [vRow, vCol, v] = [parts[0][i]!, parts[1][i]!, parts[2][i]!];
        const t = np.add(np.astype(np.sub(count, decayOffset), g.dtype), 1);
        const fresh = np.power(t, -decayRate);
        const mix = (mean: Value, x: Value): Value => np.add(np.mul(mean, np.sub(1, fresh)), np.mul(x, fresh));
        const squares = np.add(mul(g, g), eps);
        const axes = axesOf(g);
        if (axes === null) {
          const next = mix(v, squares);
          return [np.mul(g, rsqrt(next)), vRow, vCol, next] as const;
        }
        const [second, longest] = axes;
        const row = mix(vRow, np.mean(squares, longest));
        const column = mix(vCol, np.mean(squares, second));
        const mean = np.mean(row, second > longest ? second - 1 : second, { keepdims: true });
        const byRow = np.expandDims(rsqrt(np.div(row, mean)), longest);
        const byColumn = np.expandDims(rsqrt(column), second);
        return [np.mul(np.mul(g, byRow), byColumn), row, column, v] as const;
      });
      const part = <T>(k: 0 | 1 | 2 | 3): T =>
        unflatten<T>(
          def,
          rows.map((row) => row[k]),
        );
      return [part<P>(0), { count: oneMore(count), vRow: part(1), vCol: part(2), v: part(3) }];
    },
  };
};

/** Options of {@link adafactor}. */
export interface AdafactorOptions extends FactoredRmsOptions {
  /** Multiply steps by the root mean square of what they change; default true. */
  readonly multiplyByParameterScale?: boolean;
  /** The greatest root mean square of a leaf of the updates before the rate; null: any. Default 1. */
  readonly clippingThreshold?: number | null;
  /** Decay of a mean of steps; none by default. */
  readonly momentum?: number;
  /** The share of each weight that is taken away at each step, whatever the rate; none by default. */
  readonly weightDecayRate?: number;
  /** Which parameters decay; all by default. */
  readonly mask?: Mask;
}

/**
 * Adafactor: {@link scaleByFactoredRms}, {@link clipByBlockRms}, the rate, {@link scaleByParamBlockRms}, {@link ema} and
 * {@link addDecayedWeights}, as in optax. Its memory grows with the edges of matrices, not with their area.
 *
 * @param rate - the learning rate, or a schedule of it; null: none, steps are relative to the parameters
 *
 * @example
 * ```ts
 * import { np, optim, tree } from 'pullback';
 * const optimizer = optim.adafactor(0.01);
 * const state = optimizer.init({ w: np.zeros([200, 300]) });
 * console.log(tree.leaves(state).map((x) => x.shape)); // => [ [], [ 1 ], [ 300 ], [ 200 ] ]
 * ```
 */
export const adafactor = (
  rate: number | Schedule | null = null,
  options: AdafactorOptions = {},
): GradientTransformation => {
  const op = 'optim.adafactor';
  const numbers = [...factoredNumbers, 'momentum', 'weightDecayRate'];
  const flags = ['factored', 'multiplyByParameterScale'];
  expectHyperparameters(op, options, numbers, flags, ['clippingThreshold', 'mask']);
  const {
    multiplyByParameterScale = true,
    clippingThreshold = 1,
    momentum,
    weightDecayRate,
    mask,
    ...factored
  } = options;
  return chainOf(op, [
    scaleByFactoredRms(factored),
    ...(clippingThreshold === null ? [] : [clipByBlockRms(clippingThreshold)]),
    ...(rate === null ? [] : [typeof rate === 'function' ? scaleBySchedule(rate) : scale(rate)]),
    ...(multiplyByParameterScale ? [scaleByParamBlockRms()] : []),
    ...(momentum === undefined ? [] : [ema(momentum, { debias: false })]),
    ...(weightDecayRate === undefined ? [] : [addDecayedWeights(weightDecayRate, mask)]),
    scale(-1),
  ]);
};
