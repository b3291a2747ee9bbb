/** `np.at(x, …)` where updates combine: products and extrema of what meets, and their derivatives where it is hard. */
import { grad, hessian, jvp, makeJaxpr, np, type Tensor, vjp, vmap } from 'pullback';
import { describe, expect, it } from 'vitest';

const integers = (values: readonly number[]): Tensor<'int32'> => np.array(Int32Array.from(values));

describe('mul', () => {
  const at = integers([1, 0, 1, 1, 5, -1]);
  const x = np.array([2, 3, 0, 5]);
  const f = (x: Tensor, u: Tensor) => np.at(x, at).mul(u);

  it('multiplies as often as an element is named, and drops what is outside', () => {
    expect(f(x, np.array([2, 7, 3, 4, 100, 10])).toArray()).toEqual([14, 72, 0, 50]);
    expect(np.at(x, at).mul(2, { mode: 'clip' }).toArray()).toEqual([4, 24, 0, 20]);
    expect(np.at(x, [1, 3]).multiply(-1).toArray()).toEqual([2, -3, -0, 5]);
    expect(np.at(np.arange(4), at).mul(3).toArray()).toEqual([0, 27, 2, 9]);
  });

  it('has the derivative of a product, at zeros too', () => {
    const u = np.array([0, 7, 3, 4, 100, 0]);
    const [dx, du] = vjp(f, [x, u])[1](np.array([1, 1, 1, 1]));
    expect(dx.toArray()).toEqual([7, 0, 1, 0]);
    expect(du.toArray()).toEqual([36, 2, 0, 0, 0, 5]);
    const twice = vjp(f, [x, np.array([0, 1, 0, 4, 1, 1])])[1](np.ones([4]))[1];
    expect(twice.toArray()).toEqual([0, 2, 0, 0, 0, 5]);
    const [, tangent] = jvp((u: Tensor) => f(x, u), [u], [np.ones([6])]);
    expect(tangent.toArray()).toEqual([2, 36, 0, 5]);
  });

  it('has second derivatives where two factors are zero', () => {
    const all = (u: Tensor) => np.index(np.at(np.array([2]), integers([0, 0, 0])).mul(u), 0);
    expect(hessian(all)(np.array([0, 0, 3])).toArray()).toEqual([
      [0, 6, 0],
      [6, 0, 0],
      [0, 0, 0],
    ]);
    expect(hessian(all)(np.array([4, 0, 3])).toArray()).toEqual([
      [0, 6, 0],
      [6, 0, 8],
      [0, 8, 0],
    ]);
    const third = grad((u: Tensor) => np.sum(np.index(hessian(all)(u), 0, 1)));
    expect(third(np.array([0, 0, 0])).toArray()).toEqual([0, 0, 2]);
  });

  it('keeps infinities to the elements that they meet', () => {
    const u = np.array([Infinity, 7, 3, 1, 1, 2]);
    const [, du] = vjp(f, [x, u])[1](np.array([1, 0, 0, 1]));
    expect(du.toArray()).toEqual([0, 2, NaN, NaN, 0, 5]);
    expect(vjp(f, [x, u])[1](np.ones([4]))[1].toArray()).toEqual([9, 2, Infinity, Infinity, 0, 5]);
  });

  it('is cheap where indices are unique', () => {
    const primitives = (unique: boolean): string[] =>
      makeJaxpr((u: Tensor) =>
        jvp((v: Tensor) => np.at(x, integers([2, 0])).mul(v, { uniqueIndices: unique }), [u], [u]),
      )(np.ones([2])).jaxpr.eqns.map((eqn) => eqn.primitive.name);
    expect(primitives(true)).not.toContain('sort');
    expect(primitives(false)).toContain('sort');
    expect(
      makeJaxpr((u: Tensor) => jvp((v: Tensor) => np.at(x, 1).mul(v), [u], [u]))(np.array(2)).jaxpr.eqns.map(
        (e) => e.primitive.name,
      ),
    ).not.toContain('sort');
  });
});

describe('min and max', () => {
  const at = integers([0, 1, 1, 1, 7]);
  const x = np.array([1, 2, 3]);
  it('keep the extremum of all that meet', () => {
    const u = np.array([5, 0, 4, -1, 9]);
    expect(np.at(x, at).max(u).toArray()).toEqual([5, 4, 3]);
    expect(np.at(x, at).min(u).toArray()).toEqual([1, -1, 3]);
    expect(np.at(x, 2).max(NaN).toArray()).toEqual([1, 2, NaN]);
    expect(
      np
        .at(np.array([true, false]), 0)
        .min(false)
        .toArray(),
    ).toEqual([false, false]);
    expect(
      np
        .at(np.array(Uint32Array.of(4294967295, 1)), [])
        .max(np.array(Uint32Array.of(7, 7)))
        .toArray(),
    ).toEqual([4294967295, 7]);
  });

  it('share the derivative at ties, as JAX does', () => {
    // jax.grad of x.at[i].max(u).sum(): ties among the operand's element and all updates for it.
    const [dx, du] = vjp((x: Tensor, u: Tensor) => np.at(x, at).max(u), [x, np.array([1, 2, 0, 2, 9])])[1](
      np.array([12, 6, 1]),
    );
    expect(dx.toArray()).toEqual([6, 2, 1]);
    expect(du.toArray()).toEqual([6, 2, 0, 2, 0]);
    const sums = vmap(grad((u: Tensor) => np.sum(np.at(x, at).min(u))))(
      np.array([
        [0, 1, 1, 5, 0],
        [3, 2, 2, 2, 0],
      ]),
    );
    expect(sums.toArray()).toEqual([
      [1, 0.5, 0.5, 0, 0],
      [0, 0.25, 0.25, 0.25, 0],
    ]);
  });

  it('an element that is not named keeps its tangent, be it NaN', () => {
    const [, tangent] = jvp((x: Tensor) => np.at(x, 0).max(5), [np.array([1, NaN])], [np.array([3, 4])]);
    expect(tangent.toArray()).toEqual([0, 4]);
  });
});

describe('refusals', () => {
  it('names the method', () => {
    const x = np.zeros([2, 3]);
    expect(() => np.at(x, 0).mul(np.zeros([2]))).toThrow('np.at.mul: float32[2] does not broadcast to [3]');
    expect(() => np.at(x, 0).min(1, { uniqueIndices: true } as object)).toThrow(
      "np.at.min: there is no option 'uniqueIndices'",
    );
    expect(() => np.at(x, 0).max(1, { mode: 'wrap' as 'clip' })).toThrow('np.at.max: there is no mode "wrap"');
    expect(() => np.at(np.array([true]), 0).mul(true)).toThrow('scatter_mul: needs a numeric dtype, got bool[1]');
  });
});
