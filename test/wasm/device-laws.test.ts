/**
 * The WebAssembly device computes what the reference device computes (`laws/device.laws.ts`) without relaxed SIMD as well, which
 * `test/laws.test.ts` uses; and a device that is wrong in one primitive is found by the law of that primitive.
 *
 * LAWS is the number of cases of a law, LAWS_SEED their seed; LAWS_OF = programs leaves out the laws of primitives, and runs both.
 */

import { type Device, referenceDevice, withDefaultDevice } from 'pullback';
import { type Law, suites } from 'pullback/laws';
import { describe, expect, test } from 'vitest';
import { wasmDevice } from '../../backends/wasm/device.ts';
import { hasRelaxedSimd } from '../../backends/wasm/engine.ts';
import { isFloat, type TypedArray } from '../../src/core/dtype.ts';

const number = (name: string, fallback: number): number => Number(process.env[name] || fallback);
const seed = number('LAWS_SEED', 20_240_607);
const onlyPrograms = process.env['LAWS_OF'] === 'programs';

const { laws } = suites.find(({ name }) => name === 'device')!;
const ofPrograms = laws.filter(({ name }) => name.includes('programs'));
const ofPrimitives = laws.filter((law) => !ofPrograms.includes(law));
const timeout = 600_000;

/** Programs of hundreds of equations, each compiled for a quarter of a second. */
const long = /^(igamma|random_gamma|regularized|polygamma)/;

const plain = ['SIMD', false] as const;

describe.each(onlyPrograms ? [plain, ['relaxed SIMD', true] as const] : [plain])('%s', (_, relaxed) => {
  const device = wasmDevice({ relaxed });
  // Without relaxed SIMD the same code is emitted, but for products that are added.
  const often = relaxed || !hasRelaxedSimd();
  const check = (law: Law, runs: number): void =>
    withDefaultDevice(device, () => expect(law.check({ runs: number('LAWS', runs), seed }).failure).toBeNull());
  test.each(ofPrograms)('$name', { timeout }, (law) => check(law, often ? 20 : 10));
  test.runIf(!onlyPrograms).each(ofPrimitives)('$name', { timeout }, (law) =>
    check(law, long.test(law.name) ? 1 : often ? 6 : 3),
  );
});

/** A device that computes the last element of what this primitive returns wrongly, by one part in a thousand. */
function wrong(name: string): Device {
  const inner = referenceDevice();
  const spoiled = (x: TypedArray, dtype: string): TypedArray => {
    const last = x.length - 1;
    if (last >= 0)
      x[last] = dtype === 'bool' ? 1 - x[last]! : isFloat(dtype as 'float32') ? x[last]! * 1.001 + 1e-3 : x[last]! + 1;
    return x;
  };
  return {
    name: 'wrong',
    put: (aval, host) => inner.put(aval, host),
    read: (aval, storage) => inner.read(aval, storage),
    readSync: (aval, storage) => inner.readSync(aval, storage),
    compile(jaxpr) {
      const executable = inner.compile(jaxpr);
      if (!jaxpr.eqns.some(({ primitive }) => primitive.name === name)) return executable;
      return {
        run: (ins) =>
          executable.run(ins).map((y, i) => {
            const { aval } = jaxpr.outs[i]!;
            return inner.put(aval, spoiled(inner.readSync!(aval, y).slice() as TypedArray, aval.dtype));
          }),
      };
    },
  };
}

test.runIf(!onlyPrograms)(
  'a device that is wrong by a thousandth in one primitive is found by the law of that primitive',
  { timeout },
  () => {
    // Programs come to devices without taps.
    const visible = ofPrimitives.filter(({ name }) => !name.startsWith('tap:'));
    const survivors = visible.filter((law) =>
      withDefaultDevice(
        wrong(law.name.split(':')[0]!),
        () => law.run({ runs: 20, seed, shrink: false }).failure === null,
      ),
    );
    expect(survivors.map(({ name }) => name)).toEqual([]);
  },
);
