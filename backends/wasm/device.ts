/** The WebAssembly device: programs are fused, planned and compiled to SIMD code that runs on one linear memory. */

import type { Aval } from '../../src/core/aval.ts';
import type { Device, Executable, Storage } from '../../src/core/backend.ts';
import { type TypedArray, viewOf } from '../../src/core/dtype.ts';
import { CompileError } from '../../src/core/errors.ts';
import type { Inspection } from '../../src/core/inspection.ts';
import { constsAsInputs, type Eqn, type Jaxpr } from '../../src/core/jaxpr.ts';
import { structuralText } from '../../src/core/pretty.ts';
import type { Value } from '../../src/core/value.ts';
import { optimize } from '../../transforms/passes/index.ts';
import { checkKernel } from '../loop/check.ts';
import { decompose } from '../loop/decompose/program.ts';
import type { Limits } from '../loop/fuse/fuse.ts';
import { generalized } from '../loop/generalize.ts';
import { kernelKey } from '../loop/key.ts';
import { decomposedNames } from '../loop/lower/table.ts';
import { bytesOf, plan } from '../loop/plan/plan.ts';
import type { StepClock } from '../loop/plan/profile.ts';
import { kernelsOf, type Place, type Program, type Step } from '../loop/plan/program.ts';
import { hostFunctions } from '../loop/scalar.ts';
import { SharedByText } from '../shared.ts';
import { aligned } from './blocks.ts';
import { Donation, handOver, holdGiven } from './donation.ts';
import { EagerProduct, isNarrow, RecentCode, type Run, soleProduct } from './eager.ts';
import { scratchBytes } from './emit/kernel.ts';
import { Constants } from './emit/pool.ts';
import { checksByDefault, hasRelaxedSimd, requireSimd, sharesAllByDefault } from './engine.ts';
import type { Element } from './gemm/arithmetic.ts';
import { PlannedInspection } from './inspect.ts';
import { LinearMemory, type MemoryOptions, type WasmStorage } from './memory.ts';
import {
  type Assembled,
  assembleKernel,
  assembleProduct,
  assembleProgram,
  divisionWords,
  type Target,
} from './program.ts';
import { atPeak } from './refusals.ts';
import { kernelShares, turnsOf } from './sequencer.ts';
import { noThresholds, type Shares, stepTime, type Thresholds, usualThresholds } from './team/share.ts';
import { type SharedCode, type SharedRun, Team, threadCount } from './team/team.ts';
import { webAssembly } from './webassembly.ts';

export interface WasmOptions extends MemoryOptions {
  /** Use relaxed SIMD where the engine has it: faster, and rounded as the machine likes. Default true. */
  readonly relaxed?: boolean;
  /**
   * Check every kernel before it is compiled, as programs always are: for who works on the compiler, at a tenth of the time of
   * compilation. Default: whether `PULLBACK_CHECK` is `1`, as in this library's own tests.
   */
  readonly check?: boolean;
  /**
   * Threads that run a program together, this one counted; results have the same bits for any number of them. Default: PULLBACK_THREADS,
   * or the machine's cores; one where memory cannot be shared (a page that is not isolated across origins).
   */
  readonly threads?: number;
  /**
   * Whether every step is shared that can be, and the first call of a program waits until all threads have its code: for tests of programs
   * that are too small for threads. Default: whether `PULLBACK_SHARE_ALL` is `1`.
   */
  readonly shareAll?: boolean;
}

/** Buffers of one kernel: each is a parameter of a function. */
const limits = { buffers: 48 };
const constantBytes = 1 << 16;

/** Code that runs, with what must stay as long: its constants. */
interface Code {
  readonly run: Run;
  /** Bytes of a program's scratch, for all threads. */
  readonly scratch: number;
  readonly constants: Constants;
  /** What threads share; `null` if they share nothing. */
  readonly shared: SharedCode | null;
}

/** How many kernels of eager operations are kept for other sizes; executables keep their own. */
const kernelLimit = 1024;

type KernelStep = Step & { readonly kind: 'kernel' };

/** The program in primitives that this device has, with the constants that its decompositions need: its first inputs. */
function simplified(jaxpr: Jaxpr) {
  const { jaxpr: decomposed, consts } = decompose(optimize(jaxpr), decomposedNames);
  return { simple: optimize(constsAsInputs(decomposed)), consts };
}

const planOf = (simple: Jaxpr, how: Omit<Limits, 'buffers'> = {}): Program => plan(simple, { ...limits, ...how });

/** A program and its code; `null` for one that is a kernel, whose code is kept by the kernel. */
interface Made {
  readonly program: Program;
  readonly code: Code | null;
}

/**
 * The step of a program that is one kernel, which is compiled for all sizes; `null` for other programs, also where the kernel makes what nobody
 * asked for, in memory of the program.
 */
function soleKernel({ steps }: Program, consts: readonly Value[]): KernelStep | null {
  const [only] = steps;
  if (steps.length !== 1 || only?.kind !== 'kernel' || consts.length > 0) return null;
  return only.places.every(({ base }) => base !== 'arena') ? only : null;
}

/** An operation that is applied by itself, to operands of any sizes, where a program is compiled for its own. */
const isEager = ({ eqns }: Jaxpr): boolean => eqns.length === 1 && !eqns[0]!.primitive.higherOrder;

/** Equations like this are worth threads, which start while the program is compiled. */
const isLarge = ({ outs }: Eqn): boolean => outs.some(({ aval }) => aval.size >= 1 << 14);

/** What kernels call `rem`. */
const remainder = (x: number, y: number): number => x % y;

const isShared = (buffer: object): boolean =>
  typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer;

class WasmDevice implements Device {
  readonly name = 'wasm';
  readonly memory: LinearMemory;
  /** The threads beside this one. */
  readonly team: Team | null;
  /** All threads that compute. */
  readonly threads: number;
  private readonly limits: Thresholds;
  private readonly relaxed: boolean;
  private readonly checked: boolean;
  private constants: Constants;
  private readonly pools = new FinalizationRegistry<number>((base) => this.memory.giveBack(base));
  /** Code that is garbage. */
  private readonly left = new FinalizationRegistry<number>((code) => this.team?.dismiss(code));
  /** Kernels of eager operations, compiled for all sizes, the one used last at the end. */
  private readonly kernels = new Map<string, Code>();
  /** Programs, by the text of what they compute. */
  private readonly programs = new SharedByText<Made>();
  /** Code of eager operations that is made for their shapes. */
  private readonly shaped = new RecentCode<Code>();

  constructor(options: WasmOptions) {
    requireSimd();
    const threads = threadCount(options.threads);
    this.memory = new LinearMemory(options);
    const isPatient = options.shareAll ?? sharesAllByDefault();
    this.team = threads > 1 && isShared(this.memory.memory.buffer) ? new Team(this.memory, threads, isPatient) : null;
    this.threads = this.team ? threads : 1;
    this.limits = isPatient ? noThresholds : usualThresholds;
    this.relaxed = (options.relaxed ?? true) && hasRelaxedSimd();
    this.checked = options.check ?? checksByDefault();
    this.constants = this.pool();
  }

  /** Room for constants, given back once no code that reads them is left. */
  private pool(): Constants {
    const pool = new Constants(this.memory.reserve(constantBytes));
    this.pools.register(pool, pool.base);
    return pool;
  }

  put(_aval: Aval, host: TypedArray): Storage {
    const whole = host.byteOffset === 0 && host.byteLength === host.buffer.byteLength;
    return this.memory.adopt((whole ? host.buffer : host.slice().buffer) as ArrayBuffer);
  }

  async read(aval: Aval, storage: Storage): Promise<TypedArray> {
    return this.readSync(aval, storage);
  }

  readSync(aval: Aval, storage: Storage): TypedArray {
    return viewOf(aval.dtype, this.memory.read(storage as WasmStorage), aval.size);
  }

  free(storage: Storage): void {
    this.memory.free(storage as WasmStorage);
  }

  compile(jaxpr: Jaxpr): Executable {
    if (jaxpr.eqns.some(isLarge)) this.team?.start();
    const { simple, consts } = simplified(jaxpr);
    if (isEager(jaxpr)) return this.eager(simple, consts);
    const made = this.programs.of(`${consts.length} ${structuralText(simple)}`, () => this.make(simple, consts));
    if (!made.code) return this.single(made.program, soleKernel(made.program, consts)!);
    // The whole of it stays with what runs, and is found as long.
    return new CompiledProgram(this, made.program, () => made.code!, this.own(consts));
  }

  private checkedPlan(simple: Jaxpr, how: Omit<Limits, 'buffers'> = {}): Program {
    const program = planOf(simple, how);
    if (this.checked) for (const kernel of kernelsOf(program.steps)) checkKernel(kernel);
    return program;
  }

  private make(simple: Jaxpr, consts: readonly Value[]): Made {
    const program = this.checkedPlan(simple);
    if (soleKernel(program, consts)) return { program, code: null };
    return { program, code: this.instantiate(() => assembleProgram(program, this.target())) };
  }

  /** An operation that is applied by itself. */
  private eager(simple: Jaxpr, consts: readonly Value[]): Executable {
    const program = this.checkedPlan(simple, { apart: false });
    const only = soleKernel(program, consts);
    if (only) return this.single(program, only);
    const make = (): Code => this.instantiate(() => assembleProgram(program, this.target()));
    const product = consts.length === 0 ? soleProduct(program) : null;
    if (product && isNarrow(product.contraction)) {
      const loops = planOf(simple, { products: false, apart: false });
      const nest = soleKernel(loops, []);
      if (nest) return this.single(loops, nest);
    }
    if (product) {
      const by = this.team && { team: this.team, limits: this.limits };
      return new EagerProduct(this.memory, program, product, this.productOf(product.contraction.dtype), by);
    }
    const shape = {};
    return new CompiledProgram(this, program, () => this.shaped.of(shape, make), this.own(consts));
  }

  /** Products of matrices of any size. */
  private productOf(dtype: Element): Code {
    return this.kernelOf(`product ${dtype}`, () => assembleProduct(dtype, this.target()));
  }

  /** Code for all sizes, as it was made before if it was used not long ago. */
  private kernelOf(key: string, assemble: () => Assembled): Code {
    // Most are applied to what is too small for threads.
    const code = this.kernels.get(key) ?? this.instantiate(assemble, undefined, 'shared', 'later');
    this.kernels.delete(key);
    this.kernels.set(key, code);
    if (this.kernels.size > kernelLimit) this.kernels.delete(this.kernels.keys().next().value!);
    return code;
  }

  /** Made of the program again: what runs keeps nothing that only people ask for. */
  inspect(jaxpr: Jaxpr): Inspection {
    const { simple, consts } = simplified(jaxpr);
    const program = planOf(simple, isEager(jaxpr) ? { apart: false } : {});
    const only = soleKernel(program, consts);
    const assemble = (marked: boolean): Assembled =>
      only && !marked
        ? assembleKernel(generalized(only.kernel).kernel, this.unused())
        : assembleProgram(program, marked ? this.target() : this.unused(), marked);
    return new PlannedInspection({
      jaxpr: simple,
      program,
      consts: consts.length,
      scratch: () => (only ? scratchBytes(only.kernel, []) : assemble(false).scratch),
      assemble: () => assemble(false),
      timed: (clock) => {
        if (only) return this.single(program, only, clock);
        const code = this.instantiate(() => assemble(true), clock);
        const run: Run = (table) => {
          clock.start();
          code.run(table!);
        };
        return new CompiledProgram(this, program, () => ({ ...code, run }), this.own(consts));
      },
    });
  }

  /** A target whose constants are not written to memory: for code that does not run. */
  private unused(): Target {
    const { memory, options, team } = this.target();
    return { memory, team, options: { ...options, constants: new Constants(this.constants.base) } };
  }

  /** An eager operation, mostly: its kernel is compiled once for all sizes. */
  private single(program: Program, step: KernelStep, clock: StepClock | null = null): Executable {
    const { kernel, sizes } = generalized(step.kernel);
    if (this.checked) checkKernel(kernel);
    const code = this.kernelOf(kernelKey(kernel), () => assembleKernel(kernel, this.target()));
    const timed: Run = (...args) => {
      clock?.start();
      code.run(...args);
      clock?.mark(0);
    };
    const scratch = scratchBytes(kernel, sizes);
    const turns = turnsOf(step.kernel);
    const rest = turns === null ? sizes : [...sizes, 0, turns];
    const time = stepTime(step);
    const shares = clock || time < this.limits.program ? null : kernelShares(step.kernel, time, this.limits);
    const own = { scratch, rest, sizes, shares: code.shared && shares };
    return new CompiledKernel(this, program, step.places, clock ? { ...code, run: timed } : code, own);
  }

  /** The constants of a program, copied to this device. */
  private own(consts: readonly Value[]): readonly Storage[] {
    return consts.map((x) => this.put(x.aval, x.dataSync()));
  }

  private target(): Target {
    const { memory } = this;
    return {
      memory: { shared: isShared(memory.memory.buffer), maximum: memory.budget / 65536 },
      options: { relaxed: this.relaxed, constants: this.constants },
      team: this.team && { ...this.team.layout, limits: this.limits },
    };
  }

  private instantiate(
    assemble: () => Assembled,
    clock?: StepClock,
    room: 'shared' | 'own' = 'shared',
    sent: 'now' | 'later' = 'now',
  ): Code {
    const { constants } = this;
    const { bytes, imports, scratch, threads } = assemble();
    const words = constants.contents();
    // Pools do not shrink; the code made so far keeps its own.
    if (words.byteLength > constantBytes / 2) this.constants = this.pool();
    if (words.byteLength > constantBytes) {
      if (room === 'shared') return this.instantiate(assemble, clock, 'own', sent);
      throw new CompileError({
        op: 'wasm',
        problem: `a program has more constants than fit into ${constantBytes} bytes`,
        remedy: 'pass them as a tensor, or split the program',
      });
    }
    this.memory.words.set(words, constants.base >>> 2);
    const env: Record<string, unknown> = { memory: this.memory.memory, ...(clock ? { mark: clock.mark } : {}) };
    for (const name of imports) env[name] = name === 'rem' ? remainder : hostFunctions[name]!.of;
    const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes), { env });
    const run = exports.run as Run;
    const code = { run, scratch, constants, shared: null };
    if (threads === 1 || !this.team) return code;
    const number = this.team.enroll(bytes, sent);
    const all: Code = { ...code, shared: { run: (exports.share ?? run) as SharedRun, number, threads, bytes } };
    this.left.register(all, number);
    return all;
  }
}

/** What a call of a kernel needs beside its operands. */
interface KernelCall {
  /** Bytes of its scratch. */
  readonly scratch: number;
  /** Its arguments after the addresses: sizes, and turns. */
  readonly rest: readonly number[];
  readonly sizes: readonly number[];
  /** How threads divide it; `null`: this one runs all of it. */
  readonly shares: Shares | null;
}

/** One kernel on inputs and outputs: what eager operations are. */
class CompiledKernel implements Executable {
  private readonly device: WasmDevice;
  private readonly program: Program;
  /** Bytes of each output and, if the kernel needs any, of its scratch, or of its table and the scratch of all threads. */
  private readonly sizes: readonly number[];
  private readonly scratch: number;
  /** Which address each parameter is: an input or output, the last one for its scratch. */
  private readonly parameters: readonly number[];
  private readonly code: Code;
  private readonly args: number[];
  private readonly addresses: number[];
  private readonly donation: Donation;
  /** What the table of a kernel that threads share ends with, and where the scratch areas are in its block. */
  private readonly words: readonly number[] | null;
  /** Threads that run it. */
  private readonly members: number;
  private readonly areas: number;

  constructor(device: WasmDevice, program: Program, places: readonly Place[], code: Code, call: KernelCall) {
    const { scratch, rest, sizes, shares } = call;
    this.device = device;
    this.program = program;
    const { ins, outs } = program;
    const area = aligned(scratch);
    this.members = shares ? device.team!.members(area, shares.chunks) : 1;
    this.words = shares && this.members > 1 ? [...sizes, area, ...divisionWords(shares)] : null;
    this.areas = this.words ? aligned(4 * (places.length + 1 + this.words.length)) : 0;
    this.scratch = this.words ? this.areas + area * this.members : scratch;
    this.sizes = this.scratch > 0 ? [...outs.map(bytesOf), this.scratch] : outs.map(bytesOf);
    this.parameters = places.map(({ base, position }) => (base === 'input' ? position : ins.length + position));
    if (this.scratch > 0) this.parameters = [...this.parameters, ins.length + outs.length];
    this.code = code;
    this.donation = new Donation(program, 0);
    this.args = [...places.map(() => 0), 0, ...rest];
    this.addresses = new Array<number>(ins.length + this.sizes.length).fill(0);
  }

  run(ins: readonly Storage[], donated?: readonly boolean[]): readonly Storage[] {
    const { memory } = this.device;
    const operands = ins as readonly WasmStorage[];
    const heirs = donated ? this.donation.heirs(operands, donated) : null;
    let made = this.hold(operands, heirs);
    let failed = true;
    try {
      this.call();
      failed = false;
    } finally {
      if (heirs) made = handOver(memory, operands, made, heirs, failed);
      else memory.letGo(operands, made);
    }
    if (this.scratch > 0) memory.free(made.pop()!);
    return made;
  }

  private call(): void {
    const { args, addresses, parameters } = this;
    for (let i = 0; i < parameters.length; i++) args[i] = addresses[parameters[i]!]!;
    if (this.words) this.share(this.words);
    else this.code.run(...args);
  }

  /** The threads' table is at the beginning of what the kernel works in. */
  private share(words: readonly number[]): void {
    const { args, parameters, code, device } = this;
    const count = parameters.length;
    const table = args[count - 1]!;
    const at = table >>> 2;
    for (let i = 0; i < count - 1; i++) device.memory.words[at + i] = args[i]!;
    device.memory.words[at + count - 1] = table + this.areas;
    device.memory.words.set(words, at + count);
    device.team!.run(code.shared!, table, this.members);
  }

  private hold(ins: readonly WasmStorage[], heirs: readonly (number | null)[] | null): WasmStorage[] {
    try {
      if (heirs) return holdGiven(this.device.memory, ins, this.sizes, this.addresses, heirs);
      return this.device.memory.hold(ins, this.sizes, this.addresses);
    } catch (error) {
      throw atPeak(this.program, this.scratch, error);
    }
  }
}

/** A program of several steps. */
class CompiledProgram implements Executable {
  private readonly device: WasmDevice;
  private readonly program: Program;
  private readonly codeOf: () => Code;
  private readonly consts: readonly WasmStorage[];
  /** Bytes of the table of addresses, at the beginning of what lives while the program runs. */
  private readonly table: number;
  /** Bytes of each output. */
  private readonly outs: readonly number[];
  private readonly donation: Donation;

  constructor(device: WasmDevice, program: Program, codeOf: () => Code, consts: readonly Storage[]) {
    this.device = device;
    this.program = program;
    this.codeOf = codeOf;
    this.consts = consts as readonly WasmStorage[];
    this.table = aligned(4 * (program.ins.length + program.outs.length + 2));
    this.outs = program.outs.map(bytesOf);
    this.donation = new Donation(program, consts.length);
  }

  run(ins: readonly Storage[], donated?: readonly boolean[]): readonly Storage[] {
    const { device, consts, program } = this;
    const code = this.codeOf();
    const { memory } = device;
    const operands = (consts.length > 0 ? [...consts, ...ins] : ins) as readonly WasmStorage[];
    const addresses: number[] = [];
    const heirs = donated ? this.donation.heirs(operands, donated) : null;
    let made = this.hold(operands, code.scratch, addresses, heirs);
    let failed = true;
    try {
      const table = addresses.at(-1)!;
      const arena = table + this.table;
      addresses[addresses.length - 1] = arena;
      addresses.push(arena + program.arena);
      memory.words.set(addresses, table >>> 2);
      if (code.shared) device.team!.run(code.shared, table);
      else code.run(table, 0, 1, 0);
      failed = false;
    } finally {
      if (heirs) made = handOver(memory, operands, made, heirs, failed);
      else memory.letGo(operands, made);
    }
    memory.free(made.pop()!);
    return made;
  }

  private hold(
    operands: readonly WasmStorage[],
    scratch: number,
    addresses: number[],
    heirs: readonly (number | null)[] | null,
  ): WasmStorage[] {
    const { memory } = this.device;
    const room = this.program.arena + scratch;
    const sizes = [...this.outs, this.table + room];
    try {
      return heirs ? holdGiven(memory, operands, sizes, addresses, heirs) : memory.hold(operands, sizes, addresses);
    } catch (error) {
      throw atPeak(this.program, room, error);
    }
  }
}

/**
 * A device that compiles programs to WebAssembly SIMD. The default device is one with the default options.
 *
 * @throws CompileError where the engine compiles no WebAssembly with SIMD
 *
 * @example
 * ```ts
 * import { np, wasmDevice, withDefaultDevice } from 'pullback';
 * console.log(withDefaultDevice(wasmDevice(), () => np.sum(np.arange(10)).item())); // => 45
 * ```
 */
export const wasmDevice = (options: WasmOptions = {}): Device => new WasmDevice(options);
