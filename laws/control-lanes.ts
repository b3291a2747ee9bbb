/**
 * Laws of control flow on functions as people write them: lanes that part stay finite in value and derivative, and the loops that
 * say less than `scan` compute what it does.
 */

import * as fc from 'fast-check';
import { withDefaultDevice } from '../src/core/backend.ts';
import { NonFiniteError } from '../src/core/errors.ts';
import type { Value } from '../src/core/value.ts';
import * as np from '../src/ops/np.ts';
import type { Tensor } from '../src/ops/types.ts';
import { associativeScan } from '../transforms/associative-scan.ts';
import { grad, jvp } from '../transforms/autodiff.ts';
import { cond, switch_ } from '../transforms/branches.ts';
import { checkFinite } from '../transforms/finite.ts';
import { jit } from '../transforms/jit.ts';
import { foriLoop, map, scan } from '../transforms/loops.ts';
import { vmap } from '../transforms/vmap.ts';
import { whileLoop } from '../transforms/while.ts';
import { exact } from './fd.ts';
import { close, closeValues, hostTensor, sameValues, toHost, toTensor } from './host.ts';
import { every, expect, fails, type Law, law, type Verdict } from './law.ts';

type Unary = (x: Tensor) => Tensor;

const unrounded =
  <A extends readonly unknown[]>(property: (...args: A) => Verdict) =>
  (...args: A): Verdict =>
    withDefaultDevice(exact, () => property(...args));

/** Functions of which the value, the derivative or both are not finite at 0, and what they and their derivatives are beyond. */
const singular: Readonly<Record<string, readonly [Unary, (x: number) => number, (x: number) => number]>> = {
  sqrt: [np.sqrt as Unary, Math.sqrt, (x) => 0.5 / Math.sqrt(x)],
  log: [np.log as Unary, Math.log, (x) => 1 / x],
  reciprocal: [(x) => np.div(1, x), (x) => 1 / x, (x) => -1 / (x * x)],
  power: [(x) => np.power(x, 0.25) as Tensor, (x) => x ** 0.25, (x) => 0.25 * x ** -0.75],
};

/** Some points at 0, some at positive quarters. */
const points = fc.array(
  fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 12 }).map((k) => k / 4),
  ),
  {
    minLength: 1,
    maxLength: 4,
  },
);

const vector = (xs: readonly number[]): Tensor => toTensor(hostTensor([xs.length], 'float32', xs)) as Value as Tensor;

const ones = (xs: readonly number[]): Tensor => vector(xs.map(() => 1));

const numbers = (what: string, found: Value, wanted: readonly number[]): Verdict =>
  close(what, toHost(found), hostTensor([wanted.length], 'float32', wanted), 1e-10);

/** Values and derivatives of lanes, by all ways to them. */
const lanewise = (
  f: Unary,
  xs: readonly number[],
  value: (x: number) => number,
  slope: (x: number) => number,
): Verdict => {
  const [at, slopes] = [vector(xs), xs.map(slope)];
  return every(
    [
      ['vmap', vmap(f)(at), xs.map(value)],
      ['jit ∘ vmap', jit(vmap(f))(at), xs.map(value)],
      ['jvp ∘ vmap', jvp(vmap(f), [at], [ones(xs)])[1], slopes],
      ['vmap ∘ jvp', vmap((x: Tensor) => jvp(f, [x], [np.ones([])])[1])(at), slopes],
    ] as const,
    ([what, found, wanted]) => numbers(what, found, wanted),
  );
};

const reversed = (f: Unary, xs: readonly number[], slope: (x: number) => number): Verdict => {
  const [at, slopes] = [vector(xs), xs.map(slope)];
  return every(
    [
      ['vmap ∘ grad', vmap(grad(f) as Unary)(at)],
      ['grad ∘ vmap', grad((x: Tensor) => np.sum(vmap(f)(x)))(at)],
      ['jit ∘ grad ∘ vmap', jit(grad((x: Tensor) => np.sum(vmap(f)(x))))(at)],
    ] as const,
    ([what, found]) => numbers(what, found, slopes),
  );
};

const lanes: readonly Law[] = [
  law(
    'nothing of a branch that is not taken reaches a value or a derivative',
    [fc.constantFrom(...Object.keys(singular)), points, fc.boolean()],
    unrounded((name, xs, isFirst) => {
      const [f, value, slope] = singular[name]!;
      const other: Unary = (x) => np.mul(2, x);
      const chosen: Unary = (x) =>
        isFirst
          ? cond(np.greater(x, 0), f, other, x)
          : switch_(np.astype(np.greater(x, 0), 'int32'), [other, f, () => np.ones([])], x);
      const forward = lanewise(
        chosen,
        xs,
        (x) => (x > 0 ? value(x) : 2 * x),
        (x) => (x > 0 ? slope(x) : 2),
      );
      if (forward._tag === 'Fails') return forward;
      const verdict = reversed(chosen, xs, (x) => (x > 0 ? slope(x) : 2));
      if (verdict._tag === 'Fails') return verdict;
      const second = vmap(grad(grad(chosen) as Unary) as Unary)(vector(xs)).dataSync();
      return expect(second.every(Number.isFinite), () => `second derivatives are ${second}`);
    }),
  ),
  law(
    'a lane that has stopped stays as it is, and finite',
    [fc.constantFrom('sqrt', 'log', 'reciprocal'), points, fc.integer({ min: 0, max: 3 })],
    unrounded((name, xs, steps) => {
      // Lane x runs for as many steps as its integer part says, at most `steps`; at 0 the body is not finite.
      const [f, value, slope] = singular[name]!;
      const times = (x: number): number => Math.min(Math.floor(x), steps);
      const run: Unary = (x) =>
        whileLoop<readonly [Tensor, Tensor]>(
          ([i]) => np.less(np.add(i, 1), np.add(np.minimum(x, steps), 1e-9)) as Value<'bool'>,
          ([i, y]) => [np.add(i, 1), np.add(y, f(x))],
          [np.zeros([]), np.mul(x, 1) as Tensor],
        )[1];
      try {
        // Not even what is thrown away is infinite: a device may trap it, and a person who looks for NaN would find it.
        checkFinite((v: Tensor) => jvp(vmap(run), [v], [ones(xs)]), { infinities: true })(vector(xs));
      } catch (error) {
        if (error instanceof NonFiniteError) return fails(error.message);
        throw error;
      }
      return lanewise(
        run,
        xs,
        (x) => x + (times(x) > 0 ? times(x) * value(x) : 0),
        (x) => 1 + (times(x) > 0 ? times(x) * slope(x) : 0),
      );
    }),
  ),
];

const vectors = fc.array(
  fc.integer({ min: -8, max: 8 }).map((k) => k / 8),
  { minLength: 1, maxLength: 9 },
);

/** Associative operations on a tree of two vectors, with values that they start from. */
const associative = {
  sum: (a: Pair, b: Pair): Pair => ({ a: np.add(a.a, b.a), b: np.add(a.b, b.b) }),
  'largest and smallest': (a: Pair, b: Pair): Pair => ({
    a: np.maximum(a.a, b.a) as Tensor,
    b: np.minimum(a.b, b.b) as Tensor,
  }),
  // x ↦ a x + b, one after the other.
  'affine maps': (a: Pair, b: Pair): Pair => ({ a: np.mul(a.a, b.a), b: np.add(np.mul(b.a, a.b), b.b) }),
  'the last that is not zero': (a: Pair, b: Pair): Pair => ({
    a: np.where(np.equal(b.b, 0), a.a, b.a) as Tensor,
    b: np.where(np.equal(b.b, 0), a.b, b.b) as Tensor,
  }),
} as const;

interface Pair {
  readonly a: Tensor;
  readonly b: Tensor;
}

const simpler: readonly Law[] = [
  law(
    'associativeScan = scan, for associative operations, and so are their derivatives',
    [fc.constantFrom(...(Object.keys(associative) as (keyof typeof associative)[])), vectors, fc.boolean()],
    unrounded((name, xs, reverse) => {
      const fn = associative[name];
      const elems: Pair = { a: vector(xs), b: vector(xs.map((x) => 1 - x * x)) };
      const first = reverse ? -1 : 0;
      const stepwise = (p: Pair): Pair => {
        const init: Pair = { a: np.index(p.a, first) as Tensor, b: np.index(p.b, first) as Tensor };
        const rest = (v: Tensor): Tensor => np.index(v, reverse ? [0, -1] : [1, null]) as Tensor;
        const [, ys] = scan(
          (c: Pair, x: Pair): readonly [Pair, Pair] => {
            const next = fn(c, x);
            return [next, next];
          },
          init,
          { a: rest(p.a), b: rest(p.b) },
          { reverse },
        );
        const whole = (one: Tensor, more: Tensor): Tensor => {
          const single = np.reshape(one, [1]) as Tensor;
          return np.concatenate(reverse ? [more, single] : [single, more]) as Tensor;
        };
        return { a: whole(init.a, ys.a), b: whole(init.b, ys.b) };
      };
      const parallel = (p: Pair): Pair => associativeScan(fn, p, { reverse });
      const loss = (f: (p: Pair) => Pair) => (p: Pair) => np.sum(np.add(np.sin(f(p).a), np.mul(f(p).b, f(p).b)));
      const [found, wanted] = [parallel(elems), stepwise(elems)];
      const values = closeValues(name, [found.a, found.b], [wanted.a, wanted.b], 1e-10);
      // Extrema that tie share a tangent in the order in which they meet.
      if (values._tag === 'Fails' || name === 'largest and smallest') return values;
      const [g, h] = [grad(loss(parallel))(elems), grad(loss(stepwise))(elems)];
      return closeValues(`gradient of ${name}`, [g.a, g.b], [h.a, h.b], 1e-9);
    }),
  ),
  law('map = vmap, in batches of any size', [vectors, fc.integer({ min: 1, max: 10 })], (xs, batchSize) => {
    const f = (x: Tensor) => ({ y: np.sin(x), z: [np.mul(x, x)] as const });
    const [found, wanted] = [map(f, vector(xs), { batchSize }), vmap(f)(vector(xs))];
    return sameValues('map', [found.y, found.z[0]], [wanted.y, wanted.z[0]]);
  }),
  law(
    'foriLoop: with numbers for bounds, with tensors, and written out',
    [fc.integer({ min: -3, max: 3 }), fc.integer({ min: -3, max: 5 }), fc.integer({ min: -8, max: 8 })],
    unrounded((lower, upper, k) => {
      const step = (i: Value<'int32'>, c: Tensor): Tensor =>
        np.sin(np.add(np.mul(c, 2), np.astype(i, 'float32'))) as Tensor;
      const [x, t] = [vector([k / 8]), vector([1])];
      const int = (n: number): Value<'int32'> => np.array(n, { dtype: 'int32' });
      const fixed: Unary = (v) => foriLoop(lower, upper, step, v);
      const data: Unary = (v) => foriLoop(int(lower), int(upper), step, v);
      const plain: Unary = (v) => {
        let c = v;
        for (let i = lower; i < upper; i++) c = step(int(i), c);
        return c;
      };
      const sum =
        (f: Unary): Unary =>
        (v) =>
          np.sum(f(v));
      const [wanted, slope] = jvp(plain, [x], [t]);
      return closeValues(
        'foriLoop',
        [fixed(x), data(x), ...jvp(fixed, [x], [t]), ...jvp(data, [x], [t]), grad(sum(fixed))(x)],
        [wanted, wanted, wanted, slope, wanted, slope, slope],
        1e-10,
      );
    }),
  ),
  law(
    'unroll and reverse change how a scan runs, and not what it computes',
    [vectors, fc.oneof(fc.integer({ min: 1, max: 10 }), fc.boolean()), fc.boolean()],
    (xs, unroll, reverse) => {
      const step = (c: Tensor, x: Tensor): readonly [Tensor, Tensor] => [np.sin(np.add(c, x)), np.mul(c, x)];
      const run = (options: { readonly unroll?: number | boolean }) =>
        scan(step, np.ones([]), vector(xs), { reverse, ...options });
      const turned = (v: Tensor): Tensor => np.flip(v) as Tensor;
      const [last, ys] = run({});
      const verdict = sameValues('unrolled', run({ unroll }), [last, ys]);
      if (verdict._tag === 'Fails') return verdict;
      const [same, back] = scan(step, np.ones([]), turned(vector(xs)), { reverse: !reverse, unroll });
      return sameValues('turned', [same, turned(back)], [last, ys]);
    },
  ),
];

/** The laws of lanes that part, and of the simpler loops. */
export const laneLaws: readonly Law[] = [...lanes, ...simpler];
