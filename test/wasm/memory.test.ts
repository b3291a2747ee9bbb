/** Device memory as a cache: contents survive any history, no two tensors meet, and the budget holds. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { DeviceMemoryError, DonatedTensorError } from 'pullback';
import { describe, expect, test } from 'vitest';
import { defaultBudget } from '../../backends/budget.ts';
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
    /** Garbage, but for the end, where it is given back as finalizers would. */
    readonly forgotten: WasmStorage[];
    readonly reserved: { readonly address: number; readonly bytes: number; readonly seed: number }[];
  }
  type Making = 'make' | 'adopt' | 'reserve';
  type Step =
    | { readonly do: Making; readonly bytes: number; readonly seed: number }
    | { readonly do: 'pin' | 'unpin' | 'free' | 'read' | 'forget'; readonly which: number };

  /** What one step does; a refusal for lack of memory leaves everything as it was. */
  const step = ({ memory, tenants, forgotten, reserved }: World, s: Step): void => {
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
        if (s.do === 'forget') forgotten.push(tenant.storage);
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
        const world: World = {
          memory: new LinearMemory({ budget: pages * 65536, shared }),
          tenants: [],
          forgotten: [],
          reserved: [],
        };
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

        for (const tenant of world.tenants) {
          while (tenant.pins-- > 0) world.memory.unpin(tenant.storage);
          world.memory.free(tenant.storage);
        }
        for (const storage of world.forgotten) world.memory.free(storage);
        expect(world.memory.live).toMatchObject({ resident: 0, blocks: 0 });
      }),
      { numRuns: 60, seed: 6 },
    );
    // The property met what it is about.
    expect(evictions).toBeGreaterThan(150);
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

test('what is given back, in any order, is one hole', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 4097, max: 60_000 }), fc.nat()), { maxLength: 15 }), (parts) => {
      const memory = new LinearMemory({ budget: mebibyte });
      const made = parts.map(([bytes, order]) => ({ storage: memory.allocate(bytes), order }));
      for (const { storage } of made.sort((a, b) => a.order - b.order)) memory.free(storage);
      memory.pin(memory.allocate(mebibyte - 128));
      expect(memory.live).toMatchObject({ resident: mebibyte - 128, blocks: 1, evictions: 0 });
    }),
    { numRuns: 50, seed: 6 },
  );
});

test('tensors of no bytes have an address like any other', () => {
  const memory = new LinearMemory({ budget: mebibyte });
  const [made, adopted] = [memory.allocate(0), memory.adopt(new ArrayBuffer(0))];
  expect(memory.pin(made) % 64).toBe(0);
  expect(memory.pin(adopted)).not.toBe(memory.pin(made));
  expect(memory.read(made).byteLength).toBe(0);
});

test('a reading is a copy that is not shared', () => {
  const memory = new LinearMemory({ budget: mebibyte });
  expect(memory.memory.buffer).toBeInstanceOf(SharedArrayBuffer);
  for (const bytes of [12, 1000, 100_000]) {
    const storage = filled(memory, bytes, 3);
    const copy = memory.read(storage);
    expect(copy).toBeInstanceOf(ArrayBuffer);
    new Uint8Array(copy).fill(0);
    expectPattern(memory.read(storage), bytes, 3);
  }
});

test('more small tensors than there are cells, all pinned at once', () => {
  const memory = new LinearMemory({ budget: 16 * mebibyte });
  const made = Array.from({ length: 3000 }, (_, i) => filled(memory, 1000, i));
  const addresses = new Set(made.map((s) => memory.pin(s)));
  expect(addresses.size).toBe(3000);
  expect(memory.live.evictions).toBeGreaterThan(1000);
  for (const [i, s] of made.entries()) {
    memory.unpin(s);
    expectPattern(memory.read(s), 1000, i);
  }
});

test('holes that lie apart are joined by moving what is between them', () => {
  const memory = new LinearMemory({ budget: 4 * mebibyte });
  const all = Array.from({ length: 60 }, (_, i) => filled(memory, 65_000, i));
  // Every second one is a hole; half of the memory is free, and no hole is longer than 64 KiB.
  for (let i = 0; i < 60; i += 2) memory.free(all[i]!);
  // Of those left the first ones are pinned: nothing before the 40th can move.
  for (let i = 1; i < 40; i += 2) memory.pin(all[i]!);
  const large = memory.allocate(mebibyte);
  expect(memory.pin(large)).toBeGreaterThan(memory.pin(all[39]!));
  for (let i = 1; i < 60; i += 2) expectPattern(memory.read(all[i]!), 65_000, i);
});

test('what cannot fit is refused with sizes, and changes nothing', () => {
  const memory = new LinearMemory({ budget: 4 * mebibyte });
  const [a, b] = [filled(memory, mebibyte, 1), filled(memory, 2 * mebibyte, 2)];
  memory.pin(a);
  memory.pin(b);
  memory.reserve(1000);
  expect(message(() => memory.allocate(1.5 * mebibyte))).toMatchInlineSnapshot(`
    "wasm: 1.5 MiB do not fit into a memory of 4 MiB, of which the running program uses 3 MiB (2 tensors; the largest: 2 MiB, 1 MiB) and constants and small tensors 1.1 KiB
      remedy: give the device a larger budget, or compute in smaller pieces"
  `);
  expect(message(() => memory.allocate(2 ** 33))).toMatchInlineSnapshot(`
    "wasm: 8192 MiB do not fit into a memory of 4 MiB, of which the running program uses 3 MiB (2 tensors; the largest: 2 MiB, 1 MiB) and constants and small tensors 1.1 KiB
      remedy: give the device a larger budget, or compute in smaller pieces"
  `);
  expect(message(() => new LinearMemory({ budget: 0 }))).toMatchInlineSnapshot(`
    "wasm: a budget of 0 bytes
      remedy: give a positive budget"
  `);
  memory.unpin(b);
  memory.pin(memory.allocate(1.5 * mebibyte));
  expectPattern(memory.read(a), mebibyte, 1);
  expectPattern(memory.read(b), 2 * mebibyte, 2);
});

/** The message of what `f` throws, without the line. */
function message(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    expect(error).toBeInstanceOf(DeviceMemoryError);
    return (error as Error).message.replace(/\n {2}at .*/s, '');
  }
  throw new Error('nothing was thrown');
}

test('the budget is what the machine, its container or a browser has', () => {
  const gibibyte = 1024 * mebibyte;
  const machine = (total: number, container?: number): number =>
    defaultBudget({
      process: {
        getBuiltinModule: (id) => (id === 'node:os' ? { totalmem: () => total } : undefined),
        ...(container === undefined ? {} : { constrainedMemory: () => container }),
      },
    });
  expect(machine(4 * gibibyte)).toBe(gibibyte);
  expect(machine(64 * gibibyte)).toBe(2 * gibibyte);
  expect(machine(64 * gibibyte, 2 * gibibyte)).toBe(gibibyte / 2);
  expect(machine(4 * gibibyte, 2 ** 63)).toBe(gibibyte);
  expect(defaultBudget({ navigator: { deviceMemory: 4 } })).toBe(gibibyte);
  expect(defaultBudget({})).toBe(gibibyte / 2);
});

/** How many iterations: a leak of what they make would be 4 GB. `npm run soak memory` sets 100,000. */
const iterations = Number(process.env['SOAK_ITERATIONS'] ?? 4_000);

/** `x = op(x)`, as a program on 1 MiB would leave the memory; small values come and go beside it. */
function loop(memory: LinearMemory): (i: number) => void {
  let x = filled(memory, mebibyte, 0);
  let losses = memory.allocate(4);
  return (i) => {
    const [y, loss] = [memory.allocate(mebibyte), memory.allocate(4)];
    const [from, to, at] = [memory.pin(x) >> 2, memory.pin(y) >> 2, memory.pin(loss) >> 2];
    memory.words[to] = i === 0 ? 1 : memory.words[from]! + 1;
    memory.words[at] = memory.words[to]!;
    for (const s of [x, y, loss]) memory.unpin(s);
    if (i % 1000 === 999) {
      expect(new Int32Array(memory.read(losses))[0]).toBe(i);
      expect(new Int32Array(memory.read(y))[0]).toBe(i + 1);
    }
    x = y;
    losses = loss;
  };
}

const rss = (): number => process.memoryUsage().rss / mebibyte;

test('a loop that never yields stays within the budget and 300 MB, flat over its last four fifths', {
  timeout: 600_000,
}, () => {
  const memory = new LinearMemory({ budget: 64 * mebibyte });
  const step = loop(memory);
  const before = rss();
  let [early, most] = [0, 0];
  for (let i = 0; i < iterations; i++) {
    step(i);
    if (i % 100 !== 0) continue;
    if (i < iterations / 5) early = Math.max(early, rss());
    most = Math.max(most, rss());
  }
  expect(memory.live.evictions).toBeGreaterThan(iterations - 100);
  expect(most - before).toBeLessThan(64 + 300);
  expect(most - early).toBeLessThan(100);
});

test('so does one that awaits promises only, where finalizers are set and never run', {
  timeout: 600_000,
}, async () => {
  const memory = new LinearMemory({ budget: 16 * mebibyte });
  const step = loop(memory);
  const before = rss();
  for (let i = 0; i < iterations / 4; i++) {
    step(i);
    await null;
  }
  expect(memory.live.blocks).toBeLessThan(17);
  expect(rss() - before).toBeLessThan(16 + 300);
});
