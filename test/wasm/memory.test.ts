/** Device memory as a cache: contents survive any history, no two tensors meet, and the budget holds. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { DeviceMemoryError, DonatedTensorError } from 'pullback';
import { describe, expect, test } from 'vitest';
import { LinearMemory, type WasmStorage } from '../../backends/wasm/memory.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const nextTask = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

const mebibyte = 2 ** 20;
const addressOf = (s: WasmStorage): number => (s.small ?? s.large!).address;

/** A storage of `bytes`, filled from a seed, as a kernel would fill it: over the 64 bytes behind it as well. */
function filled(memory: LinearMemory, bytes: number, seed: number): WasmStorage {
  const storage = memory.allocate(bytes);
  const address = memory.pin(storage);
  memory.bytes.fill(0xee, address, address + bytes + 64);
  memory.bytes.set(pattern(bytes, seed), address);
  memory.unpin(storage);
  return storage;
}

function pattern(bytes: number, seed: number): Uint8Array {
  const values = new Uint8Array(bytes);
  for (let i = 0; i < bytes; i++) values[i] = seed * 31 + i * 7 + (i >> 8);
  return values;
}

/** As `toEqual`, which takes seconds on a megabyte. */
const expectPattern = (bytes: ArrayBuffer | Uint8Array, size: number, seed: number): void => {
  expect(bytes.byteLength).toBe(size);
  expect(Buffer.compare(new Uint8Array(bytes), pattern(size, seed))).toBe(0);
};

describe('any history', () => {
  interface Tenant {
    readonly storage: WasmStorage;
    readonly bytes: number;
    readonly seed: number;
    pins: number;
  }
  interface World {
    readonly memory: LinearMemory;
    readonly tenants: Tenant[];
    readonly reserved: { readonly address: number; readonly bytes: number; readonly seed: number }[];
  }
  type Making = 'make' | 'adopt' | 'reserve';
  type Step =
    | { readonly do: Making; readonly bytes: number; readonly seed: number }
    | { readonly do: 'pin' | 'unpin' | 'free' | 'read' | 'forget'; readonly which: number };

  /** What one step does; a refusal for lack of memory leaves everything as it was. */
  const step = ({ memory, tenants, reserved }: World, s: Step): void => {
    if ('bytes' in s) {
      const { bytes, seed } = s;
      if (s.do === 'reserve') {
        const address = memory.reserve(bytes);
        memory.bytes.set(pattern(bytes, seed), address);
        reserved.push({ address, bytes, seed });
      } else {
        const storage =
          s.do === 'make' ? filled(memory, bytes, seed) : memory.adopt(pattern(bytes, seed).buffer as ArrayBuffer);
        tenants.push({ storage, bytes, seed, pins: 0 });
      }
      return;
    }
    const i = Math.floor(s.which * tenants.length);
    const tenant = tenants[i];
    if (!tenant) return;
    switch (s.do) {
      case 'pin': {
        const address = memory.pin(tenant.storage);
        tenant.pins++;
        expect(address % 64).toBe(0);
        return;
      }
      case 'unpin':
        if (tenant.pins === 0) return;
        memory.unpin(tenant.storage);
        tenant.pins--;
        return;
      case 'read': {
        const copy = new Uint8Array(memory.read(tenant.storage));
        expectPattern(copy, tenant.bytes, tenant.seed);
        copy.fill(0);
        return;
      }
      case 'free':
      case 'forget':
        if (tenant.pins > 0) return;
        if (s.do === 'free') memory.free(tenant.storage);
        tenants.splice(i, 1);
    }
  };

  const invariants = ({ memory, tenants, reserved }: World): void => {
    const ranges = [
      ...tenants
        .filter(({ storage }) => addressOf(storage) !== 0)
        .map(({ storage, bytes }) => [addressOf(storage), addressOf(storage) + bytes + 64] as const),
      ...reserved.map(({ address, bytes }) => [address, address + bytes] as const),
    ].sort((a, b) => a[0] - b[0]);
    const meeting = ranges.filter(([from], i) => from < (i === 0 ? 64 : ranges[i - 1]![1]));
    const unpinnable = tenants.filter(({ storage, pins }) => pins > 0 && addressOf(storage) === 0);
    expect({ meeting, unpinnable }).toEqual({ meeting: [], unpinnable: [] });
    expect(ranges.at(-1)?.[1] ?? 0).toBeLessThanOrEqual(memory.memory.buffer.byteLength);
    expect(memory.memory.buffer.byteLength).toBeLessThanOrEqual(memory.budget);
  };

  const size = fc.oneof(
    { weight: 2, arbitrary: fc.integer({ min: 0, max: 300 }) },
    { weight: 1, arbitrary: fc.integer({ min: 301, max: 4096 }) },
    { weight: 3, arbitrary: fc.integer({ min: 4097, max: 60_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 60_001, max: 200_000 }) },
  );
  const seed = fc.nat(255);
  const which = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  const makes = fc.record({
    do: fc.constantFrom('make' as const, 'make' as const, 'adopt' as const),
    bytes: size,
    seed,
  });
  const reserves = fc.record({ do: fc.constant('reserve' as const), bytes: fc.nat(2000), seed });
  const others = fc.record({
    do: fc.constantFrom(
      'pin' as const,
      'pin' as const,
      'unpin' as const,
      'unpin' as const,
      'free' as const,
      'read' as const,
      'forget' as const,
    ),
    which,
  });
  const history = fc.array(
    fc.oneof({ weight: 5, arbitrary: makes }, { weight: 8, arbitrary: others }, { weight: 1, arbitrary: reserves }),
    { maxLength: 120, size: 'max' },
  );

  test.each([true, false])('under a tiny budget, shared: %s', (shared) => {
    let [evictions, refusals] = [0, 0];
    fc.assert(
      fc.property(history, fc.integer({ min: 2, max: 12 }), (steps, pages) => {
        const world: World = { memory: new LinearMemory({ budget: pages * 65536, shared }), tenants: [], reserved: [] };
        for (const s of steps) {
          try {
            step(world, s);
          } catch (error) {
            if (!(error instanceof DeviceMemoryError)) throw error;
            refusals++;
          }
          invariants(world);
        }
        for (const { storage, bytes, seed } of world.tenants) {
          expectPattern(world.memory.read(storage), bytes, seed);
        }
        for (const { address, bytes, seed } of world.reserved) {
          expectPattern(world.memory.bytes.slice(address, address + bytes), bytes, seed);
        }
        evictions += world.memory.live.evictions;

        // Nothing pinned and everything given back: the memory is one hole again, but for what is there for good.
        for (const tenant of world.tenants) {
          while (tenant.pins-- > 0) world.memory.unpin(tenant.storage);
          world.memory.free(tenant.storage);
        }
      }),
      { numRuns: 150, seed: 6 },
    );
    // The property met what it is about.
    expect(evictions).toBeGreaterThan(300);
    expect(refusals).toBeGreaterThan(10);
  });
});

test('finalizers give blocks back once the loop yields', async () => {
  const memory = new LinearMemory({ budget: 64 * mebibyte });
  const before = memory.live;
  const kept = filled(memory, mebibyte, 1);
  for (let i = 0; i < 40; i++) filled(memory, mebibyte, i);
  expect(memory.live.blocks).toBe(41);
  for (let round = 0; round < 10 && memory.live.blocks > 1; round++) {
    await nextTask();
    collect();
    await nextTask();
  }
  expect(memory.live).toMatchObject({ resident: mebibyte, blocks: 1, collected: 40, evictions: 0 });
  expectPattern(memory.read(kept), mebibyte, 1);
  memory.free(kept);
  expect(memory.live.resident).toBe(before.resident);
});

test('what was freed cannot be used', () => {
  const memory = new LinearMemory({ budget: mebibyte });
  for (const bytes of [8, 5000]) {
    const storage = memory.allocate(bytes);
    memory.free(storage);
    expect(() => memory.pin(storage)).toThrow(DonatedTensorError);
    expect(() => memory.read(storage)).toThrow(DonatedTensorError);
  }
});
