/** What lies above 2 GiB, where addresses are negative as signed words, computes as what lies below. The pages before it are never touched. */

import { jit, np, referenceDevice, scan, type Tensor, wasmDevice, withDefaultDevice } from 'pullback';
import { expect, it } from 'vitest';
import type { LinearMemory } from '../../backends/wasm/memory.ts';

const half = 2 ** 31;
const device = wasmDevice({ budget: half + 2 ** 26 });
const { memory } = device as unknown as { readonly memory: LinearMemory };
const below = memory.allocate(half);
memory.pin(below);

const grid = (rows: number, columns: number): Tensor =>
  np.array(
    Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => ((i * 7 + j * 5) % 11) - 5)),
  );

const table: Readonly<Record<string, () => Tensor>> = {
  'an elementwise operation': () => np.add(grid(40, 50), grid(40, 50)),
  'small tensors': () => np.mul(np.array([1, 2, 3]), np.array([4, 5, 6])),
  'a sum': () => np.sum(grid(70, 90), 0),
  'an eager product': () => np.matmul(grid(33, 70), grid(70, 45)),
  'a sort': () => np.sort(grid(5, 300)),
  'a program of several steps': () => {
    const f = jit((x: Tensor, y: Tensor) => np.sort(np.add(np.matmul(x, y), np.sum(x, 1, { keepdims: true }))));
    return f(grid(64, 64), grid(64, 64));
  },
  'a loop': () =>
    jit((x: Tensor) => scan((c: Tensor, row: Tensor) => [np.add(c, row), np.max(c)] as const, np.zeros([64]), x)[1])(
      grid(20, 64),
    ),
};

it.each(Object.keys(table))('%s', (name) => {
  const found = withDefaultDevice(device, table[name]!);
  expect(memory.pin(below)).toBeLessThan(half);
  memory.unpin(below);
  expect(memory.live.committed).toBeGreaterThan(half);
  expect(found.toArray()).toEqual(withDefaultDevice(referenceDevice(), table[name]!).toArray());
});
