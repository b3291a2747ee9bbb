/**
 * The derivatives of one function at one point, by its own rules and by differences: what the two say, and where they differ most.
 *
 * Forward mode is judged element by element along a direction, reverse mode by ⟨ct, J t⟩ = ⟨Jᵀ ct, t⟩ with J t from differences.
 * What is wrong is then looked at again along single coordinates, so that a report names an element of an argument.
 */

import { type Device, withDefaultDevice } from '../src/core/backend.ts';
import type { Shape } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { zeros } from '../src/prim/compose.ts';
import { vjp } from '../transforms/autodiff.ts';
import { type FlatFunction, jvpFlat } from '../transforms/jvp.ts';
import { type Difference, difference, numeric, place } from './fd.ts';
import { type HostTensor, hostTensor, indexText } from './host.ts';

/** A function of floats to floats, and where it is differentiated. */
export interface Subject {
  readonly f: FlatFunction;
  readonly at: readonly HostTensor[];
  readonly inPaths: readonly string[];
  readonly outPaths: readonly string[];
  /** Where it runs, in double precision. */
  readonly device: Device;
}

/** A way to differentiate. */
export type Mode = 'fwd' | 'rev';

/** How derivatives are judged: see `CheckGradsOptions`. */
export interface GradientOptions {
  readonly order: number;
  readonly modes: readonly Mode[];
  readonly eps: number;
  readonly rtol: number;
  readonly atol: number;
  readonly directions: number;
  readonly seed: number;
}

/** A derivative that differences contradict, or of which they say nothing. */
export type Finding = Wrong | { readonly _tag: 'Undecided'; readonly order: number };

/** A derivative that differences contradict. */
export interface Wrong {
  readonly _tag: 'Wrong';
  readonly mode: Mode;
  readonly order: number;
  /** What was differentiated: for the second order, the gradient. */
  readonly subject: Subject;
  /** The element that is most wrong. */
  readonly where: string;
  readonly derivative: number;
  readonly difference: number;
  /** The tensor that holds it, by both; `null` if only a random direction shows what is wrong, or it is large. */
  readonly tensor: {
    readonly path: string;
    readonly shape: Shape;
    readonly derivative: readonly number[];
    /** `null` where differences say nothing. */
    readonly difference: readonly (number | null)[];
  } | null;
}

/** A direction in which the two steps of a difference disagree is drawn again this many times. */
const patience = 8;
/** Coordinates that are looked at to find the one that is most wrong. */
const probes = 64;

/** Numbers from −1 to 1 (mulberry32, public domain). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

const fill = (size: number, next: () => number): Float64Array => Float64Array.from({ length: size }, next);

/** The point, the outputs there, and one cotangent for each; that of a single scalar is 1, so that `vjp` is the gradient. */
export function pointOf({ f, at, device }: Subject, next: () => number) {
  const points = at.map((x) => place(x, Float64Array.from(x.data), device));
  const outs = f(...points);
  const isScalar = outs.length === 1 && outs[0]!.size === 1;
  const cotangents = outs.map((y) => (isScalar ? Float64Array.of(1) : fill(y.size, next)));
  return { points, outs, cotangents };
}

/** What there is to check: nothing that has a derivative, nothing but tensors without elements, or something. */
export function subjectMatter(subject: Subject): 'nothing' | 'no elements' | 'something' {
  const { outs } = pointOf(subject, () => 0);
  if (subject.at.length === 0 || outs.length === 0) return 'nothing';
  const empty = subject.at.every((x) => x.data.length === 0) || outs.every((y) => y.size === 0);
  return empty ? 'no elements' : 'something';
}

/** One random tangent for each input. A large element moves in proportion, so that the step does not drown in its rounding. */
export const directionOf = ({ at }: Subject, next: () => number): readonly Float64Array[] =>
  at.map((x) => fill(x.data.length, next).map((t, k) => t * Math.max(1, Math.abs(x.data[k]!))));

/** Arrays as tensors like others. */
export const tensorsLike = (
  like: readonly (Value | HostTensor)[],
  data: readonly Float64Array[],
  device: Device,
): readonly Value[] => like.map((x, i) => place(hostTensor(x.shape, x.dtype, data[i]!), data[i]!, device));

/** `J t`, by the rules. */
export function pushed({ f, device }: Subject, points: readonly Value[], direction: readonly Float64Array[]) {
  const { outs, tangents } = jvpFlat(f, points, tensorsLike(points, direction, device));
  return outs.map((y, i) => Float64Array.from(tangents[i]?.dataSync() ?? new Float64Array(y.size)));
}

/** `Jᵀ ct`, by the rules. */
export function pulled({ f, device }: Subject, points: readonly Value[], cotangents: readonly Float64Array[]) {
  const [outs, pullback] = vjp(f, points);
  return pullback(tensorsLike(outs, cotangents, device)).map((g) => Float64Array.from(g.dataSync()));
}

/** Σ x·y, with the largest of its terms. */
export function inner(xs: readonly ArrayLike<number>[], ys: readonly ArrayLike<number>[]) {
  let [sum, largest] = [0, 0];
  xs.forEach((x, i) => {
    for (let k = 0; k < x.length; k++) {
      const term = x[k]! * ys[i]![k]!;
      sum += term;
      largest = Math.max(largest, Math.abs(term));
    }
  });
  return { sum, largest };
}

const magnitudes = (xs: Float64Array): Float64Array => xs.map(Math.abs);

const largestOf = (xs: ArrayLike<number>): number => Array.from(xs).reduce((m, x) => Math.max(m, Math.abs(x)), 0);

/** The distance of two numbers; infinite if only one of them can be one. */
const gapOf = (derivative: number, by: number): number => {
  const gap = Math.abs(derivative - by);
  return Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap;
};

/** What differences say of `J t`; `null` where they contradict themselves. */
function slopesAlong(
  { f, at, device }: Subject,
  { eps, rtol, atol }: GradientOptions,
  direction: readonly Float64Array[],
): Slopes | null {
  const all = at.map((_, i) => i);
  const xs = at.map((x) => Float64Array.from(x.data));
  // The two steps must agree as well as the derivative is to agree with them.
  const how = { step: eps, agreement: rtol, floor: atol, kinks: true };
  const slopes = difference(numeric(f, at, all, device), xs, direction, how);
  if (!slopes.every((slope: Difference) => slope.conclusive.every(Boolean))) return null;
  return { values: slopes.map((s) => s.value), noise: slopes.map((s) => s.noise) };
}

/** What differences say of each output, and what rounding may have added. */
interface Slopes {
  readonly values: readonly Float64Array[];
  readonly noise: readonly Float64Array[];
}

/**
 * Judge the derivatives of a function, to the order that is asked for.
 *
 * @param next - random numbers of [−1, 1)
 * @returns `null` if they are what differences say
 */
export function judgeGradients(
  subject: Subject,
  options: GradientOptions,
  next: () => number,
  order = 1,
): Finding | null {
  return withDefaultDevice(subject.device, () => {
    const { points, outs, cotangents } = pointOf(subject, next);
    if (outs.length === 0) return null;
    let found = 0;
    for (let tries = 0; found < options.directions; tries++) {
      if (tries === options.directions * patience) return { _tag: 'Undecided', order };
      const direction = directionOf(subject, next);
      const slopes = slopesAlong(subject, options, direction);
      if (!slopes) continue;
      found += 1;
      const given: Along = { subject, options, points, outs, direction, slopes, cotangents };
      const wrong =
        (options.modes.includes('rev') ? judgeReverse(given) : null) ??
        (options.modes.includes('fwd') ? judgeForward(given) : null);
      if (wrong) return { ...wrong, _tag: 'Wrong', order, subject };
    }
    if (order >= options.order) return null;
    const cts = tensorsLike(outs, cotangents, subject.device);
    const gradient: Subject = {
      ...subject,
      f: (...args) => vjp(subject.f, args)[1](cts),
      outPaths: subject.inPaths.map((path) => `gradient of ${path}`),
    };
    // What has no reverse mode goes up by forward mode, along a direction that stays.
    const along = tensorsLike(points, directionOf(subject, next), subject.device);
    const tangent: Subject = {
      ...subject,
      f: (...args) => {
        const { outs: ys, tangents } = jvpFlat(subject.f, args, along);
        return ys.map((y, i) => tangents[i] ?? zeros(y.aval));
      },
      outPaths: subject.outPaths.map((path) => `tangent of ${path}`),
    };
    return judgeGradients(options.modes.includes('rev') ? gradient : tangent, options, next, order + 1);
  });
}

/** A direction, and what differences say along it. */
interface Along {
  readonly subject: Subject;
  readonly options: GradientOptions;
  readonly points: readonly Value[];
  readonly outs: readonly Value[];
  readonly direction: readonly Float64Array[];
  readonly slopes: Slopes;
  readonly cotangents: readonly Float64Array[];
}

type Found = Pick<Wrong, 'mode' | 'where' | 'derivative' | 'difference' | 'tensor'>;

const allowed = ({ rtol, atol }: GradientOptions, size: number): number => atol + rtol * size;

function judgeReverse(given: Along): Found | null {
  const { subject, options, points, direction, slopes, cotangents } = given;
  const gradient = pulled(subject, points, cotangents);
  const along = inner(gradient, direction).sum;
  const slope = inner(slopes.values, cotangents);
  const noise = inner(slopes.noise, cotangents.map(magnitudes)).sum;
  // The terms of the sum may cancel: they, not their sum, say how large an error is.
  if (gapOf(along, slope.sum) <= allowed(options, Math.max(slope.largest, Math.abs(slope.sum))) + noise) return null;
  return (
    worstPartial(given, gradient) ?? {
      mode: 'rev',
      where: 'a random direction',
      derivative: along,
      difference: slope.sum,
      tensor: null,
    }
  );
}

/** One element of one input. */
interface Coordinate {
  readonly input: number;
  readonly index: number;
}

/** All coordinates of the inputs; if there are many, some. */
function coordinatesOf({ at }: Subject): readonly Coordinate[] {
  const total = at.reduce((n, x) => n + x.data.length, 0);
  const every = Math.max(1, Math.ceil(total / probes));
  return at
    .flatMap((x, input) => Array.from(x.data, (_, index) => ({ input, index })))
    .filter((_, i) => i % every === 0);
}

const unit = ({ at }: Subject, { input, index }: Coordinate): readonly Float64Array[] =>
  at.map((x, i) => Float64Array.from(x.data, (_, k) => (i === input && k === index ? 1 : 0)));

/** The element of the gradient that is most wrong. */
function worstPartial({ subject, options, cotangents }: Along, gradient: readonly Float64Array[]): Found | null {
  const partial = (at: Coordinate): number | null => {
    const slopes = slopesAlong(subject, options, unit(subject, at));
    return slopes && inner(slopes.values, cotangents).sum;
  };
  let worst: (Coordinate & { readonly difference: number }) | null = null;
  let gap = 0;
  for (const at of coordinatesOf(subject)) {
    const by = partial(at);
    if (by === null || !(gapOf(gradient[at.input]![at.index]!, by) > gap)) continue;
    gap = gapOf(gradient[at.input]![at.index]!, by);
    worst = { ...at, difference: by };
  }
  if (!worst) return null;
  const { input, index, difference: by } = worst;
  const { shape, data } = subject.at[input]!;
  const path = subject.inPaths[input]!;
  const whole = Array.from(data, (_, k) => ({ input, index: k }));
  return {
    mode: 'rev',
    where: `${path}${at(shape, index)}`,
    derivative: gradient[input]![index]!,
    difference: by,
    tensor:
      whole.length > probes ? null : { path, shape, derivative: [...gradient[input]!], difference: whole.map(partial) },
  };
}

function judgeForward(given: Along): Found | null {
  const { subject, options, points, direction, slopes } = given;
  const random = worstElement(given, pushed(subject, points, direction), slopes, 'a random direction');
  if (!random) return null;
  let worst: Found | null = null;
  for (const coordinate of coordinatesOf(subject)) {
    const along = unit(subject, coordinate);
    const by = slopesAlong(subject, options, along);
    if (!by) continue;
    const { input, index } = coordinate;
    const name = `${subject.inPaths[input]}${at(subject.at[input]!.shape, index)}`;
    const found = worstElement(given, pushed(subject, points, along), by, name);
    if (found && !(worst && errorOf(worst) >= errorOf(found))) worst = found;
  }
  return worst ?? random;
}

const errorOf = ({ derivative, difference: by }: Found): number => gapOf(derivative, by);

/** The element of the outputs whose tangent is most wrong. */
function worstElement(
  { subject, options, outs }: Along,
  tangents: readonly Float64Array[],
  slopes: Slopes,
  along: string,
): Found | null {
  let worst: Found | null = null;
  slopes.values.forEach((by, i) => {
    const bound = allowed(options, largestOf(by)) + largestOf(slopes.noise[i]!);
    const found = tangents[i]!;
    const { shape } = outs[i]!;
    const path = subject.outPaths[i]!;
    for (let k = 0; k < by.length; k++) {
      const gap = gapOf(found[k]!, by[k]!);
      if (gap <= bound || (worst && errorOf(worst) >= gap)) continue;
      worst = {
        mode: 'fwd',
        where: `${path}${at(shape, k)} along ${along}`,
        derivative: found[k]!,
        difference: by[k]!,
        tensor: by.length > probes ? null : { path, shape, derivative: [...found], difference: [...by] },
      };
    }
  });
  return worst;
}

/** `[1,2]`, nothing for a scalar. */
const at = (shape: Shape, index: number): string => (shape.length === 0 ? '' : indexText(shape, index));
