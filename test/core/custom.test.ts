/** Functions with rules of their own: what they may call, what is staged, and what is refused. */

import {
  customJvp,
  customVjp,
  debug,
  grad,
  hessian,
  jacfwd,
  jacrev,
  jit,
  jvp,
  linearize,
  makeJaxpr,
  NotDifferentiableError,
  np,
  random,
  type Tensor,
  vmap,
} from 'pullback';
import { encodeJaxpr } from 'pullback/io';
import { describe, expect, test } from 'vitest';
import { message } from '../errors/message.ts';

const numbers = (x: unknown): unknown => (x as Tensor).toArray();

/** log(1 + eˣ): by the chain rule its derivative is Inf/Inf for large x. */
const softplus: (x: Tensor) => Tensor = customJvp(
  function softplus(x: Tensor): Tensor {
    return np.log(np.add(1, np.exp(x)));
  },
  ([x], [t]) => [softplus(x), np.mul(t, np.div(1, np.add(1, np.exp(np.neg(x)))))],
);

/** x·y, by a rule that calls the function again. */
const product: (x: Tensor, y: Tensor) => Tensor = customVjp(
  function product(x: Tensor, y: Tensor): Tensor {
    return np.mul(x, y);
  },
  (x, y) => [product(x, y), { x, y }],
  ({ x, y }, ct) => [product(ct, y), product(ct, x)],
);

describe('customJvp', () => {
  const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

  test('its rule is the derivative, of every order and in every mode', () => {
    expect(grad(softplus)(100).item()).toBe(1);
    expect(grad(softplus)(1).item()).toBeCloseTo(logistic(1), 6);
    expect(jvp(softplus, [np.array(1)], [np.array(2)])[1].item()).toBeCloseTo(2 * logistic(1), 6);
    expect(grad(grad(softplus))(1).item()).toBeCloseTo(logistic(1) * (1 - logistic(1)), 6);
    expect(linearize(softplus, [np.array(100)])[1](np.array(3)).item()).toBe(3);
    expect(numbers(vmap(grad(softplus))(np.array([100, 200])))).toEqual([1, 1]);
    expect(numbers(jit(grad((x: Tensor) => np.sum(vmap(softplus)(x))))(np.array([100, 200])))).toEqual([1, 1]);
    const second = jit(hessian((x: Tensor) => np.sum(softplus(x))))(np.array([1, 200]));
    expect((numbers(second) as number[][]).flat().map((x) => Math.round(x * 1e4))).toEqual([1966, 0, 0, 0]);
  });

  test('integer leaves have null tangents, zero tangents are null', () => {
    const seen: unknown[] = [];
    const f = customJvp(
      (p: { readonly x: Tensor; readonly n: Tensor<'int32'> }) => [np.mul(p.x, p.n), p.x] as const,
      ([p], [t]) => {
        seen.push(t.n);
        return [
          [np.mul(p.x, p.n), p.x],
          [np.mul(t.x, p.n), null],
        ];
      },
    );
    const n = np.array(3, { dtype: 'int32' });
    const gradient = grad((x: Tensor) => np.add(...f({ x, n })))(np.array(2));
    expect([gradient.item(), seen]).toEqual([3, [null]]);
  });

  test('arguments without derivatives come first, functions among them', () => {
    const apply = customJvp(
      (f: (x: Tensor) => Tensor, x: Tensor, scale: number) => np.mul(f(x), scale),
      (f, scale, [x], [t]) => [np.mul(f(x), scale), np.mul(t, 7 * scale)],
      { nondiffArgnums: [0, 2] },
    );
    expect(apply(np.sin, np.array(0), 2).item()).toBe(0);
    expect(grad((x: Tensor) => apply(np.sin, x, 2))(0).item()).toBe(14);
  });
});

describe('customVjp', () => {
  test('its rule is the derivative, of every order; forward mode transposes bwd', () => {
    const square = (x: Tensor): Tensor => product(x, x);
    expect(grad(square)(3).item()).toBe(6);
    expect(grad(grad(square))(3).item()).toBe(2);
    expect(jvp(square, [np.array(3)], [np.array(1)])[1].item()).toBe(6);
    expect(jacfwd(square)(np.array(3)).item()).toBe(6);
    expect(jacrev(square)(np.array(3)).item()).toBe(6);
    expect(hessian(square)(np.array(3)).item()).toBe(2);
    const [, derivative] = linearize(square, [np.array(3)]);
    expect(derivative(np.array(2)).item()).toBe(12);
    expect(numbers(vmap(derivative)(np.array([1, 2])))).toEqual([6, 12]);
  });

  test('the cotangents of what all lanes share are summed', () => {
    const f = (x: Tensor, y: Tensor): Tensor => np.sum(vmap(product, [0, null])(x, y));
    const args = [np.array([1, 2, 3]), np.array(4)] as const;
    expect(grad(f, { argnums: [0, 1] })(...args).map(numbers)).toEqual([[4, 4, 4], 6]);
    expect(jit(grad(f, { argnums: [0, 1] }))(...args).map(numbers)).toEqual([[4, 4, 4], 6]);
    expect(jvp(f, args, [np.array([1, 1, 1]), np.array(1)])[1].item()).toBe(18);
  });

  test('an output that no lane changes counts once', () => {
    const both = customVjp(
      (x: Tensor, y: Tensor) => [x, y] as const,
      (x, y) => [[x, y], null],
      (_, [a, b]) => [a, b],
    );
    const f = (y: Tensor): Tensor => np.sum(vmap((x: Tensor) => both(x, y)[1])(np.zeros([3])));
    expect(grad(f)(2).item()).toBe(3);
  });

  test('cotangents may be null, of leaves and of whole arguments', () => {
    const f = customVjp(
      (p: { readonly a: Tensor; readonly b: Tensor }, x: Tensor) => np.add(np.mul(p.a, p.b), x),
      (p, x) => [np.add(np.mul(p.a, p.b), x), p],
      (p, ct) => [{ a: np.mul(ct, p.b), b: null }, null],
    );
    const p = { a: np.array(2), b: np.array(3) };
    const [dp, dx] = grad(f, { argnums: [0, 1] })(p, np.array(1));
    expect([dp.a.item(), dp.b.item(), dx.item()]).toEqual([3, 0, 0]);
    expect(jvp(f, [p, np.array(1)], [p, np.array(1)])[1].item()).toBe(6);
  });

  test('residuals are any tree: integers, keys, statics', () => {
    const noisy = customVjp(
      (x: Tensor, key: Tensor<'uint32'>) => np.add(x, random.normal(key, [2])),
      (x, key) => [np.add(x, random.normal(key, [2])), { key, name: 'noise', scale: 3 }],
      ({ key, scale }, ct) => [np.mul(ct, np.mul(random.normal(key, [2]), scale)), null],
    );
    const key = random.key(1);
    const noise = random.normal(key, [2]);
    expect(numbers(grad((x: Tensor) => np.sum(noisy(x, key)))(np.zeros([2])))).toEqual(numbers(np.mul(noise, 3)));
  });

  test('bwd need not be linear in reverse mode, and must be in forward mode', () => {
    const clip = customVjp(
      function clip(x: Tensor): Tensor {
        return x;
      },
      (x) => [x, null],
      (_, ct) => [np.minimum(np.maximum(ct, -1), 1)],
    );
    expect(grad((x: Tensor) => np.mul(5, clip(x)))(3).item()).toBe(1);
    expect(numbers(jacrev((x: Tensor) => np.mul(0.5, clip(x)))(np.array([1, 2])))).toEqual([
      [0.5, 0],
      [0, 0.5],
    ]);
    expect(() => jvp(clip, [np.array(1)], [np.array(1)])).toThrow(NotDifferentiableError);
    expect(message(() => jvp(clip, [np.array(1)], [np.array(1)]))).toMatchInlineSnapshot(`
      "
      NotDifferentiableError: min: is not linear, so it cannot be transposed
        remedy: transpose linear functions only; for a derivative use vjp or grad, which linearize first
        at test/core/custom.test.ts:LINE
        while transposing min from test/core/custom.test.ts:LINE
        in forward mode of customVjp(clip), which transposes its bwd: let bwd be linear in the cotangent, use customJvp, or reverse mode
      "
    `);
  });

  test('fwd runs under grad, the function itself otherwise; a trace is made once', () => {
    const traced: string[] = [];
    const f = customVjp(
      (x: Tensor) => {
        traced.push('f');
        return debug.callback(() => undefined, np.mul(x, 2));
      },
      (x) => {
        traced.push('fwd');
        return [np.mul(x, 3), null];
      },
      (_, ct) => {
        traced.push('bwd');
        return [ct];
      },
    );
    expect(f(np.array(1)).item()).toBe(2);
    expect(grad(f)(np.array(1)).item()).toBe(1);
    f(np.array(2));
    grad(f)(np.array(2));
    expect(traced).toEqual(['f', 'fwd', 'bwd']);
    // Inside of grad the value is that of fwd.
    expect(jvp(f, [np.array(1)], [np.array(1)]).map((x) => x.item())).toEqual([3, 1]);
  });
});

describe('rules of the wrong structure', () => {
  const withBwd = (bwd: unknown): string =>
    message(() =>
      grad(
        customVjp(
          function f(x: Tensor): Tensor {
            return x;
          },
          (x) => [x, null],
          bwd as () => [Tensor],
        ),
      )(3),
    );

  test('bwd', () => {
    expect(withBwd((_: unknown, ct: Tensor) => ct)).toMatchInlineSnapshot(`
      "
      TreeError: customVjp(f): bwd must return an array with one cotangent for each of 1 arguments, got float32[]
        remedy: return [ct] for one argument, and null for an argument whose cotangent is zero
        at test/core/custom.test.ts:LINE
      "
    `);
    expect(withBwd((_: unknown, ct: Tensor) => [ct, ct])).toMatchInlineSnapshot(`
      "
      TreeError: customVjp(f): bwd must return an array with one cotangent for each of 1 arguments, got an array of 2
        remedy: return [ct] for one argument, and null for an argument whose cotangent is zero
        at test/core/custom.test.ts:LINE
      "
    `);
    expect(withBwd((_: unknown, ct: Tensor) => [{ x: ct }])).toMatchInlineSnapshot(`
      "
      TreeError: customVjp(f): bwd: cotangent[0] must be a tensor or null
        remedy: give each cotangent the structure of what it belongs to, with null (zero) where it has none
        at test/core/custom.test.ts:LINE
      "
    `);
    expect(withBwd(() => [np.ones([2])])).toMatchInlineSnapshot(`
      "
      ShapeError: customVjp(f): bwd: cotangent[0] must be float32[], got float32[2]
        remedy: give each cotangent the shape and dtype of what it belongs to
        at test/core/custom.test.ts:LINE
      "
    `);
    expect(withBwd(() => [np.ones([], { dtype: 'int32' })])).toMatchInlineSnapshot(`
      "
      DTypeError: customVjp(f): bwd: cotangent[0] must be float32[], got int32[]
        remedy: give each cotangent the shape and dtype of what it belongs to
        at test/core/custom.test.ts:LINE
      "
    `);
  });

  test('fwd', () => {
    const withFwd = (fwd: unknown): string =>
      message(() =>
        customVjp(
          function f(x: Tensor): Tensor {
            return x;
          },
          fwd as (x: Tensor) => [Tensor, null],
          (_, ct) => [ct],
        )(np.array(3)),
      );
    expect(withFwd((x: Tensor) => x)).toMatchInlineSnapshot(`
      "
      TreeError: customVjp(f): fwd must return [output, residuals], got float32[]
        remedy: return an array of two: what the function returns, and what bwd needs (null if it needs nothing)
        at test/core/custom.test.ts:LINE
      "
    `);
    expect(withFwd((x: Tensor) => [{ x }, null])).toMatchInlineSnapshot(`
      "
      TreeError: customVjp(f): fwd returns another structure than the function: output: a tensor beside object {"x":*}
        remedy: let fwd return the same output as the function itself
        at test/core/custom.test.ts:LINE
      "
    `);
    expect(withFwd((x: Tensor) => [np.stack([x, x]), null])).toMatchInlineSnapshot(`
      "
      TreeError: customVjp(f): fwd returns float32[2] where the function returns float32[]
        remedy: let fwd return the same output as the function itself
        at test/core/custom.test.ts:LINE
      "
    `);
  });

  test('the rule of customJvp', () => {
    const withRule = (rule: unknown): string =>
      message(() =>
        customJvp(
          function f(x: Tensor): Tensor {
            return x;
          },
          rule as (xs: [Tensor], ts: [Tensor]) => [Tensor, Tensor],
        )(np.array(3)),
      );
    expect(withRule(([x]: [Tensor]) => x)).toMatchInlineSnapshot(`
      "
      TreeError: customJvp(f): the rule must return [output, tangent], got float32[]
        remedy: return an array of two: what the function returns, and its tangent in the same structure
        at test/core/custom.test.ts:LINE
      "
    `);
    expect(withRule(([x]: [Tensor]) => [x, np.ones([2])])).toMatchInlineSnapshot(`
      "
      ShapeError: customJvp(f): tangent must be float32[], got float32[2]
        remedy: give each tangent the shape and dtype of what it belongs to
        at test/core/custom.test.ts:LINE
      "
    `);
    expect(withRule(([x]: [Tensor]) => [[x], x])).toMatchInlineSnapshot(`
      "
      TreeError: customJvp(f): the rule returns another structure than the function: output: a tensor beside array [*]
        remedy: let the rule return the same output as the function itself
        at test/core/custom.test.ts:LINE
      "
    `);
  });

  test('a rule that takes the derivative of its own function', () => {
    const f: (x: Tensor) => Tensor = customJvp(
      function f(x: Tensor): Tensor {
        return np.sin(x);
      },
      ([x], [t]) => [f(x), np.mul(t, grad(f)(x))],
    );
    expect(message(() => f(np.array(1)))).toMatchInlineSnapshot(`
      "
      NotDifferentiableError: customJvp(f): its rule takes the derivative of the function whose rule it is
        remedy: differentiate in the rule what does not call the function itself, and pass what it closes over as arguments
      "
    `);
  });
});

test('programs print, and have no JSON', () => {
  expect(`${makeJaxpr(softplus)(np.array(1))}`).toMatchInlineSnapshot(`
    "{ lambda ; a:f32[]. let
      b:f32[] = custom_jvp[captured=0 name=softplus nondiff=0 rule=customJvp(softplus) jaxpr={ lambda ; a:f32[]. let
        b:f32[] = exp a
        c:f32[] = add 1:f32[] b
        d:f32[] = log c
      in (d,) }] a
    in (b,) }"
  `);
  expect(
    `${makeJaxpr((x: Tensor, y: Tensor) => grad(product)(x, y))(np.array(1), np.array(2))}`,
  ).toMatchInlineSnapshot(`
    "{ lambda ; a:f32[] b:f32[]. let
      c:f32[] = jit[name=product jaxpr={ lambda ; a:f32[] b:f32[] c:f32[]. let
        d:f32[] = custom_vjp[captured=0 name=product nondiff=0 rule=customVjp(product) jaxpr={ lambda ; a:f32[] b:f32[]. let
          c:f32[] = mul a b
        in (c,) }] c b
        e:f32[] = custom_vjp[captured=0 name=product nondiff=0 rule=customVjp(product) jaxpr={ lambda ; a:f32[] b:f32[]. let
          c:f32[] = mul a b
        in (c,) }] c a
      in (d,) }] a b 1:f32[]
    in (c,) }"
  `);
  const { jaxpr } = makeJaxpr(softplus)(np.array(1));
  expect(message(() => encodeJaxpr(jaxpr))).toMatchInlineSnapshot(`
    "
    NotSerializableError: io.encodeJaxpr: params.rule of custom_jvp is a function, which JSON cannot hold
      remedy: serialize programs whose rules are derived, not given as functions
      at test/core/custom.test.ts:LINE
    "
  `);
});
