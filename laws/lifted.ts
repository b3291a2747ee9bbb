/**
 * A user's function in double precision: its program, traced once and run on the float64 reference.
 *
 * A function that asks for values (`if (x.item() > 0)`) has no one program. It runs as it is, eagerly, with float64 arguments on
 * the default device, and what is said of it says so.
 */

import type { Aval } from '../src/core/aval.ts';
import { type Device, defaultDevice, withDefaultDevice } from '../src/core/backend.ts';
import { isFloat } from '../src/core/dtype.ts';
import { ConcretizationError } from '../src/core/errors.ts';
import { constsAsInputs, evalJaxpr, type Jaxpr } from '../src/core/jaxpr.ts';
import { stage } from '../src/core/stage.ts';
import type { Value } from '../src/core/value.ts';
import { leafPaths } from '../src/tree/def.ts';
import { flatFunction, type Primals } from '../transforms/args.ts';
import { call } from '../transforms/call.ts';
import type { FlatFunction } from '../transforms/jvp.ts';
import { exact, place } from './fd.ts';
import type { Subject } from './gradients.ts';
import { type HostTensor, toHost } from './host.ts';

/** What is said of a function that could not be traced. */
export const untraced = 'not traced: run with float64 arguments';

/** A function at a point, as judged, and whether that is its program. */
export interface Lifted {
  readonly subject: Subject;
  readonly traced: boolean;
}

/** A traced function: its program without constants, what it captured, and the paths of its outputs. */
interface Program {
  readonly jaxpr: Jaxpr;
  readonly captured: readonly HostTensor[];
  readonly outPaths: readonly string[];
}

/** Programs kept for one function: a law draws arguments of a few structures. */
const capacity = 64;

const doubles = (x: HostTensor): Float64Array => Float64Array.from(x.data);

/** `f`, to be judged at several points: what is traced is traced once for each kind of arguments. */
export function lifting<A extends readonly unknown[], R>(
  op: string,
  f: (...args: A) => R,
): (primals: Primals) => Lifted {
  const programs = new Map<string, Program | null>();
  return ({ leaves, def, paths }) => {
    const avals = leaves.map((x) => x.aval);
    const key = `${def.key};${avals.map((aval) => aval.id).join()}`;
    const { flat, outDef } = flatFunction(op, f, def);
    if (!programs.has(key)) {
      if (programs.size >= capacity) programs.clear();
      programs.set(key, traced());
    }
    const program = programs.get(key)!;
    const inputs = leaves.map(toHost);
    return program ? { subject: lift(program, inputs, paths), traced: true } : { subject: eager(), traced: false };

    function traced(): Program | null {
      try {
        const { jaxpr, consts } = stage(op, flat, avals);
        return { jaxpr: constsAsInputs(jaxpr), captured: consts.map(toHost), outPaths: leafPaths(outDef(), 'output') };
      } catch (error) {
        if (error instanceof ConcretizationError) return null;
        throw error;
      }
    }

    function eager(): Subject {
      const device = defaultDevice();
      const widened = inputs.map((x): HostTensor => (isFloat(x.dtype) ? { ...x, dtype: 'float64' } : x));
      // What the outputs are is known when it has run.
      const outs = flat(...widened.map((x) => place(x, doubles(x), device)));
      const floats = outs.map((x) => isFloat(x.dtype));
      return onFloats(flat, widened, paths, floats, leafPaths(outDef(), 'output'), device);
    }
  };
}

function lift(
  { jaxpr, captured, outPaths }: Program,
  inputs: readonly HostTensor[],
  paths: readonly string[],
): Subject {
  const consts = captured.map((x) => place(x, doubles(x), exact));
  const all: FlatFunction = (...xs) => call('f', jaxpr, [...consts, ...xs]);
  const floats = jaxpr.outs.map((atom) => isFloat(atom.aval.dtype));
  return onFloats(all, inputs, paths, floats, outPaths, exact);
}

/** A function of its float inputs to its float outputs: what has derivatives. */
export function onFloats(
  f: FlatFunction,
  inputs: readonly HostTensor[],
  inPaths: readonly string[],
  floats: readonly boolean[],
  outPaths: readonly string[],
  device: Device,
): Subject {
  const active = inputs.flatMap((x, i) => (isFloat(x.dtype) ? [i] : []));
  return {
    f: (...values) => {
      let next = 0;
      const full = inputs.map((x): Value => (isFloat(x.dtype) ? values[next++]! : place(x, doubles(x), device)));
      return f(...full).filter((_, i) => floats[i]);
    },
    at: active.map((i) => inputs[i]!),
    inPaths: active.map((i) => inPaths[i]!),
    outPaths: outPaths.filter((_, i) => floats[i]),
    device,
  };
}

/** A function as a program that runs in double precision, on inputs of these avals. */
export function exactly(op: string, f: FlatFunction, avals: readonly Aval[]) {
  const { jaxpr, consts } = stage(op, f, avals);
  const captured = consts.map(toHost);
  return (inputs: readonly HostTensor[]): readonly HostTensor[] =>
    withDefaultDevice(exact, () =>
      evalJaxpr(
        constsAsInputs(jaxpr),
        [],
        [...captured, ...inputs].map((x) => place(x, doubles(x), exact)),
      ).map(toHost),
    );
}
