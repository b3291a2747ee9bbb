/**
 * The meaning of a kernel, as a program that runs it: one operation after another, each rounded to its dtype.
 *
 * It is slow and strict. Every address is held against its buffer, scratch must be written before it is read, and no turn of a
 * `parallel` or `vector` loop may touch what another one writes: this is what lets machines run turns in any order, several at
 * once, on several threads. A machine is right if it computes what this does, sums in another order apart.
 */

import { allocate, type TypedArray } from '../../src/core/dtype.ts';
import { CheckError } from '../../src/core/errors.ts';
import { unknownSource } from '../../src/core/source.ts';
import { type Buffer, type Expr, type Index, operands as operandsOf } from './ir/expr.ts';
import type { Kernel, LoopRole, Stmt } from './ir/kernel.ts';
import { hostFunctions, scalar } from './scalar.ts';

/** How to run a kernel, where its meaning leaves a choice. */
export interface RunKernelOptions {
  /** Turns of `parallel` loops in an order drawn from this seed; ascending without. */
  readonly shuffle?: number;
  /** `madd` rounded once. */
  readonly fused?: boolean;
  /** Sees each value that is loaded or computed. */
  readonly watch?: (x: Expr, value: number) => void;
}

/** Statements as functions without arguments, on cells that hold what expressions, indices and locals are now. */
type Run = () => void;

/** A turn of a `parallel` or `vector` loop, inside of a turn of an outer one. */
interface Turn {
  readonly outer: Turn | null;
  readonly depth: number;
  /** The run of the loop that the turn belongs to: turns of one run are concurrent, those of two are not. */
  readonly run: number;
  /** The turn of the innermost `parallel` loop: whose scratch it sees. */
  readonly owner: Turn | null;
}

/** May these two turns run at once? Not if one is inside of the other, or if one's loop ends before the other's begins. */
function concurrent(a: Turn | null, b: Turn | null): boolean {
  let [x, y] = [a, b];
  while (x && y && x.depth > y.depth) x = x.outer;
  while (x && y && y.depth > x.depth) y = y.outer;
  if (!x || !y || x === y) return false;
  while (x.outer !== y.outer) [x, y] = [x.outer!, y.outer!];
  return x.run === y.run;
}

const owner = (turn: Turn | null): Turn | null => turn?.owner ?? null;

/** The array behind a buffer, and who touched its elements last; operands that share an array share this. */
interface Memory {
  readonly array: TypedArray;
  readonly writers: (Turn | null | undefined)[];
  readonly readers: (Turn | null | undefined)[];
}

/** A buffer while its kernel runs. */
interface Place {
  readonly memory: Memory;
  readonly length: number;
}

/**
 * Run a kernel.
 *
 * @param operands - an array for each operand, of its dtype and at least its size; the kernel stores into them
 * @param sizes - what the kernel takes as `$0`, `$1`, …
 * @throws CheckError naming kernel, buffer and address, for an access out of range, of scratch that holds nothing, or of what a
 *   concurrent turn accesses
 */
export function runKernel(
  kernel: Kernel,
  operands: readonly TypedArray[],
  sizes: readonly number[] = [],
  { shuffle, fused = false, watch }: RunKernelOptions = {},
): void {
  const fail = (problem: string): never => {
    throw new CheckError({ op: kernel.name, problem, source: unknownSource });
  };
  if (operands.length !== kernel.operands.length) {
    fail(`takes ${kernel.operands.length} operands, got ${operands.length}`);
  }
  if (sizes.length !== kernel.sizes) fail(`takes ${kernel.sizes} sizes, got ${sizes.length}`);

  const cells: number[] = [];
  const cellOf = new Map<object, number>();
  const cell = (of: object): number => {
    let found = cellOf.get(of);
    if (found === undefined) {
      found = cells.push(0) - 1;
      cellOf.set(of, found);
    }
    return found;
  };
  const cellOfExpr = (x: Expr): number => cell(x.op === 'index' ? x.index : x.op === 'local' ? x.local : x);

  const places = new Map<Buffer, Place>();
  const memories = new Map<TypedArray, Memory>();
  let turn: Turn | null = null;
  let runs = 0;
  const random = shuffle === undefined ? null : generator(shuffle);

  /** A step for each operation of these expressions, operands first, and each once. */
  function steps(roots: readonly Expr[]): readonly Run[] {
    const found: Run[] = [];
    const done = new Set<Expr>();
    const visit = (x: Expr): void => {
      if (done.has(x)) return;
      done.add(x);
      operandsOf(x).forEach(visit);
      const step = stepOf(x);
      if (step) found.push(step);
      if (step && watch) found.push(() => watch(x, cells[cellOfExpr(x)]!));
    };
    roots.forEach(visit);
    return found;
  }

  function stepOf(x: Expr): Run | null {
    const to = cellOfExpr(x);
    switch (x.op) {
      case 'const':
        cells[to] = x.value;
        return null;
      case 'size':
        cells[to] = sizes[x.slot] ?? fail(`has no size $${x.slot}`);
        return null;
      case 'index':
      case 'local':
        return null;
      case 'load':
        return loadStep(x.buffer, cellOfExpr(x.at), x.guard ? cellOfExpr(x.guard) : null, to);
      case 'call': {
        const { of } = hostFunctions[x.name] ?? fail(`calls ${x.name}, which the host does not have`);
        const [a, b] = x.args.map(cellOfExpr);
        return () => {
          cells[to] = of(cells[a!]!, cells[b ?? a!]!);
        };
      }
      case 'apply': {
        const f = scalar(x.fn, x.args[0]!.dtype, x.dtype, fused);
        const args = x.args.map(cellOfExpr);
        const [a, b, c] = [args[0]!, args[1] ?? args[0]!, args[2] ?? args[0]!];
        return () => {
          cells[to] = f(cells[a]!, cells[b]!, cells[c]!);
        };
      }
    }
  }

  const place = (buffer: Buffer): Place => places.get(buffer) ?? fail(`${buffer.name} is no buffer of this kernel`);

  const inRange = (what: string, buffer: Buffer, at: number): void => {
    const { length } = place(buffer);
    if (!(at >= 0 && at < length)) fail(`${what} ${buffer.name}[${at}] is out of range: ${holds(buffer, length)}`);
  };

  function loadStep(buffer: Buffer, at: number, guard: number | null, to: number): Run {
    const { array, writers, readers } = place(buffer).memory;
    return () => {
      if (guard !== null && cells[guard] === 0) {
        cells[to] = 0;
        return;
      }
      const address = cells[at]!;
      inRange('load of', buffer, address);
      const writer = writers[address];
      if (buffer.kind === 'scratch' && (writer === undefined || owner(writer) !== owner(turn))) {
        fail(`load of ${buffer.name}[${address}], to which this turn has stored nothing`);
      }
      if (writer && concurrent(writer, turn))
        fail(`load of ${buffer.name}[${address}], to which a concurrent turn stores`);
      readers[address] = turn;
      cells[to] = array[address]!;
    };
  }

  function storeStep(buffer: Buffer, at: number, value: number): Run {
    const { array, writers, readers } = place(buffer).memory;
    const conflict = (other: Turn | null | undefined): boolean =>
      !!other && (buffer.kind === 'operand' || owner(other) === owner(turn)) && concurrent(other, turn);
    return () => {
      const address = cells[at]!;
      inRange('store to', buffer, address);
      if (conflict(writers[address])) fail(`store to ${buffer.name}[${address}], to which a concurrent turn stores`);
      if (conflict(readers[address])) fail(`store to ${buffer.name}[${address}], which a concurrent turn loads`);
      writers[address] = turn;
      array[address] = cells[value]!;
    };
  }

  const block = (stmts: readonly Stmt[]): Run => sequence(stmts.map(statement));

  function statement(stmt: Stmt): Run {
    switch (stmt.kind) {
      case 'loop':
        return loop(stmt.index, stmt.role, stmt.index.extent, block(stmt.body));
      case 'local':
      case 'assign': {
        const [from, to] = [cellOfExpr(stmt.value), cell(stmt.local)];
        return sequence([
          ...steps([stmt.value]),
          () => {
            cells[to] = cells[from]!;
          },
        ]);
      }
      case 'accumulate': {
        const { dtype } = stmt.local;
        const combine = scalar(stmt.combiner, dtype, dtype);
        const [from, to] = [cellOfExpr(stmt.value), cell(stmt.local)];
        return sequence([
          ...steps([stmt.value]),
          () => {
            cells[to] = combine(cells[to]!, cells[from]!, 0);
          },
        ]);
      }
      case 'store':
        return sequence([
          ...steps([stmt.at, stmt.value]),
          storeStep(stmt.buffer, cellOfExpr(stmt.at), cellOfExpr(stmt.value)),
        ]);
      case 'if': {
        const body = block(stmt.body);
        const condition = cellOfExpr(stmt.condition);
        return sequence([
          ...steps([stmt.condition]),
          () => {
            if (cells[condition] !== 0) body();
          },
        ]);
      }
    }
  }

  function loop(index: Index, role: LoopRole, extent: Expr, body: Run): Run {
    const [to, count] = [cell(index), cellOfExpr(extent)];
    const turns = (n: number): void => {
      const outer = turn;
      const run = runs++;
      const order = role === 'parallel' && random ? shuffled(n, random) : null;
      for (let i = 0; i < n; i++) {
        if (role !== 'serial') turn = turnOf(outer, run, role);
        cells[to] = order ? order[i]! : i;
        body();
      }
      turn = outer;
    };
    return sequence([...steps([extent]), () => turns(cells[count]!)]);
  }

  for (const buffer of kernel.operands.concat(kernel.scratch)) {
    sequence(steps([buffer.size]))();
    const length = cells[cellOfExpr(buffer.size)]!;
    const array =
      buffer.kind === 'scratch' ? allocate(buffer.dtype, length) : operands[kernel.operands.indexOf(buffer)]!;
    if (array.constructor !== allocate(buffer.dtype, 0).constructor || array.length < length) {
      fail(
        `${buffer.name} holds ${length} elements of ${buffer.dtype}, got ${array.constructor.name} of ${array.length}`,
      );
    }
    const memory = memories.get(array) ?? { array, writers: [], readers: [] };
    memories.set(array, memory);
    places.set(buffer, { memory, length });
  }
  block(kernel.body)();
}

const holds = (buffer: Buffer, length: number): string =>
  `${buffer.name} holds ${length} element${length === 1 ? '' : 's'}`;

const sequence =
  (runs: readonly Run[]): Run =>
  () => {
    for (const run of runs) run();
  };

function turnOf(outer: Turn | null, run: number, role: LoopRole): Turn {
  const turn: { -readonly [K in keyof Turn]: Turn[K] } = {
    outer,
    depth: outer ? outer.depth + 1 : 0,
    run,
    owner: owner(outer),
  };
  if (role === 'parallel') turn.owner = turn;
  return turn;
}

/** Numbers of [0, 1) from a seed: mulberry32, Tommy Ettinger's. */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}

/** 0 … n − 1 in a random order (Fisher and Yates). */
function shuffled(n: number, random: () => number): readonly number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
