/**
 * A planned program as one WebAssembly module: its kernels are functions, equal ones one function, and `run` calls them in order.
 *
 * `run` takes the address of a table of addresses: the inputs, the outputs, the arena, the scratch area.
 */

import type { Kernel } from '../loop/ir/kernel.ts';
import { kernelKey } from '../loop/key.ts';
import { type Counter, linesOf, type Place, type Program, type Step, stepsOf } from '../loop/plan/program.ts';
import { countUp, doWhile, memoryCopy, sequence, when } from './code/control.ts';
import { type Code, call, get, i32, select, set } from './code/instructions.ts';
import { type Func, Module } from './code/module.ts';
import { emitConv } from './conv/conv.ts';
import type { ConvBlock } from './conv/shape.ts';
import { callsOf, type EmitOptions, emitKernel, isPartitioned, scratchBytes } from './emit/kernel.ts';
import type { Element } from './gemm/arithmetic.ts';
import { emitContraction } from './gemm/gemm.ts';
import { emitGeneric } from './gemm/generic.ts';
import type { Product } from './gemm/outer.ts';
import type { Block } from './gemm/plan.ts';

/** A product of matrices, or a convolution. */
type ProductStep = Step & { readonly kind: 'contract' | 'convolve' };

/** What a module is made for: the memory it imports, and how kernels are emitted. */
export interface Target {
  readonly memory: { readonly shared: boolean; readonly maximum: number };
  readonly options: Omit<EmitOptions, 'calls'>;
}

export interface Assembled {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Functions of the host that the module imports. */
  readonly imports: readonly string[];
  readonly scratch: number;
}

/** A module under construction that imports what these kernels call. */
function moduleFor(kernels: readonly Kernel[], target: Target, marked = false) {
  const module = new Module(target.memory);
  if (marked) module.import('mark', ['i32'], []);
  const numbers = new Map<string, number>();
  for (const { name, arity } of kernels.flatMap(callsOf)) {
    if (!numbers.has(name)) numbers.set(name, module.import(name, new Array<'f64'>(arity).fill('f64'), ['f64']));
  }
  const options: EmitOptions = { ...target.options, calls: (name) => numbers.get(name)! };
  return { module, options, imports: [...numbers.keys()] };
}

/** A module of one kernel, exported as `run` with the kernel's own parameters. */
export function assembleKernel(kernel: Kernel, target: Target): Assembled {
  const { module, options, imports } = moduleFor([kernel], target);
  module.export('run', emitKernel(module, kernel, options));
  return { bytes: module.encode(), imports, scratch: 0 };
}

/** A module of products of matrices of any size, exported as `run`. */
export function assembleProduct(dtype: Element, target: Target): Assembled {
  const { module, imports } = moduleFor([], target);
  module.export('run', emitGeneric(module, dtype, target.options.relaxed));
  return { bytes: module.encode(), imports, scratch: 0 };
}

/** The kernel that a step calls, or that of its parts. */
function kernelIn(step: Step): readonly Kernel[] {
  if (step.kind === 'kernel') return [step.kernel];
  return 'epilogue' in step && step.epilogue ? [step.epilogue.tile.kernel] : [];
}

/** A product, which calls its epilogue on each part that is there. Addresses of the epilogue's operands are parameters after its own. */
function emitProduct(
  module: Module,
  step: ProductStep,
  relaxed: boolean,
  functionOf: (kernel: Kernel) => Func,
): Product {
  const tile = step.epilogue?.tile;
  const operands = tile ? tile.kernel.operands.length : 0;
  const run = (...rest: readonly Code[]): Code =>
    call(functionOf(tile!.kernel).index, ...Array.from({ length: operands }, (_, i) => get(6 + i)), ...rest);
  const nowhere = i32.const(0);
  if (step.kind === 'convolve') {
    const epilogue = tile && {
      operands,
      code: ({ imageFrom, imageTo }: ConvBlock) => run(nowhere, imageFrom, imageTo),
    };
    return emitConv(module, { ...step.convolution, relaxed, epilogue: epilogue ?? null });
  }
  const part = ({ batch, rowFrom, rowTo, columnFrom, columnTo }: Block): Code => {
    const { lines } = linesOf(step.contraction, tile!);
    const ranges = [
      [rowFrom, rowTo],
      [columnFrom, columnTo],
    ] as const;
    const [[from, to], [first, end]] = tile!.across ? [ranges[1], ranges[0]] : ranges;
    const line = (x: Code): Code => i32.add(i32.mul(batch, i32.const(lines)), x);
    return run(nowhere, first, i32.sub(end, first), line(from), line(to));
  };
  const epilogue = tile ? { operands, code: part } : null;
  return emitContraction(module, { ...step.contraction, relaxed, epilogue, wholeRows: false });
}

/** The number of turns of the loop that is partitioned. */
export const turnsOf = ({ body }: Kernel): number => {
  const [first] = body;
  if (first?.kind !== 'loop' || first.index.extent.op !== 'const') throw new Error('a loop of a known length');
  return first.index.extent.value;
};

/** @param marked - whether `env.mark` is called after each step, with its number in the order of {@link stepsOf} */
export function assembleProgram(program: Program, target: Target, marked = false): Assembled {
  const kernels = stepsOf(program.steps).flatMap(kernelIn);
  const { module, options, imports } = moduleFor(kernels, target, marked);
  const functions = new Map<string, Func>();
  const functionOf = (kernel: Kernel): Func => {
    const key = kernelKey(kernel);
    let found = functions.get(key);
    if (!found) {
      found = emitKernel(module, kernel, options);
      functions.set(key, found);
    }
    return found;
  };
  for (const kernel of kernels) functionOf(kernel);
  const products = new Map<string, Product>();
  const productOf = (step: ProductStep): Product => {
    const tile = step.epilogue?.tile;
    const shape = JSON.stringify(step.kind === 'contract' ? step.contraction : step.convolution);
    const key = tile ? `${shape} ${tile.across} ${kernelKey(tile.kernel)}` : shape;
    let found = products.get(key);
    if (!found) {
      found = emitProduct(module, step, target.options.relaxed, functionOf);
      products.set(key, found);
    }
    return found;
  };
  const run = module.func(['i32'], [], 'run');
  run.body(new Sequencer(run, program, functionOf, productOf, marked).code());
  const scratch = Math.max(
    0,
    ...kernels.map((kernel) => scratchBytes(kernel, [])),
    ...[...products.values()].map((x) => x.scratchBytes),
  );
  return { bytes: module.encode(), imports, scratch };
}

/** Writes the calls of a program. */
class Sequencer {
  private readonly func: Func;
  private readonly program: Program;
  private readonly functionOf: (kernel: Kernel) => Func;
  private readonly productOf: (step: ProductStep) => Product;
  private readonly marked: boolean;
  private count = 0;
  /** Locals that hold addresses, by their entry in the table. */
  private readonly bases = new Map<number, number>();
  private readonly counters = new Map<Counter, Code>();

  constructor(
    func: Func,
    program: Program,
    functionOf: (kernel: Kernel) => Func,
    productOf: (step: ProductStep) => Product,
    marked: boolean,
  ) {
    this.marked = marked;
    this.productOf = productOf;
    this.func = func;
    this.program = program;
    this.functionOf = functionOf;
  }

  code(): Code {
    const body = this.steps(this.program.steps);
    const loads = [...this.bases].map(([entry, local]) => set(local, i32.load(get(0), entry * 4)));
    return sequence(...loads, body);
  }

  private base(entry: number): Code {
    let local = this.bases.get(entry);
    if (local === undefined) {
      local = this.func.local('i32');
      this.bases.set(entry, local);
    }
    return get(local);
  }

  private address({ base, position, offset, steps }: Place): Code {
    const { ins, outs } = this.program;
    const entry = base === 'input' ? position : base === 'output' ? ins.length + position : ins.length + outs.length;
    let code = this.base(entry);
    if (offset !== 0) code = i32.add(code, i32.const(offset));
    for (const { counter, bytes } of steps) {
      code = i32.add(code, i32.mul(this.counters.get(counter)!, i32.const(bytes)));
    }
    return code;
  }

  private steps(steps: readonly Step[]): Code {
    if (!this.marked) return sequence(...steps.map((step) => this.step(step)));
    return sequence(
      ...steps.flatMap((step) => {
        const number = this.count++;
        return [this.step(step), call(0, i32.const(number))];
      }),
    );
  }

  private step(step: Step): Code {
    switch (step.kind) {
      case 'kernel': {
        const { kernel, places } = step;
        const { ins, outs } = this.program;
        const scratch = this.base(ins.length + outs.length + 1);
        const turns = isPartitioned(kernel) ? [i32.const(0), i32.const(turnsOf(kernel))] : [];
        const addresses = places.map((place) => this.address(place));
        return call(this.functionOf(kernel).index, ...addresses, scratch, ...turns);
      }
      case 'contract':
      case 'convolve': {
        const { func, blocks } = this.productOf(step);
        const { ins, outs } = this.program;
        const scratch = this.base(ins.length + outs.length + 1);
        const operands = [step.a, step.b, step.c].map((place) => this.address(place));
        const beside = (step.epilogue?.tile.places ?? []).map((place) => this.address(place));
        return call(func.index, ...operands, scratch, i32.const(0), i32.const(blocks), ...beside);
      }
      case 'copy':
        return memoryCopy(this.address(step.to), this.address(step.from), i32.const(step.bytes));
      case 'repeat': {
        const { counter, body } = step;
        const turn = this.func.local('i32');
        this.counters.set(counter, counter.reverse ? i32.sub(i32.const(counter.length - 1), get(turn)) : get(turn));
        return countUp(turn, i32.const(0), i32.const(counter.length), 1, this.steps(body));
      }
      case 'while': {
        const condition = this.steps(step.condition);
        const flag = i32.load8U(this.address(step.flag));
        return sequence(condition, when(flag, doWhile(sequence(this.steps(step.body), condition), flag)));
      }
      case 'branch': {
        const chosen = this.func.local('i32');
        const last = step.branches.length - 1;
        const index = i32.load(this.address(step.index));
        // Unsigned, a negative index is a large one: told apart first.
        const clamped = select(
          i32.const(0),
          select(i32.const(last), index, i32.gtS(index, i32.const(last))),
          i32.ltS(index, i32.const(0)),
        );
        const branches = step.branches.map((branch) => this.steps(branch));
        const from = (i: number): Code =>
          i === last ? branches[i]! : when(i32.eq(get(chosen), i32.const(i)), branches[i]!, from(i + 1));
        return sequence(set(chosen, clamped), from(0));
      }
    }
  }
}
