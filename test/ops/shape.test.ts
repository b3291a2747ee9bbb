/** What moves elements puts each where nested loops say. */

import fc from 'fast-check';
import { np, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { arrays, at, atBroadcast, broadcastable, build, type Dense, dense, shapes, sizeOf, tensor } from './oracle.ts';

/** An axis as a user may write it. */
const signed = (axis: number, ndim: number, negative: boolean): number => (negative ? axis - ndim : axis);

const withPermutation = arrays(shapes()).chain((x) =>
  fc.tuple(fc.constant(x), fc.shuffledSubarray([...x.shape.keys()], { minLength: x.shape.length }), fc.boolean()),
);

const permuted = (x: Dense, permutation: readonly number[]): Dense =>
  build(
    permutation.map((axis) => x.shape[axis]!),
    (index) =>
      at(
        x,
        x.shape.map((_, axis) => index[permutation.indexOf(axis)]!),
      ),
  );

describe('axes', () => {
  it('transpose', () => {
    fc.assert(
      fc.property(withPermutation, ([x, permutation, negative]) => {
        const axes = permutation.map((axis) => signed(axis, x.shape.length, negative));
        expect(dense(np.transpose(tensor(x), axes))).toEqual(permuted(x, permutation));
        expect(dense(np.transpose(tensor(x)))).toEqual(permuted(x, [...x.shape.keys()].reverse()));
      }),
    );
  });

  it('flip turns around, roll goes round', () => {
    fc.assert(
      fc.property(withPermutation, fc.integer({ min: -9, max: 9 }), ([x, order, negative], shift) => {
        const axes = order.slice(0, 2);
        const named = axes.map((axis) => signed(axis, x.shape.length, negative));
        const flipped = build(x.shape, (index) =>
          at(
            x,
            index.map((i, axis) => (axes.includes(axis) ? x.shape[axis]! - 1 - i : i)),
          ),
        );
        expect(dense(np.flip(tensor(x), named))).toEqual(flipped);
        const shifts = axes.map((_, k) => shift + k);
        const rolled = build(x.shape, (index) =>
          at(
            x,
            index.map((i, axis) => {
              const n = x.shape[axis]!;
              const by = axes.includes(axis) ? shifts[axes.indexOf(axis)]! : 0;
              return (((i - by) % n) + n) % n;
            }),
          ),
        );
        expect(dense(np.roll(tensor(x), shifts, named))).toEqual(rolled);
        const n = x.data.length;
        expect(dense(np.roll(tensor(x), shift))).toEqual({
          shape: x.shape,
          data: x.data.map((_, i) => x.data[(((i - shift) % n) + n) % n]!),
        });
        expect(dense(np.flip(tensor(x)))).toEqual({ shape: x.shape, data: x.data.toReversed() });
      }),
    );
    expect(() => np.roll(np.zeros([2, 3]), [1, 2, 3], [0, 1])).toThrow(
      'np.roll: (1, 2, 3) are not the shifts of 2 axes of float32[2,3]',
    );
    expect(() => np.roll(np.zeros([2]), 0.5)).toThrow('np.roll: (0.5) are not the shifts of 1 axes');
  });

  it('tri, tril and triu', () => {
    fc.assert(
      fc.property(arrays(shapes()), fc.integer({ min: -4, max: 4 }), (x, k) => {
        if (x.shape.length < 2) {
          expect(() => np.tril(tensor(x), k)).toThrow('is no matrix');
          return;
        }
        const below = (index: readonly number[]): boolean => index.at(-1)! - index.at(-2)! <= k;
        expect(dense(np.tril(tensor(x), k))).toEqual(build(x.shape, (i) => (below(i) ? at(x, i) : 0)));
        const above = (index: readonly number[]): boolean => index.at(-1)! - index.at(-2)! >= k;
        expect(dense(np.triu(tensor(x), k))).toEqual(build(x.shape, (i) => (above(i) ? at(x, i) : 0)));
        const [rows, columns] = x.shape.slice(-2) as [number, number];
        expect(dense(np.tri(rows, columns, { k, dtype: 'int32' }))).toEqual(
          build([rows, columns], (i) => (below(i) ? 1 : 0)),
        );
      }),
    );
  });

  it('swapaxes exchanges two, moveaxis takes some out and inserts them', () => {
    fc.assert(
      fc.property(withPermutation, withPermutation, fc.nat(4), ([x, order, negative], [, other], count) => {
        const ndim = x.shape.length;
        if (ndim === 0) return;
        const [i, j] = [order[0]!, order.at(-1)!];
        const swapped = [...x.shape.keys()].map((axis) => (axis === i ? j : axis === j ? i : axis));
        expect(dense(np.swapaxes(tensor(x), signed(i, ndim, negative), j))).toEqual(permuted(x, swapped));

        const source = order.slice(0, count);
        const destination = other.filter((axis) => axis < ndim).slice(0, source.length);
        if (destination.length !== source.length) return;
        const places = Array.from<number | undefined>({ length: ndim });
        source.forEach((axis, k) => {
          places[destination[k]!] = axis;
        });
        const rest = [...x.shape.keys()].filter((axis) => !source.includes(axis));
        const moved = places.map((axis) => axis ?? rest.shift()!);
        const ours = np.moveaxis(
          tensor(x),
          source,
          destination.map((axis) => signed(axis, ndim, negative)),
        );
        expect(dense(ours)).toEqual(permuted(x, moved));
      }),
    );
  });

  it('expandDims and squeeze are inverse', () => {
    fc.assert(
      fc.property(
        arrays(shapes(3)),
        fc.uniqueArray(fc.nat(4), { maxLength: 2 }),
        fc.boolean(),
        (x, places, negative) => {
          const ndim = x.shape.length + places.length;
          if (places.some((place) => place >= ndim)) return;
          const axes = places.map((place) => signed(place, ndim, negative));
          const wide = np.expandDims(tensor(x), axes);
          const rest = [...x.shape];
          const expected = Array.from({ length: ndim }, (_, i) => (places.includes(i) ? 1 : rest.shift()!));
          expect(dense(wide)).toEqual({ ...x, shape: expected });
          expect(dense(np.squeeze(wide, axes))).toEqual(x);
          expect(np.squeeze(wide).shape).toEqual(x.shape.filter((n) => n !== 1));
        },
      ),
    );
  });
});

describe('elements in order', () => {
  it('reshape fills in one unknown length; ravel is one row', () => {
    fc.assert(
      fc.property(withPermutation, fc.nat(3), ([x, permutation], at) => {
        const shape = permutation.map((axis) => x.shape[axis]!);
        expect(dense(np.reshape(tensor(x), shape))).toEqual({ ...x, shape });
        expect(dense(np.ravel(tensor(x)))).toEqual({ ...x, shape: [x.data.length] });
        const open = shape.map((n, i) => (i === at ? -1 : n));
        if (at < shape.length && sizeOf(shape.filter((_, i) => i !== at)) > 0) {
          expect(dense(np.reshape(tensor(x), open))).toEqual({ ...x, shape });
        }
      }),
    );
  });

  it('refuses what has no answer', () => {
    const x = np.zeros([6]);
    expect(() => np.reshape(x, [4, -1])).toThrow('float32[6] has 6 elements, which do not fill [4,-1]');
    expect(() => np.reshape(x, [-1, -1])).toThrow('[-1,-1] is not a shape');
    expect(() => np.reshape(np.zeros([0]), [0, -1])).toThrow('float32[0] has 0 elements, which do not fill [0,-1]');
    expect(np.reshape(np.zeros([0, 3]), [-1, 3]).shape).toEqual([0, 3]);
    expect(() => np.reshape(x, [1.5, 4])).toThrow('[1.5,4] is not a shape');
  });

  it('broadcastTo repeats', () => {
    fc.assert(
      fc.property(
        shapes().chain((shape) => fc.tuple(fc.constant(shape), fc.subarray([...shape.keys()]), fc.nat(4))),
        ([shape, ones, drop]) => {
          const own = shape.map((n, i) => (ones.includes(i) ? 1 : n)).slice(drop);
          const x = { shape: own, data: Array.from({ length: sizeOf(own) }, (_, i) => i) };
          expect(dense(np.broadcastTo(tensor(x), shape))).toEqual(build(shape, (index) => atBroadcast(x, index)));
        },
      ),
    );
    expect(() => np.broadcastTo(np.zeros([2]), [3])).toThrow('np.broadcastTo: float32[2] does not broadcast to [3]');
    expect(() => np.broadcastTo(np.zeros([1, 1]), [3])).toThrow('float32[1,1] does not broadcast to [3]');
    expect(() => np.broadcastTo(np.zeros([3]), [1])).toThrow('float32[3] does not broadcast to [1]');
  });
});

describe('joining and splitting', () => {
  const joinable = shapes(3).chain((shape) =>
    fc.tuple(fc.constant(shape), fc.nat(2), fc.array(fc.nat(3), { minLength: 1, maxLength: 4 }), fc.boolean()),
  );

  it('concatenate reads each part in its stretch, and split gives the parts back', () => {
    fc.assert(
      fc.property(joinable, ([shape, axis, lengths, negative]) => {
        if (axis >= shape.length) return;
        const parts = lengths.map(
          (n, k): Dense =>
            build(
              shape.map((m, i) => (i === axis ? n : m)),
              (index) => 100 * k + index.reduce((a, b) => 5 * a + b, 0),
            ),
        );
        const starts = lengths.map((_, k) => lengths.slice(0, k).reduce((a, b) => a + b, 0));
        const total = lengths.reduce((a, b) => a + b, 0);
        const expected = build(
          shape.map((m, i) => (i === axis ? total : m)),
          (index) => {
            const k = starts.findLastIndex((start) => start <= index[axis]!);
            return at(
              parts[k]!,
              index.map((e, i) => (i === axis ? e - starts[k]! : e)),
            );
          },
        );
        const joined = np.concatenate(parts.map(tensor), signed(axis, shape.length, negative));
        expect(dense(joined)).toEqual(expected);
        expect(np.split(joined, starts.slice(1), axis).map(dense)).toEqual(parts);
      }),
    );
  });

  it('stack puts each at its index', () => {
    fc.assert(
      fc.property(
        shapes(3),
        fc.nat(3),
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        (shape, axis, count, negative) => {
          if (axis > shape.length) return;
          const parts = Array.from({ length: count }, (_, k) =>
            build(shape, (index) => 100 * k + index.reduce((a, b) => 5 * a + b, 0)),
          );
          const wide = [...shape];
          wide.splice(axis, 0, count);
          const expected = build(wide, (index) =>
            at(
              parts[index[axis]!]!,
              index.filter((_, i) => i !== axis),
            ),
          );
          expect(dense(np.stack(parts.map(tensor), signed(axis, shape.length + 1, negative)))).toEqual(expected);
        },
      ),
    );
  });

  it('sections are of equal length', () => {
    const parts = np.split(np.reshape(np.arange(12), [2, 6]), 3, -1);
    expect(parts.map((part) => part.toArray())).toEqual([
      [
        [0, 1],
        [6, 7],
      ],
      [
        [2, 3],
        [8, 9],
      ],
      [
        [4, 5],
        [10, 11],
      ],
    ]);
    expect(np.split(np.zeros([0]), 2).map((part) => part.shape)).toEqual([[0], [0]]);
    expect(() => np.split(np.arange(5), 2)).toThrow('axis 0 of int32[5] does not divide into 2 parts');
    expect(() => np.split(np.arange(5), 0)).toThrow('does not divide into 0 parts');
    expect(() => np.split(np.arange(5), [3, 1])).toThrow('indices (3, 1) do not cut axis 0 of int32[5]');
    expect(() => np.split(np.arange(5), [6])).toThrow('indices (6) do not cut');
  });

  it('says what does not fit together', () => {
    const [x, y] = [np.zeros([2, 3]), np.zeros([2, 4])];
    expect(() => np.concatenate([x, y])).toThrow(
      'np.concatenate: tensors must agree in every axis but 0, got float32[2,3], float32[2,4]',
    );
    expect(() => np.stack([x, y])).toThrow('np.stack: tensors must have equal shapes, got float32[2,3], float32[2,4]');
    expect(() => np.stack([])).toThrow('np.stack: there are no tensors to put together');
    expect(() => np.concatenate([np.array(1)])).toThrow(
      'np.concatenate: a scalar has no axis to be put along, got float32[]\n  remedy: use np.stack',
    );
    expect(() => np.expectShape(np.zeros([3]), ['n', 'm'])).toThrow('it has 1 axis, not 2');
    expect(() => np.stack([x, x], 2)).not.toThrow();
    expect(() => np.stack([x, x], 3)).toThrow('axis 3 is out of range for the stack of float32[2,3], float32[2,3]');
    expect(() => np.concatenate([1 as unknown as Tensor])).toThrow('an operand is 1, which is not a tensor');
  });
});

describe('expectShape', () => {
  const x = np.zeros([2, 3, 2]);
  it('returns the tensor itself', () => {
    expect(np.expectShape(x, ['n', 3, 'n'])).toBe(x);
    expect(np.expectShape(x, ['a', 'b', 2])).toBe(x);
    expect(np.expectShape(np.array(1), []).ndim).toBe(0);
  });
  it('names what differs', () => {
    expect(() => np.expectShape(x, ['n', 3])).toThrow('float32[2,3,2] is not [n, 3]: it has 3 axes, not 2');
    expect(() => np.expectShape(x, ['n', 4, 'n'])).toThrow('axis 1 has length 3, not 4');
    expect(() => np.expectShape(x, ['n', 'n', 2])).toThrow('axis 1 has length 3, n is 2');
  });
});

it('axes that are wrong are named with the tensor and the remedy', () => {
  const x = np.zeros([2, 3]);
  const wrong: readonly (readonly [() => unknown, string])[] = [
    [
      () => np.sum(x, 2),
      'np.sum: axis 2 is out of range for float32[2,3], which has 2 axes\n  remedy: use an axis from -2 to 1',
    ],
    [
      () => np.mean(x, [0, -2]),
      'np.mean: axes (0, -2) name axis 0 of float32[2,3] twice\n  remedy: name each axis once',
    ],
    [() => np.max(x, 0.5), 'np.max: axis 0.5 is out of range'],
    [() => np.argmax(x, -3), 'np.argmax: axis -3 is out of range'],
    [() => np.sum(np.array(1), 0), 'which has 0 axes\n  remedy: a scalar has no axes: leave the axis out'],
    [() => np.transpose(x, [0]), 'np.transpose: axes (0) do not name all 2 axes of float32[2,3]'],
    [() => np.transpose(x, [0, 0]), 'np.transpose: axes (0, 0) name axis 0 of float32[2,3] twice'],
    [() => np.swapaxes(x, 0, 2), 'np.swapaxes: axis 2 is out of range'],
    [() => np.moveaxis(x, [0, 1], 0), 'np.moveaxis: 2 axes cannot move to 1 places of float32[2,3]'],
    [
      () => np.expandDims(x, 3),
      'np.expandDims: axis 3 is out of range for the result of expanding float32[2,3], which has 3 axes',
    ],
    [() => np.expandDims(x, [0, -4]), 'np.expandDims: axes (0, -4) name axis 0 of the result'],
    [() => np.squeeze(x, 1), 'np.squeeze: axis 1 of float32[2,3] has length 3, not 1'],
    [() => np.split(x, 2, 2), 'np.split: axis 2 is out of range'],
  ];
  for (const [f, text] of wrong) expect(f).toThrow(text);
});

it('shapes that do not broadcast are both named, with the axis', () => {
  fc.assert(
    fc.property(broadcastable(2), ([p, q]) => {
      expect(() => np.add(np.zeros(p!), np.zeros(q!))).not.toThrow();
      if ((q!.at(-1) ?? 1) > 1) {
        const wrong = [...q!.slice(0, -1), q!.at(-1)! + 1];
        expect(() => np.add(np.zeros(wrong), np.zeros(q!))).toThrow(
          /np\.add: shapes float32\[.*\] and float32\[.*\] do not broadcast: axis -1 has length/,
        );
      }
    }),
  );
});
