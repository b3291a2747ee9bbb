/**
 * Commands in the order in which programs were called: recorded, and submitted together, when something is read, when there are many,
 * or at the tick's end.
 *
 * Where a program must know a value before it goes on (a condition of a loop), or wait for its code, it is a {@link Task} that yields what
 * it waits for. In Node the wait ends before the call does; on a page what is called later queues up behind it.
 */

import type { Block } from './blocks.ts';
import { classOf } from './blocks.ts';
import type { Connection } from './connection.ts';
import type { Wait } from './host.ts';
import { keep, letGo } from './host.ts';

/** Work that waits now and then; what it yields, it gets back when it is over. */
export type Task = Generator<Wait<unknown>, void, unknown>;

/** Bytes of a block that are to be read. */
export interface Span {
  readonly block: Block;
  readonly bytes: number;
}

/** How a kernel is dispatched: so many workgroups, or as many as a buffer says. */
export type Groups =
  | { readonly x: number; readonly y: number }
  | { readonly buffer: GPUBuffer; readonly offset: number };

/** What one dispatch needs. */
export interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly operands: GPUBindGroup;
  readonly counters: { readonly group: GPUBindGroup; readonly offsets: readonly number[] } | null;
  readonly groups: Groups;
}

interface Waiting {
  readonly task: Task;
  readonly fail: (error: unknown) => void;
}

/** What a task waited for. */
type Answer = { readonly value?: unknown } | { readonly error: unknown };

function* doing(act: () => void): Task {
  act();
  yield* [];
}

function outcome(wait: () => unknown): Answer {
  try {
    return { value: wait() };
  } catch (error) {
    return { error };
  }
}

/** Dispatches that are submitted without being asked for. */
const most = 1024;
/** Submissions, and bytes written, that may be under way; then the host waits, if it can. */
const ahead = { submissions: 64, bytes: 2 ** 27 } as const;

/** Bytes of a buffer to be read that is kept for the next read: larger ones would count in no budget. */
const mostMappable = 2 ** 20;

/** What tests count. */
export interface QueueCounts {
  submits: number;
  dispatches: number;
  writes: number;
  reads: number;
}

export class Queue {
  /** The number of the batch that is being recorded. */
  batch = 0;
  readonly counts: QueueCounts = { submits: 0, dispatches: 0, writes: 0, reads: 0 };
  private readonly connection: Connection;
  private encoder: GPUCommandEncoder | null = null;
  private pass: GPUComputePassEncoder | null = null;
  private current: GPUComputePipeline | null = null;
  private recorded = 0;
  private under = { submissions: 0, bytes: 0 };
  /** The first waits, the others wait for it. */
  private readonly waiting: Waiting[] = [];
  private parked: Promise<void> | null = null;
  /** Free buffers that the host can read, by their sizes. */
  private readonly mappable = new Map<number, GPUBuffer[]>();

  constructor(connection: Connection) {
    this.connection = connection;
  }

  private open(): GPUCommandEncoder {
    if (!this.encoder) {
      this.encoder = this.connection.device.createCommandEncoder();
      queueMicrotask(() => this.flush());
    }
    return this.encoder;
  }

  private closePass(): void {
    this.pass?.end();
    this.pass = null;
    this.current = null;
  }

  dispatch({ pipeline, operands, counters, groups }: Dispatch): void {
    this.pass ??= this.open().beginComputePass();
    const { pass } = this;
    if (this.current !== pipeline) {
      pass.setPipeline(pipeline);
      this.current = pipeline;
    }
    pass.setBindGroup(0, operands);
    if (counters) pass.setBindGroup(1, counters.group, counters.offsets);
    if ('buffer' in groups) pass.dispatchWorkgroupsIndirect(groups.buffer, groups.offset);
    else pass.dispatchWorkgroups(groups.x, groups.y);
    this.counts.dispatches += 1;
    this.recorded += 1;
    if (this.recorded >= most) this.flush();
  }

  /** Write words to a block that no recorded command knows. */
  write(block: Block, words: ArrayBufferView<ArrayBufferLike>): void {
    if (block.batch === this.batch) this.flush();
    this.writeTo(block.buffer, words);
  }

  writeTo(buffer: GPUBuffer, words: ArrayBufferView<ArrayBufferLike>): void {
    this.connection.device.queue.writeBuffer(buffer, 0, words as ArrayBufferView<ArrayBuffer>);
    this.counts.writes += 1;
    this.under.bytes += words.byteLength;
  }

  /** Submit what is recorded. */
  flush(): void {
    if (!this.encoder) return;
    this.closePass();
    this.connection.device.queue.submit([this.encoder.finish()]);
    this.encoder = null;
    this.recorded = 0;
    this.batch += 1;
    this.counts.submits += 1;
    this.under.submissions += 1;
    const { sync, device } = this.connection;
    if (sync && (this.under.submissions >= ahead.submissions || this.under.bytes >= ahead.bytes)) {
      sync.wait({ promise: sync.start(() => device.queue.onSubmittedWorkDone()) });
      this.under = { submissions: 0, bytes: 0 };
    }
  }

  /** Copies spans to a buffer that the host can read, one after the other, and submits; `null` if there is nothing in them. */
  private collect(spans: readonly Span[]): { readonly buffer: GPUBuffer; readonly bytes: number } | null {
    const bytes = spans.reduce((sum, span) => sum + span.bytes, 0);
    if (bytes === 0) return null;
    const size = classOf(bytes);
    const buffer =
      this.mappable.get(size)?.pop() ??
      this.connection.device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = this.open();
    this.closePass();
    let at = 0;
    for (const span of spans) {
      if (span.bytes > 0) encoder.copyBufferToBuffer(span.block.buffer, 0, buffer, at, span.bytes);
      at += span.bytes;
    }
    this.flush();
    this.counts.reads += 1;
    return { buffer, bytes };
  }

  /** What lies in a buffer that is mapped, which is given back. */
  private unmapped({ buffer, bytes }: { readonly buffer: GPUBuffer; readonly bytes: number }): ArrayBuffer {
    if (buffer.mapState !== 'mapped') {
      this.connection.check();
      this.connection.destroy();
      this.connection.check();
    }
    const copy = buffer.getMappedRange(0, bytes).slice(0);
    buffer.unmap();
    const list = this.mappable.get(buffer.size);
    if (buffer.size > mostMappable) buffer.destroy();
    else if (list) list.push(buffer);
    else this.mappable.set(buffer.size, [buffer]);
    this.under = { submissions: 0, bytes: 0 };
    this.connection.check();
    this.connection.onSound();
    return copy;
  }

  /** Read spans, where the host can wait; `take` gets the words of each. */
  readNow(spans: readonly Span[], take: (i: number, words: Uint32Array<ArrayBuffer>) => void): void {
    const copied = this.collect(spans);
    if (copied) {
      const sync = this.connection.sync!;
      const { buffer } = copied;
      void sync.start(() => buffer.mapAsync(GPUMapMode.READ));
      sync.until(() => buffer.mapState !== 'pending');
    }
    const bytes = copied ? this.unmapped(copied) : new ArrayBuffer(0);
    let at = 0;
    spans.forEach((span, i) => {
      const part = spans.length === 1 ? bytes : bytes.slice(at, at + span.bytes);
      take(i, new Uint32Array(part));
      at += span.bytes;
    });
  }

  /** Read a span as the commands recorded so far leave it. */
  async read(span: Span): Promise<ArrayBuffer> {
    const copied = this.collect([span]);
    if (!copied) return new ArrayBuffer(0);
    const { buffer } = copied;
    keep(buffer);
    const map = (): Promise<undefined> => buffer.mapAsync(GPUMapMode.READ);
    await (this.connection.sync?.start(map) ?? map()).catch(() => undefined);
    letGo(buffer);
    return this.unmapped(copied);
  }

  /** A wait for the words of a block, as the commands so far leave them. */
  words(span: Span): { readonly wait: Wait<unknown>; readonly value: () => Uint32Array<ArrayBuffer> } {
    const copied = this.collect([span])!;
    const { buffer } = copied;
    const map = (): Promise<undefined> => buffer.mapAsync(GPUMapMode.READ);
    const promise = (this.connection.sync?.start(map) ?? map()).catch(() => undefined);
    return {
      wait: { promise, over: () => buffer.mapState !== 'pending' },
      value: () => new Uint32Array(this.unmapped(copied)),
    };
  }

  /** Is something waiting, behind which calls queue up? */
  get isBusy(): boolean {
    return this.waiting.length > 0;
  }

  /** Run a task after those that wait. @throws what it throws, if it runs at once; what it fails with later goes to `fail` */
  run(task: Task, fail: (error: unknown) => void): void {
    if (this.isBusy) {
      this.waiting.push({ task, fail });
      return;
    }
    const wait = this.advance(task);
    if (!wait) return;
    this.waiting.push({ task, fail });
    this.park(wait);
  }

  /** Do something after all that waits, now if nothing does. */
  after(act: () => void): void {
    if (!this.isBusy) act();
    else this.waiting.push({ task: doing(act), fail: () => undefined });
  }

  /** Goes on with a task until it is over, or must wait and cannot here. */
  private advance(task: Task, answer: Answer = {}): Wait<unknown> | null {
    const { sync } = this.connection;
    let given = answer;
    for (;;) {
      const next = 'error' in given ? task.throw(given.error) : task.next(given.value);
      if (next.done) return null;
      if (!sync) return next.value;
      given = outcome(() => sync.wait(next.value as Wait<unknown>));
    }
  }

  private park({ promise }: Wait<unknown>): void {
    this.parked = promise.then(
      (value) => this.resume({ value }),
      (error: unknown) => this.resume({ error }),
    );
  }

  private resume(answer: Answer): void {
    let given = answer;
    while (this.waiting.length > 0) {
      const { task, fail } = this.waiting[0]!;
      try {
        const wait = this.advance(task, given);
        if (wait) {
          this.park(wait);
          return;
        }
      } catch (error) {
        fail(error);
      }
      this.waiting.shift();
      given = {};
    }
    this.parked = null;
  }

  /** When the GPU has done all that was called before. */
  async done(): Promise<void> {
    await this.idle();
    this.flush();
    const { device, sync } = this.connection;
    const operation = (): Promise<undefined> => device.queue.onSubmittedWorkDone();
    await (sync?.start(operation) ?? operation());
    this.connection.check();
  }

  /** When nothing waits any more. */
  async idle(): Promise<void> {
    while (this.parked) await this.parked;
  }
}
