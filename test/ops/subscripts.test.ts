/** All that NumPy takes as subscripts, read and written, against a table of NumPy's own answers and refusals. */
import { readFileSync } from 'node:fs';
import * as t from 'io-ts';
import { grad, jit, jvp, makeJaxpr, np, type Tensor, vmap } from 'pullback';
import { describe, expect, it } from 'vitest';

const numbers = t.array(t.number);
const end = t.union([t.number, t.null]);
const Item = t.union([
  t.number,
  t.boolean,
  t.null,
  t.literal('...'),
  t.type({ slice: t.tuple([end, end, end]) }),
  t.type({ tensor: numbers, of: numbers }),
  t.type({ mask: numbers, of: numbers }),
]);
const Case = t.intersection([
  t.type({ shape: numbers, items: t.array(Item) }),
  t.partial({
    error: t.boolean,
    selects: numbers,
    elements: numbers,
    values: numbers,
    set: numbers,
    add: numbers,
    mul: numbers,
    min: numbers,
    max: numbers,
  }),
]);
const decoded = t
  .array(Case)
  .decode(JSON.parse(readFileSync(new URL('../fixtures/numpy-indexing.json', import.meta.url), 'utf8')));
if (decoded._tag === 'Left') throw new Error('test/fixtures/numpy-indexing.json has another form');

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const integers = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor<'int32'> =>
  np.reshape(np.array(Int32Array.from(values)), shape);
const flat = (x: Tensor<'int32'> | Tensor): number[] => Array.from(x.dataSync(), Number);

/** Booleans nested in the shape; `null` for a shape that nested arrays cannot have. */
function nested(shape: readonly number[], bits: readonly number[]): np.Index | null {
  if (shape.length === 0) return bits[0] === 1;
  if (sizeOf(shape) === 0) return null;
  const step = bits.length / shape[0]!;
  return Array.from({ length: shape[0]! }, (_, i) =>
    nested(shape.slice(1), bits.slice(i * step, (i + 1) * step)),
  ) as never;
}

const subscript = (item: t.TypeOf<typeof Item>, asArrays: boolean): np.Index => {
  if (typeof item !== 'object' || item === null) return item;
  if ('slice' in item) return item.slice;
  if ('tensor' in item) return integers(item.of, item.tensor);
  const mask = np.reshape(
    np.array(
      item.of.map((bit) => bit === 1),
      { dtype: 'bool' },
    ),
    item.mask,
  );
  return (asArrays ? nested(item.mask, item.of) : null) ?? mask;
};

const cases = decoded.right.map((c) => ({ ...c, name: `[${c.shape}] at ${JSON.stringify(c.items)}` }));

describe('NumPy reads', () => {
  it.each(cases.filter(({ error }) => !error))('$name', ({ shape, items, selects, elements }) => {
    const x = integers(
      Array.from({ length: sizeOf(shape) }, (_, i) => i),
      shape,
    );
    for (const asArrays of [false, true]) {
      const part = np.index(x, ...items.map((item) => subscript(item, asArrays)));
      expect(part.shape).toEqual(selects);
      expect(flat(part)).toEqual(elements);
    }
    const own = items.map((item) => subscript(item, false));
    expect(flat(jit((y: Tensor<'int32'>) => np.index(y, ...own))(x))).toEqual(elements);
  });
});

describe('NumPy refuses', () => {
  it.each(cases.filter(({ error }) => error))('$name', ({ shape, items }) => {
    const x = np.zeros(shape);
    const own = items.map((item) => subscript(item, false));
    expect(() => np.index(x, ...own)).toThrow(/^np\.index: /);
    expect(() => np.at(x, ...own).set(0)).toThrow(/^np\.at: /);
  });
});

describe('dots that stand for no axis', () => {
  const x = np.ones([3, 4, 2]);
  const zero = np.array([0], { dtype: 'int32' });

  it('separate what is beside them, as in NumPy', () => {
    // np.ones([3, 4, 2])[:, 1, ..., [0]].shape, [:, [0], ..., [0]], [:, 1, [0]] and [1, [0], ..., :].
    expect(np.index(x, [], 1, '...', zero).shape).toEqual([1, 3]);
    expect(np.index(x, [], zero, '...', zero).shape).toEqual([1, 3]);
    expect(np.index(x, [], 1, zero).shape).toEqual([3, 1]);
    expect(np.index(x, 1, zero, '...', []).shape).toEqual([1, 2]);
  });

  it('separate in writes too', () => {
    const rows = np.reshape(np.array([5, 6, 7]), [1, 3]);
    const written = np.at(x, [], 1, '...', zero).set(rows);
    expect(np.index(written, [], 1, 0).toArray()).toEqual([5, 6, 7]);
  });
});

describe('NumPy writes', () => {
  it.each(cases.filter(({ values }) => values))('$name', ({ shape, items, values, ...after }) => {
    const x = integers(
      Array.from({ length: sizeOf(shape) }, (_, i) => (i % 7) - 3),
      shape,
    );
    const v = integers(
      Array.from({ length: sizeOf(values!) }, (_, i) => ((5 * i + 2) % 7) - 3),
      values!,
    );
    const at = np.at(x, ...items.map((item) => subscript(item, false)));
    expect(flat(at.set(v)), 'set').toEqual(after.set);
    expect(flat(at.add(v)), 'add').toEqual(after.add);
    expect(flat(at.mul(v)), 'mul').toEqual(after.mul);
    expect(flat(at.min(v)), 'min').toEqual(after.min);
    expect(flat(at.max(v)), 'max').toEqual(after.max);
  });
});

describe('masks', () => {
  const x = np.array([
    [1, 2, 3],
    [4, 5, 6],
  ]);

  it('of values that are known, under grad too', () => {
    expect(np.index(x, np.greater(x, 3)).toArray()).toEqual([4, 5, 6]);
    const f = (y: Tensor) => np.sum(np.mul(np.index(y, np.greater(y, 3)), np.index(y, [false, true])));
    expect(f(x).item()).toBe(77);
    expect(grad(f)(x).toArray()).toEqual([
      [0, 0, 0],
      [8, 10, 12],
    ]);
    expect(np.at(x, np.greater(x, 3)).set(0).toArray()).toEqual([
      [1, 2, 3],
      [0, 0, 0],
    ]);
  });

  it('name each element once, which makes derivatives cheap', () => {
    const made = makeJaxpr((y: Tensor) => jvp((z: Tensor) => np.at(z, [true, false]).set(0), [y], [y]))(x);
    expect(made.jaxpr.eqns.filter((eqn) => eqn.primitive.name === 'scatter')).toHaveLength(2);
  });

  it('that are traced, or do not fit, are refused', () => {
    const select = (y: Tensor) => np.index(y, np.greater(y, 3));
    expect(() => jit(select)(x)).toThrow(
      'np.index: the mask bool[2,3] is traced: how many elements it selects is not known yet\n' +
        '  remedy: use np.where(mask, x, other), or give the number: np.nonzero(mask, { size })',
    );
    expect(() => vmap(select)(x)).toThrow('np.index: the mask bool[3] is traced');
    expect(() => np.index(x, [true, false, true])).toThrow(
      'np.index: the mask bool[3] does not fit float32[2,3]: axis 0 has length 2, the mask 3',
    );
    expect(() => np.index(x, [[true], [true, false]])).toThrow('ragged');
    expect(() => np.index(x, [true, 1] as never)).toThrow('np.index: a mask holds booleans and numbers');
  });
});
