/** Equal programs are compiled once. */

import { grad, jit, np, setDefaultDevice, type Tensor, wasmDevice } from 'pullback';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Device } from '../../src/core/backend.ts';

const host = globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } };
const { Module } = host.WebAssembly;
let modules = 0;
let before: Device | null = null;
beforeEach(() => {
  before = setDefaultDevice(wasmDevice());
  modules = 0;
  host.WebAssembly.Module = class extends Module {
    constructor(bytes: Uint8Array) {
      super(bytes);
      modules += 1;
    }
  };
});
afterEach(() => {
  host.WebAssembly.Module = Module;
  setDefaultDevice(before);
});

/** Several steps: a product, sums of it, and what is done with them. */
const programOf = (factor: number) => {
  const loss = (w: Tensor, x: Tensor) => np.sum(np.square(np.mul(np.tanh(np.matmul(x, w)), factor)));
  return jit(grad(loss));
};

test('functions that are the same program share its code, and compute with their own constants', () => {
  const [w, x] = [np.ones([32, 8]), np.ones([64, 32])];
  const first = programOf(2)(w, x);
  const alone = modules;
  expect(alone).toBeGreaterThan(0);
  for (let i = 0; i < 3; i++) expect(programOf(2)(w, x).toArray()).toEqual(first.toArray());
  expect(modules).toBe(alone);
  programOf(3)(w, x);
  expect(modules).toBe(alone + 1);

  const shifted = (by: Tensor) => jit((v: Tensor) => np.sum(np.sort(np.add(np.matmul(v, w), by)), 1));
  const sums = [1, 2].map((by) => shifted(np.full([8], by))(x).toArray() as number[]);
  expect(modules).toBe(alone + 2);
  expect(sums[1]![0]! - sums[0]![0]!).toBe(8);
});

test('a program of one kernel, and one that takes a constant of the other as an argument', () => {
  const c = np.array([1, 2, 3, 4]);
  const captured = jit((x: Tensor) => np.add(np.mul(x, 2), c));
  const passed = jit((x: Tensor, y: Tensor) => np.add(np.mul(x, 2), y));
  const x = np.ones([4]);
  expect([captured(x).toArray(), passed(x, c).toArray()]).toEqual([
    [3, 4, 5, 6],
    [3, 4, 5, 6],
  ]);
});
