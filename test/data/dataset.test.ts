/** Datasets: what a batch is made of, and what is refused. Their laws are in `laws/data.laws.ts`. */
import { pipe } from 'fp-ts/lib/function.js';
import { np, random, tree, wasmDevice, withDefaultDevice } from 'pullback';
import { dataset, type HostArray, hostArray, integer, labelledImages, stack, toTensor } from 'pullback/data';
import { describe, expect, expectTypeOf, test } from 'vitest';

const numbers = (n: number) => dataset.make(n, (i) => i);

describe('laziness', () => {
  test('nothing is computed before it is asked for, and only what is', () => {
    const asked: number[] = [];
    const data = dataset.make(1_000_000_000, (i) => {
      asked.push(i);
      return i;
    });
    const late = pipe(
      data,
      dataset.map((i) => i + 1),
      dataset.skip(999_999_990),
      dataset.take(5),
      dataset.batch(2, { dropRemainder: true }),
    );
    expect(late.length).toBe(2);
    expect(asked).toEqual([]);
    expect(late.at(1).toArray()).toEqual([Math.fround(999_999_993), Math.fround(999_999_994)]);
    expect(asked).toEqual([999_999_992, 999_999_993]);
  });

  test('JAX’s permutation, on every device', () => {
    const order = random.permutation(random.key(3), 50).toArray();
    const shuffled = () => [...pipe(numbers(50), dataset.shuffle(random.key(3)))];
    expect(shuffled()).toEqual(order);
    expect(withDefaultDevice(wasmDevice(), shuffled)).toEqual(order);
  });
});

describe('batches', () => {
  test('every kind of leaf', () => {
    const element = (i: number) => ({
      image: hostArray(Uint8Array.of(i, 255), [1, 2], { dtype: 'float32' }),
      tokens: Int32Array.of(i, i + 1),
      pair: [i, integer(i)] as const,
      flag: i > 0,
      tensor: np.array([i, i]),
      wide: Float64Array.of(i),
      words: Uint32Array.of(2 ** 32 - 1),
    });
    const all = pipe(dataset.make(3, element), dataset.batch(2));
    const batch = all.at(0);
    expectTypeOf(batch.tokens.dtype).toEqualTypeOf<'int32'>();
    expectTypeOf(batch.image.dtype).toEqualTypeOf<'float32'>();
    expectTypeOf(batch.flag.dtype).toEqualTypeOf<'bool'>();
    expectTypeOf(batch.pair[1].dtype).toEqualTypeOf<'int32'>();
    const types = tree.leavesWithPaths(batch).map(([path, leaf]) => `${path} ${leaf.dtype}[${leaf.shape}]`);
    expect(types).toEqual([
      'flag bool[2]',
      'image float32[2,1,2]',
      'pair[0] float32[2]',
      'pair[1] int32[2]',
      'tensor float32[2,2]',
      'tokens int32[2,2]',
      'wide float64[2,1]',
      'words uint32[2,1]',
    ]);
    expect(batch.tokens.toArray()).toEqual([
      [0, 1],
      [1, 2],
    ]);
    expect(batch.flag.toArray()).toEqual([false, true]);
    expect(batch.words.toArray()).toEqual([[4294967295], [4294967295]]);
    expect(all.at(1).tensor.toArray()).toEqual([[2, 2]]);
  });

  test('rows of tensors are copies', () => {
    const x = np.array([
      [1, 2],
      [3, 4],
    ]);
    const rows = dataset.rows({ x });
    const row = rows.at(1).x;
    row.data[0] = 9;
    expect(rows.at(1).x.data).toEqual(Float32Array.of(3, 4));
    expect(x.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    const tensor = toTensor(row);
    row.data[0] = 10;
    expect(tensor.toArray()).toEqual([9, 4]);
  });

  test('elements without numbers in them', () => {
    const data = pipe(
      dataset.make(3, () => ({ x: new Float32Array(0) })),
      dataset.batch(2),
    );
    expect(data.at(0).x.shape).toEqual([2, 0]);
    expect(pipe(data, dataset.unbatch).length).toBe(3);
    expect([...pipe(numbers(0), dataset.shuffle(random.key(0)), dataset.batch(3))]).toEqual([]);
  });

  test('images', () => {
    const set = { count: 2, rows: 1, columns: 2, pixels: Uint8Array.of(0, 255, 51, 102), labels: Uint8Array.of(7, 3) };
    const { image, label } = pipe(labelledImages(set), dataset.batch(2)).at(0);
    expect(image.shape).toEqual([2, 1, 2, 1]);
    expect(Array.from(image.dataSync())).toEqual([0, 1, Math.fround(0.2), Math.fround(0.4)]);
    expect(label.toArray()).toEqual([7, 3]);
  });
});

describe('what is refused', () => {
  test.each<readonly [string, () => unknown, string]>([
    [
      'an index',
      () => numbers(3).at(3),
      'dataset.at: there is no element 3 of 3\n  remedy: count from 0 to length − 1',
    ],
    ['a fraction for an index', () => numbers(3).at(0.5), 'dataset.at: there is no element 0.5 of 3'],
    [
      'a length',
      () => dataset.make(-1, () => 0),
      'dataset.make: the length is -1\n  remedy: use a whole number of at least 0',
    ],
    [
      'a batch size',
      () => dataset.batch(0),
      'dataset.batch: the size of a batch is 0\n  remedy: use a whole number of at least 1',
    ],
    [
      'an option',
      () => dataset.batch(2, { dropLast: true } as never),
      "dataset.batch: there is no option 'dropLast'\n  remedy: the options are { dropRemainder }",
    ],
    [
      'fractions',
      () => dataset.split([0.5, 0.6]),
      'dataset.split: the fractions 0.5, 0.6 have the sum 1.1\n  remedy: use non-negative fractions whose sum is 1',
    ],
    ['negative fractions', () => dataset.split([1.5, -0.5]), 'dataset.split: the fractions 1.5, -0.5 have the sum 1'],
    [
      'every first one',
      () => dataset.holdOut(1),
      'dataset.holdOut: n is 1\n  remedy: use a whole number of at least 2',
    ],
    [
      'ragged elements',
      () =>
        pipe(
          dataset.make(2, (i) => ({ x: { y: new Float32Array(i) } })),
          dataset.batch(2),
        ).at(0),
      'dataset.batch: x.y is float32[1] in element 1 and float32[0] in element 0\n' +
        '  remedy: pad, crop or resize elements to one shape before they are stacked',
    ],
    [
      'mixed dtypes',
      () => stack<Float32Array | Int32Array>([Float32Array.of(1), Int32Array.of(1)]),
      'data.stack: the element is int32[1] in element 1 and float32[1] in element 0\n  remedy: give it one dtype',
    ],
    [
      'text',
      () => stack([{ name: 'a' }]),
      'data.stack: name is "a", which no tensor can hold\n' +
        '  remedy: leave it out, or turn it into numbers, before elements are stacked: dataset.map',
    ],
    ['bytes', () => stack([Uint8Array.of(1)]), 'data.stack: the element is an instance of Uint8Array, which no tensor'],
    [
      'other keys',
      () => stack<object>([{ a: 1 }, { b: 1 }]),
      'data.stack: the element is { b } in element 1 and { a } in element 0\n  remedy: give all elements the same keys',
    ],
    [
      'arrays of other lengths',
      () => stack([[1, 2], [1]]),
      'data.stack: the element has length 1 in element 1 and length 2 in element 0\n' +
        '  remedy: give sequences as typed arrays, padded to one length; an array is a tuple of leaves',
    ],
    [
      'a leaf and a tree',
      () => stack<unknown>([1, { a: 1 }]),
      'data.stack: the element is { a } in element 1 and an array or a number',
    ],
    [
      'a tensor and a tree',
      () => stack<unknown>([{ a: 1 }, np.zeros([])]),
      'data.stack: the element is { a } in element 0 and a tensor',
    ],
    ['nothing', () => stack([]), 'data.stack: there are no elements to stack\n  remedy: stack at least one'],
    [
      'rows of other numbers',
      () => dataset.rows({ a: np.zeros([2, 1]), b: np.zeros([3]) }),
      'dataset.rows: b is float32[3], while a has 2 rows\n  remedy: give all leaves as many rows',
    ],
    ['a scalar', () => dataset.rows({ a: np.zeros([]) }), 'dataset.rows: a is float32[]: it has no rows'],
    ['no tensor at all', () => dataset.rows({}), 'dataset.rows: the tree has no tensors'],
    ['text for rows', () => dataset.rows({ a: 'b' }), 'dataset.rows: a is "b", which has no rows'],
    [
      'a wrong shape',
      () => hostArray(Float32Array.of(1), [2]),
      'data.hostArray: float32[2] has 2 elements, the data are 1',
    ],
    [
      'bytes without a dtype',
      () => hostArray(Uint8Array.of(1) as never),
      'data.hostArray: an instance of Uint8Array has no dtype of its own here\n' +
        "  remedy: say which dtype to convert to: hostArray(data, shape, { dtype: 'float32' })",
    ],
  ])('%s', (_, f, message) => {
    expect(f).toThrow(message);
  });

  test('a bool is 0 or 1', () => {
    const x: HostArray<'bool'> = hostArray(Uint8Array.of(0, 7), undefined, { dtype: 'bool' });
    expect(x.data).toEqual(Uint8Array.of(0, 1));
  });
});
