/**
 * The gradient law of the model, on a few images and in double precision: along a random direction v,
 *
 *   ⟨∇L(p), v⟩ = (L(p + εv) − L(p − εv)) / 2ε + O(ε²).
 */

import { grad, np, random, referenceDevice, tree, withDefaultDevice } from 'pullback';
import { batches } from 'pullback/data';
import type { LabelledImages } from 'pullback/io';
import { tensorsOf } from './data.ts';
import { init, loss } from './model.ts';

/** Small, so that hardly a unit of the hidden layer passes through the kink of relu on the way. */
const epsilon = 1e-7;

/** What rounding leaves: far above it lies a wrong rule, far below it every right one. */
const tolerance = 1e-6;

/** The same arithmetic as the reference device's, but nothing is rounded to float32. */
const exact = referenceDevice({ precision: 'float64' });

/**
 * The relative error of the gradient along a random direction.
 *
 * @throws Error if it exceeds 10⁻⁶
 */
export const checkGradient = (
  set: LabelledImages,
  { hidden, seed }: { readonly hidden: number; readonly seed: number },
): number =>
  withDefaultDevice(exact, () => {
    const [batch] = batches(set, [0, 1, 2, 3, 4, 5, 6, 7].slice(0, set.count), 8);
    const [x, labels] = tensorsOf(batch!);
    const [initKey, directionKey] = random.split(random.key(seed));
    const params = init(initKey, hidden);
    const direction = tree.mapKeys(directionKey, (key, leaf) => random.normal(key, leaf.shape), params);
    const lossAt = (step: number): number =>
      loss(
        tree.map2((p, v) => np.add(p, np.mul(v, step)), params, direction),
        x,
        labels,
      ).item();
    const slope = (lossAt(epsilon) - lossAt(-epsilon)) / (2 * epsilon);
    const products = tree.map2((g, v) => np.sum(np.mul(g, v)), grad(loss)(params, x, labels), direction);
    const along = tree.reduce((total, product) => total + Number(product.item()), 0, products);
    const error = Math.abs(along - slope) / Math.max(Math.abs(slope), 1e-3);
    if (error <= tolerance) return error;
    throw new Error(`the gradient is wrong: ${along} along a direction whose slope is ${slope}`);
  });
