/**
 * Arbitrary elements: the domain from which an operand's values are drawn.
 *
 * Differences are taken on a grid of 1/256, so that values are exact in every float, shrink to small ones, and equal values
 * are told from near ones. Edge values are for rules that hold for every input, NaN and −0 included.
 */

import * as fc from 'fast-check';
import { type DType, isFloat } from '../../src/core/dtype.ts';

/** The elements of a tensor: `n` of them, of a dtype. */
export interface Domain {
  (dtype: DType, n: number): fc.Arbitrary<readonly number[]>;
  /** Where its floats are, for the documentation. */
  readonly words?: string;
}

/** A domain, with words for it. */
export const inWords = (words: string, domain: Domain): Domain =>
  Object.assign((dtype: DType, n: number) => domain(dtype, n), { words });

const grid = 256;
const onGrid = (low: number, high: number): fc.Arbitrary<number> =>
  fc.integer({ min: Math.ceil(low * grid), max: Math.floor(high * grid) }).map((k) => k / grid || 0);

const repeated = (element: fc.Arbitrary<number>, n: number): fc.Arbitrary<readonly number[]> =>
  fc.array(element, { minLength: n, maxLength: n, size: 'max' });

/** Whatever the dtype holds, within ±`reach` (from 0 for unsigned ones). */
const ordinary = (dtype: DType, reach: number): fc.Arbitrary<number> =>
  isFloat(dtype)
    ? onGrid(-reach, reach)
    : dtype === 'bool'
      ? fc.nat({ max: 1 })
      : fc.integer({ min: dtype === 'int32' ? -Math.ceil(reach) : 0, max: Math.ceil(reach) });

/** Floats of [low, high]; other dtypes as {@link edgy}. */
export const within = (low: number, high: number): Domain =>
  inWords(`[${low}, ${high}]`, (dtype, n) => (isFloat(dtype) ? repeated(onGrid(low, high), n) : edgy(dtype, n)));

/** Floats of 1/2 ≤ |x| ≤ 2; other dtypes as {@link edgy}. */
export const awayFromZero: Domain = inWords('½ ≤ |x| ≤ 2', (dtype, n) =>
  isFloat(dtype) ? repeated(fc.oneof(onGrid(0.5, 2), onGrid(-2, -0.5)), n) : edgy(dtype, n),
);

/** Floats within ±2, all moved by less than the width of the grid; other dtypes as {@link edgy}. */
export const shifted = (by: number): Domain =>
  inWords(by === 0 ? '[-2, 2]' : `[-2, 2] ${by < 0 ? '−' : '+'} ${Math.abs(by)}`, (dtype, n) =>
    isFloat(dtype)
      ? repeated(
          onGrid(-2, 2).map((x) => x + by),
          n,
        )
      : edgy(dtype, n),
  );

/** Floats of which no two are nearer than 1/8: for functions with kinks where elements are equal. */
export const separated: Domain = inWords('⅛ apart', (dtype, n) =>
  isFloat(dtype)
    ? fc
        .shuffledSubarray(
          Array.from({ length: n }, (_, i) => i),
          { minLength: n, maxLength: n },
        )
        .map((ranks) => ranks.map((rank) => (rank - Math.floor(n / 2)) / 8))
    : edgy(dtype, n),
);

const steps = [-1, -0.5, -0, 0, 0.5, 1];

/** Floats of which many are equal, or differ in the sign of zero, and the others are not near: for what shares at ties. */
export const tied: Domain = inWords('many equal', (dtype, n) =>
  isFloat(dtype) ? repeated(fc.constantFrom(...steps), n) : edgy(dtype, n),
);

const float32Edges = [
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  -0,
  0,
  1,
  -1,
  0.5,
  -2.5,
  2 ** -149,
  -(2 ** -149),
  2 ** -126,
  2147483648,
  -2147483648,
  4294967296,
  3.4028234663852886e38,
  -3.4028234663852886e38,
];

/** The values at which rules break, by dtype. */
export const edges: { readonly [D in DType]: readonly number[] } = {
  bool: [0, 1],
  uint32: [0, 1, 2, 31, 32, 33, 2147483647, 2147483648, 4294967295],
  int32: [0, 1, -1, 2, 31, 32, 33, 2147483647, -2147483648],
  float32: float32Edges,
  float64: [...float32Edges, Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE, 0.1],
};

const specials = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0];

/** Two elements in five are {@link edges} of the dtype (of floats, half of these are specials), the others within ±4. */
export const edgy: Domain = (dtype, n) =>
  repeated(
    fc.oneof(
      { weight: 3, arbitrary: ordinary(dtype, 4) },
      { weight: 1, arbitrary: fc.constantFrom(...edges[dtype]) },
      { weight: 1, arbitrary: fc.constantFrom(...(isFloat(dtype) ? specials : edges[dtype])) },
    ),
    n,
  );

/** As {@link edgy}, without what overflows in a sum: for operations whose rounding depends on the order of terms. */
export const summable: Domain = (dtype, n) =>
  isFloat(dtype)
    ? repeated(
        fc.oneof({ weight: 2, arbitrary: ordinary(dtype, 4) }, { weight: 1, arbitrary: fc.constantFrom(...specials) }),
        n,
      )
    : edgy(dtype, n);
