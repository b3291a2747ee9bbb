/** Eager operations on ever new lengths compile nothing new: their code takes the sizes as arguments. */

import { lax, np, random, type Tensor, wasmDevice, withDefaultDevice } from 'pullback';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const device = wasmDevice();
const host = globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } };
const { Module } = host.WebAssembly;
let modules = 0;

beforeAll(() => {
  host.WebAssembly.Module = class extends Module {
    constructor(bytes: Uint8Array) {
      super(bytes);
      modules += 1;
    }
  };
});
afterAll(() => {
  host.WebAssembly.Module = Module;
});

/** Modules that an operation compiles on these lengths. */
function compiled(f: (n: number) => unknown, lengths: readonly number[]): number {
  const before = modules;
  withDefaultDevice(device, () => lengths.forEach(f));
  return modules - before;
}

/** All residues of small numbers, powers of two and their neighbours; all above the lengths at which an operation has another kernel. */
const lengths = [...Array.from({ length: 16 }, (_, i) => 33 + i * 3), 63, 64, 65, 127, 128, 129, 200, 255, 256, 257];
const known = lengths.slice(0, 2);

const ones = (...shape: number[]): Tensor => np.ones(shape);
const whole = (n: number, modulus = n): Tensor<'int32'> =>
  np.array(
    Array.from({ length: n }, (_, i) => (i * 7) % modulus),
    { dtype: 'int32' },
  );
const zero = (): Tensor => np.array(0);

const operations: Readonly<Record<string, (n: number) => unknown>> = {
  add: (n) => lax.add(ones(n), ones(n)),
  exp: (n) => lax.exp(ones(3, n)),
  pow: (n) => lax.pow(ones(n), ones(n)),
  compare: (n) => lax.lt(ones(n), ones(n)),
  select: (n) => lax.select(lax.lt(ones(n), ones(n)), ones(n), ones(n)),
  'cast to int32': (n) => lax.convertElementType(ones(n), 'int32'),
  'cast to float64': (n) => lax.convertElementType(ones(n), 'float64'),
  'sum of all': (n) => np.sum(ones(n, 5)),
  'sum over the first axis': (n) => np.sum(ones(n, 5), 0),
  'sum over the last axis': (n) => np.sum(ones(5, n), 1),
  'sum over the middle axis': (n) => np.sum(ones(3, n, 4), 1),
  'max over the last axis': (n) => np.max(ones(5, n), 1),
  'broadcast rows': (n) => np.broadcastTo(ones(n), [3, n]),
  'broadcast columns': (n) => np.broadcastTo(ones(n, 1), [n, 7]),
  slice: (n) => lax.slice(ones(n), [2], [n - 1]),
  'slice with steps': (n) => lax.slice(ones(n, 3), [1, 0], [n, 3], [2, 1]),
  concatenate: (n) => lax.concatenate([ones(n, 2), ones(n + 3, 2)], 0),
  pad: (n) => lax.pad(ones(n), zero(), [[2, 3, 0]]),
  reverse: (n) => lax.rev(ones(n), [0]),
  transpose: (n) => lax.transpose(ones(n, n + 3), [1, 0]),
  'transpose of three axes': (n) => lax.transpose(ones(n, 5, 6), [2, 0, 1]),
  reshape: (n) => lax.reshape(ones(n, 6), [2 * n, 3]),
  iota: (n) => np.arange(n),
  cumsum: (n) => lax.cumsum(ones(n), 0),
  'cumsum down columns': (n) => lax.cumsum(ones(n, 4), 0),
  cummax: (n) => lax.cummax(ones(n), 0, { reverse: true }),
  cumlogsumexp: (n) => lax.cumlogsumexp(ones(n), 0),
  argmax: (n) => np.argmax(ones(n)),
  'argmax over columns': (n) => np.argmax(ones(n, 4), 0),
  take: (n) => np.take(ones(n), whole(5, 30), 0),
  'take rows': (n) => np.take(ones(n, 6), whole(n), 0),
  'dynamic slice': (n) => lax.dynamicSlice(ones(n), [1], [n - 2]),
  'dynamic update slice': (n) => lax.dynamicUpdateSlice(ones(n), ones(n - 5), [2]),
  'scatter add': (n) => np.at(ones(n), whole(n)).add(ones(n)),
  'scatter max': (n) => np.at(ones(n, 3), whole(9, 30)).max(ones(9, 3)),
  sort: (n) => np.sort(ones(n)),
  'sort of float64': (n) => np.sort(lax.convertElementType(ones(n), 'float64')),
  'sort of columns': (n) => np.sort(ones(n, 3), 0),
  argsort: (n) => np.argsort(ones(n)),
  'sort by two keys': (n) => lax.sort([ones(n), whole(n), ones(n)] as const, { numKeys: 2 }),
  'top k': (n) => lax.topK(ones(2, n), 3),
  matmul: (n) => np.matmul(ones(n, n + 1), ones(n + 1, n + 2)),
  'matmul of int32': (n) => np.matmul(np.reshape(whole(n * 5), [n, 5]), np.reshape(whole(n * 5), [5, n])),
  'matmul of batches': (n) => np.matmul(ones(3, n, 8), ones(3, 8, n + 2)),
  'matmul with a transpose': (n) => np.einsum('ij,kj->ik', ones(n, 20), ones(n + 2, 20)),
  'contraction over two axes': (n) =>
    np.tensordot(ones(n, 4, 5), ones(5, 4, n), [
      [1, 2],
      [1, 0],
    ]),
  'outer product': (n) => np.einsum('i,j->ij', ones(n), ones(n)),
  matvec: (n) => np.matmul(ones(n, 40), ones(40)),
  vecmat: (n) => np.matmul(ones(n), ones(n, 50)),
  dot: (n) => np.matmul(ones(600 + n), ones(600 + n)),
  'max pooling': (n) => lax.reduceWindow(ones(n), Number.NEGATIVE_INFINITY, lax.max, [3], [2], 'VALID'),
  'sum over windows': (n) => lax.reduceWindow(ones(2, n), 0, lax.add, [1, 3], [1, 1], 'SAME'),
  'random bits': (n) => random.bits(random.key(1), [n]),
  uniform: (n) => random.uniform(random.key(1), [n]),
  normal: (n) => random.normal(random.key(1), [n]),
};

it('compiles each operation once', () => {
  expect(compiled(operations['add']!, known)).toBeGreaterThan(0);
});

describe('of other lengths', () => {
  it.each(Object.entries(operations))('%s compiles nothing', (_, f) => {
    compiled(f, known);
    expect(compiled(f, lengths)).toBe(0);
  });
});
