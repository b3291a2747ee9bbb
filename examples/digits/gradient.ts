/**
 * The gradient law of the model, on a few images and in double precision: along a random direction v,
 *
 *   ⟨∇L(p), v⟩ = (L(p + εv) − L(p − εv)) / 2ε + O(ε²).
 */

import { random } from 'pullback';
import { batches } from 'pullback/data';
import type { LabelledImages } from 'pullback/io';
import { checkGrads } from 'pullback/laws';
import { tensorsOf } from './data.ts';
import { init, loss } from './model.ts';

/** What a derivative may differ by, relative to the slope: far below lies what rounding leaves, far above a wrong rule. */
export const tolerance = 1e-6;

/**
 * Hold the gradient with respect to the parameters and the images against central differences.
 *
 * @throws GradientError naming the parameter that is most wrong
 */
export function checkGradient(
  set: LabelledImages,
  { hidden, seed }: { readonly hidden: number; readonly seed: number },
): void {
  const [batch] = batches(set, [0, 1, 2, 3, 4, 5, 6, 7].slice(0, set.count), 8);
  // The step is small, so that hardly a unit of the hidden layer passes through the kink of relu on the way.
  checkGrads(loss, [init(random.key(seed), hidden), ...tensorsOf(batch!)], {
    modes: ['rev'],
    eps: 1e-7,
    rtol: tolerance,
    seed,
  });
}
