/**
 * The trace at the bottom: it computes.
 *
 * An eager operation is a program of one equation, looked up by (primitive, parameters, avals, device), checked and
 * compiled when it is first met and only run afterwards. The tables are bounded, and what belongs to a jaxpr (the program of
 * a `jit` call) lives as long as that jaxpr.
 */

import type { Aval } from './aval.ts';
import { type Device, defaultDevice, type Executable, type Storage } from './backend.ts';
import { checkJaxpr } from './check.ts';
import { CompileError } from './errors.ts';
import { paramsText } from './hash.ts';
import { identityOf } from './identity.ts';
import { type Inspection, inspect } from './inspection.ts';
import { type Jaxpr, makeVar, outAvals } from './jaxpr.ts';
import { noParams, ownParams, type Primitive } from './primitive.ts';
import { installBase, type Trace } from './trace.ts';
import { escaped, Tensor, type Tracer, type Value } from './value.ts';

/** A compiled equation. */
interface Program {
  readonly executable: Executable;
  /** The avals of its results, and then of what it shows besides. */
  readonly outs: readonly Aval[];
  readonly observed: Observed | null;
}

/** A program with what it shows as further outputs, and what is to be done with those. */
export interface Observed {
  readonly jaxpr: Jaxpr;
  /** How many of its outputs, the last ones, are what it shows. */
  readonly hidden: number;
  deliver(hidden: readonly Tensor[]): void;
}

let observe: (jaxpr: Jaxpr) => Observed | null = () => null;

/** Say what programs with effects show (`transforms/taps.ts`); `null` for a program without. */
export function observeWith(observer: (jaxpr: Jaxpr) => Observed | null): void {
  observe = observer;
}

/** The program with nothing in it that is shown: what a derivative or a second evaluation of it runs. */
export function unobserved(jaxpr: Jaxpr): Jaxpr {
  const known = quiet.get(jaxpr);
  if (known) return known;
  const observed = observe(jaxpr);
  if (!observed) return jaxpr;
  const made = { ...observed.jaxpr, outs: observed.jaxpr.outs.slice(0, jaxpr.outs.length) };
  quiet.set(jaxpr, made);
  return made;
}

const quiet = new WeakMap<Jaxpr, Jaxpr>();

/** Programs of one primitive on one device. Numeric keys are pairs of aval ids, for the common case without parameters. */
type Table = Map<string | number, Program>;

const tables = new WeakMap<Device, WeakMap<Primitive | Jaxpr, Table>>();
const tableLimit = 4096;
/** Aval ids below this fit twice into a double. */
const pairBase = 2 ** 26;

class EvalTrace implements Trace {
  readonly live = true;

  /** @param donated - operands that nobody will use again, but for being told so: see {@link Tensor.donate} */
  process(
    primitive: Primitive,
    operands: readonly Value[],
    params: unknown,
    donated?: readonly boolean[],
  ): readonly Value[] {
    const committed = committedDevice(primitive, operands);
    const device = committed ?? commonDevice(operands as readonly Tensor[]);
    const { executable, outs, observed } = programFor(device, primitive, operands, params);
    const storages = new Array<Storage>(operands.length);
    for (let i = 0; i < operands.length; i++) storages[i] = (operands[i] as Tensor).storageOn(device);
    // Copies, as of numbers, are not theirs.
    const given = donated?.map((x, i) => x && (operands[i] as Tensor).owns(storages[i]!));
    const results = executable.run(storages, given);
    if (outs.length === 1 && !observed) return [new Tensor(outs[0]!, results[0]!, device, committed !== null)];
    const tensors = outs.map((aval, i) => new Tensor(aval, results[i]!, device, committed !== null));
    if (!observed) return tensors;
    const count = outs.length - observed.hidden;
    observed.deliver(tensors.slice(count));
    return tensors.slice(0, count);
  }
}

/** The device that the operands are committed to; `null` if none is. @throws CompileError if they are to two */
function committedDevice(primitive: Primitive, operands: readonly Value[]): Device | null {
  let device: Device | null = null;
  for (const x of operands) {
    if (!(x instanceof Tensor)) throw escaped(primitive.name, x as Tracer);
    if (!x.committed) continue;
    if (device === null) device = x.device;
    else if (device !== x.device) {
      throw new CompileError({
        op: primitive.name,
        problem: `operands on two devices: ${device.name} and ${x.device.name}`,
        remedy: 'put one where the other is (devicePut), or say where to compute: jit(f, { device })',
      });
    }
  }
  return device;
}

/** Where operands meet that are committed to no device: where they are, if that is one place. */
function commonDevice(operands: readonly Tensor[]): Device {
  const first = operands[0]?.device;
  return first && operands.every((x) => x.device === first) ? first : defaultDevice();
}

/** All that compilation asks of an operand. */
interface Operand {
  readonly aval: Aval;
}

function programFor(device: Device, primitive: Primitive, operands: readonly Operand[], params: unknown): Program {
  const table = tableFor(device, primitive, params);
  const key = keyOf(operands, params);
  const found = table.get(key);
  if (found) return found;
  if (table.size >= tableLimit) table.clear();
  const program = build(device, primitive, operands, params);
  table.set(key, program);
  return program;
}

function tableFor(device: Device, primitive: Primitive, params: unknown): Table {
  let perOwner = tables.get(device);
  if (!perOwner) {
    perOwner = new WeakMap();
    tables.set(device, perOwner);
  }
  const owner = primitive.higherOrder?.jaxprs(params)[0] ?? primitive;
  let table = perOwner.get(owner);
  if (!table) {
    table = new Map();
    perOwner.set(owner, table);
  }
  return table;
}

function keyOf(operands: readonly Operand[], params: unknown): string | number {
  if (params !== noParams) return textKey(operands, params);
  if (operands.length === 1) return -1 - operands[0]!.aval.id;
  if (operands.length === 2) {
    const [a, b] = [operands[0]!.aval.id, operands[1]!.aval.id];
    if (a < pairBase && b < pairBase) return a * pairBase + b;
  }
  return textKey(operands, params);
}

/** Inner jaxprs enter the key by identity. */
const textKey = (operands: readonly Operand[], params: unknown): string =>
  `${operands.map((x) => x.aval.id).join()};${paramsText(params as object, (jaxpr) => `#${identityOf(jaxpr)}`)}`;

/** The program of one equation. */
function programOf(primitive: Primitive, operands: readonly Operand[], params: unknown): Jaxpr {
  const own = ownParams(primitive, params);
  const ins = operands.map((x) => makeVar(x.aval));
  const outs = primitive.abstractEval(
    ins.map((v) => v.aval),
    own,
  );
  const vars = outs.map(makeVar);
  return { consts: [], ins, eqns: [{ primitive, params: own, ins, outs: vars, source: null }], outs: vars };
}

function build(device: Device, primitive: Primitive, operands: readonly Operand[], params: unknown): Program {
  const jaxpr = programOf(primitive, operands, params);
  checkJaxpr(jaxpr);
  const observed = observe(jaxpr);
  if (!observed) return { executable: device.compile(jaxpr), outs: outAvals(jaxpr), observed };
  checkJaxpr(observed.jaxpr);
  return { executable: device.compile(observed.jaxpr), outs: outAvals(observed.jaxpr), observed };
}

/** Compile now what an application of `primitive` to operands like these will run on `device`; says what that is, when asked. */
export function compileAhead(
  device: Device,
  primitive: Primitive,
  operands: readonly Operand[],
  params: unknown,
): () => Inspection {
  programFor(device, primitive, operands, params);
  let made: Inspection | null = null;
  return () => {
    const jaxpr = programOf(primitive, operands, params);
    made ??= inspect(device, observe(jaxpr)?.jaxpr ?? jaxpr);
    return made;
  };
}

/** The device on which operands meet; `null` if there are none. @throws CompileError if they are committed to two */
export const meetingPlace = (primitive: Primitive, operands: readonly Tensor[]): Device | null =>
  committedDevice(primitive, operands) ?? (operands.length > 0 ? commonDevice(operands) : null);

/** The eager trace, installed at the bottom when this module is loaded. */
export const evalTrace = new EvalTrace();
installBase(evalTrace);

/**
 * Run a closed program on `device`, whatever the current trace: for laws and tools that judge programs.
 *
 * @param args - concrete tensors; those of another device are copied
 */
export function runJaxpr(device: Device, jaxpr: Jaxpr, args: readonly Tensor[]): readonly Tensor[] {
  const storages = args.map((x) => (x.device === device ? x.storage : device.put(x.aval, x.dataSync())));
  const results = device.compile({ ...jaxpr, consts: [], ins: [...jaxpr.consts, ...jaxpr.ins] }).run(storages);
  return jaxpr.outs.map((atom, i) => new Tensor(atom.aval, results[i]!, device));
}
