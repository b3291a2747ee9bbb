/**
 * Kernels at the places of a plan: operands that lie at one place are one binding, since no buffer may be bound twice where it is written,
 * and addresses begin where the place does. How far a place has moved with the turns of loops is a parameter of the kernel.
 */

import { byteSize } from '../../src/core/dtype.ts';
import { CompileError } from '../../src/core/errors.ts';
import { apply, type Buffer, type Expr, int, load, operands as operandsOf, size } from '../loop/ir/expr.ts';
import { plus, times } from '../loop/ir/integer.ts';
import type { Kernel, Stmt } from '../loop/ir/kernel.ts';
import { substitution } from '../loop/ir/rewrite.ts';
import { remainderIn } from '../loop/math/integer.ts';
import { type Counter, type Place, samePlace } from '../loop/plan/program.ts';

/** A kernel over whole buffers: each operand is one, at the place of the same number. */
export interface Placed {
  readonly kernel: Kernel;
  readonly places: readonly Place[];
  /** What its parameters are, in order. */
  readonly counters: readonly Counter[];
}

export class Operands {
  readonly buffers: Buffer[] = [];
  readonly places: Place[] = [];
  readonly counters: Counter[] = [];
  private readonly by = new Map<Buffer, { readonly buffer: Buffer; readonly base: Expr }>();
  private readonly rewritten = new Map<Expr, Expr>();

  constructor(buffers: readonly Buffer[], places: readonly Place[]) {
    buffers.forEach((buffer, i) => this.bind(buffer, places[i]!));
  }

  private bind(buffer: Buffer, place: Place): void {
    const same = this.places.findIndex((other) => samePlace(other, place));
    const found = same < 0 ? null : this.buffers[same]!;
    if (found && found.dtype !== buffer.dtype) {
      throw new CompileError({
        op: 'webgpu',
        problem: `a kernel has ${found.dtype} and ${buffer.dtype} at one place`,
        remedy: 'this is a bug in the planner; please report it',
      });
    }
    const own = found ?? { ...buffer, name: `b${this.buffers.length}` };
    if (!found) {
      this.buffers.push(own);
      this.places.push(place);
    }
    this.by.set(buffer, { buffer: own, base: this.base(place, byteSize(buffer.dtype)) });
  }

  private base({ offset, steps }: Place, width: number): Expr {
    return steps.reduce(
      (sum, { counter, bytes }) => plus(sum, times(this.parameter(counter), int(bytes / width))),
      int(offset / width),
    );
  }

  private parameter(counter: Counter): Expr {
    const found = this.counters.indexOf(counter);
    return size(found < 0 ? this.counters.push(counter) - 1 : found);
  }

  /** The buffer that stands for an operand. */
  buffer(buffer: Buffer): Buffer {
    return this.by.get(buffer)?.buffer ?? buffer;
  }

  /** An address in an operand, in the buffer that stands for it. */
  address(buffer: Buffer, at: Expr): Expr {
    const base = this.by.get(buffer)?.base;
    return base ? plus(at, base) : at;
  }

  /** An expression with the loads of operands where they are. */
  readonly moved = (x: Expr): Expr => {
    let found = this.rewritten.get(x);
    const remainder = found ? null : remainderIn(x);
    if (remainder) {
      found = apply('rem', 'float32', ...remainder.map(this.moved));
      this.rewritten.set(x, found);
    }
    if (!found) {
      const loads = new Map<Expr, Expr>();
      const inner = operandsOf(x);
      for (const y of inner) {
        const z = this.moved(y);
        if (z !== y) loads.set(y, z);
      }
      found = loads.size > 0 ? replaced(x, loads) : x;
      if (x.op === 'load' && this.by.has(x.buffer)) {
        const y = found as typeof x;
        found = load(this.buffer(x.buffer), this.address(x.buffer, y.at), y.guard);
      }
      this.rewritten.set(x, found);
    }
    return found;
  };
}

/** A node with other operands. */
function replaced(x: Expr, by: ReadonlyMap<Expr, Expr>): Expr {
  if (x.op === 'load') return load(x.buffer, by.get(x.at) ?? x.at, x.guard && (by.get(x.guard) ?? x.guard));
  return substitution(by)(x);
}

/** A kernel with its operands at these places. */
export function placed(kernel: Kernel, places: readonly Place[]): Placed {
  const operands = new Operands(kernel.operands, places);
  const { moved } = operands;
  const stmt = (x: Stmt): Stmt => {
    switch (x.kind) {
      case 'loop':
        return { ...x, body: x.body.map(stmt) };
      case 'if':
        return { ...x, condition: moved(x.condition), body: x.body.map(stmt) };
      case 'store': {
        const at = operands.address(x.buffer, moved(x.at));
        return { ...x, buffer: operands.buffer(x.buffer), at, value: moved(x.value) };
      }
      default:
        return { ...x, value: moved(x.value) };
    }
  };
  const body = kernel.body.map(stmt);
  const { buffers, counters } = operands;
  return {
    kernel: { ...kernel, operands: buffers, sizes: counters.length, body },
    places: operands.places,
    counters,
  };
}
