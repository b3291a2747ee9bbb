/**
 * Loops around a compiled step, which own what they carry from step to step.
 *
 * The step is a program; the loop is JavaScript, so that it can take its data from anywhere and say how far it is. As nobody
 * else can reach a carry between two steps, its memory goes to the program at once: a loop that never yields, where no
 * finalizer runs, holds as much after a million steps as after two.
 */

import { callGiving, type Jitted, jit } from '../../transforms/jit.ts';
import { showAval } from '../core/aval.ts';
import { DTypeError, ShapeError, TreeError } from '../core/errors.ts';
import { sameShape } from '../core/shape.ts';
import { Value } from '../core/value.ts';
import { difference, leafPaths } from '../tree/def.ts';
import { flatten } from '../tree/tree.ts';

/** Options of {@link fold}. */
export interface FoldOptions<Y> {
  /** Called after each step with what it returned beside the carry, and its number from 0: for progress. */
  readonly onStep?: (y: Y, index: number) => void;
}

/**
 * A loop in JavaScript around a compiled step: `for (const x of xs) { [carry, y] = step(carry, x); ys.push(y); }`.
 *
 * What `scan` is inside of a program, `fold` is outside: `xs` is any iterable (of batches, say), which may end when it likes,
 * and the `ys` are listed, not stacked. `step` is jitted once, also over several calls with the same function: define it
 * outside of the loop over epochs. As under `jit`, numbers and strings in the carry and in `x` are part of the program; those
 * in the carry cannot change.
 *
 * The carry belongs to the loop: each step is given the memory of the one before, and writes over it where it can. `init` and the result are yours
 * as ever. Over an async iterable the result is a promise, and the loop lets other tasks run several times a second, finalizers
 * and the page among them; a synchronous loop needs neither.
 *
 * @param step - from the carry and one of the `xs` to `[carry, y]`; `y` is `null` if there is nothing to report
 * @returns `[carry, ys]`: the last carry, and what each step returned beside it
 * @throws TreeError, ShapeError or DTypeError naming the leaf if the carry changes its structure or its type
 *
 * @example
 * ```ts
 * import { np, optim, type Tensor, train, valueAndGrad } from 'pullback';
 *
 * const sgd = optim.sgd(0.5);
 * const init = { w: np.array([3, -1]), state: sgd.init(np.zeros([2])) };
 * const step = ({ w, state }: typeof init, x: Tensor) => {
 *   const [loss, gradient] = valueAndGrad((p: Tensor) => np.mean(np.square(np.sub(p, x))))(w);
 *   const [updates, next] = sgd.update(gradient, state, w);
 *   return [{ w: optim.applyUpdates(w, updates), state: next }, loss] as const;
 * };
 * const batches = [np.array([1, 1]), np.array([0, 0])];
 * const [{ w }, losses] = train.fold(step, init, batches);
 * console.log([w.toArray(), losses.map((loss) => loss.item())]); // => [ [ 1, 0 ], [ 4, 2 ] ]
 * console.log(init.w.toArray()); // => [ 3, -1 ]
 * ```
 */
export function fold<C, X, Y>(
  step: (carry: C, x: X) => readonly [NoInfer<C>, Y],
  init: C,
  xs: Iterable<X>,
  options?: FoldOptions<Y>,
): [C, Y[]];
export function fold<C, X, Y>(
  step: (carry: C, x: X) => readonly [NoInfer<C>, Y],
  init: C,
  xs: AsyncIterable<X>,
  options?: FoldOptions<Y>,
): Promise<[C, Y[]]>;
export function fold<C, X, Y>(
  step: (carry: C, x: X) => readonly [C, Y],
  init: C,
  xs: Iterable<X> | AsyncIterable<X>,
  { onStep }: FoldOptions<Y> = {},
): [C, Y[]] | Promise<[C, Y[]]> {
  const loop = new Loop<C, X, Y>(
    compiled('train.fold', step, (carry, x) => pairOf('train.fold', step(carry, x))),
    init,
  );
  const ys: Y[] = [];
  const take = (x: X): void => {
    const y = loop.advance(x);
    const index = ys.push(y) - 1;
    onStep?.(y, index);
  };
  if (isIterable(xs, Symbol.asyncIterator)) {
    return eachInTurn(xs as AsyncIterable<X>, take).then(() => [loop.carry, ys]);
  }
  if (!isIterable(xs, Symbol.iterator)) throw notIterable(xs);
  for (const x of xs as Iterable<X>) take(x);
  return [loop.carry, ys];
}

/**
 * A loop in JavaScript around a compiled step without data: `step` of `step` of … `init`, so many times, or while `more` says so.
 *
 * As in {@link fold}, `step` is jitted once and the carry belongs to the loop; `init` and the result are yours. `more` runs
 * before each step, on values, and returns a boolean or a bool scalar as the condition of `whileLoop` does; what it reads of
 * the carry it must not keep, because the next step overwrites it. Inside of a program, and where a derivative is wanted, use
 * `foriLoop` or `whileLoop`.
 *
 * @param more - the number of steps, or whether there is to be one more
 * @throws TreeError, ShapeError or DTypeError naming the leaf if the carry changes its structure or its type
 * @throws ShapeError if the number is not a non-negative integer
 *
 * @example
 * ```ts
 * import { np, type Tensor, train } from 'pullback';
 * const half = (x: Tensor) => np.div(x, 2);
 * console.log(train.iterate(half, np.array([8, 4]), 2).toArray()); // => [ 2, 1 ]
 * console.log(train.iterate(half, np.array([8, 4]), (x) => np.greater(np.max(x), 1)).toArray()); // => [ 1, 0.5 ]
 * ```
 */
export function iterate<C>(
  step: (carry: C) => NoInfer<C>,
  init: C,
  more: number | ((carry: C) => boolean | Value<'bool'>),
): C {
  const loop = new Loop<C, null, null>(
    compiled('train.iterate', step, (carry: C) => [step(carry), null]),
    init,
  );
  if (typeof more === 'function') {
    while (truth(more(loop.carry))) loop.advance(null);
    return loop.carry;
  }
  if (!Number.isSafeInteger(more) || more < 0) {
    throw new ShapeError({
      op: 'train.iterate',
      problem: `the number of steps is ${String(more)}`,
      remedy: 'pass a non-negative integer, or a function that says whether to go on',
    });
  }
  for (let i = 0; i < more; i++) loop.advance(null);
  return loop.carry;
}

/** From a carry and a datum to the next carry, and what is told of the step. */
export type Step<C, X, Y> = (carry: C, x: X) => readonly [C, Y];

/** A step that is jitted. */
export type CompiledStep<C, X, Y> = Jitted<[carry: C, x: X], readonly [C, Y]>;

/** A loop under way. */
export class Loop<C, X, Y> {
  carry: C;
  private readonly step: CompiledStep<C, X, Y>;
  /** Whether the carry was made here. */
  private owned = false;

  constructor(step: CompiledStep<C, X, Y>, init: C) {
    this.step = step;
    this.carry = init;
  }

  /** The carry as the caller's: the next step leaves it alone. */
  keep(): C {
    this.owned = false;
    return this.carry;
  }

  advance(x: X): Y {
    // Under a transform a step is recorded, and its operands are still needed: there nothing is given.
    const [next, y] = callGiving(this.step, this.owned ? [0] : [], [this.carry, x]);
    this.owned = true;
    this.carry = next;
    return y;
  }
}

/** Steps by the functions they were made of: an epoch must not compile what the one before it has. */
const steps = {
  'train.fit': new WeakMap<object, unknown>(),
  'train.fold': new WeakMap<object, unknown>(),
  'train.iterate': new WeakMap<object, unknown>(),
};

/** The step of the loop `op` that is made of the function `original`, compiled, with a carry that keeps its type. */
export function compiled<C, X, Y>(
  op: keyof typeof steps,
  original: object & { readonly name: string },
  step: Step<C, X, Y>,
): CompiledStep<C, X, Y> {
  const known = steps[op].get(original);
  if (known) return known as CompiledStep<C, X, Y>;
  const checked = (carry: C, x: X): readonly [C, Y] => {
    const result = step(carry, x);
    expectSameCarry(op, carry, result[0]);
    return result;
  };
  const made = jit(Object.defineProperty(checked, 'name', { value: original.name }));
  steps[op].set(original, made);
  return made as CompiledStep<C, X, Y>;
}

/** @throws TreeError, ShapeError or DTypeError unless a step returns a carry of the kind that it takes */
function expectSameCarry(op: string, before: unknown, after: unknown): void {
  const [given, returned] = [flatten(before, op, 'carry'), flatten(after, op, 'carry')];
  const found = difference(given.def, returned.def, 'carry');
  if (found !== null) {
    throw new TreeError({
      op,
      problem: `the step returns a carry of another structure than it takes: ${found}`,
      remedy:
        'return a carry with the same keys, lengths and static values; a number that changes is a tensor, np.array(0)',
    });
  }
  const paths = leafPaths(given.def, 'carry');
  given.leaves.forEach((x, i) => {
    const y = returned.leaves[i]!;
    const shapes = !sameShape(x.shape, y.shape);
    if (!shapes && x.dtype === y.dtype) return;
    throw new (shapes ? ShapeError : DTypeError)({
      op,
      problem: `the carry changes its type: ${paths[i]} is ${showAval(x.aval)} before a step and ${showAval(y.aval)} after it`,
      remedy: shapes
        ? 'start from a carry of the shape that the step returns'
        : 'cast the initial carry, or what the step returns, with np.astype',
    });
  });
}

/** @throws TreeError unless the step has returned `[carry, y]`, AsyncTraceError if it is async */
export function pairOf<C, Y>(op: string, result: readonly [C, Y]): readonly [C, Y] {
  if (Array.isArray(result) && result.length === 2) return result;
  flatten(result, op, 'output');
  throw new TreeError({
    op,
    problem: `the step must return [carry, y], got ${shown(result)}`,
    remedy: 'return a pair; y is null if there is nothing to report',
  });
}

const truth = (x: boolean | Value<'bool'>): boolean => (x instanceof Value ? x.item() : x);

/** Can `xs` be iterated over, `by` Symbol.iterator or Symbol.asyncIterator? */
export const isIterable = (xs: unknown, by: symbol): boolean =>
  typeof xs === 'object' && xs !== null && typeof (xs as Record<symbol, unknown>)[by] === 'function';

const shown = (x: unknown): string =>
  x instanceof Value ? showAval(x.aval) : Array.isArray(x) ? `an array of ${x.length}` : typeof x;

const notIterable = (xs: unknown): TreeError =>
  new TreeError({
    op: 'train.fold',
    problem: `xs is ${shown(xs)}, which cannot be iterated over`,
    remedy: 'pass an array, a generator or an async generator; scan runs over the first axis of tensors',
  });

async function eachInTurn<X>(xs: AsyncIterable<X>, take: (x: X) => void): Promise<void> {
  const turns = new Turns();
  for await (const x of xs) {
    take(x);
    await turns.give();
  }
}

/** Milliseconds that an asynchronous loop keeps to itself. Promises alone let no finalizer run. */
const slice = 32;

/** A loop that lets other tasks run several times a second. */
export class Turns {
  private began = performance.now();

  /** Lets them, if it is time. */
  async give(): Promise<void> {
    if (performance.now() - this.began < slice) return;
    await new Promise((resolve) => setTimeout(resolve));
    this.began = performance.now();
  }
}
