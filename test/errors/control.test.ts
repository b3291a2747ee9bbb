/** What loops and branches refuse, verbatim. */

import {
  associativeScan,
  cond,
  foriLoop,
  grad,
  jit,
  map,
  np,
  scan,
  switch_,
  type Tensor,
  vmap,
  whileLoop,
} from 'pullback';
import { expect, test } from 'vitest';
import { message } from './message.ts';

const x = np.array([1, 2, 3]);
const keep = (c: Tensor): readonly [Tensor, null] => [c, null];
const positive = (v: Tensor): Tensor<'bool'> => np.greater(v, 0);

test('a carry that changes its type', () => {
  expect(
    message(() =>
      scan(
        (c: { readonly h: Tensor }, v: Tensor) => [{ h: np.multiply(np.stack([c.h, c.h]), v) }, null] as never,
        { h: np.array(0) },
        x,
      ),
    ),
  ).toMatchInlineSnapshot(`
    "
    ShapeError: scan: the carry changes its type: carry.h is float32[] before a step and float32[2] after it
      remedy: start from a carry of the shape that the body returns
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(
    message(() =>
      scan((c: Tensor<'int32'>, v: Tensor) => [np.add(c, v), null] as never, np.array(0, { dtype: 'int32' }), x),
    ),
  ).toMatchInlineSnapshot(`
    "
    DTypeError: scan: the carry changes its type: carry is int32[] before a step and float32[] after it
      remedy: cast the initial carry, or what the body returns, with np.astype
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(
    message(() =>
      whileLoop(
        (c: { readonly a: Tensor }) => positive(c.a),
        (c) => ({ a: np.astype(c.a, 'float64') }) as never,
        { a: np.array(1) },
      ),
    ),
  ).toMatchInlineSnapshot(`
    "
    DTypeError: whileLoop: the carry changes its type: carry.a is float32[] before a step and float64[] after it
      remedy: cast the initial carry, or what the body returns, with np.astype
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(
    message(() => foriLoop(0, 3, (_, c: { readonly a: Tensor }) => ({ b: c.a }) as never, { a: np.array(1) })),
  ).toMatchInlineSnapshot(`
    "
    TreeError: foriLoop: the body returns a carry of another structure than it takes: carry.a is in only one of the two
      remedy: return a carry with the same keys, lengths and static values
      at test/errors/control.test.ts:LINE
    "
  `);
});

test('a body that returns no pair', () => {
  expect(message(() => scan(((c: Tensor) => c) as never, np.array(0), x))).toMatchInlineSnapshot(`
    "
    TreeError: scan: the body must return [carry, y], got float32[]
      remedy: return a pair; y is null if there is nothing to stack
      at test/errors/control.test.ts:LINE
    "
  `);
});

test('branches that disagree', () => {
  const at = np.array(1);
  expect(
    message(() =>
      cond(
        positive(at),
        (v: Tensor) => ({ a: v }),
        () => ({ a: x }) as never,
        at,
      ),
    ),
  ).toMatchInlineSnapshot(`
    "
    ShapeError: cond: the branches disagree: output.a is float32[3] in onFalse, float32[] in onTrue
      remedy: return the same shapes from every branch
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(
    message(() =>
      cond(
        positive(at),
        (v: Tensor) => v,
        (v: Tensor) => np.astype(v, 'int32') as never,
        at,
      ),
    ),
  ).toMatchInlineSnapshot(`
    "
    DTypeError: cond: the branches disagree: output is int32[] in onFalse, float32[] in onTrue
      remedy: cast with np.astype so that the dtypes are the same
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(
    message(() =>
      cond(
        positive(at),
        (v: Tensor) => [v],
        (v: Tensor) => [v, v] as never,
        at,
      ),
    ),
  ).toMatchInlineSnapshot(`
    "
    TreeError: cond: onFalse and onTrue return different structures: output: 2 elements beside 1
      remedy: return the same keys, lengths and static values from every branch
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(
    message(() => switch_(2, [(v: Tensor) => v, (v: Tensor) => v, () => x] as ((v: Tensor) => Tensor)[], at)),
  ).toMatchInlineSnapshot(`
    "
    ShapeError: switch_: the branches disagree: output is float32[] in branch 0, float32[] in branch 1, float32[3] in branch 2
      remedy: return the same shapes from every branch
      at test/errors/control.test.ts:LINE
    "
  `);
});

test('lengths that differ', () => {
  expect(message(() => scan(keep, np.array(0), { a: x, b: np.zeros([2, 2]) } as never))).toMatchInlineSnapshot(`
    "
    ShapeError: scan: lengths differ: xs.a float32[3] has 3, xs.b float32[2,2] has 2
      remedy: give all xs the same first axis, and leave length out or make it the same
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => scan(keep, np.array(0), x, { length: 4 }))).toMatchInlineSnapshot(`
    "
    ShapeError: scan: lengths differ: length is 4, xs float32[3] has 3
      remedy: give all xs the same first axis, and leave length out or make it the same
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => scan(keep, np.array(0), null as never))).toMatchInlineSnapshot(`
    "
    ShapeError: scan: there are no xs, and no length
      remedy: pass { length }
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => scan(keep, np.array(0), np.array(1)))).toMatchInlineSnapshot(`
    "
    ShapeError: scan: xs is float32[], which has no axis to run over
      remedy: give every tensor in xs a first axis, or let the body capture what is the same at each step
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => scan(keep, np.array(0), null as never, { length: -1 }))).toMatchInlineSnapshot(`
    "
    ShapeError: scan: length is -1
      remedy: pass a non-negative integer
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => scan(keep, np.array(0), x, { unroll: 0 }))).toMatchInlineSnapshot(`
    "
    ShapeError: scan: unroll is 0
      remedy: pass a positive integer, or true
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => map((v: Tensor) => v, x, { batchSize: 0.5 }))).toMatchInlineSnapshot(`
    "
    ShapeError: map: batchSize is 0.5
      remedy: pass a positive integer
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => associativeScan((a) => a, { a: x, b: np.zeros([2]) }))).toMatchInlineSnapshot(`
    "
    ShapeError: associativeScan: lengths differ: elems.a float32[3] has 3, elems.b float32[2] has 2
      remedy: give all elems the same length along the axis
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => associativeScan((a) => a, x, { axis: 1 }))).toMatchInlineSnapshot(`
    "
    ShapeError: associativeScan: axis 1 is out of range for elems, which is float32[3]
      remedy: choose an axis that all elems have
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => associativeScan((a) => np.sum(a) as never, x))).toMatchInlineSnapshot(`
    "
    ShapeError: associativeScan: the function takes float32[1] at elems, and returns float32[]
      remedy: keep shapes and dtypes; the function is applied to several elements at once, along the axis
      at test/errors/control.test.ts:LINE
    "
  `);
});

test('a predicate that is not a scalar of dtype bool', () => {
  expect(
    message(() =>
      whileLoop(
        (v: Tensor) => v as never,
        (v: Tensor) => v,
        np.array(1),
      ),
    ),
  ).toMatchInlineSnapshot(`
    "
    DTypeError: whileLoop: the predicate must be a scalar of dtype bool, got float32[]
      remedy: compare first (np.greater(x, 0), np.notEqual(x, 0)), and reduce with np.all or np.any
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(
    message(() =>
      whileLoop(
        (v: Tensor) => positive(v),
        (v: Tensor) => v,
        x,
      ),
    ),
  ).toMatchInlineSnapshot(`
    "
    DTypeError: whileLoop: the predicate must be a scalar of dtype bool, got bool[3]
      remedy: compare first (np.greater(x, 0), np.notEqual(x, 0)), and reduce with np.all or np.any
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(
    message(() =>
      cond(
        x as never,
        (v: Tensor) => v,
        (v: Tensor) => v,
        x,
      ),
    ),
  ).toMatchInlineSnapshot(`
    "
    DTypeError: cond: the predicate must be a scalar of dtype bool, got float32[3]
      remedy: compare first (np.greater(x, 0), np.notEqual(x, 0)), and reduce with np.all or np.any
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(
    message(() =>
      cond(
        1 as never,
        (v: Tensor) => v,
        (v: Tensor) => v,
        x,
      ),
    ),
  ).toMatchInlineSnapshot(`
    "
    DTypeError: cond: the predicate must be a scalar of dtype bool, got number
      remedy: compare first: np.greater(x, 0), np.notEqual(x, 0)
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => switch_(np.array(1) as never, [(v: Tensor) => v], x))).toMatchInlineSnapshot(`
    "
    DTypeError: switch_: the index must be an integer scalar, got float32[]
      remedy: cast it: np.astype(index, 'int32')
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => switch_(0, [], x))).toMatchInlineSnapshot(`
    "
    ShapeError: switch_: there is no branch
      remedy: pass at least one function
      at test/errors/control.test.ts:LINE
    "
  `);
});

test('a tensor for what is part of the program', () => {
  expect(
    message(() =>
      jit((n: Tensor<'int32'>) => scan(keep, np.array(0), null as never, { length: n as never }))(
        np.array(3, { dtype: 'int32' }),
      ),
    ),
  ).toMatchInlineSnapshot(`
    "
    ConcretizationError: scan: length is a tensor, int32[]: how often a scan runs is part of the program
      remedy: pass a JS number; for a trip count that is computed, use whileLoop or foriLoop
      at test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => foriLoop(0, np.array(2) as never, (_, c: Tensor) => c, np.array(1)))).toMatchInlineSnapshot(`
    "
    DTypeError: foriLoop: upper must be an integer, got float32[]
      remedy: pass a JS number, or a scalar cast with np.astype(x, 'int32')
      at test/errors/control.test.ts:LINE
    "
  `);
});

test('a value in a body, which is staged even where nothing else is', () => {
  expect(
    message(() => scan((c: Tensor, v: Tensor) => [v.item() > 0 ? c : v, null], np.array(0), x)),
  ).toMatchInlineSnapshot(`
    "
    ConcretizationError: item(): the value of a tracer was asked for: float32[] is staged by scan: it has no value until the program runs
      remedy: use np.add, np.greater, np.where, … instead of JS operators; read values outside the transformed function, or pass what decides the program as a static (non-tensor) argument
      at test/errors/control.test.ts:LINE
    "
  `);
});

test('a reverse-mode derivative of a while loop', () => {
  const f = (v: Tensor): Tensor =>
    whileLoop(
      (u: Tensor) => np.less(u, 10),
      (u: Tensor) => np.mul(u, 2),
      v,
    );
  expect(message(() => grad(f)(1))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: whileLoop: has no reverse-mode derivative: it would need what every step has computed, and how many steps there are is known only when they have run
      remedy: use scan, or foriLoop with JS numbers for bounds, if the number of steps is known; else jvp or jacfwd, or stopGradient of what goes in
      at test/errors/control.test.ts:LINE
      while transposing while from test/errors/control.test.ts:LINE
    "
  `);
  expect(message(() => grad((v: Tensor) => np.sum(vmap(f)(v)))(x))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: whileLoop: has no reverse-mode derivative: it would need what every step has computed, and how many steps there are is known only when they have run
      remedy: use scan, or foriLoop with JS numbers for bounds, if the number of steps is known; else jvp or jacfwd, or stopGradient of what goes in
      at test/errors/control.test.ts:LINE
      while transposing while from test/errors/control.test.ts:LINE
    "
  `);
});
