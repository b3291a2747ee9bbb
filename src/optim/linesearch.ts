/**
 * Line searches: how far to go along a direction. They come last in a chain, ask the loss itself (`extra.valueFn`), and are loops inside
 * of the program, so that a step with them can be compiled and batched; in reverse mode they have no derivative.
 */

import { jvp, whileLoop } from '../../transforms/index.ts';
import { makeAval } from '../core/aval.ts';
import { TreeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import * as np from '../ops/np.ts';
import { convertElementType, convertLike } from '../prim/arithmetic.ts';
import { filled, full } from '../prim/compose.ts';
import { flatten, map } from '../tree/tree.ts';
import { expectBound, expectHyperparameters, expectSteps } from './hyperparameters.ts';
import { dtypeFor, mapPairs, partsOf, scalarOf } from './state.ts';
import type { Extra, GradientTransformation, OptState } from './transformation.ts';

/** The loss along a direction. */
interface Line {
  /** Loss and slope at a distance. */
  readonly at: (distance: Value) => { readonly value: Value; readonly slope: Value };
  readonly value: Value;
  readonly slope: Value;
}

/** What the search knows of the loss at `params` along `updates`, in the dtype of `like`. @throws TreeError without the loss */
function lineOf<P>(op: string, updates: P, params: P, extra: Extra<P> | undefined, like: Value): Line {
  const valueFn = extra?.valueFn;
  if (typeof valueFn !== 'function') {
    throw new TreeError({
      op,
      problem: 'there is no loss to search along',
      remedy: 'pass it: update(gradients, state, params, { value, grad, valueFn })',
    });
  }
  const same = (x: Value): Value => convertElementType(x, like.dtype);
  const moved = (distance: Value): P =>
    mapPairs(
      op,
      ['params', 'updates'],
      (p, u) => convertLike(np.add(p, np.mul(u, convertElementType(distance, u.dtype))), p.aval),
      params,
      updates,
    );
  const at = (distance: Value): { readonly value: Value; readonly slope: Value } => {
    const along = (a: Value): Value => same(valueFn(moved(a)));
    const [value, slope] = jvp(along, [distance], [np.onesLike(distance)]);
    return { value, slope };
  };
  if (extra?.value !== undefined && extra.grad !== undefined) {
    const ds = flatten(updates).leaves;
    const slope = flatten(extra.grad).leaves.reduce<Value>(
      (sum, g, i) => np.add(sum, same(np.sum(np.mul(g, ds[i]!)))),
      full(like.aval, 0),
    );
    return { at, value: same(extra.value), slope };
  }
  return { at, ...at(full(like.aval, 0)) };
}

const scaled = <P>(updates: P, rate: Value): P =>
  map((u: Value) => np.mul(u, convertElementType(rate, u.dtype)), updates);

/** Options of {@link scaleByBacktrackingLinesearch}. */
export interface BacktrackingOptions {
  /** Evaluations at most; after that many the last distance is taken. Default 30. */
  readonly maxBacktrackingSteps?: number;
  /** The share of the decrease that the slope promises which must be there; default 1e-4. */
  readonly slopeRtol?: number;
  /** What a distance that is too far is multiplied by; default 0.8. */
  readonly decreaseFactor?: number;
  /** What the last distance is multiplied by to begin with; default 1.5. */
  readonly increaseFactor?: number;
  /** The greatest distance; default 1. */
  readonly maxLearningRate?: number;
}

const backtrackingNumbers = [
  'maxBacktrackingSteps',
  'slopeRtol',
  'decreaseFactor',
  'increaseFactor',
  'maxLearningRate',
] as const;

/**
 * Backtracking: the first of a, a·decreaseFactor, … at which the loss is at most value + slopeRtol·a·slope (Armijo).
 *
 * The state is `{ learningRate, value }`: the distance, and the loss there.
 *
 * @throws TreeError for an update without `{ valueFn }`; `value` and `grad` are computed where they are not given
 *
 * @example
 * ```ts
 * import { grad, np, optim, type Tensor } from 'pullback';
 * const loss = (x: Tensor) => np.square(x);
 * const optimizer = optim.chain(optim.sgd(1), optim.scaleByBacktrackingLinesearch({ decreaseFactor: 0.5 }));
 * const x = np.array(3);
 * const [step] = optimizer.update(grad(loss)(x), optimizer.init(x), x, { valueFn: loss });
 * console.log(step.item()); // => -3
 * ```
 */
export const scaleByBacktrackingLinesearch = (options: BacktrackingOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByBacktrackingLinesearch';
  expectHyperparameters(op, options, backtrackingNumbers);
  const {
    maxBacktrackingSteps = 30,
    slopeRtol = 1e-4,
    decreaseFactor = 0.8,
    increaseFactor = 1.5,
    maxLearningRate = 1,
  } = options;
  expectSteps(op, 'maxBacktrackingSteps', maxBacktrackingSteps, 'allow 1 evaluation at least');
  for (const [name, x] of Object.entries({ slopeRtol, decreaseFactor, increaseFactor, maxLearningRate })) {
    expectBound(op, name, x);
  }
  return {
    init: (params) => searched(params),
    update: <P>(updates: P, state: OptState, params: P, extra?: Extra<P>) => {
      const last = scalarOf(op, 'learningRate', partsOf(op, state, 'learningRate', 'value').learningRate);
      const line = lineOf(op, updates, params, extra, last);
      const isFar = (a: Value, value: Value): Value<'bool'> =>
        np.logicalNot(
          np.lessEqual(value, np.add(line.value, np.mul(np.mul(line.slope, a), slopeRtol))),
        ) as Value<'bool'>;
      const begin = np.minimum(np.mul(last, increaseFactor), maxLearningRate);
      const [a, value] = whileLoop(
        ([rate, loss, done]: readonly [Value, Value, Value]) =>
          np.logicalAnd(isFar(rate, loss), np.less(done, maxBacktrackingSteps)) as Value<'bool'>,
        ([rate, _loss, done]: readonly [Value, Value, Value]) => {
          const nearer = np.mul(rate, decreaseFactor);
          return [nearer, line.at(nearer).value, np.add(done, 1)] as const;
        },
        [begin, line.at(begin).value, filled([], 1, 'int32')] as const,
      );
      return [scaled(updates, a), { learningRate: a, value }];
    },
  };
};

/** The state of a search before the first. */
const searched = (params: unknown): OptState => {
  const aval = makeAval([], dtypeFor(params));
  return { learningRate: full(aval, 1), value: full(aval, Number.POSITIVE_INFINITY) };
};

/** Options of {@link scaleByZoomLinesearch}. */
export interface ZoomOptions {
  /** Evaluations at most, of the bracketing and of the zoom each; default 10. */
  readonly maxLinesearchSteps?: number;
  /** The share of the decrease that the slope promises which must be there (c₁); default 1e-4. */
  readonly slopeRtol?: number;
  /** The share of the slope that may be left (c₂); default 0.9. */
  readonly curvRtol?: number;
  /** The distance to begin with; default 1. */
  readonly initialGuess?: number;
  /** The greatest distance; any by default. */
  readonly maxLearningRate?: number;
}

/** A place on the line. */
interface Place {
  readonly a: Value;
  readonly value: Value;
  readonly slope: Value;
}

/** Where the search is: looking for an interval, in one, or done. */
interface Search {
  readonly phase: Value;
  readonly steps: Value;
  /** The best place so far; an end of the interval. */
  readonly low: Place;
  /** The other end: while there is no interval, the next distance. */
  readonly high: Place;
  /** The end that was given up last. */
  readonly old: Place;
}

/** Phases: 0 until there is an interval. */
const [zooming, done] = [1, 2] as const;

const choose = (which: Value, x: Place, y: Place): Place => ({
  a: np.where(which, x.a, y.a),
  value: np.where(which, x.value, y.value),
  slope: np.where(which, x.slope, y.slope),
});

/** The minimum of the cubic through a value and slope and two values. */
function cubic({ a, value, slope }: Place, b: Place, c: Place): Value {
  const [db, dc] = [np.sub(b.a, a), np.sub(c.a, a)];
  const [eb, ec] = [b, c].map((p, i) => np.sub(np.sub(p.value, value), np.mul(slope, [db, dc][i]!))) as [Value, Value];
  const den = np.mul(np.square(np.mul(db, dc)), np.sub(db, dc));
  const third = np.div(np.sub(np.mul(np.square(dc), eb), np.mul(np.square(db), ec)), den);
  const cube = (x: Value): Value => np.mul(x, np.square(x));
  const second = np.div(np.sub(np.mul(cube(db), ec), np.mul(cube(dc), eb)), den);
  const radical = np.sub(np.square(second), np.mul(np.mul(third, slope), 3));
  return np.add(a, np.div(np.sub(np.sqrt(radical), second), np.mul(third, 3)));
}

/** The minimum of the parabola through a value and slope and another value. */
function parabola({ a, value, slope }: Place, b: Place): Value {
  const db = np.sub(b.a, a);
  const second = np.div(np.sub(np.sub(b.value, value), np.mul(slope, db)), np.square(db));
  return np.sub(a, np.div(slope, np.mul(second, 2)));
}

/** A distance inside of the interval: of the cubic, if it is not close to an end, else of the parabola, else the middle. */
function between({ low, high, old, steps }: Search): Value {
  const width = np.abs(np.sub(high.a, low.a));
  const inside = (a: Value, share: number): Value =>
    np.logicalAnd(
      np.greaterEqual(a, np.add(np.minimum(low.a, high.a), np.mul(width, share))),
      np.lessEqual(a, np.sub(np.maximum(low.a, high.a), np.mul(width, share))),
    );
  const [third, second] = [cubic(low, high, old), parabola(low, high)];
  const middle = np.mul(np.add(low.a, high.a), 0.5);
  const nearer = np.where(inside(second, 0.1), second, middle);
  return np.where(np.logicalAnd(np.greater(steps, 0), inside(third, 0.2)), third, nearer);
}

/**
 * A distance with both of Wolfe's conditions, strong ones: loss(a) ≤ value + slopeRtol·a·slope and |slope(a)| ≤ −curvRtol·slope.
 *
 * Distances are doubled until an interval holds one, which is then made smaller by interpolation. A value that is not finite is too far. If
 * there is no such distance within `maxLinesearchSteps`, the best one of a sufficient decrease is taken, 0 if there was none.
 *
 * The state is `{ learningRate, value }`: the distance, and the loss there. J. Nocedal, S. Wright, "Numerical optimization" (2006),
 * algorithms 3.5 and 3.6, with interpolation as in SciPy.
 *
 * @throws TreeError for an update without `{ valueFn }`; `value` and `grad` are computed where they are not given
 */
export const scaleByZoomLinesearch = (options: ZoomOptions = {}): GradientTransformation => {
  const op = 'optim.scaleByZoomLinesearch';
  expectHyperparameters(op, options, [
    'maxLinesearchSteps',
    'slopeRtol',
    'curvRtol',
    'initialGuess',
    'maxLearningRate',
  ]);
  const {
    maxLinesearchSteps = 10,
    slopeRtol = 1e-4,
    curvRtol = 0.9,
    initialGuess = 1,
    maxLearningRate = Number.POSITIVE_INFINITY,
  } = options;
  expectSteps(op, 'maxLinesearchSteps', maxLinesearchSteps, 'allow 1 evaluation at least');
  for (const [name, x] of Object.entries({ slopeRtol, curvRtol, initialGuess, maxLearningRate })) {
    expectBound(op, name, x);
  }
  return {
    init: (params) => searched(params),
    update: <P>(updates: P, state: OptState, params: P, extra?: Extra<P>) => {
      const like = scalarOf(op, 'learningRate', partsOf(op, state, 'learningRate', 'value').learningRate);
      const line = lineOf(op, updates, params, extra, like);
      const step = (search: Search): Search => {
        const { low, high, steps } = search;
        const isZoom = np.equal(search.phase, zooming);
        const a = np.where(isZoom, between(search), high.a);
        const now: Place = { a, ...line.at(a) };
        const enough = np.add(line.value, np.mul(np.mul(line.slope, a), slopeRtol));
        const notFirst = np.logicalOr(isZoom, np.greater(steps, 0));
        const isFar = np.logicalOr(
          np.logicalNot(np.lessEqual(now.value, enough)),
          np.logicalAnd(notFirst, np.greaterEqual(now.value, low.value)),
        );
        const isFlat = np.logicalAnd(
          np.logicalNot(isFar),
          np.lessEqual(np.abs(now.slope), np.mul(line.slope, -curvRtol)),
        );
        // Behind `now` the loss grows: the minimum is between it and where the search came from.
        const turns = np.where(
          isZoom,
          np.greaterEqual(np.mul(now.slope, np.sub(high.a, low.a)), 0),
          np.greaterEqual(now.slope, 0),
        );
        const atLimit = np.logicalAnd(np.logicalNot(isZoom), np.greaterEqual(a, maxLearningRate));
        const taken = np.logicalOr(
          isFlat,
          np.logicalAnd(np.logicalNot(isFar), np.logicalAnd(atLimit, np.logicalNot(turns))),
        );
        const farther: Place = { ...now, a: np.minimum(np.mul(a, 2), maxLearningRate) };
        const origin: Place = { a: np.zerosLike(a), value: line.value, slope: line.slope };
        const begins = np.logicalAnd(np.logicalNot(isZoom), np.logicalOr(isFar, turns));
        const nextHigh = choose(isFar, now, choose(turns, low, choose(isZoom, high, farther)));
        const given = choose(np.logicalOr(isFar, turns), high, low);
        const spent = np.greaterEqual(np.add(steps, 1), maxLinesearchSteps);
        const nextPhase = np.astype(np.logicalOr(isZoom, begins), 'int32');
        return {
          phase: np.where(np.logicalOr(taken, np.logicalAnd(spent, np.logicalNot(begins))), done, nextPhase),
          steps: np.where(begins, 0, np.add(steps, 1)),
          low: choose(isFar, low, now),
          high: nextHigh,
          old: choose(isZoom, given, origin),
        };
      };
      const zero = np.zerosLike(line.value);
      const start: Place = { a: zero, value: line.value, slope: line.slope };
      const guess = Math.min(initialGuess, maxLearningRate);
      const { low } = whileLoop(({ phase }: Search) => np.less(phase, done) as Value<'bool'>, step, {
        phase: filled([], 0, 'int32'),
        steps: filled([], 0, 'int32'),
        low: start,
        high: { ...start, a: full(zero.aval, guess) },
        old: start,
      });
      return [scaled(updates, low.a), { learningRate: low.a, value: low.value }];
    },
  };
};
