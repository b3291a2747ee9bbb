/**
 * The executable spec of the Loop IR, run between stages: what a kernel must be before a machine may take it.
 *
 * Types: every operation has operands and a result of dtypes that it is defined for. Scope: indices, locals and buffers are
 * declared around their uses. Concurrency: turns of a `parallel` loop share nothing, turns of a `vector` loop nothing but what they
 * accumulate, and stores of two turns do not meet, as far as affine addresses show. Addresses: what is provably out of range is
 * refused. What depends on values is left to `interpret`, which refuses it when it happens.
 */

import type { DType } from '../../src/core/dtype.ts';
import { CheckError } from '../../src/core/errors.ts';
import { unknownSource } from '../../src/core/source.ts';
import { type Buffer, type Expr, type Index, type Local, operands } from './ir/expr.ts';
import { linear, range } from './ir/integer.ts';
import { type Combiner, expressions, inner, type Kernel, type LoopRole, type Stmt } from './ir/kernel.ts';
import { showExpr, showStmt } from './print.ts';
import { identity } from './scalar.ts';
import { combines, typeProblem } from './types.ts';

/** A loop around a statement. */
interface Around {
  readonly index: Index;
  readonly role: LoopRole;
}

/** A local in scope. */
interface Declared {
  /** How many loops are around its declaration. */
  readonly depth: number;
  readonly initial: Expr;
  /** The indices that its value depends on. */
  readonly depends: Set<Index>;
  combiner: Combiner | null;
  assigned: boolean;
}

/** What is known where a statement stands. */
interface Scope {
  readonly loops: readonly Around[];
  readonly locals: ReadonlyMap<Local, Declared>;
  /** Conditions of the `if`s around, outermost first. */
  readonly conditions: readonly Expr[];
  /** Locals that a loop around accumulates. */
  readonly accumulated: ReadonlySet<Local>;
}

/** Whatever is wrong in a statement, before it is said which statement of which kernel it is. */
class Problem extends Error {}

const refuse = (problem: string): never => {
  throw new Problem(problem);
};

/**
 * Is this a kernel as the Loop IR wants it?
 *
 * @throws CheckError naming the kernel, what is wrong, and the statement
 */
export function checkKernel(kernel: Kernel): void {
  const context = new Context(kernel);
  const fail = (problem: string): never => {
    throw new CheckError({ op: kernel.name, problem, source: unknownSource });
  };
  try {
    context.buffers();
  } catch (error) {
    throw error instanceof Problem ? fail(error.message) : error;
  }
  const block = (stmts: readonly Stmt[], outer: Scope): void => {
    const locals = new Map(outer.locals);
    const scope = { ...outer, locals };
    for (const stmt of stmts) {
      let within: Scope;
      try {
        within = context.statement(stmt, scope, locals);
      } catch (error) {
        throw error instanceof Problem ? fail(`${error.message}\n  in: ${showStmt(stmt)}`) : error;
      }
      block(inner(stmt), within);
    }
  };
  block(kernel.body, { loops: [], locals: new Map(), conditions: [], accumulated: new Set() });
}

class Context {
  private readonly kernel: Kernel;
  private readonly typed = new Set<Expr>();
  private readonly known: ReadonlySet<Buffer>;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.known = new Set([...kernel.operands, ...kernel.scratch]);
  }

  buffers(): void {
    const { operands, scratch, sizes } = this.kernel;
    if (this.known.size < operands.length + scratch.length) refuse('a buffer is passed twice');
    for (const [list, kind] of [
      [operands, 'operand'],
      [scratch, 'scratch'],
    ] as const) {
      for (const buffer of list) {
        if (buffer.kind !== kind) refuse(`${buffer.name} is ${buffer.kind}, but listed as ${kind}`);
        const { size } = buffer;
        const slot = size.op === 'size' && size.slot < sizes;
        if (!slot && !(size.op === 'const' && size.dtype === 'int32' && size.value >= 0)) {
          refuse(`the size of ${buffer.name} is a constant or a size of the kernel, not ${showExpr(size)}`);
        }
      }
    }
  }

  /** Check the statement itself; the scope of what is in it. `locals` are those of the block that it stands in. */
  statement(stmt: Stmt, scope: Scope, locals: Map<Local, Declared>): Scope {
    const seen = new Set<Expr>();
    for (const x of expressions(stmt)) this.expr(x, scope, seen);
    switch (stmt.kind) {
      case 'loop':
        return this.loop(stmt.index, stmt.role, stmt.body, scope);
      case 'local':
        if (locals.has(stmt.local)) refuse(`${stmt.local.name} is declared twice`);
        sameDType(stmt.local, stmt.value);
        locals.set(stmt.local, {
          depth: scope.loops.length,
          initial: stmt.value,
          depends: dependsOn(stmt.value, scope),
          combiner: null,
          assigned: false,
        });
        return scope;
      case 'assign':
        this.assign(stmt.local, stmt.value, scope);
        return scope;
      case 'accumulate':
        this.accumulate(stmt.local, stmt.combiner, stmt.value, scope);
        return scope;
      case 'store':
        this.store(stmt.buffer, stmt.at, stmt.value, scope);
        return scope;
      case 'if':
        wants('a condition', 'bool', stmt.condition);
        return { ...scope, conditions: [...scope.conditions, stmt.condition] };
    }
  }

  private expr(x: Expr, scope: Scope, seen: Set<Expr>): void {
    if (seen.has(x)) return;
    seen.add(x);
    for (const operand of operands(x)) this.expr(operand, scope, seen);
    if (!this.typed.has(x)) {
      this.typed.add(x);
      const problem = typeProblem(x);
      if (problem) refuse(problem);
    }
    if (x.op === 'index' && !scope.loops.some(({ index }) => index === x.index)) {
      refuse(`${x.index.name} is not the index of a loop around`);
    }
    if (x.op === 'local') {
      if (!scope.locals.has(x.local)) refuse(`${x.local.name} is not declared here`);
      if (scope.accumulated.has(x.local)) refuse(`${x.local.name} is read in the loop that accumulates it`);
    }
    if (x.op === 'size' && !(x.slot >= 0 && x.slot < this.kernel.sizes)) {
      refuse(`$${x.slot} is none of the ${this.kernel.sizes} sizes`);
    }
    if (x.op === 'load') {
      this.buffer(x.buffer);
      if (!x.guard) outOfRange('load of', x.buffer, x.at, scope);
    }
  }

  private buffer(buffer: Buffer): void {
    if (!this.known.has(buffer)) refuse(`${buffer.name} is no buffer of this kernel`);
  }

  private loop(index: Index, role: LoopRole, body: readonly Stmt[], scope: Scope): Scope {
    const { extent } = index;
    wants('an extent', 'int32', extent);
    if (extent.op === 'const' && extent.value < 0) refuse(`${index.name} has ${extent.value} turns`);
    if (scope.loops.some((around) => around.index === index))
      refuse(`${index.name} is already the index of a loop around`);
    const vector = scope.loops.findIndex((around) => around.role === 'vector');
    if (vector >= 0) {
      if (role !== 'serial') refuse(`a ${role} loop in a vector loop`);
      const varying = new Set(
        scope.loops
          .slice(vector)
          .filter((l) => l.role === 'vector')
          .map((l) => l.index),
      );
      if ([...dependsOn(extent, scope)].some((i) => varying.has(i))) {
        refuse(`the extent of ${index.name} is not the same in all turns of the vector loop`);
      }
    }
    return {
      ...scope,
      loops: [...scope.loops, { index, role }],
      accumulated: new Set([...scope.accumulated, ...accumulatedIn(body)]),
    };
  }

  private assign(local: Local, value: Expr, scope: Scope): void {
    const declared = this.declared(local, value, scope);
    const shared = between(declared, scope).find(({ role }) => role !== 'serial');
    if (shared) refuse(`turns of the ${shared.role} loop over ${shared.index.name} assign the same ${local.name}`);
    if (declared.combiner) refuse(`${local.name} is accumulated as well as assigned`);
    declared.assigned = true;
  }

  private accumulate(local: Local, combiner: Combiner, value: Expr, scope: Scope): void {
    const declared = this.declared(local, value, scope);
    const { initial } = declared;
    if (!combines(combiner, local.dtype)) refuse(`${combiner} does not combine ${local.dtype}`);
    const shared = between(declared, scope).find(({ role }) => role === 'parallel');
    if (shared) refuse(`turns of the parallel loop over ${shared.index.name} accumulate the same ${local.name}`);
    if (declared.assigned) refuse(`${local.name} is accumulated as well as assigned`);
    if (declared.combiner && declared.combiner !== combiner) {
      refuse(`${local.name} is combined by ${declared.combiner} as well as by ${combiner}`);
    }
    const start = identity(combiner, local.dtype);
    if (!(initial.op === 'const' && initial.value === start)) {
      refuse(`${local.name} starts as ${showExpr(initial)}, and the identity of ${combiner} is ${start}`);
    }
    if ([...parts(value)].some((x) => x.op === 'local' && x.local === local))
      refuse(`${local.name} is read in what it accumulates`);
    declared.combiner = combiner;
  }

  private declared(local: Local, value: Expr, scope: Scope): Declared {
    const declared = scope.locals.get(local) ?? refuse(`${local.name} is not declared here`);
    sameDType(local, value);
    for (const index of dependsOn(value, scope)) declared.depends.add(index);
    return declared;
  }

  private store(buffer: Buffer, at: Expr, value: Expr, scope: Scope): void {
    this.buffer(buffer);
    wants('an address', 'int32', at);
    if (value.dtype !== buffer.dtype) refuse(`${buffer.name} holds ${buffer.dtype}, not ${value.dtype}`);
    outOfRange('store to', buffer, at, scope);
    meeting(buffer, at, scope);
  }
}

const wants = (what: string, dtype: DType, x: Expr): void => {
  if (x.dtype !== dtype) refuse(`${what} is ${dtype}, not ${x.dtype}`);
};

const sameDType = (local: Local, value: Expr): void => {
  if (local.dtype !== value.dtype) refuse(`${local.name} is ${local.dtype}, not ${value.dtype}`);
};

/** The loops between the declaration of a local and here. */
const between = ({ depth }: Declared, { loops }: Scope): readonly Around[] => loops.slice(depth);

/** Locals from outside that these statements accumulate, at any depth. */
function accumulatedIn(stmts: readonly Stmt[]): readonly Local[] {
  const born = new Set(stmts.flatMap((stmt) => (stmt.kind === 'local' ? [stmt.local] : [])));
  const found = stmts.flatMap((stmt) => (stmt.kind === 'accumulate' ? [stmt.local] : accumulatedIn(inner(stmt))));
  return found.filter((local) => !born.has(local));
}

/** The indices that an expression depends on, through locals as well. */
function dependsOn(root: Expr, { locals }: Scope): Set<Index> {
  const found = new Set<Index>();
  for (const x of parts(root)) {
    if (x.op === 'index') found.add(x.index);
    if (x.op === 'local') for (const index of locals.get(x.local)?.depends ?? []) found.add(index);
  }
  return found;
}

/** An expression and everything in it, each once. */
function parts(x: Expr, seen = new Set<Expr>()): ReadonlySet<Expr> {
  if (!seen.has(x)) {
    seen.add(x);
    for (const operand of operands(x)) parts(operand, seen);
  }
  return seen;
}

/** The number of turns, if that is known. */
const turns = ({ extent }: Index): number | null => (extent.op === 'const' ? extent.value : null);

/**
 * Refuse an access that happens and is out of range: indices of loops around are independent, so that a sum of their multiples
 * takes both of its bounds; of other addresses, all must be outside.
 */
function outOfRange(what: string, buffer: Buffer, at: Expr, { loops, conditions }: Scope): void {
  if (conditions.length > 0 || buffer.size.op !== 'const' || loops.some(({ index }) => !turns(index))) return;
  const { low, high } = range(at);
  const last = buffer.size.value - 1;
  const exact = [...linear(at).terms.keys()].every((atom) => atom.op === 'index');
  if (exact ? low < 0 || high > last : high < 0 || low > last) {
    const bounds = low === high ? `${low}` : `${low} to ${high}`;
    refuse(`${what} ${buffer.name}[${showExpr(at)}], which is ${bounds}, is out of range: it holds ${last + 1}`);
  }
}

/** Refuse a store in which two turns of a loop meet. */
function meeting(buffer: Buffer, at: Expr, scope: Scope): void {
  const { loops } = scope;
  if (loops.some(({ index }) => turns(index) === 0)) return;
  const own = buffer.kind === 'scratch' ? loops.findLastIndex(({ role }) => role === 'parallel') + 1 : 0;
  const guarded = new Set(scope.conditions.flatMap((condition) => [...dependsOn(condition, scope)]));
  const depends = dependsOn(at, scope);
  const coefficient = affine(at, scope);
  loops.forEach(({ index, role }, depth) => {
    if (role === 'serial' || depth < own || guarded.has(index) || (turns(index) ?? 2) < 2) return;
    if (!depends.has(index)) {
      refuse(`turns of the ${role} loop over ${index.name} store to the same ${buffer.name}[${showExpr(at)}]`);
    }
    for (const { index: other } of loops.slice(depth + 1)) {
      const [a, b] = [coefficient(index), coefficient(other)];
      if (!a || !b || guarded.has(other)) continue;
      // a·x + b·y has the same value at (x + b/g, y − a/g).
      const g = gcd(Math.abs(a), Math.abs(b));
      if (Math.abs(b) / g < (turns(index) ?? 0) && Math.abs(a) / g < (turns(other) ?? 0)) {
        refuse(
          `turns of the ${role} loop over ${index.name} store to the same ${buffer.name}[${showExpr(at)}] for different ${other.name}`,
        );
      }
    }
  });
}

/** The factor of an index in an address, if that depends on the index in no other way; else `null`. */
function affine(at: Expr, scope: Scope): (index: Index) => number | null {
  const { terms } = linear(at);
  const rest = new Set<Index>();
  const factors = new Map<Index, number>();
  for (const [atom, factor] of terms) {
    if (atom.op === 'index') factors.set(atom.index, factor);
    else for (const index of dependsOn(atom, scope)) rest.add(index);
  }
  return (index) => (rest.has(index) ? null : (factors.get(index) ?? null));
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
