/** `np.linalg` against NumPy's and SciPy's numbers, against identities, and its derivatives against differences. */

import { readFileSync } from 'node:fs';
import {
  type Device,
  grad,
  hessian,
  jit,
  lax,
  makeJaxpr,
  np,
  random,
  referenceDevice,
  type Tensor,
  tree,
  vmap,
  withDefaultDevice,
} from 'pullback';
import { checkGrads } from 'pullback/laws';
import { describe, expect, it } from 'vitest';

const { linalg } = np;

type Nested = number | readonly Nested[];
interface Case {
  readonly args: readonly (Nested | string)[];
  readonly out: Nested;
}

const fixtures = JSON.parse(readFileSync(new URL('../fixtures/linalg.json', import.meta.url), 'utf8')) as Readonly<
  Record<string, readonly Case[]>
>;

type T = Tensor<'float64'>;
const { inf, '-inf': minusInf } = { inf: Infinity, '-inf': -Infinity };
/** An order as the file writes it. */
const ord = (x: unknown): number | 'fro' | 'nuc' =>
  x === 'inf' ? inf : x === '-inf' ? minusInf : (x as number | 'fro' | 'nuc');

const flags = { leftSide: true, lower: true };

/** What each name of the file calls; its arguments are tensors, numbers and strings. */
const calls: Readonly<Record<string, (...args: never[]) => unknown>> = {
  solve: (a: T, b: T) => linalg.solve(a, b),
  inv: (a: T) => linalg.inv(a),
  det: (a: T) => linalg.det(a),
  slogdet: (a: T) => linalg.slogdet(a),
  cholesky: (a: T) => linalg.cholesky(a),
  eigvalsh: (a: T) => linalg.eigvalsh(a),
  svdvals: (a: T) => linalg.svdvals(a),
  cond: (a: T) => linalg.cond(a),
  pinv: (a: T) => linalg.pinv(a),
  matrixRank: (a: T) => linalg.matrixRank(a),
  lstsq: (a: T, b: T) => linalg.lstsq(a, b),
  matrixPower: (a: T, n: number) => linalg.matrixPower(a, n),
  multiDot: (...xs: T[]) => linalg.multiDot(xs),
  tensorinv: (a: T) => linalg.tensorinv(a),
  tensorinv1: (a: T) => linalg.tensorinv(a, 1),
  tensorsolve: (a: T, b: T) => linalg.tensorsolve(a, b),
  norm: (x: T) => linalg.norm(x),
  'vector norm': (x: T, p: number, axis: number) => linalg.norm(x, ord(p), axis),
  'matrix norm': (x: T, p: number, a: number, b: number) => linalg.norm(x, ord(p), [a, b]),
  'cond of order': (x: T, p: number) => linalg.cond(x, ord(p) as 'fro'),
  keepdims: (x: T) => linalg.norm(x, 'fro', [0, 1], { keepdims: true }),
  trace: (x: T) => np.trace(x),
  'trace of three axes': (x: T) => np.trace(x),
  diagonal: (x: T, offset: number) => np.diagonal(x, { offset }),
  'diagonal of three axes': (x: T) => np.diagonal(x),
  cross: (x: T, y: T) => np.cross(x, y),
  vecdot: (x: T, y: T) => np.vecdot(x, y),
  lu: (a: T) => lax.linalg.lu(a).slice(0, 2),
  qr: (a: T) => linalg.qr(a),
  'qr complete': (a: T) => linalg.qr(a, 'complete'),
  triangular: (a: T, b: T) => lax.linalg.triangularSolve(a, b, flags),
  tridiagonal: (dl: T, d: T, du: T, b: T) => lax.linalg.tridiagonalSolve(dl, d, du, b),
};

const numbersOf = (x: unknown): number[] =>
  tree.leaves(x).flatMap((leaf) => Array.from((leaf as Tensor).dataSync(), Number));

/** Equal within 10⁻¹¹ of the largest of the numbers. */
function expectClose(found: readonly number[], wanted: readonly number[]): void {
  const scale = Math.max(1, ...wanted.map(Math.abs));
  expect(found.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++) {
    expect(Math.abs(found[i]! - wanted[i]!), `${found[i]} beside ${wanted[i]}`).toBeLessThan(1e-11 * scale);
  }
}

const flat = (x: Nested): number[] => (typeof x === 'number' ? [x] : x.flatMap(flat));

describe('NumPy and SciPy compute the same', () => {
  const rows = Object.entries(fixtures).flatMap(([name, cases]) => cases.map((c, i) => [name, i, c] as const));
  it('every function of the file is called', () => {
    expect(Object.keys(calls).sort()).toEqual(Object.keys(fixtures).sort());
  });
  it.each(rows)('%s %i', (name, _, { args, out }) => {
    const operands = args.map((x) => (Array.isArray(x) ? np.array(x as never, { dtype: 'float64' }) : x));
    const call = calls[name]!;
    const wanted = flat(out);
    expectClose(numbersOf(call(...(operands as never[]))), wanted);
    // Compiled, and as one of a batch.
    const tensors = operands.filter((x) => typeof x === 'object');
    const f = (...xs: unknown[]): unknown => {
      let next = 0;
      return call(...(operands.map((x) => (typeof x === 'object' ? xs[next++] : x)) as never[]));
    };
    expectClose(numbersOf(jit(f as never)(...(tensors as never[]))), wanted);
    const stacked = tensors.map((x) => np.stack([x, x] as never));
    const both = vmap(f as never)(...(stacked as never[]));
    expectClose(numbersOf(tree.map((x: Tensor) => np.index(x, 1), both as never)), wanted);
  });
});

const general = (m: number, n: number): T => random.normal(random.key(m * 10 + n), [m, n], { dtype: 'float64' });
const definite = (n: number): T => np.add(np.matmul(general(n, n), np.transpose(general(n, n))), np.eye(n));
const mix = (x: Tensor | T): T =>
  np.sum(np.mul(x as T, np.reshape(np.cos(np.astype(np.arange(x.size), 'float64')), x.shape)));

describe('identities', () => {
  const a = general(4, 4);
  const close = (x: T, y: T): void => expect(np.allclose(x, y, { atol: 1e-10 }).item()).toBe(true);

  it('a a⁻¹ = 1, and the inverse of a tensor', () => {
    close(np.matmul(a, linalg.inv(a)), np.eye(4, 4, { dtype: 'float64' }));
    const t = np.reshape(general(6, 6), [2, 3, 6]);
    const unit = np.tensordot(t, linalg.tensorinv(t), 1);
    close(np.reshape(unit, [6, 6]), np.eye(6, 6, { dtype: 'float64' }));
  });

  it('det(a b) = det a · det b; slogdet and the product of eigenvalues say the same', () => {
    const b = definite(4);
    close(linalg.det(np.matmul(a, b)), np.mul(linalg.det(a), linalg.det(b)));
    const [sign, log] = linalg.slogdet(a);
    close(np.mul(sign, np.exp(log)), linalg.det(a));
    close(np.prod(linalg.eigvalsh(b)), linalg.det(b));
  });

  it("Penrose's four, at low rank too", () => {
    for (const m of [general(4, 2), general(2, 4), np.matmul(general(4, 2), general(2, 3))]) {
      const p = linalg.pinv(m);
      const [mp, pm] = [np.matmul(m, p), np.matmul(p, m)];
      close(np.matmul(mp, m), m);
      close(np.matmul(pm, p), p);
      close(mp, np.transpose(mp));
      close(pm, np.transpose(pm));
    }
  });

  it('upper Cholesky factors are the transposed ones', () => {
    close(linalg.cholesky(definite(3), { upper: true }), np.transpose(linalg.cholesky(definite(3))));
  });

  it('eigh has the eigenvalues first, and v diag(w) vᵀ is the matrix', () => {
    const [w, v] = linalg.eigh(definite(4));
    close(np.matmul(np.mul(v, w), np.transpose(v)), definite(4));
  });

  it('of nothing', () => {
    const none = np.zeros([0, 0]);
    expect(linalg.det(none).item()).toBe(1);
    expect(linalg.slogdet(none).map((x) => x.item())).toEqual([1, 0]);
    expect(linalg.inv(none).shape).toEqual([0, 0]);
    expect(linalg.matrixRank(none).item()).toBe(0);
    expect(linalg.pinv(np.zeros([0, 2])).shape).toEqual([2, 0]);
    expect(linalg.norm(np.zeros([0])).item()).toBe(0);
    expect(linalg.matrixNorm(none, { ord: 2 }).item()).toBe(0);
    expect(linalg.solve(none, np.zeros([0, 3])).shape).toEqual([0, 3]);
    expect(linalg.det(np.zeros([2, 0, 0])).toArray()).toEqual([1, 1]);
  });

  it('integers become floats', () => {
    const whole = np.array(
      [
        [1, 2],
        [3, 4],
      ],
      { dtype: 'int32' },
    );
    expect(linalg.det(whole).dtype).toBe('float32');
    expect(linalg.solve(whole, np.array([1, 2], { dtype: 'int32' })).dtype).toBe('float32');
    expect(linalg.norm(whole).dtype).toBe('float32');
    expect(np.trace(whole).dtype).toBe('int32');
    expect(np.diagonal(np.greater(whole, 1)).toArray()).toEqual([false, true]);
    expect(np.trace(np.greater(whole, 1)).item()).toBe(1);
  });
});

describe('derivatives', () => {
  const second: readonly (readonly [string, (...args: T[]) => T, readonly T[]])[] = [
    ['solve', (a, b) => mix(linalg.solve(a!, b!)), [general(3, 3), general(3, 2)]],
    ['inv', (a) => mix(linalg.inv(a!)), [general(3, 3)]],
    ['det of 3', (a) => linalg.det(a!), [general(3, 3)]],
    ['det of 4', (a) => linalg.det(a!), [general(4, 4)]],
    ['slogdet', (a) => linalg.slogdet(a!)[1], [general(3, 3)]],
    ['matrixPower', (a) => mix(linalg.matrixPower(a!, -3)), [definite(2)]],
    ['eigvalsh', (a) => mix(linalg.eigvalsh(a!)), [definite(3)]],
    ['svdvals', (a) => mix(linalg.svdvals(a!)), [general(3, 2)]],
    ['pinv, tall', (a) => mix(linalg.pinv(a!)), [general(3, 2)]],
    ['pinv, wide', (a) => mix(linalg.pinv(a!)), [general(2, 3)]],
    ['lstsq', (a, b) => mix(linalg.lstsq(a!, b!)[0]), [general(4, 2), general(4, 1)]],
    ['norm', (x) => linalg.norm(x!), [general(2, 3)]],
    ['norm of order 3', (x) => linalg.norm(x!, 3), [np.ravel(general(2, 3))]],
    ['norm of order 0.5', (x) => linalg.norm(x!, 0.5), [np.ravel(general(2, 3))]],
    ['spectral norm', (x) => linalg.norm(x!, 2), [general(3, 3)]],
    ['nuclear norm', (x) => linalg.norm(x!, 'nuc'), [general(3, 3)]],
    ['cond', (x) => linalg.cond(x!), [general(3, 3)]],
    ['cross', (x, y) => mix(np.cross(x!, y!)), [general(2, 3), general(1, 3)]],
    ['trace', (x) => np.trace(np.matmul(x!, x!), { offset: 1 }), [general(3, 3)]],
  ];
  it.each(second)('of %s, first and second', (_, f, args) => {
    checkGrads(f as (...args: readonly unknown[]) => T, args as never, { order: 2, directions: 1, rtol: 1e-4 });
  });

  it('of determinants at singular matrices are the cofactors', () => {
    const cofactors = (rows: readonly (readonly number[])[]): number[][] =>
      rows.map((row, i) =>
        row.map((_, j) => {
          const minor = rows.filter((_, k) => k !== i).map((r) => r.filter((_, k) => k !== j));
          return (i + j) % 2 === 0 ? detOf(minor) : -detOf(minor);
        }),
      );
    const detOf = (rows: readonly (readonly number[])[]): number =>
      rows.length === 0
        ? 1
        : rows[0]!.reduce(
            (sum, x, j) => sum + (j % 2 === 0 ? x : -x) * detOf(rows.slice(1).map((r) => r.filter((_, k) => k !== j))),
            0,
          );
    const singular: Readonly<Record<string, readonly (readonly number[])[]>> = {
      'of rank 1, of two rows': [
        [1, 2],
        [2, 4],
      ],
      'of rank 2, of three rows': [
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
      ],
      'the last pivot is zero': [
        [2, 1, 0, 1],
        [0, 3, 1, 1],
        [0, 0, 4, 2],
        [0, 0, 8, 4],
      ],
      'the first column is zero': [
        [0, 1, 0, 1],
        [0, 3, 1, 1],
        [0, 0, 4, 2],
        [0, 2, 8, 4.5],
      ],
      'the second column repeats the first': [
        [1, 1, 0, 1],
        [2, 2, 1, 1],
        [0, 0, 4, 2],
        [1, 1, 8, 4.5],
      ],
      'of rank 2 of 4': [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ],
      'of rank 1 of 4': [
        [1, 1, 1, 1],
        [1, 1, 1, 1],
        [1, 1, 1, 1],
        [1, 1, 1, 1],
      ],
      zero: [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
      ],
      regular: [
        [4, 1, 0, 1],
        [2, 3, 1, 1],
        [0, 1, 4, 2],
        [1, 1, 2, 5],
      ],
    };
    for (const [name, rows] of Object.entries(singular)) {
      const found = grad((a: T) => linalg.det(a))(np.array(rows as never, { dtype: 'float64' }));
      expectClose(numbersOf(found), cofactors(rows).flat());
      expect(numbersOf(found).every(Number.isFinite), name).toBe(true);
    }
    // Second derivatives of a polynomial, at zero.
    const second = hessian((a: Tensor) => linalg.det(a))(np.zeros([2, 2]));
    expect(np.reshape(second, [4, 4]).toArray()).toEqual([
      [0, 0, 0, 1],
      [0, 0, -1, 0],
      [0, -1, 0, 0],
      [1, 0, 0, 0],
    ]);
  });

  it('of norms at 0 are 0', () => {
    for (const p of [null, 1, 2, 3, 1.5, Infinity]) {
      expect(grad((x: Tensor) => linalg.norm(x, p, 0))(np.zeros([2])).toArray(), `order ${p}`).toEqual([0, 0]);
    }
    for (const p of ['fro', 'nuc', 2] as const) {
      expect(numbersOf(grad((x: Tensor) => linalg.norm(x, p))(np.zeros([2, 2]))).every(Number.isFinite)).toBe(true);
    }
    expect(
      grad((x: Tensor) => linalg.norm(x))(
        np.array([
          [0, 3],
          [4, 0],
        ]),
      ).toArray(),
    ).toEqual([
      [0, expect.closeTo(0.6)],
      [expect.closeTo(0.8), 0],
    ]);
    expect(linalg.norm(np.array([NaN, 1])).item()).toBeNaN();
  });

  it('of pseudo-inverses hold where singular values are equal', () => {
    checkGrads((a: T) => mix(linalg.pinv(a)), [np.eye(3, 2, { dtype: 'float64' })], { order: 2, rtol: 1e-4 });
    checkGrads((a: T) => mix(linalg.lstsq(a, np.ones([3, 2]))[0]), [np.eye(3, 3, { dtype: 'float64' })]);
    const low = np.array(
      [
        [1, 0],
        [0, 0],
      ],
      { dtype: 'float64' },
    );
    // p of diag(x, 0) is diag(1/x, 0).
    const along = (x: T): T => np.index(linalg.pinv(np.mul(low, x)), 0, 0);
    expect(grad(along)(np.array(2, { dtype: 'float64' })).item()).toBeCloseTo(-0.25);
  });

  it('of one matrix of a batch are its own', () => {
    const stack = np.stack([definite(3), np.add(definite(3), np.eye(3))]);
    const all = grad((a: T) => np.sum(linalg.slogdet(a)[1]))(stack);
    expectClose(numbersOf(np.index(all, 0)), numbersOf(grad((a: T) => linalg.slogdet(a)[1])(definite(3))));
  });
});

it('every equation knows the line of its user, and constants the device of the tensor they meet', () => {
  const a = np.eye(4);
  const { jaxpr } = makeJaxpr(() => [linalg.det(a), linalg.solve(a, a), linalg.norm(a, 3, 0), linalg.cond(a, 1)])();
  for (const { source, primitive } of jaxpr.eqns) {
    expect(`${primitive.name} at ${source?.location}`).toMatch(/ at test\/ops\/linalg\.test\.ts:\d+:\d+$/);
  }
  const other = referenceDevice({ precision: 'float64' });
  const there = withDefaultDevice(other, () =>
    np.array([
      [2, 1],
      [1, 3],
    ]),
  );
  for (const y of [linalg.det(there), linalg.inv(there), linalg.norm(there), ...linalg.eigh(there), np.trace(there)]) {
    expect((y as unknown as { readonly device: Device }).device).toBe(other);
  }
});
