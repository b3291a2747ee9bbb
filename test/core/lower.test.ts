/** `jit(f).lower(…).compile()` on any device: what it is called with, and what it refuses. */

import { type Aval, evalShape, grad, jit, np, referenceDevice, type Tensor, vmap, withDefaultDevice } from 'pullback';
import { expect, test } from 'vitest';
import { message } from '../errors/message.ts';

const float32 = (...shape: number[]): Aval<'float32'> => evalShape(() => np.zeros(shape));
const x = np.array([1, 2, 3]);
const scaled = jit((p: { readonly w: Tensor; readonly b?: Tensor }, by: number) => np.mul(p.w, by));
const compiled = scaled.lower({ w: float32(3) }, 2).compile();

test('lowered: the jaxpr as it was traced', () => {
  const lowered = jit((v: Tensor) => np.sum(np.mul(v, v))).lower(float32(3));
  expect(lowered.text()).toMatchInlineSnapshot(`
    "{ lambda ; a:f32[3]. let
      b:f32[3] = mul a a
      c:f32[] = reduce_sum[axes=(0)] b
    in (c,) }"
  `);
  expect(`${lowered}`).toBe(lowered.text());
});

test('compiled: a function, under every transform', () => {
  expect(compiled({ w: x }, 2).toArray()).toEqual([2, 4, 6]);
  expect(compiled.name).toBe('compiled(anonymous)');
  expect(grad((v: Tensor) => np.sum(compiled({ w: v }, 2)))(x).toArray()).toEqual([2, 2, 2]);
  expect(vmap((v: Tensor) => compiled({ w: v }, 2))(np.array([[1, 2, 3]])).toArray()).toEqual([[2, 4, 6]]);
  const squared = jit((v: Tensor) => np.mul(v, v));
  expect(jit((v: Tensor) => squared.lower(v).compile()(v))(x).toArray()).toEqual([1, 4, 9]);
});

test('static and donated arguments', () => {
  const f = jit((v: Tensor, mode: string) => (mode === 'double' ? np.add(v, v) : v), {
    staticArgnums: 1,
    donateArgnums: 0,
  });
  const double = f.lower(float32(3), 'double').compile();
  const given = np.array([1, 2, 3]);
  expect(double(given, 'double').toArray()).toEqual([2, 4, 6]);
  expect(message(() => given.toArray())).toContain('DonatedTensorError');
  expect(message(() => double(x, 'same'))).toMatchInlineSnapshot(`
    "
    TreeError: compiled(anonymous): the static args[1] is "same", it was compiled for "double"
      remedy: lower and compile for such arguments, or call the jitted function, which does
      at test/core/lower.test.ts:LINE
    "
  `);
});

test('arguments of another kind are named', () => {
  expect(message(() => compiled({ w: np.zeros([4]) }, 2))).toMatchInlineSnapshot(`
    "
    ShapeError: compiled(anonymous): args[0].w is float32[4], it was compiled for float32[3]
      remedy: lower and compile for such arguments, or call the jitted function, which does
      at test/core/lower.test.ts:LINE
    "
  `);
  expect(message(() => compiled({ w: np.zeros([3], { dtype: 'int32' }) as never }, 2))).toMatchInlineSnapshot(`
    "
    DTypeError: compiled(anonymous): args[0].w is int32[3], it was compiled for float32[3]
      remedy: lower and compile for such arguments, or call the jitted function, which does
      at test/core/lower.test.ts:LINE
    "
  `);
  expect(message(() => compiled({ w: x, b: x }, 2))).toMatchInlineSnapshot(`
    "
    TreeError: compiled(anonymous): it was compiled for other arguments: args[0].b is in only one of the two
      remedy: lower and compile for such arguments, or call the jitted function, which does
      at test/core/lower.test.ts:LINE
    "
  `);
  expect(message(() => compiled({ w: x }, 3))).toMatchInlineSnapshot(`
    "
    TreeError: compiled(anonymous): it was compiled for other arguments: args[1]: the static 2 beside the static 3
      remedy: lower and compile for such arguments, or call the jitted function, which does
      at test/core/lower.test.ts:LINE
    "
  `);
});

test('the reference device has the jaxpr, and says which device has more', () => {
  const reference = referenceDevice();
  const compiled = withDefaultDevice(reference, () => scaled.lower({ w: float32(3) }, 2).compile());
  expect(compiled.text('jaxpr')).toMatchInlineSnapshot(`
    "{ lambda ; a:f32[3]. let
      b:f32[3] = broadcast_in_dim[broadcastDimensions=() shape=(3)] 2:f32[]
      c:f32[3] = mul a b
    in (c,) }"
  `);
  expect(message(() => compiled.text('plan'))).toMatchInlineSnapshot(`
    "
    CompileError: text('plan'): the device reference runs equations one by one: it has no plan
      remedy: compile on a device that makes loops of them: withDefaultDevice(wasmDevice(), () => f.lower(…).compile())
      at test/core/lower.test.ts:LINE
    "
  `);
  expect(message(() => compiled.text('loops'))).toMatchInlineSnapshot(`
    "
    CompileError: text('loops'): the device reference runs equations one by one: it has no loops
      remedy: compile on a device that makes loops of them: withDefaultDevice(wasmDevice(), () => f.lower(…).compile())
      at test/core/lower.test.ts:LINE
    "
  `);
  expect(message(() => compiled.text('wat'))).toMatchInlineSnapshot(`
    "
    CompileError: text('wat'): the device reference runs equations one by one: it has no code
      remedy: compile on a device that makes loops of them: withDefaultDevice(wasmDevice(), () => f.lower(…).compile())
      at test/core/lower.test.ts:LINE
    "
  `);
  expect(message(() => compiled.cost())).toMatchInlineSnapshot(`
    "
    CompileError: cost(): the device reference runs equations one by one: it has no loops to count
      remedy: compile on a device that makes loops of them: withDefaultDevice(wasmDevice(), () => f.lower(…).compile())
      at test/core/lower.test.ts:LINE
    "
  `);
  const there = withDefaultDevice(reference, () => np.ones([3]));
  expect(message(() => compiled.profile({ w: there }, 2))).toMatchInlineSnapshot(`
    "
    CompileError: profile(): the device reference runs equations one by one: it has no steps to time
      remedy: compile on a device that makes loops of them: withDefaultDevice(wasmDevice(), () => f.lower(…).compile())
      at test/core/lower.test.ts:LINE
    "
  `);
});

test('what closes over a value of a transform has no constants to compile with', () => {
  expect(
    message(() =>
      vmap((v: Tensor) =>
        jit((w: Tensor) => np.add(v, w))
          .lower(float32(3))
          .compile()(x),
      )(np.ones([2, 3])),
    ),
  ).toMatchInlineSnapshot(`
    "
    CompileError: compile: anonymous closes over a value that a transform is looking at
      remedy: lower and compile outside of the transform, with that value as an argument
      at test/core/lower.test.ts:LINE
    "
  `);
  expect(
    message(() => vmap((v: Tensor) => np.mul(v, compiled.profile({ w: v }, 2).milliseconds))(np.ones([2, 3]))),
  ).toMatchInlineSnapshot(`
    "
    ConcretizationError: profile of anonymous: an argument is a tracer of float32[3]: only a run on tensors takes time
      remedy: profile outside of transforms
      at test/core/lower.test.ts:LINE
    "
  `);
});
