/** Every message, verbatim: the operation, shapes and dtypes, the path in the tree, the user's line, the remedy. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { grad, jit, makeJaxpr, np, type Tensor, valueAndGrad, vmap } from 'pullback';
import { expect, test } from 'vitest';
import { message } from './message.ts';

const x = np.array([1, 2, 3]);
const ints = np.array([1, 2, 3], { dtype: 'int32' });
const total = (v: Tensor): Tensor => np.sum(v);

test('the location is the line that made the call', () => {
  const thrown = (): Error => {
    try {
      np.add(x, np.array([1, 2])); // this line
      throw new Error('nothing was thrown');
    } catch (error) {
      return error as Error;
    }
  };
  const line = thrown().message.match(/messages\.test\.ts:(\d+):/)?.[1];
  const source = readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\n');
  expect(Number(line)).toBe(source.findIndex((text) => text.endsWith('// this line')) + 1);
});

test('shapes that do not broadcast', () => {
  expect(message(() => np.add(x, np.array([1, 2])))).toMatchInlineSnapshot(`
    "
    ShapeError: np.add: shapes float32[3] and float32[2] do not broadcast: axis -1 has length 3 beside 2
      remedy: lengths of axes, aligned at the last one, must be equal or 1; np.reshape and np.expandDims insert axes
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('contracting axes that differ', () => {
  expect(message(() => np.matmul(np.zeros([2, 3]), np.zeros([4, 5])))).toMatchInlineSnapshot(`
    "
    ShapeError: np.matmul: float32[2,3] and float32[4,5] do not multiply: axis 1 of the first has length 3, axis 0 of the second 4
      remedy: transpose or reshape one of them
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('a dtype that an operation does not take', () => {
  expect(message(() => np.bitwiseAnd(x as never, ints))).toMatchInlineSnapshot(`
    "
    DTypeError: np.bitwiseAnd: needs bool or an integer dtype, got float32[3]
      remedy: cast first with np.astype
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('an axis out of range', () => {
  expect(message(() => np.sum(x, 1))).toMatchInlineSnapshot(`
    "
    ShapeError: np.sum: axis 1 is out of range for float32[3], which has 1 axis
      remedy: use an axis from -1 to 0
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => np.concatenate([x, x], -2))).toMatchInlineSnapshot(`
    "
    ShapeError: np.concatenate: axis -2 is out of range for float32[3], which has 1 axis
      remedy: use an axis from -1 to 0
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('a shape of another size', () => {
  expect(message(() => np.reshape(x, [2, 2]))).toMatchInlineSnapshot(`
    "
    ShapeError: np.reshape: float32[3] has 3 elements, which do not fill [2,2]
      remedy: choose a shape with the same number of elements
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('a loss that is not a scalar', () => {
  expect(message(() => grad((v: Tensor) => np.mul(v, v))(x))).toMatchInlineSnapshot(`
    "
    NonScalarLossError: grad: the function must return one floating-point scalar, got float32[3]
      remedy: reduce it with np.sum or np.mean, return what is extra with hasAux, or use vjp, jacrev or jacfwd
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => valueAndGrad((v: Tensor) => ({ a: total(v) }))(x))).toMatchInlineSnapshot(`
    "
    NonScalarLossError: valueAndGrad: the function must return one floating-point scalar, got the tree {"a":*}
      remedy: reduce it with np.sum or np.mean, return what is extra with hasAux, or use vjp, jacrev or jacfwd
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('an integer input to grad', () => {
  const loss = (p: { readonly n: Tensor<'int32'> }): Tensor => np.sum(np.astype(p.n, 'float32'));
  expect(message(() => grad(loss)({ n: ints }))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: grad: args[0].n is int32[3]: only floating-point inputs have derivatives
      remedy: cast it with np.astype(x, 'float32'), or leave it out of argnums
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('JS operators on a tracer', () => {
  expect(
    message(() => jit((v: Tensor) => ((v as unknown as number) > 0 ? v : np.neg(v)))(np.array(1))),
  ).toMatchInlineSnapshot(`
    "
    ConcretizationError: a JS operator, comparison or template: the value of a tracer was asked for: float32[] is staged by jit(anonymous): it has no value until the program runs
      remedy: use np.add, np.greater, np.where, … instead of JS operators; read values outside the transformed function, or pass what decides the program as a static (non-tensor) argument
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(
    message(() => grad((v: Tensor) => np.mul(v, (v as unknown as number) + 1))(np.array(1))),
  ).toMatchInlineSnapshot(`
    "
    ConcretizationError: a JS operator, comparison or template: the value of a tracer was asked for: float32[] is being differentiated: only item() may read it
      remedy: use np.add, np.greater, np.where, … instead of JS operators; read values outside the transformed function, or pass what decides the program as a static (non-tensor) argument
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => jit((v: Tensor) => np.mul(v, Number(`${v}`)))(np.array(1)))).toMatchInlineSnapshot(`
    "
    ConcretizationError: a JS operator, comparison or template: the value of a tracer was asked for: float32[] is staged by jit(anonymous): it has no value until the program runs
      remedy: use np.add, np.greater, np.where, … instead of JS operators; read values outside the transformed function, or pass what decides the program as a static (non-tensor) argument
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => vmap((v: Tensor) => np.mul(v, JSON.stringify(v).length))(x))).toMatchInlineSnapshot(`
    "
    ConcretizationError: toJSON(): the value of a tracer was asked for: float32[] is one lane of a vmap over 3: it has as many values
      remedy: use np.add, np.greater, np.where, … instead of JS operators; read values outside the transformed function, or pass what decides the program as a static (non-tensor) argument
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('item() of a staged tracer and of a lane', () => {
  expect(
    message(() => jit((v: Tensor) => (np.greater(v, 0).item() ? v : np.neg(v)))(np.array(1))),
  ).toMatchInlineSnapshot(`
    "
    ConcretizationError: item(): the value of a tracer was asked for: bool[] is staged by jit(anonymous): it has no value until the program runs
      remedy: use np.add, np.greater, np.where, … instead of JS operators; read values outside the transformed function, or pass what decides the program as a static (non-tensor) argument
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => vmap((v: Tensor) => (v.item() > 0 ? v : np.neg(v)))(x))).toMatchInlineSnapshot(`
    "
    ConcretizationError: item(): the value of a tracer was asked for: float32[] is one lane of a vmap over 3: it has as many values
      remedy: use np.add, np.greater, np.where, … instead of JS operators; read values outside the transformed function, or pass what decides the program as a static (non-tensor) argument
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => makeJaxpr((v: Tensor) => np.array(v.dataSync()))(x))).toMatchInlineSnapshot(`
    "
    ConcretizationError: dataSync(): the value of a tracer was asked for: float32[3] is staged by makeJaxpr: it has no value until the program runs
      remedy: use np.add, np.greater, np.where, … instead of JS operators; read values outside the transformed function, or pass what decides the program as a static (non-tensor) argument
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('a leaked tracer', () => {
  let leaked = x;
  grad((v: Tensor) => {
    leaked = v;
    return total(v);
  })(x);
  expect(message(() => np.add(leaked, 1))).toMatchInlineSnapshot(`
    "
    EscapedTracerError: add: a tracer of float32[3] was used after the transform that made it had ended
      remedy: return the value from the transformed function instead of storing it in a variable outside
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => jit((v: Tensor) => np.add(v, leaked))(x))).toMatchInlineSnapshot(`
    "
    EscapedTracerError: jit(anonymous): a tracer of float32[3] was used after the transform that made it had ended
      remedy: return the value from the transformed function instead of storing it in a variable outside
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => grad((_: Tensor) => leaked)(np.array(1)))).toContain(
    'EscapedTracerError: grad: a tracer of float32[3]',
  );
  expect(message(() => vmap((_: Tensor) => leaked)(x))).toContain('EscapedTracerError: vmap: a tracer of float32[3]');
  expect(message(() => leaked.item())).toMatchInlineSnapshot(`
    "
    EscapedTracerError: item(): a tracer of float32[3] was used after the transform that made it had ended
      remedy: return the value from the transformed function instead of storing it in a variable outside
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('an async function', () => {
  const loss = (async (v: Tensor) => total(v)) as unknown as (v: Tensor) => Tensor;
  expect(message(() => grad(loss)(x))).toMatchInlineSnapshot(`
    "
    AsyncTraceError: grad: output is a Promise: what is computed after an await would escape the trace
      remedy: make the function synchronous; await data before calling it and pass it as an argument
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => jit(loss)(x))).toMatchInlineSnapshot(`
    "
    AsyncTraceError: jit(loss): output is a Promise: what is computed after an await would escape the trace
      remedy: make the function synchronous; await data before calling it and pass it as an argument
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('mapped sizes that differ', () => {
  const f = (p: { readonly a: Tensor }, v: Tensor): Tensor => np.add(p.a, v);
  expect(message(() => vmap(f)({ a: np.zeros([2, 3]) }, np.zeros([4, 3])))).toMatchInlineSnapshot(`
    "
    ShapeError: vmap: the mapped axes have different sizes: args[0].a float32[2,3] has 2 along axis 0; args[1] float32[4,3] has 4 along axis 0
      remedy: map axes of equal length, or pass null in inAxes for what is shared
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => vmap(f, [null, 2])({ a: x }, np.zeros([4, 3])))).toMatchInlineSnapshot(`
    "
    ShapeError: vmap: axis 2 is out of range for args[1], which is float32[4,3]
      remedy: use an axis from -2 to 1
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => vmap(f, [{ b: 0 }, 0])({ a: x }, x))).toMatchInlineSnapshot(`
    "
    TreeError: vmap: inAxes[0] is not a prefix of the structure it belongs to, {"a":*}
      remedy: use one axis for a whole subtree, or the same keys and lengths
      at test/errors/messages.test.ts:LINE
    "
  `);
});
