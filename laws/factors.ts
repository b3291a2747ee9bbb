/**
 * What factorizations are, whatever computed them: factors are judged by what they multiply to and by their form, not by their
 * elements, which depend on the order of a device's sums.
 */

import { isFloat } from '../src/core/dtype.ts';
import { range } from '../src/core/shape.ts';
import type { FirstOrderName, FirstOrderParams } from '../src/prim/registry.ts';
import type { HostTensor } from './host.ts';
import { every, expect, type Verdict } from './law.ts';

/** Rows of numbers. */
type Matrix = readonly (readonly number[])[];

/** Half the distance from 1 to the next float, and the smallest float. */
const precision = { float32: [2 ** -24, 2 ** -149], float64: [2 ** -53, 2 ** -1074] } as const;

/** The numbers that a tensor holds. */
const stored = ({ dtype, data }: HostTensor): number[] =>
  Array.from(data, (x) => (dtype === 'float32' ? Math.fround(x) : x));

/** The matrices of a batch. */
function matricesOf(x: HostTensor): readonly Matrix[] {
  const [rows, columns] = x.shape.slice(-2) as [number, number];
  const count = x.shape.slice(0, -2).reduce((product, n) => product * n, 1);
  const data = stored(x);
  return range(count).map((b) =>
    range(rows).map((i) => data.slice((b * rows + i) * columns, (b * rows + i + 1) * columns)),
  );
}

type Vectors = readonly (readonly number[])[];

/** The vectors of a batch. */
function vectorsOf(x: HostTensor): Vectors {
  const n = x.shape.at(-1)!;
  const count = x.shape.slice(0, -1).reduce((product, length) => product * length, 1);
  const data = stored(x);
  return range(count).map((b) => data.slice(b * n, (b + 1) * n));
}

const transposed = (x: Matrix, columns: number): Matrix => range(columns).map((j) => x.map((row) => row[j]!));

const product = (x: Matrix, y: Matrix, columns: number): Matrix =>
  x.map((row) => range(columns).map((j) => row.reduce((sum, v, k) => sum + v * y[k]![j]!, 0)));

const identity = (n: number): Matrix => range(n).map((i) => range(n).map((j) => Number(i === j)));

const size = (x: Matrix): number => x.reduce((most, row) => row.reduce((m, v) => Math.max(m, Math.abs(v)), most), 0);

/** How far rounding may lead. */
interface Bound {
  readonly relative: number;
  readonly least: number;
}

const boundOf = ({ dtype, shape }: HostTensor): Bound => {
  const [unit, least] = precision[isFloat(dtype) ? dtype : 'float64'];
  const n = Math.max(1, ...shape.slice(-2));
  return { relative: 32 * n * unit, least: 8 * n * least };
};

/** Equal but for rounding of numbers as large as `scale`. */
const near = (what: string, found: Matrix, wanted: Matrix, scale: number, { relative, least }: Bound): Verdict =>
  every(range(wanted.length), (i) =>
    every(range(wanted[i]!.length), (j) =>
      expect(
        Math.abs(found[i]![j]! - wanted[i]![j]!) <= relative * scale + least,
        () => `${what} is ${found[i]![j]} at [${i},${j}], expected ${wanted[i]![j]}`,
      ),
    ),
  );

/** Elements that must be zero, exactly. */
const vanishes = (what: string, x: Matrix, where: (i: number, j: number) => boolean): Verdict =>
  every(range(x.length), (i) =>
    every(range(x[i]!.length), (j) =>
      expect(!where(i, j) || x[i]![j] === 0, () => `${what} is ${x[i]![j]} at [${i},${j}], expected 0`),
    ),
  );

/** Columns of length 1 at right angles. */
const orthonormal = (what: string, x: Matrix, columns: number, bound: Bound): Verdict =>
  near(`${what}ᵀ${what}`, product(transposed(x, columns), x, columns), identity(columns), 1, bound);

const together = (...verdicts: readonly (() => Verdict)[]): Verdict => every(verdicts, (judge) => judge());

/** Says whether results are the factors of the operands. */
export type JudgeFactors<P> = (outs: readonly HostTensor[], ins: readonly HostTensor[], params: P) => Verdict;

/** The matrix of which one triangle is read. */
const mirrored = (x: Matrix, lower: boolean): Matrix =>
  x.map((row, i) => row.map((v, j) => ((lower ? j <= i : j >= i) ? v : x[j]![i]!)));

/** The matrices of several tensors, batch by batch; what there is of them is given, up to three. */
function each(
  tensors: readonly HostTensor[],
  judge: (first: Matrix, second: Matrix, at: number, third: Matrix) => Verdict,
): Verdict {
  const all = tensors.map(matricesOf);
  return every(range(all[0]!.length), (b) => {
    const [first, second, third] = all.map((matrices) => matrices[b]!);
    return judge(first!, second ?? [], b, third ?? []);
  });
}

const triangularSolve: JudgeFactors<FirstOrderParams<'triangular_solve'>> = ([x], [a, b], params) => {
  const { leftSide, lower, transposeA, unitDiagonal } = params;
  const [n, columns] = [a!.shape.at(-1)!, b!.shape.at(-1)!];
  return each([a!, b!, x!], (matrix, right, _, solution) => {
    const read = matrix.map((row, i) =>
      row.map((v, j) => (i === j && unitDiagonal ? 1 : (lower ? j <= i : j >= i) ? v : 0)),
    );
    const op = transposeA ? transposed(read, n) : read;
    const found = leftSide ? product(op, solution, columns) : product(solution, op, columns);
    return near('op(a) x', found, right, n * size(read) * size(solution) + size(right), boundOf(a!));
  });
};

const cholesky: JudgeFactors<unknown> = ([l], [a]) => {
  const n = a!.shape.at(-1)!;
  return each([a!, l!], (matrix, factor) => {
    const whole = mirrored(matrix, true);
    return together(
      () => vanishes('l', factor, (i, j) => j > i),
      () =>
        expect(
          factor.every((row, i) => row[i]! > 0),
          () => 'the diagonal of l is not positive',
        ),
      () => near('l lᵀ', product(factor, transposed(factor, n), n), whole, size(whole), boundOf(a!)),
    );
  });
};

const qr: JudgeFactors<FirstOrderParams<'qr'>> = ([q, r], [a]) => {
  const [k, n] = [q!.shape.at(-1)!, a!.shape.at(-1)!];
  return each([a!, q!, r!], (matrix, left, _, right) =>
    together(
      () => orthonormal('q', left, k, boundOf(a!)),
      () => vanishes('r', right, (i, j) => j < i),
      () => near('q r', product(left, right, n), matrix, size(matrix), boundOf(a!)),
    ),
  );
};

const lu: JudgeFactors<unknown> = ([packed, pivots, permutations], [a]) => {
  const [m, n] = a!.shape.slice(-2) as [number, number];
  const k = Math.min(m, n);
  const [exchanges, orders] = [vectorsOf(pivots!), vectorsOf(permutations!)];
  return each([a!, packed!], (matrix, factors, b) => {
    const order = range(m);
    exchanges[b]!.forEach((pivot, i) => {
      [order[i], order[pivot]] = [order[pivot]!, order[i]!];
    });
    const l = range(m).map((i) => range(k).map((j) => (i === j ? 1 : i > j ? factors[i]![j]! : 0)));
    const u = range(k).map((i) => range(n).map((j) => (i <= j ? factors[i]![j]! : 0)));
    return together(
      () => expect(`${order}` === `${orders[b]}`, () => `pivots say ${order}, the permutation is ${orders[b]}`),
      () => expect(size(l) <= 1, () => 'an element of l is larger than 1'),
      () =>
        near(
          'l u',
          product(l, u, n),
          order.map((i) => matrix[i]!),
          size(matrix) + size(u),
          boundOf(a!),
        ),
    );
  });
};

/** Columns whose first element that is nearly as large as the largest is positive; on the border of "nearly" anything. */
const settled = (what: string, x: Matrix, columns: number): Verdict =>
  every(transposed(x, columns), (column) => {
    const most = Math.max(0, ...column.map(Math.abs));
    const first = column.find((v) => Math.abs(v) >= 0.991 * most);
    const border = column.some((v) => Math.abs(v) >= 0.989 * most && Math.abs(v) < 0.991 * most);
    return expect(border || first === undefined || first > 0, () => `the sign of the column ${column} of ${what}`);
  });

const eigh: JudgeFactors<FirstOrderParams<'eigh'>> = ([v, w], [a], { lower }) => {
  const n = a!.shape.at(-1)!;
  const values = vectorsOf(w!);
  return each([a!, v!], (matrix, vectors, b) => {
    const whole = mirrored(matrix, lower);
    const scaled = vectors.map((row) => row.map((x, j) => x * values[b]![j]!));
    return together(
      () => increasing('w', values[b]!),
      () => orthonormal('v', vectors, n, boundOf(a!)),
      () => near('v diag(w) vᵀ', product(scaled, transposed(vectors, n), n), whole, size(whole), boundOf(a!)),
      () => settled('v', vectors, n),
    );
  });
};

const increasing = (what: string, xs: readonly number[]): Verdict =>
  expect(
    xs.every((x, i) => i === 0 || xs[i - 1]! <= x),
    () => `${what} is not in order: ${xs}`,
  );

/** Σ s², Σ s⁴ and Σ s⁶ are the traces of powers of aᵀa, by which up to three singular values are determined. */
function powerSums(matrix: Matrix, s: readonly number[], n: number, bound: Bound): Verdict {
  const scale = size(matrix) || 1;
  const unit = matrix.map((row) => row.map((x) => x / scale));
  const gram = product(transposed(unit, n), unit, n);
  const powers = [gram, product(gram, gram, n), product(product(gram, gram, n), gram, n)];
  const found = powers.map((_, k) => [s.reduce((sum, x) => sum + (x / scale) ** (2 * k + 2), 0)]);
  const wanted = powers.map((power) => [power.reduce((sum, row, i) => sum + row[i]!, 0)]);
  // What was rounded to a subnormal number has lost digits.
  const rounded = { relative: bound.relative + (6 * bound.least) / scale, least: 0 };
  return near('a power sum of s', found, wanted, size(wanted), rounded);
}

const svd: JudgeFactors<FirstOrderParams<'svd'>> = ([s, u, vt], [a], { computeUv }) => {
  const [m, n] = a!.shape.slice(-2) as [number, number];
  const values = vectorsOf(s!);
  const order = (b: number): Verdict =>
    together(
      () =>
        increasing(
          '−s',
          values[b]!.map((x) => -x),
        ),
      () =>
        expect(
          values[b]!.every((x) => x >= 0),
          () => `s is ${values[b]}`,
        ),
    );
  if (!computeUv) {
    return each([a!], (matrix, _, b) =>
      together(
        () => order(b),
        () => powerSums(matrix, values[b]!, n, boundOf(a!)),
      ),
    );
  }
  const [left, right] = [u!.shape.at(-1)!, vt!.shape.at(-2)!];
  return each([a!, u!, vt!], (matrix, us, b, vts) => {
    const scaled = us.map((row) => values[b]!.map((x, k) => row[k]! * x));
    return together(
      () => order(b),
      () => orthonormal('u', us, left, boundOf(a!)),
      () => orthonormal('v', transposed(vts, n), right, boundOf(a!)),
      () => near('u diag(s) vᵀ', product(scaled, vts, n), matrix, m > 0 ? size(matrix) : 0, boundOf(a!)),
      () => settled('u', us, left),
    );
  });
};

const tridiagonalSolve: JudgeFactors<unknown> = ([x], [dl, d, du, b]) => {
  const n = d!.shape.at(-1)!;
  const [below, on, above] = [dl!, d!, du!].map(vectorsOf) as [Vectors, Vectors, Vectors];
  return each([b!, x!], (right, solution, at) => {
    const matrix = range(n).map((i) =>
      range(n).map((j) => (i === j ? on[at]![i]! : j === i - 1 ? below[at]![i]! : j === i + 1 ? above[at]![i]! : 0)),
    );
    const scale = 3 * size(matrix) * size(solution) + size(right);
    return near('a x', product(matrix, solution, b!.shape.at(-1)!), right, scale, boundOf(b!));
  });
};

/** The judges, by the name of the primitive. */
export const factorJudges = {
  triangular_solve: triangularSolve,
  cholesky,
  qr,
  lu,
  eigh,
  svd,
  tridiagonal_solve: tridiagonalSolve,
} as const satisfies { readonly [Name in FirstOrderName]?: JudgeFactors<FirstOrderParams<Name>> };

/** The primitives of linear algebra that are judged by factors. */
export type FactoredName = keyof typeof factorJudges;
