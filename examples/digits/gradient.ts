/**
 * The gradient law of the model, on a few images and in double precision: along a random direction v,
 *
 *   ⟨∇L(p), v⟩ = (L(p + εv) − L(p − εv)) / 2ε + O(ε²).
 */

import { pipe } from 'fp-ts/lib/function.js';
import { np, random, type Tensor } from 'pullback';
import { dataset, labelledImages } from 'pullback/data';
import type { LabelledImages } from 'pullback/io';
import { checkGrads } from 'pullback/laws';
import { tensorsOf } from './data.ts';
import { lossOf, type Recipe } from './train.ts';

/** What a derivative may differ by, relative to the slope: far below lies what rounding leaves, far above a wrong rule. */
export const tolerance = 1e-6;

/**
 * Hold the gradient with respect to the parameters and the images against central differences.
 *
 * @throws GradientError naming the parameter that is most wrong
 */
export function checkGradient<P>(set: LabelledImages, recipe: Recipe<P>, seed: number): void {
  const batch = pipe(labelledImages(set), dataset.batch(8)).at(0);
  // The step is small, so that hardly a unit passes through a kink on the way.
  const [clean, labels] = tensorsOf(batch);
  // Paper is exactly 0 everywhere, so that pooling meets ties, which are kinks: a little noise, and there is none.
  const x = np.add(clean, random.uniform(random.key(seed), clean.shape, { maxval: 0.01 }));
  const loss = (params: P, images: Tensor) => lossOf(recipe)(params, images, labels);
  checkGrads(loss as (params: unknown, images: Tensor) => Tensor, [recipe.init(random.key(seed)), x], {
    modes: ['rev'],
    eps: 1e-7,
    rtol: tolerance,
    seed,
  });
}
