/**
 * Loops of known length as users write them: `scan`, and what is a scan with less to say.
 *
 * The body is a function on trees. It is traced once, and the loop is one equation that holds its program.
 */

import { showAval } from '../src/core/aval.ts';
import { isInteger } from '../src/core/dtype.ts';
import { ConcretizationError, DTypeError, ShapeError, TreeError } from '../src/core/errors.ts';
import { evalJaxpr, outAvals } from '../src/core/jaxpr.ts';
import { range } from '../src/core/shape.ts';
import { asyncTrace } from '../src/core/trace.ts';
import { expectOptions } from '../src/core/untyped.ts';
import { Value } from '../src/core/value.ts';
import { add, convertElementType } from '../src/prim/arithmetic.ts';
import { lt } from '../src/prim/compare.ts';
import { full, scalar, zeros } from '../src/prim/compose.ts';
import { concatenate, iota, reshape, sliceAxis } from '../src/prim/structural.ts';
import { leafPaths } from '../src/tree/def.ts';
import { flatten, unflatten } from '../src/tree/tree.ts';
import {
  type AsTuple,
  derive,
  type FlatScalars,
  flattenScalars,
  type Lifted,
  traceCarrying,
  type Weakly,
} from './bodies.ts';
import type { Derived } from './call.ts';
import { type ScanParams, scanOver, scanP, stepOf } from './scan.ts';
import { vmap } from './vmap.ts';
import { whileFor } from './while.ts';

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
export function scan<C extends AsTuple, X, Y>(
  f: (carry: C, x: X) => readonly [NoInfer<C>, Y],
  init: C,
  xs: X,
  options?: ScanOptions,
): [C, Lifted<Y>];
export function scan<C extends AsTuple, X, Y>(
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
  expectOptions('scan', options, 'length', 'reverse', 'unroll');
  return scanFor('scan', f, init, xs, options);
}

/** {@link scan} for the function `op`, under whose name errors are reported. */
function scanFor<C, X, Y>(
  op: string,
  f: (carry: C, x: X) => readonly [unknown, Y],
  init: unknown,
  xs: X,
  { length: given, reverse = false, unroll = 1 }: ScanOptions = {},
): [C, Lifted<Y>] {
  const initial = flattenScalars(init, op, 'init');
  const sliced = flatten(xs, op, 'xs');
  const length = lengthOf(op, sliced.leaves, leafPaths(sliced.def, 'xs'), given);
  const { carry, carryDef, restDef, ...body } = traceCarrying(
    op,
    initial,
    sliced.leaves.map((x) => stepOf(x.aval)),
    (c, slices) => pairOf(f(c as C, unflatten<X>(sliced.def, slices))),
  );
  const [last, ys] = loop(body, carry, sliced.leaves, { length, reverse, unroll: unrolled(unroll, length) });
  return [unflatten<C>(carryDef, last), unflatten<Lifted<Y>>(restDef, ys)];
}

/** Options of {@link map}. */
export interface MapOptions {
  /** How many slices are computed at once, by `vmap`; default 1. */
  readonly batchSize?: number;
}

/**
 * `f` of each slice of `xs` along axis 0, stacked: what `vmap` computes, one slice (or `batchSize` of them) after the other, in
 * the memory of one.
 *
 * @throws ShapeError if lengths differ, or `batchSize` is not a positive integer
 *
 * @example
 * ```ts
 * import { map, np, type Tensor } from 'pullback';
 * const rows = np.array([[1, 2], [3, 4], [5, 6]]);
 * console.log(map((row: Tensor) => np.sum(row), rows, { batchSize: 2 }).toArray()); // => [ 3, 7, 11 ]
 * ```
 */
export function map<X, Y>(f: (x: X) => Y, xs: X, options: MapOptions = {}): Lifted<Y> {
  expectOptions('map', options, 'batchSize');
  const { batchSize = 1 } = options;
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new ShapeError({ op: 'map', problem: `batchSize is ${batchSize}`, remedy: 'pass a positive integer' });
  }
  const lifted = (x: X): Lifted<Y> => {
    const { def, leaves } = flattenScalars(f(x), 'map', 'output');
    return unflatten<Lifted<Y>>(def, leaves);
  };
  const { leaves, def } = flatten(xs, 'map', 'xs');
  const length = lengthOf('map', leaves, leafPaths(def, 'xs'), undefined);
  const one = (_: null, x: X): readonly [null, Lifted<Y>] => [null, lifted(x)];
  if (batchSize === 1 || length === 0) return scanFor('map', one, null, xs)[1] as Lifted<Y>;
  const blocks = Math.floor(length / batchSize);
  const whole = blocks * batchSize;
  const parts: FlatScalars[] = [];
  if (blocks > 0) {
    const folded = leaves.map((x) => reshape(sliceAxis(x, 0, 0, whole), [blocks, batchSize, ...x.shape.slice(1)]));
    const block = (_: null, x: X): readonly [null, Lifted<Y>] => [null, vmap(lifted)(x)];
    const [, ys] = scanFor('map', block, null, unflatten<X>(def, folded));
    const flat = flattenScalars(ys, 'map', 'output');
    parts.push({ ...flat, leaves: flat.leaves.map((y) => reshape(y, [whole, ...y.shape.slice(2)])) });
  }
  if (whole < length) {
    const rest = leaves.map((x) => sliceAxis(x, 0, whole, length));
    parts.push(flattenScalars(vmap(lifted)(unflatten<X>(def, rest)), 'map', 'output'));
  }
  const [first, second] = parts;
  const joined = second ? first!.leaves.map((y, i) => concatenate([y, second.leaves[i]!], 0)) : first!.leaves;
  return unflatten<Lifted<Y>>(first!.def, joined);
}

/**
 * Repeat `body` for i from `lower` to `upper` − 1: `for (let i = lower; i < upper; i++) carry = body(i, carry)` as one equation.
 *
 * With JS numbers for both bounds it is a {@link scan}, which has derivatives of both modes. With a tensor for one of them it is
 * a `whileLoop`, which has a forward derivative only.
 *
 * @param body - takes the index, an int32 scalar, and the carry
 * @throws DTypeError if a bound is not an integer; TreeError, ShapeError or DTypeError if the carry changes its type
 *
 * @example
 * ```ts
 * import { foriLoop, grad, np, type Tensor } from 'pullback';
 * const power = (x: Tensor) => foriLoop(0, 3, (_i, y: Tensor) => np.mul(y, x), 1);
 * console.log(grad(power)(2).item()); // => 12
 * ```
 */
export function foriLoop<C extends AsTuple>(
  lower: Bound,
  upper: Bound,
  body: (i: Value<'int32'>, carry: C) => NoInfer<C>,
  init: C,
): C;
export function foriLoop<C extends AsTuple>(
  lower: Bound,
  upper: Bound,
  body: (i: Value<'int32'>, carry: C) => Weakly<NoInfer<C>>,
  init: Weakly<NoInfer<C>>,
): C;
export function foriLoop<C>(lower: Bound, upper: Bound, body: (i: Value<'int32'>, carry: C) => C, init: C): C {
  const [from, to] = [bound('lower', lower), bound('upper', upper)];
  if (typeof lower === 'number' && typeof upper === 'number') {
    const length = Math.max(0, upper - lower);
    const counted = iota([length], 0, 'int32') as Value<'int32'>;
    const indices = (lower === 0 ? counted : add(counted, full(counted.aval, lower))) as Value<'int32'>;
    const step = (carry: C, i: Value<'int32'>): readonly [C, null] => [body(i, carry), null];
    return scanFor<C, Value<'int32'>, null>('foriLoop', step, init, indices)[0];
  }
  const one = scalar(1, 'int32');
  type Counted = readonly [Value<'int32'>, C];
  return whileFor<Counted>(
    'foriLoop',
    ([i]) => lt(i, to),
    ([i, carry]) => [add(i, one), body(i, carry)],
    [from, init],
  )[1];
}

/** A bound of {@link foriLoop}. */
type Bound = number | Value<'int32' | 'uint32'>;

/** A bound as an int32 scalar. @throws DTypeError if it is none */
function bound(name: string, x: Bound): Value<'int32'> {
  if (x instanceof Value && isInteger(x.dtype) && x.ndim === 0) {
    return (x.dtype === 'int32' ? x : convertElementType(x, 'int32')) as Value<'int32'>;
  }
  if (typeof x === 'number' && Number.isInteger(x) && Math.abs(x) < 2 ** 31)
    return scalar(x, 'int32') as Value<'int32'>;
  if (typeof x === 'number' && Number.isInteger(x)) {
    throw new DTypeError({
      op: 'foriLoop',
      problem: `${name} is ${x}, which the index, an int32, cannot hold`,
      remedy: 'stay between -2147483647 and 2147483647: nest two loops for more steps',
    });
  }
  throw new DTypeError({
    op: 'foriLoop',
    problem: `${name} must be an integer, got ${x instanceof Value ? showAval(x.aval) : String(x)}`,
    remedy: "pass a JS number, or a scalar cast with np.astype(x, 'int32')",
  });
}

const shownResult = (x: unknown): string =>
  Array.isArray(x) ? `an array of ${x.length}` : x instanceof Value ? showAval(x.aval) : typeof x;

/** @throws TreeError unless the body has returned `[carry, y]` */
function pairOf(result: unknown): { readonly carry: unknown; readonly rest: unknown } {
  if (result instanceof Promise) throw asyncTrace('scan', 'what the body returns', result);
  if (Array.isArray(result) && result.length === 2) return { carry: result[0], rest: result[1] };
  throw new TreeError({
    op: 'scan',
    problem: `the body must return [carry, y], got ${shownResult(result)}`,
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
