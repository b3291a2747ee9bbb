/** The allocator alone: best fit among holes, neighbours merged at once. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Block, Blocks } from '../../backends/wasm/blocks.ts';

/** Holes as a list of [start, end), by scanning what is in use. */
function holesBetween(
  used: readonly Block<string>[],
  start: number,
  end: number,
): readonly (readonly [number, number])[] {
  const holes: (readonly [number, number])[] = [];
  let at = start;
  for (const { address, size } of [...used].sort((a, b) => a.address - b.address)) {
    if (address > at) holes.push([at, address]);
    at = address + size;
  }
  if (end > at) holes.push([at, end]);
  return holes;
}

test('against a list that is scanned: the smallest hole that fits, all holes as long as can be, one hole in the end', () => {
  const units = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 10, max: 5000 }));
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ take: units }) },
    { weight: 4, arbitrary: fc.record({ give: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }) }) },
    { weight: 1, arbitrary: fc.record({ extend: units }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200, size: 'max' }), (steps) => {
      const blocks = new Blocks<string>(64);
      const used: Block<string>[] = [];
      let end = 64;
      for (const s of steps) {
        const before = holesBetween(used, 64, end);
        if ('take' in s) {
          const size = 64 * s.take;
          const block = blocks.take(size);
          const fitting = before.map(([from, to]) => to - from).filter((length) => length >= size);
          if (fitting.length === 0) expect(block).toBe(null);
          else {
            const hole = before.find(([from]) => from === block!.address)!;
            expect([block!.size, hole[1] - hole[0]]).toEqual([size, Math.min(...fitting)]);
            used.push(block!);
          }
        } else if ('give' in s) {
          const [block] = used.splice(Math.floor(s.give * used.length), 1);
          if (block) blocks.give(block);
        } else {
          end += 64 * s.extend;
          blocks.extend(end);
        }
        const holes = holesBetween(used, 64, end);
        const listed = [...blocks].filter(({ free }) => free).map(({ address, size }) => [address, address + size]);
        expect(listed).toEqual(holes);
        expect(blocks.free).toBe(holes.reduce((sum, [from, to]) => sum + to - from, 0));
        expect(blocks.used).toBe(used.length);
        const last = holes.at(-1);
        expect(blocks.tail).toBe(last && last[1] === end ? last[1] - last[0] : 0);
      }
      for (const block of used) blocks.give(block);
      const rest = [...blocks].map(({ address, size, free }) => ({ address, size, free }));
      expect(rest).toEqual(end > 64 ? [{ address: 64, size: end - 64, free: true }] : []);
    }),
    { numRuns: 100, seed: 6 },
  );
});
