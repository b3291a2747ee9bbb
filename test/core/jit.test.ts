/** The cache of `jit`: what is part of a program, what traces again, and what says so. */

import {
  DonatedTensorError,
  grad,
  hessian,
  jit,
  jvp,
  lax,
  nn,
  np,
  referenceDevice,
  type Tensor,
  valueAndGrad,
  vmap,
  withDefaultDevice,
} from 'pullback';
import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => {
  vi.restoreAllMocks();
});

const x = np.array([1, 2, 3]);
const square = (v: Tensor): Tensor => np.sum(np.mul(v, v));

test('one trace for each kind of argument', () => {
  const f = jit((v: Tensor) => np.mul(v, 2));
  f(x);
  f(np.array([4, 5, 6]));
  expect(f.traces).toBe(1);
  f(np.array([1, 2]));
  expect(f.traces).toBe(2);
  f(np.array([1, 2, 3], { dtype: 'int32' }) as unknown as Tensor);
  expect(f.traces).toBe(3);
  f(x);
  expect(f.traces).toBe(3);
});

test('grad(jit(f)) never traces again, under any transform', () => {
  const f = jit(square);
  for (let i = 0; i < 3; i++) {
    f(x);
    grad(f)(x);
    valueAndGrad(f)(x);
    grad((v: Tensor) => np.sum(grad(f)(v)))(x);
  }
  expect(f.traces).toBe(1);
  const rows = np.ones([2, 3]);
  vmap(grad(f))(rows);
  vmap(grad(f))(rows);
  expect(f.traces).toBe(1);
});

test('numbers, strings and functions are part of the program', () => {
  const f = jit((v: Tensor, options: { readonly scale: number; readonly kind: string }) =>
    options.kind === 'double' ? np.mul(v, 2 * options.scale) : np.mul(v, options.scale),
  );
  expect(f(x, { scale: 3, kind: 'double' }).toArray()).toEqual([6, 12, 18]);
  expect(f(x, { scale: 3, kind: 'plain' }).toArray()).toEqual([3, 6, 9]);
  expect(f(x, { scale: 3, kind: 'double' }).toArray()).toEqual([6, 12, 18]);
  expect(f.traces).toBe(2);
  const apply = jit((g: (v: Tensor) => Tensor, v: Tensor) => g(v));
  const twice = (v: Tensor): Tensor => np.mul(v, 2);
  const thrice = (v: Tensor): Tensor => np.mul(v, 3);
  expect(apply(twice, x).toArray()).toEqual([2, 4, 6]);
  expect(apply(thrice, x).toArray()).toEqual([3, 6, 9]);
  expect(apply(twice, x).toArray()).toEqual([2, 4, 6]);
  expect(apply.traces).toBe(2);
});

test('static arguments may be of any class', () => {
  class Config {
    readonly factor: number;
    constructor(factor: number) {
      this.factor = factor;
    }
  }
  const f = jit((v: Tensor, config: Config) => np.mul(v, config.factor), { staticArgnums: 1 });
  const two = new Config(2);
  expect(f(x, two).toArray()).toEqual([2, 4, 6]);
  expect(f(x, two).toArray()).toEqual([2, 4, 6]);
  expect(f(x, new Config(3)).toArray()).toEqual([3, 6, 9]);
  expect(f.traces).toBe(2);
  const last = jit((v: Tensor, config: Config) => np.mul(v, config.factor), { staticArgnums: [-1] });
  expect(last(x, two).toArray()).toEqual([2, 4, 6]);
});

test('results have the structure that the function returned, statics included', () => {
  const f = jit((v: Tensor) => ({ doubled: np.mul(v, 2), label: 'x', parts: [v, 3] as const }));
  const out = f(x);
  expect(out.label).toBe('x');
  expect(out.parts[1]).toBe(3);
  expect(out.doubled.toArray()).toEqual([2, 4, 6]);
  expect(f(x).parts[0].toArray()).toEqual([1, 2, 3]);
});

test('a static leaf that keeps changing is named once', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const f = jit(function step(v: Tensor, options: { readonly rate: number }) {
    return np.mul(v, options.rate);
  });
  for (let i = 0; i < 9; i++) f(x, { rate: i });
  expect(warn).not.toHaveBeenCalled();
  for (let i = 9; i < 20; i++) f(x, { rate: i });
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn.mock.calls[0]![0]).toMatchInlineSnapshot(
    `"jit(step) has been traced 10 times because the static leaf args[1].rate changes (now 9, before 8); pass it as a tensor (np.array(…)) if it changes from call to call"`,
  );
});

test('the cache is bounded, least recently used first', () => {
  const f = jit((v: Tensor, n: number) => np.mul(v, n));
  vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  for (let i = 0; i < 128; i++) f(x, i);
  f(x, 0);
  f(x, 128);
  expect(f.traces).toBe(129);
  f(x, 0);
  expect(f.traces).toBe(129);
  f(x, 1);
  expect(f.traces).toBe(130);
});

test('a donated tensor cannot be used again', () => {
  const f = jit((v: Tensor) => np.add(v, 1), { donateArgnums: 0 });
  const mine = np.array([1, 2]);
  expect(f(mine).toArray()).toEqual([2, 3]);
  expect(() => mine.toArray()).toThrow(DonatedTensorError);
  expect(() => np.add(mine, 1)).toThrow(DonatedTensorError);
  const passed = jit((v: Tensor) => v, { donateArgnums: 0 });
  expect(passed(np.array([5])).toArray()).toEqual([5]);
});

test('donation is ignored while tracing', () => {
  const f = jit(square, { donateArgnums: 0 });
  const mine = np.array([1, 2]);
  expect(grad(f)(mine).toArray()).toEqual([2, 4]);
  expect(mine.toArray()).toEqual([1, 2]);
});

test('what captures a tracer is traced for each', () => {
  const outer = (v: Tensor): Tensor => jit((w: Tensor) => np.mul(v, w))(x) as Tensor;
  expect(vmap(outer)(np.array([1, 10])).toArray()).toEqual([
    [1, 2, 3],
    [10, 20, 30],
  ]);
  let captured: Tensor = np.array(1);
  const f = jit((w: Tensor) => np.mul(captured, w));
  const both = vmap((v: Tensor) => {
    captured = v;
    return f(x);
  });
  both(np.array([1, 2]));
  expect(both(np.array([3, 4])).toArray()).toEqual([
    [3, 6, 9],
    [4, 8, 12],
  ]);
  expect(f.traces).toBe(2);
});

test('symbols are told apart by identity', () => {
  const [sum, first] = [Symbol('mode'), Symbol('mode')];
  const f = jit((v: Tensor, mode: symbol) => (mode === sum ? np.sum(v) : np.max(v)));
  expect(f(x, sum).item()).toBe(6);
  expect(f(x, first).item()).toBe(3);
});

test('what a user passed in can change afterwards: programs keep their own copy', () => {
  const shape = [3];
  const permutation = [1, 0];
  const f = jit((v: Tensor) => np.broadcastTo(v, shape));
  const g = jit((v: Tensor) => np.sum(np.mul(lax.transpose(v, permutation), np.array([[1], [2]]))));
  const m = np.array([[1, 2]]);
  expect(f(np.array(1)).shape).toEqual([3]);
  const before = grad(g)(m).toArray();
  shape[0] = 5;
  permutation.reverse();
  expect(grad((v: Tensor) => np.sum(f(v)))(np.array(1)).item()).toBe(3);
  expect(grad(g)(m).toArray()).toEqual(before);
});

test('static arguments are watched, and so are shapes', () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined);
  const f = jit((v: Tensor, n: number) => np.mul(v, n), { staticArgnums: 1 });
  for (let i = 0; i < 12; i++) f(x, i);
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn.mock.calls[0]![0]).toContain('args[1]');
  const g = jit(function sums(v: Tensor) {
    return np.sum(v);
  });
  for (let i = 1; i < 13; i++) g(np.zeros([i]));
  expect(warn).toHaveBeenCalledTimes(2);
  expect(warn.mock.calls[1]![0]).toMatchInlineSnapshot(
    `"jit(sums) has been traced 10 times because the shape or dtype of args[0] changes (now float32[10], before float32[9]); pad it to one shape if it changes from call to call"`,
  );
});

test('a program is traced once for all devices, and constants follow the operands', () => {
  const wide = referenceDevice({ precision: 'float64' });
  const other = referenceDevice();
  const f = jit((v: Tensor) => np.sum(np.add(nn.relu(np.mul(v, 2)), np.zeros([2]))));
  for (const device of [wide, other]) {
    const v = withDefaultDevice(device, () => np.array([0.1, 0.2]));
    expect(grad(f)(v).toArray()).toEqual([2, 2]);
    expect(vmap((w: Tensor) => np.mul(w, 3))(v).shape).toEqual([2]);
    expect(jvp(np.sqrt, [v], [v])[0].shape).toEqual([2]);
    expect(hessian((w: Tensor) => np.sum(np.mul(w, np.mul(w, w))))(v).shape).toEqual([2, 2]);
  }
  expect(f.traces).toBe(1);
  const [a, b] = [wide, other].map((device) => withDefaultDevice(device, () => np.array([1, 2])));
  expect(() => np.add(a!, b!)).toThrow(/operands on two devices/);
});
