/**
 * The gradient law of the model, on a few images and in double precision: along a random direction v,
 *
 *   ⟨∇L(p), v⟩ = (L(p + εv) − L(p − εv)) / 2ε + O(ε²).
 */

import { grad, np, random, tree } from 'pullback';
import { batches } from 'pullback/data';
import type { LabelledImages } from 'pullback/io';
import { tensorsOf } from './data.ts';
import { init, loss } from './model.ts';

const epsilon = 1e-5;

/** What rounding and the ε² leave: far above it lies a wrong rule, far below it lies every right one. */
const tolerance = 1e-6;

/**
 * The relative error of the gradient along a random direction.
 *
 * @throws Error if it exceeds 10⁻⁶
 */
export function checkGradient(
  set: LabelledImages,
  { hidden, seed }: { readonly hidden: number; readonly seed: number },
) {
  const [batch] = batches(set, [0, 1, 2, 3, 4, 5, 6, 7].slice(0, set.count), 8);
  const [images, labels] = tensorsOf(batch!);
  const x = np.astype(images, 'float64');
  const [initKey, directionKey] = random.split(random.key(seed));
  const wide = <T>(value: T): T => tree.map((leaf) => np.astype(leaf, 'float64'), value);
  const params = wide(init(initKey, hidden));
  let leafIndex = 0;
  const direction = wide(
    tree.map((leaf) => random.normal(random.foldIn(directionKey, leafIndex++), leaf.shape), params),
  );
  const lossAt = (step: number): number =>
    loss(
      tree.map2((p, v) => np.add(p, np.multiply(v, step)), params, direction),
      x,
      labels,
    ).item();
  const slope = (lossAt(epsilon) - lossAt(-epsilon)) / (2 * epsilon);
  const products = tree.map2((g, v) => np.sum(np.multiply(g, v)), grad(loss)(params, x, labels), direction);
  const along = tree.reduce((total, product) => total + Number(product.item()), 0, products);
  const error = Math.abs(along - slope) / Math.max(Math.abs(slope), 1e-3);
  if (!(error <= tolerance))
    throw new Error(`the gradient is wrong: ${along} along a direction whose slope is ${slope}`);
  return error;
}
