/** What is carried along undifferentiated, in every derivative; Jacobians with respect to several arguments. */

import { hessian, jacfwd, jacrev, jit, jvp, linearize, np, type Tensor, TreeError, vjp, vmap } from 'pullback';
import { describe, expect, expectTypeOf, it } from 'vitest';

interface Aux {
  readonly twice: Tensor;
  readonly count: Tensor<'int32'>;
  readonly name: 'aux';
}

/** x³, and beside it something of other dtypes and structure. */
const cube = (x: Tensor): readonly [Tensor, Aux] => [
  np.mul(x, np.mul(x, x)),
  { twice: np.mul(x, 2), count: np.argmax(x), name: 'aux' },
];
const x = np.array([1, 2]);
const expectAux = (aux: Aux): void => {
  expect(aux.twice.toArray()).toEqual([2, 4]);
  expect(aux.count.item()).toBe(1);
  expect(aux.name).toBe('aux');
};

describe('hasAux', () => {
  it('jvp', () => {
    const [y, dy, aux] = jvp(cube, [x], [np.ones([2])], { hasAux: true });
    expect([y.toArray(), dy.toArray()]).toEqual([
      [1, 8],
      [3, 12],
    ]);
    expectAux(aux);
  });

  it('linearize', () => {
    const [y, derivative, aux] = linearize(cube, [x], { hasAux: true });
    expect([y.toArray(), derivative(np.ones([2])).toArray()]).toEqual([
      [1, 8],
      [3, 12],
    ]);
    expectAux(aux);
  });

  it('vjp', () => {
    const [y, pullback, aux] = vjp(cube, [x], { hasAux: true });
    expect([y.toArray(), pullback(np.ones([2]))[0].toArray()]).toEqual([
      [1, 8],
      [3, 12],
    ]);
    expectAux(aux);
    expectTypeOf(aux).toEqualTypeOf<Aux>();
  });

  it('jacfwd, jacrev and hessian, under jit and vmap as well', () => {
    for (const jacobian of [jacfwd, jacrev] as const) {
      const [j, aux] = jacobian(cube, { hasAux: true })(x);
      expect(j.toArray()).toEqual([
        [3, 0],
        [0, 12],
      ]);
      expectAux(aux);
      expect(jit((v: Tensor) => jacobian(cube, { hasAux: true })(v)[1].twice)(x).toArray()).toEqual([2, 4]);
      const rows = np.array([
        [1, 2],
        [3, 4],
      ]);
      expect(vmap((v: Tensor) => jacobian(cube, { hasAux: true })(v)[1].twice)(rows).toArray()).toEqual([
        [2, 4],
        [6, 8],
      ]);
    }
    const sum = (v: Tensor): readonly [Tensor, Aux] => [np.sum(cube(v)[0]), cube(v)[1]];
    const [h, aux] = hessian(sum, { hasAux: true })(x);
    expect(h.toArray()).toEqual([
      [6, 0],
      [0, 12],
    ]);
    expectAux(aux);
  });

  it('refuses what is no pair', () => {
    const f = (v: Tensor): Tensor => np.sin(v);
    const g = f as unknown as (v: Tensor) => readonly [Tensor, Tensor];
    expect(() => vjp(g, [x], { hasAux: true })).toThrow(TreeError);
    expect(() => jacrev(g, { hasAux: true })(x)).toThrow(
      /^jacrev: with hasAux the function must return \[output, aux\], got the tree \*\n {2}remedy: return an array of two, or leave hasAux out/,
    );
  });
});

describe('argnums of Jacobians', () => {
  const f = (a: Tensor, p: { readonly w: Tensor }, b: Tensor): Tensor => np.mul(np.mul(a, p.w), b);
  const at = [np.array([1, 2]), { w: np.array([3, 4]) }, np.array(5)] as const;

  it('an array gives an array, in its order', () => {
    for (const jacobian of [jacfwd, jacrev] as const) {
      const [db, dp] = jacobian(f, { argnums: [2, 1] })(...at);
      expect(db.toArray()).toEqual([3, 8]);
      expect(dp.w.toArray()).toEqual([
        [5, 0],
        [0, 10],
      ]);
    }
  });

  it('a Hessian has a block for each pair', () => {
    const product = (a: Tensor, b: Tensor): Tensor => np.mul(np.mul(a, a), b);
    const blocks = hessian(product, { argnums: [0, 1] })(np.array(2), np.array(3));
    expect(blocks.map((row) => row.map((block) => block.item()))).toEqual([
      [6, 4],
      [4, 0],
    ]);
  });

  it('names no argument twice', () => {
    expect(() => jacrev(f, { argnums: [1, -2] })(...at)).toThrow(/argnums \(1,-2\) names an argument twice/);
  });
});
