/**
 * Matrices by what is true of them, as domains: the elements of a batch of matrices on the last two axes of a shape. Differences
 * of factorizations are taken of these, far from where a factor jumps or is not unique.
 */

import * as fc from 'fast-check';
import { isFloat } from '../../src/core/dtype.ts';
import { range, type Shape, sizeOf } from '../../src/core/shape.ts';
import { type Domain, edgy, inWords, within } from './elements.ts';

/** Rows of numbers. */
export type Matrix = readonly (readonly number[])[];

const number = (low: number, high: number): fc.Arbitrary<number> =>
  fc.integer({ min: Math.ceil(low * 256), max: Math.floor(high * 256) }).map((k) => k / 256 || 0);

const list = <A>(element: fc.Arbitrary<A>, length: number): fc.Arbitrary<A[]> =>
  fc.array(element, { minLength: length, maxLength: length, size: 'max' });

const tuple = <A>(elements: readonly fc.Arbitrary<A>[]): fc.Arbitrary<A[]> => fc.tuple(...elements);

/** A domain from an arbitrary of one matrix of these sides. */
const each =
  (shape: Shape, matrix: (rows: number, columns: number) => fc.Arbitrary<Matrix>): Domain =>
  (dtype, n) => {
    if (!isFloat(dtype)) return edgy(dtype, n);
    const [rows, columns] = shape.slice(-2) as [number, number];
    return list(matrix(rows, columns), sizeOf(shape.slice(0, -2))).map((all) => all.flat(2));
  };

/** Numbers of magnitude 2 to 4. */
export const large: Domain = inWords('2 ≤ |x| ≤ 4', (dtype, n) =>
  isFloat(dtype) ? list(fc.oneof(number(2, 4), number(-4, -2)), n) : edgy(dtype, n),
);

/** Numbers of magnitude 2 to 4 on the diagonal, of either sign, and small ones elsewhere: triangles and bands of it solve well. */
export const dominant = (shape: Shape): Domain =>
  inWords(
    '2 ≤ |diagonal| ≤ 4, small elsewhere',
    each(shape, (rows, columns) =>
      tuple(
        range(rows).map((i) =>
          tuple(
            range(columns).map((j) =>
              i === j ? fc.tuple(number(2, 4), fc.boolean()).map(([x, minus]) => (minus ? -x : x)) : number(-0.5, 0.5),
            ),
          ),
        ),
      ),
    ),
  );

/** As {@link dominant} with a positive diagonal: what mirrors either triangle is positive definite, up to size 5. */
export const definite = (shape: Shape): Domain => {
  const signed = dominant(shape);
  const [rows, columns] = shape.slice(-2) as [number, number];
  return inWords('positive definite', (dtype, n) =>
    signed(dtype, n).map((xs) =>
      xs.map((x, at) => (Math.floor(at / columns) % rows === at % columns ? Math.abs(x) : x)),
    ),
  );
};

/** The rows of {@link dominant} in any order: partial pivoting finds the order again, whatever moves a little. */
export const pivoting = (shape: Shape): Domain =>
  inWords(
    'diagonal 2 to 4, small elsewhere, rows permuted',
    each(shape, (rows, columns) =>
      fc
        .tuple(
          list(list(number(-0.5, 0.5), columns), rows),
          list(number(2, 4), Math.min(rows, columns)),
          fc.shuffledSubarray(range(rows), { minLength: rows, maxLength: rows }),
        )
        .map(([small, large, order]) => {
          const whole = small.map((row, i) => row.map((x, j) => (i === j ? large[i]! * (i % 2 === 0 ? 1 : -1) : x)));
          return order.map((i) => whole[i]!);
        }),
    ),
  );

/** A rotation of n axes: in each plane of two of them by an angle that leaves none of the axes nearly where it is. */
export const rotation = (n: number): fc.Arbitrary<Matrix> => {
  const planes = range(n).flatMap((i) => range(i).map((j) => [i, j] as const));
  return list(number(0.4, 1.1), planes.length).map((angles) => {
    const rows = range(n).map((i) => range(n).map((j) => Number(i === j)));
    planes.forEach(([i, j], at) => {
      const [c, s] = [Math.cos(angles[at]!), Math.sin(angles[at]!)];
      for (const row of rows) [row[i], row[j]] = [c * row[i]! - s * row[j]!, s * row[i]! + c * row[j]!];
    });
    return rows;
  });
};

/** n numbers from `least` on, at least 3/4 apart, in any order. */
const spread = (n: number, least: number): fc.Arbitrary<readonly number[]> =>
  fc
    .tuple(list(number(0, 0.25), n), fc.shuffledSubarray(range(n), { minLength: n, maxLength: n }))
    .map(([noise, order]) => order.map((i) => least + i + noise[i]!));

/** u · diag(values) · vᵀ. */
export const product = (u: Matrix, values: readonly number[], v: Matrix): Matrix =>
  u.map((left) => v.map((right) => values.reduce((sum, x, k) => sum + left[k]! * x * right[k]!, 0)));

/** Matrices with singular values from 1/2 on that are well apart. */
export const apart = (shape: Shape): Domain =>
  inWords(
    'singular values ½ apart and more',
    each(shape, (rows, columns) =>
      fc
        .tuple(rotation(rows), spread(Math.min(rows, columns), 0.5), rotation(columns))
        .map(([u, values, v]) => product(u, values, v)),
    ),
  );

/** Matrices of whole numbers and of rank 0, 1 or 2. */
export const lowRank = (shape: Shape): Domain =>
  inWords(
    'rank at most 2',
    each(shape, (rows, columns) =>
      fc.nat({ max: 2 }).chain((rank) => {
        const side = (length: number) => list(list(fc.integer({ min: -2, max: 2 }), rank), length);
        return fc.tuple(side(rows), side(columns)).map(([u, v]) =>
          product(
            u,
            range(rank).map(() => 1),
            v,
          ),
        );
      }),
    ),
  );

/**
 * Symmetric matrices with eigenvalues of both signs that are well apart, of which one triangle is given: the other one holds
 * anything.
 */
export const symmetric = (shape: Shape, lower: boolean): Domain =>
  inWords(
    'symmetric, eigenvalues apart',
    each(shape, (n) =>
      fc
        .tuple(rotation(n), spread(n, -1.25), list(list(number(-2, 2), n), n))
        .map(([v, values, other]) =>
          product(v, values, v).map((row, i) => row.map((x, j) => ((lower ? j <= i : j >= i) ? x : other[i]![j]!))),
        ),
    ),
  );

/** Either of two domains, for all elements together. */
export const either =
  (first: Domain, second: Domain): Domain =>
  (dtype, n) =>
    fc.oneof(first(dtype, n), second(dtype, n));

/** Matrices of these, half of the time; else anything, NaN and infinities included. */
export const oftenThese = (domain: Domain): Domain => either(domain, either(within(-2, 2), edgy));
