/**
 * A check of your own derivatives: a function's `jvp` and `vjp` against central differences, in double precision.
 *
 * The function is staged once; its program and the derivatives of that run on the float64 reference, so that an error of
 * 10⁻⁵ is a wrong rule and not rounding. Directions are random and reproducible.
 */

import { withDefaultDevice } from '../src/core/backend.ts';
import { isFloat } from '../src/core/dtype.ts';
import { constsAsInputs } from '../src/core/jaxpr.ts';
import { stage } from '../src/core/stage.ts';
import type { Value } from '../src/core/value.ts';
import { leafPaths } from '../src/tree/def.ts';
import { type Args, flatFunction, flattenPrimals } from '../transforms/args.ts';
import { vjp } from '../transforms/autodiff.ts';
import { call } from '../transforms/call.ts';
import { type FlatFunction, jvpFlat } from '../transforms/jvp.ts';
import { type Difference, difference, exact, numeric } from './fd.ts';
import { exactTensor, type HostTensor, hostTensor, indexText, toHost } from './host.ts';

/** Options of {@link checkGrads}. */
export interface CheckGradsOptions {
  /** How many derivatives to check: 2 checks the gradient of the gradient as well. Default 1. */
  readonly order?: number;
  /** `fwd` checks `jvp`, `rev` checks `vjp` and so `grad`. Default both. */
  readonly modes?: readonly ('fwd' | 'rev')[];
  /** The step of the differences; default 10⁻⁵. Smaller meets fewer kinks, larger loses fewer digits. */
  readonly eps?: number;
  /** What a derivative may differ by, relative to the largest of the difference quotients; default 10⁻⁵. */
  readonly rtol?: number;
  /** What it may differ by besides; default 10⁻⁷. */
  readonly atol?: number;
  /** Random directions in which it must hold; default 3. */
  readonly directions?: number;
  /** Seed of the directions; default 0. */
  readonly seed?: number;
}

/** A derivative that differences contradict. */
export class GradientError extends Error {
  override readonly name = 'GradientError';
  /** True if a derivative is wrong, false if nothing can be said. */
  readonly decided: boolean;

  constructor(message: string, decided: boolean) {
    super(message);
    this.decided = decided;
  }
}

/** A direction in which the two steps of a difference disagree is drawn again this many times. */
const patience = 8;
/** Coordinates that are looked at to find the one that is most wrong. */
const probes = 64;

/**
 * Check the derivatives of `f` at `args`.
 *
 * @param f - a pure function of tensors and trees of them; integer leaves are constants
 * @throws GradientError naming the mode, the worst element, its derivative and what differences say
 * @throws GradientError if every direction meets a kink: choose another point or a smaller `eps`
 *
 * @example
 * ```ts
 * import { nn, np, random, type Tensor } from 'pullback';
 * import { checkGrads } from 'pullback/laws';
 * const params = nn.dense.init(random.key(0), 3, 2);
 * const loss = (p: typeof params, x: Tensor) => np.mean(np.square(np.tanh(nn.dense(p)(x))));
 * checkGrads(loss, [params, random.normal(random.key(1), [4, 3])], { order: 2 });
 * ```
 */
export function checkGrads<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  args: readonly [...Args<A>],
  options: CheckGradsOptions = {},
): void {
  const { leaves, def } = flattenPrimals('checkGrads', args);
  const { flat, outDef } = flatFunction('checkGrads', f, def);
  const { jaxpr, consts } = stage(
    'checkGrads',
    flat,
    leaves.map((x) => x.aval),
  );
  const program = constsAsInputs(jaxpr);
  const inputs = leaves.map(toHost);
  const outPaths = leafPaths(outDef(), 'output');
  withDefaultDevice(exact, () => {
    const captured = consts.map(toExact);
    const active = inputs.flatMap((x, i) => (isFloat(x.dtype) ? [i] : []));
    const kept = jaxpr.outs.flatMap((atom, i) => (isFloat(atom.aval.dtype) ? [i] : []));
    const all: FlatFunction = (...xs) => call('checkGrads', program, [...captured, ...xs]);
    const subject: Subject = {
      // Only what has derivatives comes in and goes out.
      f: (...floats) => {
        const full = inputs.map((x, i) => {
          const at = active.indexOf(i);
          return at < 0 ? exactTensor(x, Float64Array.from(x.data), exact) : floats[at]!;
        });
        const outs = all(...full);
        return kept.map((i) => outs[i]!);
      },
      at: active.map((i) => inputs[i]!),
      inPaths: active.map((i) => leafPaths(def, 'args')[i]!),
      outPaths: kept.map((i) => outPaths[i]!),
    };
    check(subject, { ...defaults, ...options }, 1, random(options.seed ?? 0));
  });
}

const defaults: Required<CheckGradsOptions> = {
  order: 1,
  modes: ['fwd', 'rev'],
  eps: 1e-5,
  rtol: 1e-5,
  atol: 1e-7,
  directions: 3,
  seed: 0,
};

/** A function of floats to floats, and where it is differentiated. */
interface Subject {
  readonly f: FlatFunction;
  readonly at: readonly HostTensor[];
  readonly inPaths: readonly string[];
  readonly outPaths: readonly string[];
}

const toExact = (x: Value): Value => {
  const host = toHost(x);
  return exactTensor(host, Float64Array.from(host.data), exact);
};

const like = (x: { readonly shape: readonly number[]; readonly dtype: HostTensor['dtype'] }, data: Float64Array) =>
  hostTensor(x.shape, x.dtype, data);

/** Numbers from −1 to 1 (mulberry32, public domain). */
function random(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

const fill = (size: number, next: () => number): Float64Array => Float64Array.from({ length: size }, next);

function check(subject: Subject, options: Required<CheckGradsOptions>, order: number, next: () => number): void {
  const { f, at } = subject;
  const xs = at.map((x) => Float64Array.from(x.data));
  const points = at.map((x, i) => exactTensor(x, xs[i]!, exact));
  const outs = f(...points);
  const cotangents = outs.map((y) => fill(y.size, next));
  let found = 0;
  for (let tries = 0; found < options.directions; tries++) {
    if (tries === options.directions * patience) throw undecided(order);
    const direction = xs.map((x) => fill(x.length, next));
    const slopes = difference(
      numeric(
        f,
        at,
        at.map((_, i) => i),
      ),
      xs,
      direction,
      { step: options.eps, agreement: options.rtol, kinks: true },
    );
    if (!slopes.every((slope) => slope.conclusive.every(Boolean))) continue;
    found += 1;
    const tangents = at.map((x, i) => exactTensor(x, direction[i]!, exact));
    if (options.modes.includes('fwd')) checkForward(subject, options, order, points, tangents, slopes);
    if (options.modes.includes('rev')) checkReverse(subject, options, order, points, direction, slopes, cotangents);
  }
  if (order >= options.order) return;
  const cts = outs.map((y, i) => exactTensor(like(y, cotangents[i]!), cotangents[i]!, exact));
  const gradient: FlatFunction = (...args) => vjp(f, args)[1](cts);
  check(
    { ...subject, f: gradient, outPaths: subject.inPaths.map((path) => `gradient of ${path}`) },
    options,
    order + 1,
    next,
  );
}

const tolerance = ({ rtol, atol }: Required<CheckGradsOptions>, size: number): number => atol + rtol * size;

const largest = (xs: Iterable<number>): number => {
  let max = 0;
  for (const x of xs) max = Math.max(max, Math.abs(x));
  return max;
};

function checkForward(
  { f, outPaths }: Subject,
  options: Required<CheckGradsOptions>,
  order: number,
  points: readonly Value[],
  tangents: readonly Value[],
  slopes: readonly Difference[],
): void {
  const { outs, tangents: pushed } = jvpFlat(f, points, tangents);
  let worst: Wrong | null = null;
  outs.forEach((y, i) => {
    const derivative = pushed[i]?.dataSync() ?? new Float64Array(y.size);
    const { value } = slopes[i]!;
    const allowed = tolerance(options, largest(value));
    for (let k = 0; k < y.size; k++) {
      worst = graver(
        worst,
        { where: `${outPaths[i]}${indexText(y.shape, k)}`, derivative: derivative[k]!, difference: value[k]! },
        allowed,
      );
    }
  });
  if (worst) throw wrong('jvp', order, worst, options);
}

function checkReverse(
  subject: Subject,
  options: Required<CheckGradsOptions>,
  order: number,
  points: readonly Value[],
  direction: readonly Float64Array[],
  slopes: readonly Difference[],
  cotangents: readonly Float64Array[],
): void {
  const { f, at, inPaths } = subject;
  const [outs, pullback] = vjp(f, points);
  const gradient = pullback(outs.map((y, i) => exactTensor(like(y, cotangents[i]!), cotangents[i]!, exact)));
  const arrays = gradient.map((g) => Float64Array.from(g.dataSync()));
  const slope = dot(
    slopes.map((s) => s.value),
    cotangents,
  );
  const along = dot(arrays, direction);
  // The terms of the sum may cancel: they, not their sum, say how large an error is.
  const size = largest(slopes.flatMap((s, i) => Array.from(s.value, (v, k) => v * cotangents[i]![k]!)));
  if (Math.abs(along - slope) <= tolerance(options, Math.max(size, Math.abs(slope)))) return;
  let worst: Wrong = { where: 'a random direction', derivative: along, difference: slope };
  let gap = 0;
  const total = at.reduce((n, x) => n + x.data.length, 0);
  const xs = at.map((x) => Float64Array.from(x.data));
  let seen = 0;
  at.forEach((x, i) => {
    for (let k = 0; k < x.data.length; k++) {
      if (seen++ % Math.ceil(total / probes) !== 0) continue;
      const unit = xs.map((v, j) => Float64Array.from(v, (_, m) => (j === i && m === k ? 1 : 0)));
      const partial = dot(
        difference(
          numeric(
            f,
            at,
            at.map((_, j) => j),
          ),
          xs,
          unit,
          { step: options.eps },
        ).map((s) => s.value),
        cotangents,
      );
      const derivative = arrays[i]![k]!;
      if (!(Math.abs(derivative - partial) <= gap)) {
        gap = Math.abs(derivative - partial);
        worst = { where: `${inPaths[i]}${indexText(x.shape, k)}`, derivative, difference: partial };
      }
    }
  });
  throw wrong('vjp', order, worst, options);
}

const dot = (xs: readonly ArrayLike<number>[], ys: readonly ArrayLike<number>[]): number =>
  xs.reduce((sum, x, i) => sum + Array.from(x).reduce((s, v, k) => s + v * ys[i]![k]!, 0), 0);

/** An element whose derivative is not what differences say. */
interface Wrong {
  readonly where: string;
  readonly derivative: number;
  readonly difference: number;
}

const errorOf = ({ derivative, difference: d }: Wrong): number => {
  const error = Math.abs(derivative - d);
  return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
};

/** The graver of two errors; one within `allowed` is none. */
const graver = (worst: Wrong | null, one: Wrong, allowed: number): Wrong | null =>
  errorOf(one) <= allowed || (worst && errorOf(worst) >= errorOf(one)) ? worst : one;

const ordinal = (order: number): string => (order === 1 ? 'derivative' : `derivative of order ${order}`);

const wrong = (
  mode: 'jvp' | 'vjp',
  order: number,
  worst: Wrong,
  { eps, rtol, atol }: Required<CheckGradsOptions>,
): GradientError =>
  new GradientError(
    `checkGrads: the ${ordinal(order)} by ${mode} is wrong, worst at ${worst.where}: ${worst.derivative}, central differences ` +
      `say ${worst.difference} (eps ${eps}, rtol ${rtol}, atol ${atol})`,
    true,
  );

const undecided = (order: number): GradientError =>
  new GradientError(
    `checkGrads: nothing can be said of the ${ordinal(order)}: differences with two steps disagree in every direction that ` +
      'was tried, as near a kink or a pole; check at another point or with a smaller eps',
    false,
  );
