/** What programs hold: all that fits is had, however memory looks; what does not fit changes nothing. */

import * as fc from 'fast-check';
import { DeviceMemoryError, DonatedTensorError } from 'pullback';
import { expect, test } from 'vitest';
import { LinearMemory, type WasmStorage } from '../../backends/wasm/memory.ts';

const mebibyte = 2 ** 20;
const runs = Number(process.env['LAWS'] ?? 60);
const seed = Number(process.env['LAWS_SEED'] ?? 6);

const blockOf = (bytes: number): number => Math.ceil((bytes + 64) / 64) * 64;

/** A tensor whose every word is `value`. */
function filled(memory: LinearMemory, bytes: number, value: number): WasmStorage {
  const storage = memory.allocate(bytes);
  const at = memory.pin(storage) >> 2;
  memory.words.fill(value, at, at + (bytes >> 2));
  memory.unpin(storage);
  return storage;
}
const holds = (memory: LinearMemory, storage: WasmStorage, value: number): boolean =>
  new Int32Array(memory.read(storage)).every((x) => x === value);

const size = fc
  .oneof(
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 1024 }) },
    { weight: 4, arbitrary: fc.integer({ min: 1025, max: 25_000 }) },
    { weight: 2, arbitrary: fc.integer({ min: 25_001, max: 200_000 }) },
  )
  .map((words) => 4 * words);
const scene = fc.record({
  before: fc.array(size, { minLength: 1, maxLength: 60, size: 'max' }),
  /** Which of those are garbage, which are operands, and where constants come between. */
  freed: fc.array(fc.nat(59), { maxLength: 20 }),
  operands: fc.uniqueArray(fc.nat(59), { maxLength: 12, size: 'max' }),
  reserved: fc.array(fc.nat(59), { maxLength: 3 }),
  made: fc.array(size, { maxLength: 5 }),
  /** The last of what is made, as a part of what is left. */
  rest: fc.double({ min: 0, max: 1, noNaN: true }),
});

test('all that fits, wherever it lies', () => {
  let layouts = 0;
  fc.assert(
    fc.property(scene, ({ before, freed, operands, reserved, made, rest }) => {
      const memory = new LinearMemory({ budget: 2 * mebibyte });
      const all = before.map((bytes, i) => {
        if (reserved.includes(i)) memory.reserve(1 << 16);
        return filled(memory, bytes, i + 1);
      });
      const gone = new Set(freed.map((i) => i % all.length));
      for (const i of gone) memory.free(all[i]!);
      const chosen = [...new Set(operands.map((i) => i % all.length))].filter((i) => !gone.has(i));
      let left = 2 * mebibyte - 64 - new Set(reserved.filter((i) => i < before.length)).size * ((1 << 16) + 64);
      const sizes: number[] = [];
      // A cell for a small tensor is up to twice as large as it.
      const takes = (bytes: number): number => (bytes <= 4096 ? 2 * blockOf(bytes) + 64 : blockOf(bytes));
      for (const i of chosen) left -= takes(before[i]!);
      fc.pre(left > 0);
      for (const bytes of made) {
        if (left < takes(bytes)) break;
        sizes.push(bytes);
        left -= takes(bytes);
      }
      const last = Math.floor((left - 64) * rest);
      if (last > 4096 && takes(last) <= left) sizes.push(last);

      const addresses: number[] = [];
      const storages = chosen.map((i) => all[i]!);
      const results = memory.hold(storages, sizes, addresses);
      const bytes = [...chosen.map((i) => before[i]!), ...sizes];
      const ranges = addresses.map((at, i) => [at, at + bytes[i]! + 64] as const).sort((a, b) => a[0] - b[0]);
      expect(ranges.filter(([from], i) => from % 64 !== 0 || (i > 0 && from < ranges[i - 1]![1]))).toEqual([]);
      expect(ranges.at(-1)?.[1] ?? 0).toBeLessThanOrEqual(memory.bytes.length);
      for (let i = 0; i < results.length; i++) {
        const at = addresses[storages.length + i]!;
        memory.bytes.fill(0xaa, at, at + sizes[i]! + 64);
      }
      memory.letGo(storages, results);
      expect(all.filter((storage, i) => !gone.has(i) && !holds(memory, storage, i + 1))).toEqual([]);
      layouts += memory.live.layouts;
    }),
    { numRuns: runs, seed, endOnFailure: true },
  );
  expect(layouts).toBeGreaterThan(0);
});

test('what does not fit, and what was donated, changes nothing', () => {
  const memory = new LinearMemory({ budget: 4 * mebibyte });
  const [a, b] = [filled(memory, mebibyte, 1), filled(memory, 2 * mebibyte, 2)];
  expect(() => memory.hold([a, b], [1.5 * mebibyte], [])).toThrow(DeviceMemoryError);
  expect(() => memory.hold([a, b, a], [0.5 * mebibyte, 0.5 * mebibyte], [])).toThrow(DeviceMemoryError);
  memory.free(b);
  expect(() => memory.hold([a, b], [1024], [])).toThrow(DonatedTensorError);
  expect(memory.live).toMatchObject({ resident: mebibyte, blocks: 1, evictions: 0, layouts: 0 });
  expect(holds(memory, a, 1)).toBe(true);
  // Nothing is pinned any more.
  memory.letGo([a], memory.hold([a], [2.5 * mebibyte], []));
  memory.free(a);
});

test('constants lie at the beginning, and their room can be had again', () => {
  const memory = new LinearMemory({ budget: 2 * mebibyte });
  const x = filled(memory, mebibyte, 1);
  const [p, q] = [memory.reserve(1 << 16), memory.reserve(1 << 16)];
  expect([p, q]).toEqual([64, 64 + (1 << 16) + 64]);
  expect(holds(memory, x, 1)).toBe(true);
  memory.giveBack(p);
  memory.giveBack(q);
  expect(memory.live.reserved).toBe(0);
  const room = memory.hold([], [2 * mebibyte - 128], []);
  expect(room.length).toBe(1);
});
