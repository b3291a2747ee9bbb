/** What steps take, as far as the decision needs it whether threads share them: a guess, right within a factor of two or three. */

import { countKernel, ownCost } from '../../loop/plan/cost.ts';
import { bodiesOf, type Step } from '../../loop/plan/program.ts';

/** What one thread does in a nanosecond, as measured: flops of a product, operations of a kernel, bytes. */
const rates = { product: 40, kernel: 12, bytes: 16, packing: 4 };

/** Nanoseconds of a step, of one turn of the loops around it. */
export function stepTime(step: Step): number {
  const { flops, bytes } = ownCost(step);
  const arithmetic =
    step.kind === 'kernel' ? countKernel(step.kernel).operations / rates.kernel : flops / rates.product;
  return arithmetic + bytes / rates.bytes;
}

/** Nanoseconds in which so many bytes are packed. */
export const packingTime = (bytes: number): number => bytes / rates.packing;

/** A `while` is taken to turn so often. */
const someTurns = 8;

/** Nanoseconds of a program. */
export function programTime(steps: readonly Step[]): number {
  const timeOf = (step: Step): number => {
    const inside = bodiesOf(step).map(programTime);
    const all = inside.reduce((sum, x) => sum + x, 0);
    if (step.kind === 'repeat') return step.counter.length * all;
    if (step.kind === 'while') return someTurns * all;
    return step.kind === 'branch' ? Math.max(0, ...inside) : stepTime(step);
  };
  return steps.reduce((sum, step) => sum + timeOf(step), 0);
}

/** From how many nanoseconds on threads share. */
export interface Thresholds {
  readonly program: number;
  readonly step: number;
  /** Of a chunk, at least. */
  readonly chunk: number;
}

export const usualThresholds: Thresholds = { program: 30_000, step: 2_500, chunk: 1_500 };

/** Everything is shared that can be. */
export const noThresholds: Thresholds = { program: 0, step: 0, chunk: 0 };

/** How the turns of a step are divided among threads. */
export interface Shares {
  readonly turns: number;
  readonly chunks: number;
  readonly grain: number;
  readonly spins: number;
}

/** Turns of a loop that a thread waits for a chunk beside what it takes: about a millisecond, in which the first use of pages may be. */
const patience = 1_000_000;
/** Chunks of a step at most. */
const mostChunks = 64;

/**
 * How to divide a step that takes so many nanoseconds; `null` if it is not worth it.
 *
 * @param unit - turns that stay together
 */
export function sharesOf(turns: number, unit: number, time: number, limits: Thresholds): Shares | null {
  const units = Math.ceil(turns / unit);
  if (units < 2 || time < limits.step) return null;
  const wanted = Math.max(2, Math.min(mostChunks, Math.floor(time / Math.max(1, limits.chunk))));
  const grain = Math.ceil(units / Math.min(units, wanted)) * unit;
  const chunks = Math.ceil(turns / grain);
  if (chunks < 2) return null;
  return { turns, chunks, grain, spins: Math.ceil(patience + (4 * time) / chunks) };
}
