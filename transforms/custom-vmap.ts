/** `customVmap`: a function that the user has batched; the equation `custom_vmap` is a call whose batching is the user's. */

import * as t from 'io-ts';
import { type Aval, compatible, showAval } from '../src/core/aval.ts';
import { ShapeError, TreeError } from '../src/core/errors.ts';
import { constsAsInputs, type Jaxpr } from '../src/core/jaxpr.ts';
import { int } from '../src/core/params.ts';
import type { Primitive } from '../src/core/primitive.ts';
import { stage } from '../src/core/stage.ts';
import { bind } from '../src/core/trace.ts';
import { Tracer, type Value } from '../src/core/value.ts';
import { batchAt, instantiate } from '../src/prim/define.ts';
import { moveAxis } from '../src/prim/structural.ts';
import { difference, type TreeDef } from '../src/tree/def.ts';
import { flatten, unflatten } from '../src/tree/tree.ts';
import { expectLive, flatFunction, nameAfter } from './args.ts';
import { batchAval, calledAvals, jaxprCodec, jitP, jvpOf, mask, spread, transposeCall, withAval } from './call.ts';
import { holdsFunction, releaseFrames } from './jit.ts';
import { jvpFlat } from './jvp.ts';

/** A function of batches, whose axis is the first one: operands and results with the flags of those that have it. */
export type BatchRule = (
  size: number,
  batched: readonly boolean[],
  operands: readonly Value[],
) => { readonly outs: readonly Value[]; readonly batched: readonly boolean[] };

const ruleCodec = new t.Type<BatchRule>(
  'BatchRule',
  (u): u is BatchRule => typeof u === 'function',
  (u, c) => (typeof u === 'function' ? t.success(u as BatchRule) : t.failure(u, c)),
  t.identity,
);

const params = t.readonly(
  t.strict({
    name: t.string,
    jaxpr: jaxprCodec,
    rule: ruleCodec,
    /** How many operands are closed over: the rule knows nothing of them. */
    captured: int,
  }),
);

/** The parameters of `custom_vmap`. */
export type CustomVmapParams = t.TypeOf<typeof params>;

export const customVmapP: Primitive<'custom_vmap', CustomVmapParams> = {
  name: 'custom_vmap',
  params,
  abstractEval: (ins, called) => calledAvals('custom_vmap', ins, called),
  jvp(primals, tangents, { name, jaxpr, rule, captured }) {
    const active = tangents.map((x) => x !== null);
    if (active.slice(0, captured).includes(true)) return jitP.jvp(primals, tangents, { name, jaxpr });
    const { program, nonzero } = jvpOf(jaxpr, active);
    const derivative = jvpRule(rule, active.slice(captured), nonzero);
    const outs = bind(customVmapP, [...program.consts, ...primals, ...tangents.filter((x) => x !== null)], {
      name,
      jaxpr: program.jaxpr,
      rule: derivative,
      captured: program.consts.length + captured,
    });
    const count = jaxpr.outs.length;
    return { outs: outs.slice(0, count), tangents: spread(nonzero, outs.slice(count)) };
  },
  transpose: transposeCall,
  vmap(size, operands, dims, { name, jaxpr, rule, captured }) {
    const shared = operands.slice(0, captured);
    if (dims.slice(0, captured).some((dim) => dim !== null)) {
      throw new TreeError({
        op: `customVmap(${name})`,
        problem: `closes over ${showAval(shared[dims.findIndex((dim) => dim !== null)]!.aval)} of a batch, which its rule does not get`,
        remedy: 'pass the value as an argument',
      });
    }
    const own = operands
      .slice(captured)
      .map((x, i) => (dims[captured + i] === null ? x : moveAxis(x, dims[captured + i]!, 0)));
    const { outs, batched } = rule(
      size,
      dims.slice(captured).map((dim) => dim !== null),
      own,
    );
    const results = outs.map((x, i) => fitting(name, x, batched[i]!, jaxpr.outs[i]!.aval, size));
    return { outs: results, dims: batched.map((flag) => (flag ? 0 : null)) };
  },
  higherOrder: {
    jaxprs: ({ jaxpr }) => [jaxpr],
    body: ({ jaxpr }) => jaxpr,
    // What reverse mode keeps and does later is made of the program itself.
    linearize: (primals, active, { name, jaxpr }) => jitP.higherOrder!.linearize(primals, active, { name, jaxpr }),
  },
};

/** A result of a rule, in the type of the lanes. */
function fitting(name: string, x: Value, batched: boolean, lane: Aval, size: number): Value {
  const wanted = batchAval(lane, size, batched ? 0 : null);
  if (compatible(x.aval, wanted)) return withAval(x, wanted);
  throw new ShapeError({
    op: `customVmap(${name})`,
    problem: `the rule returns ${showAval(x.aval)} where ${showAval(wanted)} is expected`,
    remedy:
      'return the batch along the first axis where the rule says that there is one, and each lane as the function returns it',
  });
}

const derivatives = new WeakMap<BatchRule, Map<string, BatchRule>>();

/** The rule for outputs and tangents, from a rule for outputs. */
function jvpRule(rule: BatchRule, active: readonly boolean[], nonzero: readonly boolean[]): BatchRule {
  let known = derivatives.get(rule);
  if (!known) {
    known = new Map();
    derivatives.set(rule, known);
  }
  const key = `${mask(active)} ${mask(nonzero)}`;
  const found = known.get(key);
  if (found) return found;
  const derived: BatchRule = (size, flags, operands) => {
    const count = active.length;
    const given = spread(active, operands.slice(count));
    const tangentFlags = spreadFlags(active, flags.slice(count));
    // A value and its tangent have the batch together.
    const both = active.map((_, i) => flags[i]! || tangentFlags[i]!);
    const lift = (x: Value, flag: boolean, i: number): Value => (both[i] && !flag ? batchAt(size, x, null, 0) : x);
    let batched: readonly boolean[] = [];
    const { outs, tangents } = jvpFlat(
      (...primals) => {
        const result = rule(size, both, primals);
        batched = result.batched;
        return result.outs;
      },
      operands.slice(0, count).map((x, i) => lift(x, flags[i]!, i)),
      given.map((x, i) => x && lift(x, tangentFlags[i]!, i)),
    );
    const moving = tangents.flatMap((x, i) => (nonzero[i] ? [instantiate(x, outs[i]!)] : []));
    return { outs: [...outs, ...moving], batched: [...batched, ...batched.filter((_, i) => nonzero[i])] };
  };
  Object.defineProperty(derived, 'name', { value: rule.name });
  known.set(key, derived);
  return derived;
}

function spreadFlags(flags: readonly boolean[], present: readonly boolean[]): readonly boolean[] {
  let next = 0;
  return flags.map((flag) => flag && present[next++]!);
}

/** For each leaf of a tree, whether it has the batch. */
export type Batched<T> = T extends Value ? boolean : T extends object ? { [K in keyof T]: Batched<T[K]> } : T;

/** As {@link Batched}, or one flag for all that is below. */
export type BatchedPrefix<T> =
  | boolean
  | (T extends Value ? boolean : T extends object ? { readonly [K in keyof T]: BatchedPrefix<T[K]> } : T);

/** A function that was traced for one kind of arguments. */
interface Entry {
  readonly jaxpr: Jaxpr;
  readonly consts: readonly Value[];
  readonly outDef: TreeDef;
  readonly rule: BatchRule;
}

/** Kinds of arguments kept for one function. */
const capacity = 128;

/**
 * `f`, which `vmap` turns into your own function of batches instead of batching it operation by operation.
 *
 * `rule(size, batched, ...args)` gets the arguments with the batch along the first axis of those leaves whose flag in `batched` is
 * set, and returns `[output, flags]`: which leaves of the output have it (or one flag for all). It is to compute what `f` computes
 * on each lane (law), which lets derivatives use either: forward mode differentiates the rule, reverse mode `f`.
 *
 * @throws TreeError if the rule returns another structure, or what `f` closes over is batched
 * @throws ShapeError if an output of the rule is not a batch of outputs of `f`
 *
 * @example
 * ```ts
 * import { customVmap, np, type Tensor, vmap } from 'pullback';
 * const dot = customVmap(
 *   (x: Tensor, y: Tensor) => np.sum(np.mul(x, y)),
 *   (_, [, yBatched], x, y) => [yBatched ? np.sum(np.mul(x, y), -1) : np.matmul(x, y), true],
 * );
 * const rows = np.array([[1, 2], [3, 4]]);
 * console.log(vmap(dot, [0, null])(rows, np.array([1, 1])).toArray()); // => [ 3, 7 ]
 * ```
 */
export function customVmap<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  rule: (size: number, batched: Batched<NoInfer<A>>, ...args: A) => readonly [NoInfer<R>, BatchedPrefix<NoInfer<R>>],
): (...args: A) => R {
  const name = f.name || 'anonymous';
  const op = `customVmap(${name})`;
  const cache = new Map<string, Entry>();
  const trace = (def: TreeDef, leaves: readonly Value[], key: string): Entry => {
    const { flat, outDef } = flatFunction(op, f, def);
    const { jaxpr, consts } = stage(
      op,
      flat,
      leaves.map((x) => x.aval),
    );
    const structure = outDef();
    const flatRule: BatchRule = (size, batched, operands) => {
      const args = unflatten<A>(def, operands);
      const result: unknown = rule(size, unflatten<Batched<A>>(def, batched), ...args);
      if (!Array.isArray(result) || result.length !== 2) {
        throw new TreeError({
          op,
          problem: 'the rule must return [output, batched]',
          remedy:
            'return an array of two: a batch of outputs, and true where they have the batch (or one flag for all)',
        });
      }
      const out = flatten(result[0], op, 'output');
      const found = difference(structure, out.def, 'output');
      if (found) {
        throw new TreeError({
          op,
          problem: `the rule returns another structure than the function: ${found}`,
          remedy: 'let the rule return the same output as the function itself, of all lanes',
        });
      }
      expectLive(op, out.leaves);
      return { outs: out.leaves, batched: flagsOf(op, result[1], structure) };
    };
    Object.defineProperty(flatRule, 'name', { value: op });
    const entry = { jaxpr: constsAsInputs(jaxpr), consts, outDef: structure, rule: flatRule };
    if (consts.some((x) => x instanceof Tracer)) return entry;
    if (holdsFunction(def)) releaseFrames(jaxpr);
    if (cache.size >= capacity) cache.delete(cache.keys().next().value!);
    cache.set(key, entry);
    return entry;
  };
  return nameAfter('customVmap', f, (...args: A): R => {
    const { leaves, def } = flatten(args, op, 'args');
    const key = `${def.key};${leaves.map((x) => x.aval.id).join()}`;
    const { jaxpr, consts, outDef, rule: flatRule } = cache.get(key) ?? trace(def, leaves, key);
    const called = { name, jaxpr, rule: flatRule, captured: consts.length };
    return unflatten<R>(outDef, bind(customVmapP, [...consts, ...leaves], called));
  });
}

/** A flag for each leaf, from a prefix of the structure. */
function flagsOf(op: string, flags: unknown, def: TreeDef): readonly boolean[] {
  if (typeof flags === 'boolean') return Array.from({ length: def.size }, () => flags);
  if (def.kind === 'static') return [];
  const children: readonly unknown[] | null =
    typeof flags !== 'object' || flags === null || def.kind === 'leaf'
      ? null
      : def.kind === 'array'
        ? Array.isArray(flags)
          ? flags
          : null
        : def.names.map((name) => (flags as Readonly<Record<string, unknown>>)[name]);
  if (def.kind === 'leaf' || !children || children.length !== def.children.length) {
    throw new TreeError({
      op,
      problem: `the flags that the rule returns are no prefix of the structure of its output, ${def.key}`,
      remedy: 'return true or false for the whole output, or for each part of it',
    });
  }
  return def.children.flatMap((child, i) => flagsOf(op, children[i], child));
}
