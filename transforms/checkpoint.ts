/**
 * `checkpoint`: a function whose intermediate values are not kept for reverse mode, but computed again when they are needed.
 *
 * The equation is a call. Linearized, it returns of its residuals only what the policy saves; the linear program takes these
 * and the operands, and computes the rest of the residuals from them at its head. That head is known when the program is
 * transposed, and stands behind an `optimization_barrier` through which the cotangents pass as well: so no pass merges it with
 * the first computation, and no scheduler begins it before its turn.
 */

import * as t from 'io-ts';
import { isFloat } from '../src/core/dtype.ts';
import { TreeError } from '../src/core/errors.ts';
import {
  type Atom,
  constsAsInputs,
  type Eqn,
  hasEffect,
  inAvals,
  isLiteral,
  type Jaxpr,
  type Var,
} from '../src/core/jaxpr.ts';
import { isHole, type Primitive } from '../src/core/primitive.ts';
import { stage } from '../src/core/stage.ts';
import { bind } from '../src/core/trace.ts';
import { describe, expectOptions } from '../src/core/untyped.ts';
import { Tracer, type Value } from '../src/core/value.ts';
import { instantiate } from '../src/prim/define.ts';
import { named, optimizationBarrier } from '../src/prim/identity.ts';
import type { TreeDef } from '../src/tree/def.ts';
import { flatten, map, unflatten } from '../src/tree/tree.ts';
import { flatFunction, nameAfter } from './args.ts';
import {
  asFunction,
  type CallParams,
  callDerived,
  calledAvals,
  type Derived,
  forwarding,
  jaxprCodec,
  jvpOf,
  mask,
  remember,
  residualsOf,
  spread,
  transposeOf,
  vmapOf,
} from './call.ts';
import { holdsFunction, releaseFrames } from './jit.ts';
import { linearizeFlat } from './linearize.ts';
import { inlineJit } from './passes/inline.ts';

const policyCodec = t.readonly(
  t.strict({
    /** Primitives whose results are saved; `*` stands for all. */
    primitives: t.readonlyArray(t.string),
    /** Names whose values are saved. */
    names: t.readonlyArray(t.string),
  }),
);

/** What is kept for reverse mode besides the arguments. Plain data. */
export type CheckpointPolicy = t.TypeOf<typeof policyCodec>;

/**
 * Policies of {@link checkpoint}, by their names in `jax.checkpoint_policies`.
 *
 * @example
 * ```ts
 * import { checkpoint, checkpointName, checkpointPolicies, grad, np, type Tensor } from 'pullback';
 * const f = (x: Tensor): Tensor => np.sum(np.sin(checkpointName(np.exp(x), 'exp')));
 * const saving = checkpoint(f, { policy: checkpointPolicies.saveOnlyTheseNames('exp') });
 * grad(saving)(np.zeros([1])).toArray(); // => [ 0.54030… ]
 * ```
 */
export const checkpointPolicies = {
  /** Keep the arguments only: the least memory. */
  nothingSaveable: { primitives: [], names: [] },
  /** Keep everything: as without `checkpoint`. */
  everythingSaveable: { primitives: ['*'], names: [] },
  /** Keep the results of matrix products and convolutions, which take longest to compute. */
  dotsSaveable: { primitives: ['dot_general', 'conv_general_dilated'], names: [] },
  /** Keep what {@link checkpointName} has given one of these names. */
  saveOnlyTheseNames: (...names: readonly string[]): CheckpointPolicy => ({ primitives: [], names }),
} as const;

const params = t.readonly(t.strict({ name: t.string, jaxpr: jaxprCodec, policy: policyCodec }));

/** The parameters of `checkpoint`. */
export type CheckpointParams = t.TypeOf<typeof params>;

const callAgain = ({ name, policy }: CheckpointParams, { jaxpr, consts }: Derived, args: readonly Value[]) =>
  bind(checkpointP, [...consts, ...args], { name, jaxpr, policy });

export const checkpointP: Primitive<'checkpoint', CheckpointParams> = {
  name: 'checkpoint',
  params,
  abstractEval: (ins, called) => calledAvals('checkpoint', ins, called),
  jvp(primals, tangents, called) {
    const active = tangents.map((x) => x !== null);
    const { program, nonzero } = jvpOf(called.jaxpr, active);
    const results = callAgain(called, program, [...primals, ...tangents.filter((x) => x !== null)]);
    const count = called.jaxpr.outs.length;
    return { outs: results.slice(0, count), tangents: spread(nonzero, results.slice(count)) };
  },
  transpose(cotangents, operands, called) {
    const holes = operands.map(isHole);
    const { program, nonzero } = transposeOf(
      called.jaxpr,
      holes,
      cotangents.map((x) => x !== null),
    );
    const known = operands.filter((x): x is Value => !isHole(x));
    const given = cotangents.filter((x) => x !== null);
    // Without operands that are known nothing is computed again.
    const args = known.length > 0 ? optimizationBarrier([...known, ...given]) : given;
    return spread(nonzero, callAgain(called, program, args));
  },
  vmap(size, operands, dims, called) {
    const { program, outDims } = vmapOf(
      called.jaxpr,
      size,
      dims,
      operands.map((x) => x.aval),
    );
    return { outs: callAgain(called, program, operands), dims: outDims };
  },
  higherOrder: {
    jaxprs: ({ jaxpr }) => [jaxpr],
    body: ({ jaxpr }) => jaxpr,
    linearize(primals, given, called) {
      const active = given.map((isActive, i) => isActive && isFloat(primals[i]!.dtype));
      const { program, sources, linear, nonzero } = rematerialized(called, active);
      const results = callDerived(called.name, program, primals);
      const count = called.jaxpr.outs.length;
      const operands = [...program.consts, ...primals];
      return {
        outs: results.slice(0, count),
        residuals: residualsOf(sources, operands, results, count),
        linear(residuals, tangents) {
          if (linear.outs.length === 0) return nonzero.map(() => null);
          const moving = tangents.flatMap((x, i) => (active[i] ? [instantiate(x, primals[i]!)] : []));
          return spread(nonzero, bind(checkpointP, [...residuals, ...moving], { ...called, jaxpr: linear }));
        },
      };
    },
  },
};

/** Is the result of this equation kept? */
const saves = ({ primitives, names }: CheckpointPolicy, { primitive, params: given }: Eqn): boolean =>
  primitives.includes('*') ||
  primitives.includes(primitive.name) ||
  (primitive.name === 'name' && names.includes((given as { readonly name: string }).name));

/** The forward program with the residuals that are saved, and the linear one that computes the others again. */
function rematerialized({ jaxpr, policy }: CheckpointParams, active: readonly boolean[]) {
  return remember(jaxpr, `rematerialize ${mask(active)} ${JSON.stringify(policy)}`, () => {
    let linear!: Jaxpr;
    let nonzero: readonly boolean[] = [];
    const { jaxpr: whole, consts } = stage(
      'checkpoint',
      (...args) => {
        const result = linearizeFlat(asFunction(jaxpr), args, active);
        linear = result.linear.jaxpr;
        nonzero = result.nonzero;
        return [...result.outs, ...result.linear.consts];
      },
      inAvals(jaxpr),
    );
    // Inside of calls the policy would see nothing.
    const flat = inlineJit(constsAsInputs(whole));
    const outs = flat.outs.slice(0, jaxpr.outs.length);
    const again = recomputation(flat, flat.outs.slice(jaxpr.outs.length), policy);
    const { jaxpr: forward, sources } = forwarding(flat, outs, again.residuals);
    return { program: { jaxpr: forward, consts }, sources, linear: withHead(linear, again), nonzero };
  });
}

/** How values are computed again. */
interface Recomputation {
  /** From what: inputs of the program, and what is saved. */
  readonly residuals: readonly Var[];
  readonly eqns: readonly Eqn[];
  /** The values. */
  readonly results: readonly Atom[];
}

/** The equations of a program that compute `wanted` from its inputs and what the policy saves. */
function recomputation(jaxpr: Jaxpr, wanted: readonly Atom[], policy: CheckpointPolicy): Recomputation {
  /** What stands for what: the same value under another name. */
  const seen = new Map<Atom, Atom>();
  const through = (atom: Atom): Atom => (seen.has(atom) ? through(seen.get(atom)!) : atom);
  const needed = new Set<Atom>();
  const head: Eqn[] = [];
  const available = new Set<Atom>(jaxpr.ins);
  for (const eqn of jaxpr.eqns) {
    // What somebody watches is shown once: a tap is passed by, and what holds one is not done again.
    if (eqn.primitive.effect) eqn.outs.forEach((v, i) => seen.set(v, through(eqn.ins[i]!)));
    else if (saves(policy, eqn) || hasEffect(eqn)) for (const v of eqn.outs) available.add(v);
    // What has got a name that is saved is saved, also for those who use it without the name.
    if (eqn.primitive.name !== 'name' || !available.has(eqn.outs[0]!)) continue;
    const unnamed = through(eqn.ins[0]!);
    if (!isLiteral(unnamed) && !available.has(unnamed)) seen.set(unnamed, eqn.outs[0]!);
  }
  for (const atom of wanted) needed.add(through(atom));
  for (let i = jaxpr.eqns.length - 1; i >= 0; i--) {
    const eqn = jaxpr.eqns[i]!;
    if (eqn.primitive.effect || !eqn.outs.some((v) => needed.has(v) && !available.has(v))) continue;
    const ins = eqn.ins.map(through);
    for (const atom of ins) needed.add(atom);
    head.push({ ...eqn, ins });
  }
  const residuals = [...needed].filter((atom): atom is Var => !isLiteral(atom) && available.has(atom));
  return { residuals, eqns: head.reverse(), results: wanted.map(through) };
}

/** The linear program, from residuals and tangents, with its constants computed at its head. */
function withHead(linear: Jaxpr, { residuals, eqns, results }: Recomputation): Jaxpr {
  const renamed = new Map<Atom, Atom>(linear.consts.map((v, i) => [v, results[i]!]));
  const rename = (atom: Atom): Atom => renamed.get(atom) ?? atom;
  return {
    consts: [],
    ins: [...residuals, ...linear.ins],
    eqns: [...eqns, ...linear.eqns.map((eqn) => ({ ...eqn, ins: eqn.ins.map(rename) }))],
    outs: linear.outs.map(rename),
  };
}

/** Options of {@link checkpoint}. */
export interface CheckpointOptions {
  /** What is kept besides the arguments; default nothing. */
  readonly policy?: CheckpointPolicy;
}

/** A function that was traced for one kind of arguments. */
interface Entry extends CallParams {
  readonly consts: readonly Value[];
  readonly outDef: TreeDef;
}

/** Kinds of arguments kept for one function. */
const capacity = 128;

/**
 * `f`, whose intermediate values are not kept for reverse mode but computed again from its arguments.
 *
 * Around each block of a deep model it makes the memory of a gradient that of one block and of the arguments of all, for the
 * price of one more forward pass. Law: `checkpoint(f)` is indistinguishable from `f` under every transform. Like `jit`, it traces
 * `f` once for each kind of arguments.
 *
 * @throws ConcretizationError if `f` asks for the value of a tensor
 *
 * @example
 * ```ts
 * import { checkpoint, grad, makeJaxpr, np, optimize, peakLiveBytes, type Tensor } from 'pullback';
 * const block = (x: Tensor): Tensor => np.sin(np.exp(np.cos(x)));
 * const deep = (f: (x: Tensor) => Tensor) => grad((x: Tensor) => np.sum(f(f(f(f(x))))));
 * const peak = (f: (x: Tensor) => Tensor) => peakLiveBytes(optimize(makeJaxpr(deep(f))(np.zeros([1000])).jaxpr));
 * console.log([peak(block), peak(checkpoint(block))]); // => [ 52000, 28000 ]
 * ```
 */
export function checkpoint<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  options: CheckpointOptions = {},
): (...args: A) => R {
  expectOptions('checkpoint', options, 'policy');
  const { policy = checkpointPolicies.nothingSaveable } = options;
  if (!policyCodec.is(policy)) {
    throw new TreeError({
      op: 'checkpoint',
      problem: `${describe(policy)} is no policy`,
      remedy: `use one of checkpointPolicies: ${Object.keys(checkpointPolicies).join(', ')}`,
    });
  }
  const name = f.name || 'anonymous';
  const op = `checkpoint(${name})`;
  const cache = new Map<string, Entry>();
  const trace = (def: TreeDef, leaves: readonly Value[], key: string): Entry => {
    const { flat, outDef } = flatFunction(op, f, def);
    const { jaxpr, consts } = stage(
      op,
      flat,
      leaves.map((x) => x.aval),
    );
    const entry = { name, jaxpr: constsAsInputs(jaxpr), consts, outDef: outDef() };
    if (consts.some((x) => x instanceof Tracer)) return entry;
    if (holdsFunction(def)) releaseFrames(jaxpr);
    if (cache.size >= capacity) cache.delete(cache.keys().next().value!);
    cache.set(key, entry);
    return entry;
  };
  return nameAfter('checkpoint', f, (...args: A): R => {
    const { leaves, def } = flatten(args, op, 'args');
    const key = `${def.key};${leaves.map((x) => x.aval.id).join()}`;
    const { jaxpr, consts, outDef } = cache.get(key) ?? trace(def, leaves, key);
    return unflatten<R>(outDef, bind(checkpointP, [...consts, ...leaves], { name, jaxpr, policy }));
  });
}

/**
 * The same values, under a name by which a policy of {@link checkpoint} can save them. Elsewhere it means nothing.
 *
 * @example
 * ```ts
 * import { checkpointName, np } from 'pullback';
 * checkpointName({ x: np.array([1, 2]) }, 'inputs').x.toArray(); // => [ 1, 2 ]
 * ```
 */
export const checkpointName = <T>(tree: T, name: string): T => map((x: Value) => named(x, name), tree);
