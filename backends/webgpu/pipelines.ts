/** Compiled kernels, by their text: each is compiled once, while the host does something else, and waited for when it is first needed. */

import { CompileError } from '../../src/core/errors.ts';
import { unknownSource } from '../../src/core/source.ts';
import type { Connection } from './connection.ts';
import type { Queue, Task } from './queue.ts';

/** How a kernel binds a buffer. */
export type Access = 'read' | 'read_write';

/** A kernel's text, and what it binds: buffers in group 0, counters of loops in group 1. */
export interface Source {
  readonly name: string;
  readonly code: string;
  readonly entry: string;
  readonly access: readonly Access[];
  readonly counters: number;
}

export class Pipeline {
  readonly source: Source;
  readonly layout: GPUBindGroupLayout;
  private module: GPUShaderModule | null;
  private promise: Promise<GPUComputePipeline> | null;
  private found: GPUComputePipeline | null = null;

  constructor(
    source: Source,
    layout: GPUBindGroupLayout,
    module: GPUShaderModule,
    promise: Promise<GPUComputePipeline>,
  ) {
    this.source = source;
    this.layout = layout;
    this.module = module;
    this.promise = promise;
  }

  /** The compiled kernel, after {@link ready}. */
  get compiled(): GPUComputePipeline {
    return this.found!;
  }

  /** It is forgotten: the driver's part of it is let go, and who needs it asks for it anew. */
  release(): void {
    this.module = null;
    this.promise = null;
    this.found = null;
  }

  /** Waits for it, unless it is forgotten. @throws CompileError with the line that the compiler refuses */
  *ready({ sync }: Connection): Task {
    if (this.found || !this.promise) return;
    try {
      this.found = (yield { promise: this.promise }) as GPUComputePipeline;
    } catch (error) {
      const ask = (): Promise<GPUCompilationInfo> => this.module!.getCompilationInfo();
      const info = (yield { promise: sync?.start(ask) ?? ask() }) as GPUCompilationInfo;
      throw refused(this.source, info, (error as Error).message);
    }
  }
}

function refused({ name, code }: Source, { messages }: GPUCompilationInfo, otherwise: string): CompileError {
  const lines = code.split('\n');
  const first = messages.find(({ type }) => type === 'error');
  const said = first
    ? `line ${first.lineNum}: ${first.message}\n    ${(lines[first.lineNum - 1] ?? '').trim()}`
    : otherwise.split('\n')[0]!;
  return new CompileError({
    op: `webgpu kernel ${name}`,
    problem: `the GPU's compiler refuses it: ${said}`,
    remedy: 'this is a bug in the compiler; please report it',
    source: unknownSource,
  });
}

/** Kernels that are kept, and at least twice as many as the largest program has: drivers take up to a megabyte for each. */
const keptPipelines = 768;

/** Bind groups that are kept for one kernel of one program. */
const keptGroups = 64;

export class Pipelines {
  private readonly connection: Connection;
  private readonly byText = new Map<string, Pipeline>();
  private readonly modules = new Map<string, GPUShaderModule>();
  private readonly operandLayouts = new Map<string, GPUBindGroupLayout>();
  private readonly counterLayouts = new Map<number, GPUBindGroupLayout>();
  /** Pipelines and bind groups made so far. */
  readonly counts = { pipelines: 0, groups: 0 };

  constructor(connection: Connection) {
    this.connection = connection;
  }

  /** Changes when kernels were forgotten, of which programs that have them must ask anew. */
  generation = 0;
  private largest = 0;

  /** The kernels of a program, whose compilation begins now if they are new. */
  ofAll(sources: readonly Source[]): readonly Pipeline[] {
    this.largest = Math.max(this.largest, sources.length);
    return sources.map((source) => this.of(source));
  }

  private of(source: Source): Pipeline {
    const { access, entry, code, counters } = source;
    const key = `${access.join()} ${counters} ${entry}\n${code}`;
    const found = this.byText.get(key) ?? this.begin(source);
    this.byText.delete(key);
    this.byText.set(key, found);
    if (this.byText.size > Math.max(keptPipelines, 2 * this.largest)) this.forget();
    return found;
  }

  /** Forget what was asked for longest ago. */
  private forget(): void {
    const [key, pipeline] = this.byText.entries().next().value!;
    this.byText.delete(key);
    this.modules.delete(pipeline.source.code);
    pipeline.release();
    this.generation += 1;
  }

  private begin(source: Source): Pipeline {
    const { device, sync } = this.connection;
    const { access, counters, entry, code, name } = source;
    const layout = this.operandLayout(access);
    const bindGroupLayouts = counters > 0 ? [layout, this.counterLayout(counters)] : [layout];
    const module = this.module(code, name);
    const make = (): Promise<GPUComputePipeline> =>
      device.createComputePipelineAsync({
        label: name,
        layout: device.createPipelineLayout({ bindGroupLayouts }),
        compute: { module, entryPoint: entry },
      });
    const promise = sync?.start(make) ?? make();
    promise.catch(() => undefined);
    this.counts.pipelines += 1;
    return new Pipeline(source, layout, module, promise);
  }

  private module(code: string, label: string): GPUShaderModule {
    let module = this.modules.get(code);
    if (!module) {
      const { device, sync } = this.connection;
      // What is wrong with it the pipeline says.
      device.pushErrorScope('validation');
      module = device.createShaderModule({ code, label });
      const pop = (): Promise<GPUError | null> => device.popErrorScope();
      void (sync?.start(pop) ?? pop()).catch(() => undefined);
      this.modules.set(code, module);
    }
    return module;
  }

  private operandLayout(access: readonly Access[]): GPUBindGroupLayout {
    return found(this.operandLayouts, access.join(), () =>
      this.connection.device.createBindGroupLayout({
        entries: access.map((kind, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: kind === 'read' ? 'read-only-storage' : 'storage' },
        })),
      }),
    );
  }

  counterLayout(count: number): GPUBindGroupLayout {
    return found(this.counterLayouts, count, () =>
      this.connection.device.createBindGroupLayout({
        entries: Array.from({ length: count }, (_, binding) => ({
          binding,
          visibility: GPUShaderStage.COMPUTE,
          buffer: { type: 'uniform', hasDynamicOffset: true, minBindingSize: 4 },
        })),
      }),
    );
  }

  /** A bind group of these buffers, kept under a key in `cache`. */
  group(
    cache: Map<string, GPUBindGroup>,
    key: string,
    layout: GPUBindGroupLayout,
    buffers: () => readonly GPUBuffer[],
  ): GPUBindGroup {
    const kept = cache.get(key);
    if (kept) return kept;
    if (cache.size >= keptGroups) cache.delete(cache.keys().next().value!);
    const made = this.connection.device.createBindGroup({
      layout,
      entries: buffers().map((buffer, binding) => ({ binding, resource: { buffer } })),
    });
    cache.set(key, made);
    this.counts.groups += 1;
    return made;
  }
}

function found<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/** Turns whose numbers are in a table at one time. */
const window = 2 ** 16;
/** Bytes between two numbers: dynamic offsets are multiples of it. */
const stride = 256;

interface Table {
  buffer: GPUBuffer;
  length: number;
  /** The number at its beginning. */
  base: number;
}

/**
 * Counters of loops as kernels read them: uniforms, of which a dynamic offset chooses the value in a table of all values. Where a loop is
 * longer than a table, the table is written again.
 */
export class Counters {
  private readonly connection: Connection;
  private readonly queue: Queue;
  private readonly pipelines: Pipelines;
  private readonly tables: Table[] = [];
  private readonly groups = new Map<number, GPUBindGroup>();

  constructor(connection: Connection, queue: Queue, pipelines: Pipelines) {
    this.connection = connection;
    this.queue = queue;
    this.pipelines = pipelines;
  }

  /** A bind group, and offsets with which counter i has `values[i]`, of a loop of `lengths[i]` turns. */
  at(values: readonly number[], lengths: readonly number[]): { group: GPUBindGroup; offsets: readonly number[] } {
    const offsets = values.map((value, slot) => stride * (value - this.table(slot, value, lengths[slot]!).base));
    let group = this.groups.get(values.length);
    if (!group) {
      group = this.connection.device.createBindGroup({
        layout: this.pipelines.counterLayout(values.length),
        entries: values.map((_, binding) => ({
          binding,
          resource: { buffer: this.tables[binding]!.buffer, size: 4 },
        })),
      });
      this.groups.set(values.length, group);
    }
    return { group, offsets };
  }

  private table(slot: number, value: number, length: number): Table {
    const base = Math.floor(value / window) * window;
    const wanted = Math.min(length, window);
    const table = this.tables[slot];
    if (table && table.length >= wanted) {
      if (table.base !== base) this.fill(table, base);
      return table;
    }
    const made: Table = { buffer: this.buffer(wanted), length: 2 ** Math.ceil(Math.log2(wanted)), base };
    this.fill(made, base);
    this.tables[slot] = made;
    this.groups.clear();
    return made;
  }

  private buffer(wanted: number): GPUBuffer {
    const size = stride * 2 ** Math.ceil(Math.log2(wanted));
    return this.connection.device.createBuffer({ size, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });
  }

  private fill(table: Table, base: number): void {
    // Recorded commands read what is there now.
    this.queue.flush();
    table.base = base;
    const words = new Int32Array((table.length * stride) / 4);
    for (let i = 0; i < table.length; i++) words[(i * stride) / 4] = base + i;
    this.queue.writeTo(table.buffer, words);
  }
}
