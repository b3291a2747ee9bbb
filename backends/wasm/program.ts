/**
 * A planned program as one WebAssembly module: its kernels are functions, equal ones one function, and `run` calls them in order.
 *
 * `run` takes the address of a table of addresses: the inputs, the outputs, the arena, the scratch areas of all threads; and, if there is a
 * team of threads, which of them this is, how many there are, and the ticket before the program's first (`team/protocol.ts`).
 */

import type { Kernel } from '../loop/ir/kernel.ts';
import { kernelKey } from '../loop/key.ts';
import { linesOf, type Program, type Step, stepsOf } from '../loop/plan/program.ts';
import { aligned } from './blocks.ts';
import { sequence } from './code/control.ts';
import { type Code, call, get, i32, select, set } from './code/instructions.ts';
import { type Func, Module } from './code/module.ts';
import { emitConv } from './conv/conv.ts';
import type { ConvBlock } from './conv/shape.ts';
import { callsOf, type EmitOptions, emitKernel, partitionOf, scratchBytes } from './emit/kernel.ts';
import type { Element } from './gemm/arithmetic.ts';
import { emitContraction } from './gemm/gemm.ts';
import { argumentNames, emitGeneric } from './gemm/generic.ts';
import type { Product } from './gemm/outer.ts';
import { type Block, parametersOf } from './gemm/plan.ts';
import { emitMember, type ProductStep, Sequencer, type Sharing } from './sequencer.ts';
import { shared } from './team/protocol.ts';
import { programTime, type Shares } from './team/share.ts';

/** What a module is made for: the memory it imports, and how kernels are emitted. */
export interface Target {
  readonly memory: { readonly shared: boolean; readonly maximum: number };
  readonly options: Omit<EmitOptions, 'calls'>;
  /** The threads that may run it together, and from what on; `null` for one thread. */
  readonly team: Sharing | null;
}

export interface Assembled {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Functions of the host that the module imports. */
  readonly imports: readonly string[];
  /** Bytes of the scratch areas of all threads, and of what they share. */
  readonly scratch: number;
  /** Threads that may share it; 1 if nothing is worth it. */
  readonly threads: number;
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

/**
 * A module of one kernel, exported as `run` with the kernel's own parameters; with a team also as `share`, with the parameters of a program,
 * which finds them in its table: the address of each operand, of the scratch areas, each size, bytes of an area, {@link divisionWords}.
 */
export function assembleKernel(kernel: Kernel, target: Target): Assembled {
  const { module, options, imports } = moduleFor([kernel], target);
  const run = emitKernel(module, kernel, options);
  module.export('run', run);
  const team = partitionOf(kernel) && imports.length === 0 ? target.team : null;
  if (team) shareKernel(module, kernel, run, team);
  return { bytes: module.encode(), imports, scratch: 0, threads: team?.threads ?? 1 };
}

/** What the table of a shared kernel ends with, after the bytes of a thread's scratch area: turns, chunks, turns of a chunk, turns to spin. */
export const divisionWords = ({ turns, chunks, grain, spins }: Shares): readonly number[] => [
  ...[turns, chunks, grain, spins],
];

function shareKernel(module: Module, kernel: Kernel, run: Func, team: Sharing): void {
  const own = emitMember(module, 'share', team);
  const { func } = own;
  const count = kernel.operands.length + 1 + kernel.sizes;
  const words = Array.from({ length: count + 5 }, (_, i) => ({ local: func.local('i32'), at: 4 * i }));
  const value = (i: number): Code => get(words[i]!.local);
  const [stride, turns, chunks, grain, spins] = [0, 1, 2, 3, 4].map((i) => value(count + i)) as [
    Code,
    Code,
    Code,
    Code,
    Code,
  ];
  const scratch = words[kernel.operands.length]!.local;
  const args = Array.from({ length: count }, (_, i) => value(i));
  func.body(
    sequence(
      ...words.map(({ local, at }) => set(local, i32.load(get(0), at))),
      set(scratch, i32.add(get(scratch), i32.mul(get(own.thread), stride))),
      own.begin,
      shared(func, own, { turns, chunks, grain, spins }, (from, to) => call(run.index, ...args, from, to)),
      own.end,
    ),
  );
}

/**
 * A module of products of matrices of any size, exported as `run`; with a team also as `share`, whose table has the arguments, then bytes of a
 * thread's scratch area, whether columns are divided and not rows, and the division as in {@link divisionWords}.
 */
export function assembleProduct(dtype: Element, target: Target): Assembled {
  const { module, imports } = moduleFor([], target);
  const run = emitGeneric(module, dtype, target.options.relaxed);
  module.export('run', run);
  if (target.team) shareProduct(module, run, target.team);
  return { bytes: module.encode(), imports, scratch: 0, threads: target.team?.threads ?? 1 };
}

function shareProduct(module: Module, run: Func, team: Sharing): void {
  const own = emitMember(module, 'share', team);
  const { func } = own;
  const count = argumentNames.length;
  const words = Array.from({ length: count + 6 }, (_, i) => ({ local: func.local('i32'), at: 4 * i }));
  const value = (i: number): Code => get(words[i]!.local);
  const of = (name: (typeof argumentNames)[number]): Code => value(argumentNames.indexOf(name));
  const [stride, columns, turns, chunks, grain, spins] = [0, 1, 2, 3, 4, 5].map((i) => value(count + i)) as [
    ...[Code, Code, Code, Code, Code, Code],
  ];
  const moved = (name: 'a' | 'b' | 'c', from: Code, by: Code): Code => i32.add(of(name), i32.mul(from, by));
  const part = (from: Code, to: Code): Code => {
    const size = i32.sub(to, from);
    const changed: Partial<Record<(typeof argumentNames)[number], Code>> = {
      a: select(of('a'), moved('a', from, of('rowA')), columns),
      b: select(moved('b', from, of('columnB')), of('b'), columns),
      c: moved('c', from, select(of('columnC'), of('rowC'), columns)),
      scratch: i32.add(of('scratch'), i32.mul(get(own.thread), stride)),
      m: select(of('m'), size, columns),
      n: select(size, of('n'), columns),
    };
    return call(run.index, ...argumentNames.map((name) => changed[name] ?? of(name)));
  };
  func.body(
    sequence(
      ...words.map(({ local, at }) => set(local, i32.load(get(0), at))),
      own.begin,
      shared(func, own, { turns, chunks, grain, spins }, part),
      own.end,
    ),
  );
}

const isProduct = (step: Step): step is ProductStep => step.kind === 'contract' || step.kind === 'convolve';

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
  together: boolean,
  functionOf: (kernel: Kernel) => Func,
): Product {
  const tile = step.epilogue?.tile;
  const operands = tile ? tile.kernel.operands.length : 0;
  const own = parametersOf(null, together && step.kind === 'contract').length;
  const run = (...rest: readonly Code[]): Code =>
    call(functionOf(tile!.kernel).index, ...Array.from({ length: operands }, (_, i) => get(own + i)), ...rest);
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
  return emitContraction(module, { ...step.contraction, relaxed, epilogue, wholeRows: false, together });
}

/** @param marked - whether `env.mark` is called after each step, with its number in the order of {@link stepsOf} */
export function assembleProgram(program: Program, target: Target, marked = false): Assembled {
  const kernels = stepsOf(program.steps).flatMap(kernelIn);
  const { module, options, imports } = moduleFor(kernels, target, marked);
  // What calls the host runs on the host's thread.
  const worth = target.team !== null && programTime(program.steps) >= target.team.limits.program;
  const team = marked || imports.length > 0 || !worth ? null : target.team;
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
      found = emitProduct(module, step, target.options.relaxed, team !== null, functionOf);
      products.set(key, found);
    }
    return found;
  };
  const member = team && emitMember(module, 'run', team);
  const run = member?.func ?? module.func(['i32'], [], 'run');
  const own = stepsOf(program.steps).filter(isProduct).map(productOf);
  const areas = [...kernels.map((kernel) => scratchBytes(kernel, [])), ...own.map((x) => x.scratchBytes)];
  const area = aligned(Math.max(0, ...areas));
  const packed = aligned(Math.max(0, ...own.map(({ packing }) => packing?.bytes ?? 0)));
  // Of threads that all need much room there are fewer.
  const most = area === 0 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor((target.memory.maximum * 8192) / area));
  const threads = member && team ? { ...team, threads: Math.min(team.threads, most), member } : null;
  const sequencer = new Sequencer({ func: run, program, functionOf, productOf, marked, team: threads, area });
  run.body(sequencer.code());
  const scratch = area * (threads?.threads ?? 1) + packed;
  return { bytes: module.encode(), imports, scratch, threads: sequencer.shares ? threads!.threads : 1 };
}
