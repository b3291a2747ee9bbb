/** What the compiler knows: dtypes and their promotion, and the types that transforms give back. */

import {
  associativeScan,
  cond,
  evalShape,
  foriLoop,
  grad,
  hessian,
  type Jitted,
  jacfwd,
  jit,
  jvp,
  map,
  np,
  scan,
  switch_,
  type Tensor,
  valueAndGrad,
  vjp,
  vmap,
  whileLoop,
} from 'pullback';
import { describe, expectTypeOf, test } from 'vitest';

interface Params {
  readonly layers: readonly { readonly w: Tensor; readonly b: Tensor }[];
  readonly name: string;
}

declare const params: Params;
declare const x: Tensor;
declare const ints: Tensor<'int32'>;
declare const loss: (p: Params, v: Tensor) => Tensor;

/** Types are checked by the compiler; nothing here runs. */
const typed = (_: () => void): void => undefined;

describe('dtypes', () => {
  test('promotion', () =>
    typed(() => {
      expectTypeOf(np.add(x, x)).toEqualTypeOf<Tensor>();
      expectTypeOf(np.add(ints, x)).toEqualTypeOf<Tensor>();
      expectTypeOf(np.add(ints, ints)).toEqualTypeOf<Tensor<'int32'>>();
      expectTypeOf(np.add(ints, 1)).toEqualTypeOf<Tensor<'int32'>>();
      expectTypeOf(np.add(1, 2)).toEqualTypeOf<Tensor>();
      expectTypeOf(np.greater(x, 0)).toEqualTypeOf<Tensor<'bool'>>();
      expectTypeOf(np.astype(x, 'int32')).toEqualTypeOf<Tensor<'int32'>>();
      expectTypeOf(np.argmax(x)).toEqualTypeOf<Tensor<'int32'>>();
      expectTypeOf(np.div(ints, 2)).toEqualTypeOf<Tensor>();
      expectTypeOf(x.item()).toEqualTypeOf<number>();
      expectTypeOf(np.greater(x, 0).item()).toEqualTypeOf<boolean>();
    }));
  test('a tensor of another dtype is not a float tensor', () =>
    typed(() => {
      // @ts-expect-error an int32 tensor where a float32 one is wanted
      loss(params, ints);
    }));
});

describe('transforms', () => {
  test('a gradient has the type of what it belongs to', () =>
    typed(() => {
      expectTypeOf(grad(loss)(params, x)).toEqualTypeOf<Params>();
      expectTypeOf(grad(loss, { argnums: 1 })(params, x)).toEqualTypeOf<Tensor>();
      expectTypeOf(grad(loss, { argnums: [1, 0] })(params, x)).toEqualTypeOf<[Tensor, Params]>();
      expectTypeOf(valueAndGrad(loss)(params, x)).toEqualTypeOf<[Tensor, Params]>();
    }));
  test('a bare number is a scalar', () =>
    typed(() => {
      expectTypeOf(grad((v: Tensor) => np.mul(v, v))(3)).toEqualTypeOf<Tensor>();
    }));
  test('aux needs no as const, and zero tangents are null', () =>
    typed(() => {
      const gradient = grad((v: Tensor) => [np.sum(v), { acc: v }], { hasAux: true })(x);
      expectTypeOf(gradient).toEqualTypeOf<[Tensor, { acc: Tensor }]>();
      const both = valueAndGrad((v: Tensor) => [np.sum(v), { acc: v }], { hasAux: true })(x);
      expectTypeOf(both).toEqualTypeOf<[[Tensor, { acc: Tensor }], Tensor]>();
      const f = (v: Tensor, n: Tensor<'int32'>) => ({ a: v, n });
      expectTypeOf(jvp(f, [x, ints], [x, null])[0].n).toEqualTypeOf<Tensor<'int32'>>();
      expectTypeOf(vjp(f, [x, ints])[1]({ a: x, n: null })[0]).toEqualTypeOf<Tensor>();
      expectTypeOf(jacfwd((v: Tensor, p: { w: Tensor }) => np.mul(v, p.w), { argnums: 1 })(x, { w: x })).toEqualTypeOf<{
        w: Tensor;
      }>();
    }));
  test('aux is carried along', () =>
    typed(() => {
      const withAux = (p: Params, v: Tensor) => [loss(p, v), { logits: v, note: 'x' }] as const;
      expectTypeOf(grad(withAux, { hasAux: true })(params, x)).toEqualTypeOf<
        [Params, { readonly logits: Tensor; readonly note: 'x' }]
      >();
    }));
  test('jvp, vjp, vmap and jit keep the signature', () =>
    typed(() => {
      expectTypeOf(jvp(loss, [params, x], [params, x])).toEqualTypeOf<[Tensor, Tensor]>();
      expectTypeOf(vjp(loss, [params, x])[1](x)).toEqualTypeOf<[p: Params, v: Tensor]>();
      expectTypeOf(vmap(loss, [null, 0])(params, x)).toEqualTypeOf<Tensor>();
      expectTypeOf(jit(loss)).toEqualTypeOf<Jitted<[p: Params, v: Tensor], Tensor>>();
      // @ts-expect-error the second argument is missing
      jit(loss)(params);
    }));
  test('shapes and Hessians', () =>
    typed(() => {
      expectTypeOf(evalShape(loss, params, x).shape).toEqualTypeOf<readonly number[]>();
      expectTypeOf(hessian((v: Tensor) => np.sum(v))(x)).toMatchTypeOf<Tensor>();
    }));
  test('carries that are tuples, annotated or not', () =>
    typed(() => {
      const init: [Tensor, Tensor] = [x, x];
      type Loop = [[Tensor, Tensor], null];
      expectTypeOf(
        scan(([h, c]: [Tensor, Tensor], v: Tensor) => [[np.add(h, v), np.mul(c, v)], null], init, x),
      ).toEqualTypeOf<Loop>();
      expectTypeOf(scan(([h, c], v) => [[np.add(h, v), np.mul(c, v)], null], init, x)).toEqualTypeOf<Loop>();
      expectTypeOf(
        scan(([h, c], v) => [[np.add(h, v), np.neg(c)], h], [x, ints] as [Tensor, Tensor<'int32'>], x)[0][1],
      ).toEqualTypeOf<Tensor<'int32'>>();
      expectTypeOf(
        scan(
          ([h, { c }]: [Tensor, { c: Tensor }], v: Tensor) => [[np.add(h, v), { c: np.mul(c, v) }], h],
          [x, { c: 0 }],
          x,
        ),
      ).toEqualTypeOf<[[Tensor, { c: Tensor }], Tensor]>();
      expectTypeOf(
        whileLoop(
          ([h]: [Tensor, Tensor]) => np.less(h, 3),
          ([h, c]: [Tensor, Tensor]) => [np.add(h, 1), np.mul(c, h)],
          init,
        ),
      ).toEqualTypeOf<[Tensor, Tensor]>();
      expectTypeOf(
        whileLoop(
          ([h]) => np.less(h, 3),
          ([h, c]) => [np.add(h, 1), np.mul(c, h)],
          init,
        ),
      ).toEqualTypeOf<[Tensor, Tensor]>();
      expectTypeOf(foriLoop(0, 3, (_, [h, c]: [Tensor, Tensor]) => [np.add(h, 1), np.mul(c, h)], init)).toEqualTypeOf<
        [Tensor, Tensor]
      >();
      expectTypeOf(foriLoop(0, 3, (_, [h, c]) => [c, h], init)).toEqualTypeOf<[Tensor, Tensor]>();
      const fixed: readonly [Tensor, Tensor] = init;
      expectTypeOf(foriLoop(0, 3, (_, [h, c]) => [c, h], fixed)).toEqualTypeOf<readonly [Tensor, Tensor]>();
      expectTypeOf(scan(([h, c]: [Tensor, Tensor], v: Tensor) => [[np.add(h, v), c], h], [0, 1], x)[0]).toEqualTypeOf<
        [Tensor, Tensor]
      >();
      // @ts-expect-error a carry of three for one of two
      scan(([h, c]: [Tensor, Tensor], v: Tensor) => [[h, c, v], null], init, x);
    }));
  test('loops and branches: trees keep their types, numbers are tensors', () =>
    typed(() => {
      const step = (c: Tensor, v: Tensor) => [np.add(c, v), { y: c, n: 1 }] as const;
      expectTypeOf(scan(step, x, x)).toEqualTypeOf<[Tensor, { readonly y: Tensor; readonly n: Tensor }]>();
      expectTypeOf(scan(step, 0, x)[0]).toEqualTypeOf<Tensor>();
      expectTypeOf(scan((c, _) => [np.neg(c), null], ints, null, { length: 2 })).toEqualTypeOf<
        [Tensor<'int32'>, null]
      >();
      expectTypeOf(
        whileLoop(
          (c: Tensor) => np.less(c, 3),
          (c) => np.add(c, 1),
          0,
        ),
      ).toEqualTypeOf<Tensor>();
      expectTypeOf(foriLoop(0, 3, (_, c: Tensor) => np.sin(c), x)).toEqualTypeOf<Tensor>();
      expectTypeOf(
        cond(
          np.less(x, 0),
          (v: Tensor) => np.sin(v),
          () => 0,
          x,
        ),
      ).toEqualTypeOf<Tensor>();
      expectTypeOf(switch_(0, [(v: Tensor) => ({ a: v })], x)).toEqualTypeOf<{ a: Tensor }>();
      expectTypeOf(map((v: Tensor) => np.greater(v, 0), x)).toEqualTypeOf<Tensor<'bool'>>();
      expectTypeOf(associativeScan(np.add, x)).toEqualTypeOf<Tensor>();
      // @ts-expect-error the carry changes its dtype
      scan((c: Tensor, v: Tensor) => [np.greater(c, v), null], x, x);
      const same = (v: Tensor): Tensor => v;
      // @ts-expect-error the predicate is no bool
      cond(x, same, same, x);
    }));
});
