/** Convolution: values by hand, derivatives of both orders, batches of all kinds. */

import { grad, hessian, jit, jvp, lax, linearTranspose, makeJaxpr, np, random, type Tensor, vjp, vmap } from 'pullback';
import { checkGrads } from 'pullback/laws';
import { describe, expect, it, test } from 'vitest';

const normal = (seed: number, shape: readonly number[]): Tensor => random.normal(random.key(seed), [...shape]);
const flat = (x: Tensor): unknown => np.ravel(x).toArray();
const row = (values: readonly number[], ...shape: number[]): Tensor => np.reshape(np.array(values), shape);

describe('values by hand', () => {
  const x = row([1, 2, 3, 4, 5], 1, 1, 5);
  const taps = row([1, 10, 100], 1, 1, 3);

  test('taps are not flipped', () => {
    expect(flat(lax.conv(x, taps, [1], 'VALID'))).toEqual([321, 432, 543]);
  });

  test('padding by name', () => {
    expect(flat(lax.conv(x, taps, [1], 'SAME'))).toEqual([210, 321, 432, 543, 54]);
    const two = row([1, 10], 1, 1, 2);
    expect(flat(lax.conv(x, two, [1], 'SAME'))).toEqual([21, 32, 43, 54, 5]);
    expect(flat(lax.conv(x, two, [1], 'SAME_LOWER'))).toEqual([10, 21, 32, 43, 54]);
    expect(flat(lax.conv(x, two, [2], 'SAME'))).toEqual([21, 43, 5]);
    expect(flat(lax.conv(x, two, [2], 'SAME_LOWER'))).toEqual([10, 32, 54]);
  });

  test('padding in numbers, which may cut', () => {
    expect(flat(lax.conv(x, taps, [1], [[2, 0]]))).toEqual([100, 210, 321, 432, 543]);
    expect(flat(lax.conv(x, taps, [1], [[-1, -1]]))).toEqual([432]);
    expect(flat(lax.conv(x, taps, [1], [[-2, 1]]))).toEqual([543, 54]);
    expect(lax.conv(x, taps, [1], [[-3, 0]]).shape).toEqual([1, 1, 0]);
  });

  test('dilations', () => {
    expect(flat(lax.convGeneralDilated(x, taps, [1], 'VALID', { rhsDilation: [2] }))).toEqual([531]);
    const short = row([1, 2, 3], 1, 1, 3);
    const lhsDilation = [2];
    expect(flat(lax.convGeneralDilated(short, taps, [1], [[0, 0]], { lhsDilation }))).toEqual([201, 20, 302]);
    // 0 1 0 2 0 3 0: cut by one, the first element is gone and the zero behind it is first.
    expect(flat(lax.convGeneralDilated(short, taps, [1], [[-1, 1]], { lhsDilation }))).toEqual([20, 302, 30]);
  });

  test('feature groups do not meet', () => {
    const pair = row([1, 2, 3, 4], 1, 2, 2);
    const each = row([1, 10, 100, 1000], 4, 1, 1);
    const y = lax.convGeneralDilated(pair, each, [1], 'VALID', { featureGroupCount: 2 });
    expect(y.toArray()).toEqual([
      [
        [1, 2],
        [10, 20],
        [300, 400],
        [3000, 4000],
      ],
    ]);
  });

  test('batch groups have output features of their own', () => {
    const batch = row([1, 2, 3, 4], 4, 1, 1);
    const each = row([1, 10, 100, 1000], 4, 1, 1);
    const y = lax.convGeneralDilated(batch, each, [1], 'VALID', { batchGroupCount: 2 });
    expect(np.squeeze(y, -1).toArray()).toEqual([
      [1, 10, 300, 3000],
      [2, 20, 400, 4000],
    ]);
  });

  test('no spatial axes: a product of matrices; three: a sum', () => {
    const m = row([1, 2, 3, 4], 2, 2);
    expect(lax.conv(m, m, [], []).toArray()).toEqual(np.matmul(m, np.transpose(m)).toArray());
    expect(lax.conv(np.ones([1, 2, 3, 3, 3]), np.ones([1, 2, 3, 3, 3]), [1, 1, 1], 'VALID').item()).toBe(54);
  });

  test('integers wrap, float64 stays', () => {
    const big = np.array([[[2 ** 30]]], { dtype: 'int32' });
    expect(lax.conv(big, np.array([[[4]]], { dtype: 'int32' }), [1], 'VALID').item()).toBe(0);
    const exact = np.array([[[0.1]]], { dtype: 'float64' });
    expect(lax.conv(exact, exact, [1], 'VALID').item()).toBe(0.1 * 0.1);
  });
});

describe('derivatives', () => {
  const options = {
    lhsDilation: [2, 1],
    rhsDilation: [1, 2],
    dimensionNumbers: ['NHWC', 'HWIO', 'NCHW'],
  } as const;
  const padding = [
    [1, -1],
    [2, 0],
  ] as const;

  test.each([
    ['plain', [2, 4, 5, 2], [2, 2, 2, 3], {}],
    ['feature groups', [1, 4, 4, 4], [2, 2, 2, 4], { featureGroupCount: 2 }],
    ['batch groups', [4, 3, 4, 2], [2, 2, 2, 4], { batchGroupCount: 2 }],
  ] as const)('%s: first and second order, forward and backward', (_, lhs, rhs, groups) => {
    const f = (x: Tensor, w: Tensor): Tensor => {
      const y = lax.convGeneralDilated(x, w, [1, 2], padding, { ...options, ...groups });
      return np.sum(np.mul(y, np.sin(y)));
    };
    checkGrads(f, [normal(3, lhs), normal(4, rhs)], { order: 2 });
  });

  it('the second derivative of a convolution of x with itself is that of the polynomial product', () => {
    // Σₒ cₒ Σₖ x[o + k] x[k]: the Hessian has cₒ at (o + k, k) and at (k, o + k).
    const c = [3, 5, 7];
    const f = (x: Tensor): Tensor =>
      np.sum(
        np.mul(
          np.array(c),
          np.ravel(lax.conv(np.reshape(x, [1, 1, 4]), np.reshape(np.index(x, [null, 2]), [1, 1, 2]), [1], 'VALID')),
        ),
      );
    const h = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
    for (let o = 0; o < 3; o++) {
      for (let k = 0; k < 2; k++) {
        h[o + k]![k]! += c[o]!;
        h[k]![o + k]! += c[o]!;
      }
    }
    expect(hessian(f)(np.array([1, 2, 3, 4])).toArray()).toEqual(h);
  });

  it('both transposes are one convolution each', () => {
    const conv = (x: Tensor, w: Tensor): Tensor => lax.conv(x, w, [2, 2], 'SAME');
    const [x, w] = [normal(5, [2, 3, 6, 6]), normal(6, [4, 3, 3, 3])];
    const names = (f: (...args: Tensor[]) => unknown, ...args: Tensor[]): string[] =>
      makeJaxpr(f)(...args).jaxpr.eqns.map((eqn) => eqn.primitive.name);
    const ct = conv(x, w);
    const counted = (all: string[]): number => all.filter((name) => name === 'conv_general_dilated').length;
    expect(names((t) => linearTranspose((v: Tensor) => conv(v, w), [x])(t!), ct)).toEqual([
      'rev',
      'conv_general_dilated',
    ]);
    expect(names((t) => linearTranspose((v: Tensor) => conv(x, v), [w])(t!), ct)).toEqual(['conv_general_dilated']);
    expect(counted(names((...xs) => vjp(conv, xs as [Tensor, Tensor])[1](ct), x, w))).toBe(2);
  });

  it('of empty tensors they are zeros', () => {
    const x = np.zeros([1, 1, 0]);
    const f = (a: Tensor, b: Tensor): Tensor => np.sum(lax.conv(a, b, [1], [[2, 2]]));
    const [dx, dw] = grad(f, { argnums: [0, 1] })(x, np.ones([1, 1, 2])) as unknown as [Tensor, Tensor];
    expect([dx.shape, dw.toArray()]).toEqual([[1, 1, 0], [[[0, 0]]]]);
  });
});

describe('batches', () => {
  const groupings = [{}, { featureGroupCount: 2 }, { batchGroupCount: 2 }] as const;
  const stackOf = (f: (i: number) => Tensor, n: number): Tensor => np.stack(Array.from({ length: n }, (_, i) => f(i)));
  const close = (a: Tensor, b: Tensor): void => {
    expect(a.shape).toEqual(b.shape);
    expect(np.allclose(a, b, { rtol: 1e-5, atol: 1e-5 }).item()).toBe(true);
  };

  test.each(groupings)('nested in all ways, with groups %o, are single calls', (groups) => {
    const grouped = 'featureGroupCount' in groups;
    const xs = normal(7, [3, 2, grouped ? 4 : 2, 5]);
    const ws = normal(8, [4, 2, 2, 3]);
    const f = (x: Tensor, w: Tensor): Tensor => lax.convGeneralDilated(x, w, [2], [[1, 0]], groups);
    const x = (i: number): Tensor => np.index(xs, i) as Tensor;
    const w = (j: number): Tensor => np.index(np.moveaxis(ws, 3, 0), j) as Tensor;
    const one = vmap(f, [0, null])(xs, w(0));
    close(
      one,
      stackOf((i) => f(x(i), w(0)), 3),
    );
    close(
      vmap(f, [null, 1])(x(1), np.moveaxis(ws, 3, 1)) as Tensor,
      stackOf((j) => f(x(1), w(j)), 3),
    );
    const both = vmap(f, [0, 3])(xs, ws) as Tensor;
    close(
      both,
      stackOf((i) => f(x(i), w(i)), 3),
    );
    const table = vmap(vmap(f, [null, 3]), [0, null])(xs, ws) as Tensor;
    close(
      table,
      stackOf((i) => stackOf((j) => f(x(i), w(j)), 3), 3),
    );
    const program = makeJaxpr(vmap(vmap(f, [null, 3]), [0, null]))(xs, ws);
    expect(program.jaxpr.eqns.filter((eqn) => eqn.primitive.name === 'conv_general_dilated')).toHaveLength(1);
  });

  it('gradients of each member of a batch', () => {
    const x = normal(9, [3, 1, 2, 6]);
    const w = normal(10, [2, 2, 3]);
    const loss = (v: Tensor, u: Tensor): Tensor => np.sum(np.square(lax.conv(u, v, [1], 'SAME')));
    const all = jit(vmap(grad(loss), [null, 0]))(w, x) as Tensor;
    close(
      all,
      stackOf((i) => grad(loss)(w, np.index(x, i) as Tensor) as Tensor, 3),
    );
  });

  it('of no members', () => {
    const f = (x: Tensor, w: Tensor): Tensor => lax.conv(x, w, [1], 'VALID');
    expect(vmap(f)(np.zeros([0, 1, 2, 5]), np.zeros([0, 3, 2, 2])).shape).toEqual([0, 1, 3, 4]);
  });
});

test('tangents go through both operands', () => {
  const [x, w] = [row([1, 2, 3], 1, 1, 3), row([1, 10], 1, 1, 2)];
  const [, t] = jvp((a: Tensor, b: Tensor) => lax.conv(a, b, [1], 'VALID'), [x, w], [np.ones([1, 1, 3]), w]);
  expect(flat(t as Tensor)).toEqual([11 + 21, 11 + 32]);
});

describe('dimension numbers and names of padding', () => {
  test('texts as lists of axes, which convolutions take as well', () => {
    // What jax.lax.conv_dimension_numbers returns.
    const numbers = lax.convDimensionNumbers([2, 5, 6, 3], [2, 2, 3, 4], ['NHWC', 'HWIO', 'NCWH']);
    expect(numbers).toEqual([
      [0, 3, 1, 2],
      [3, 2, 0, 1],
      [0, 1, 3, 2],
    ]);
    const [x, w] = [normal(1, [2, 5, 6, 3]), normal(2, [2, 2, 3, 4])];
    const named = lax.convGeneralDilated(x, w, [1, 2], 'SAME', { dimensionNumbers: ['NHWC', 'HWIO', 'NCWH'] });
    const listed = lax.convGeneralDilated(x, w, [1, 2], 'SAME', { dimensionNumbers: numbers });
    expect(listed.toArray()).toEqual(named.toArray());
    expect(lax.convDimensionNumbers([1, 2, 3], [4, 2, 1], null)).toEqual([
      [0, 1, 2],
      [0, 1, 2],
      [0, 1, 2],
    ]);
  });

  test('what does not fit is refused under the name of the function', () => {
    expect(() => lax.convDimensionNumbers([1, 2, 3], [1, 2, 3, 4], null)).toThrow(
      'lax.convDimensionNumbers: shapes of 3 and 4 axes are not convolved with each other\n' +
        '  remedy: both need batch and features (or output and input features), and the same number of spatial axes',
    );
    expect(() =>
      lax.convDimensionNumbers(
        [1, 2, 3],
        [1, 2, 3],
        [
          [0, 1],
          [0, 1, 2],
          [0, 1, 2],
        ],
      ),
    ).toThrow('lax.convDimensionNumbers: the dimension numbers [0,1] do not name the axes 0 to 2 once each');
    expect(() => lax.conv(np.ones([1, 1, 3]), np.ones([1, 1, 2]), [1, 1], 'SAME')).toThrow(
      'lax.conv: 2 strides do not fit float32[1,1,3] and float32[1,1,2]',
    );
    expect(() => lax.conv(np.ones([1, 1, 3]), np.ones([1, 2, 2]), [1], 'SAME')).toThrow('while computing lax.conv');
  });

  test("'SAME' and 'VALID' say nothing of an operand with holes, as in JAX", () => {
    const [x, w] = [np.ones([1, 1, 3]), np.ones([1, 1, 2])];
    expect(() => lax.convGeneralDilated(x, w, [1], 'SAME', { lhsDilation: [2] })).toThrow(
      'lax.convGeneralDilated: the padding "SAME" is not defined for an operand with lhsDilation [2]\n' +
        '  remedy: give the padding as pairs [low, high], or use lax.convTranspose',
    );
    expect(() => lax.convGeneralDilated(x, w, [1], 'VALID', { lhsDilation: [2] })).toThrow('the padding "VALID"');
    expect(lax.convGeneralDilated(x, w, [1], 'SAME', { lhsDilation: [1] }).shape).toEqual([1, 1, 3]);
  });
});
