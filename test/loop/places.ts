/**
 * What a plan says of memory, followed step by step without the planner's own idea of liveness: every byte belongs to the last step that
 * wrote it, and a kernel that reads a value must find each of its bytes as that value's writer left it. So a value may lose its
 * memory only after the last step that reads it, or in this step, to a result computed element by element in its place.
 */

import type { Buffer, Expr } from '../../backends/loop/ir/expr.ts';
import { operands } from '../../backends/loop/ir/expr.ts';
import { expressions, inner, type Kernel, type Stmt } from '../../backends/loop/ir/kernel.ts';
import { bytesOf } from '../../backends/loop/plan/plan.ts';
import type { ContractedAxis, Convolution, Counter, Place, Program, Step } from '../../backends/loop/plan/program.ts';
import { byteSize } from '../../src/core/dtype.ts';

/** One writing of some bytes. */
interface Cell {
  readonly by: string;
  /** The value, if a kernel wrote it: kernels of the same list of steps read it under the same name. */
  readonly buffer: Buffer | null;
  readonly list: readonly Step[];
  /** How many writings were before. */
  readonly time: number;
}

/** A loop in one of its turns: when it and this turn began. */
interface Turn {
  readonly body: readonly Step[];
  readonly began: number;
  readonly turned: number;
}

/** Turns of a `while` that are followed: what holds from the first to the second holds from each to the next. */
const turns = 3;

type Memory = Map<string, (Cell | undefined)[]>;

/**
 * What is wrong with the places of a plan, in words; empty if nothing is.
 *
 * @param aliases - whether some results are operands under another name (taps, barriers)
 */
export function misplaced(program: Program, aliases = false): readonly string[] {
  const walk = new Walk(program, aliases);
  walk.all(program.steps);
  walk.end();
  return walk.problems;
}

class Walk {
  readonly problems: string[] = [];
  private readonly program: Program;
  private readonly aliases: boolean;
  private memory: Memory = new Map();
  private readonly counters = new Map<Counter, number>();
  /** Where the bytes of a value are from: of one that a kernel wrote or has read. */
  private readonly known = new Map<Buffer, readonly (Cell | undefined)[]>();
  private list: readonly Step[] = [];
  private readonly loops: Turn[] = [];
  private time = 0;

  constructor(program: Program, aliases: boolean) {
    this.program = program;
    this.aliases = aliases;
    program.ins.forEach((aval, position) => {
      const cell: Cell = { by: `input ${position}`, buffer: null, list: [], time: -1 };
      this.memory.set(
        `input ${position}`,
        Array.from({ length: bytesOf(aval) }, () => cell),
      );
    });
    program.outs.forEach((aval, position) => {
      this.memory.set(`output ${position}`, Array.from({ length: bytesOf(aval) }));
    });
    this.memory.set('arena', Array.from({ length: program.arena }));
  }

  all(steps: readonly Step[]): void {
    const outer = this.list;
    this.list = steps;
    for (const step of steps) this.step(step);
    this.list = outer;
  }

  end(): void {
    this.program.outs.forEach((aval, position) => {
      const bytes = this.memory.get(`output ${position}`)!;
      if (bytes.length !== bytesOf(aval)) this.problem(`output ${position} is written beyond its end`);
      if (bytes.some((cell) => !cell)) this.problem(`output ${position} is not written everywhere`);
    });
  }

  private problem(text: string): void {
    this.problems.push(text);
  }

  private step(step: Step): void {
    switch (step.kind) {
      case 'kernel':
        this.kernel(step.kernel, step.places);
        return;
      case 'contract': {
        const { dtype, batch, m, n, k } = step.contraction;
        const extent = (pick: 'a' | 'b' | 'c'): number => spanned([...batch, ...m, ...n, ...k], pick) * byteSize(dtype);
        this.product('contract', step, extent('a'), extent('b'), extent('c'));
        return;
      }
      case 'convolve': {
        const [a, b, c] = convolved(step.convolution).map((n) => n * byteSize(step.convolution.dtype));
        this.product('convolve', step, a!, b!, c!);
        return;
      }
      case 'copy': {
        const from = this.bytes('copy', step.from, step.bytes);
        this.read('copy', from);
        this.write(step.to, step.bytes, 'copy');
        return;
      }
      case 'repeat': {
        const began = this.time;
        for (let turn = 0; turn < step.counter.length; turn++) {
          this.counters.set(step.counter, step.counter.reverse ? step.counter.length - 1 - turn : turn);
          this.turn(step.body, began, step.body);
        }
        return;
      }
      case 'while': {
        const began = this.time;
        for (let turn = 0; turn < turns; turn++) {
          this.turn(step.condition, began, step.body);
          this.read('while', this.bytes('while', step.flag, 1));
          if (turn < turns - 1) this.turn(step.body, began, step.body);
        }
        return;
      }
      case 'branch':
        this.branch(step);
    }
  }

  private turn(steps: readonly Step[], began: number, body: readonly Step[]): void {
    // Its values are made anew.
    for (const buffer of buffersIn(steps)) this.known.delete(buffer);
    this.loops.push({ body, began, turned: this.time });
    this.all(steps);
    this.loops.pop();
  }

  /** What any branch writes is no longer what it was. */
  private branch({ index, branches }: Step & { readonly kind: 'branch' }): void {
    this.read('branch', this.bytes('branch', index, 4));
    const copyOf = (memory: Memory): Memory => new Map([...memory].map(([key, cells]) => [key, [...cells]]));
    const before = copyOf(this.memory);
    const after = copyOf(this.memory);
    const cell: Cell = { by: 'branch', buffer: null, list: this.list, time: this.time++ };
    for (const steps of branches) {
      this.memory = copyOf(before);
      this.all(steps);
      for (const [key, cells] of this.memory) {
        cells.forEach((x, i) => {
          if (x !== before.get(key)![i]) after.get(key)![i] = cell;
        });
      }
    }
    this.memory = after;
  }

  private product(
    by: string,
    { a, b, c }: { readonly a: Place; readonly b: Place; readonly c: Place },
    ofA: number,
    ofB: number,
    ofC: number,
  ): void {
    this.read(by, this.bytes(by, a, ofA));
    this.read(by, this.bytes(by, b, ofB));
    for (const [place, length] of [
      [a, ofA],
      [b, ofB],
    ] as const)
      if (this.meet(place, length, c, ofC)) this.problem(`${by} writes its result over an operand`);
    this.write(c, ofC, by);
  }

  private kernel(kernel: Kernel, places: readonly Place[]): void {
    const { loaded, stored } = uses(kernel);
    const placeOf = new Map(kernel.operands.map((buffer, i) => [buffer, places[i]!]));
    const sizeOf = (buffer: Buffer): number =>
      (buffer.size.op === 'const' ? buffer.size.value : Number.NaN) * byteSize(buffer.dtype);
    for (const buffer of loaded) {
      // What the kernel itself stores first, or adds to in its place, is judged as its result.
      const place = placeOf.get(buffer);
      if (place && !stored.has(buffer)) this.take(kernel, buffer, this.bytes(kernel.name, place, sizeOf(buffer)));
    }
    for (const result of stored) {
      const to = placeOf.get(result)!;
      for (const operand of kernel.operands) {
        if (operand === result || !this.meet(placeOf.get(operand)!, sizeOf(operand), to, sizeOf(result))) continue;
        if (stored.has(operand)) this.problem(`${kernel.name} has ${operand.name} and ${result.name} in one memory`);
        else if (!this.samePlace(placeOf.get(operand)!, to) || !isElementwise(kernel, operand, result))
          this.problem(`${kernel.name} writes ${result.name} over ${operand.name}, which it still reads`);
      }
    }
    for (const result of stored) {
      const cell = this.write(placeOf.get(result)!, sizeOf(result), `${result.name} of ${kernel.name}`, result);
      this.known.set(
        result,
        Array.from({ length: sizeOf(result) }, () => cell),
      );
    }
  }

  /** A kernel reads a value whole. */
  private take({ name }: Kernel, buffer: Buffer, found: readonly (Cell | undefined)[]): void {
    this.read(`${name}, of ${buffer.name},`, found);
    const wanted = this.known.get(buffer);
    if (!wanted) {
      // Not from a kernel: an input, the result of a product, a loop or a copy, or a slice.
      const other = found.find((cell) => cell?.buffer && cell.buffer !== buffer && cell.list === this.list);
      if (other && !this.aliases) this.problem(`${name} reads ${buffer.name} where ${other.by} lies`);
      this.known.set(buffer, found);
      return;
    }
    const at = found.findIndex((cell, i) => cell !== wanted[i]);
    if (at >= 0) this.problem(`${name} reads ${buffer.name} after ${found[at]?.by ?? 'nobody'} was written over it`);
  }

  private at({ base, position, offset, steps }: Place): readonly [string, number] {
    const start = steps.reduce((sum, { counter, bytes }) => sum + this.counters.get(counter)! * bytes, offset);
    return [base === 'arena' ? base : `${base} ${position}`, start];
  }

  private bytes(by: string, place: Place, length: number): readonly (Cell | undefined)[] {
    const [key, start] = this.at(place);
    const all = this.memory.get(key)!;
    if (start < 0 || start + length > all.length) this.problem(`${by} leaves the ${key}`);
    return all.slice(start, start + length);
  }

  private read(by: string, found: readonly (Cell | undefined)[]): void {
    for (const cell of new Set(found)) {
      if (!cell) this.problem(`${by} reads what nobody has written`);
      else if (this.loops.some((loop) => isLeftOver(cell, loop)))
        this.problem(`${by} reads what ${cell.by} left there in another turn`);
    }
  }

  private write(place: Place, length: number, by: string, buffer: Buffer | null = null): Cell {
    const cell: Cell = { by, buffer, list: this.list, time: this.time++ };
    if (place.base === 'input') this.problem(`${by} is written to input ${place.position}`);
    this.bytes(by, place, length);
    const [key, start] = this.at(place);
    this.memory.get(key)!.fill(cell, start, start + length);
    return cell;
  }

  private samePlace(a: Place, b: Place): boolean {
    return this.at(a).join() === this.at(b).join();
  }

  private meet(a: Place, ofA: number, b: Place, ofB: number): boolean {
    const [[x, from], [y, to]] = [this.at(a), this.at(b)];
    return x === y && from < to + ofB && to < from + ofA;
  }
}

/** Whether bytes were written in an earlier turn: but for the state, which a loop copies at the end of a turn, nothing comes of them. */
const isLeftOver = ({ by, list, time }: Cell, { body, began, turned }: Turn): boolean =>
  time >= began && time < turned && !(by === 'copy' && list === body);

function buffersIn(steps: readonly Step[]): readonly Buffer[] {
  return steps.flatMap((step): readonly Buffer[] => {
    switch (step.kind) {
      case 'kernel':
        return step.kernel.operands;
      case 'repeat':
        return buffersIn(step.body);
      case 'while':
        return [...buffersIn(step.condition), ...buffersIn(step.body)];
      case 'branch':
        return step.branches.flatMap(buffersIn);
      default:
        return [];
    }
  });
}

/** Elements from the first to the last that an operand's strides reach. */
const spanned = (axes: readonly ContractedAxis[], pick: 'a' | 'b' | 'c'): number =>
  axes.reduce((last, axis) => last + (axis.extent - 1) * axis[pick], 1);

/** The same of a convolution. */
function convolved(conv: Convolution): readonly number[] {
  const span = (strides: Convolution['lhs'], batch: number, feature: number, extents: readonly number[]): number =>
    1 +
    (batch - 1) * strides.batch +
    (feature - 1) * strides.feature +
    extents.reduce((n, extent, axis) => n + (extent - 1) * strides.spatial[axis]!, 0);
  const { lhs, rhs, out, spatial } = conv;
  return [
    span(
      lhs,
      conv.batch,
      conv.inFeatures,
      spatial.map((s) => s.in),
    ),
    span(
      rhs,
      conv.outFeatures,
      conv.inFeatures / conv.groups,
      spatial.map((s) => s.window),
    ),
    span(
      out,
      conv.batch / conv.batchGroups,
      conv.outFeatures,
      spatial.map((s) => s.out),
    ),
  ];
}

/** Every statement of a kernel, in order. */
const statements = (body: readonly Stmt[]): readonly Stmt[] => body.flatMap((x) => [x, ...statements(inner(x))]);

type Load = Expr & { readonly op: 'load' };
const loadsIn = new WeakMap<Expr, readonly Load[]>();

/** Every load that an expression does, each once. */
function loadsOf(x: Expr): readonly Load[] {
  const found = loadsIn.get(x) ?? [
    ...new Set([...(x.op === 'load' ? [x] : []), ...operands(x).flatMap((y) => [...loadsOf(y)])]),
  ];
  loadsIn.set(x, found);
  return found;
}

function uses({ body, operands: buffers }: Kernel): { readonly loaded: Set<Buffer>; readonly stored: Set<Buffer> } {
  const all = statements(body);
  const loaded = new Set(all.flatMap((x) => expressions(x).flatMap(loadsOf)).map((x) => x.buffer));
  const stored = new Set(all.flatMap((x) => (x.kind === 'store' && buffers.includes(x.buffer) ? [x.buffer] : [])));
  return { loaded, stored };
}

/** Whether every element of the operand is read where the result's is stored, at the same address, and by no later statement. */
function isElementwise(kernel: Kernel, operand: Buffer, result: Buffer): boolean {
  const all = statements(kernel.body).filter((x) => x.kind !== 'loop');
  const stores = all.flatMap((x, i) => (x.kind === 'store' && x.buffer === result ? [[x, i] as const] : []));
  if (stores.length !== 1) return false;
  const [store, position] = stores[0]!;
  return all.every((x, i) => {
    const loads = expressions(x)
      .flatMap(loadsOf)
      .filter((load) => load.buffer === operand);
    return loads.every((load) => i <= position && store.kind === 'store' && load.at === store.at);
  });
}
