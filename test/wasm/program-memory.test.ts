/** Programs and memory: what a plan takes, what is reused, and what a program too large for the device says. */
import { checkpoint, grad, jit, nn, np, setDefaultDevice, type Tensor } from 'pullback';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { plan } from '../../backends/loop/plan/plan.ts';
import { wasmDevice } from '../../backends/wasm/device.ts';
import { Constants } from '../../backends/wasm/emit/pool.ts';
import type { LinearMemory } from '../../backends/wasm/memory.ts';
import type { Device } from '../../src/core/backend.ts';
import { constsAsInputs } from '../../src/core/jaxpr.ts';
import { makeJaxpr, peakLiveBytes } from '../../transforms/index.ts';
import { optimize } from '../../transforms/passes/index.ts';

/** Blocks x + dense(gelu(dense(x))), and the gradient of their sum of squares. */
function blocks(count: number, wrap: (f: (x: Tensor, w: Tensor) => Tensor) => (x: Tensor, w: Tensor) => Tensor) {
  const block = wrap((x, w) => np.add(x, np.matmul(nn.gelu(np.matmul(x, w)), np.transpose(w))));
  return grad((w: readonly Tensor[], x: Tensor): Tensor => {
    let h = x;
    for (const own of w.slice(0, count)) h = block(h, own);
    return np.sum(np.square(h));
  });
}

describe('plans', () => {
  it('take no more memory than peakLiveBytes says', () => {
    for (const wrap of [(f: (x: Tensor, w: Tensor) => Tensor) => f, checkpoint]) {
      const weights = Array.from({ length: 6 }, () => np.ones([32, 64]));
      const { jaxpr } = makeJaxpr(blocks(6, wrap as never))(weights, np.ones([64, 32]));
      const ready = optimize(constsAsInputs(jaxpr));
      const { arena, steps } = plan(ready, { buffers: 48 });
      // Every value is rounded up to 64 bytes, with 64 to spare.
      expect(arena).toBeLessThanOrEqual(peakLiveBytes(ready) + steps.length * 128);
      expect(arena).toBeGreaterThan(0);
    }
  });
});

describe('the device', () => {
  const device = wasmDevice({ budget: 16 * 2 ** 20 }) as Device & { readonly memory: LinearMemory };
  let before: Device | null = null;
  beforeAll(() => {
    before = setDefaultDevice(device);
  });
  afterAll(() => {
    setDefaultDevice(before);
  });

  it('says what a program too large for it needs', () => {
    const f = jit((x: Tensor) => np.sum(np.sort(np.matmul(x, x), 0)));
    expect(() => f(np.ones([1600, 1600]))).toThrow(
      /a program needs .* MiB at its peak, .* the largest values: float32/,
    );
  });

  it('gives the memory of donated tensors to their successors', () => {
    const step = jit((x: Tensor) => np.add(np.mul(x, 0.5), 1), { donateArgnums: [0] });
    let x = np.zeros([256, 1024]);
    for (let i = 0; i < 100; i++) x = step(x);
    expect(x.dataSync()[0]).toBeCloseTo(2, 5);
    expect(device.memory.live.evictions).toBe(0);
  });

  it('gives a program whose constants do not fit beside those of others a room of its own', () => {
    const { constants } = device as unknown as { readonly constants: { word(bits: number): number } };
    for (let i = 0; i < 20_000; i++) constants.word(i);
    const f = (x: Tensor): Tensor => np.add(np.mul(x, 1.25), 0.75);
    expect(jit(f)(np.ones([3, 5])).dataSync()[0]).toBe(2);
  });

  it('refuses a program with more constants than it has room for, and takes the next one', () => {
    const many = vi.spyOn(Constants.prototype, 'contents').mockReturnValue(new Int32Array(20_000));
    const f = (x: Tensor): Tensor => np.sub(np.mul(x, 1.25), np.sin(x));
    const refused = (): unknown => jit(f)(np.zeros([3, 6]));
    onTestFinished(() => many.mockRestore());
    expect(refused).toThrow(
      'wasm: a program has more constants than fit into 65536 bytes\n  remedy: pass them as a tensor, or split the program',
    );
    many.mockRestore();
    expect(jit(f)(np.zeros([3, 7])).dataSync()[0]).toBe(0);
  });
});
