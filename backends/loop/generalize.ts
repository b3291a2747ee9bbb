/**
 * Kernels for all sizes: the whole numbers in extents and addresses become parameters, so that kernels that differ in sizes only are
 * compiled once.
 *
 * 0 and 1 stay, as they decide what a loop is (contiguous or not, there or not). A number is lifted where it stands: what happens to
 * be equal in one kernel need not be in the next. An expression of indices that occurs twice is still lifted once, so that `x[i·8 + j]`
 * and `out[i·8 + j]` go on sharing their address.
 */

import {
  after,
  inside,
  type Levels,
  type Order,
  operandsIn,
  ordered,
  orderOf,
  outermost,
  summands,
} from './canonical.ts';
import { apply, type Buffer, call, type Expr, type Index, index, int, load, size } from './ir/expr.ts';
import { plus, times } from './ir/integer.ts';
import type { Kernel, Stmt } from './ir/kernel.ts';

/** A kernel that takes its sizes, and the sizes of the kernel that it was made of. */
export interface Generalized {
  readonly kernel: Kernel;
  /** What to pass after the sizes that the kernel took before. */
  readonly sizes: readonly number[];
}

/** Lift the whole numbers other than 0 and ±1 out of extents, addresses, guards and sizes of buffers. Law: it runs the same. */
export function generalized(kernel: Kernel): Generalized {
  const lifting = new Lifting(kernel.sizes);
  const operands = kernel.operands.map((buffer) => lifting.buffer(buffer));
  const scratch = kernel.scratch.map((buffer) => lifting.buffer(buffer));
  const body = lifting.block(kernel.body, outermost(kernel));
  return {
    kernel: { ...kernel, operands, scratch, sizes: kernel.sizes + lifting.sizes.length, body },
    sizes: lifting.sizes,
  };
}

class Lifting {
  readonly sizes: number[] = [];
  private readonly first: number;
  private readonly buffers = new Map<Buffer, Buffer>();
  private readonly indices = new Map<Index, Index>();
  /** Expressions as values, and as (parts of) addresses. */
  private readonly rebuilt = { value: new Map<Expr, Expr>(), address: new Map<Expr, Expr>() };

  constructor(first: number) {
    this.first = first;
  }

  /** A number as a size of the kernel; sizes are not negative. */
  private lift(value: number): Expr {
    if (Math.abs(value) < 2 || value < -2147483647) return int(value);
    const slot = size(this.first + this.sizes.push(Math.abs(value)) - 1);
    return value < 0 ? times(slot, int(-1)) : slot;
  }

  buffer(buffer: Buffer): Buffer {
    let found = this.buffers.get(buffer);
    if (!found) {
      found = { ...buffer, size: buffer.size.op === 'const' ? this.lift(buffer.size.value) : buffer.size };
      this.buffers.set(buffer, found);
    }
    return found;
  }

  block(stmts: readonly Stmt[], outer: Levels): readonly Stmt[] {
    let levels = outer;
    return stmts.map((stmt) => {
      const made = this.statement(stmt, levels);
      levels = after(levels, stmt);
      return made;
    });
  }

  private statement(stmt: Stmt, levels: Levels): Stmt {
    const order = orderOf(levels, 'alike');
    const address = (x: Expr): Expr => this.rebuild(x, 'address', order);
    const value = (x: Expr): Expr => this.rebuild(x, 'value', order);
    switch (stmt.kind) {
      case 'loop': {
        const { index } = stmt;
        const made = this.indices.get(index) ?? { ...index, extent: address(index.extent) };
        this.indices.set(index, made);
        return { ...stmt, index: made, body: this.block(stmt.body, inside(levels, stmt)) };
      }
      case 'local':
      case 'assign':
      case 'accumulate':
        return { ...stmt, value: value(stmt.value) };
      case 'store':
        return { ...stmt, buffer: this.buffer(stmt.buffer), at: address(stmt.at), value: value(stmt.value) };
      case 'if':
        return { ...stmt, condition: address(stmt.condition), body: this.block(stmt.body, levels) };
    }
  }

  private rebuild(x: Expr, as: 'value' | 'address', order: Order): Expr {
    // Not remembered: each place has a number of its own.
    if (x.op === 'const') return as === 'address' && x.dtype === 'int32' ? this.lift(x.value) : x;
    const mode = as === 'address' || ofIndices(x) ? 'address' : 'value';
    const known = this.rebuilt[mode];
    let made = known.get(x);
    if (!made) {
      made = this.made(x, mode, order);
      known.set(x, made);
    }
    return made;
  }

  private made(x: Expr, as: 'value' | 'address', order: Order): Expr {
    const rebuild = (y: Expr): Expr => this.rebuild(y, as, order);
    switch (x.op) {
      case 'const':
      case 'size':
      case 'local':
        return x;
      case 'index':
        return index(this.indices.get(x.index) ?? x.index);
      case 'load': {
        const guard = x.guard && this.rebuild(x.guard, 'address', order);
        return load(this.buffer(x.buffer), this.rebuild(x.at, 'address', order), guard);
      }
      case 'call':
        return call(x.name, ...x.args.map(rebuild));
      case 'apply': {
        const sum = as === 'address' ? summands(x) : null;
        if (!sum) {
          // Numbers are lifted in an order that does not depend on how the operation was written.
          const made = new Map(operandsIn(x, order).map((y) => [y, rebuild(y)]));
          return apply(x.fn, x.dtype, ...x.args.map((y) => made.get(y)!));
        }
        let total: Expr = int(0);
        for (const [atom, factor] of ordered(sum, order)) total = plus(total, times(rebuild(atom), this.lift(factor)));
        return plus(total, this.lift(sum.constant));
      }
    }
  }
}

const indexed = new WeakMap<Expr, boolean>();

/**
 * Is this whole-number arithmetic on indices, or a comparison of it? Numbers in it are sizes, wherever it is used. So is a number that is
 * converted to uint32 rather than written as one: what starts that are data are compared with.
 */
function ofIndices(x: Expr): boolean {
  if (x.op === 'index') return true;
  if (x.op !== 'apply') return false;
  if (x.fn === 'convert' && x.dtype === 'uint32' && x.args[0]!.op === 'const') return true;
  let found = indexed.get(x);
  if (found === undefined) {
    found = x.args.some((y) => y.dtype === 'int32' && ofIndices(y)) && (x.dtype === 'int32' || x.dtype === 'bool');
    indexed.set(x, found);
  }
  return found;
}
