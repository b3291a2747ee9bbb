/**
 * The laws of devices on WebGPU: each primitive, alone and in programs, and random programs with their derivatives. LAWS is the number of
 * cases of a law, LAWS_SEED their seed; those of functions that are programs of hundreds of equations have one case, if LAWS is not given.
 */

import { withDefaultDevice } from 'pullback';
import { suites } from 'pullback/laws';
import { expect, test } from 'vitest';
import { device, onWebgpu } from './available.ts';

const number = (name: string, fallback: number): number => Number(process.env[name] || fallback);
const seed = number('LAWS_SEED', 20_240_607);

const { laws } = suites.find(({ name }) => name === 'device')!;
const ofPrograms = laws.filter(({ name }) => name.includes('programs'));
const ofPrimitives = laws.filter((law) => !ofPrograms.includes(law));

/** Programs of hundreds of equations, whose kernels a software driver compiles for a second. */
const long = /^(igamma|random_gamma|regularized|polygamma|eigh|svd|fft|tridiagonal)/;
const timeout = 1_200_000;
/** Cases of a law at a time. */
const together = 25;

onWebgpu('device laws on WebGPU', () => {
  // With a turn of the event loop now and then, in which Node lets go what belongs to kernels that are gone.
  const check = async (law: (typeof laws)[number], usual: number): Promise<void> => {
    const runs = number('LAWS', usual);
    for (let done = 0; done < runs; done += together) {
      const some = { runs: Math.min(together, runs - done), seed: seed + done };
      withDefaultDevice(device, () => expect(law.check(some).failure).toBeNull());
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  test.each(ofPrograms)('$name', { timeout }, (law) => check(law, 20));
  test.each(ofPrimitives)('$name', { timeout }, (law) => check(law, long.test(law.name) ? 1 : 3));
});
