/**
 * Loops of known length as users write them: `scan`, and what is a scan with less to say.
 *
 * The body is a function on trees. It is traced once, and the loop is one equation that holds its program.
 */

import { showAval } from '../src/core/aval.ts';
import { ConcretizationError, ShapeError, TreeError } from '../src/core/errors.ts';
import { evalJaxpr, outAvals } from '../src/core/jaxpr.ts';
import { range } from '../src/core/shape.ts';
import { Value } from '../src/core/value.ts';
import { zeros } from '../src/prim/compose.ts';
import { concatenate, reshape, sliceAxis } from '../src/prim/structural.ts';
import { leafPaths } from '../src/tree/def.ts';
import { flatten, unflatten } from '../src/tree/tree.ts';
import { derive, flattenScalars, type Lifted, traceCarrying, type Weakly } from './bodies.ts';
import type { Derived } from './call.ts';
import { type ScanParams, scanOver, scanP, stepOf } from './scan.ts';

/** Options of {@link scan}. */
export interface ScanOptions {
  /** The number of steps; needed if there are no `xs`. */
  readonly length?: number;
  /** Begin with the last step; default false. `ys[i]` still belongs to `xs[i]`. */
  readonly reverse?: boolean;
  /** Steps that are written out one after the other in the body of the loop: a number, or `true` for all. Default 1. */
  readonly unroll?: number | boolean;
}

/**
 * A loop that carries a value from step to step, takes a slice of `xs` at each, and stacks what the steps return:
 * `for (const x of xs) { [carry, y] = f(carry, x); ys.push(y); }` as one equation, whose size does not depend on the length.
 *
 * Carry, `xs` and `ys` are trees. A JS number in `init` is a scalar of the dtype that `f` gives it. Reverse mode stores what
 * each step needs for its derivative, and runs the loop backwards. Law: `scan` computes what the loop in JavaScript computes,
 * under every transform.
 *
 * @param f - from the carry and one slice of `xs` to `[carry, y]`; traced once (again if that decides the dtype of a number)
 * @param xs - tensors of equal first axis, over which the loop runs; `null` if there are none, with `length`
 * @returns `[carry, ys]`: the last carry, and what the steps returned, stacked along axis 0
 * @throws ShapeError if lengths differ, TreeError, ShapeError or DTypeError if the carry changes its type
 * @throws ConcretizationError if `length` is a tensor
 *
 * @example
 * ```ts
 * import { np, scan, type Tensor } from 'pullback';
 * const [total, sums] = scan(
 *   (sum: Tensor, x: Tensor) => {
 *     const next = np.add(sum, x);
 *     return [next, next];
 *   },
 *   0,
 *   np.array([1, 2, 3]),
 * );
 * console.log([total.item(), sums.toArray()]); // => [ 6, [ 1, 3, 6 ] ]
 * ```
 */
export function scan<C, X, Y>(
  f: (carry: C, x: X) => readonly [NoInfer<C>, Y],
  init: C,
  xs: X,
  options?: ScanOptions,
): [C, Lifted<Y>];
export function scan<C, X, Y>(
  f: (carry: C, x: X) => readonly [Weakly<NoInfer<C>>, Y],
  init: Weakly<NoInfer<C>>,
  xs: X,
  options?: ScanOptions,
): [C, Lifted<Y>];
export function scan<C, X, Y>(
  f: (carry: C, x: X) => readonly [C, Y],
  init: C,
  xs: X,
  options: ScanOptions = {},
): [C, Lifted<Y>] {
  const initial = flattenScalars(init, 'scan', 'init');
  const sliced = flatten(xs, 'scan', 'xs');
  const length = lengthOf('scan', sliced.leaves, leafPaths(sliced.def, 'xs'), options.length);
  const { carry, carryDef, restDef, ...body } = traceCarrying(
    'scan',
    initial,
    sliced.leaves.map((x) => stepOf(x.aval)),
    (c, slices) => pairOf(f(c as C, unflatten<X>(sliced.def, slices))),
  );
  const { reverse = false } = options;
  const run = { length, reverse, unroll: unrolled(options.unroll ?? 1, length) };
  const [last, ys] = loop(body, carry, sliced.leaves, run);
  return [unflatten<C>(carryDef, last), unflatten<Lifted<Y>>(restDef, ys)];
}

/** @throws TreeError unless the body has returned `[carry, y]` */
function pairOf(result: unknown): { readonly carry: unknown; readonly rest: unknown } {
  if (Array.isArray(result) && result.length === 2) return { carry: result[0], rest: result[1] };
  throw new TreeError({
    op: 'scan',
    problem: `the body must return [carry, y], got ${Array.isArray(result) ? `an array of ${result.length}` : typeof result}`,
    remedy: 'return a pair; y is null if there is nothing to stack',
  });
}

/** The number of steps. @throws ShapeError if lengths differ, there is none, or it is not a length */
function lengthOf(op: string, xs: readonly Value[], paths: readonly string[], given: unknown): number {
  if (given instanceof Value) {
    throw new ConcretizationError({
      op,
      problem: `length is a tensor, ${showAval(given.aval)}: how often a scan runs is part of the program`,
      remedy: 'pass a JS number; for a trip count that is computed, use whileLoop or foriLoop',
    });
  }
  if (given !== undefined && !(Number.isSafeInteger(given) && (given as number) >= 0)) {
    throw new ShapeError({ op, problem: `length is ${String(given)}`, remedy: 'pass a non-negative integer' });
  }
  xs.forEach((x, i) => {
    if (x.ndim > 0) return;
    throw new ShapeError({
      op,
      problem: `${paths[i]} is ${showAval(x.aval)}, which has no axis to run over`,
      remedy: 'give every tensor in xs a first axis, or let the body capture what is the same at each step',
    });
  });
  const length = (given as number | undefined) ?? xs[0]?.shape[0];
  if (length === undefined) {
    throw new ShapeError({ op, problem: 'there are no xs, and no length', remedy: 'pass { length }' });
  }
  if (xs.every((x) => x.shape[0] === length)) return length;
  const list = xs.map((x, i) => `${paths[i]} ${showAval(x.aval)} has ${x.shape[0]}`);
  throw new ShapeError({
    op,
    problem: `lengths differ: ${given === undefined ? '' : `length is ${length}, `}${list.join(', ')}`,
    remedy: 'give all xs the same first axis, and leave length out or make it the same',
  });
}

/** How many steps the body of the loop does; infinitely many if there is to be no loop. */
function unrolled(unroll: number | boolean, length: number): number {
  if (unroll === true) return length === 0 ? 1 : Number.POSITIVE_INFINITY;
  if (unroll === false) return 1;
  if (Number.isSafeInteger(unroll) && unroll >= 1) return length === 0 ? 1 : unroll;
  throw new ShapeError({ op: 'scan', problem: `unroll is ${unroll}`, remedy: 'pass a positive integer, or true' });
}

interface Run {
  readonly length: number;
  readonly reverse: boolean;
  readonly unroll: number;
}

type Result = readonly [carry: readonly Value[], ys: readonly Value[]];

/** The loop over `body`, `unroll` steps at a time; the steps that are left over are written out at the end of the order. */
function loop(body: Derived, carry: readonly Value[], xs: readonly Value[], { length, reverse, unroll }: Run): Result {
  if (unroll === 1) {
    const results = scanOver(body, [[], carry, xs], { length, reverse });
    return [results.slice(0, carry.length), results.slice(carry.length)];
  }
  const blocks = Math.floor(length / unroll);
  const whole = blocks === 0 ? 0 : blocks * unroll;
  const rest = (x: Value): Value => sliceAxis(x, 0, whole, length);
  const runBlocks = (from: readonly Value[]): Result => {
    const folded = xs.map((x) => reshape(sliceAxis(x, 0, 0, whole), [blocks, unroll, ...x.shape.slice(1)]));
    if (blocks === 1)
      return writtenOut(
        body,
        from,
        folded.map((x) => reshape(x, x.shape.slice(1))),
        unroll,
        reverse,
      );
    const consts = body.consts.length;
    const block = derive(
      'scan',
      (...args) => {
        const inner = { jaxpr: body.jaxpr, consts: args.slice(0, consts) };
        const at = consts + from.length;
        return writtenOut(inner, args.slice(consts, at), args.slice(at), unroll, reverse).flat();
      },
      [...body.consts, ...from].map((x) => x.aval).concat(folded.map((x) => stepOf(x.aval))),
    );
    const results = scanOver(block, [body.consts, from, folded], { length: blocks, reverse });
    const ys = results.slice(from.length).map((y) => reshape(y, [whole, ...y.shape.slice(2)]));
    return [results.slice(0, from.length), ys];
  };
  if (whole === length) return runBlocks(carry);
  const runRest = (from: readonly Value[]): Result => writtenOut(body, from, xs.map(rest), length - whole, reverse);
  if (blocks === 0) return runRest(carry);
  const [first, second] = reverse ? [runRest, runBlocks] : [runBlocks, runRest];
  const [between, ys] = first(carry);
  const [last, more] = second(between);
  return [last, ys.map((y, i) => concatenate(reverse ? [more[i]!, y] : [y, more[i]!], 0))];
}

/** The steps one after the other, without a loop. */
function writtenOut(
  { jaxpr, consts }: Derived,
  init: readonly Value[],
  xs: readonly Value[],
  length: number,
  reverse: boolean,
): Result {
  let carry = init;
  const rows: (readonly Value[])[] = [];
  for (const i of reverse ? range(length).reverse() : range(length)) {
    const slices = xs.map((x) => reshape(sliceAxis(x, 0, i, i + 1), x.shape.slice(1)));
    const results = evalJaxpr(jaxpr, [], [...consts, ...carry, ...slices]);
    carry = results.slice(0, init.length);
    rows[i] = results.slice(init.length);
  }
  const ys = outAvals(jaxpr)
    .slice(init.length)
    .map(({ shape }, j) =>
      concatenate(
        rows.map((row) => reshape(row[j]!, [1, ...shape])),
        0,
      ),
    );
  return [carry, ys];
}

/** A scan, one step after the other. */
export function stepByStep(operands: readonly Value[], params: ScanParams): readonly Value[] {
  const { consts, carry, length, reverse, jaxpr } = params;
  if (length === 0) {
    const avals = scanP.abstractEval(
      operands.map((x) => x.aval),
      params,
    );
    return [...operands.slice(consts, consts + carry), ...avals.slice(carry).map(zeros)];
  }
  const body = { jaxpr, consts: operands.slice(0, consts) };
  const at = consts + carry;
  return writtenOut(body, operands.slice(consts, at), operands.slice(at), length, reverse).flat();
}
