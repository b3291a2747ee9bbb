/** The laws of optimizers: transformations compose, thread their state purely, and run the same compiled and batched. */

import * as fc from 'fast-check';
import { makeAval } from '../src/core/aval.ts';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import * as np from '../src/ops/np.ts';
import * as optim from '../src/optim/index.ts';
import { key } from '../src/random/key.ts';
import { flatten, leaves, map, map2, structure, unflatten } from '../src/tree/tree.ts';
import { jit } from '../transforms/jit.ts';
import { vmap } from '../transforms/vmap.ts';
import { awayFromZero } from './arbitrary/elements.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { closeValues, type HostTensor, sameValues, stackHost, toHost, toTensor } from './host.ts';
import { every, expect, fails, type Law, law, type Suite, type Verdict } from './law.ts';

/** Parameters, and so gradients and updates. */
interface Params {
  readonly w: Value;
  readonly layers: readonly Value[];
}

const avals = [makeAval([2, 3], 'float32'), makeAval([3], 'float32')] as const;

/** Gradients of a few steps, the parameters first; none is zero. */
const steps = fc.array(fc.tuple(tensorOf(avals[0], awayFromZero), tensorOf(avals[1], awayFromZero)), {
  minLength: 4,
  maxLength: 4,
});

type Step = readonly [HostTensor, HostTensor];

const build = ([w, b]: Step): Params => ({ w: toTensor(w), layers: [toTensor(b)] });

const unit = fc.integer({ min: 0, max: 15 }).map((n) => n / 16);
const factor = fc.integer({ min: -8, max: 8 }).map((n) => n / 4);

/** A transformation, with the text that makes it. */
type Named = readonly [string, optim.GradientTransformation];

const named = (name: string, t: optim.GradientTransformation): Named =>
  Object.defineProperty([name, t] as const, fc.toStringMethod, { value: () => name });

/** Transformations of this module that need more than a number or two to be made; made on the device on which laws run. */
const made: readonly (() => Named)[] = [
  () => named('nadam', optim.nadam(0.5, { b1: 0.75 })),
  () => named('adamw', optim.adamw(0.5, { mask: (path) => path === 'w' })),
  () => named('amsgrad after', optim.amsgrad(0.5, { biasCorrection: 'after' })),
  () => named('rmsprop outside', optim.rmsprop(0.5, { epsInSqrt: false, centered: true, eps: 0.5, momentum: 0.5 })),
  () => named('adagrad outside', optim.adagrad(0.5, { epsInSqrt: false })),
  () => named('adadelta', optim.adadelta(0.5, { weightDecay: 0.25 })),
  () => named('adamax', optim.adamax(0.5)),
  () => named('lion', optim.lion(0.5)),
  () => named('lamb', optim.lamb(0.5, { weightDecay: 0.25 })),
  () => named('lars', optim.lars(0.5, { nesterov: true })),
  () => named('adafactor', optim.adafactor(0.5, { minDimSizeToFactor: 2, momentum: 0.5, weightDecayRate: 0.25 })),
  () => named('adafactor, not factored', optim.adafactor()),
  () => named('clipByNorm', optim.clipByNorm(0.5)),
  () => named('clipByBlockRms', optim.clipByBlockRms(0.5)),
  () => named('adaptiveGradClip', optim.adaptiveGradClip(0.25)),
  () => named('setToZero', optim.setToZero()),
  () => named('addNoise', optim.addNoise(0.5, 0.5, key(3))),
  () => named('ema', optim.ema(0.75)),
  () => named('ema with bias', optim.ema(0.75, { debias: false })),
  () => named('multiSteps', optim.multiSteps(optim.adam(0.5), 2)),
  () => named('lookahead', optim.lookahead(optim.sgd(0.5, { momentum: 0.5 }), 2, 0.5)),
  () => named('masked', optim.masked(optim.scaleByAdam(), { w: true, layers: [false] })),
  () =>
    named(
      'multiTransform',
      optim.multiTransform({ a: optim.adam(0.5), b: optim.lion(0.5) }, (p) => (p === 'w' ? 'a' : 'b')),
    ),
  () =>
    named(
      'injectHyperparams',
      optim.injectHyperparams(({ rate }) => optim.adam(rate), { rate: 0.5 }),
    ),
];

const primitive: fc.Arbitrary<Named> = fc.oneof(
  { weight: made.length, arbitrary: fc.constantFrom(...made).map((make) => make()) },
  fc.constant(named('identity', optim.identity())),
  factor.map((a) => named(`scale(${a})`, optim.scale(a))),
  fc
    .tuple(unit, fc.boolean())
    .map(([decay, nesterov]) => named(`trace(${decay}, ${nesterov})`, optim.trace({ decay, nesterov }))),
  fc.tuple(unit, unit).map(([b1, b2]) => named(`amsgrad(${b1}, ${b2})`, optim.scaleByAmsgrad({ b1, b2 }))),
  unit.map((decay) => named(`rms(${decay})`, optim.scaleByRms({ decay }))),
  unit.map((decay) => named(`stddev(${decay})`, optim.scaleByStddev({ decay, eps: 0.125 }))),
  fc.constant(named('rss', optim.scaleByRss())),
  unit.map((rate) => named(`decayedWeights(${rate})`, optim.addDecayedWeights(rate))),
  unit.map((most) => named(`clip(${most})`, optim.clip(most))),
  unit.map((most) => named(`clipByGlobalNorm(${most})`, optim.clipByGlobalNorm(most))),
  fc.tuple(unit, unit).map(([b1, b2]) => named(`adam(${b1}, ${b2})`, optim.scaleByAdam({ b1, b2 }))),
  factor.map((a) =>
    named(
      `schedule(${a})`,
      optim.scaleBySchedule((n) => np.mul(a, np.add(np.astype(n, 'float32'), 1))),
    ),
  ),
);

const transformation: fc.Arbitrary<Named> = fc.oneof(
  { weight: 3, arbitrary: primitive },
  {
    weight: 1,
    arbitrary: fc
      .array(primitive, { maxLength: 3 })
      .map((parts) => named(`chain(${parts.map(([name]) => name)})`, optim.chain(...parts.map(([, t]) => t)))),
  },
);

/** A loss with this gradient at these parameters, ⟨g, q − p⟩ + ½‖q − p‖². */
function extraOf<P>(grad: P, params: P): optim.Extra<P> {
  const [gs, ps] = [leaves(grad), leaves(params)];
  const valueFn = (at: P): Value =>
    leaves(at).reduce<Value>((sum, q, i) => {
      const away = np.sub(q, ps[i]!);
      return np.add(sum, np.sum(np.mul(away, np.add(gs[i]!, np.mul(away, 0.5)))));
    }, np.zeros([]));
  return { value: np.zeros([]), grad, valueFn };
}

/** The updates of all steps. */
function run(t: optim.GradientTransformation, [first, ...rest]: readonly Step[]): readonly Params[] {
  const params = build(first!);
  let state = t.init(params);
  return rest.map((step) => {
    const gradient = build(step);
    const [updates, next] = t.update(gradient, state, params, extraOf(gradient, params));
    state = next;
    return updates;
  });
}

const sameRuns = (what: string, a: readonly Params[], b: readonly Params[]): Verdict =>
  every(range(a.length), (i) => sameValues(`${what}, step ${i}`, leaves(a[i]), leaves(b[i])));

/** Freeze every node of a tree. */
const frozen = <T>(tree: T): T => {
  if (typeof tree === 'object' && tree !== null && !('aval' in tree)) {
    for (const child of Object.values(tree)) frozen(child);
    Object.freeze(tree);
  }
  return tree;
};

const monoidLaws: readonly Law[] = [
  law('chain is associative', [transformation, transformation, transformation, steps], ([, a], [, b], [, c], xs) => {
    const { concat } = optim.monoid;
    return sameRuns('(a b) c', run(concat(concat(a, b), c), xs), run(concat(a, concat(b, c)), xs));
  }),
  law('identity is neutral in chains', [transformation, steps], ([, a], xs) => {
    const { concat, empty } = optim.monoid;
    const left = sameRuns('identity, a', run(concat(empty, a), xs), run(a, xs));
    return left._tag === 'Fails' ? left : sameRuns('a, identity', run(concat(a, empty), xs), run(a, xs));
  }),
];

const purityLaws: readonly Law[] = [
  law(
    'init and update leave their arguments untouched, and repeat themselves',
    [transformation, steps],
    ([, t], xs) => {
      const [params, gradients] = [frozen(build(xs[0]!)), frozen(build(xs[1]!))];
      const state = frozen(t.init(params));
      const seen = leaves([params, gradients, state]).map((x) => x.dataSync());
      const [once] = t.update(gradients, state, params, extraOf(gradients, params));
      const [again] = t.update(gradients, state, params, extraOf(gradients, params));
      const now = leaves([params, gradients, state]).map((x) => x.dataSync());
      const same = now.every((data, i) => data.every((x: number, k: number) => Object.is(x, seen[i]![k])));
      if (!same) return fails('an argument has other elements than before');
      return sameValues('the same update twice', leaves(again), leaves(once));
    },
  ),
  law('updates have the structure, shapes and dtypes of the gradients', [transformation, steps], ([, t], xs) =>
    every(run(t, xs), (updates) => {
      const like = build(xs[0]!);
      if (structure(updates).key !== structure(like).key) return fails(`the structure is ${structure(updates).key}`);
      return every(range(2), (i) => {
        const [u, p] = [leaves(updates)[i]!.aval, leaves(like)[i]!.aval];
        return expect(u === p, () => `leaf ${i} is ${u.dtype}[${u.shape}]${u.weak ? ' (weak)' : ''}`);
      });
    }),
  ),
  law('the structure of the state does not change', [transformation, steps], ([, t], xs) => {
    const params = build(xs[0]!);
    const state = t.init(params);
    const gradient = build(xs[1]!);
    const [, next] = t.update(gradient, state, params, extraOf(gradient, params));
    const show = (s: optim.OptState): string =>
      `${structure(s).key} ${leaves(s).map((x) => `${x.dtype}[${x.shape}]${x.aval.weak}`)}`;
    return expect(show(next) === show(state), () => `${show(state)} became ${show(next)}`);
  }),
];

/** The tree that a file of the leaves gives back. */
const reread = (state: optim.OptState): optim.OptState => {
  const { leaves: xs, def } = flatten(state);
  return unflatten(
    def,
    xs.map((x) => toTensor(toHost(x))),
  );
};

const resumedLaws: readonly Law[] = [
  law('a run that is resumed from its leaves is the run', [transformation, steps], ([, t], xs) => {
    const resumed: optim.GradientTransformation = {
      init: (params) => reread(t.init(params)),
      update: (g, s, p, extra) => {
        const [updates, next] = t.update(g, s, p, extra);
        return [updates, reread(next)];
      },
    };
    return sameRuns('resumed', run(resumed, xs), run(t, xs));
  }),
];

const compiledLaws: readonly Law[] = [
  law('jit = eager, traced once for all steps', [transformation, steps], ([, t], xs) => {
    const update = jit((g: Params, s: optim.OptState, p: Params) => t.update(g, s, p, extraOf(g, p)));
    const compiled: optim.GradientTransformation = {
      init: t.init,
      update: (g, s, p) =>
        update(g as unknown as Params, s, p as unknown as Params) as unknown as readonly [typeof g, optim.OptState],
    };
    const verdict = sameRuns('jit', run(compiled, xs), run(t, xs));
    return verdict._tag === 'Fails' ? verdict : expect(update.traces === 1, () => `${update.traces} traces`);
  }),
  law('vmap over a population = one at a time', [transformation, steps], ([, t], xs) => {
    const batched = (i: number): Value =>
      toTensor(
        stackHost(
          xs[0]![i]!,
          xs.map((step) => step[i]!.data),
          0,
        ),
      );
    const one = (g: Params): Params => t.update(g, t.init(g), g, extraOf(g, g))[0];
    const all = vmap(one)({ w: batched(0), layers: [batched(1)] });
    const single = xs.map((step) => one(build(step)));
    // A device may sum the squares of a batch in another order than those of one: of nine terms, which is eight roundings.
    const wanted = [np.stack(single.map((s) => s.layers[0]!)), np.stack(single.map((s) => s.w))];
    return closeValues('vmap', leaves(all), wanted, 8 * 2 ** -24);
  }),
];

const meaningLaws: readonly Law[] = [
  law('sgd is −rate · g; momentum 0 is none', [factor, steps], (rate, xs) => {
    const wanted = xs.slice(1).map((step) => map((g: Value) => np.mul(g, -rate), build(step)));
    const plain = sameRuns('sgd', run(optim.sgd(rate), xs), wanted);
    return plain._tag === 'Fails'
      ? plain
      : every(range(3), (i) =>
          closeValues('momentum 0', leaves(run(optim.sgd(rate, { momentum: 0 }), xs)[i]), leaves(wanted[i]), 0),
        );
  }),
  law('momentum sums what it has seen', [unit, steps], (decay, xs) => {
    const rounds = run(optim.trace({ decay }), xs);
    const wanted = xs.slice(1).map((_, i) =>
      range(i + 1).reduce<Params>(
        (sum, k) => map2((s, g) => np.add(s, np.mul(g, decay ** (i - k))), sum, build(xs[k + 1]!)),
        map((x: Value) => np.zerosLike(x), build(xs[0]!)),
      ),
    );
    return every(range(3), (i) => closeValues(`step ${i}`, leaves(rounds[i]), leaves(wanted[i]), 1e-5));
  }),
  law(
    'adam does not see the scale of gradients',
    [unit, unit, fc.integer({ min: -6, max: 6 }), steps],
    (b1, b2, power, xs) => {
      const t = optim.scaleByAdam({ b1, b2, eps: 0 });
      // Powers of two multiply exactly.
      const scaled = xs.map(
        (step) => step.map((x) => ({ ...x, data: Array.from(x.data, (v) => v * 2 ** power) })) as unknown as Step,
      );
      return sameRuns(`gradients · 2^${power}`, run(t, scaled), run(t, xs));
    },
  ),
  law('the first step of adam is the sign of the gradient', [unit, unit, steps], (b1, b2, xs) => {
    const [first] = run(optim.scaleByAdam({ b1, b2, eps: 0 }), xs);
    const signs = map((g: Value) => np.where(np.greater(g, 0), np.onesLike(g), np.neg(np.onesLike(g))), build(xs[1]!));
    return closeValues('the first step', leaves(first), leaves(signs), 1e-5);
  }),
  law('scaleByAdam is the recurrence of Kingma and Ba', [unit, unit, steps], (b1, b2, xs) => {
    const rounds = run(optim.scaleByAdam({ b1, b2 }), xs);
    const state = { m: [0, 0], v: [0, 0] };
    return every(range(3), (i) => {
      const g = xs[i + 1]![0].data[0]!;
      state.m = [b1 * state.m[0]! + (1 - b1) * g, 0];
      state.v = [b2 * state.v[0]! + (1 - b2) * g * g, 0];
      const wanted = state.m[0]! / (1 - b1 ** (i + 1)) / (Math.sqrt(state.v[0]! / (1 - b2 ** (i + 1))) + 1e-8);
      const found = toHost(rounds[i]!.w).data[0]!;
      return expect(
        Math.abs(found - wanted) <= 1e-5 * Math.max(1, Math.abs(wanted)),
        () => `step ${i}: ${found}, expected ${wanted}`,
      );
    });
  }),
  law('a schedule multiplies by its value at the step', [factor, steps], (a, xs) => {
    const rounds = run(
      optim.scaleBySchedule((n) => np.mul(np.astype(n, 'float32'), a)),
      xs,
    );
    return every(range(3), (i) =>
      sameValues(`step ${i}`, leaves(rounds[i]), leaves(map((g: Value) => np.mul(g, i * a), build(xs[i + 1]!)))),
    );
  }),
  law('applyUpdates adds, in the dtypes of the parameters', [steps], (xs) => {
    const params = map((x: Value) => np.astype(x, 'float64'), build(xs[0]!));
    const found = optim.applyUpdates(params, build(xs[1]!));
    return sameValues('sum', leaves(found), leaves(map2((p, u) => np.add(p, u), params, build(xs[1]!))));
  }),
];

/** The laws of optimizers. */
export const optimLaws: Suite = {
  name: 'optim',
  laws: [...monoidLaws, ...purityLaws, ...resumedLaws, ...compiledLaws, ...meaningLaws],
};
