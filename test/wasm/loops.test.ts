/** Loops of compiled steps on the WebAssembly device: what is in its memory, and in that of the process, as they go on. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { jit, np, setDefaultDevice, type Tensor, train, valueAndGrad } from 'pullback';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { wasmDevice } from '../../backends/wasm/device.ts';
import type { LinearMemory } from '../../backends/wasm/memory.ts';
import type { Device } from '../../src/core/backend.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const mebibyte = 2 ** 20;
const megabytes = (): number => process.memoryUsage().rss / mebibyte;

/** Steps of the loops that watch the process; `npm run soak loops` sets 100,000. */
const iterations = Number(process.env['SOAK_ITERATIONS'] ?? 20_000);

type WasmDevice = Device & { readonly memory: LinearMemory };
let device: WasmDevice;
let before: Device | null = null;
/** A device of its own for each of the tests that follow, with a budget in MiB. */
const budgeted = (budget: number): void =>
  beforeEach(() => {
    device = wasmDevice({ budget: budget * mebibyte }) as WasmDevice;
    before = setDefaultDevice(device);
  });
afterEach(() => {
  setDefaultDevice(before);
});

/** A mebibyte of state: weights and their momentum. */
const state = () => ({ w: np.full([2 ** 17], 0.5), momentum: np.zeros([2 ** 17]) });

const step = ({ w, momentum }: ReturnType<typeof state>, x: Tensor) => {
  const [loss, gradient] = valueAndGrad((v: Tensor) => np.mean(np.square(np.sub(v, x))))(w);
  const next = np.add(np.mul(momentum, 0.5), gradient);
  return [{ w: np.sub(w, next), momentum: next }, loss] as const;
};

describe('train.fold', () => {
  budgeted(64);

  it('keeps device memory flat over 1,000 steps of 1 MiB of state', () => {
    const held: number[] = [];
    const init = state();
    const xs = Array.from({ length: 1000 }, (_, i) => np.array(i % 3));
    const [last, losses] = train.fold(step, init, xs, { onStep: () => held.push(device.memory.live.resident) });
    // The initial state, which is the caller's, and one more.
    expect(Math.max(...held)).toBe(2 * mebibyte);
    expect(new Set(held.slice(1)).size).toBe(1);
    expect(device.memory.live.evictions).toBeLessThan(1000); // of losses, which are kept
    expect(device.memory.live.evicted).toBeLessThan(mebibyte);
    expect(losses.length).toBe(1000);
    expect(last.w.shape).toEqual([2 ** 17]);
    expect(init.w.dataSync()[7]).toBe(0.5);
  });

  it('lets finalizers run while it awaits', async () => {
    async function* batches(count: number): AsyncGenerator<Tensor> {
      for (let i = 0; i < count; i++) {
        // When the engine would look for garbage by itself depends on all that the process does.
        if (i === count / 2) collect();
        yield np.full([2 ** 17], i % 5);
      }
    }
    await train.fold(step, state(), batches(800));
    // None runs where only promises are awaited.
    expect(device.memory.live.collected).toBeGreaterThan(0);
  });
});

describe('a loop that never yields', () => {
  // Full, and so in its steady state, after the first fifth of the steps.
  budgeted(16);

  /**
   * How much the least that the process takes grows from the second fifth of the steps to the last. What garbage there is at a time is
   * the collector's business; what a loop keeps raises the least.
   */
  const growth = (advance: (i: number) => void): number => {
    const least = [0, 1, 2, 3, 4].map(() => Number.POSITIVE_INFINITY);
    for (let i = 0; i < iterations; i++) {
      advance(i);
      const fifth = Math.floor((5 * i) / iterations);
      if (i % 100 === 0) least[fifth] = Math.min(least[fifth]!, megabytes());
    }
    return least[4]! - least[1]!;
  };

  it('of a small jitted step', { timeout: 600_000 }, () => {
    const small = jit((w: Tensor, x: Tensor) => step({ w, momentum: x }, x)[0].w);
    let w: Tensor = np.ones([64]);
    const x = np.zeros([64]);
    const grown = growth(() => {
      w = small(w, x);
    });
    expect(Number.isFinite(w.dataSync()[0])).toBe(true);
    expect(grown).toBeLessThan(60);
    expect(device.memory.live.committed).toBeLessThanOrEqual(16 * mebibyte);
  });

  it('of a jitted step over tensors that have blocks', { timeout: 600_000 }, () => {
    const large = jit((w: Tensor) => np.add(np.mul(w, 0.5), 1));
    let w: Tensor = np.zeros([4096]);
    const begun = megabytes();
    const grown = growth(() => {
      w = large(w);
    });
    expect(w.dataSync()[4095]).toBeCloseTo(2, 5);
    expect(grown).toBeLessThan(60);
    expect(megabytes() - begun).toBeLessThan(16 + 300);
    expect(device.memory.live.evictions + device.memory.live.collected).toBeGreaterThan(0);
  });

  it('of train.iterate', { timeout: 600_000 }, () => {
    const large = (w: Tensor): Tensor => np.add(np.mul(w, 0.5), 1);
    const begun = megabytes();
    const w = train.iterate(large, np.zeros([4096]), iterations);
    expect(w.dataSync()[4095]).toBeCloseTo(2, 5);
    expect(device.memory.live).toMatchObject({ blocks: 2, evictions: 0 });
    expect(megabytes() - begun).toBeLessThan(100);
  });
});
