/**
 * Functions with rules of their own: with the true derivative for a rule, they are indistinguishable from the function itself,
 * under every transform. So are functions that are computed twice. Judged on random programs, in float64 on the reference.
 */

import * as fc from 'fast-check';
import { withDefaultDevice } from '../src/core/backend.ts';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { add, mul } from '../src/prim/arithmetic.ts';
import { scalar } from '../src/prim/compose.ts';
import { batchAt } from '../src/prim/define.ts';
import { cos } from '../src/prim/math.ts';
import { reduceSum } from '../src/prim/reduce.ts';
import { concatenate, reshape, sliceAxis } from '../src/prim/structural.ts';
import { grad, jvp, linearize, vjp } from '../transforms/autodiff.ts';
import { checkpoint, checkpointPolicies } from '../transforms/checkpoint.ts';
import { customJvp } from '../transforms/custom-jvp.ts';
import { customVjp } from '../transforms/custom-vjp.ts';
import { customVmap } from '../transforms/custom-vmap.ts';
import { hvp } from '../transforms/derived.ts';
import { jit } from '../transforms/jit.ts';
import { vmap } from '../transforms/vmap.ts';
import { insertions } from './arbitrary/axes.ts';
import { within } from './arbitrary/elements.ts';
import { type Program, programs } from './arbitrary/program.ts';
import { smooth } from './arbitrary/program-ops.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { exact } from './fd.ts';
import { closeValues, type HostTensor, stackHost, toTensor } from './host.ts';
import { every, inconclusive, type Law, law, type Suite, type Verdict } from './law.ts';

type Flat = (...args: readonly Value[]) => readonly Value[];

/** The same function: with a rule for its derivative that is the derivative, or with less that is kept for it. */
const variants: Readonly<Record<string, (f: Flat) => Flat>> = {
  'customJvp with the true derivative': (f) => {
    const self: Flat = customJvp(f, (primals, tangents) => [self(...primals), jvp(f, primals, tangents)[1]]);
    return self;
  },
  jit: (f) => jit(f),
  checkpoint: (f) => checkpoint(f),
  'checkpoint, products saved': (f) => checkpoint(f, { policy: checkpointPolicies.dotsSaveable }),
  'checkpoint within checkpoint': (f) => checkpoint((...args: readonly Value[]) => checkpoint(f)(...args)),
  'customVmap with the true batches': (f) =>
    customVmap(f, (size, batched, ...args) => {
      const isBatched = batched as readonly boolean[];
      if (isBatched.every((flag) => !flag)) return [f(...args), false];
      const lanes = range(size).map((k) => f(...args.map((x, i) => (isBatched[i] ? laneAt(x, k) : x))));
      return [
        lanes[0]!.map((_, i) =>
          concatenate(
            lanes.map((outs) => batchAt(1, outs[i]!, null, 0)),
            0,
          ),
        ),
        true,
      ];
    }),
  'customVjp with the true derivative': (f) => {
    const self: Flat = customVjp(
      f,
      (...args: readonly Value[]) => [self(...args), args],
      (args, ct) => vjp(f, args)[1](ct),
    );
    return self;
  },
};

/** Lane `k` of a batch along the first axis. */
const laneAt = (x: Value, k: number): Value => reshape(sliceAxis(x, 0, k, k + 1), x.shape.slice(1));

/** Three sets of inputs, and a place for a batch axis in each input and each output. */
interface Case {
  readonly program: Program;
  readonly points: readonly (readonly HostTensor[])[];
  readonly axes: readonly number[];
  readonly outAxes: readonly number[];
}

const cases: fc.Arbitrary<Case> = programs({
  ops: smooth,
  dtypes: ['float32'],
  maxSteps: 5,
  maxInputs: 2,
  shape: { maxRank: 2, empty: false },
}).chain((program) =>
  fc
    .tuple(
      fc.tuple(...range(3).map(() => fc.tuple(...program.ins.map((aval) => tensorOf(aval, within(-1, 1)))))),
      insertions(program.ins.map((aval) => aval.shape.length)),
      insertions(program.outAvals.map((aval) => aval.shape.length)),
    )
    .map(([points, axes, outAxes]) => ({ program, points, axes, outAxes })),
);

const tensors = (xs: readonly HostTensor[]): readonly Value[] => xs.map((x) => toTensor(x));

const stacked = ({ program, points, axes }: Case): readonly Value[] =>
  program.ins.map((_, i) =>
    toTensor(
      stackHost(
        points[0]![i]!,
        points.map((xs) => xs[i]!.data),
        axes[i]!,
      ),
    ),
  );

/** All results as one number that depends on each of them in its own way. */
const scalarOf =
  (f: Flat) =>
  (...args: readonly Value[]): Value =>
    f(...args).reduce((sum, y) => add(sum, reduceSum(mul(y, cos(y)), range(y.ndim))), scalar(0, 'float32'));

/** What is compared: from a function to numbers. */
const views: Readonly<Record<string, (f: Flat, c: Case) => readonly Value[]>> = {
  value: (f, { points }) => f(...tensors(points[0]!)),
  jvp: (f, { points }) => jvp(f, tensors(points[0]!), tensors(points[1]!)).flat(),
  linearize: (f, { points }) => linearize(f, tensors(points[0]!))[1](...tensors(points[1]!)),
  vjp: (f, { points }) => {
    const [outs, pullback] = vjp(f, tensors(points[0]!));
    return [...outs, ...pullback(outs.map(cos))];
  },
  'second order': (f, { points }) => {
    const [x, v] = [tensors(points[0]!), tensors(points[1]!)];
    const gradient = (...args: readonly Value[]): readonly Value[] =>
      grad(scalarOf(f), { argnums: range(args.length) })(...args);
    return [
      hvp(scalarOf(f), x, v),
      ...jvp(gradient, x, v)[1],
      ...vjp(gradient, x)[1](v),
      ...jvp((...args: readonly Value[]) => jvp(f, args, v)[1], x, v)[1],
    ];
  },
  vmap: (f, c) => vmap(f, c.axes, c.outAxes)(...stacked(c)),
  'vmap, the first input shared': (f, c) => {
    if (c.program.ins.length < 2) return [];
    const axes = c.axes.map((axis, i) => (i === 0 ? null : axis));
    const args = [toTensor(c.points[0]![0]!), ...stacked(c).slice(1)];
    const batched: Flat = (...xs) => vmap(f, axes)(...xs);
    return [...batched(...args), ...vjp(batched, args)[1](batched(...args)), ...jvp(batched, args, args)[1]];
  },
  'vmap of vjp and jvp': (f, c) =>
    vmap(
      (...args: readonly Value[]) => [...vjp(f, args)[1](f(...args)), ...jvp(f, args, args)[1]],
      c.axes,
    )(...stacked(c)),
  'jit of grad': (f, { points }) => {
    const x = tensors(points[0]!);
    return jit(grad(scalarOf(f), { argnums: range(x.length) }))(...x);
  },
  'grad of jit': (f, { points }) => {
    const x = tensors(points[0]!);
    return grad(jit(scalarOf(f)), { argnums: range(x.length) })(...x);
  },
};

const names = Object.keys(views);

const moderate = (xs: readonly Value[]): boolean =>
  xs.every((x) => (x.dataSync() as Float64Array).every((v) => Math.abs(v) <= 1e6));

const indistinguishable = (name: string, variant: (f: Flat) => Flat): Law =>
  law(`${name} = the function`, [cases, fc.subarray(names, { minLength: 3, maxLength: 3 })], (c, chosen) =>
    withDefaultDevice(exact, (): Verdict => {
      const f = c.program.apply;
      const g = variant(f);
      return every(chosen, (what) => {
        const view = views[what]!;
        const wanted = view(f, c);
        if (!moderate(wanted)) return inconclusive('values beyond 1e6');
        return closeValues(what, view(g, c), wanted, 1e-9);
      });
    }),
  );

/** The laws of functions with rules of their own. */
export const rulesLaws: Suite = {
  name: 'rules',
  laws: Object.entries(variants).map(([name, variant]) => indistinguishable(name, variant)),
};
