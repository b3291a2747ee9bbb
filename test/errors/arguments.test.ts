/** Messages about what functions are given, verbatim. */

import { grad, jacrev, jit, jvp, lax, linearTranspose, makeJaxpr, np, type Tensor, tree, vjp } from 'pullback';
import { expect, test } from 'vitest';
import { message } from './message.ts';

const x = np.array([1, 2, 3]);
const ints = np.array([1, 2, 3], { dtype: 'int32' });
const total = (v: Tensor): Tensor => np.sum(v);

test('trees that differ', () => {
  expect(message(() => tree.map2(np.add as never, { w: x, b: x }, { w: x } as never))).toMatchInlineSnapshot(`
    "
    TreeError: tree.map2: the trees have different structures: b is in only one of the two
      remedy: pass trees with the same keys, lengths and static values
      at test/errors/arguments.test.ts:LINE
    "
  `);
  expect(
    message(() => jvp((p: { readonly w: Tensor }) => total(p.w), [{ w: x }], [{ v: x } as never])),
  ).toMatchInlineSnapshot(`
    "
    TreeError: jvp: tangent[0] must have the keys w, has v
      remedy: give each tangent the structure of what it belongs to, with null (zero) where it has none
      at test/errors/arguments.test.ts:LINE
    "
  `);
  expect(message(() => jvp(total, [x], [np.zeros([2])]))).toMatchInlineSnapshot(`
    "
    ShapeError: jvp: tangent[0] must be float32[3], got float32[2]
      remedy: give each tangent the shape and dtype of what it belongs to
      at test/errors/arguments.test.ts:LINE
    "
  `);
  expect(message(() => vjp(total, [x])[1](np.zeros([2])))).toMatchInlineSnapshot(`
    "
    ShapeError: vjp: cotangent must be float32[], got float32[2]
      remedy: give each cotangent the shape and dtype of what it belongs to
      at test/errors/arguments.test.ts:LINE
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
      at test/errors/arguments.test.ts:LINE
    "
  `);
  expect(message(() => jit((layers: readonly Layer[]) => total(layers[0]!.w))([new Layer()]))).toMatchInlineSnapshot(`
    "
    TreeError: jit: args[0][0] is an instance of Layer, which is not a node of trees
      remedy: use a plain object or array, or register the class with tree.registerNode
      at test/errors/arguments.test.ts:LINE
    "
  `);
  expect(message(() => grad((p: { readonly rate: number }) => np.array(p.rate))({ rate: 1 }))).toMatchInlineSnapshot(`
    "
    TreeError: grad: args[0] has no tensor to differentiate with respect to: it is {"rate":1}
      remedy: pass tensors (np.array(…)), or choose other arguments with argnums
      at test/errors/arguments.test.ts:LINE
    "
  `);
});

test('numbers beside integer tensors', () => {
  expect(message(() => np.add(ints, 0.5))).toMatchInlineSnapshot(`
    "
    DTypeError: np.add: the number 0.5 is not an integer, but beside int32[3] it must be one
      remedy: cast the tensor first: np.astype(x, 'float32')
      at test/errors/arguments.test.ts:LINE
    "
  `);
  expect(message(() => np.mul(np.array([1], { dtype: 'uint32' }), -1))).toMatchInlineSnapshot(`
    "
    DTypeError: np.mul: the number -1 is out of the range of uint32[1]: uint32 holds 0 to 4294967295
      remedy: cast the tensor first: np.astype(x, 'float32')
      at test/errors/arguments.test.ts:LINE
    "
  `);
});

test('what is not linear names the equation and the line that wrote it', () => {
  const square = (v: Tensor): Tensor => np.mul(v, v);
  expect(message(() => linearTranspose(square, [x])(x))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: mul: is not linear in float32[3] together with its other operands
      remedy: transpose only functions that are linear in all their arguments together
      at test/errors/arguments.test.ts:LINE
      while transposing mul from test/errors/arguments.test.ts:LINE
    "
  `);
  expect(message(() => linearTranspose((v: Tensor) => np.sin(v), [x])(x))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: sin: is not linear, so it cannot be transposed
      remedy: transpose linear functions only; for a derivative use vjp or grad, which linearize first
      at test/errors/arguments.test.ts:LINE
      while transposing sin from test/errors/arguments.test.ts:LINE
    "
  `);
  expect(message(() => linearTranspose(jit(square), [x])(x))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: mul: is not linear in float32[3] together with its other operands
      remedy: transpose only functions that are linear in all their arguments together
      at test/errors/arguments.test.ts:LINE
      while transposing mul from test/errors/arguments.test.ts:LINE
      while transposing jit from test/errors/arguments.test.ts:LINE
    "
  `);
});

test('argnums', () => {
  const f = (v: Tensor, n: Tensor<'int32'>): Tensor => np.sum(np.mul(v, n));
  expect(message(() => grad(f, { argnums: [0, 0] })(x, ints))).toMatchInlineSnapshot(`
    "
    TreeError: grad: argnums (0,0) names an argument twice
      remedy: name each argument once
      at test/errors/arguments.test.ts:LINE
    "
  `);
  expect(message(() => grad(f, { argnums: 1 })(x, ints))).toMatchInlineSnapshot(`
    "
    NotDifferentiableError: grad: args[1] is int32[3]: only floating-point inputs have derivatives
      remedy: cast it with np.astype(x, 'float32'), or leave it out of argnums
      at test/errors/arguments.test.ts:LINE
    "
  `);
  expect(message(() => jacrev(f, { argnums: 2 as 0 })(x, ints))).toMatchInlineSnapshot(`
    "
    TreeError: jacrev: argnums names argument 2, the function was called with 2
      remedy: count arguments from 0, or from the end with negative numbers
      at test/errors/arguments.test.ts:LINE
    "
  `);
});

test('parameters that are not integers', () => {
  expect(message(() => lax.integerPow(x, 2.5))).toMatchInlineSnapshot(`
    "
    ShapeError: integer_pow: the parameters do not fit: exponent is 2.5
      remedy: axes, lengths, strides and exponents are integers
      at test/errors/arguments.test.ts:LINE
      while computing lax.integerPow
    "
  `);
  expect(message(() => makeJaxpr((v: Tensor) => lax.slice(v, [0.5], [2]))(x))).toMatchInlineSnapshot(`
    "
    ShapeError: slice: the parameters do not fit: start[0] is 0.5
      remedy: axes, lengths, strides and exponents are integers
      at test/errors/arguments.test.ts:LINE
      while computing lax.slice
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
      at test/errors/arguments.test.ts:LINE
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
      at test/errors/arguments.test.ts:LINE
    "
  `);
});
