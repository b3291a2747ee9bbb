/** A device memory of 4 MiB gives the same bits as one without bounds, whatever the program and whatever is moved out. */

import * as fc from 'fast-check';
import { jit, setDefaultDevice, type Tensor, vmap } from 'pullback';
import { expect, test } from 'vitest';
import { wasmDevice } from '../../backends/wasm/device.ts';
import type { LinearMemory } from '../../backends/wasm/memory.ts';
import { edgy } from '../../laws/arbitrary/elements.ts';
import { programs } from '../../laws/arbitrary/program.ts';
import { exact } from '../../laws/arbitrary/program-ops.ts';
import { tensorOf } from '../../laws/arbitrary/tensor.ts';
import { type HostTensor, hostTensor, toTensor } from '../../laws/host.ts';
import { makeAval } from '../../src/core/aval.ts';
import type { Device } from '../../src/core/backend.ts';
import type { TypedArray } from '../../src/core/dtype.ts';
import type { Value } from '../../src/core/value.ts';
import { unlessTooLarge } from './refusal.ts';

const mebibyte = 2 ** 20;
const runs = Number(process.env['LAWS'] ?? 25);
/** Lanes that a program is mapped over, so that its values have blocks: a tensor of 16 numbers takes 8 to 128 KiB. */
const lanes = fc.constantFrom(128, 512, 512, 2048);

type Small = Device & { readonly memory: LinearMemory };

/** Each lane has the elements of the one before it, turned by one. */
function widened({ shape, dtype, data }: HostTensor, lanes: number): HostTensor {
  const wide = new Array<number>(lanes * data.length);
  for (let lane = 0; lane < lanes; lane++) {
    for (let i = 0; i < data.length; i++) wide[lane * data.length + i] = data[(i + lane) % data.length]!;
  }
  return hostTensor([lanes, ...shape], dtype, wide);
}

const bytesOf = (x: TypedArray): Uint8Array => new Uint8Array(x.buffer, x.byteOffset, x.byteLength);

const cases = programs({ ops: exact, dtypes: ['float32', 'int32', 'uint32', 'bool', 'float64'] }).chain((program) =>
  fc.tuple(
    fc.constant(program),
    lanes,
    fc.tuple(...program.ins.map(({ shape, dtype }) => tensorOf(makeAval(shape, dtype), edgy))),
  ),
);

test('random programs, whose results are read when others have taken their place', { timeout: 600_000 }, () => {
  const before = setDefaultDevice(wasmDevice());
  try {
    const small = wasmDevice({ budget: 4 * mebibyte }) as Small;
    const large = wasmDevice();
    let refused = 0;
    const results: { readonly name: string; readonly a: Value; readonly b: Value }[] = [];
    /** Results of the last programs, on both devices; the rest has been judged. */
    const judge = (kept: number): void => {
      while (results.length > kept) {
        const { name, a, b } = results.shift()!;
        const [x, y] = [bytesOf(a.dataSync()), bytesOf(b.dataSync())];
        if (Buffer.compare(x, y) !== 0) throw new Error(`${name}: other bits with a budget of 4 MiB`);
      }
    };
    fc.assert(
      fc.property(cases, ([program, count, points]) => {
        const run = (device: Device): readonly Value[] => {
          setDefaultDevice(device);
          const args = points.map((x): Tensor => toTensor(widened(x, count), device) as Tensor);
          // Eager operations leave a tensor each, a program none but its results; the second run finds its operands moved.
          return [vmap(program.apply)(...args), jit(vmap(program.apply))(...args), vmap(program.apply)(...args)].flat();
        };
        const some = unlessTooLarge(() => run(small));
        if (!some) {
          refused += 1;
          return;
        }
        const all = run(large);
        some.forEach((a, i) => {
          results.push({ name: `${fc.stringify(program)}, result ${i}`, a, b: all[i]! });
        });
        judge(150);
      }),
      { numRuns: runs, seed: Number(process.env['LAWS_SEED'] ?? 6), endOnFailure: true },
    );
    judge(0);
    const { evictions, committed } = small.memory.live;
    expect(committed).toBeLessThanOrEqual(4 * mebibyte);
    // The property met what it is about.
    expect(evictions).toBeGreaterThan(runs);
    expect(refused).toBeLessThan(runs / 10 + 1);
  } finally {
    setDefaultDevice(before);
  }
});
