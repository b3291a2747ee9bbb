/** Parameters and inputs of the fixtures in `test/fixtures/sequence`, and closeness to what they hold. */

import { np, referenceDevice, setDefaultDevice, type Tensor, wasmDevice, withDefaultDevice } from 'pullback';
import { expect } from 'vitest';

export type Wide = Tensor<'float64'>;

/** 0.5·sin(1.3·i + seed), as the scripts of the fixtures fill tensors. */
export function fill(shape: readonly number[], seed: number): Wide {
  const size = shape.reduce((n, m) => n * m, 1);
  const numbers = Array.from({ length: size }, (_, i) => 0.5 * Math.sin(1.3 * i + seed));
  return np.reshape(np.array(numbers, { dtype: 'float64' }), [...shape]);
}

/** All elements in row-major order. */
export const flat = (x: Tensor<'float32' | 'float64'>): number[] => Array.from(x.dataSync());

/** Elements equal to `wanted` within `tolerance`, relative to the largest of them. */
export function expectNear(
  x: Tensor<'float32' | 'float64'>,
  wanted: readonly number[],
  tolerance = 1e-8,
  what = 'element',
): void {
  const values = flat(x);
  expect(values).toHaveLength(wanted.length);
  const size = Math.max(1, ...wanted.map(Math.abs));
  values.forEach((v, i) => {
    if (Math.abs(v - wanted[i]!) <= tolerance * size) return;
    expect.fail(`${what} ${i} is ${v}, expected ${wanted[i]}`);
  });
}

/** A tensor of PyTorch's as the fixtures describe it. */
export interface Described {
  readonly shape: readonly number[];
  readonly seed: number;
  readonly grad: readonly number[];
}

/** What `f` computes on the WebAssembly device is what it computes on the reference device; it makes its operands itself. */
export function expectOnWasm(f: () => readonly Tensor[], tolerance = 1e-4): void {
  const wanted = withDefaultDevice(referenceDevice(), () => f().map(flat));
  const got = withDefaultDevice(wasmDevice(), f);
  expect(got).toHaveLength(wanted.length);
  got.forEach((x, i) => {
    expectNear(x, wanted[i]!, tolerance, `result ${i}, element`);
  });
}

/**
 * The tests of a file run on the reference device, unless PULLBACK_DEVICE names another: they compute many small programs once, which
 * it need not compile. What is the same on WebAssembly is said by {@link expectOnWasm}.
 */
export function onReference(): void {
  // At once, as describe blocks make tensors; the next file begins with the default device again.
  if (!process.env['PULLBACK_DEVICE']) setDefaultDevice(referenceDevice());
}
