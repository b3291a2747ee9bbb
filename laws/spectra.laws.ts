/**
 * Laws of spectra with equal values: what treats them alike has the derivatives that its formula says, although each eigenvector
 * alone has none, and although roundings of the matrix take the equal values apart.
 *
 * The matrices are made of factors that are known, so that the derivatives are written down without `eigh` or `svd`.
 */

import * as fc from 'fast-check';
import { withDefaultDevice } from '../src/core/backend.ts';
import { range } from '../src/core/shape.ts';
import * as lax from '../src/ops/lax-linalg.ts';
import * as np from '../src/ops/np.ts';
import type { Tensor } from '../src/ops/types.ts';
import { grad } from '../transforms/autodiff.ts';
import { within } from './arbitrary/elements.ts';
import { type Matrix, product, rotation } from './arbitrary/matrices.ts';
import { exact } from './fd.ts';
import { closeValues, hostTensor, toTensor } from './host.ts';
import { every, type Law, law, type Suite } from './law.ts';

type Double = Tensor<'float64'>;

interface Spectrum {
  /** Orthogonal matrices; a = left diag(values) rightᵀ. */
  readonly left: Matrix;
  readonly right: Matrix;
  /** They decrease; some are equal. */
  readonly values: readonly number[];
  /** The level whose space is projected on. */
  readonly level: number;
  /** What the projection is multiplied by. */
  readonly weights: Matrix;
}

const double = (rows: Matrix): Double =>
  toTensor(hostTensor([rows.length, rows.length], 'float64', rows.flat())) as Double;

/** Four or five values of three levels, of which the least may be zero: as singular values are, or eigenvalues. */
const spectrum: fc.Arbitrary<Spectrum> = fc.integer({ min: 4, max: 5 }).chain((n) =>
  fc
    .record({
      left: rotation(n),
      right: rotation(n),
      levels: fc.array(fc.nat({ max: 2 }), { minLength: n, maxLength: n }),
      least: fc.constantFrom(0, 0.5),
      at: fc.nat({ max: n - 1 }),
      weights: within(-1, 1)('float64', n * n),
    })
    .map(({ left, right, levels, least, at, weights }) => {
      const values = levels.map((level) => least + level * 0.75).sort((x, y) => y - x);
      return { left, right, values, level: values[at]!, weights: range(n).map((i) => weights.slice(i * n, i * n + n)) };
    }),
);

const transposed = (x: Matrix): Matrix => x.map((_, i) => x.map((row) => row[i]!));
const times = (x: Matrix, y: Matrix): Matrix =>
  product(
    x,
    x.map(() => 1),
    transposed(y),
  );
const combined = (f: (x: number, y: number) => number, x: Matrix, y: Matrix): Matrix =>
  x.map((row, i) => row.map((v, j) => f(v, y[i]![j]!)));

/**
 * The gradient of Σ weights ∘ P with respect to the symmetric matrix q diag(w) qᵀ, where P projects on the space of the values
 * `chosen`: dP = Σ v_i v_iᵀ da v_j v_jᵀ/(w_i − w_j) and its transpose, over the i that are chosen and the j that are not.
 */
function projectionGradient(q: Matrix, w: readonly number[], chosen: readonly boolean[], weights: Matrix): Matrix {
  const symmetric = combined((x, y) => (x + y) / 2, weights, transposed(weights));
  const inside = times(times(transposed(q), symmetric), q);
  const factors = inside.map((row, i) =>
    row.map((x, j) => (chosen[i] === chosen[j] ? 0 : (x * (chosen[i] ? 1 : -1)) / (w[i]! - w[j]!))),
  );
  return times(times(q, factors), transposed(q));
}

/** The projection on the columns of `vectors` from the first to the last index at which `chosen`. */
const projection = (vectors: Double, chosen: readonly boolean[]): Double => {
  const columns = np.index(vectors, [], [chosen.indexOf(true), chosen.lastIndexOf(true) + 1]);
  return np.matmul(columns, np.transpose(columns));
};

const spectraLaw = (name: string, property: Parameters<typeof law<[Spectrum]>>[2]): Law =>
  law(name, [spectrum], (drawn) => withDefaultDevice(exact, () => property(drawn)));

/** The laws of equal values. */
export const spectraLaws: Suite = {
  name: 'spectra',
  laws: [
    spectraLaw('eigh: equal eigenvalues', ({ left, values, level, weights }) => {
      const a = product(left, values, left);
      const chosen = values.map((x) => x === level);
      const ascending = [...chosen].reverse();
      const found = [
        grad((x: Double) => np.sum(np.mul(projection(lax.eigh(x)[0], ascending), double(weights))))(double(a)),
        grad((x: Double) => np.sum(np.power(lax.eigh(x)[1], 3)))(double(a)),
      ];
      const cubes = product(
        left,
        values.map((x) => 3 * x * x),
        left,
      );
      const wanted = [projectionGradient(left, values, chosen, weights), cubes];
      return closeValues('gradients of a projection and of Σ w³', found, wanted.map(double), 1e-9);
    }),
    spectraLaw('svd: equal singular values', ({ left, right, values, level, weights }) => {
      const a = product(left, values, right);
      const chosen = values.map((x) => x === level);
      const of = (side: 0 | 2) =>
        grad((x: Double) => {
          const factor = lax.svd(x)[side] as Double;
          const vectors = side === 0 ? factor : np.transpose(factor);
          return np.sum(np.mul(projection(vectors, chosen), double(weights)));
        })(double(a));
      const squares = values.map((x) => x * x);
      const gradient = (q: Matrix): Matrix =>
        projectionGradient(q, squares, chosen, weights).map((row) => row.map((x) => 2 * x));
      const cubes = product(
        left,
        values.map((x) => 3 * x * x),
        right,
      );
      return every([0, 1, 2], (i) =>
        i === 0
          ? closeValues('gradient of a left projection', [of(0)], [double(times(gradient(left), a))], 1e-9)
          : i === 1
            ? closeValues('gradient of a right projection', [of(2)], [double(times(a, gradient(right)))], 1e-9)
            : closeValues(
                'gradient of Σ s³',
                [grad((x: Double) => np.sum(np.power(lax.svd(x, { computeUv: false }), 3)))(double(a))],
                [double(cubes)],
                1e-9,
              ),
      );
    }),
  ],
};
