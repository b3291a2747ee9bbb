/**
 * Kernels of the Loop IR as WGSL: one entry point for each loop nest, dispatched one after the other.
 *
 * - A nest of parallel and vector loops is flattened, and each turn is an invocation.
 * - Where turns of the parallel loops contain vector loops (rows: softmax, layer norm, sums), each is a workgroup, whose invocations
 *   share the turns of the vector loops; what these accumulate is combined in a tree, scratch is workgroup memory, and barriers
 *   stand where one invocation may read what another stored.
 * - Anything else runs in one invocation: slow, and right.
 *
 * Sizes are baked in; the parameters of a kernel (counters of the loops around it) are uniforms of group 1. There is no early return: turns that do not exist are left out by an `if`, so that barriers stay uniform.
 */

import { byteSize } from '../../../src/core/dtype.ts';
import { type Buffer, type Expr, type Index, type Local, operands } from '../../loop/ir/expr.ts';
import { type Combiner, expressions, inner, type Kernel, type Stmt } from '../../loop/ir/kernel.ts';
import { identity } from '../../loop/scalar.ts';
import { applied, bare, expressionsOf, literal, parameter, refusal, type Scope, storedType, typeOf } from './expr.ts';
import { Names } from './names.ts';
import { type PreludeName, prelude } from './prelude.ts';

/** An entry point and how many workgroups to dispatch. */
export interface Pass {
  readonly entry: string;
  readonly workgroups: readonly [number, number];
}

/** A kernel in WGSL. Operands are bound in order, from binding 0 of group 0. */
export interface WgslProgram {
  readonly code: string;
  readonly bindings: readonly { readonly buffer: Buffer; readonly access: 'read' | 'read_write' }[];
  /** To dispatch in order; each sees what those before it stored. */
  readonly passes: readonly Pass[];
}

/** Invocations of a workgroup. */
const width = 64;
/** Limits that every device has: storage buffers of a stage, bytes of workgroup and of function memory. */
export const limits = { buffers: 8, workgroup: 16384, function: 8192 } as const;

/** What depends on the adapter. */
export interface WgslOptions {
  /** `maxStorageBuffersPerShaderStage`. */
  readonly buffers?: number;
  /** `maxComputeWorkgroupsPerDimension`: nests with more workgroups are dispatched in two dimensions. */
  readonly workgroupsPerDimension?: number;
}

/**
 * The kernel in WGSL.
 *
 * @throws CompileError for what WebGPU has not: float64, more operands than it binds, scratch beyond its memory
 */
export const wgsl = (kernel: Kernel, options: WgslOptions = {}): WgslProgram =>
  new Printer(kernel, options.workgroupsPerDimension ?? 65535, options.buffers ?? limits.buffers).program();

class Printer implements Scope {
  private readonly kernel: Kernel;
  private readonly names = new Names();
  private readonly used = new Set<PreludeName>();
  /** Module-scope variables and functions other than the prelude's, by their text. */
  private readonly declarations = new Set<string>();
  private readonly changed: ReadonlySet<Local>;
  /** Accumulators of the vector loop that is being printed. */
  private readonly partial = new Map<Local, string>();
  /** Workgroups in one dimension of a dispatch, at most. */
  private readonly most: number;
  private readonly buffers: number;
  readonly fail: (problem: string) => never;

  constructor(kernel: Kernel, most: number, buffers: number) {
    this.kernel = kernel;
    this.most = most;
    this.buffers = buffers;
    this.fail = refusal(kernel.name);
    this.changed = new Set(
      all(kernel.body).flatMap((s) => (s.kind === 'assign' || s.kind === 'accumulate' ? [s.local] : [])),
    );
  }

  readonly name = (thing: { readonly name: string }): string =>
    this.partial.get(thing as Local) ?? this.names.of(thing);
  readonly temporary = (): string => this.names.fresh('t');
  readonly use = (name: PreludeName): string => {
    this.used.add(name);
    return name;
  };

  program(): WgslProgram {
    const { operands, body, sizes } = this.kernel;
    if (operands.length > this.buffers) this.fail(`binds ${operands.length} buffers, of at most ${this.buffers}`);
    const stored = storedIn(body);
    const bindings = operands.map(
      (buffer) => ({ buffer, access: stored.has(buffer) ? 'read_write' : 'read' }) as const,
    );
    const globals = bindings.map(
      ({ buffer, access }, binding) =>
        `@group(0) @binding(${binding}) var<storage, ${access}> ${this.name(buffer)}: array<${storedType(buffer.dtype, this)}>;`,
    );
    for (let slot = 0; slot < sizes; slot++) {
      globals.push(`@group(1) @binding(${slot}) var<uniform> ${parameter(slot)}: i32;`);
    }
    // A loop without turns does nothing, and its indices would be quotients by 0.
    const segments = segmentsOf(body).filter((stmts) => turnsOf(nest(stmts).indices, this.fail) > 0);
    const entries = segments.map((stmts, i) => this.segment(stmts, segments.length === 1 ? 'main' : `main_${i}`));
    const functions = prelude(this.used);
    const head = [...globals, ...functions.map(({ text }) => text), ...this.declarations].join('\n');
    const zero = functions.some(({ name }) => name === 'zero');
    return {
      code: [head, ...entries.map((entry) => entryText(entry, zero)), ''].join('\n\n'),
      bindings,
      passes: entries.map(({ name, workgroups }) => ({ entry: name, workgroups })),
    };
  }

  private segment(stmts: readonly Stmt[], name: string): Entry {
    const { indices, body } = nest(stmts);
    return rows(body, this.kernel) ? this.rows(indices, body, name) : this.turns(indices, body, name);
  }

  /** An invocation for each turn of the nest. */
  private turns(indices: readonly Index[], body: readonly Stmt[], name: string): Entry {
    const count = turnsOf(indices, this.fail);
    const size = indices.length === 0 ? 1 : width;
    const groups = split(Math.ceil(count / size), this.most);
    const scratch = [...scratchIn(body)].map(
      (buffer) => `var ${this.name(buffer)}: array<${typeOf(buffer.dtype, this)}, ${this.length(buffer)}>;`,
    );
    this.limit(scratchIn(body), limits.function, 'an invocation');
    const id = groups[1] > 1 ? `i32(g.x + g.y * ${groups[0] * size}u)` : 'i32(g.x)';
    const lines = [...scratch, ...this.block(body)];
    const params = '@builtin(global_invocation_id) g: vec3u';
    return { name, size, params, workgroups: groups, body: this.guarded(indices, id, count, lines) };
  }

  /** A workgroup for each turn of the nest. */
  private rows(indices: readonly Index[], body: readonly Stmt[], name: string): Entry {
    const count = turnsOf(indices, this.fail);
    const groups = split(count, this.most);
    for (const buffer of scratchIn(body)) {
      this.declarations.add(
        `var<workgroup> ${this.name(buffer)}: array<${typeOf(buffer.dtype, this)}, ${this.length(buffer)}>;`,
      );
    }
    const id = groups[1] > 1 ? `i32(w.x + w.y * ${groups[0]}u)` : 'i32(w.x)';
    const lines: string[] = [];
    let before: Access = none;
    for (const stmt of body) {
      const access = accessOf([stmt]);
      const shared = conflict(before, access);
      if (shared.size > 0) {
        lines.push(...barriers(shared));
        before = none;
      }
      before = { loads: union(before.loads, access.loads), stores: union(before.stores, access.stores) };
      lines.push(...(stmt.kind === 'loop' && stmt.role === 'vector' ? this.shared(stmt) : this.alone(stmt)));
    }
    const params = '@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) lane: u32';
    return { name, size: width, params, workgroups: groups, body: this.guarded(indices, id, count, lines) };
  }

  /** What a turn of the nest does, where there is such a turn. */
  private guarded(indices: readonly Index[], id: string, count: number, body: readonly string[]): readonly string[] {
    if (indices.length === 0) return body;
    return [`let id = ${id};`, `if (id < ${count}i) {`, ...indent([...unflattened(indices, this), ...body]), '}'];
  }

  /** A vector loop whose turns the invocations of a workgroup share. */
  private shared(stmt: Stmt & { readonly kind: 'loop' }): readonly string[] {
    const accumulated = [...accumulatedIn(stmt.body)];
    const [before, after]: [string[], string[]] = [[], []];
    for (const [local, combiner] of accumulated) {
      const [own, whole] = [this.names.fresh(`${this.name(local)}_`), this.name(local)];
      before.push(`var ${own} = ${literal(identity(combiner, local.dtype), local.dtype, this)};`);
      const total = `${this.reduce(combiner, local)}(lane, ${own})`;
      after.push(`${whole} = ${bare(this.combine(combiner, local, whole, total))};`);
      this.partial.set(local, own);
    }
    const [lines, extent] = this.extent(stmt.index);
    const j = this.name(stmt.index);
    const body = this.block(stmt.body);
    for (const [local] of accumulated) this.partial.delete(local);
    return [
      ...before,
      ...lines,
      `for (var ${j} = i32(lane); ${j} < ${extent}; ${j} += ${width}i) {`,
      ...indent(body),
      '}',
      ...after,
    ];
  }

  /** A statement that all invocations of a workgroup run, of which one stores. */
  private alone(stmt: Stmt): readonly string[] {
    return this.statement(stmt, 'if (lane == 0u) { ', ' }');
  }

  private combine(combiner: Combiner, { dtype }: Local, x: string, y: string): string {
    return applied(combiner, dtype, dtype, [x, y], this);
  }

  /** A function that combines a value of each invocation; all of them get the result. */
  private reduce(combiner: Combiner, local: Local): string {
    const type = typeOf(local.dtype, this);
    const [name, cells] = [`reduce_${combiner}_${type}`, `cells_${type}`];
    const both = this.combine(combiner, local, `${cells}[lane]`, `${cells}[lane + s]`);
    this.declarations.add(`var<workgroup> ${cells}: array<${type}, ${width}>;`);
    this.declarations.add(`fn ${name}(lane: u32, x: ${type}) -> ${type} {
  workgroupBarrier();
  ${cells}[lane] = x;
  workgroupBarrier();
  for (var s = ${width / 2}u; s > 0u; s = s >> 1u) {
    if (lane < s) { ${cells}[lane] = ${bare(both)}; }
    workgroupBarrier();
  }
  return ${cells}[0];
}`);
    return name;
  }

  private block(stmts: readonly Stmt[]): readonly string[] {
    return stmts.flatMap((stmt) => this.statement(stmt));
  }

  /** A statement as one invocation runs it; stores stand between `open` and `close`. */
  private statement(stmt: Stmt, open = '', close = ''): readonly string[] {
    if (stmt.kind === 'loop') {
      const [lines, extent] = this.extent(stmt.index);
      const j = this.name(stmt.index);
      const body = stmt.body.flatMap((s) => this.statement(s, open, close));
      return [...lines, `for (var ${j} = 0i; ${j} < ${extent}; ${j}++) {`, ...indent(body), '}'];
    }
    const lines: string[] = [];
    const show = expressionsOf(expressions(stmt), lines, this);
    switch (stmt.kind) {
      case 'local': {
        const word = this.changed.has(stmt.local) ? 'var' : 'let';
        const value = bare(show(stmt.value));
        return [...lines, `${word} ${this.name(stmt.local)}: ${typeOf(stmt.local.dtype, this)} = ${value};`];
      }
      case 'assign': {
        const value = bare(show(stmt.value));
        return [...lines, `${this.name(stmt.local)} = ${value};`];
      }
      case 'accumulate': {
        const [value, name] = [show(stmt.value), this.name(stmt.local)];
        return [...lines, `${name} = ${bare(this.combine(stmt.combiner, stmt.local, name, value))};`];
      }
      case 'store': {
        const [at, value] = [bare(show(stmt.at)), bare(show(stmt.value))];
        const word = stmt.buffer.dtype === 'bool' && stmt.buffer.kind === 'operand' ? `u32(${value})` : value;
        return [...lines, `${open}${this.name(stmt.buffer)}[${at}] = ${word};${close}`];
      }
      case 'if': {
        const condition = bare(show(stmt.condition));
        const body = stmt.body.flatMap((s) => this.statement(s, open, close));
        return [...lines, `if (${condition}) {`, ...indent(body), '}'];
      }
    }
  }

  private extent({ extent }: Index): readonly [readonly string[], string] {
    const lines: string[] = [];
    const text = expressionsOf([extent], lines, this)(extent);
    return [lines, text];
  }

  private length(buffer: Buffer): number {
    const { size } = buffer;
    return size.op === 'const' ? Math.max(1, size.value) : this.fail(`the size of ${buffer.name} is not known`);
  }

  private limit(scratch: ReadonlySet<Buffer>, bytes: number, of: string): void {
    const total = bytesOf(scratch);
    if (total > bytes) this.fail(`needs ${total} bytes of scratch, and ${of} has ${bytes}`);
  }
}

/** An entry point in the making. */
interface Entry {
  readonly name: string;
  readonly size: number;
  readonly params: string;
  readonly workgroups: readonly [number, number];
  readonly body: readonly string[];
}

/** There is at least one workgroup where a program runs, which compilers do not know. */
function entryText({ name, size, params, body }: Entry, zero: boolean): string {
  const [extra, first] = zero ? [', @builtin(num_workgroups) n: vec3u', ['zero = u32(n.x == 0u);']] : ['', []];
  return [
    `@compute @workgroup_size(${size})`,
    `fn ${name}(${params}${extra}) {`,
    ...indent([...first, ...body]),
    '}',
  ].join('\n');
}

export const indent = (lines: readonly string[]): readonly string[] =>
  lines.flatMap((line) => line.split('\n')).map((line) => `  ${line}`);

/** Statements and those in them, at any depth. */
const all = (stmts: readonly Stmt[]): readonly Stmt[] => stmts.flatMap((stmt) => [stmt, ...all(inner(stmt))]);

/** What is dispatched by itself: each loop, if nothing outside of loops connects them. */
const segmentsOf = (body: readonly Stmt[]): readonly (readonly Stmt[])[] =>
  body.every((stmt) => stmt.kind === 'loop') ? body.map((stmt) => [stmt]) : [body];

/** The parallel and vector loops around everything else, from the outermost one. */
function nest(stmts: readonly Stmt[]): { readonly indices: readonly Index[]; readonly body: readonly Stmt[] } {
  const [only] = stmts;
  if (stmts.length !== 1 || only?.kind !== 'loop' || only.role === 'serial' || only.index.extent.op !== 'const') {
    return { indices: [], body: stmts };
  }
  const { indices, body } = nest(only.body);
  return { indices: [only.index, ...indices], body };
}

const turnsOf = (indices: readonly Index[], fail: (problem: string) => never): number => {
  const count = indices.reduce((n, { extent }) => n * (extent.op === 'const' ? extent.value : Number.NaN), 1);
  return count < 2 ** 31 ? count : fail(`has ${count} turns, more than an int32 counts`);
};

/** So many workgroups in one dimension, or in two. */
export const split = (groups: number, most: number): readonly [number, number] =>
  groups <= most ? [groups, 1] : [most, Math.ceil(groups / most)];

/** The indices of a nest, from the number of the turn. */
function unflattened(indices: readonly Index[], { name }: Scope): readonly string[] {
  let stride = 1;
  const lines: string[] = [];
  for (let axis = indices.length - 1; axis >= 0; axis--) {
    const { extent } = indices[axis]!;
    const length = extent.op === 'const' ? extent.value : 1;
    const whole = stride === 1 ? 'id' : `id / ${stride}i`;
    const text = axis === 0 ? whole : stride === 1 ? `id % ${length}i` : `(${whole}) % ${length}i`;
    lines.unshift(`let ${name(indices[axis]!)} = ${text};`);
    stride *= length;
  }
  return lines;
}

/** The memory that statements touch. */
interface Access {
  readonly loads: ReadonlySet<Buffer>;
  readonly stores: ReadonlySet<Buffer>;
}
const none: Access = { loads: new Set(), stores: new Set() };

const union = <A>(x: ReadonlySet<A>, y: ReadonlySet<A>): ReadonlySet<A> => new Set([...x, ...y]);
const meet = <A>(x: ReadonlySet<A>, y: ReadonlySet<A>): boolean => [...x].some((a) => y.has(a));

const storedIn = (stmts: readonly Stmt[]): ReadonlySet<Buffer> =>
  new Set(all(stmts).flatMap((stmt) => (stmt.kind === 'store' ? [stmt.buffer] : [])));

function accessOf(stmts: readonly Stmt[]): Access {
  const loads = new Set<Buffer>();
  const seen = new Set<Expr>();
  const visit = (x: Expr): void => {
    if (seen.has(x)) return;
    seen.add(x);
    if (x.op === 'load') loads.add(x.buffer);
    operands(x).forEach(visit);
  };
  for (const stmt of all(stmts)) expressions(stmt).forEach(visit);
  return { loads, stores: storedIn(stmts) };
}

/** The buffers that one statement stores to and the other one touches. */
const conflict = (before: Access, after: Access): ReadonlySet<Buffer> =>
  new Set(
    [...union(before.stores, after.stores)].filter(
      (buffer) =>
        (before.stores.has(buffer) || before.loads.has(buffer)) &&
        (after.stores.has(buffer) || after.loads.has(buffer)),
    ),
  );

function barriers(shared: ReadonlySet<Buffer>): readonly string[] {
  const kinds = new Set([...shared].map(({ kind }) => kind));
  return [
    ...(kinds.has('operand') ? ['storageBarrier();'] : []),
    ...(kinds.has('scratch') ? ['workgroupBarrier();'] : []),
  ];
}

const scratchIn = (stmts: readonly Stmt[]): ReadonlySet<Buffer> => {
  const { loads, stores } = accessOf(stmts);
  return new Set([...union(loads, stores)].filter(({ kind }) => kind === 'scratch'));
};

const bytesOf = (scratch: ReadonlySet<Buffer>): number =>
  [...scratch].reduce(
    (n, { dtype, size }) => n + Math.max(4, byteSize(dtype)) * (size.op === 'const' ? size.value : 0),
    0,
  );

/** Locals from outside that statements accumulate. */
const accumulatedIn = (stmts: readonly Stmt[]): ReadonlyMap<Local, Combiner> => {
  const born = new Set(all(stmts).flatMap((stmt) => (stmt.kind === 'local' ? [stmt.local] : [])));
  return new Map(
    all(stmts).flatMap((stmt) =>
      stmt.kind === 'accumulate' && !born.has(stmt.local) ? [[stmt.local, stmt.combiner] as const] : [],
    ),
  );
};

/**
 * Are these statements for a workgroup? Their vector loops must be outermost, where barriers are uniform, and of what else there is,
 * which all invocations run and one stores, nothing may read what it stores.
 */
function rows(body: readonly Stmt[], kernel: Kernel): boolean {
  const isVector = (stmt: Stmt): boolean => stmt.kind === 'loop' && stmt.role !== 'serial';
  if (!body.some((stmt) => stmt.kind === 'loop' && stmt.role === 'vector' && stmt.index.extent.op === 'const'))
    return false;
  // All workgroups' scratch and the cells of reductions, of three types at most.
  if (bytesOf(new Set(kernel.scratch)) + 3 * 4 * width > limits.workgroup) return false;
  return body.every((stmt) => {
    if (stmt.kind === 'loop' && stmt.role === 'vector') return stmt.index.extent.op === 'const';
    if (isVector(stmt) || all(inner(stmt)).some(isVector)) return false;
    const { loads, stores } = accessOf([stmt]);
    return stmt.kind === 'store' || !meet(loads, stores);
  });
}
