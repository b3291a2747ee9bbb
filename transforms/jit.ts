/**
 * `jit`: trace a function once for each kind of arguments, and run the program from then on.
 *
 * The kind of arguments is the structure of the trees, the static leaves in it, and the avals of the tensors. The traces of a
 * function are kept in a bounded cache, least recently used out first, whose keys hold static functions by number only.
 */

import { type Aval, showAval } from '../src/core/aval.ts';
import { type Device, withDefaultDevice } from '../src/core/backend.ts';
import { evalTrace } from '../src/core/eager.ts';
import { TreeError } from '../src/core/errors.ts';
import { identityOf } from '../src/core/identity.ts';
import { constsAsInputs, type Jaxpr } from '../src/core/jaxpr.ts';
import { stage } from '../src/core/stage.ts';
import { currentTrace } from '../src/core/trace.ts';
import { expectOptions } from '../src/core/untyped.ts';
import { Tensor, Tracer, type Value } from '../src/core/value.ts';
import { leafPaths, staticLeaves, type TreeDef } from '../src/tree/def.ts';
import { avalOf, flatten, type Leaf, unflatten } from '../src/tree/tree.ts';
import { flatFunction, nameAfter, positionOf } from './args.ts';
import { call, callDonating } from './call.ts';
import { type Arguments, type Lowered, lowered, type Traced } from './compiled.ts';
import type { Abstract } from './inspect.ts';
import { onDevice } from './placement.ts';

/** Options of {@link jit}. */
export interface JitOptions {
  /** Arguments that are part of the program, not inputs of it: a change of one traces again. Negative indices count from the end. */
  readonly staticArgnums?: number | readonly number[];
  /** Arguments whose memory the program may reuse; their tensors cannot be used afterwards. */
  readonly donateArgnums?: number | readonly number[];
  /**
   * Where it runs: arguments on other devices are copied there. Default: where its arguments are. Under a transform arguments stay where they
   * are: jit the transformed function, or put them there (`devicePut`).
   */
  readonly device?: Device;
}

/** A jitted function. */
export type Jitted<A extends readonly unknown[], R> = ((...args: A) => R) & {
  /** How often the original was traced. */
  readonly traces: number;
  /**
   * Trace for arguments like these, tensors or avals in their place; `compile()` of the result compiles, and calls with such arguments
   * do neither from then on.
   *
   * @example
   * ```ts
   * import { evalShape, jit, np, type Tensor, wasmDevice, withDefaultDevice } from 'pullback';
   * const f = jit((x: Tensor, w: Tensor) => np.tanh(np.matmul(x, w)));
   * const aval = evalShape(() => np.zeros([64, 64]));
   * const compiled = withDefaultDevice(wasmDevice(), () => f.lower(aval, aval).compile());
   * console.log(compiled.cost().kernels); // => 1
   * console.log(compiled.text('plan'));
   * // => in0: f32[64,64], 16384 bytes
   * //    in1: f32[64,64], 16384 bytes
   * //    out0: f32[64,64], 16384 bytes
   * //    arena: 0 bytes
   * //    0: contract f32 [64,64]·[64,64], epilogue0  in0[0:16384], in1[0:16384] -> out0[0:16384]
   * ```
   */
  lower(...args: { [K in keyof A]: Abstract<A[K]> }): Lowered<A, R>;
};

interface Entry {
  readonly jaxpr: Jaxpr;
  readonly consts: readonly Value[];
  readonly outDef: TreeDef;
}

/** Traces kept for one function. */
const capacity = 128;
/** Retraces because of one static leaf before it is worth a warning. */
const tolerated = 8;

const asList = (argnums: number | readonly number[] | undefined): readonly number[] =>
  argnums === undefined ? [] : typeof argnums === 'number' ? [argnums] : argnums;

/**
 * Trace `f` once for each structure, static leaves, shapes and dtypes of its arguments, and run the compiled program.
 *
 * Law: `jit(f)` computes what `f` computes, under every transform. Numbers, strings, booleans, `null` and functions in the
 * arguments are static: part of the program. A function that is called with more than 8 values of one of them warns once,
 * naming the leaf; pass what changes at every call as a tensor.
 *
 * @throws ConcretizationError if `f` asks for the value of a tensor
 * @throws AsyncTraceError if `f` is async
 *
 * @example
 * ```ts
 * import { jit, np, type Tensor } from 'pullback';
 * const f = jit((x: Tensor) => np.add(np.mul(x, 2), 1));
 * f(np.array([1, 2]));
 * console.log([f(np.array([3, 4])).toArray(), f.traces]); // => [ [ 7, 9 ], 1 ]
 * ```
 */
export function jit<A extends readonly unknown[], R>(f: (...args: A) => R, options: JitOptions = {}): Jitted<A, R> {
  expectOptions('jit', options, 'staticArgnums', 'donateArgnums', 'device');
  const device = options.device ?? null;
  const cache = new Map<string, Entry>();
  const name = f.name || 'anonymous';
  const watch = new RetraceWatch(name);
  const statics = asList(options.staticArgnums);
  const donated = asList(options.donateArgnums);
  let traces = 0;

  const taken = <L extends Leaf = Value>(op: string, args: readonly unknown[]): Arguments<L> => {
    const fixed = positions(statics, args.length);
    const { leaves, def } = flatten<L>(
      args.map((x, i) => (fixed.includes(i) ? null : x)),
      op,
      'args',
    );
    return { leaves, def, statics: fixed.length > 0 ? new Map(fixed.map((i) => [i, staticKey(args[i])])) : none };
  };
  const entryFor = (
    args: readonly unknown[],
    { def, statics: fixed }: Arguments<Leaf>,
    avals: readonly Aval[],
  ): Entry => {
    const key = `${def.key};${fixed === none ? '' : [...fixed.values()].join()};${avals.map((a) => a.id).join()}`;
    let entry = cache.get(key);
    if (entry) {
      cache.delete(key);
      cache.set(key, entry);
    } else {
      traces += 1;
      watch.retraced(def, avals, new Map([...fixed].map(([at, text]) => [`args[${at}]`, text])));
      entry = trace(name, fixed.size > 0 ? withStatics(f, pick(args, [...fixed.keys()])) : f, def, avals);
      if (!entry.consts.some((x) => x instanceof Tracer)) {
        if (fixed.size > 0 || holdsFunction(def)) releaseFrames(entry.jaxpr);
        if (cache.size >= capacity) cache.delete(cache.keys().next().value!);
        cache.set(key, entry);
      }
    }
    return entry;
  };
  /** A call whose arguments at `argnums` are given for good. */
  const give = (entry: Entry, args: A, operands: readonly Value[], argnums: readonly number[]): R => {
    const mine = donations(args, argnums);
    const flags = operands.map((x) => mine.has(x));
    const outs = callDonating(name, entry.jaxpr, operands, flags);
    for (const x of mine) (x as Tensor).donate();
    return unflatten<R>(entry.outDef, outs);
  };
  const prepared = (args: A): { readonly entry: Entry; readonly operands: readonly Value[] } => {
    const given = taken('jit', args);
    const entry = entryFor(
      args,
      given,
      given.leaves.map((x) => x.aval),
    );
    const operands = [...entry.consts, ...given.leaves];
    return { entry, operands: device ? operands.map((x) => onDevice(x, device)) : operands };
  };
  const run = (jaxpr: Jaxpr, operands: readonly Value[]): readonly Value[] =>
    device && operands.length === 0
      ? withDefaultDevice(device, () => call(name, jaxpr, operands))
      : call(name, jaxpr, operands);

  const jitted = (...args: A): R => {
    const { entry, operands } = prepared(args);
    if (donates(donated)) return give(entry, args, operands, donated);
    return unflatten<R>(entry.outDef, run(entry.jaxpr, operands));
  };
  givers.set(jitted, (args, argnums) => {
    const { entry, operands } = prepared(args as A);
    return give(entry, args as A, operands, argnums);
  });
  const lower = (...args: readonly unknown[]): Lowered<A, R> => {
    const given = taken<Leaf>('lower', args);
    const expected = { ...given, leaves: given.leaves.map(avalOf) };
    const entry = entryFor(args, given, expected.leaves);
    const traced: Traced<A, R> = {
      name,
      jaxpr: entry.jaxpr,
      consts: entry.consts,
      expected,
      taken,
      device,
      result: (outs) => unflatten(entry.outDef, outs),
      gives: () => donates(donated),
      give: (now, operands) => give(entry, now, operands, donated),
    };
    return lowered(
      traced,
      given.leaves.filter((x): x is Tensor => x instanceof Tensor),
    );
  };
  Object.defineProperties(jitted, { traces: { get: () => traces }, lower: { value: lower } });
  return nameAfter('jit', f, jitted as Jitted<A, R>);
}

/** The static arguments of most calls. */
const none: ReadonlyMap<number, string> = new Map();

function trace<A extends readonly unknown[], R>(
  name: string,
  f: (...args: A) => R,
  def: TreeDef,
  avals: readonly Aval[],
): Entry {
  const { flat, outDef } = flatFunction(`jit(${name})`, f, def);
  const { jaxpr, consts } = stage(`jit(${name})`, flat, avals);
  return { jaxpr: constsAsInputs(jaxpr), consts, outDef: outDef() };
}

/** The static arguments by their positions: all that a trace needs of a call's arguments. */
const pick = (args: readonly unknown[], fixed: readonly number[]): ReadonlyMap<number, unknown> =>
  new Map(fixed.map((i) => [i, args[i]]));

/** `f` with static arguments filled in. */
const withStatics =
  <A extends readonly unknown[], R>(f: (...args: A) => R, statics: ReadonlyMap<number, unknown>) =>
  (...dynamic: A): R =>
    f(...(dynamic.map((x, i) => (statics.has(i) ? statics.get(i) : x)) as unknown as A));

/** Is a static leaf a function? */
export const holdsFunction = (def: TreeDef): boolean =>
  [...staticLeaves(def, 'args').values()].some((key) => key.startsWith('f#'));

/**
 * Unformatted sources hold the functions on their stacks. An entry must not keep a static argument alive, so where there is
 * one the sources are formatted now.
 */
export function releaseFrames(jaxpr: Jaxpr): void {
  for (const eqn of jaxpr.eqns) void eqn.source?.location;
}

/** What a static argument adds to the key: its structure and values, or its identity for what trees do not know. */
function staticKey(x: unknown): string {
  const plain = typeof x !== 'object' || x === null || Array.isArray(x) || isPlain(x);
  if (!plain) return `#${identityOf(x)}`;
  const { leaves, def } = flatten(x, 'jit', 'staticArgnums');
  if (leaves.length === 0) return def.key;
  throw new TreeError({
    op: 'jit',
    problem: 'an argument named in staticArgnums contains a tensor',
    remedy: 'leave tensors out of static arguments: their values are not part of a program',
  });
}

const isPlain = (x: object): boolean => Object.getPrototypeOf(x) === Object.prototype;

/** @throws TreeError for an argnum that names no argument */
const positions = (argnums: readonly number[], count: number): readonly number[] =>
  argnums.map((n) => positionOf('jit', n, count));

/** The tensors of the donated arguments; no other tensor has their storage, and results have their own. */
function donations(args: readonly unknown[], argnums: readonly number[]): Set<Value> {
  const found = new Set<Value>();
  for (const n of positions(argnums, args.length)) {
    for (const x of flatten(args[n], 'jit', `args[${n}]`).leaves) if (x instanceof Tensor) found.add(x);
  }
  return found;
}

/** Outside of all transforms; under them a call is recorded, and its operands are still needed. */
const donates = (argnums: readonly number[]): boolean => argnums.length > 0 && currentTrace() === evalTrace;

/** How jitted functions run if other arguments are donated than `donateArgnums` says. */
const givers = new WeakMap<object, (args: readonly unknown[], argnums: readonly number[]) => unknown>();

/** A call of a jitted function that is given these arguments for good: for loops, which own what they carry after the first step. */
export const callGiving = <A extends readonly unknown[], R>(f: Jitted<A, R>, argnums: readonly number[], args: A): R =>
  donates(argnums) ? (givers.get(f)!(args, argnums) as R) : f(...args);

/** Counts retraces by what has changed since the one before, and warns once for each static leaf or shape that keeps changing. */
class RetraceWatch {
  private readonly name: string;
  private last: ReadonlyMap<string, string> | null = null;
  private readonly counts = new Map<string, number>();

  constructor(name: string) {
    this.name = name;
  }

  retraced(def: TreeDef, avals: readonly Aval[], statics: ReadonlyMap<string, string>): void {
    const paths = leafPaths(def, 'args');
    const now = new Map([...staticLeaves(def, 'args'), ...statics]);
    avals.forEach((aval, i) => {
      now.set(paths[i]!, showAval(aval));
    });
    const { last } = this;
    this.last = now;
    if (!last || last.size !== now.size) return;
    for (const [path, value] of now) {
      const before = last.get(path);
      if (before !== undefined && before !== value) this.changed(path, before, value, paths.includes(path));
    }
  }

  private changed(path: string, before: string, now: string, isTensor: boolean): void {
    const count = (this.counts.get(path) ?? 0) + 1;
    this.counts.set(path, count);
    if (count !== tolerated + 1) return;
    const [cause, remedy] = isTensor
      ? [`the shape or dtype of ${path} changes`, 'pad it to one shape if it changes from call to call']
      : [`the static leaf ${path} changes`, 'pass it as a tensor (np.array(…)) if it changes from call to call'];
    console.warn(
      `jit(${this.name}) has been traced ${count + 1} times because ${cause} (now ${now}, before ${before}); ${remedy}`,
    );
  }
}
