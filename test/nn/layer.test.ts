/** Composition of layers: what types infer and refuse, parameters, messages. */

import { grad, jit, nn, np, random, type Tensor } from 'pullback';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { message } from '../errors/message.ts';

const key = random.key(0);

describe('composition', () => {
  const model = nn.serial(nn.dense.layer(3, 4), nn.lift(nn.tanh), nn.residual(nn.dense.layer(4, 4)));
  const params = model.init(key);

  it('has the parameters and the types of its parts', () => {
    expectTypeOf(params).toEqualTypeOf<readonly [nn.DenseParams, null, nn.DenseParams]>();
    expectTypeOf(model.apply(params)).toEqualTypeOf<(x: Tensor) => Tensor>();
    const pair = nn.parallel(
      model,
      nn.lift((x: Tensor<'int32'>) => np.add(x, 1) as Tensor<'int32'>),
    );
    expectTypeOf<nn.InputOf<typeof pair>>().toEqualTypeOf<readonly [Tensor, Tensor<'int32'>]>();
    expectTypeOf<nn.OutputOf<typeof pair>>().toEqualTypeOf<readonly [Tensor, Tensor<'int32'>]>();
  });

  it('says which of them is no layer', () => {
    const [relu, none] = [nn.relu as unknown as nn.AnyLayer, undefined as unknown as nn.AnyLayer];
    expect(message(() => nn.serial(nn.dense.layer(3, 4), relu))).toMatchInlineSnapshot(`
      "
      TreeError: nn.serial: layer 1 is the function without a name, not a layer: it has no init and apply
        remedy: use nn.NAME.layer(…), or lift a function: nn.lift(nn.relu)
        at test/nn/layer.test.ts:LINE
      "
    `);
    expect(() => nn.parallel(none)).toThrow('nn.parallel: layer 0 is undefined, not a layer');
    expect(() => nn.fanOut(none)).toThrow('nn.fanOut: layer 0 is undefined, not a layer');
    expect(() => nn.residual(none as never)).toThrow('nn.residual: layer 0 is undefined, not a layer');
  });

  it('is the composition of the layers with their parameters', () => {
    const x = random.normal(key, [2, 3]);
    const hidden = np.tanh(nn.dense(params[0])(x));
    const wanted = np.add(hidden, nn.dense(params[2])(hidden));
    expect(model.apply(params)(x).toArray()).toEqual(wanted.toArray());
    expect(np.allclose(jit(model.apply(params))(x), wanted).item()).toBe(true);
    const loss = (p: typeof params): Tensor => np.sum(model.apply(p)(x));
    expect(np.allclose(jit(grad(loss))(params)[0].w, grad(loss)(params)[0].w).item()).toBe(true);
  });

  it('draws the parameters of each layer by a key of its own', () => {
    const [a, b] = nn.parallel(nn.dense.layer(3, 4), nn.dense.layer(3, 4)).init(key);
    const keys = random.split(key);
    expect(a.w.toArray()).toEqual(nn.dense.init(keys[0], 3, 4).w.toArray());
    expect(b.w.toArray()).toEqual(nn.dense.init(keys[1], 3, 4).w.toArray());
  });

  it('refuses by type what does not follow', () => {
    const labels = nn.lift((x: Tensor) => np.argmax(x, -1) as Tensor<'int32'>);
    // @ts-expect-error: dense takes float32, labels are int32
    nn.serial(labels, nn.dense.layer(3, 4));
    // @ts-expect-error: what is bridged must be of one type
    nn.residual(labels);
  });

  it('says which shapes a residual connection cannot bridge', () => {
    const block = nn.residual(nn.dense.layer(3, 1));
    expect(message(() => block.apply(block.init(key))(np.ones([2, 3])))).toMatchInlineSnapshot(`
      "
      ShapeError: nn.residual: the layer makes float32[2,1] of float32[2,3]
        remedy: bridge layers that keep the shape, or sum what nn.fanOut gives
        at test/nn/layer.test.ts:LINE
      "
    `);
  });
});
