/**
 * `customVjp`: a function whose derivative in reverse mode the user has written, in two halves. `fwd` computes the output and
 * what `bwd` will need; `bwd` takes that and the cotangent of the output to the cotangents of the arguments.
 *
 * The equation `custom_vjp` is a call. Linearized, it runs `fwd` and leaves a {@link customLinP} behind, whose transpose is
 * `bwd`; forward mode transposes `bwd` at once.
 */

import { isFloat } from '../src/core/dtype.ts';
import { TreeError } from '../src/core/errors.ts';
import { inAvals, type Jaxpr, outAvals } from '../src/core/jaxpr.ts';
import type { BatchDim, Linearized, Primitive, Tangent } from '../src/core/primitive.ts';
import { range } from '../src/core/shape.ts';
import { stage } from '../src/core/stage.ts';
import { asyncTrace, bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { batchAt, instantiate } from '../src/prim/define.ts';
import { reduceSum } from '../src/prim/reduce.ts';
import type { TreeDef } from '../src/tree/def.ts';
import { flatten, unflatten } from '../src/tree/tree.ts';
import { type Args, expectLive, flattenTangents, type TangentOf } from './args.ts';
import {
  asFunction,
  batchAval,
  call,
  calledAvals,
  type Derived,
  derive,
  forwarding,
  remember,
  residualsOf,
  spread,
  transposeCall,
  vmapAtFront,
  withAval,
} from './call.ts';
import { customLinP, forwardOf } from './custom-lin.ts';
import { type CustomOptions, customized, expectPair, type Omitted, type Picked, vmapCustom } from './customized.ts';
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
  shown,
  takeSplit,
} from './rule.ts';
import { vmapFlat } from './vmap.ts';

const opOf = ({ name }: { readonly name: string }): string => `customVjp(${name})`;

/** The linear part of a call, at residuals that are known: its program, and the operands that it is linear in. */
interface LinearPart {
  readonly residuals: readonly Value[];
  /** From the residuals and the cotangents of the float outputs to those of the operands `of`. */
  readonly jaxpr: Jaxpr;
  readonly of: readonly number[];
}

/** Run `fwd`; what remains is linear in the operands that are `active`. */
function runForward(called: CustomParams, primals: readonly Value[], active: readonly boolean[]) {
  expectConstants(opOf(called), called, active, primals);
  const { programs, nonzero } = called.rule();
  const [fwd, bwd] = programs as readonly [Derived, Derived];
  const count = called.jaxpr.outs.length;
  const { jaxpr, sources } = remember(fwd.jaxpr, 'forwarding', () =>
    forwarding(fwd.jaxpr, fwd.jaxpr.outs.slice(0, count), fwd.jaxpr.outs.slice(count)),
  );
  const operands = [...fwd.consts, ...primals];
  const results = call(called.name, jaxpr, operands);
  const constants = primals.slice(0, called.captured + called.nondiff);
  const given = differentiable(called).filter((_, k) => nonzero[k]);
  const wanted = given.map((i) => active[i]!);
  const part: LinearPart = {
    residuals: [...bwd.consts, ...constants, ...residualsOf(sources, operands, results, count)],
    jaxpr: only(bwd.jaxpr, wanted),
    of: given.filter((_, k) => wanted[k]),
  };
  return { outs: results.slice(0, count), part };
}

/** The program for some of its outputs. */
const only = (jaxpr: Jaxpr, wanted: readonly boolean[]): Jaxpr =>
  remember(jaxpr, `outputs ${wanted.map(Number).join('')}`, () => ({
    ...jaxpr,
    outs: jaxpr.outs.filter((_, i) => wanted[i]),
  }));

/** The tangents of the outputs, those of float outputs given. */
const onFloats = (jaxpr: Jaxpr, tangents: readonly Value[]): readonly Tangent[] =>
  spread(
    outAvals(jaxpr).map(({ dtype }) => isFloat(dtype)),
    tangents,
  );

export const customVjpP: Primitive<'custom_vjp', CustomParams> = {
  name: 'custom_vjp',
  params: customParams,
  abstractEval: (ins, called) => calledAvals('custom_vjp', ins, called),
  jvp(primals, tangents, called) {
    const { outs, part } = runForward(called, primals, present(tangents));
    if (part.of.length === 0) return { outs, tangents: outs.map(() => null) };
    const forward = forwardOf({ name: called.name, jaxpr: part.jaxpr, residuals: part.residuals.length });
    const given = part.of.map((i) => tangents[i]!);
    return { outs, tangents: onFloats(called.jaxpr, call(called.name, forward, [...part.residuals, ...given])) };
  },
  // As a linear function it is its program; a rule for derivatives says nothing of that.
  transpose: transposeCall,
  vmap: vmapCustom(() => customVjpP, vmapRules),
  higherOrder: {
    jaxprs: ({ jaxpr }) => [jaxpr],
    body: ({ jaxpr }) => jaxpr,
    linearize(primals, active, called): Linearized {
      const floats = active.map((isActive, i) => isActive && isFloat(primals[i]!.dtype));
      const { outs, part } = runForward(called, primals, floats);
      const { residuals, jaxpr, of } = part;
      return {
        outs,
        residuals,
        linear: (res, tangents) => {
          if (of.length === 0) return outs.map(() => null);
          const given = of.map((i) => instantiate(tangents[i]!, primals[i]!));
          const lin = { name: called.name, jaxpr, residuals: res.length };
          return onFloats(called.jaxpr, bind(customLinP, [...res, ...given], lin));
        },
      };
    },
  },
};

/**
 * The rules on batches, for a call that has `extra` operands more. Every output has the batch in front, whether it depends on it
 * or not, so that each lane has a cotangent of its own; the cotangents of an operand that all lanes share are summed.
 */
function vmapRules(
  { programs, nonzero }: Rules,
  size: number,
  dims: readonly BatchDim[],
  called: CustomParams,
  extra: readonly Value[],
): Rules {
  const [fwd, bwd] = programs as readonly [Derived, Derived];
  const forward = vmapAtFront(fwd.jaxpr, size, [...fwd.consts.map(() => null), ...dims]);
  const constants = called.captured + called.nondiff;
  const backDims = range(bwd.jaxpr.ins.length).map((i): BatchDim => {
    if (i < bwd.consts.length) return null;
    return i < bwd.consts.length + constants ? dims[i - bwd.consts.length]! : 0;
  });
  const given = differentiable(called).filter((_, k) => nonzero[k]);
  const avals = inAvals(bwd.jaxpr).map((aval, i) => batchAval(aval, size, backDims[i]!));
  const backward = derive((...args) => {
    const { outs, dims: found } = vmapFlat(asFunction(bwd.jaxpr), size, args, backDims);
    return outs.map((ct, k) => {
      const at = dims[given[k]!]!;
      const lanes = batchAt(size, ct, found[k]!, at ?? 0);
      return withAval(at === null ? reduceSum(lanes, [0]) : lanes, batchAval(bwd.jaxpr.outs[k]!.aval, size, at));
    });
  }, avals);
  const join = (batched: Derived, { consts }: Derived): Derived =>
    padded({ jaxpr: batched.jaxpr, consts: [...batched.consts, ...consts] }, extra);
  return { programs: [join(forward, fwd), join(backward, bwd)], nonzero };
}

/** A cotangent for each argument, or `null`. */
export type CotangentsOf<A extends readonly unknown[]> = { readonly [K in keyof A]: TangentOf<A[K]> | null };

/**
 * `f` with a derivative of its own in reverse mode: `fwd(...args)` returns the output and residuals, `bwd(residuals, ct)` the
 * cotangents of the arguments.
 *
 * Forward mode works as well where `bwd` is linear in the cotangent, as derivatives are: it is transposed. Under `vmap` the
 * cotangents of what all lanes share are summed. All three functions are staged, once for each kind of arguments (as by `jit`);
 * what they close over is constant to them. Law: with the true derivative, it is indistinguishable from `f` under every transform.
 *
 * @param fwd - like `f`, but returns `[output, residuals]`; residuals are any tree, and reach `bwd` as they are
 * @param bwd - gets the arguments of `nondiffArgnums`, then the residuals, then the cotangent in the structure of the output
 *   (`null` at integer and bool leaves). It returns an array with a cotangent for each other argument, in its structure; a
 *   `null`, for a leaf or for a whole argument, is zero
 * @throws TreeError if `fwd` returns another output than `f`, or `bwd` another structure than the arguments
 * @throws NotDifferentiableError in forward mode, naming the equation of `bwd` that is not linear (or adds a constant); or if
 *   something that is closed over, or an argument of `nondiffArgnums`, is being differentiated
 *
 * @example
 * ```ts
 * import { customVjp, grad, np, type Tensor } from 'pullback';
 * const clipGradient = customVjp(
 *   (x: Tensor) => x,
 *   (x: Tensor) => [x, null],
 *   (_residuals, ct) => [np.clip(ct, -1, 1)],
 * );
 * console.log(grad((x: Tensor) => np.mul(5, clipGradient(x)))(3).item()); // => 1
 * ```
 */
export function customVjp<
  A extends readonly unknown[],
  R,
  const S extends R,
  Res,
  const C extends CotangentsOf<Omitted<A, N>>,
  const N extends readonly number[] = [],
>(
  f: (...args: A) => R,
  fwd: (...args: A) => readonly [S, Res],
  bwd: (...args: [...Picked<A, N>, residuals: NoInfer<Res>, cotangent: NoInfer<R>]) => C,
  options: CustomOptions<N> = {},
): (...args: Args<A>) => R {
  return customized(f, {
    kind: 'customVjp',
    primitive: customVjpP,
    options,
    stageRules: (op, split, whole) =>
      stageRules(op, fwd as unknown as AnyFunction, bwd as unknown as AnyFunction, split, whole),
  }) as (...args: Args<A>) => R;
}

function stageRules(op: string, fwd: AnyFunction, bwd: AnyFunction, split: SplitArgs, whole: Staged): StagedRules {
  const { nondiff, diff, merge } = split;
  let residualDef: TreeDef | null = null;
  const forward = stage(
    op,
    (...values) => {
      const { constants, variables } = takeSplit(split, values);
      const [output, saved] = expectPair(
        op,
        fwd(...merge(constants, variables)),
        'fwd must return [output, residuals]',
        'return an array of two: what the function returns, and what bwd needs (null if it needs nothing)',
      );
      const outs = sameOutput(op, 'fwd', output, whole);
      const residuals = flatten(saved, op, 'residuals');
      residualDef = residuals.def;
      expectLive(op, [...outs, ...residuals.leaves]);
      return [...outs, ...residuals.leaves];
    },
    [...nondiff.leaves, ...diff.leaves].map((x) => x.aval),
  );
  const outs = outAvals(whole.closed.jaxpr);
  const residualAvals = outAvals(forward.jaxpr).slice(outs.length);
  let nonzero: readonly boolean[] = [];
  const backward = stage(
    op,
    (...values) => {
      const constants = unflatten<readonly unknown[]>(nondiff.def, values.slice(0, nondiff.leaves.length));
      const rest = values.slice(nondiff.leaves.length);
      const residuals = unflatten(residualDef!, rest.slice(0, residualAvals.length));
      let next = residualAvals.length;
      const ct = unflatten(
        whole.outDef,
        outs.map(({ dtype }) => (isFloat(dtype) ? rest[next++]! : null)),
      );
      const result = bwd(...constants, residuals, ct);
      if (result instanceof Promise) throw asyncTrace(op, 'what bwd returns', result);
      const count = diff.def.kind === 'array' ? diff.def.children.length : 0;
      if (!Array.isArray(result) || result.length !== count) {
        throw new TreeError({
          op,
          problem: `bwd must return an array with one cotangent for each of ${count} arguments, got ${shown(result)}`,
          remedy: 'return [ct] for one argument, and null for an argument whose cotangent is zero',
        });
      }
      const cts = flattenTangents(`${op}: bwd`, 'cotangent', result, diff.def, diff.leaves);
      expectLive(
        op,
        cts.filter((x) => x !== null),
      );
      const floats = cts.filter((_, i) => isFloat(diff.leaves[i]!.dtype));
      nonzero = floats.map((x) => x !== null);
      return floats.filter((x) => x !== null);
    },
    [...nondiff.leaves.map((x) => x.aval), ...residualAvals, ...outs.filter(({ dtype }) => isFloat(dtype))],
  );
  return { programs: [forward, backward], nonzero };
}
