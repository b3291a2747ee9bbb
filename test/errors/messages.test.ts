/** Every message, verbatim: the operation, shapes and dtypes, the path in the tree, the user's line, the remedy. */

import { grad, jit, jvp, makeJaxpr, np, PullbackError, type Tensor, tree, valueAndGrad, vjp, vmap } from 'pullback';
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
      np.add(x, np.array([1, 2]));
      throw new Error('nothing was thrown');
    } catch (error) {
      return error as Error;
    }
  };
  const line = thrown().message.match(/messages\.test\.ts:(\d+):/)?.[1];
  expect(Number(line)).toBe(26);
});

test('shapes that do not broadcast', () => {
  expect(message(() => np.add(x, np.array([1, 2])))).toMatchInlineSnapshot();
});

test('contracting axes that differ', () => {
  expect(message(() => np.matmul(np.zeros([2, 3]), np.zeros([4, 5])))).toMatchInlineSnapshot();
});

test('a dtype that an operation does not take', () => {
  expect(message(() => np.bitwiseAnd(x as never, ints))).toMatchInlineSnapshot();
});

test('an axis out of range', () => {
  expect(message(() => np.sum(x, 1))).toMatchInlineSnapshot();
  expect(message(() => np.concatenate([x, x], -2))).toMatchInlineSnapshot();
});

test('a shape of another size', () => {
  expect(message(() => np.reshape(x, [2, 2]))).toMatchInlineSnapshot();
});

test('a loss that is not a scalar', () => {
  expect(message(() => grad((v: Tensor) => np.mul(v, v))(x))).toMatchInlineSnapshot();
  expect(message(() => valueAndGrad((v: Tensor) => ({ a: total(v) }))(x))).toMatchInlineSnapshot();
});

test('an integer input to grad', () => {
  const loss = (p: { readonly n: Tensor<'int32'> }): Tensor => np.sum(np.astype(p.n, 'float32'));
  expect(message(() => grad(loss)({ n: ints }))).toMatchInlineSnapshot();
});

test('JS operators on a tracer', () => {
  expect(
    message(() => jit((v: Tensor) => ((v as unknown as number) > 0 ? v : np.negative(v)))(np.array(1))),
  ).toMatchInlineSnapshot();
  expect(
    message(() => grad((v: Tensor) => np.mul(v, (v as unknown as number) + 1))(np.array(1))),
  ).toMatchInlineSnapshot();
  expect(message(() => jit((v: Tensor) => np.mul(v, Number(`${v}`)))(np.array(1)))).toMatchInlineSnapshot();
  expect(message(() => vmap((v: Tensor) => np.mul(v, JSON.stringify(v).length))(x))).toMatchInlineSnapshot();
});

test('item() of a staged tracer and of a lane', () => {
  expect(
    message(() => jit((v: Tensor) => (np.greater(v, 0).item() ? v : np.negative(v)))(np.array(1))),
  ).toMatchInlineSnapshot();
  expect(message(() => vmap((v: Tensor) => (v.item() > 0 ? v : np.negative(v)))(x))).toMatchInlineSnapshot();
  expect(message(() => makeJaxpr((v: Tensor) => np.array(v.dataSync()))(x))).toMatchInlineSnapshot();
});

test('a leaked tracer', () => {
  let leaked = x;
  grad((v: Tensor) => {
    leaked = v;
    return total(v);
  })(x);
  expect(message(() => np.add(leaked, 1))).toMatchInlineSnapshot();
  expect(message(() => jit((v: Tensor) => np.add(v, leaked))(x))).toMatchInlineSnapshot();
  expect(message(() => leaked.item())).toMatchInlineSnapshot();
});

test('an async function', () => {
  const loss = (async (v: Tensor) => total(v)) as unknown as (v: Tensor) => Tensor;
  expect(message(() => grad(loss)(x))).toMatchInlineSnapshot();
  expect(message(() => jit(loss)(x))).toMatchInlineSnapshot();
});

test('mapped sizes that differ', () => {
  const f = (p: { readonly a: Tensor }, v: Tensor): Tensor => np.add(p.a, v);
  expect(message(() => vmap(f)({ a: np.zeros([2, 3]) }, np.zeros([4, 3])))).toMatchInlineSnapshot();
  expect(message(() => vmap(f, [null, 2])({ a: x }, np.zeros([4, 3])))).toMatchInlineSnapshot();
  expect(message(() => vmap(f, [{ b: 0 }, 0])({ a: x }, x))).toMatchInlineSnapshot();
});

test('trees that differ', () => {
  expect(message(() => tree.map2(np.add as never, { w: x, b: x }, { w: x } as never))).toMatchInlineSnapshot();
  expect(
    message(() => jvp((p: { readonly w: Tensor }) => total(p.w), [{ w: x }], [{ v: x } as never])),
  ).toMatchInlineSnapshot();
  expect(message(() => jvp(total, [x], [np.zeros([2])]))).toMatchInlineSnapshot();
  expect(message(() => vjp(total, [x])[1](np.zeros([2])))).toMatchInlineSnapshot();
});

test('what a tree does not hold', () => {
  class Layer {
    readonly w = x;
  }
  expect(
    message(() => grad((p: { readonly w: unknown }) => np.sum(p.w as Tensor))({ w: new Float32Array(3) })),
  ).toMatchInlineSnapshot();
  expect(message(() => jit((layers: readonly Layer[]) => total(layers[0]!.w))([new Layer()]))).toMatchInlineSnapshot();
  expect(message(() => grad((p: { readonly rate: number }) => np.array(p.rate))({ rate: 1 }))).toMatchInlineSnapshot();
});

test('numbers beside integer tensors', () => {
  expect(message(() => np.add(ints, 0.5))).toMatchInlineSnapshot();
  expect(message(() => np.mul(np.array([1], { dtype: 'uint32' }), -1))).toMatchInlineSnapshot();
});

test('an error in a rule names the operation that it transposes', () => {
  const transposed = (): unknown => vjp((v: Tensor) => np.mul(v, v), [x])[1](ints as never);
  expect(message(transposed)).toMatchInlineSnapshot();
});

test('a donated tensor', () => {
  const mine = np.array([1]);
  jit(total, { donateArgnums: 0 })(mine);
  expect(message(() => np.add(mine, 1))).toMatchInlineSnapshot();
});
