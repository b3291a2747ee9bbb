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

/** The vectors of a batch. */
export function vectorsOf(x: HostTensor): readonly (readonly number[])[] {
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

/** The matrices of several tensors, batch by batch. */
function each(tensors: readonly HostTensor[], judge: (...matrices: readonly Matrix[]) => Verdict): Verdict {
  const all = tensors.map(matricesOf);
  return every(range(all[0]!.length), (b) => judge(...all.map((matrices) => matrices[b]!)));
}

const triangularSolve: JudgeFactors<FirstOrderParams<'triangular_solve'>> = ([x], [a, b], params) => {
  const { leftSide, lower, transposeA, unitDiagonal } = params;
  const [n, columns] = [a!.shape.at(-1)!, b!.shape.at(-1)!];
  return each([a!, b!, x!], (matrix, right, solution) => {
    const read = matrix!.map((row, i) =>
      row.map((v, j) => (i === j && unitDiagonal ? 1 : (lower ? j <= i : j >= i) ? v : 0)),
    );
    const op = transposeA ? transposed(read, n) : read;
    const found = leftSide ? product(op, solution!, columns) : product(solution!, op, columns);
    return near('op(a) x', found, right!, n * size(read) * size(solution!) + size(right!), boundOf(a!));
  });
};

const cholesky: JudgeFactors<unknown> = ([l], [a]) => {
  const n = a!.shape.at(-1)!;
  return each([a!, l!], (matrix, factor) => {
    const whole = mirrored(matrix!, true);
    return together(
      () => vanishes('l', factor!, (i, j) => j > i),
      () =>
        expect(
          factor!.every((row, i) => row[i]! > 0),
          () => 'the diagonal of l is not positive',
        ),
      () => near('l lᵀ', product(factor!, transposed(factor!, n), n), whole, size(whole), boundOf(a!)),
    );
  });
};

const qr: JudgeFactors<FirstOrderParams<'qr'>> = ([q, r], [a]) => {
  const [k, n] = [q!.shape.at(-1)!, a!.shape.at(-1)!];
  return each([a!, q!, r!], (matrix, left, right) =>
    together(
      () => orthonormal('q', left!, k, boundOf(a!)),
      () => vanishes('r', right!, (i, j) => j < i),
      () => near('q r', product(left!, right!, n), matrix!, size(matrix!), boundOf(a!)),
    ),
  );
};

/** The judges, by the name of the primitive. */
export const factorJudges = {
  triangular_solve: triangularSolve,
  cholesky,
  qr,
} as const satisfies { readonly [Name in FirstOrderName]?: JudgeFactors<FirstOrderParams<Name>> };

/** The primitives of linear algebra that are judged by factors. */
export type FactoredName = keyof typeof factorJudges;
