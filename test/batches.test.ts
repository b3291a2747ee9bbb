/** Batches: nothing lost, nothing twice, in the order asked for. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { batches, randomOrder } from '../src/data/batches.ts';
import type { LabelledImages } from '../src/io/mnist.ts';

const sets = fc
  .record({ count: fc.nat(30), rows: fc.integer({ min: 1, max: 3 }), columns: fc.integer({ min: 1, max: 3 }) })
  .chain(({ count, rows, columns }) =>
    fc.record({
      count: fc.constant(count),
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      pixels: fc.uint8Array({ minLength: count * rows * columns, maxLength: count * rows * columns }),
      labels: fc.uint8Array({ minLength: count, maxLength: count, max: 9 }),
    }),
  );

const words = (count: number) => fc.uint32Array({ minLength: count, maxLength: count });

test('the batches of an order are the set in that order', () => {
  const cases = sets.chain((set) => fc.tuple(fc.constant(set), words(set.count), fc.integer({ min: 1, max: 40 })));
  fc.assert(
    fc.property(cases, ([set, random, size]: [LabelledImages, Uint32Array, number]) => {
      const order = randomOrder(random);
      const all = [...batches(set, order, size)];
      const area = set.rows * set.columns;
      expect(all.flatMap(({ labels }) => [...labels])).toEqual(order.map((i) => set.labels[i]));
      expect(all.flatMap(({ images }) => [...images])).toEqual(
        order.flatMap((i) => Array.from(set.pixels.subarray(i * area, (i + 1) * area), (p) => Math.fround(p / 255))),
      );
      for (const [i, { count }] of all.entries()) {
        expect(count).toBe(i < all.length - 1 ? size : set.count - size * (all.length - 1));
      }
    }),
  );
});

test('a random order is a permutation, sorted by the words and stable', () => {
  fc.assert(
    fc.property(fc.nat(50).chain(words), (random) => {
      const order = randomOrder(random);
      expect([...order].sort((a, b) => a - b)).toEqual([...random.keys()]);
      for (let i = 1; i < order.length; i++) {
        const [a, b] = [order[i - 1]!, order[i]!];
        expect(random[a]! < random[b]! || (random[a] === random[b] && a < b)).toBe(true);
      }
    }),
  );
});
