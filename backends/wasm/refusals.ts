/** What the memory of a device refuses, in words: each with the sizes that explain it and what to do. */

import { showAval } from '../../src/core/aval.ts';
import { DeviceMemoryError, DonatedTensorError, WorkerError } from '../../src/core/errors.ts';
import { bytesOf } from '../loop/plan/plan.ts';
import type { Program } from '../loop/plan/program.ts';

export const budgetError = (bytes: number): DeviceMemoryError =>
  new DeviceMemoryError({
    op: 'wasm',
    problem: `a budget of ${bytes} bytes`,
    remedy: 'give a positive budget',
  });

/** @param given - how many threads were asked for, and where */
export const threadsError = (given: string, most: number): WorkerError =>
  new WorkerError({
    op: 'wasm',
    problem: `${given} is no number of threads`,
    remedy: `give a whole number from 1 to ${most}`,
  });

export const failedError = (why: string): WorkerError =>
  new WorkerError({
    op: 'wasm',
    problem: `a thread ended in the middle of a program, which has no result: ${why}`,
    remedy: 'run it again, on one thread from now on; if it fails there as well, report what it says',
  });

/** The engine gives no memory that may grow to so many bytes. */
export const noMemoryError = (bytes: number, { message }: Error): DeviceMemoryError =>
  new DeviceMemoryError({
    op: 'wasm',
    problem: `no memory of ${inUnits(bytes)} can be had: ${message}`,
    remedy: 'give the device a smaller budget',
  });

/** What can move is not enough for `bytes`: `limit` is what the machine gives of the budget, `pinned` the sizes of what cannot move. */
export function fullError(
  bytes: number,
  { limit, budget, lent }: { readonly limit: number; readonly budget: number; readonly lent: number },
  pinned: readonly number[],
): DeviceMemoryError {
  const total = pinned.reduce((sum, n) => sum + n, 0);
  const largest = pinned.slice(0, 3).map(inUnits).join(', ');
  return new DeviceMemoryError({
    op: 'wasm',
    problem:
      `${inUnits(bytes)} do not fit into a memory of ${inUnits(limit)}` +
      `${limit < budget ? ` (the machine refused the rest of ${inUnits(budget)})` : ''}, of which ` +
      `the running program uses ${inUnits(total)}${largest && ` (${pinned.length} tensors; the largest: ${largest})`} ` +
      `and constants and small tensors ${inUnits(lent)}`,
    remedy: 'give the device a larger budget, or compute in smaller pieces',
  });
}

export const freedError = (): DonatedTensorError =>
  new DonatedTensorError({
    op: 'wasm',
    problem: 'the storage of this tensor was donated to a program, which may have overwritten it',
    remedy: 'use the result of that program instead, or do not list the argument in donateArgnums',
  });

const mebibyte = 2 ** 20;

function inUnits(bytes: number): string {
  const [unit, size] = bytes >= mebibyte ? ['MiB', mebibyte] : bytes >= 1024 ? ['KiB', 1024] : ['bytes', 1];
  return `${Number((bytes / size).toFixed(1))} ${unit}`;
}

/** Bytes that a run needs beside its operands and results; its error says what they are for. */
export const atPeak = (program: Program, room: number, error: unknown): unknown => {
  if (!(error instanceof DeviceMemoryError)) return error;
  const { largest, outs, ins } = program;
  const total = [...ins, ...outs].reduce((sum, aval) => sum + bytesOf(aval), room);
  const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
  return new DeviceMemoryError({
    op: 'wasm',
    problem:
      `a program needs ${mebibytes(total)} at its peak, ${mebibytes(room)} of them between its operands and results; ` +
      `the largest values: ${largest.map(showAval).join(', ')}; ${error.problem}`,
    remedy: 'give the device a larger budget, compute in smaller pieces, or recompute with checkpoint',
  });
};
