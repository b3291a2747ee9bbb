/**
 * The reference interpreter: it runs jaxprs in plain TypeScript and so defines what each primitive means.
 *
 * Compiling resolves every equation to a kernel over numbered slots, once; running calls the kernels in order on host arrays
 * and forgets a slot after its last use. With `precision: 'float64'` the arrays behind float32 are `Float64Array`s, so that
 * nothing is rounded: that is where finite differences are taken.
 */

import type { Aval } from '../../src/core/aval.ts';
import type { Device, Executable, Storage } from '../../src/core/backend.ts';
import { allocate, type TypedArray } from '../../src/core/dtype.ts';
import { CompileError } from '../../src/core/errors.ts';
import { type Inspection, interpreted } from '../../src/core/inspection.ts';
import { type Atom, type Eqn, isLiteral, type Jaxpr, type Literal } from '../../src/core/jaxpr.ts';
import type { FirstOrderName, FirstOrderParams } from '../../src/prim/registry.ts';
import { control, type LowerControl, type Run } from './control.ts';
import { type Kernel, type Lower, lowerings } from './lowering.ts';

/** Total over the first-order primitives: a primitive without a lowering does not type-check. */
const table: { readonly [Name in FirstOrderName]: Lower<FirstOrderParams<Name>> } = lowerings;

/** A host array, owned by tensors. */
export class HostStorage implements Storage {
  readonly host: TypedArray;

  constructor(host: TypedArray) {
    this.host = host;
  }

  get byteLength(): number {
    return this.host.byteLength;
  }
}

/** Options of a device that interprets. */
export interface ReferenceOptions {
  /** `'float64'`: values of dtype float32 are kept unrounded. Default `'dtype'`: every value is rounded to its dtype. */
  readonly precision?: 'dtype' | 'float64';
}

/** What a device does to a program before it resolves it; calls must be gone afterwards. */
export type Prepare = (jaxpr: Jaxpr) => Jaxpr;

class ReferenceDevice implements Device {
  readonly name: string;
  private readonly wide: boolean;
  private readonly prepare: Prepare;

  constructor(name: string, wide: boolean, prepare: Prepare) {
    this.name = name;
    this.wide = wide;
    this.prepare = prepare;
  }

  put(aval: Aval, host: TypedArray): Storage {
    return new HostStorage(this.wide && aval.dtype === 'float32' ? Float64Array.from(host) : host);
  }

  async read(aval: Aval, storage: Storage): Promise<TypedArray> {
    return this.readSync(aval, storage);
  }

  readSync(_aval: Aval, storage: Storage): TypedArray {
    return (storage as HostStorage).host.slice();
  }

  allocate(aval: Aval): TypedArray {
    return allocate(this.wide && aval.dtype === 'float32' ? 'float64' : aval.dtype, aval.size);
  }

  compile(jaxpr: Jaxpr): Program {
    return new Program(this, this.prepare(jaxpr));
  }

  inspect(jaxpr: Jaxpr): Inspection {
    return interpreted(this.name, this.prepare(jaxpr));
  }

  /** The kernel of an equation. */
  kernel(eqn: Eqn): Kernel {
    const lower = (control as Readonly<Record<string, LowerControl<never> | undefined>>)[eqn.primitive.name];
    return lower ? lower((jaxpr) => this.compile(jaxpr).call, eqn.params as never) : kernelFor(eqn);
  }
}

/** One equation, resolved: run `kernel` on the slots `ins`, put new arrays into the slots `outs`, forget the slots `last`. */
interface Step {
  readonly kernel: Kernel;
  readonly ins: readonly number[];
  readonly outs: readonly number[];
  readonly avals: readonly Aval[];
  readonly last: readonly number[];
}

class Program implements Executable {
  private readonly device: ReferenceDevice;
  private readonly steps: readonly Step[];
  private readonly outs: readonly number[];
  /** Slots start with the inputs, then the literals. */
  private readonly inputs: number;
  private readonly literals: readonly TypedArray[];
  private readonly slots: number;

  constructor(device: ReferenceDevice, jaxpr: Jaxpr) {
    this.device = device;
    this.inputs = jaxpr.ins.length;
    const numbering = new Map<Atom, number>(jaxpr.ins.map((v, i) => [v, i]));
    const literals: Literal[] = [];
    const number = (atom: Atom): void => {
      if (isLiteral(atom) && !numbering.has(atom)) numbering.set(atom, this.inputs + literals.push(atom) - 1);
    };
    for (const eqn of jaxpr.eqns) eqn.ins.forEach(number);
    jaxpr.outs.forEach(number);
    let next = this.inputs + literals.length;
    for (const eqn of jaxpr.eqns) for (const v of eqn.outs) numbering.set(v, next++);
    this.slots = next;
    this.literals = literals.map(({ aval, value }) => device.allocate(aval).fill(value));
    this.outs = jaxpr.outs.map((atom) => numbering.get(atom)!);
    this.steps = this.resolve(jaxpr.eqns, numbering);
  }

  private resolve(eqns: readonly Eqn[], numbering: ReadonlyMap<Atom, number>): readonly Step[] {
    const kept = new Set(this.outs);
    const seen = new Set<number>();
    const steps: Step[] = [];
    for (let i = eqns.length - 1; i >= 0; i--) {
      const eqn = eqns[i]!;
      const ins = eqn.ins.map((atom) => numbering.get(atom)!);
      const outs = eqn.outs.map((v) => numbering.get(v)!);
      const last = [...new Set([...ins, ...outs])].filter((slot) => !seen.has(slot) && !kept.has(slot));
      for (const slot of last) seen.add(slot);
      steps.push({ kernel: this.device.kernel(eqn), ins, outs, avals: eqn.outs.map((v) => v.aval), last });
    }
    return steps.reverse();
  }

  run(ins: readonly Storage[]): readonly Storage[] {
    return this.call(ins.map((x) => (x as HostStorage).host)).map((host) => new HostStorage(host));
  }

  readonly call: Run = (ins) => {
    const { device, steps, literals, inputs } = this;
    const env = new Array<TypedArray | undefined>(this.slots);
    for (let i = 0; i < inputs; i++) env[i] = ins[i]!;
    for (let i = 0; i < literals.length; i++) env[inputs + i] = literals[i];
    for (const step of steps) {
      const operands = step.ins.map((slot) => env[slot]!);
      const results = step.avals.map((aval) => device.allocate(aval));
      step.kernel(operands, results);
      for (let i = 0; i < results.length; i++) env[step.outs[i]!] = results[i];
      for (const slot of step.last) env[slot] = undefined;
    }
    return this.outs.map((slot) => env[slot]!);
  };
}

function kernelFor(eqn: Eqn): Kernel {
  const { name } = eqn.primitive;
  const lower = (table as Readonly<Record<string, Lower<never> | undefined>>)[name];
  if (!lower) {
    throw new CompileError({
      op: name,
      problem: 'the reference device has no lowering for this primitive',
      remedy: 'add one to backends/reference/lowering.ts',
      ...(eqn.source ? { source: eqn.source } : {}),
    });
  }
  return lower(
    eqn.ins.map((atom) => atom.aval),
    eqn.outs.map((v) => v.aval),
    eqn.params as never,
  );
}

/**
 * A device that interprets programs on host arrays.
 *
 * @param name - what the device is called; `:float64` is appended where nothing is rounded
 */
export const interpreter = (name: string, { precision = 'dtype' }: ReferenceOptions, prepare: Prepare): Device =>
  precision === 'float64'
    ? new ReferenceDevice(`${name}:float64`, true, prepare)
    : new ReferenceDevice(name, false, prepare);
