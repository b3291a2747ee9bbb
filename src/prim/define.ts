/**
 * Constructors for primitives that share their rules: elementwise operations, and what is linear in its operands.
 *
 * A leaf primitive is then one line that states its mathematics. Operands of one application always have equal shapes and
 * dtypes: broadcasting and promotion belong to `src/ops`, which keeps un-broadcasting out of every rule.
 *
 * The families of primitives refer to each other inside their rules (a sum's transpose is a broadcast and vice versa), so
 * those modules are cyclic and load in an order that depends on who is imported first. This module stands outside of the
 * cycle, so that it is there when they load; the few operations that it needs of them they provide themselves.
 */

import { type Aval, compatible, makeAval, showAval } from '../core/aval.ts';
import { type DType, isFloat, isInteger } from '../core/dtype.ts';
import { DTypeError, NotDifferentiableError, ShapeError } from '../core/errors.ts';
import { type None, none } from '../core/params.ts';
import {
  type BatchDim,
  type Hole,
  isHole,
  type JvpRule,
  noParams,
  type Primitive,
  type Tangent,
  type TransposeRule,
  type VmapRule,
} from '../core/primitive.ts';
import { inserted, type Shape } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';

/** Operations of the families that the shared rules below need. */
interface Provided {
  add(x: Value, y: Value): Value;
  zeros(aval: Aval): Value;
  broadcastInDim(x: Value, shape: Shape, dims: readonly number[]): Value;
  moveAxis(x: Value, from: number, to: number): Value;
}

const provided = {} as Provided;

/** Called by the families as they load; see the top of this file. */
export function provide(operations: Partial<Provided>): void {
  Object.assign(provided, operations);
}

/** Which dtypes an operation takes. */
export type Kind = 'float' | 'integer' | 'number' | 'logical' | 'any';

const kinds: Readonly<Record<Kind, { readonly test: (dtype: DType) => boolean; readonly words: string }>> = {
  float: { test: isFloat, words: 'a floating-point dtype' },
  integer: { test: isInteger, words: 'an integer dtype' },
  number: { test: (d) => d !== 'bool', words: 'a numeric dtype' },
  logical: { test: (d) => !isFloat(d), words: 'bool or an integer dtype' },
  any: { test: () => true, words: 'any dtype' },
};

/** @throws DTypeError unless the dtype of `aval` is of this kind */
export function expectKind(op: string, kind: Kind, aval: Aval): void {
  if (kinds[kind].test(aval.dtype)) return;
  throw new DTypeError({
    op,
    problem: `needs ${kinds[kind].words}, got ${showAval(aval)}`,
    remedy: kind === 'float' ? "cast first: np.astype(x, 'float32')" : 'cast first with np.astype',
  });
}

/** @throws ShapeError or DTypeError unless all operands have the same shape and dtype */
export function expectSame(op: string, ins: readonly Aval[]): void {
  const first = ins[0]!;
  for (const aval of ins) {
    if (compatible(aval, first)) continue;
    const shapesDiffer = aval.dtype === first.dtype;
    const parts = {
      op,
      problem: `operands must have equal ${shapesDiffer ? 'shapes' : 'dtypes'}, got ${ins.map(showAval).join(' and ')}`,
      remedy: shapesDiffer
        ? 'broadcast explicitly, or use the function of the same meaning in np'
        : 'cast one of them with np.astype, or use the function of the same meaning in np',
    };
    throw shapesDiffer ? new ShapeError(parts) : new DTypeError(parts);
  }
}

/** @throws ShapeError unless there are `count` operands */
export function expectCount(op: string, count: number, ins: readonly unknown[]): void {
  if (ins.length !== count) throw new ShapeError({ op, problem: `takes ${count} operands, got ${ins.length}` });
}

/** Weak only if every operand is. */
export function allWeak(ins: readonly Aval[]): boolean {
  return ins.every((a) => a.weak);
}

/** The aval of an elementwise result. */
function sameAs(ins: readonly Aval[]): Aval {
  return makeAval(ins[0]!.shape, ins[0]!.dtype, allWeak(ins));
}

/** The rule of what has no derivative: integer results, comparisons, steps. Its tangents are zero. */
export function noDerivative<P>(apply: (operands: readonly Value[], params: P) => readonly Value[]): JvpRule<P> {
  return (primals, _tangents, params) => {
    const outs = apply(primals, params);
    return { outs, tangents: outs.map(() => null) };
  };
}

/** The sum of two tangents, either of which may be zero. */
export function addTangents(a: Tangent, b: Tangent): Tangent {
  return a && b ? provided.add(a, b) : (a ?? b);
}

/** A tangent as a value: zeros of the aval of `primal` where it is zero. */
export function instantiate(tangent: Tangent, primal: { readonly aval: Aval }): Value {
  return tangent ?? provided.zeros(primal.aval);
}

/** Elementwise operations act on each lane alone: align the batch axes, broadcasting what is not batched. */
export function vmapElementwise<P>(apply: (operands: readonly Value[], params: P) => readonly Value[]): VmapRule<P> {
  return (size, operands, dims, params) => {
    const [aligned, dim] = alignBatch(size, operands, dims);
    const outs = apply(aligned, params);
    return { outs, dims: outs.map(() => dim) };
  };
}

/** All operands with their batch axis at one place: that of the first batched one. */
export function alignBatch(
  size: number,
  operands: readonly Value[],
  dims: readonly BatchDim[],
): readonly [readonly Value[], number] {
  const dim = dims.find((d) => d !== null)!;
  return [operands.map((x, i) => batchAt(size, x, dims[i]!, dim)), dim];
}

/** `x` with its batch axis at `at`, made by broadcasting if it has none. */
export function batchAt(size: number, x: Value, dim: BatchDim, at: number): Value {
  if (dim !== null) return provided.moveAxis(x, dim, at);
  const shape = inserted(x.shape, at, size);
  return provided.broadcastInDim(
    x,
    shape,
    shape.map((_, i) => i).filter((i) => i !== at),
  );
}

/** The operand that is not a hole. @throws NotDifferentiableError if both are: the equation is not linear */
export function known(op: string, x: Value | Hole): Value {
  if (!isHole(x)) return x;
  throw new NotDifferentiableError({
    op,
    problem: `is not linear in ${showAval(x.aval)} together with its other operands`,
    remedy: 'transpose only functions that are linear in all their arguments together',
  });
}

/** A differentiable function of one float: `derivative(t, x, y)` is the tangent of y = f(x) in the direction `t`. */
export function unary<Name extends string>(
  name: Name,
  derivative: (tangent: Value, x: Value, y: Value) => Value,
): Primitive<Name, None> {
  const apply = (operands: readonly Value[]): readonly Value[] => [bind1(self, operands, noParams)];
  const self: Primitive<Name, None> = {
    name,
    params: none,
    abstractEval(ins) {
      expectCount(name, 1, ins);
      expectKind(name, 'float', ins[0]!);
      return [ins[0]!];
    },
    jvp([x], [tangent]) {
      const y = bind1(self, [x!], noParams);
      return { outs: [y], tangents: [derivative(tangent!, x!, y)] };
    },
    transpose: 'nonlinear',
    vmap: vmapElementwise(apply),
  };
  return self;
}

/** What an elementwise operation without parameters has of its own. */
interface Elementwise {
  readonly count: number;
  readonly kind: Kind;
  /** The dtype of the result, if not that of the operands. */
  readonly result?: DType;
  readonly jvp?: JvpRule<None>;
  readonly transpose?: TransposeRule<None>;
}

/** An elementwise operation of equally typed operands. Without `jvp` it has no derivative. */
export function elementwise<Name extends string>(name: Name, own: Elementwise): Primitive<Name, None> {
  const apply = (operands: readonly Value[]): readonly Value[] => [bind1(self, operands, noParams)];
  const self: Primitive<Name, None> = {
    name,
    params: none,
    abstractEval(ins) {
      expectCount(name, own.count, ins);
      expectKind(name, own.kind, ins[0]!);
      expectSame(name, ins);
      return [own.result ? makeAval(ins[0]!.shape, own.result, allWeak(ins)) : sameAs(ins)];
    },
    jvp: own.jvp ?? noDerivative(apply),
    transpose: own.transpose ?? 'nonlinear',
    vmap: vmapElementwise(apply),
  };
  return self;
}

/** The jvp of an operation that is linear in its only operand: itself, on the tangent. */
export function linearJvp<P>(apply: (x: Value, params: P) => Value): JvpRule<P> {
  return ([x], [tangent], params) => ({ outs: [apply(x!, params)], tangents: [apply(tangent!, params)] });
}

/** The tangent of a product that is bilinear in its two operands. */
export function productTangent(
  product: (x: Value, y: Value) => Value,
  [x, y]: readonly Value[],
  [dx, dy]: readonly Tangent[],
): Tangent {
  return addTangents(dx ? product(dx, y!) : null, dy ? product(x!, dy) : null);
}
