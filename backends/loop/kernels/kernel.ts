/** Equations that are loops of their own. */

import type { Aval } from '../../../src/core/aval.ts';
import { type Eqn, isLiteral } from '../../../src/core/jaxpr.ts';
import type { Shape } from '../../../src/core/shape.ts';
import { type Buffer, constant, type Expr, type Index, index, int, load } from '../ir/expr.ts';
import { flat } from '../ir/integer.ts';
import type { Kernel, LoopRole, Stmt } from '../ir/kernel.ts';
import { literal } from '../lower/elements.ts';

/** One equation, as its loops see it. */
export interface Site<P> {
  readonly ins: readonly Aval[];
  readonly out: Aval;
  readonly params: P;
  /** An element of an operand. */
  read(operand: number, at: readonly Expr[], guard?: Expr | null): Expr;
  /** Memory of the result, the first if there are several. */
  readonly target: Buffer;
  /** Memory of all results. */
  readonly targets: readonly Buffer[];
  /** Whether turns that do not depend on each other are to be the outer ones, whatever the order of memory, as there are threads for all. */
  readonly massive: boolean;
}

/** The statements of an equation, before those of which the result is the operand's memory. */
export interface Loops {
  /** What fills the result first, left out where its memory is that of an operand with the same elements. */
  readonly start: readonly Stmt[];
  readonly rest: readonly Stmt[];
  /** The operand whose elements `start` copies. */
  readonly updates: number | null;
  /** Memory that each turn of the outer loops needs for itself. */
  readonly scratch?: readonly Buffer[];
}

export type Write<P> = (site: Site<P>) => Loops;

/** A kernel, and what it is where the result lies in the memory of an operand that nobody needs any more. */
export interface Standalone {
  readonly kernel: Kernel;
  readonly inPlace: { readonly operand: number; readonly kernel: Kernel } | null;
}

export function standalone(
  name: string,
  eqn: Eqn,
  buffer: (x: Eqn['ins'][number]) => Buffer,
  write: Write<never>,
  massive = false,
): Standalone {
  const out = eqn.outs[0]!;
  const targets = eqn.outs.map(buffer);
  const target = targets[0]!;
  const used = new Set<Buffer>();
  const site: Site<unknown> = {
    ins: eqn.ins.map((x) => x.aval),
    out: out.aval,
    params: eqn.params,
    target,
    targets,
    massive,
    read(operand, at, guard = null) {
      const x = eqn.ins[operand]!;
      if (isLiteral(x)) return literal(x.aval, x.value);
      const source = buffer(x);
      used.add(source);
      return load(source, flat(at, x.aval.shape), guard);
    },
  };
  const { start, rest, updates, scratch = [] } = write(site as never);
  const kernel = (body: readonly Stmt[]): Kernel => ({
    name,
    operands: [...used, ...targets],
    scratch,
    sizes: 0,
    body,
  });
  const operand = updates === null ? null : eqn.ins[updates]!;
  return {
    kernel: kernel([...start, ...rest]),
    inPlace: operand === null || isLiteral(operand) ? null : { operand: updates!, kernel: kernel(rest) },
  };
}

/** Loop variables over a shape; axes of length 1 have none. */
export function axesOf(shape: Shape): { readonly indices: readonly (Index | null)[]; readonly at: readonly Expr[] } {
  const indices = shape.map((n, axis) => (n === 1 ? null : { name: `i${axis}`, extent: int(n) }));
  return { indices, at: indices.map((x) => (x ? index(x) : int(0))) };
}

/** Loops around statements, the first index outermost. */
export function loops(indices: readonly (Index | null)[], role: LoopRole, body: readonly Stmt[]): readonly Stmt[] {
  let statements = body;
  for (const x of [...indices].reverse()) {
    if (x) statements = [{ kind: 'loop', index: x, role, body: statements }];
  }
  return statements;
}

/** All elements of an array, several at a time. */
export function fill(target: Buffer, size: number, value: (at: Expr) => Expr): readonly Stmt[] {
  const { indices, at } = axesOf([size]);
  return loops(indices, 'vector', [{ kind: 'store', buffer: target, at: at[0]!, value: value(at[0]!) }]);
}

/** An array that is a number everywhere. */
export function filled(name: string, { dtype, size }: Aval, value: number): Kernel {
  const target: Buffer = { name: 'out', dtype, kind: 'operand', size: int(size) };
  const body = fill(target, size, () => constant(value, dtype));
  return { name, operands: [target], scratch: [], sizes: 0, body };
}
