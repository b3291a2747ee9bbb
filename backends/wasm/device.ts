/** The WebAssembly device: programs are fused, planned and compiled to SIMD code that runs on one linear memory. */

import { type Aval, showAval } from '../../src/core/aval.ts';
import type { Device, Executable, Storage } from '../../src/core/backend.ts';
import { type TypedArray, viewOf } from '../../src/core/dtype.ts';
import { CompileError, DeviceMemoryError } from '../../src/core/errors.ts';
import type { Inspection } from '../../src/core/inspection.ts';
import { constsAsInputs, type Jaxpr } from '../../src/core/jaxpr.ts';
import type { Value } from '../../src/core/value.ts';
import { optimize } from '../../transforms/passes/index.ts';
import { decompose } from '../loop/decompose/program.ts';
import { generalized } from '../loop/generalize.ts';
import { kernelKey } from '../loop/key.ts';
import { decomposedNames } from '../loop/lower/table.ts';
import { bytesOf, plan } from '../loop/plan/plan.ts';
import type { StepClock } from '../loop/plan/profile.ts';
import type { Place, Program, Step } from '../loop/plan/program.ts';
import { hostFunctions } from '../loop/scalar.ts';
import { EagerProduct, isNarrow, RecentCode, type Run, soleProduct } from './eager.ts';
import { isPartitioned, scratchBytes } from './emit/kernel.ts';
import { Constants } from './emit/pool.ts';
import { hasRelaxedSimd, requireSimd } from './engine.ts';
import type { Element } from './gemm/arithmetic.ts';
import { PlannedInspection } from './inspect.ts';
import { LinearMemory, type MemoryOptions, type WasmStorage } from './memory.ts';
import { type Assembled, assembleKernel, assembleProduct, assembleProgram, type Target, turnsOf } from './program.ts';
import { webAssembly } from './webassembly.ts';

export interface WasmOptions extends MemoryOptions {
  /** Use relaxed SIMD where the engine has it: faster, and rounded as the machine likes. Default true. */
  readonly relaxed?: boolean;
}

/** Buffers of one kernel: each is a parameter of a function. */
const limits = { buffers: 48 };
const constantBytes = 1 << 16;

/** Instantiated code, and what it needs to write to besides its operands. */
interface ProgramCode {
  readonly run: Run;
  readonly scratch: number;
}

type KernelStep = Step & { readonly kind: 'kernel' };

/** The program as this device plans it, with the constants that its decompositions need: its first inputs. */
function planned(jaxpr: Jaxpr, products = true) {
  const { jaxpr: decomposed, consts } = decompose(optimize(jaxpr), decomposedNames);
  const simple = optimize(constsAsInputs(decomposed));
  return { simple, program: plan(simple, { ...limits, products }), consts };
}

/** The step of a program that is one kernel, which is compiled for all sizes; `null` for other programs. */
function soleKernel({ steps }: Program, consts: readonly Value[]): KernelStep | null {
  const [only] = steps;
  return steps.length === 1 && only?.kind === 'kernel' && consts.length === 0 ? only : null;
}

/** An operation that is applied by itself, to operands of any sizes, where a program is compiled for its own. */
const isEager = ({ eqns }: Jaxpr): boolean => eqns.length === 1 && !eqns[0]!.primitive.higherOrder;

/** What kernels call `rem`. */
const remainder = (x: number, y: number): number => x % y;

const isShared = (buffer: object): boolean =>
  typeof SharedArrayBuffer !== 'undefined' && buffer instanceof SharedArrayBuffer;

class WasmDevice implements Device {
  readonly name = 'wasm';
  readonly memory: LinearMemory;
  private readonly relaxed: boolean;
  private constants: Constants;
  /** Kernels of eager operations, compiled for all sizes. */
  private readonly kernels = new Map<string, Run>();
  /** Code of eager operations that is made for their shapes. */
  private readonly shaped = new RecentCode<ProgramCode>();
  /** Addresses of a running program. */
  private table = 0;
  private entries = 0;
  private scratch = 0;
  private scratchBytes = 0;

  constructor(options: WasmOptions) {
    requireSimd();
    this.memory = new LinearMemory(options);
    this.relaxed = (options.relaxed ?? true) && hasRelaxedSimd();
    this.constants = new Constants(this.memory.reserve(constantBytes));
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
    const { program, consts } = planned(jaxpr);
    const only = soleKernel(program, consts);
    if (only) return this.single(program, only);
    const make = (): ProgramCode => this.instantiate(assembleProgram(program, this.target()));
    if (!isEager(jaxpr)) {
      const code = make();
      return new CompiledProgram(this, program, () => code, this.own(consts));
    }
    const product = consts.length === 0 ? soleProduct(program) : null;
    if (product && isNarrow(product.contraction)) {
      const { program: loops } = planned(jaxpr, false);
      const nest = soleKernel(loops, []);
      if (nest) return this.single(loops, nest);
    }
    if (product) {
      return new EagerProduct(this, program, product, this.productOf(product.contraction.dtype));
    }
    const shape = {};
    return new CompiledProgram(this, program, () => this.shaped.of(shape, make), this.own(consts));
  }

  /** Products of matrices of any size. */
  private productOf(dtype: Element): Run {
    const key = `product ${dtype}`;
    let run = this.kernels.get(key);
    if (!run) {
      run = this.instantiate(assembleProduct(dtype, this.target())).run;
      this.kernels.set(key, run);
    }
    return run;
  }

  /** Made of the program again: what runs keeps nothing that only people ask for. */
  inspect(jaxpr: Jaxpr): Inspection {
    const { simple, program, consts } = planned(jaxpr);
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
        const code = this.instantiate(assemble(true), clock);
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
    const { memory, options } = this.target();
    return { memory, options: { ...options, constants: new Constants(this.constants.base) } };
  }

  /** An eager operation, mostly: its kernel is compiled once for all sizes. */
  private single(program: Program, step: KernelStep, clock: StepClock | null = null): Executable {
    const { kernel, sizes } = generalized(step.kernel);
    const key = kernelKey(kernel);
    let run = this.kernels.get(key);
    if (!run) {
      run = this.instantiate(assembleKernel(kernel, this.target())).run;
      this.kernels.set(key, run);
    }
    const timed: Run = (...args) => {
      clock?.start();
      run!(...args);
      clock?.mark(0);
    };
    const scratch = scratchBytes(kernel, sizes);
    const turns = isPartitioned(kernel) ? [0, turnsOf(step.kernel)] : [];
    return new CompiledKernel(this, program, step.places, clock ? timed : run, [
      this.scratchOf(scratch),
      ...sizes,
      ...turns,
    ]);
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
    };
  }

  private instantiate({ bytes, imports, scratch }: Assembled, clock?: StepClock): ProgramCode {
    const { constants } = this;
    const words = constants.contents();
    // Pools do not shrink; the code made so far keeps its own.
    if (words.byteLength > constantBytes / 2) this.constants = new Constants(this.memory.reserve(constantBytes));
    if (words.byteLength > constantBytes) {
      throw new CompileError({
        op: 'wasm',
        problem: `a program has more constants than fit into ${constantBytes} bytes`,
        remedy: 'pass them as a tensor, or split the program',
      });
    }
    this.memory.words.set(words, constants.base >> 2);
    const env: Record<string, unknown> = { memory: this.memory.memory, ...(clock ? { mark: clock.mark } : {}) };
    for (const name of imports) env[name] = name === 'rem' ? remainder : hostFunctions[name]!.of;
    const { exports } = new webAssembly.Instance(new webAssembly.Module(bytes), { env });
    return { run: exports.run as Run, scratch };
  }

  /** The address of a table of so many words, which is the caller's until the next call. */
  tableOf(words: number): number {
    if (words > this.entries) {
      this.entries = Math.max(words, 2 * this.entries, 64);
      this.table = this.memory.reserve(this.entries * 4);
    }
    return this.table;
  }

  /** The address of so many bytes, which are the caller's until the next call. */
  scratchOf(bytes: number): number {
    if (bytes > this.scratchBytes) {
      this.scratchBytes = Math.max(bytes, 2 * this.scratchBytes);
      this.scratch = this.memory.reserve(this.scratchBytes);
    }
    return this.scratch;
  }
}

/** One kernel on inputs and outputs: what eager operations are. */
class CompiledKernel implements Executable {
  private readonly device: WasmDevice;
  private readonly outs: readonly number[];
  /** Which parameter each input and output is. */
  private readonly places: readonly Place[];
  private readonly kernel: Run;
  private readonly args: number[];
  private readonly pinned: number[];
  private readonly results: number[];

  constructor(device: WasmDevice, program: Program, places: readonly Place[], kernel: Run, rest: readonly number[]) {
    this.device = device;
    this.outs = program.outs.map(bytesOf);
    this.places = places;
    this.kernel = kernel;
    this.args = [...places.map(() => 0), ...rest];
    this.pinned = new Array<number>(program.ins.length).fill(0);
    this.results = new Array<number>(program.outs.length).fill(0);
  }

  run(ins: readonly Storage[]): readonly Storage[] {
    const { memory } = this.device;
    const { outs, places, args, pinned, results } = this;
    const made = new Array<WasmStorage>(outs.length);
    let [taken, given] = [0, 0];
    try {
      for (; taken < pinned.length; taken++) pinned[taken] = memory.pin(ins[taken] as WasmStorage);
      for (; given < made.length; given++) {
        made[given] = memory.allocate(outs[given]!);
        results[given] = memory.pin(made[given]!);
      }
      for (let i = 0; i < places.length; i++) {
        const { base, position } = places[i]!;
        args[i] = base === 'input' ? pinned[position]! : results[position]!;
      }
      this.kernel(...args);
    } finally {
      for (let i = 0; i < taken; i++) memory.unpin(ins[i] as WasmStorage);
      for (let i = 0; i < given; i++) memory.unpin(made[i]!);
    }
    return made;
  }
}

/** A program of several steps. */
class CompiledProgram implements Executable {
  private readonly device: WasmDevice;
  private readonly outs: readonly number[];
  private readonly arena: number;
  private readonly codeOf: () => ProgramCode;
  private readonly consts: readonly Storage[];
  private readonly program: Program;

  constructor(device: WasmDevice, program: Program, codeOf: () => ProgramCode, consts: readonly Storage[]) {
    this.device = device;
    this.outs = program.outs.map(bytesOf);
    this.program = program;
    this.arena = program.arena;
    this.codeOf = codeOf;
    this.consts = consts;
  }

  run(ins: readonly Storage[]): readonly Storage[] {
    const { device, outs } = this;
    const code = this.codeOf();
    const { memory } = device;
    const held: WasmStorage[] = [];
    const addresses: number[] = [];
    const hold = (storage: WasmStorage): WasmStorage => {
      addresses.push(memory.pin(storage));
      held.push(storage);
      return storage;
    };
    let arena: WasmStorage | null = null;
    try {
      for (const storage of this.consts) hold(storage as WasmStorage);
      for (const storage of ins) hold(storage as WasmStorage);
      const made = outs.map((bytes) => hold(memory.allocate(bytes)));
      arena = hold(this.room(code.scratch));
      addresses.push(addresses.at(-1)! + this.arena);
      const table = device.tableOf(addresses.length);
      memory.words.set(addresses, table >> 2);
      code.run(table);
      return made;
    } finally {
      for (const storage of held) memory.unpin(storage);
      if (arena) memory.free(arena);
    }
  }

  /** Memory for what lives while the program runs. @throws DeviceMemoryError naming its peak and its largest values */
  private room(scratch: number): WasmStorage {
    try {
      return this.device.memory.allocate(this.arena + scratch);
    } catch (error) {
      if (!(error instanceof DeviceMemoryError)) throw error;
      const { largest, outs, ins } = this.program;
      const total = [...ins, ...outs].reduce((sum, aval) => sum + bytesOf(aval), this.arena + scratch);
      const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
      throw new DeviceMemoryError({
        op: 'wasm',
        problem:
          `a program needs ${mebibytes(total)} at its peak, ${mebibytes(this.arena)} of them between its operands and results; ` +
          `the largest values: ${largest.map(showAval).join(', ')}; ${error.problem}`,
        remedy: 'give the device a larger budget, compute in smaller pieces, or recompute with checkpoint',
      });
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
