/** Products are NumPy's: against loops over every index of the result. */

import fc from 'fast-check';
import { grad, makeJaxpr, np, type Tensor, vmap } from 'pullback';
import { describe, expect, it } from 'vitest';
import {
  arrays,
  at,
  atBroadcast,
  broadcastable,
  build,
  type Dense,
  dense,
  elements,
  meetShapes,
  tensor,
} from './oracle.ts';

const sum = (n: number, f: (k: number) => number): number =>
  Array.from({ length: n }, (_, k) => f(k)).reduce((a, b) => a + b, 0);

/** A stack of matrices as one matrix for each batch index. */
function matmul(a: Dense, b: Dense): Dense {
  const x = a.shape.length === 1 ? { ...a, shape: [1, ...a.shape] } : a;
  const y = b.shape.length === 1 ? { ...b, shape: [...b.shape, 1] } : b;
  const batch = meetShapes(x.shape.slice(0, -2), y.shape.slice(0, -2));
  const n = x.shape.at(-1)!;
  /** The matrix of a batch index, by broadcasting the batch axes alone. */
  const entry = (v: Dense, index: readonly number[], i: number, j: number): number => {
    const own = v.shape.slice(0, -2);
    const place = own.map((length, axis) => (length === 1 ? 0 : index[index.length - own.length + axis]!));
    return at(v, [...place, i, j]);
  };
  const out = build([...batch, x.shape.at(-2)!, y.shape.at(-1)!], (index) => {
    const outer = index.slice(0, -2);
    return sum(n, (k) => entry(x, outer, index.at(-2)!, k) * entry(y, outer, k, index.at(-1)!));
  });
  const shape = [...out.shape];
  if (a.shape.length === 1) shape.splice(-2, 1);
  if (b.shape.length === 1) shape.splice(-1, 1);
  return { ...out, shape };
}

const length = fc.integer({ min: 0, max: 3 });

/** Operands of every rank from 1 to 5 whose batch axes broadcast. */
const operands = fc
  .record({
    batches: broadcastable(2),
    m: length,
    n: length,
    k: length,
    vectors: fc.constantFrom('none', 'left', 'right', 'both'),
  })
  .chain(({ batches, m, n, k, vectors }) => {
    const left = vectors === 'left' || vectors === 'both' ? [k] : [...batches[0]!, m, k];
    const right = vectors === 'right' || vectors === 'both' ? [k] : [...batches[1]!, k, n];
    return fc.tuple(arrays(fc.constant(left)), arrays(fc.constant(right)));
  });

describe('matmul', () => {
  it('is the product of matrices, batch by batch', () => {
    fc.assert(
      fc.property(operands, ([a, b]) => {
        expect(dense(np.matmul(tensor(a), tensor(b)))).toEqual(matmul(a, b));
      }),
      { numRuns: 300 },
    );
  });

  it('has the gradients of the loops, for every kind of batch axis', () => {
    const cases = [
      [
        [2, 1, 2, 3],
        [3, 3, 2],
      ],
      [
        [2, 2, 3],
        [2, 3, 2],
      ],
      [
        [2, 3],
        [4, 3, 2],
      ],
      [[3], [4, 3, 2]],
      [[4, 2, 3], [3]],
    ] as const;
    for (const [p, q] of cases) {
      const [x, y] = [
        fc.sample(elements(p), { numRuns: 1, seed: 1 })[0]!,
        fc.sample(elements(q), { numRuns: 1, seed: 2 })[0]!,
      ];
      const total = (a: Tensor, b: Tensor): Tensor => np.sum(np.matmul(a, b));
      const [gx, gy] = grad(total, { argnums: [0, 1] })(tensor({ shape: p, data: x }), tensor({ shape: q, data: y }));
      const value = (a: readonly number[], b: readonly number[]): number =>
        matmul({ shape: p, data: a }, { shape: q, data: b }).data.reduce((s, v) => s + v, 0);
      const bumped = (v: readonly number[], i: number): number[] => v.map((e, j) => (i === j ? e + 1 : e));
      // The product is linear in each operand: a unit step is the derivative.
      expect([...gx.dataSync()]).toEqual(x.map((_, i) => value(bumped(x, i), y) - value(x, y)));
      expect([...gy.dataSync()]).toEqual(y.map((_, i) => value(x, bumped(y, i)) - value(x, y)));
    }
  });

  it('never stretches a batch axis', () => {
    const program = makeJaxpr((a: Tensor, b: Tensor) => np.matmul(a, b))(np.zeros([5, 1, 2, 3]), np.zeros([7, 3, 4]));
    expect(program.jaxpr.eqns.map((eqn) => eqn.primitive.name)).toEqual(['reshape', 'dot_general', 'transpose']);
    expect(program.jaxpr.outs[0]!.aval.shape).toEqual([5, 7, 2, 4]);
  });

  it('batches as a loop over its rows', () => {
    const [a, b] = [
      np.reshape(np.arange(24, { dtype: 'float32' }), [2, 3, 4]),
      np.reshape(np.arange(8, { dtype: 'float32' }), [4, 2]),
    ];
    expect(vmap((m: Tensor) => np.matmul(m, b))(a).toArray()).toEqual(np.matmul(a, b).toArray());
  });

  it('says what does not fit', () => {
    const z = (...shape: number[]): Tensor => np.zeros(shape);
    expect(() => np.matmul(z(2, 3), z(2, 3))).toThrow(
      'np.matmul: float32[2,3] and float32[2,3] do not multiply: axis 1 of the first has length 3, axis 0 of the second 2',
    );
    expect(() => np.matmul(z(2, 2, 3), z(3, 3, 2))).toThrow('batch axis -1 has length 2 beside 3');
    expect(() => np.matmul(z(5, 2, 3), z(4, 2))).toThrow('axis 2 of the first has length 3, axis 0 of the second 4');
    expect(() => np.matmul(np.array(1), z(2))).toThrow('a scalar is no matrix; use np.mul');
    expect(() => np.matmul(np.ones([2, 2], { dtype: 'bool' }), np.ones([2, 2], { dtype: 'bool' }))).toThrow(
      'np.matmul: needs a numeric dtype, got bool[2,2]',
    );
  });
});

describe('dot, inner, outer', () => {
  const pair = fc
    .tuple(
      fc.array(length, { maxLength: 2 }),
      fc.array(length, { maxLength: 2 }),
      fc.array(length, { maxLength: 1 }),
      length,
    )
    .chain(([p, q, r, k]) =>
      fc.tuple(arrays(fc.constant([...p, k])), arrays(fc.constant([...q, k, ...r])), arrays(fc.constant([...q, k]))),
    );

  it('contract the axes that they say', () => {
    fc.assert(
      fc.property(pair, ([a, b, c]) => {
        const free = a.shape.slice(0, -1);
        const k = a.shape.at(-1)!;
        const second = Math.max(b.shape.length - 2, 0);
        // np.dot sums over the last axis of the first and the second-to-last (or only) one of the second.
        if (b.shape[second] === k) {
          const rest = b.shape.filter((_, i) => i !== second);
          const expected = build([...free, ...rest], (index) => {
            const [i, j] = [index.slice(0, free.length), index.slice(free.length)];
            return sum(k, (e) => at(a, [...i, e]) * at(b, [...j.slice(0, second), e, ...j.slice(second)]));
          });
          expect(dense(np.dot(tensor(a), tensor(b)))).toEqual(expected);
        }
        const inner = build([...free, ...c.shape.slice(0, -1)], (index) =>
          sum(k, (e) => at(a, [...index.slice(0, free.length), e]) * at(c, [...index.slice(free.length), e])),
        );
        expect(dense(np.inner(tensor(a), tensor(c)))).toEqual(inner);
        const outer = build([a.data.length, b.data.length], ([i, j]) => a.data[i!]! * b.data[j!]!);
        expect(dense(np.outer(tensor(a), tensor(b)))).toEqual(outer);
      }),
    );
  });

  it('with a scalar multiply', () => {
    expect(np.dot(np.array([1, 2]), 3).toArray()).toEqual([3, 6]);
    expect(np.inner(2, np.array([1, 2])).toArray()).toEqual([2, 4]);
    expect(np.outer(2, np.array([1, 2])).toArray()).toEqual([[2, 4]]);
    expect(() => np.inner(np.zeros([2]), np.zeros([3]))).toThrow('np.inner: float32[2] and float32[3] do not multiply');
  });
});

it('the oracle knows a product by hand', () => {
  const a = { shape: [2, 2], data: [1, 2, 3, 4] };
  expect(matmul(a, { shape: [2], data: [1, 1] })).toEqual({ shape: [2], data: [3, 7] });
  expect(atBroadcast(a, [5, 1, 0])).toBe(3);
});
