/**
 * The laws of transforms on functions as people write them: trees of parameters, broadcasting, branches in JavaScript,
 * closures over what is being differentiated.
 */

import * as fc from 'fast-check';
import { withDefaultDevice } from '../src/core/backend.ts';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import * as nn from '../src/nn/index.ts';
import * as np from '../src/ops/np.ts';
import type { Tensor } from '../src/ops/types.ts';
import { grad, jvp, linearize, linearTranspose, valueAndGrad, vjp } from '../transforms/autodiff.ts';
import { hessian, hvp, jacfwd, jacrev } from '../transforms/derived.ts';
import { evalShape, makeJaxpr } from '../transforms/inspect.ts';
import { jit } from '../transforms/jit.ts';
import { stopGradient } from '../transforms/stop.ts';
import { vmap } from '../transforms/vmap.ts';
import { within } from './arbitrary/elements.ts';
import { tensor } from './arbitrary/tensor.ts';
import { checkGrads, GradientError } from './check-grads.ts';
import { exact } from './fd.ts';
import { close, closeValues, type HostTensor, sameValues, toHost, toTensor } from './host.ts';
import { every, expect, fails, holds, inconclusive, type Law, law, type Suite, type Verdict } from './law.ts';

/** A vector of moderate numbers. */
const vector = (length = 3): fc.Arbitrary<HostTensor> => matrix([length]);

/** A float32 tensor of this shape. */
const matrix = (shape: readonly number[]): fc.Arbitrary<HostTensor> =>
  within(-2, 2)(
    'float32',
    shape.reduce((n, m) => n * m, 1),
  ).map((data) => ({ shape, dtype: 'float32', weak: false, data }));

const asTensor = (x: HostTensor): Tensor => toTensor(x) as Value as Tensor;

/** Functions of a vector, each with a scalar result, differentiable but for named kinks. */
const functions: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  squares: (x) => np.sum(np.square(x)),
  'log-sum-exp': (x) => {
    const top = stopGradient(np.max(x));
    return np.add(np.log(np.sum(np.exp(np.sub(x, top)))), top);
  },
  'softmax entropy': (x) => np.neg(np.sum(np.mul(nn.softmax(x), nn.logSoftmax(x)))),
  normalised: (x) => {
    const centred = np.sub(x, np.mean(x));
    return np.sum(np.sin(np.div(centred, np.sqrt(np.add(np.mean(np.square(centred)), 0.1)))));
  },
  'quadratic form': (x) => {
    const a = np.reshape(np.arange(9), [3, 3]);
    return np.dot(x, np.matmul(np.add(a, np.transpose(np.square(a))), x)) as Tensor;
  },
  'choice (kink at 0)': (x) => np.sum(np.where(np.greater(x, 0), np.square(x), np.sin(x))),
  'rotated and joined': (x) => np.sum(np.mul(np.concatenate([x, np.tanh(x)]), np.concatenate([np.cos(x), x]))),
  'relu and max (kinks)': (x) => np.add(np.sum(nn.relu(x)), np.max(np.mul(x, x))),
};

const named = fc.constantFrom(...Object.keys(functions));

const unrounded =
  <A extends readonly unknown[]>(property: (...args: A) => Verdict) =>
  (...args: A): Verdict =>
    withDefaultDevice(exact, () => property(...args));

/** The derivatives of `f` by both modes, or why nothing can be said. */
function gradientsHold<A extends readonly unknown[]>(f: (...args: A) => unknown, args: A, order: number): Verdict {
  try {
    checkGrads(f as (...xs: readonly unknown[]) => unknown, args, { order });
    return holds;
  } catch (error) {
    if (!(error instanceof GradientError)) throw error;
    return error.decided ? fails(error.message) : inconclusive(error.message);
  }
}

type Unary = (x: Tensor) => Tensor;

/** The three transforms as maps of functions; `grad` is that of the sum. */
const transforms = {
  vmap: (f: Unary): Unary => vmap(f),
  grad: (f: Unary): Unary => grad((x: Tensor) => np.sum(f(x)) as Tensor) as Unary,
  jit: (f: Unary): Unary => jit(f),
} as const;

const names = ['vmap', 'grad', 'jit'] as const;
const orders = names
  .flatMap((a) => names.flatMap((b) => names.map((c) => [a, b, c] as const)))
  .filter((order) => new Set(order).size === 3);

const functionLaws: readonly Law[] = [
  law('derivatives to second order = central differences', [named, vector()], (name, x) =>
    gradientsHold(functions[name]!, [asTensor(x)], 2),
  ),
  law(
    'vmap, grad and jit: all six orders are equal',
    [named, matrix([2, 3])],
    unrounded((name, x) => {
      const results = orders.map(([a, b, c]) =>
        transforms[a](transforms[b](transforms[c](functions[name]!)))(asTensor(x)),
      );
      return every(range(orders.length), (i) =>
        close(orders[i]!.join(' ∘ '), toHost(results[i]!), toHost(results[0]!), 1e-10),
      );
    }),
  ),
  law(
    'the Hessian is symmetric, by both modes, and hvp is its product',
    [named, vector(), vector()],
    unrounded((name, x, v) => {
      const f = functions[name]!;
      const [at, direction] = [asTensor(x), asTensor(v)];
      const h = hessian(f)(at) as Tensor;
      const other = jacrev(jacfwd(f) as unknown as Unary)(at) as Tensor;
      return every(
        [
          ['Hᵀ', np.transpose(h), h],
          ['jacrev ∘ jacfwd', other, h],
          ['hvp', hvp(f, [at], [direction]), np.matmul(h, direction)],
          [
            'grad ⟨grad f, v⟩',
            grad((y: Tensor) => np.dot(grad(f)(y) as Tensor, direction))(at),
            np.matmul(h, direction),
          ],
        ] as const,
        ([what, a, b]) => close(what, toHost(a as Value), toHost(b as Value), 1e-10, 10),
      );
    }),
  ),
  law('a model of two layers', [fc.integer({ min: 0, max: 1000 }), matrix([4, 3])], (seed, x) => {
    const weights = (n: number, m: number, shift: number) =>
      np.sin(np.reshape(np.add(np.arange(n * m), seed + shift), [n, m])) as Tensor;
    const params = { hidden: { w: weights(3, 5, 0), b: np.zeros([5]) }, out: { w: weights(5, 2, 7), b: np.ones([2]) } };
    const labels = np.array([0, 1, 1, 0], { dtype: 'int32' });
    const loss = (p: typeof params, xs: Tensor): Tensor => {
      const hidden = np.tanh(np.add(np.matmul(xs, p.hidden.w), p.hidden.b));
      return nn.crossEntropy(np.add(np.matmul(hidden, p.out.w), p.out.b) as Tensor, labels) as Tensor;
    };
    return gradientsHold(loss, [params, asTensor(x)], 1);
  }),
];

const small = fc.integer({ min: -5, max: 5 });

const nestingLaws: readonly Law[] = [
  law('third derivatives of cubics are exact', [small, small, small, small], (a, b, c, x) => {
    const f = (y: Tensor): Tensor => np.add(np.mul(np.add(np.mul(np.add(np.mul(a, y), b), y), c), y), 1) as Tensor;
    const found = [f, grad(f), grad(grad(f)), grad(grad(grad(f)))].map((g) => (g(np.array(x)) as Tensor).item());
    const wanted = [((a * x + b) * x + c) * x + 1, 3 * a * x * x + 2 * b * x + c, 6 * a * x + 2 * b, 6 * a];
    return expect(
      found.every((y, i) => y === wanted[i]),
      () => `${found}, expected ${wanted}`,
    );
  }),
  law('perturbations of nested derivatives are not confused', [small, small], (x, y) => {
    // d/dx (x · d/dy (x + y)) = 1, and d/dx (x · d/dy (x·y)) = 2x.
    const sum = grad((a: Tensor) => np.mul(a, grad((b: Tensor) => np.add(a, b) as Tensor)(np.array(y))))(np.array(x));
    const product = grad((a: Tensor) => np.mul(a, grad((b: Tensor) => np.mul(a, b) as Tensor)(np.array(y))))(
      np.array(x),
    );
    const forward = jvp(
      (a: Tensor) => np.mul(a, jvp((b: Tensor) => np.mul(a, b), [np.array(y)], [np.array(1)])[1]),
      [np.array(x)],
      [np.array(1)],
    )[1];
    const found = [sum, product, forward].map((t) => Number((t as Tensor).item()));
    return expect(found.join() === [1, 2 * x, 2 * x].join(), () => `${found}, expected 1, ${2 * x}, ${2 * x}`);
  }),
  law('what is captured is differentiated, through jit and vmap', [vector(), vector()], (x, y) => {
    const [a, b] = [asTensor(x), asTensor(y)];
    const plain = (t: Tensor): Tensor => np.sum(np.mul(np.mul(t, t), b)) as Tensor;
    const jitted = (t: Tensor): Tensor => np.sum(jit((u: Tensor) => np.mul(np.mul(t, t), u))(b)) as Tensor;
    const mapped = (t: Tensor): Tensor =>
      np.sum(vmap((u: Tensor) => np.mul(np.mul(t, t), u), 0, 1)(np.reshape(b, [3]) as Tensor)) as Tensor;
    const wanted = [grad(plain)(a)];
    const one = sameValues('captured by jit', [grad(jitted)(a)], wanted);
    if (one._tag === 'Fails') return one;
    // The vmap is an outer product: Σᵢⱼ tᵢ²bⱼ.
    const total = np.sum(b);
    return closeValues('captured by vmap', [grad(mapped)(a)], [np.mul(np.mul(2, a), total)], 1e-5);
  }),
  law('branches on item() are those of the primal', [vector()], (x) => {
    const f = (t: Tensor): Tensor => (np.sum(t).item() > 0 ? np.sum(np.square(t)) : np.sum(np.sin(t))) as Tensor;
    const positive = Array.from(x.data).reduce((s, v) => s + v, 0) > 0;
    const wanted = grad(
      positive ? (t: Tensor) => np.sum(np.square(t)) as Tensor : (t: Tensor) => np.sum(np.sin(t)) as Tensor,
    )(asTensor(x));
    const [, tangent] = jvp(f, [asTensor(x)], [np.ones([3])]);
    const verdict = sameValues('grad', [grad(f)(asTensor(x))], [wanted]);
    return verdict._tag === 'Fails' ? verdict : closeValues('jvp', [tangent], [np.sum(wanted)], 1e-5);
  }),
  law(
    'select lets nothing of the branch not taken through',
    [vector(), fc.array(fc.boolean(), { minLength: 3, maxLength: 3 })],
    (x, taken) => {
      const pred = np.array(taken);
      const poison = np.full([3], Number.NaN);
      const at = asTensor(x);
      const f = (t: Tensor, u: Tensor): Tensor => np.where(pred, t, u) as Tensor;
      const [value, tangent] = jvp(
        f,
        [at, at],
        [np.where(pred, at, poison) as Tensor, np.where(pred, poison, at) as Tensor],
      );
      const [, pullback] = vjp((t: Tensor) => f(t, poison), [at]);
      const [ct] = pullback(at);
      const verdict = sameValues('value and tangent', [value, tangent], [at, at]);
      return verdict._tag === 'Fails' ? verdict : sameValues('cotangent', [ct], [np.where(pred, at, np.zeros([3]))]);
    },
  ),
  law('stopGradient has the value and no derivative', [named, vector()], (name, x) => {
    const f = functions[name]!;
    const [value, gradient] = valueAndGrad((t: Tensor) => f(stopGradient(t)))(asTensor(x));
    const verdict = sameValues('value', [value], [f(asTensor(x))]);
    return verdict._tag === 'Fails' ? verdict : sameValues('gradient', [gradient], [np.zeros([3])]);
  }),
];

const treeLaws: readonly Law[] = [
  law('vmap follows trees of axes, negative ones and null', [matrix([2, 3]), matrix([4, 2]), vector()], (a, b, c) => {
    const [x, y, shared] = [asTensor(a), asTensor(b), asTensor(c)];
    const f = (p: { readonly x: Tensor; readonly shared: Tensor }, q: Tensor) => ({
      first: np.mul(p.x, p.shared),
      second: [np.sum(q), np.dot(p.x, p.shared)] as const,
    });
    const all = vmap(f, [{ x: 0, shared: null }, -1], { first: -1, second: 0 })({ x, shared }, y);
    const lanes = range(2).map((i) =>
      f(
        { x: np.reshape(np.split(x, 2, 0)[i]!, [3]) as Tensor, shared },
        np.reshape(np.split(y, 2, 1)[i]!, [4]) as Tensor,
      ),
    );
    return closeValues(
      'lanes',
      [all.first, ...all.second],
      [
        np.stack(
          lanes.map((l) => l.first),
          1,
        ),
        np.stack(lanes.map((l) => l.second[0])),
        np.stack(lanes.map((l) => l.second[1])),
      ],
      1e-5,
    );
  }),
  law('argnums and hasAux choose, and change nothing', [vector(), vector()], (a, b) => {
    const [x, y] = [asTensor(a), asTensor(b)];
    const f = (s: Tensor, t: Tensor): Tensor => np.sum(np.mul(np.sin(s), np.square(t))) as Tensor;
    const [dx, dy] = grad(f, { argnums: [0, 1] })(x, y);
    const [gradient, aux] = grad((s: Tensor, t: Tensor) => [f(s, t), { t }] as const, { hasAux: true, argnums: -1 })(
      x,
      y,
    );
    return sameValues('gradients', [dx, dy, gradient, aux.t], [grad(f)(x, y), grad(f, { argnums: 1 })(x, y), dy, y]);
  }),
  law('gradients have the structure of the parameters, statics kept', [vector()], (x) => {
    const params = { w: asTensor(x), layers: [{ b: asTensor(x), act: 'tanh' }], rate: 3 };
    const loss = (p: typeof params): Tensor => np.sum(np.mul(np.mul(p.w, p.layers[0]!.b), p.rate)) as Tensor;
    const gradient = grad(loss)(params);
    const same = gradient.rate === 3 && gradient.layers[0]!.act === 'tanh' && Object.keys(gradient).length === 3;
    if (!same) return fails(`statics have changed: ${Object.keys(gradient)}`);
    return sameValues(
      'gradients',
      [gradient.w, gradient.layers[0]!.b],
      [np.mul(asTensor(x), 3), np.mul(asTensor(x), 3)],
    );
  }),
  law('jit: static arguments are part of the program', [vector(), small, fc.boolean()], (x, n, flag) => {
    const f = (t: Tensor, k: number, options: { readonly flag: boolean }): Tensor =>
      (options.flag ? np.mul(t, k) : np.add(t, k)) as Tensor;
    const jitted = jit(f, { staticArgnums: [1, -1] });
    const [first, again] = [jitted(asTensor(x), n, { flag }), jitted(asTensor(x), n, { flag })];
    const verdict = sameValues('jit', [first, again], [f(asTensor(x), n, { flag }), first]);
    if (verdict._tag === 'Fails') return verdict;
    const before: number = jitted.traces;
    if (before !== 1) return fails(`${before} traces of the same static arguments`);
    jitted(asTensor(x), n + 1, { flag });
    const traces: number = jitted.traces;
    return expect(traces === 2, () => 'another static argument did not trace again');
  }),
  law(
    'linear functions: jacfwd is the matrix, linearTranspose its transpose',
    [matrix([2, 3]), vector(), vector(2)],
    (m, v, u) => {
      const [a, x, ct] = [asTensor(m), asTensor(v), asTensor(u)];
      const f = (t: Tensor): Tensor => np.matmul(a, t) as Tensor;
      const [pulled] = linearTranspose(f, [x])(ct);
      const [, derivative] = linearize(f, [x]);
      return closeValues(
        'linear',
        [jacfwd(f)(x) as Value, jacrev(f)(x) as Value, pulled, derivative(x)],
        [a, a, np.matmul(ct, a), f(x)],
        1e-5,
      );
    },
  ),
  law(
    'evalShape and makeJaxpr say what comes back',
    [named, tensor({ dtypes: ['float32'], empty: false, minRank: 1, maxRank: 1 })],
    (name, x) => {
      const f = (t: Tensor) => ({ out: [np.tanh(t), functions['squares']!(t)], name });
      const shapes = evalShape(f, asTensor(x));
      const result = f(asTensor(x));
      const jaxpr = makeJaxpr(f)(asTensor(x)).jaxpr.outs;
      return every(range(2), (i) => {
        const aval = result.out[i]!.aval;
        const [said, staged] = [shapes.out[i] as unknown as typeof aval, jaxpr[i]!.aval];
        return expect(
          said === aval && staged === aval,
          () => `result ${i}: ${said.shape} and ${staged.shape}, it is ${aval.shape}`,
        );
      });
    },
  ),
];

/** The laws of transforms on written functions. */
export const transformsLaws: Suite = { name: 'transforms', laws: [...functionLaws, ...nestingLaws, ...treeLaws] };
