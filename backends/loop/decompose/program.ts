/**
 * Programs in which primitives are replaced by what they are short for: what a device runs after the clean-up passes, for the
 * primitives that it has no kernel for.
 *
 * As any transform it is an interpreter, which hands on what it does not replace. Bodies of loops and branches are programs that are
 * interpreted in their turn, and what a decomposition needs as a constant (roots of unity, nodes of a quadrature) becomes a constant
 * of the whole program.
 */

import { type Aval, sameAval } from '../../../src/core/aval.ts';
import { type Device, defaultDevice, withDefaultDevice } from '../../../src/core/backend.ts';
import type { TypedArray } from '../../../src/core/dtype.ts';
import { CompileError } from '../../../src/core/errors.ts';
import { identityOf } from '../../../src/core/identity.ts';
import {
  type ClosedJaxpr,
  constsAsInputs,
  type Eqn,
  evalJaxpr,
  inAvals,
  innerJaxprs,
  type Jaxpr,
} from '../../../src/core/jaxpr.ts';
import type { Primitive } from '../../../src/core/primitive.ts';
import { stage } from '../../../src/core/stage.ts';
import { currentTrace, type Trace, withTrace } from '../../../src/core/trace.ts';
import type { Value } from '../../../src/core/value.ts';
import { convertLike } from '../../../src/prim/arithmetic.ts';
import type { Derived } from '../../../transforms/call.ts';
import { choose, stageBranches } from '../../../transforms/cond.ts';
import type { HigherOrderName, PrimitiveParams } from '../../../transforms/registry.ts';
import { scanOver } from '../../../transforms/scan.ts';
import { partsOf } from '../../../transforms/scan-bodies.ts';
import { partsOfWhile, whileOver } from '../../../transforms/while.ts';
import { type Decompose, type DecomposedName, decompositions, isDecomposed } from './table.ts';

type Names = ReadonlySet<string>;

/** Is one of these applied, at any depth? */
const applies = (jaxpr: Jaxpr, names: Names): boolean => jaxpr.eqns.some((eqn) => isConcerned(eqn, names));

const isConcerned = (eqn: Eqn, names: Names): boolean =>
  names.has(eqn.primitive.name) || innerJaxprs(eqn).some((inner) => applies(inner, names));

/** The loop or choice with its programs decomposed; calls are none, as a program stands in their place. */
const control: {
  readonly [Name in HigherOrderName]?: (
    operands: readonly Value[],
    params: PrimitiveParams<Name>,
    inner: (jaxpr: Jaxpr) => ClosedJaxpr,
  ) => readonly Value[];
} = {
  scan: (operands, params, inner) => scanOver(lifted(inner(params.jaxpr)), partsOf(operands, params), params),
  while: (operands, params, inner) =>
    whileOver(lifted(inner(params.cond)), lifted(inner(params.body)), partsOfWhile(operands, params)),
  cond([index, ...operands], { branches }, inner) {
    const fs = branches.map(inner).map(
      ({ jaxpr, consts }) =>
        (...args: readonly Value[]) =>
          evalJaxpr(jaxpr, consts, args),
    );
    return choose(index!, stageBranches('decompose', fs, inAvals(branches[0]!)), operands);
  },
};

const lifted = ({ jaxpr, consts }: ClosedJaxpr): Derived => ({ jaxpr: constsAsInputs(jaxpr), consts });

/** Values in these types, of which weakness may differ. */
const asTyped = (values: readonly Value[], avals: readonly Aval[]): readonly Value[] =>
  values.map((x, i) => (sameAval(x.aval, avals[i]!) ? x : convertLike(x, avals[i]!)));

/** Hands on what it does not decompose; what a decomposition applies is decomposed in its turn. */
class DecomposeTrace implements Trace {
  live = true;
  private readonly parent: Trace;
  private readonly names: readonly DecomposedName[];
  private readonly set: Names;

  constructor(parent: Trace, names: readonly DecomposedName[]) {
    this.parent = parent;
    this.names = names;
    this.set = new Set(names);
  }

  process(primitive: Primitive, operands: readonly Value[], params: unknown): readonly Value[] {
    const { name, higherOrder } = primitive;
    if (this.set.has(name) && isDecomposed(name)) {
      const avals = operands.map((x) => x.aval);
      const results = (decompositions[name] as Decompose<unknown>)(operands, params);
      return asTyped(results, primitive.abstractEval(avals, params));
    }
    const onward = <A>(f: () => A): A => withTrace(this.parent, f);
    if (!higherOrder?.jaxprs(params).some((inner) => applies(inner, this.set))) {
      return onward(() => this.parent.process(primitive, operands, params));
    }
    const body = higherOrder.body?.(params);
    if (body) {
      const avals = primitive.abstractEval(
        operands.map((x) => x.aval),
        params,
      );
      return asTyped(evalJaxpr(body, [], asTyped(operands, inAvals(body))), avals);
    }
    const rewrite = control[name as HigherOrderName] as
      | ((operands: readonly Value[], params: unknown, inner: (jaxpr: Jaxpr) => ClosedJaxpr) => readonly Value[])
      | undefined;
    if (!rewrite) {
      throw new CompileError({
        op: 'decompose',
        problem: `${name} holds programs that it does not know how to replace`,
      });
    }
    return onward(() => rewrite(operands, params, (inner) => rewritten(inner, this.names)));
  }
}

/**
 * Run `f`; each primitive of `names` that it applies becomes the program that it is short for, in bodies of loops and branches as
 * well. Calls in which one is applied are inlined.
 */
export function decomposing<A>(names: readonly DecomposedName[], f: () => A): A {
  const trace = new DecomposeTrace(currentTrace(), names);
  try {
    return withTrace(trace, f);
  } finally {
    trace.live = false;
  }
}

const known = new WeakMap<Jaxpr, Map<string, ClosedJaxpr>>();

/** The program rewritten, once for these names and a device, on which its constants are. */
function rewritten(jaxpr: Jaxpr, names: readonly DecomposedName[]): ClosedJaxpr {
  if (!applies(jaxpr, new Set(names))) return { jaxpr, consts: [] };
  const key = `${identityOf(defaultDevice())} ${[...names].sort().join()}`;
  const byKey = known.get(jaxpr) ?? new Map<string, ClosedJaxpr>();
  known.set(jaxpr, byKey);
  const found =
    byKey.get(key) ??
    stage('decompose', (...args) => decomposing(names, () => evalJaxpr(jaxpr, [], args)), inAvals(jaxpr));
  byKey.set(key, found);
  return found;
}

/** Where constants are kept until a device takes them. */
interface HostStorage {
  readonly byteLength: number;
  readonly data: TypedArray;
}

const dataOf = (storage: unknown): TypedArray => (storage as HostStorage).data.slice();

const host: Device = {
  name: 'host',
  put: (_aval, data): HostStorage => ({ byteLength: data.byteLength, data }),
  read: async (_aval, storage) => dataOf(storage),
  readSync: (_aval, storage) => dataOf(storage),
  compile() {
    throw new CompileError({ op: 'decompose', problem: 'constants of a program are not computed with' });
  },
};

/**
 * The program without the primitives of `names`: no equation of it, in bodies of loops and branches as well, applies one.
 *
 * Inputs and outputs are those of `jaxpr`, in number and type, and taps and barriers are where they were; equations keep the
 * source that they had, and those of a decomposition have that of what it replaces. Calls in which a primitive is replaced are
 * inlined. Constants that decompositions need are the constants of the result: tensors on the host, to be read by `dataSync` and put
 * where they are needed. Remembered on the jaxpr; `jaxpr` itself where there is nothing to replace.
 *
 * @param jaxpr - a program without constants, as a device is given it
 */
export const decompose = (jaxpr: Jaxpr, names: readonly DecomposedName[]): ClosedJaxpr =>
  withDefaultDevice(host, () => rewritten(jaxpr, names));
