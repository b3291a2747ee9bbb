/** A compiled program: commands that are encoded at every call, over the blocks that its slots are at that time. */

import type { Executable, Storage } from '../../src/core/backend.ts';
import type { Counter, Program } from '../loop/plan/program.ts';
import type { Block } from './blocks.ts';
import type { Gpu } from './gpu.ts';
import type { Command, Launch, Lowered, Region } from './lower.ts';
import type { Pipeline } from './pipelines.ts';
import type { Task } from './queue.ts';
import type { WebgpuStorage } from './storage.ts';

/** Turns of a `while` that are encoded before its condition is asked for: at first, and at most. */
const turnsAhead = { first: 4, most: 64 } as const;

interface Compiled {
  readonly pipeline: Pipeline;
  /** By the buffers that are bound. */
  readonly groups: Map<string, GPUBindGroup>;
}

/** Code of a program, for all that run it. */
export class ProgramCode {
  readonly program: Program;
  readonly lowered: Lowered;
  /** Compiled kernels and bind groups, for each launch. */
  private compiled: ReadonlyMap<Launch, Compiled> = new Map();
  /** What its gates need, made when it first runs. */
  private own: readonly Block[] | null = null;
  /** The generation of the kernels that it has. */
  private generation = -1;

  constructor(gpu: Gpu, program: Program, lowered: Lowered) {
    this.program = program;
    this.lowered = lowered;
    // They are compiled from now on.
    gpu.pipelines.ofAll(lowered.launches.map(({ source }) => source));
  }

  /** Waits until all its kernels are compiled, and none of them is forgotten meanwhile. */
  *ready({ connection, pipelines }: Gpu): Task {
    const { launches } = this.lowered;
    while (this.generation !== pipelines.generation) {
      const found = pipelines.ofAll(launches.map(({ source }) => source));
      const { generation } = pipelines;
      for (const pipeline of new Set(found)) yield* pipeline.ready(connection);
      const groupsOf = (launch: Launch): Compiled['groups'] => this.compiled.get(launch)?.groups ?? new Map();
      this.compiled = new Map(launches.map((launch, i) => [launch, { pipeline: found[i]!, groups: groupsOf(launch) }]));
      this.generation = generation;
    }
  }

  of(launch: Launch): Compiled {
    return this.compiled.get(launch)!;
  }

  ownBlocks(gpu: Gpu): readonly Block[] {
    const isGated = this.lowered.own.length > 1;
    this.own ??= isGated ? this.lowered.own.map((words) => gpu.gateBlock(words)) : [];
    return this.own;
  }
}

export class CompiledProgram implements Executable {
  private readonly gpu: Gpu;
  private readonly code: ProgramCode;
  private readonly consts: readonly WebgpuStorage[];

  constructor(gpu: Gpu, code: ProgramCode, consts: readonly WebgpuStorage[]) {
    this.gpu = gpu;
    this.code = code;
    this.consts = consts;
  }

  run(ins: readonly Storage[]): readonly Storage[] {
    const { gpu, code, consts } = this;
    gpu.connection.check();
    const { memory, queue } = gpu;
    const operands = [...consts, ...(ins as readonly WebgpuStorage[])];
    const outs = code.program.outs.map(({ size }) => memory.empty(4 * size));
    queue.run(this.task(operands, outs), (error) => {
      for (const { cell } of outs) cell.failure = error as Error;
    });
    return outs;
  }

  private *task(ins: readonly WebgpuStorage[], outs: readonly WebgpuStorage[]): Task {
    const { gpu, code } = this;
    const { memory } = gpu;
    const { program, lowered } = code;
    yield* code.ready(gpu);
    for (const { cell } of ins) memory.hold(cell);
    const table: Block[] = [];
    const inputs = ins.length;
    try {
      for (const x of ins) table.push(memory.use(x));
      for (const x of outs) table.push(memory.take(x.byteLength));
      for (const bytes of program.buffers) table.push(memory.take(bytes));
      table.push(lowered.room > 0 ? memory.take(lowered.room) : gpu.nothing);
      table.push(...code.ownBlocks(gpu));
      yield* new Encoder(gpu, code, table).encode(lowered.commands, null);
      outs.forEach((x, i) => {
        memory.fill(x, table[inputs + i]!);
      });
      table.splice(inputs, outs.length);
    } finally {
      const kept = new Set([gpu.nothing, ...code.ownBlocks(gpu)]);
      for (const block of table.slice(inputs)) if (!kept.has(block)) memory.give(block);
      for (const { cell } of ins) memory.letGo(cell);
    }
  }
}

/** Records the commands of one run. */
class Encoder {
  private readonly gpu: Gpu;
  private readonly code: ProgramCode;
  private readonly table: Block[];
  private readonly turns = new Map<Counter, number>();

  constructor(gpu: Gpu, code: ProgramCode, table: Block[]) {
    this.gpu = gpu;
    this.code = code;
    this.table = table;
  }

  *encode(commands: readonly Command[], region: Region | null): Task {
    for (const command of commands) {
      switch (command.kind) {
        case 'launch':
          this.launch(command, region);
          break;
        case 'move':
          if (region) for (const copy of command.copy) this.launch(copy, region);
          else this.swap(command.from, command.to);
          break;
        case 'repeat':
          yield* this.repeat(command, region);
          break;
        case 'while':
          yield* this.while(command, region);
          break;
        case 'branch':
          for (const { gate } of command.branches) this.launch(gate, null);
          for (const branch of command.branches) yield* this.encode(branch.body, branch.region);
          break;
      }
    }
  }

  private swap(from: number, to: number): void {
    const { table } = this;
    const block = table[from]!;
    table[from] = table[to]!;
    table[to] = block;
  }

  private *repeat({ counter, body }: Extract<Command, { kind: 'repeat' }>, region: Region | null): Task {
    const { length, reverse } = counter;
    for (let turn = 0; turn < length; turn++) {
      this.turns.set(counter, reverse ? length - 1 - turn : turn);
      yield* this.encode(body, region);
    }
  }

  /** Turns are encoded several at a time, and those after the last one do nothing. */
  private *while(command: Extract<Command, { kind: 'while' }>, outer: Region | null): Task {
    const { condition, body, gate, region } = command;
    yield* this.encode(condition, outer);
    this.launch(gate, null);
    for (let ahead: number = turnsAhead.first; ; ahead = Math.min(2 * ahead, turnsAhead.most)) {
      for (let turn = 0; turn < ahead; turn++) {
        yield* this.encode(body, region);
        yield* this.encode(condition, region);
        this.launch(gate, null);
      }
      const flag = this.gpu.queue.words({ block: this.table[region.gate]!, bytes: 4 });
      yield flag.wait;
      if (flag.value()[0] === 0) return;
      // Others may have run meanwhile.
      yield* this.code.ready(this.gpu);
    }
  }

  private launch(launch: Launch, region: Region | null): void {
    const { gpu, code, table, turns } = this;
    const { slots, counters, workgroups } = launch;
    const at =
      counters.length === 0
        ? null
        : gpu.counters.at(
            counters.map((x) => turns.get(x)!),
            counters.map((x) => x.length),
          );
    const { pipeline, groups: kept } = code.of(launch);
    let key = '';
    for (const slot of slots) {
      const block = table[slot]!;
      block.batch = gpu.queue.batch;
      key += `${block.id},`;
    }
    const operands = gpu.pipelines.group(kept, key, pipeline.layout, () => slots.map((slot) => table[slot]!.buffer));
    const groups = region
      ? { buffer: table[region.gate]!.buffer, offset: 4 + 12 * region.number.get(launch)! }
      : { x: workgroups[0], y: workgroups[1] };
    gpu.queue.dispatch({ pipeline: pipeline.compiled, operands, counters: at, groups });
  }
}
