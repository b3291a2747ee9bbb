/**
 * `customJvp`: a function whose derivative in forward mode the user has written; reverse mode is its transpose.
 *
 * The equation `custom_jvp` is a call. Its operands are what the function and its rule close over, the arguments without
 * derivatives, and the arguments; the rule is a program of those and of one tangent for each float argument.
 */

import { isFloat } from '../src/core/dtype.ts';
import { TreeError } from '../src/core/errors.ts';
import { inAvals, type Jaxpr } from '../src/core/jaxpr.ts';
import type { BatchDim, Primitive } from '../src/core/primitive.ts';
import { stage } from '../src/core/stage.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { zeros } from '../src/prim/compose.ts';
import { instantiate } from '../src/prim/define.ts';
import { unflatten } from '../src/tree/tree.ts';
import { type Args, expectLive, flattenTangents, nameAfter, type TangentOf } from './args.ts';
import {
  asFunction,
  callDerived,
  calledAvals,
  callLinearized,
  linearizedCall,
  mask,
  remember,
  spread,
  transposeCall,
  vmapAtFront,
  withAval,
} from './call.ts';
import { linearizeFlat } from './linearize.ts';
import {
  type AnyFunction,
  Customization,
  type CustomParams,
  customParams,
  deriveRule,
  differentiable,
  expectConstants,
  holdsFunctions,
  padded,
  present,
  type Rules,
  type SplitArgs,
  type Staged,
  type StagedRules,
  sameOutput,
  shown,
  splitArgs,
  stageSplit,
  takeSplit,
} from './rule.ts';

export const customJvpP: Primitive<'custom_jvp', CustomParams> = {
  name: 'custom_jvp',
  params: customParams,
  abstractEval: (ins, called) => calledAvals('custom_jvp', ins, called),
  jvp(primals, tangents, called) {
    expectConstants(opOf(called), called, present(tangents), primals);
    const { programs, nonzero } = called.rule();
    const given = differentiable(called).map((i) => instantiate(tangents[i]!, primals[i]!));
    const results = callDerived(called.name, programs[0]!, [...primals, ...given]);
    const count = called.jaxpr.outs.length;
    return { outs: results.slice(0, count), tangents: spread(nonzero, results.slice(count)) };
  },
  // As a linear function it is its program; a rule for derivatives says nothing of that.
  transpose: transposeCall,
  vmap(size, operands, dims, called) {
    const { jaxpr, consts } = vmapAtFront(called.jaxpr, size, dims);
    const rule = deriveRule(called.rule, `vmap ${size} ${dims.join()}`, (rules) =>
      vmapRules(rules, size, dims, called, consts),
    );
    const batched = { ...called, jaxpr, rule, captured: called.captured + consts.length };
    const outs = bind(customJvpP, [...consts, ...operands], batched);
    return { outs, dims: outs.map(() => 0) };
  },
  higherOrder: {
    jaxprs: ({ jaxpr }) => [jaxpr],
    body: ({ jaxpr }) => jaxpr,
    linearize(primals, active, called) {
      const floats = active.map((isActive, i) => isActive && isFloat(primals[i]!.dtype));
      expectConstants(opOf(called), called, floats, primals);
      const { programs, nonzero } = called.rule();
      const { jaxpr, consts } = programs[0]!;
      const among = differentiable(called).map((i) => floats[i]!);
      const count = called.jaxpr.outs.length;
      const split = remember(jaxpr, `linear part ${mask(among)}`, () => linearPart(jaxpr, among, count, nonzero));
      return callLinearized(called.name, split, [...consts, ...primals], [...consts.map(() => false), ...floats]);
    },
  },
};

const opOf = ({ name }: { readonly name: string }): string => `customJvp(${name})`;

/**
 * A rule is linear in its tangents, so it is its own derivative in them, at zero: that splits it into what depends on no
 * tangent, and a linear program.
 */
function linearPart(rule: Jaxpr, active: readonly boolean[], count: number, nonzero: readonly boolean[]) {
  const primals = inAvals(rule).slice(0, rule.ins.length - active.length);
  const tangents = inAvals(rule).slice(primals.length);
  return linearizedCall((...args) => {
    const {
      outs,
      linear,
      nonzero: moving,
    } = linearizeFlat(asFunction(rule), [...args, ...tangents.map(zeros)], [...primals.map(() => false), ...active]);
    const ofPrimals = moving.slice(0, count).filter(Boolean).length;
    const given = nonzero.flatMap((isNonzero, i) => (isNonzero ? [i] : []));
    const moved = new Set(given.filter((_, k) => moving[count + k]));
    return {
      outs: outs.slice(0, count),
      linear: { ...linear, jaxpr: { ...linear.jaxpr, outs: linear.jaxpr.outs.slice(ofPrimals) } },
      nonzero: nonzero.map((_, i) => moved.has(i)),
    };
  }, primals);
}

/** The rule on batches, for a call that has `extra` operands more. */
function vmapRules(
  { programs, nonzero }: Rules,
  size: number,
  dims: readonly BatchDim[],
  called: CustomParams,
  extra: readonly Value[],
): Rules {
  const { jaxpr, consts } = programs[0]!;
  const tangentDims = differentiable(called).map((i) => dims[i]!);
  const batched = vmapAtFront(jaxpr, size, [...consts.map(() => null), ...dims, ...tangentDims]);
  const program = { jaxpr: batched.jaxpr, consts: [...batched.consts, ...consts] };
  return { programs: [padded(program, extra)], nonzero };
}

/** All but some of the elements of a tuple. */
export type Omitted<
  A extends readonly unknown[],
  N extends readonly number[],
  Seen extends readonly unknown[] = [],
> = number extends A['length']
  ? A
  : A extends readonly [infer Head, ...infer Tail]
    ? Seen['length'] extends N[number]
      ? Omitted<Tail, N, [...Seen, unknown]>
      : [Head, ...Omitted<Tail, N, [...Seen, unknown]>]
    : [];

/** Some of the elements of a tuple. */
export type Picked<A extends readonly unknown[], N extends readonly number[]> = { [K in keyof N]: A[N[K]] };

/** Options of `customJvp` and `customVjp`. */
export interface CustomOptions<N extends readonly number[]> {
  /**
   * Arguments without derivatives, which the rule gets first. What stays a JS number (or is no tree, but a function or a string)
   * belongs here; a bare number among the others is a scalar.
   */
  readonly nondiffArgnums?: N;
}

/**
 * `f` with a derivative of its own: `rule(primals, tangents)` returns the output and its tangent, which is linear in the tangents.
 *
 * Reverse mode is the transpose of what the rule does with tangents, so one rule serves all modes and orders. Function and rule
 * are staged, once for each kind of arguments (as by `jit`); what they close over is constant to them. Law: with the true
 * derivative, it is indistinguishable from `f` under every transform.
 *
 * @param rule - gets the arguments of `nondiffArgnums`, then primals and tangents as two arrays. A tangent has the structure of
 *   its primal (`null` at integer and bool leaves); of the output's tangent, a `null` is zero
 * @throws TreeError if the rule returns another structure, or another output than `f`
 * @throws NotDifferentiableError if something it closes over, or an argument of `nondiffArgnums`, is being differentiated
 *
 * @example
 * ```ts
 * import { customJvp, grad, np, type Tensor } from 'pullback';
 * // log(1 + eˣ), whose derivative by the chain rule is Inf/Inf for large x
 * const softplus: (x: Tensor) => Tensor = customJvp(
 *   (x: Tensor) => np.log(np.add(1, np.exp(x))),
 *   ([x], [t]) => [softplus(x), np.mul(t, np.div(1, np.add(1, np.exp(np.neg(x)))))],
 * );
 * console.log(grad(softplus)(100).item()); // => 1
 * ```
 */
export function customJvp<
  A extends readonly unknown[],
  R,
  const S extends R,
  const T extends TangentOf<R>,
  const N extends readonly number[] = [],
>(
  f: (...args: A) => R,
  rule: (...args: [...Picked<A, N>, primals: Omitted<A, N>, tangents: Omitted<A, N>]) => readonly [S, T],
  { nondiffArgnums }: CustomOptions<N> = {},
): (...args: Args<A>) => R {
  const name = f.name || 'anonymous';
  const op = opOf({ name });
  const programs = new Customization(op);
  return nameAfter('customJvp', f, (...args: Args<A>): R => {
    const split = splitArgs(op, args, nondiffArgnums ?? []);
    const leaves = [...split.nondiff.leaves, ...split.diff.leaves];
    const {
      captured,
      jaxpr,
      outDef,
      rule: staged,
    } = programs.get(
      split.key,
      () => stageSplit(op, f as unknown as AnyFunction, split),
      (whole) => stageRule(op, rule as unknown as AnyFunction, split, whole),
      holdsFunctions(split),
    );
    const called = { name, jaxpr, rule: staged, captured: captured.length, nondiff: split.nondiff.leaves.length };
    return unflatten<R>(outDef, bind(customJvpP, [...captured, ...leaves], called));
  });
}

function stageRule(op: string, rule: AnyFunction, split: SplitArgs, whole: Staged): StagedRules {
  const { nondiff, diff } = split;
  const avals = [...nondiff.leaves, ...diff.leaves].map((x) => x.aval);
  const directions = diff.leaves.map((x) => x.aval).filter(({ dtype }) => isFloat(dtype));
  let nonzero: readonly boolean[] = [];
  const program = stage(
    op,
    (...values) => {
      const { constants, variables, rest } = takeSplit(split, values);
      let next = 0;
      const tangents = unflatten(
        diff.def,
        diff.leaves.map(({ dtype }) => (isFloat(dtype) ? rest[next++]! : null)),
      );
      const result = rule(...constants, variables, tangents);
      if (!Array.isArray(result) || result.length !== 2) {
        throw new TreeError({
          op,
          problem: `the rule must return [output, tangent], got ${shown(result)}`,
          remedy: 'return an array of two: what the function returns, and its tangent in the same structure',
        });
      }
      const outs = sameOutput(op, 'the rule', result[0], whole);
      const given = flattenTangents(op, 'tangent', result[1], whole.outDef, outs);
      expectLive(op, [...outs, ...given.filter((x) => x !== null)]);
      nonzero = given.map((x) => x !== null);
      return [...outs, ...given.flatMap((x, i) => (x ? [withAval(x, outs[i]!.aval)] : []))];
    },
    [...avals, ...directions],
  );
  return { programs: [program], nonzero };
}
