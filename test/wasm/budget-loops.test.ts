/**
 * Histories of programs in a device memory of 4 MiB: folds, loops, scans and their gradients, donated arguments, tensors of 8 bytes to
 * 3/4 MiB. Each program fits by itself, so none may be refused, and bits are those of a memory without bounds.
 */

import * as fc from 'fast-check';
import { cond, grad, jit, np, scan, setDefaultDevice, type Tensor, train } from 'pullback';
import { expect, test } from 'vitest';
import { wasmDevice } from '../../backends/wasm/device.ts';
import type { LinearMemory } from '../../backends/wasm/memory.ts';
import type { Device } from '../../src/core/backend.ts';
import { unlessTooLarge } from './refusal.ts';

const mebibyte = 2 ** 20;
/** `npm run soak memory` sets more; here programs are compiled for two forms only. */
const deep = process.env['BUDGET_RUNS'];
const runs = Number(deep ?? 2);
const seed = Number(process.env['LAWS_SEED'] ?? 6);

type Small = Device & { readonly memory: LinearMemory };

const decay = (c: Tensor, row: Tensor): readonly [Tensor, Tensor] => {
  const next = np.add(np.mul(c, 0.5), np.sin(row));
  return [next, np.mul(next, row)];
};
const scanned = (x: Tensor): Tensor => scan(decay, np.sum(x, 0), x)[1];
const gradient = grad((x: Tensor) => np.sum(np.square(scanned(x))));

const descent = (c: { w: Tensor; m: Tensor }, v: Tensor): readonly [{ w: Tensor; m: Tensor }, Tensor] => {
  const m = np.add(np.mul(c.m, 0.5), np.sin(np.mul(c.w, v)));
  return [{ w: np.sub(c.w, m), m }, np.mean(m, 0)];
};
const centred = (c: Tensor): Tensor => np.sub(np.cos(c), np.mean(c, 1, { keepdims: true }));

/** What is done with a matrix, and with a number that differs from call to call; the result takes its place. */
const ops = {
  eager: (x: Tensor, s: number) => np.add(np.mul(x, s), np.flip(x, 0)),
  kept: (x: Tensor, s: number) => {
    const y = np.sub(x, s);
    return np.sub(np.mul(y, y), np.add(y, x));
  },
  sorted: jit((x: Tensor) => np.add(np.sort(np.tanh(x), 1), np.mean(np.square(x), 0))),
  product: jit((x: Tensor) => np.tanh(np.matmul(np.matmul(x, np.transpose(np.tanh(x))), x))),
  softmax: jit((x: Tensor) => {
    const e = np.exp(np.sub(x, np.max(x, 1, { keepdims: true })));
    return np.divide(e, np.sum(e, 1, { keepdims: true }));
  }),
  running: jit((x: Tensor) => np.cumsum(np.cumsum(x, 0), 1)),
  donated: jit((x: Tensor) => np.add(np.mul(np.flip(x, 1), 0.5), np.cos(x)), { donateArgnums: 0 }),
  scan: jit(scanned),
  gradient: jit((x: Tensor) => np.tanh(gradient(x))),
  cond: jit((x: Tensor) =>
    cond(
      np.greater(np.sum(x), 0),
      (v: Tensor) => np.cumsum(v, 1),
      (v: Tensor) => np.sub(1, v),
      x,
    ),
  ),
  fold: (x: Tensor, s: number) => {
    const xs = Array.from({ length: 5 }, (_, i) => np.array(s + i));
    const [last, values] = train.fold(descent, { w: x, m: np.cos(x) }, xs);
    return np.add(last.w, values.at(-1)!);
  },
  iterate: (x: Tensor, s: number) => train.iterate(centred, x, 2 + Math.floor(5 * s)),
} satisfies Record<string, (x: Tensor, s: number) => Tensor>;

type OpName = keyof typeof ops;
const names = Object.keys(ops) as OpName[];

/** Few rows of many sizes, so that products stay cheap and blocks come in all lengths. */
const forms = deep
  ? fc.record({
      rows: fc.integer({ min: 1, max: 24 }),
      columns: fc.oneof(fc.integer({ min: 2, max: 300 }), fc.integer({ min: 301, max: 5000 })),
    })
  : fc.constantFrom({ rows: 20, columns: 1500 }, { rows: 13, columns: 2871 });
const history = fc.record({
  forms: fc.array(forms, { minLength: 3, maxLength: 16, size: 'max' }),
  steps: fc.array(
    fc.record({ op: fc.constantFrom(...names), which: fc.nat(15), by: fc.double({ min: 0, max: 1, noNaN: true }) }),
    { minLength: 10, maxLength: deep ? 40 : 20, size: 'max' },
  ),
});

const bytesOf = (x: Tensor): Uint8Array => {
  const { buffer, byteOffset, byteLength } = x.dataSync();
  return new Uint8Array(buffer, byteOffset, byteLength);
};

test('histories of programs', { timeout: 600_000 }, () => {
  const small = wasmDevice({ budget: 4 * mebibyte }) as Small;
  const large = wasmDevice();
  const before = setDefaultDevice(large);
  let [done, refused] = [0, 0];
  try {
    fc.assert(
      fc.property(history, ({ forms: shapes, steps }) => {
        const make = (): Tensor[] =>
          shapes.map(({ rows, columns }, i) =>
            np.sin(np.add(np.reshape(np.arange(rows * columns), [rows, columns]), i)),
          );
        const on = <R>(device: Device, f: () => R): R => {
          setDefaultDevice(device);
          return f();
        };
        const [some, all] = [on(small, make), on(large, make)];
        for (const { op, which, by } of steps) {
          const at = which % shapes.length;
          // A donated argument must be nobody else's.
          const step = (x: Tensor): Tensor => ops[op]((op === 'donated' ? np.mul(x, 1) : x) as Tensor<'float32'>, by);
          const y = on(small, () => unlessTooLarge(() => step(some[at]!)));
          done += 1;
          if (y === null) {
            refused += 1;
            continue;
          }
          some[at] = y;
          all[at] = on(large, () => step(all[at]!));
        }
        some.forEach((x, i) => {
          if (Buffer.compare(bytesOf(x), bytesOf(all[i]!)) !== 0) throw new Error(`tensor ${i} has other bits`);
        });
      }),
      { numRuns: runs, seed, endOnFailure: true },
    );
    const { evictions, committed } = small.memory.live;
    expect(committed).toBeLessThanOrEqual(4 * mebibyte);
    // The property met what it is about.
    expect(evictions).toBeGreaterThan(runs);
    expect(refused).toBeLessThan(done / 10);
    if (deep) console.log({ ...small.memory.live, done, refused });
  } finally {
    if (before) setDefaultDevice(before);
  }
});
