/** `np.index`, `np.at`, `np.take` and sorting: NumPy's own answers, nested loops, and derivatives. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import * as t from 'io-ts';
import { grad, jit, jvp, makeJaxpr, np, type Tensor, vjp, vmap } from 'pullback';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { at as elementAt, indices, sizeOf, tensor } from './oracle.ts';

const Item = t.union([
  t.number,
  t.null,
  t.literal('...'),
  t.type({ slice: t.tuple([t.union([t.number, t.null]), t.union([t.number, t.null]), t.union([t.number, t.null])]) }),
  t.type({ tensor: t.array(t.number), of: t.array(t.number) }),
]);
const Cases = t.type({
  indexing: t.array(
    t.type({ shape: t.array(t.number), items: t.array(Item), selects: t.array(t.number), elements: t.array(t.number) }),
  ),
});
const decoded = Cases.decode(
  JSON.parse(readFileSync(new URL('../fixtures/numpy-cases.json', import.meta.url), 'utf8')),
);
if (decoded._tag === 'Left') throw new Error('test/fixtures/numpy-cases.json has another form');

const integers = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor<'int32'> =>
  np.reshape(np.array(Int32Array.from(values)), shape);

const subscript = (item: t.TypeOf<typeof Item>): np.Index =>
  typeof item === 'object' && item !== null ? ('slice' in item ? item.slice : integers(item.of, item.tensor)) : item;

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const cases = decoded.right.indexing.map((c) => ({
  name: `[${c.shape}] at ${JSON.stringify(c.items)}`,
  x: integers(range(sizeOf(c.shape)), c.shape),
  subscripts: c.items.map(subscript),
  selects: c.selects,
  elements: c.elements,
}));

const flat = (x: Tensor<'int32'> | Tensor): number[] => Array.from(x.dataSync(), Number);

describe("NumPy's answers", () => {
  it.each(cases)('$name', ({ x, subscripts, selects, elements }) => {
    const part = np.index(x, ...subscripts);
    expect(part.shape).toEqual(selects);
    expect(flat(part)).toEqual(elements);
    // Reading is a slice or a gather under every transform.
    expect(flat(jit((y: Tensor<'int32'>) => np.index(y, ...subscripts))(x))).toEqual(elements);
    const stacked = np.stack([x, np.add(x, 100)]);
    const lanes = vmap((y: Tensor<'int32'>) => np.index(y, ...subscripts))(stacked);
    expect(flat(lanes)).toEqual([...elements, ...elements.map((e) => e + 100)]);

    // Writing: the last value of an element stays, or all are added.
    const values = elements.map((_, i) => -1 - i);
    const updates = integers(values, selects);
    const afterSet = flat(x);
    const afterAdd = flat(x);
    elements.forEach((e, i) => {
      afterSet[e] = values[i]!;
      afterAdd[e]! += values[i]!;
    });
    expect(flat(np.at(x, ...subscripts).set(updates))).toEqual(afterSet);
    expect(flat(np.at(x, ...subscripts).add(updates))).toEqual(afterAdd);
    expect(flat(np.at(x, ...subscripts).get())).toEqual(elements);
  });

  it.each(cases)('derivatives of $name', ({ x, subscripts, selects, elements }) => {
    const w = np.astype(x, 'float32');
    const values = np.astype(
      integers(
        elements.map((_, i) => i + 1),
        selects,
      ),
      'float32',
    );
    // Reading and adding are adjoint.
    const [, pull] = vjp((y: Tensor) => np.index(y, ...subscripts), [w]);
    const sums = flat(w).map(() => 0);
    elements.forEach((e, i) => {
      sums[e]! += i + 1;
    });
    expect(flat(pull(values)[0])).toEqual(sums);
    // Of what is set, the values that stay and the elements that were left have derivative 1.
    const [, pullSet] = vjp((y: Tensor, v: Tensor) => np.at(y, ...subscripts).set(v), [w, values]);
    const weights = flat(w).map((_, i) => 10 + i);
    const [dw, dv] = pullSet(tensor({ shape: w.shape, data: weights }));
    const last = new Map(elements.map((e, i) => [e, i]));
    expect(flat(dw)).toEqual(weights.map((weight, e) => (last.has(e) ? 0 : weight)));
    expect(flat(dv)).toEqual(elements.map((e, i) => (last.get(e) === i ? weights[e] : 0)));
  });
});

describe('what indexing is made of', () => {
  const x = integers(range(12), [3, 4]);
  const names = (f: (y: Tensor<'int32'>) => unknown): string[] =>
    makeJaxpr(f)(x).jaxpr.eqns.map((eqn) => eqn.primitive.name);

  it('static subscripts are slices', () => {
    expect(names((y) => np.index(y, 1, [0, 3, 2]))).toEqual(['slice', 'reshape']);
    expect(names((y) => np.index(y))).toEqual([]);
    expect(names((y) => np.index(y, [null, null, -1], [2, null, -2]))).toEqual(['slice', 'rev']);
    expect(names((y) => np.index(y, null, '...'))).toEqual(['reshape']);
  });

  it('a tensor is one gather', () => {
    const rows = integers([2, 0]);
    expect(names((y) => np.index(y, rows)).filter((name) => name === 'gather')).toHaveLength(1);
    expect(names((y) => np.at(y, rows, 1).add(1)).filter((name) => name.startsWith('scatter'))).toEqual([
      'scatter_add',
    ]);
  });
});

describe('outside of the tensor', () => {
  const x = np.array([10, 20, 30]);
  const off = integers([-4, -1, 3, 2147483647, -2147483648]);

  it('reads the nearest element, or what it is told to', () => {
    expect(np.index(x, off).toArray()).toEqual([10, 30, 30, 30, 10]);
    expect(np.at(x, off).get({ mode: 'fill' }).toArray()).toEqual([NaN, 30, NaN, NaN, NaN]);
    expect(np.at(x, off).get({ mode: 'fill', fillValue: 7 }).toArray()).toEqual([7, 30, 7, 7, 7]);
    expect(np.take(x, off).toArray()).toEqual([NaN, 30, NaN, NaN, NaN]);
    expect(np.take(x, off, 0, { fillValue: -Infinity }).toArray()).toEqual([
      -Infinity,
      30,
      -Infinity,
      -Infinity,
      -Infinity,
    ]);
    expect(np.take(x, off, 0, { mode: 'clip' }).toArray()).toEqual([10, 10, 30, 30, 10]);
    expect(np.take(np.array([1, 2], { dtype: 'int32' }), integers([5])).toArray()).toEqual([-2147483648]);
    expect(np.take(np.array([1, 2], { dtype: 'uint32' }), integers([5])).toArray()).toEqual([4294967295]);
    expect(np.take(np.array([false]), integers([5])).toArray()).toEqual([true]);
  });

  it('takes unsigned indices for what they are', () => {
    const big = np.array([1, 3, 2147483648, 4294967295], { dtype: 'uint32' });
    expect(np.index(x, big).toArray()).toEqual([20, 30, 30, 30]);
    expect(np.take(x, big).toArray()).toEqual([20, NaN, NaN, NaN]);
    expect(np.at(x, big).set(0).toArray()).toEqual([10, 0, 30]);
  });

  it('drops updates, or puts them at the nearest element', () => {
    expect(
      np
        .at(x, off)
        .set(np.array([1, 2, 3, 4, 5]))
        .toArray(),
    ).toEqual([10, 20, 2]);
    expect(np.at(x, off).add(1, { mode: 'clip' }).toArray()).toEqual([12, 20, 33]);
  });

  it('has no derivative there where it is filled', () => {
    const sum = grad((y: Tensor) => np.sum(np.take(y, off, 0, { fillValue: 0 })));
    expect(sum(x).toArray()).toEqual([0, 0, 1]);
    expect(grad((y: Tensor) => np.sum(np.index(y, off)))(x).toArray()).toEqual([2, 0, 3]);
  });
});

describe('empty tensors', () => {
  const none = integers([]);
  it('nothing is read from anything, and nothing is written', () => {
    expect(np.index(np.zeros([0, 3]), none).shape).toEqual([0, 3]);
    expect(np.index(np.zeros([2, 3]), none).shape).toEqual([0, 3]);
    expect(np.take(np.zeros([2, 0]), none, 1).shape).toEqual([2, 0]);
    expect(
      np
        .at(np.ones([2]), none)
        .set(5)
        .toArray(),
    ).toEqual([1, 1]);
    expect(np.at(np.zeros([0]), none).add(5).shape).toEqual([0]);
    expect(() => np.index(np.zeros([0, 3]), integers([0]))).toThrow('axis 0 of float32[0,3] is empty');
  });
});

describe('refusals', () => {
  const x = np.zeros([2, 3]);
  it('names the subscript and what to write', () => {
    expect(() => np.index(x, 0, 0, 0)).toThrow(
      'np.index: (0, 0, 0) are too many subscripts for float32[2,3], which has 2 axes',
    );
    expect(() => np.index(x, '...', '...')).toThrow('(..., ...)'.replaceAll('...', "'...'"));
    expect(() => np.index(x, 0.5)).toThrow('np.index: cannot index with 0.5: an index is an integer');
    expect(() => np.index(x, [0, 1, 0])).toThrow('np.index: [0, 1, 0] is not a slice');
    expect(() => np.index(x, -3)).toThrow('np.index: index -3 is out of range for axis 0 of float32[2,3]');
    expect(() => np.index(x, np.array([0]) as never)).toThrow('a tensor of indices has an integer dtype');
    expect(() => np.index(x, integers([0, 1]), integers([0, 1, 2]))).toThrow('do not broadcast');
    expect(() => np.at(np.arange(3), 0).set(0.5)).toThrow('the number 0.5 is not an integer');
    expect(() => np.at(np.arange(3), 0).set(np.array(1))).toThrow('np.at.set: int32[3] does not hold float32');
    expect(() => np.at(x, 0).set(np.zeros([2]))).toThrow('np.at.set: float32[2] does not broadcast to [3]');
    expect(() => np.at(x, 0).add(true)).not.toThrow();
    expect(() => np.take(x, integers([0]), 0, { mode: 'wrap' as 'clip' })).toThrow('np.take: there is no mode "wrap"');
    expect(() => np.at(x, 0).set(1, { mod: 'clip' } as object)).toThrow("np.at.set: there is no option 'mod'");
    expect(() => np.at(x, 0).add(1, 'clip' as never)).toThrow('np.at.add: "clip" stands where options are expected');
    expect(() => np.at(x, 0).get({ fill: 1 } as object)).toThrow("np.at.get: there is no option 'fill'");
    expect(() => np.take(x, integers([0]), 2)).toThrow('np.take: axis 2 is out of range for float32[2,3]');
  });

  it('keeps the dtype in the type', () => {
    expectTypeOf(np.index(np.arange(3), 0)).toEqualTypeOf<Tensor<'int32'>>();
    expectTypeOf(np.at(x, 0).set(1)).toEqualTypeOf<Tensor<'float32'>>();
  });
});

describe('take', () => {
  it('puts the axes of the indices in place of the axis', () => {
    fc.assert(
      fc.property(
        fc
          .tuple(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }), fc.nat({ max: 2 }))
          .chain(([shape, axis]) => {
            const at = axis % shape.length;
            const index = fc.integer({ min: -shape[at]!, max: shape[at]! - 1 });
            return fc.tuple(fc.constant(shape), fc.constant(at), fc.array(fc.tuple(index, index), { maxLength: 3 }));
          }),
        ([shape, axis, pairs]) => {
          const x = { shape, data: indices(shape).map((_, i) => i) };
          const taken = np.take(tensor(x), integers(pairs.flat(), [pairs.length, 2]), axis);
          const result = [...shape.slice(0, axis), pairs.length, 2, ...shape.slice(axis + 1)];
          expect(taken.shape).toEqual(result);
          expect(flat(taken)).toEqual(
            indices(result).map((index) => {
              const i = pairs[index[axis]!]![index[axis + 1]!]!;
              return elementAt(x, [...index.slice(0, axis), i < 0 ? i + shape[axis]! : i, ...index.slice(axis + 2)]);
            }),
          );
        },
      ),
    );
  });

  it('reads all elements in a row without an axis', () => {
    expect(np.take(np.reshape(np.arange(6), [2, 3]), integers([5, -6])).toArray()).toEqual([5, 0]);
  });
});

describe('sort and argsort', () => {
  it('along any axis, or of all elements', () => {
    const x = np.array([
      [3, 1, 2],
      [0, 5, 4],
    ]);
    expect(np.sort(x).toArray()).toEqual([
      [1, 2, 3],
      [0, 4, 5],
    ]);
    expect(np.sort(x, 0).toArray()).toEqual([
      [0, 1, 2],
      [3, 5, 4],
    ]);
    expect(np.sort(x, null).toArray()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(np.argsort(x).toArray()).toEqual([
      [1, 2, 0],
      [0, 2, 1],
    ]);
    expect(np.argsort(x, null).toArray()).toEqual([3, 1, 2, 0, 5, 4]);
    expect(np.argsort(np.array([0, -0, NaN, -1, NaN, 0])).toArray()).toEqual([3, 0, 1, 5, 2, 4]);
    expect(np.sort(np.zeros([0])).shape).toEqual([0]);
  });

  it('the derivative goes with the elements', () => {
    const x = np.array([3, 1, 2]);
    const weights = np.array([10, 20, 30]);
    expect(grad((y: Tensor) => np.sum(np.mul(np.sort(y), weights)))(x).toArray()).toEqual([30, 10, 20]);
    const [, tangent] = jvp((y: Tensor) => np.sort(y), [x], [np.array([1, 2, 3])]);
    expect(tangent.toArray()).toEqual([2, 3, 1]);
    const batch = np.stack([x, np.neg(x)]);
    const lanes = vmap(grad((y: Tensor) => np.sum(np.mul(np.sort(y), weights))))(batch);
    expect(lanes.toArray()).toEqual([
      [30, 10, 20],
      [10, 30, 20],
    ]);
  });
});
