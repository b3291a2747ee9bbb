/**
 * The laws of transforms on random programs: what `jit`, `vmap`, `jvp`, `linearize`, `grad` and their compositions compute is
 * what they say, whatever the program.
 *
 * Programs of exact operations are compared bit for bit on the default device, with edge values; derivatives are taken of
 * smooth programs, in float64 on the reference.
 */

import * as fc from 'fast-check';
import { withDefaultDevice } from '../src/core/backend.ts';
import { isFloat } from '../src/core/dtype.ts';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { add, convertElementType, mul } from '../src/prim/arithmetic.ts';
import { scalar } from '../src/prim/compose.ts';
import { cos } from '../src/prim/math.ts';
import { reduceSum } from '../src/prim/reduce.ts';
import { iota, reshape } from '../src/prim/structural.ts';
import { grad, jvp, linearize, linearTranspose, valueAndGrad, vjp } from '../transforms/autodiff.ts';
import { hessian, hvp, jacfwd, jacrev } from '../transforms/derived.ts';
import { makeJaxpr } from '../transforms/inspect.ts';
import { jit } from '../transforms/jit.ts';
import { vmap } from '../transforms/vmap.ts';
import { insertions } from './arbitrary/axes.ts';
import { type Domain, edgy, within } from './arbitrary/elements.ts';
import { type Program, type ProgramOptions, programs } from './arbitrary/program.ts';
import { exact as exactOps, linear, piecewise, smooth } from './arbitrary/program-ops.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { difference, exact, numeric } from './fd.ts';
import {
  close,
  closeValues,
  type HostTensor,
  hostTensor,
  laneOf,
  sameBits,
  sameValues,
  stackHost,
  toHost,
  toTensor,
} from './host.ts';
import { every, expect, holds, inconclusive, type Law, law, type Suite, type Verdict } from './law.ts';

/** A program with three sets of inputs of its avals: points, or a point and directions. */
interface Case {
  readonly program: Program;
  readonly points: readonly (readonly HostTensor[])[];
}

const cases = (options: ProgramOptions, domain: Domain): fc.Arbitrary<Case> =>
  programs(options).chain((program) =>
    fc
      .tuple(...range(3).map(() => fc.tuple(...program.ins.map((aval) => tensorOf(aval, domain)))))
      .map((points) => ({ program, points })),
  );

const everything = { ops: exactOps, dtypes: ['float32', 'int32', 'uint32', 'bool', 'float64'] } as const;
const exactCases = cases(everything, edgy);
const smoothCases = cases({ ops: smooth, dtypes: ['float32'] }, within(-1, 1));
const kinkyCases = cases({ ops: [...smooth, ...piecewise, ...piecewise], dtypes: ['float32'] }, within(-1, 1));
const linearCases = cases({ ops: linear, dtypes: ['float32', 'float64'] }, within(-1, 1));
const smallCases = cases(
  { ops: smooth, dtypes: ['float32'], maxSteps: 5, maxInputs: 2, shape: { maxRank: 1, empty: false } },
  within(-1, 1),
);

const tensors = (xs: readonly HostTensor[]): readonly Value[] => xs.map((x) => toTensor(x));

/** The float results of a program. */
const floatsOf = (values: readonly Value[]): readonly Value[] => values.filter((y) => isFloat(y.dtype));

/** All float results as one number, by weights that differ from element to element; a program without any is 0. */
function scalarOf({ apply }: Program): (...args: readonly Value[]) => Value {
  return (...args) =>
    floatsOf(apply(...args)).reduce(
      (sum, y) => add(sum, convertElementType(weighted(y), 'float64')),
      scalar(0, 'float64'),
    );
}

/** Σᵢ cos(i)·yᵢ. */
function weighted(y: Value): Value {
  const flat = reshape(y, [y.size]);
  return reduceSum(mul(flat, cos(iota([y.size], 0, y.dtype))), [0]);
}

/** ⟨xs, ys⟩ over floats, and the sum of the magnitudes of its terms. */
function inner(xs: readonly Value[], ys: readonly Value[]): readonly [number, number] {
  let sum = 0;
  let scale = 1;
  xs.forEach((x, i) => {
    const [a, b] = [x.dataSync(), ys[i]!.dataSync()];
    a.forEach((v: number, k: number) => {
      sum += v * b[k]!;
      scale += Math.abs(v * b[k]!);
    });
  });
  return [sum, scale];
}

const nearly = (what: string, [a, scale]: readonly [number, number], [b]: readonly [number, number]): Verdict =>
  expect(Math.abs(a - b) <= 1e-9 * scale || Object.is(a, b), () => `${what}: ${a} beside ${b}`);

/** Judge on the device whose float32 is not rounded. */
const unrounded =
  <A extends readonly unknown[]>(property: (...args: A) => Verdict) =>
  (...args: A): Verdict =>
    withDefaultDevice(exact, () => property(...args));

/** Programs whose values have grown beyond what differences can resolve decide nothing. */
const moderate = (values: readonly Value[]): boolean =>
  values.every((y) => y.dataSync().every((x: number) => Math.abs(x) < 1e6));

/** Edge values are not compared where a result is rounded differently; here nothing is. */
const staging: readonly Law[] = [
  law('jit = eager', [exactCases], ({ program, points }) => {
    const args = tensors(points[0]!);
    return sameValues('jit', jit(program.apply)(...args), program.apply(...args));
  }),
  law('jit traces once for all values', [exactCases], ({ program, points }) => {
    const jitted = jit(program.apply);
    for (const point of points) jitted(...tensors(point));
    return expect(jitted.traces === 1, () => `${jitted.traces} traces`);
  }),
  law('makeJaxpr twice prints the same', [exactCases], ({ program, points }) => {
    const args = tensors(points[0]!);
    const [once, again] = [`${makeJaxpr(program.apply)(...args)}`, `${makeJaxpr(program.apply)(...args)}`];
    return expect(once === again, () => `${once}\nbeside\n${again}`);
  }),
];

/** The same inputs in `size` lanes, stacked where `axes` says. */
function stacked(points: readonly (readonly HostTensor[])[], axes: readonly number[]): readonly Value[] {
  return points[0]!.map((x, i) =>
    toTensor(
      stackHost(
        x,
        points.map((point) => point[i]!.data),
        axes[i]!,
      ),
    ),
  );
}

const withAxes = (all: fc.Arbitrary<Case>) =>
  all.chain((c) =>
    fc
      .tuple(
        insertions(c.program.ins.map((aval) => aval.shape.length)),
        fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      )
      .map(([axes, shared]) => ({ ...c, axes, shared })),
  );

/** vmap of `f` over the points, where inputs that are `shared` have no axis, beside one point at a time. */
function vmapLaw(
  { program, points, axes, shared }: Case & { readonly axes: readonly number[]; readonly shared: readonly boolean[] },
  transformed: (
    f: (...args: readonly Value[]) => readonly Value[],
    inAxes: readonly (number | null)[],
  ) => typeof program.apply,
  judge: (what: string, a: HostTensor, b: HostTensor) => Verdict,
): Verdict {
  const isShared = program.ins.map((_, i) => i > 0 && shared[i] === true);
  const lanes = points.map((point) => point.map((x, i) => (isShared[i] ? points[0]![i]! : x)));
  const batched = stacked(lanes, axes).map((x, i) => (isShared[i] ? toTensor(points[0]![i]!) : x));
  const inAxes = axes.map((axis, i) => (isShared[i] ? null : axis));
  const outs = transformed(program.apply, inAxes)(...batched);
  return every(range(points.length), (k) => {
    const one = program.apply(...tensors(lanes[k]!));
    return every(range(one.length), (i) =>
      judge(`lane ${k} of result ${i}`, laneOf(toHost(outs[i]!), 0, k), toHost(one[i]!)),
    );
  });
}

const closely = (what: string, a: HostTensor, b: HostTensor): Verdict => close(what, a, b, 1e-9, scaleOf(b));
const scaleOf = (x: HostTensor): number => Math.max(1, ...Array.from(x.data, Math.abs));

const batching: readonly Law[] = [
  law('vmap = stack ∘ map', [withAxes(exactCases)], (c) => vmapLaw(c, (f, axes) => vmap(f, axes), sameBits)),
  law('vmap ∘ jit = vmap = jit ∘ vmap', [withAxes(exactCases), fc.boolean()], (c, inside) =>
    vmapLaw(c, (f, axes) => (inside ? vmap(jit(f), axes) : jit(vmap(f, axes))), sameBits),
  ),
  law(
    'vmap of sums = stack ∘ map, up to rounding',
    [withAxes(smoothCases)],
    unrounded((c) => vmapLaw(c, (f, axes) => vmap(f, axes), closely)),
  ),
  law('vmap ∘ vmap maps two axes', [exactCases], ({ program, points }) => {
    const once = (xs: readonly (readonly HostTensor[])[]): readonly Value[] =>
      stacked(
        xs,
        program.ins.map(() => 0),
      );
    const twice = once([once(points), once([...points].reverse())].map((xs) => xs.map(toHost)));
    const outs = vmap(vmap(program.apply))(...twice);
    const one = program.apply(...tensors(points[2]!));
    return every(range(one.length), (i) =>
      sameBits(`result ${i} of lane (1, 0)`, laneOf(laneOf(toHost(outs[i]!), 0, 1), 0, 0), toHost(one[i]!)),
    );
  }),
];

const derivatives: readonly Law[] = [
  law(
    'jvp = central differences',
    [smoothCases],
    unrounded(({ program, points }) => {
      const [at, direction] = [points[0]!, points[1]!];
      const [outs, tangents] = jvp(program.apply, tensors(at), tensors(direction));
      if (!moderate([...outs, ...floatsOf(tangents)])) return inconclusive('values beyond 1e6');
      const data = (xs: readonly HostTensor[]) => xs.map((x) => Float64Array.from(x.data));
      const differences = difference(numeric(program.apply, at, range(at.length)), data(at), data(direction), {
        step: 1e-3,
      });
      return every(range(outs.length), (i) => {
        if (!isFloat(outs[i]!.dtype)) return holds;
        const { value, conclusive } = differences[i]!;
        if (!conclusive.every(Boolean)) return inconclusive('the steps disagree');
        const found = toHost(tangents[i]!);
        return close(`tangent ${i}`, found, hostTensor(found.shape, found.dtype, value), 1e-4, scaleOf(found));
      });
    }),
  ),
  law(
    'forward = reverse mode: ⟨ct, jvp t⟩ = ⟨vjp ct, t⟩',
    [kinkyCases],
    unrounded(({ program, points }) => {
      const [at, direction] = [tensors(points[0]!), tensors(points[1]!)];
      const f = (...args: readonly Value[]): readonly Value[] => floatsOf(program.apply(...args));
      const [outs, tangents] = jvp(f, at, direction);
      const [same, pullback] = vjp(f, at);
      const cts = outs.map((y) => cos(y));
      if (!moderate(tangents)) return inconclusive('values beyond 1e6');
      const values = sameValues('the value of vjp', same, outs);
      return values._tag === 'Fails'
        ? values
        : nearly('⟨ct, Jt⟩', inner(cts, tangents), inner(pullback(cts), direction));
    }),
  ),
  law(
    'grad = central differences',
    [smoothCases],
    unrounded(({ program, points }) => {
      const f = scalarOf(program);
      const [at, direction] = [points[0]!, points[1]!];
      const argnums = range(at.length);
      const [value, gradient] = valueAndGrad(f, { argnums })(...tensors(at));
      if (!moderate([value, ...gradient])) return inconclusive('values beyond 1e6');
      const data = (xs: readonly HostTensor[]) => xs.map((x) => Float64Array.from(x.data));
      const scalarly = (...args: readonly Value[]): readonly Value[] => [f(...args)];
      const [slope] = difference(numeric(scalarly, at, argnums), data(at), data(direction), { step: 1e-3 });
      if (!slope!.conclusive[0]) return inconclusive('the steps disagree');
      const [found, scale] = inner(gradient, tensors(direction));
      return expect(
        Math.abs(found - slope!.value[0]!) <= 1e-4 * scale,
        () => `⟨grad f, t⟩ = ${found}, differences say ${slope!.value[0]}`,
      );
    }),
  ),
  law(
    'linearize = jvp',
    [kinkyCases],
    unrounded(({ program, points }) => {
      const [at, t, u] = points.map(tensors) as [readonly Value[], readonly Value[], readonly Value[]];
      const [outs, derivative] = linearize(program.apply, at);
      return every([t, u], (direction) => {
        const [values, tangents] = jvp(program.apply, at, direction);
        if (!moderate(floatsOf(tangents.filter((x) => x !== null)))) return inconclusive('values beyond 1e6');
        const same = sameValues('the value of linearize', outs, values);
        if (same._tag === 'Fails') return same;
        return closeValues('the derivative', present(derivative(...direction)), present(tangents), 1e-9);
      });
    }),
  ),
  law(
    'linearTranspose is adjoint',
    [linearCases],
    unrounded(({ program, points }) => {
      const direction = tensors(points[0]!);
      const outs = program.apply(...direction);
      const cts = outs.map((y) => cos(y));
      const pulled = linearTranspose(program.apply, tensors(points[1]!))(cts);
      return nearly('⟨ct, L t⟩', inner(cts, outs), inner(pulled, direction));
    }),
  ),
  law(
    'jvp and vjp ∘ jit = jvp and vjp',
    [kinkyCases],
    unrounded(({ program, points }) => {
      const [at, direction] = [tensors(points[0]!), tensors(points[1]!)];
      const f = (...args: readonly Value[]): readonly Value[] => floatsOf(program.apply(...args));
      const jitted = jit(f);
      const [, plain] = jvp(f, at, direction);
      const [outs, through] = jvp(jitted, at, direction);
      if (!moderate(plain)) return inconclusive('values beyond 1e6');
      const cts = outs.map((y) => cos(y));
      const forward = closeValues('jvp', through, plain, 1e-9);
      if (forward._tag === 'Fails') return forward;
      const reverse = closeValues('vjp', vjp(jitted, at)[1](cts), vjp(f, at)[1](cts), 1e-9);
      if (reverse._tag === 'Fails') return reverse;
      return closeValues('jit ∘ jvp', jit((...xs: readonly Value[]) => jvp(f, xs, direction)[1])(...at), plain, 1e-9);
    }),
  ),
];

const present = (values: readonly (Value | null)[]): readonly Value[] => values.filter((x) => x !== null);

/** vmap, grad and jit, each from functions of one argument to such; grad is that of the sum of the result. */
const three: Readonly<Record<string, (f: (x: Value) => Value) => (x: Value) => Value>> = {
  vmap: (f) => vmap(f),
  grad: (f) => grad((x: Value) => reduceAll(f(x))),
  jit: (f) => jit(f),
};

const orders = ['vmap', 'grad', 'jit']
  .flatMap((a) => ['vmap', 'grad', 'jit'].flatMap((b) => ['vmap', 'grad', 'jit'].map((c) => [a, b, c] as const)))
  .filter((order) => new Set(order).size === 3);

const compositions: readonly Law[] = [
  law(
    'vmap, grad and jit: all six orders are equal',
    [smoothCases],
    unrounded(({ program, points }) => {
      const rest = tensors(points[0]!.slice(1));
      const f = (x: Value): Value => scalarOf(program)(x, ...rest);
      const batch = stacked(
        points,
        program.ins.map(() => 0),
      )[0]!;
      const apply = ([a, b, c]: readonly [string, string, string]): Value => three[a]!(three[b]!(three[c]!(f)))(batch);
      const wanted = toHost(apply(orders[0]!));
      if (!moderate([toTensor(wanted)])) return inconclusive('values beyond 1e6');
      return every(orders.slice(1), (order) =>
        close(order.join(' ∘ '), toHost(apply(order)), wanted, 1e-9, scaleOf(wanted)),
      );
    }),
  ),
  law(
    'grad ∘ grad through jit = without',
    [smallCases],
    unrounded(({ program, points }) => {
      const [x, ...rest] = tensors(points[0]!);
      const f = (y: Value): Value => scalarOf(program)(y, ...rest);
      const second = (g: (y: Value) => Value) => grad((y: Value) => reduceAll(mul(grad(g)(y), cos(y))))(x!);
      const plain = second(f);
      if (!moderate([plain])) return inconclusive('values beyond 1e6');
      return closeValues('second derivative', [second(jit(f))], [plain], 1e-9);
    }),
  ),
  law(
    'the Hessian is symmetric, and hvp is its product',
    [smallCases],
    unrounded(({ program, points }) => {
      const [x, ...rest] = tensors(points[0]!);
      const f = (y: Value): Value => scalarOf(program)(y, ...rest);
      const n = x!.size;
      const matrix = toHost(reshape(hessian(f)(x!) as Value, [n, n]));
      if (!moderate([toTensor(matrix)])) return inconclusive('values beyond 1e6');
      const flipped = hostTensor(
        [n, n],
        matrix.dtype,
        range(n * n).map((i) => matrix.data[(i % n) * n + Math.floor(i / n)]!),
      );
      const symmetric = close('Hᵀ', flipped, matrix, 1e-9, scaleOf(matrix));
      if (symmetric._tag === 'Fails') return symmetric;
      const v = points[1]![0]!;
      const product = range(n).map((i) => range(n).reduce((s, j) => s + matrix.data[i * n + j]! * v.data[j]!, 0));
      const found = toHost(hvp(f, [x!], [toTensor(v)]));
      return close('hvp', found, hostTensor(found.shape, found.dtype, product), 1e-9, scaleOf(matrix));
    }),
  ),
  law(
    'jacfwd = jacrev',
    [smallCases],
    unrounded(({ program, points }) => {
      const [x, ...rest] = tensors(points[0]!);
      const f = (y: Value): readonly Value[] => floatsOf(program.apply(y, ...rest));
      const [forward, reverse] = [jacfwd(f)(x!), jacrev(f)(x!)] as [readonly Value[], readonly Value[]];
      if (!moderate(forward)) return inconclusive('values beyond 1e6');
      return every(range(forward.length), (i) => closely(`Jacobian ${i}`, toHost(forward[i]!), toHost(reverse[i]!)));
    }),
  ),
];

const reduceAll = (x: Value): Value => reduceSum(x, range(x.ndim));

/** The laws of transforms on random programs. */
export const programsLaws: Suite = {
  name: 'programs',
  laws: [...staging, ...batching, ...derivatives, ...compositions],
};
