/**
 * Ahead of time: a jitted function, lowered for arguments like these and compiled for a device, as objects that can be looked at. What
 * they run is what the jitted function runs.
 */

import { type Aval, sameAval, showAval } from '../src/core/aval.ts';
import { type Device, defaultDevice, withDefaultDevice } from '../src/core/backend.ts';
import { compileAhead, evalTrace, meetingPlace } from '../src/core/eager.ts';
import { CompileError, ConcretizationError, DTypeError, ShapeError, TreeError } from '../src/core/errors.ts';
import type { ProgramCost, ProgramText } from '../src/core/inspection.ts';
import { inAvals, type Jaxpr } from '../src/core/jaxpr.ts';
import { showJaxpr } from '../src/core/pretty.ts';
import type { Primitive } from '../src/core/primitive.ts';
import { sameShape } from '../src/core/shape.ts';
import { currentTrace } from '../src/core/trace.ts';
import { Tensor, Tracer, type Value } from '../src/core/value.ts';
import { difference, leafPaths, type TreeDef } from '../src/tree/def.ts';
import { call, jitP } from './call.ts';
import { onDevice } from './placement.ts';
import { Profile } from './profile.ts';

/** What arguments are to a program: their leaves and structure, and static arguments by position with what stands for their value. */
export interface Arguments<L = Value> {
  readonly leaves: readonly L[];
  readonly def: TreeDef;
  readonly statics: ReadonlyMap<number, string>;
}

/** A traced program and how a call of it is taken apart and put together. */
export interface Traced<A extends readonly unknown[], R> {
  readonly name: string;
  readonly jaxpr: Jaxpr;
  /** What the function closed over: the first inputs. */
  readonly consts: readonly Value[];
  /** What it was traced for. */
  readonly expected: Arguments<Aval>;
  /** Where it is to run, if somebody said so. */
  readonly device: Device | null;
  taken(op: string, args: A): Arguments;
  result(outs: readonly Value[]): R;
  /** Whether a call donates arguments now, and such a call with these operands: the constants and the leaves of `args`. */
  gives(): boolean;
  give(args: A, operands: readonly Value[]): R;
}

/** A function traced for some kind of arguments, not compiled yet. Printed, it is its jaxpr. */
export interface Lowered<A extends readonly unknown[], R> {
  /** The jaxpr as it was traced. */
  text(): string;
  /**
   * Compile for the device that `jit` was given, or that of the arguments, or the default device where only avals were given.
   *
   * @throws CompileError inside of a transform, if the function closes over what that transforms
   */
  compile(): Compiled<A, R>;
  toString(): string;
}

/**
 * A program that is compiled: a function of arguments of the kind that it was compiled for.
 *
 * @throws TreeError, ShapeError or DTypeError where an argument is of another kind, naming it
 * @throws CompileError for a tensor of another device
 */
export interface Compiled<A extends readonly unknown[], R> {
  (...args: A): R;
  readonly device: Device;
  /**
   * A stage of compilation: `'jaxpr'` after the clean-up passes, `'plan'` (steps, and where in memory their operands lie), `'loops'` and
   * `'wat'` (WebAssembly).
   *
   * @throws CompileError for a stage that the device does not have
   */
  text(form: ProgramText): string;
  /**
   * What a run costs, counted from the loops.
   *
   * @throws CompileError if the device interprets programs
   */
  cost(): ProgramCost;
  /**
   * Run once and say how long each step took; results are let go, and arguments are not donated. Steps are timed one by one, so the sum is
   * more than an ordinary run takes where steps are short. The first run also pays for memory that was never used.
   *
   * @throws CompileError if the device interprets programs
   */
  profile(...args: A): Profile;
}

const jit = jitP as Primitive;

/** @param tensors - those of the arguments that have a device */
export function lowered<A extends readonly unknown[], R>(
  traced: Traced<A, R>,
  tensors: readonly Tensor[],
): Lowered<A, R> {
  const { name, jaxpr, consts } = traced;
  // Where there are avals only, what is at home nowhere comes to the default device.
  const known = consts.filter((x): x is Tensor => x instanceof Tensor && (x.committed || tensors.length > 0));
  const place = traced.device ? null : meetingPlace(jit, [...known, ...tensors]);
  const text = (): string => showJaxpr(jaxpr);
  return {
    text,
    compile() {
      if (consts.some((x) => x instanceof Tracer)) {
        throw new CompileError({
          op: 'compile',
          problem: `${name} closes over a value that a transform is looking at`,
          remedy: 'lower and compile outside of the transform, with that value as an argument',
        });
      }
      return compiled(traced, traced.device ?? place ?? defaultDevice());
    },
    toString: text,
    [Symbol.for('nodejs.util.inspect.custom')]: text,
  } as Lowered<A, R>;
}

function compiled<A extends readonly unknown[], R>(traced: Traced<A, R>, device: Device): Compiled<A, R> {
  const { name, jaxpr } = traced;
  const captured = traced.consts.map((x) => (traced.device ? onDevice(x, device) : moved(x, device)));
  const inspection = compileAhead(
    device,
    jit,
    inAvals(jaxpr).map((aval) => ({ aval })),
    { name, jaxpr },
  );
  /** The leaves of arguments, on the device where they have elements. */
  const operands = (op: string, args: A): readonly Value[] => {
    const given = traced.taken(op, args);
    expectKind(op, traced.expected, given);
    const ins = [...captured];
    given.leaves.forEach((x, i) => {
      ins.push(traced.device ? onDevice(x, device) : placed(op, x, device, given.def, i));
    });
    return ins;
  };
  const own = `compiled(${name})`;
  const run = (...args: A): R => {
    const ins = operands(own, args);
    // Operands say on which device a program runs, where it has any.
    const alone = ins.length === 0 && currentTrace() === evalTrace;
    if (!alone && traced.gives()) return traced.give(args, ins);
    return traced.result(alone ? withDefaultDevice(device, () => call(name, jaxpr, ins)) : call(name, jaxpr, ins));
  };
  const made = Object.assign(run, {
    device,
    text: (form: ProgramText) => inspection().text(form),
    cost: () => inspection().cost(),
    profile(...args: A) {
      const ins = operands(`profile of ${name}`, args).map((x) => concrete(name, x).storageOn(device));
      return new Profile(name, inspection().profile(ins));
    },
  });
  return Object.defineProperty(made, 'name', { value: own }) as Compiled<A, R>;
}

const pathOf = (def: TreeDef, leaf: number): string => leafPaths(def, 'args')[leaf]!;

const remedy = 'lower and compile for such arguments, or call the jitted function, which does';

/** @throws TreeError, ShapeError or DTypeError for the first argument that is not what the program was compiled for */
function expectKind(op: string, expected: Arguments<Aval>, given: Arguments): void {
  const found = expected.def.key === given.def.key ? null : difference(expected.def, given.def, 'args');
  if (found) throw new TreeError({ op, problem: `it was compiled for other arguments: ${found}`, remedy });
  for (const [i, key] of expected.statics) {
    const now = given.statics.get(i);
    if (now !== key) {
      throw new TreeError({ op, problem: `the static args[${i}] is ${now}, it was compiled for ${key}`, remedy });
    }
  }
  for (const [i, want] of expected.leaves.entries()) {
    const { aval } = given.leaves[i]!;
    if (sameAval(aval, want)) continue;
    const [is, was] = [aval, want].map((x) => `${showAval(x)}${x.weak ? ' of a JS number' : ''}`);
    const problem = `${pathOf(given.def, i)} is ${is}, it was compiled for ${was}`;
    throw sameShape(aval.shape, want.shape)
      ? new DTypeError({ op, problem, remedy })
      : new ShapeError({ op, problem, remedy });
  }
}

/** A value that is committed to no device is copied to `device`. */
const moved = (x: Value, device: Device): Value =>
  x instanceof Tensor && !x.committed && x.device !== device ? new Tensor(x.aval, x.storageOn(device), device) : x;

/** A value on `device`. @throws CompileError for a tensor of another device */
function placed(op: string, x: Value, device: Device, def: TreeDef, leaf: number): Value {
  const found = moved(x, device);
  if (!(found instanceof Tensor) || found.device === device) return found;
  throw new CompileError({
    op,
    problem: `${pathOf(def, leaf)} is on the device ${found.device.name}, it was compiled for ${device.name}`,
    remedy: 'make it there (withDefaultDevice), or lower for arguments of its device',
  });
}

/** @throws ConcretizationError for a tracer */
function concrete(name: string, x: Value): Tensor {
  if (x instanceof Tensor) return x;
  throw new ConcretizationError({
    op: `profile of ${name}`,
    problem: `an argument is a tracer of ${showAval(x.aval)}: only a run on tensors takes time`,
    remedy: 'profile outside of transforms',
  });
}
