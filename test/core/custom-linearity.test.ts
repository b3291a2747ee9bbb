/** Rules must be linear in tangents or, in forward mode, cotangents: which are refused, where, and in which words. */

import * as fc from 'fast-check';
import {
  checkpoint,
  cond,
  customJvp,
  customVjp,
  grad,
  jacfwd,
  jacrev,
  jit,
  jvp,
  lax,
  linearize,
  linearTranspose,
  NotDifferentiableError,
  np,
  scan,
  type Tensor,
  vjp,
  vmap,
} from 'pullback';
import { describe, expect, test } from 'vitest';
import type { Row } from '../../laws/generators/row.ts';
import { generators } from '../../laws/generators.ts';
import { firstOrder } from '../../src/prim/registry.ts';
import { alone, joined } from '../../transforms/affine.ts';
import { message } from '../errors/message.ts';

describe('a rule of customJvp that is not linear in its tangents', () => {
  const withRule = (rule: (x: Tensor, t: Tensor) => Tensor): ((x: Tensor) => Tensor) =>
    customJvp(
      function wave(x: Tensor): Tensor {
        return np.sin(x);
      },
      ([x], [t]) => [np.sin(x), rule(x, t)] as const,
    );
  const refused: readonly (readonly [string, (x: Tensor, t: Tensor) => Tensor, RegExp])[] = [
    ['a bound', (_, t) => np.minimum(t, 1), /^min: is not linear/],
    ['a magnitude', (_, t) => np.abs(t), /^abs: is not linear/],
    ['a branch', (x, t) => np.where(np.greater(t, 0), np.mul(x, t), 0), /^select: is not linear in bool/],
    [
      'inside of a call',
      (x, t) => jit((v: Tensor, s: Tensor) => np.mul(np.sin(v), np.mul(s, s)))(x, t),
      /^mul: is not/,
    ],
    ['a step', (x, t) => scan((c: Tensor) => [np.mul(c, t), null], np.mul(x, t), null, { length: 2 })[0], /not linear/],
    [
      'without the tangent',
      (x) => np.cos(x),
      /^customJvp\(wave\): its rule returns a tangent that depends on the primals alone/,
    ],
  ];
  test.each(refused)('%s', (_, rule, words) => {
    const f = withRule(rule);
    for (const derivative of [
      () => grad(f)(1),
      () => jit(grad(f))(np.array(1)),
      () => linearize(f, [np.array(1)]),
      () => grad((x: Tensor) => np.sum(vmap(f)(x)))(np.ones([2])),
    ]) {
      expect(derivative).toThrow(NotDifferentiableError);
      expect(derivative).toThrow(words);
    }
    // For one tangent there is nothing to compare it with.
    expect(Number.isFinite(jvp(f, [np.array(1)], [np.array(1)])[1].item())).toBe(true);
  });

  test('the message names the equation, its line and the function', () => {
    const f = withRule((x, t) => np.mul(x, np.mul(t, t)));
    expect(message(() => grad(f)(1))).toMatchInlineSnapshot(`
      "
      NotDifferentiableError: mul: is not linear in float32[] together with its other operands
        remedy: transpose only functions that are linear in all their arguments together
        at test/core/custom-linearity.test.ts:LINE
        while transposing mul from test/core/custom-linearity.test.ts:LINE
        while linearizing customJvp(wave), whose rule must be linear in the tangents: compute nothing but sums of them, and products with primals
      "
    `);
  });

  test('what only looks so: products with primals, loops and calls that carry both', () => {
    const power = (v: Tensor): Tensor => scan((c: Tensor) => [np.sin(np.mul(c, c)), null], v, null, { length: 3 })[0];
    for (const g of [power, jit((v: Tensor) => np.sin(np.mul(v, v))), checkpoint(power)]) {
      const f = withRule((x, t) => jvp(g, [x], [t])[1]);
      expect(grad(f)(1).item()).toBeCloseTo(grad(g)(1).item());
    }
    const signed = withRule((x, t) => np.where(np.greater(x, 0), np.mul(t, x), np.neg(t)));
    expect(grad(signed)(3).item()).toBe(3);
    expect(grad(signed)(-3).item()).toBe(-1);
    expect(grad(withRule((x) => np.zeros(x.shape)))(1).item()).toBe(0);
  });
});

describe('a bwd of customVjp that is not linear in the cotangent', () => {
  const x = np.array([1, 2, 3]);
  const withBwd = (bwd: (x: Tensor, ct: Tensor) => Tensor): ((x: Tensor) => Tensor) =>
    customVjp(
      function scaled(v: Tensor): Tensor {
        return v;
      },
      (v) => [v, v],
      (v, ct) => [bwd(v, ct)],
    );
  const one = np.ones([3]);
  const first = (v: Tensor, n: number): Tensor => np.index(v, [0, n]);
  const affine: readonly (readonly [string, (x: Tensor, ct: Tensor) => Tensor, RegExp])[] = [
    ['plus a number', (v, ct) => np.add(np.mul(ct, v), 1), /^add: is affine, not linear/],
    ['plus a residual', (v, ct) => np.sub(v, ct), /^sub: is affine/],
    ['plus a tensor that is closed over', (_, ct) => np.add(ct, one), /^add: is affine/],
    ['a constant', () => np.ones([3]), /^customVjp\(scaled\): its bwd returns a cotangent that does not depend on/],
    ['a residual', (v) => v, /^customVjp\(scaled\): its bwd returns a cotangent that does not depend on/],
    ['beside a residual', (v, ct) => np.concatenate([first(ct, 2), first(v, 1)]), /^concatenate: is affine/],
    ['beside padding', (_, ct) => lax.pad(first(ct, 2), np.array(1), [[0, 1, 0]]), /affine/],
    ['with an element set', (_, ct) => np.at(ct, 0).set(5), /is affine/],
    ['where a mask says so', (v, ct) => np.where(np.greater(v, 1), ct, 1), /^select: is affine/],
    ['in a call', (v, ct) => jit((a: Tensor, b: Tensor) => np.add(np.mul(a, b), 1))(v, ct), /^add: is affine/],
    [
      'in a checkpoint',
      (v, ct) => checkpoint((a: Tensor, b: Tensor) => np.add(np.mul(a, b), 1))(v, ct),
      /^add: is affine/,
    ],
    [
      'in a loop',
      (v, ct) => scan((c: Tensor) => [np.add(c, v), null], ct, null, { length: 2 })[0],
      /^add: is affine.*\n(.*\n)*.*while looking at scan/,
    ],
    [
      'in a loop that begins with a residual',
      (v, ct) =>
        scan(([, b]: [Tensor, Tensor]) => [[b, b], null], [v, ct] as [Tensor, Tensor], null, { length: 2 })[0][0],
      /^scan: is affine, not linear: of the carry 0 before and after a step/,
    ],
    [
      'in a branch',
      (v, ct) =>
        cond(
          np.greater(np.sum(v), 0),
          (t: Tensor) => t,
          () => np.ones([3]),
          ct,
        ),
      /^(cond|select): is affine, not linear/,
    ],
  ];
  test.each(affine)('%s', (_, bwd, words) => {
    const f = withBwd(bwd);
    // Reverse mode asks nothing of bwd.
    expect(grad((v: Tensor) => np.sum(f(v)))(x).shape).toEqual([3]);
    for (const forwards of [
      () => jvp(f, [x], [np.ones([3])]),
      () => jacfwd(f)(x),
      () => jit(jacfwd(f))(x),
      () => jvp(vmap(f), [np.ones([2, 3])], [np.ones([2, 3])]),
    ]) {
      expect(forwards).toThrow(NotDifferentiableError);
      expect(forwards).toThrow(words);
    }
  });

  test('the message names the equation, its line and the function', () => {
    const f = withBwd((v, ct) => np.add(np.mul(ct, v), 1));
    expect(message(() => jacfwd(f)(x))).toMatchInlineSnapshot(`
      "
      NotDifferentiableError: add: is affine, not linear: float32[3] depends on what it is to be linear in, float32[3] beside it does not and is not zero
        remedy: leave out what is added, or multiply it by something that is linear
        at test/core/custom-linearity.test.ts:LINE
        while looking at add from test/core/custom-linearity.test.ts:LINE
        in forward mode of customVjp(scaled), which transposes its bwd: let bwd be linear in the cotangent, use customJvp, or reverse mode
      "
    `);
  });

  const choosing = (_: Tensor, ct: Tensor): Tensor =>
    cond(
      np.greater(np.sum(ct), 0),
      (v: Tensor) => v,
      (v: Tensor) => np.mul(v, 2),
      ct,
    );
  test('a choice by the cotangent', () => {
    const f = withBwd(choosing);
    expect(grad((v: Tensor) => np.sum(f(v)))(x).toArray()).toEqual([1, 1, 1]);
    const g = customJvp(
      function scaled(v: Tensor): Tensor {
        return v;
      },
      ([v], [t]) => [v, choosing(v, t)],
    );
    for (const refused of [
      () => jvp(f, [x], [x]),
      () => jit(jacfwd(f))(x),
      () => linearTranspose((v: Tensor) => choosing(v, v), [x])(x),
      () =>
        linearTranspose((v: Tensor) => scan((c: Tensor) => [choosing(c, c), null], v, null, { length: 2 })[0], [x])(x),
      () => grad((v: Tensor) => np.sum(g(v)))(x),
      () => grad((v: Tensor) => np.sum(vmap(g)(v)))(np.ones([2, 3])),
    ]) {
      expect(refused).toThrow(NotDifferentiableError);
      expect(refused).toThrow(/^(cond: its predicate|select: is not linear)/);
    }
    expect(message(() => jvp(f, [x], [x]))).toMatchInlineSnapshot(`
      "
      NotDifferentiableError: cond: its predicate or index depends on what it is transposed in, and so it is not linear
        remedy: let the choice depend on residuals or primals only; for a derivative use vjp or grad, which linearize first
        at test/core/custom-linearity.test.ts:LINE
        while transposing cond from test/core/custom-linearity.test.ts:LINE
        in forward mode of customVjp(scaled), which transposes its bwd: let bwd be linear in the cotangent, use customJvp, or reverse mode
      "
    `);
  });

  test('what is linear: zeros beside cotangents, choices by residuals, loops that begin with zeros', () => {
    const linear: readonly ((x: Tensor, ct: Tensor) => Tensor)[] = [
      (_, ct) => np.where(np.array([true, false, true]), ct, 0),
      (_, ct) => lax.pad(first(ct, 2), np.array(0), [[0, 1, 0]]),
      (_, ct) => np.at(ct, 0).set(0),
      (_, ct) => np.at(np.zeros([3]), 0).add(np.index(ct, 1) as Tensor),
      (v, ct) =>
        scan((c: Tensor, t: Tensor) => [np.add(c, np.mul(t, v)), null], np.zeros([3]), np.reshape(ct, [3, 1]))[0],
      (v, ct) =>
        cond(
          np.greater(np.sum(v), 0),
          (t: Tensor) => np.mul(t, v),
          () => np.zeros([3]),
          ct,
        ),
      () => np.zeros([3]),
      // The carry of the transposed loop begins with a zero, which is multiplied by what is known.
      (v, ct) =>
        vjp((a: Tensor) => scan((c: Tensor) => [np.sin(c), c], a, null, { length: 2 })[1], [v])[1](
          np.stack([ct, ct]),
        )[0],
      (v, ct) => np.matmul(np.outer(v, v), ct),
      (v, ct) => np.linalg.solve(np.add(np.outer(v, v), np.eye(3)), ct),
      (v, ct) => np.take(ct, np.astype(np.sub(v, 1), 'int32')),
      (v, ct) => np.div(np.flip(np.cumsum(ct)), np.add(v, 1)),
      (v, ct) => vjp((a: Tensor) => np.sin(np.mul(a, a)), [v])[1](ct)[0],
    ];
    for (const bwd of linear) {
      const f = withBwd(bwd);
      expect(np.allclose(jacfwd(f)(x), jacrev(f)(x)).item()).toBe(true);
    }
  });
});

test('what a rule of customJvp adds to a tangent is refused where it is linearized', () => {
  const x = np.array([1, 2]);
  for (const [rule, words] of [
    [(v: Tensor, t: Tensor) => np.add(t, v), /^add: is affine/],
    [(_: Tensor, t: Tensor) => np.at(t, 0).set(1), /is affine/],
    [(v: Tensor, t: Tensor) => scan((c: Tensor) => [np.add(c, v), null], t, null, { length: 2 })[0], /^add: is affine/],
  ] as const) {
    const f = customJvp(
      (v: Tensor) => v,
      ([v], [t]) => [v, rule(v, t)],
    );
    expect(() => linearize(f, [x])).toThrow(NotDifferentiableError);
    expect(() => linearize(f, [x])).toThrow(words);
  }
});

test('linearTranspose refuses a function that adds a constant, or returns one', () => {
  const x = np.array([1, 2]);
  expect(() => linearTranspose((v: Tensor) => np.add(v, 1), [x])).toThrow(/^add: is affine/);
  expect(() => linearTranspose((v: Tensor) => np.sub(v, x), [x])).toThrow(/^sub: is affine/);
  expect(message(() => linearTranspose((v: Tensor) => [v, np.ones([2])], [x]))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: linearTranspose: output 1 of the function, float32[2], depends on no argument, and so is not linear in them
      remedy: return linear functions of the arguments only
      at test/core/custom-linearity.test.ts:LINE
    "
  `);
});

test('in which operands primitives are linear is what the generator table says', () => {
  const sets = Object.entries(generators).flatMap(([name, row]) => {
    if (!(name in firstOrder) || name === 'optimization_barrier' || name === 'tap') return [];
    const { calls, linear } = row as Row<unknown>;
    const drawn = fc.sample(calls(['float32']), { numRuns: 20, seed: 1 }).filter(({ ins }) => ins.length > 1);
    return drawn.flatMap((call) => linear(call)).map((set) => ({ name, set }));
  });
  const names = (of: (set: readonly number[]) => boolean): readonly string[] =>
    [...new Set(sets.filter(({ set }) => of(set)).map(({ name }) => name))].sort();
  expect(names((set) => set.length > 1)).toEqual(Object.keys(joined).sort());
  const one = sets.filter(({ name, set }) => set.length === 1 && !(name in joined));
  expect([...new Set(one.map(({ name }) => name))].sort()).toEqual(Object.keys(alone).sort());
  for (const { name, set } of one) expect(alone[name as keyof typeof alone]).toContain(set[0]);
});
