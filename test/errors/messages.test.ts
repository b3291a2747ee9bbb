/** Every message, verbatim: the operation, shapes and dtypes, the path in the tree, the user's line, the remedy. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  grad,
  jacrev,
  jit,
  jvp,
  lax,
  linearTranspose,
  makeJaxpr,
  np,
  PullbackError,
  type Tensor,
  tree,
  valueAndGrad,
  vjp,
  vmap,
} from 'pullback';
import { expect, test } from 'vitest';

/** The error's tag and message; positions in this file are reduced to `LINE`. */
function message(f: () => unknown): string {
  try {
    f();
  } catch (error) {
    if (!(error instanceof PullbackError)) throw error;
    return `\n${error._tag}: ${error.message.replaceAll(/messages\.test\.ts:\d+:\d+/g, 'messages.test.ts:LINE')}\n`;
  }
  throw new Error('nothing was thrown');
}

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

test('trees that differ', () => {
  expect(message(() => tree.map2(np.add as never, { w: x, b: x }, { w: x } as never))).toMatchInlineSnapshot(`
    "
    TreeError: tree.map2: the trees have different structures: b is in only one of the two
      remedy: pass trees with the same keys, lengths and static values
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(
    message(() => jvp((p: { readonly w: Tensor }) => total(p.w), [{ w: x }], [{ v: x } as never])),
  ).toMatchInlineSnapshot(`
    "
    TreeError: jvp: tangent[0] must have the keys w, has v
      remedy: give each tangent the structure of what it belongs to, with null (zero) where it has none
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => jvp(total, [x], [np.zeros([2])]))).toMatchInlineSnapshot(`
    "
    ShapeError: jvp: tangent[0] must be float32[3], got float32[2]
      remedy: give each tangent the shape and dtype of what it belongs to
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => vjp(total, [x])[1](np.zeros([2])))).toMatchInlineSnapshot(`
    "
    ShapeError: vjp: cotangent must be float32[], got float32[2]
      remedy: give each cotangent the shape and dtype of what it belongs to
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('what a tree does not hold', () => {
  class Layer {
    readonly w = x;
  }
  expect(
    message(() => grad((p: { readonly w: unknown }) => np.sum(p.w as Tensor))({ w: new Float32Array(3) })),
  ).toMatchInlineSnapshot(`
    "
    TreeError: grad: args[0].w is a Float32Array: a tree holds tensors, not host arrays
      remedy: wrap it with np.array(…)
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => jit((layers: readonly Layer[]) => total(layers[0]!.w))([new Layer()]))).toMatchInlineSnapshot(`
    "
    TreeError: jit: args[0][0] is an instance of Layer, which is not a node of trees
      remedy: use a plain object or array, or register the class with tree.registerNode
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => grad((p: { readonly rate: number }) => np.array(p.rate))({ rate: 1 }))).toMatchInlineSnapshot(`
    "
    TreeError: grad: args[0] has no tensor to differentiate with respect to: it is {"rate":1}
      remedy: pass tensors (np.array(…)), or choose other arguments with argnums
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('numbers beside integer tensors', () => {
  expect(message(() => np.add(ints, 0.5))).toMatchInlineSnapshot(`
    "
    DTypeError: np.add: the number 0.5 is not an integer, but beside int32[3] it must be one
      remedy: cast the tensor first: np.astype(x, 'float32')
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => np.mul(np.array([1], { dtype: 'uint32' }), -1))).toMatchInlineSnapshot(`
    "
    DTypeError: np.mul: the number -1 is out of the range of uint32[1]: uint32 holds 0 to 4294967295
      remedy: cast the tensor first: np.astype(x, 'float32')
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('what is not linear names the equation and the line that wrote it', () => {
  const square = (v: Tensor): Tensor => np.mul(v, v);
  expect(message(() => linearTranspose(square, [x])(x))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: mul: is not linear in float32[3] together with its other operands
      remedy: transpose only functions that are linear in all their arguments together
      at test/errors/messages.test.ts:LINE
      while transposing mul from test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => linearTranspose((v: Tensor) => np.sin(v), [x])(x))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: sin: is not linear, so it cannot be transposed
      remedy: transpose linear functions only; for a derivative use vjp or grad, which linearize first
      at test/errors/messages.test.ts:LINE
      while transposing sin from test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => linearTranspose(jit(square), [x])(x))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: mul: is not linear in float32[3] together with its other operands
      remedy: transpose only functions that are linear in all their arguments together
      at test/errors/messages.test.ts:LINE
      while transposing mul from test/errors/messages.test.ts:LINE
      while transposing jit from test/errors/messages.test.ts:LINE
    "
  `);
});

test('argnums', () => {
  const f = (v: Tensor, n: Tensor<'int32'>): Tensor => np.sum(np.mul(v, n));
  expect(message(() => grad(f, { argnums: [0, 0] })(x, ints))).toMatchInlineSnapshot(`
    "
    TreeError: grad: argnums (0,0) names an argument twice
      remedy: name each argument once
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => grad(f, { argnums: 1 })(x, ints))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: grad: args[1] is int32[3]: only floating-point inputs have derivatives
      remedy: cast it with np.astype(x, 'float32'), or leave it out of argnums
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => jacrev(f, { argnums: 2 as 0 })(x, ints))).toMatchInlineSnapshot(`
    "
    TreeError: jacrev: argnums names argument 2, the function was called with 2
      remedy: count arguments from 0, or from the end with negative numbers
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('parameters that are not integers', () => {
  expect(message(() => lax.integerPow(x, 2.5))).toMatchInlineSnapshot(`
    "
    ShapeError: integer_pow: the parameters do not fit: exponent is 2.5
      remedy: axes, lengths, strides and exponents are integers
      at test/errors/messages.test.ts:LINE
    "
  `);
  expect(message(() => makeJaxpr((v: Tensor) => lax.slice(v, [0.5], [2]))(x))).toMatchInlineSnapshot(`
    "
    ShapeError: slice: the parameters do not fit: start[0] is 0.5
      remedy: axes, lengths, strides and exponents are integers
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('cyclic trees, and keys that are symbols', () => {
  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  expect(message(() => tree.leaves(cyclic))).toMatchInlineSnapshot(`
    "
    TreeError: tree.leaves: self.self.self.self.self.self.self.self.self.self.self.self. … .self.self.self.self.self.self nests deeper than 1,000 levels: is it cyclic?
      remedy: break the cycle
    "
  `);
  expect(message(() => tree.leaves({ [Symbol('s')]: x }))).toMatchInlineSnapshot(`
    "
    TreeError: tree.leaves: the tree has symbols for keys, which trees would lose
      remedy: use strings for keys
      at test/errors/messages.test.ts:LINE
    "
  `);
});

test('a donated tensor', () => {
  const mine = np.array([1]);
  jit(total, { donateArgnums: 0 })(mine);
  expect(message(() => np.add(mine, 1))).toMatchInlineSnapshot(`
    "
    DonatedTensorError: Tensor: float32[1] was donated to a program, which may have overwritten it
      remedy: use the result of that program instead, or do not list the argument in donateArgnums
      at test/errors/messages.test.ts:LINE
    "
  `);
});
