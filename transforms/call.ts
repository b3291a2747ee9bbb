/**
 * The primitive behind `jit`: an equation that calls a jaxpr. Its rules are the transforms of that jaxpr, each traced once and
 * remembered on it, so that `grad(jit(f))` never looks at `f` again.
 */

import * as t from 'io-ts';
import { type Aval, compatible, sameAval, showAval, withShape } from '../src/core/aval.ts';
import { isFloat } from '../src/core/dtype.ts';
import { evalTrace } from '../src/core/eager.ts';
import { CheckError } from '../src/core/errors.ts';
import {
  type Atom,
  constsAsInputs,
  type Eqn,
  evalJaxpr,
  hasEffect,
  inAvals,
  isJaxpr,
  isLiteral,
  type Jaxpr,
  outAvals,
  type Var,
} from '../src/core/jaxpr.ts';
import {
  type BatchDim,
  type Hole,
  isHole,
  type Linearized,
  type Primitive,
  type Tangent,
} from '../src/core/primitive.ts';
import { inserted } from '../src/core/shape.ts';
import { stage } from '../src/core/stage.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { convertElementType } from '../src/prim/arithmetic.ts';
import { batchAt } from '../src/prim/define.ts';
import { type FlatFunction, jvpFlat } from './jvp.ts';
import { type Linearization, linearizeFlat } from './linearize.ts';
import { backwardPass } from './transpose.ts';
import { vmapFlat } from './vmap.ts';

/** A jaxpr as a parameter. Its JSON needs the registry of primitives, so it is encoded in `src/io`. */
export const jaxprCodec = new t.Type<Jaxpr>(
  'Jaxpr',
  isJaxpr,
  (u, c) => (isJaxpr(u) ? t.success(u) : t.failure(u, c)),
  t.identity,
);

const callParams = t.readonly(t.strict({ name: t.string, jaxpr: jaxprCodec }));

/** What a call says: the program, and the name of the function it came from. */
export type CallParams = t.TypeOf<typeof callParams>;

const derived = new WeakMap<Jaxpr, Map<string, unknown>>();

/** Transforms kept for one jaxpr: a program mapped over many batch sizes has one for each. */
const capacity = 128;

/** A transform of `jaxpr`, made once for each `key`. */
export function remember<A>(jaxpr: Jaxpr, key: string, make: () => A): A {
  let known = derived.get(jaxpr);
  if (!known) {
    known = new Map();
    derived.set(jaxpr, known);
  }
  if (!known.has(key)) {
    const made = make();
    if (known.size >= capacity) known.delete(known.keys().next().value!);
    known.set(key, made);
  }
  return known.get(key) as A;
}

/** A jaxpr as a function of its inputs. */
export const asFunction =
  (jaxpr: Jaxpr): FlatFunction =>
  (...args) =>
    evalJaxpr(jaxpr, args.slice(0, jaxpr.consts.length), args.slice(jaxpr.consts.length));

/** A program derived from another, with the constants that it captured (there are none but non-scalar tensors). */
export interface Derived {
  readonly jaxpr: Jaxpr;
  readonly consts: readonly Value[];
}

/** The program of `f`. */
export const derive = (f: FlatFunction, avals: readonly Aval[]): Derived => {
  const { jaxpr, consts } = stage('jit', f, avals);
  return { jaxpr: constsAsInputs(jaxpr), consts };
};

/** Call a derived program. */
export const callDerived = (name: string, { jaxpr, consts }: Derived, args: readonly Value[]): readonly Value[] =>
  call(name, jaxpr, [...consts, ...args]);

/** Flags as text, for keys. */
export const mask = (flags: readonly boolean[]): string => flags.map((flag) => (flag ? '1' : '0')).join('');

/** The program with the tangents of the `active` inputs behind its inputs, and those that are not zero behind its outputs. */
export function jvpOf(jaxpr: Jaxpr, active: readonly boolean[]) {
  return remember(jaxpr, `jvp ${mask(active)}`, () => {
    let nonzero: readonly boolean[] = [];
    const avals = inAvals(jaxpr);
    const program = derive(
      (...args) => {
        let next = avals.length;
        const tangents = active.map((isActive) => (isActive ? args[next++]! : null));
        const result = jvpFlat(asFunction(jaxpr), args.slice(0, avals.length), tangents);
        nonzero = result.tangents.map((x) => x !== null);
        return [...result.outs, ...result.tangents.filter((x) => x !== null)];
      },
      [...avals, ...avals.filter((_, i) => active[i])],
    );
    return { program, nonzero };
  });
}

/** Where the linear program finds a residual: it is an operand, an output, or one of the extra outputs. */
type ResidualSource = readonly ['in' | 'out' | 'extra', number];

/** A program that returns its residuals behind its outputs, but for those that are operands or outputs already. */
export interface Forwarding {
  readonly jaxpr: Jaxpr;
  readonly sources: readonly ResidualSource[];
}

/** The program `whole` with the outputs `outs` and, of the residuals, those that are not operands or outputs already. */
export function forwarding(whole: Jaxpr, outs: readonly Atom[], residuals: readonly Atom[]): Forwarding {
  const inAt = new Map<Atom, number>(whole.ins.map((v, i) => [v, i]));
  const outAt = new Map<Atom, number>(outs.map((atom, i) => [atom, i]));
  const extraAt = new Map<Atom, number>();
  const sources = residuals.map((atom): ResidualSource => {
    const [asIn, asOut] = [inAt.get(atom), outAt.get(atom)];
    if (asIn !== undefined) return ['in', asIn];
    if (asOut !== undefined) return ['out', asOut];
    if (!extraAt.has(atom)) extraAt.set(atom, extraAt.size);
    return ['extra', extraAt.get(atom)!];
  });
  return { jaxpr: { ...whole, outs: [...outs, ...extraAt.keys()] }, sources };
}

/** The residuals, from the operands and the results of a program whose first `count` results are outputs. */
export const residualsOf = (
  sources: readonly ResidualSource[],
  operands: readonly Value[],
  results: readonly Value[],
  count: number,
): readonly Value[] =>
  sources.map(([from, i]) => (from === 'in' ? operands[i]! : from === 'out' ? results[i]! : results[count + i]!));

/** What a linearized call consists of. */
export interface LinearizedCall {
  /** Outputs and residuals. */
  readonly program: Derived;
  readonly sources: readonly ResidualSource[];
  /** From the residuals and the tangents of the active operands to the tangents that are not zero. */
  readonly linear: Jaxpr;
  readonly nonzero: readonly boolean[];
}

/**
 * The forward program of a linearized call returns its residuals as extra outputs and the linear one takes them as inputs. A
 * residual that is an input or an output already is not returned twice, and constants (what depends on no input) are computed
 * again in the linear program.
 */
export function linearizedCall(
  linearize: (...args: readonly Value[]) => Linearization,
  avals: readonly Aval[],
): LinearizedCall {
  let linear!: Jaxpr;
  let nonzero: readonly boolean[] = [];
  let count = 0;
  const { jaxpr: whole, consts } = stage(
    'jit',
    (...args) => {
      const result = linearize(...args);
      linear = result.linear.jaxpr;
      nonzero = result.nonzero;
      count = result.outs.length;
      return [...result.outs, ...result.linear.consts];
    },
    avals,
  );
  const { eqns: constant, vars } = constantPart(whole);
  const residuals: Atom[] = [];
  const residualVars: Var[] = [];
  const prologue = new Map<Var, Atom>();
  whole.outs.slice(count).forEach((atom, i) => {
    const target = linear.consts[i]!;
    if (isLiteral(atom) || vars.has(atom)) prologue.set(target, atom);
    else {
      residualVars.push(target);
      residuals.push(atom);
    }
  });
  const { jaxpr, sources } = forwarding(whole, whole.outs.slice(0, count), residuals);
  return {
    program: { jaxpr: constsAsInputs(jaxpr), consts },
    sources,
    linear: withPrologue(linear, residualVars, constant, prologue),
    nonzero,
  };
}

const linearizeOf = (jaxpr: Jaxpr, active: readonly boolean[]): LinearizedCall =>
  remember(jaxpr, `linearize ${mask(active)}`, () =>
    linearizedCall((...args) => linearizeFlat(asFunction(jaxpr), args, active), inAvals(jaxpr)),
  );

/** The equations that depend on no input and no constant of a program, and the variables they bind. */
export function constantPart(jaxpr: Jaxpr): { readonly eqns: readonly Eqn[]; readonly vars: ReadonlySet<Var> } {
  const vars = new Set<Var>();
  const eqns = jaxpr.eqns.filter((eqn) => {
    if (!eqn.ins.every((atom) => isLiteral(atom) || vars.has(atom)) || hasEffect(eqn)) return false;
    for (const v of eqn.outs) vars.add(v);
    return true;
  });
  return { eqns, vars };
}

/** The linear program with `residuals` as its first inputs, and constant residuals computed at its head. */
export function withPrologue(
  linear: Jaxpr,
  residuals: readonly Var[],
  constant: readonly Eqn[],
  renamed: ReadonlyMap<Var, Atom>,
): Jaxpr {
  const rename = (atom: Atom): Atom => (isLiteral(atom) ? atom : (renamed.get(atom) ?? atom));
  const eqns = linear.eqns.map((eqn) => ({ ...eqn, ins: eqn.ins.map(rename) }));
  const outs = linear.outs.map(rename);
  const needed = new Set<Atom>([...outs, ...eqns.flatMap((eqn) => eqn.ins)]);
  const head: Eqn[] = [];
  for (let i = constant.length - 1; i >= 0; i--) {
    const eqn = constant[i]!;
    if (!eqn.outs.some((v) => needed.has(v))) continue;
    for (const atom of eqn.ins) needed.add(atom);
    head.push(eqn);
  }
  return { consts: [], ins: [...residuals, ...linear.ins], eqns: [...head.reverse(), ...eqns], outs };
}

/** The transpose of a program in the inputs that are `linear`, for the outputs whose cotangent is `present`. */
export function transposeOf(jaxpr: Jaxpr, linear: readonly boolean[], present: readonly boolean[]) {
  return remember(jaxpr, `transpose ${mask(linear)} ${mask(present)}`, () => {
    let nonzero: readonly boolean[] = [];
    const known = inAvals(jaxpr).filter((_, i) => !linear[i]);
    const cts = outAvals(jaxpr).filter((_, i) => present[i]);
    const program = derive(
      (...args) => {
        let nextKnown = 0;
        let nextCt = known.length;
        const operands = jaxpr.ins.map((v, i): Value | Hole =>
          linear[i] ? { linear: true, aval: v.aval } : args[nextKnown++]!,
        );
        const given = present.map((isPresent) => (isPresent ? args[nextCt++]! : null));
        const result = backwardPass(jaxpr, [], operands, given);
        nonzero = result.map((x) => x !== null);
        return result.filter((x) => x !== null);
      },
      [...known, ...cts],
    );
    return { program, nonzero };
  });
}

/** The program on batches; says where each output has its batch axis. */
export function vmapOf(jaxpr: Jaxpr, size: number, dims: readonly (number | null)[], avals: readonly Aval[]) {
  return remember(jaxpr, `vmap ${size} ${dims.join()} ${avals.map((a) => a.id).join()}`, () => {
    let outDims: readonly (number | null)[] = [];
    const program = derive((...args) => {
      const result = vmapFlat(asFunction(jaxpr), size, args, dims);
      outDims = result.dims;
      return result.outs;
    }, avals);
    return { program, outDims };
  });
}

/**
 * The program on batches, with the batch in front of every output, whether it depends on it or not.
 *
 * @param dims - where each input has its batch axis; `null` if it has none
 */
export const vmapAtFront = (jaxpr: Jaxpr, size: number, dims: readonly BatchDim[]): Derived =>
  remember(jaxpr, `vmap at front ${size} ${dims.join()}`, () =>
    derive(
      (...args) => {
        const { outs, dims: found } = vmapFlat(asFunction(jaxpr), size, args, dims);
        return outs.map((x, i) => withAval(batchAt(size, x, found[i]!, 0), batchAval(jaxpr.outs[i]!.aval, size, 0)));
      },
      inAvals(jaxpr).map((aval, i) => batchAval(aval, size, dims[i]!)),
    ),
  );

/** The aval of a batch, with its axis at `dim`. */
export const batchAval = (aval: Aval, size: number, dim: BatchDim): Aval =>
  dim === null ? aval : withShape(aval, inserted(aval.shape, dim, size));

/** `x` with the weakness of `aval`, the rest of which it has. */
export const withAval = (x: Value, aval: Aval): Value =>
  sameAval(x.aval, aval) ? x : convertElementType(x, aval.dtype, aval.weak);

/** Spread `present` values over the places where `flags` is true. */
export function spread(flags: readonly boolean[], present: readonly Value[]): readonly Tangent[] {
  let next = 0;
  return flags.map((flag) => (flag ? present[next++]! : null));
}

/** The results of a call. @throws CheckError if the operands are not those that the program was traced for */
export function calledAvals(op: string, ins: readonly Aval[], { name, jaxpr }: CallParams): readonly Aval[] {
  if (ins.length === jaxpr.ins.length && ins.every((aval, i) => compatible(aval, jaxpr.ins[i]!.aval))) {
    return outAvals(jaxpr);
  }
  throw new CheckError({
    op,
    problem: `${name} was traced for ${inAvals(jaxpr).map(showAval).join(', ')}, called with ${ins.map(showAval).join(', ')}`,
  });
}

/** The transpose of a call of a program that is linear in the operands that are holes. */
export function transposeCall(
  cotangents: readonly Tangent[],
  operands: readonly (Value | Hole)[],
  { name, jaxpr }: CallParams,
): readonly Tangent[] {
  const present = cotangents.map((x) => x !== null);
  const { program, nonzero } = transposeOf(jaxpr, operands.map(isHole), present);
  const known = operands.filter((x): x is Value => !isHole(x));
  return spread(nonzero, callDerived(name, program, [...known, ...cotangents.filter((x) => x !== null)]));
}

export const jitP: Primitive<'jit', CallParams> = {
  name: 'jit',
  params: callParams,
  abstractEval: (ins, params) => calledAvals('jit', ins, params),
  jvp(primals, tangents, { jaxpr, name }) {
    const { program, nonzero } = jvpOf(
      jaxpr,
      tangents.map((x) => x !== null),
    );
    const results = callDerived(name, program, [...primals, ...tangents.filter((x) => x !== null)]);
    const count = jaxpr.outs.length;
    return { outs: results.slice(0, count), tangents: spread(nonzero, results.slice(count)) };
  },
  transpose: transposeCall,
  vmap(size, operands, dims, { jaxpr, name }) {
    const { program, outDims } = vmapOf(
      jaxpr,
      size,
      dims,
      operands.map((x) => x.aval),
    );
    return { outs: callDerived(name, program, operands), dims: outDims };
  },
  higherOrder: {
    jaxprs: ({ jaxpr }) => [jaxpr],
    body: ({ jaxpr }) => jaxpr,
    linearize(primals, active, { jaxpr, name }) {
      const floats = active.map((isActive, i) => isActive && isFloat(primals[i]!.dtype));
      return callLinearized(name, linearizeOf(jaxpr, floats), primals, floats);
    },
  },
};

/**
 * Call a linearized program: its outputs now, its linear part for later.
 *
 * @param active - of the tangents that the linear part will be given, those that its program takes
 */
export function callLinearized(
  name: string,
  { program, sources, linear, nonzero }: LinearizedCall,
  primals: readonly Value[],
  active: readonly boolean[],
): Linearized {
  const results = callDerived(name, program, primals);
  const count = nonzero.length;
  return {
    outs: results.slice(0, count),
    residuals: residualsOf(sources, primals, results, count),
    linear: (residuals, tangents) => {
      const given = tangents.filter((x, i) => active[i] && x !== null) as readonly Value[];
      return spread(nonzero, linear.outs.length === 0 ? [] : call(name, linear, [...residuals, ...given]));
    },
  };
}

/** Call a program without constants. */
export const call = (name: string, jaxpr: Jaxpr, args: readonly Value[]): readonly Value[] =>
  bind(jitP, args, { name, jaxpr });

/** {@link call} outside of all transforms, where the memory of arguments that are `donated` may become that of results. */
export const callDonating = (
  name: string,
  jaxpr: Jaxpr,
  args: readonly Value[],
  donated: readonly boolean[],
): readonly Value[] => evalTrace.process(jitP as Primitive, args, { name, jaxpr }, donated);
