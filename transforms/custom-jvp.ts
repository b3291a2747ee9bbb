/**
 * `customJvp`: a function whose derivative in forward mode the user has written; reverse mode is its transpose.
 *
 * The equation `custom_jvp` is a call. Its operands are what the function and its rule close over, the arguments without
 * derivatives, and the arguments; the rule is a program of those and of one tangent for each float argument.
 */

import { isFloat } from '../src/core/dtype.ts';
import { inAvals, type Jaxpr } from '../src/core/jaxpr.ts';
import type { BatchDim, Primitive } from '../src/core/primitive.ts';
import { stage } from '../src/core/stage.ts';
import type { Value } from '../src/core/value.ts';
import { zeros } from '../src/prim/compose.ts';
import { instantiate } from '../src/prim/define.ts';
import { unflatten } from '../src/tree/tree.ts';
import { type Args, expectLive, flattenTangents, type TangentOf } from './args.ts';
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
import { type CustomOptions, customized, expectPair, type Omitted, type Picked, vmapCustom } from './customized.ts';
import { expectLinear } from './linearity.ts';
import { linearizeFlat } from './linearize.ts';
import {
  type AnyFunction,
  type CustomParams,
  customParams,
  differentiable,
  expectConstants,
  padded,
  present,
  type Rules,
  type SplitArgs,
  type Staged,
  type StagedRules,
  sameOutput,
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
  vmap: vmapCustom(() => customJvpP, vmapRules),
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
      const split = remember(jaxpr, `linear part ${mask(among)}`, () => {
        expectLinear(opOf(called), { ...jaxpr, outs: jaxpr.outs.slice(count) }, among.length);
        return linearPart(jaxpr, among, count, nonzero);
      });
      return callLinearized(called.name, split, [...consts, ...primals], floats);
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

/**
 * `f` with a derivative of its own: `rule(primals, tangents)` returns the output and its tangent, which is linear in the tangents.
 *
 * Reverse mode is the transpose of what the rule does with tangents, so one rule serves all modes and orders. Function and rule
 * are staged, once for each kind of arguments (as by `jit`); what they close over is constant to them. Law: with the true
 * derivative, it is indistinguishable from `f` under every transform.
 *
 * That a rule is linear is judged where it is linearized or transposed (`grad`, `vjp`, `linearize`), by its program. Forward mode
 * (`jvp`) runs the rule for one tangent as it is, and finds nothing; nor is what a `whileLoop` does with a tangent found.
 *
 * @param rule - gets the arguments of `nondiffArgnums`, then primals and tangents as two arrays. A tangent has the structure of
 *   its primal (`null` at integer and bool leaves); of the output's tangent, a `null` is zero
 * @throws TreeError if the rule returns another structure, or another output than `f`
 * @throws NotDifferentiableError naming the equation of the rule that is not linear in the tangents; if something it closes over, or an argument of `nondiffArgnums`, is being differentiated
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
  options: CustomOptions<N> = {},
): (...args: Args<A>) => R {
  return customized(f, {
    kind: 'customJvp',
    primitive: customJvpP,
    options,
    stageRules: (op, split, whole) => stageRule(op, rule as unknown as AnyFunction, split, whole),
  }) as (...args: Args<A>) => R;
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
      const [output, tangent] = expectPair(
        op,
        rule(...constants, variables, tangents),
        'the rule must return [output, tangent]',
        'return an array of two: what the function returns, and its tangent in the same structure',
      );
      const outs = sameOutput(op, 'the rule', output, whole);
      const given = flattenTangents(op, 'tangent', tangent, whole.outDef, outs);
      expectLive(op, [...outs, ...given.filter((x) => x !== null)]);
      nonzero = given.map((x) => x !== null);
      return [...outs, ...given.flatMap((x, i) => (x ? [withAval(x, outs[i]!.aval)] : []))];
    },
    [...avals, ...directions],
  );
  return { programs: [program], nonzero };
}
