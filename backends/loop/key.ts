/**
 * When two kernels are the same: a text that is equal for kernels equal up to names, under which compiled code is cached.
 *
 * The text lists every expression once, under a number, and the statements in terms of these. Sums of int32 are written in one normal
 * form, and operands that commute in one order, whatever order they were built in.
 */

import {
  after,
  inside,
  type Levels,
  numberText,
  operandsIn,
  ordered,
  orderOf,
  outermost,
  summands,
} from './canonical.ts';
import type { Buffer, Expr } from './ir/expr.ts';
import { inner, type Kernel, type Stmt } from './ir/kernel.ts';

/** Equal for kernels that are equal up to the names of everything. */
export function kernelKey(kernel: Kernel): string {
  const numbers = new Map<string, number>();
  const number = (definition: string): number => {
    let found = numbers.get(definition);
    if (found === undefined) {
      found = numbers.size;
      numbers.set(definition, found);
    }
    return found;
  };

  /** Numbers of expressions where this is bound. */
  function numbering(levels: Levels): (x: Expr) => number {
    const order = orderOf(levels, 'exact');
    const found = new Map<Expr, number>();
    const of = (x: Expr): number => {
      let n = found.get(x);
      if (n === undefined) {
        n = number(definition(x));
        found.set(x, n);
      }
      return n;
    };
    const level = (thing: object): number => levels.of.get(thing) ?? -1;
    const definition = (x: Expr): string => {
      switch (x.op) {
        case 'const':
          return numberText(x.value, x.dtype);
        case 'size':
          return `$${x.slot}`;
        case 'index':
          return `i${level(x.index)}`;
        case 'local':
          return `l${level(x.local)}`;
        case 'load':
          return `b${level(x.buffer)}[${of(x.at)}${x.guard ? ` if ${of(x.guard)}` : ''}]`;
        case 'call':
          return `math.${x.name}(${x.args.map(of)})`;
        case 'apply': {
          const sum = summands(x);
          if (sum)
            return `${ordered(sum, order)
              .map(([atom, c]) => `${c}*${of(atom)}`)
              .join('+')}+${sum.constant}`;
          return `${x.fn}:${x.dtype}(${operandsIn(x, order).map(of)})`;
        }
      }
    };
    return of;
  }

  const block = (stmts: readonly Stmt[], outer: Levels): string => {
    let levels = outer;
    const texts: string[] = [];
    for (const stmt of stmts) {
      texts.push(statement(stmt, numbering(levels), levels) + body(stmt, levels));
      levels = after(levels, stmt);
    }
    return texts.join(';');
  };
  const body = (stmt: Stmt, levels: Levels): string => {
    const stmts = inner(stmt);
    return stmts.length > 0 ? `{${block(stmts, inside(levels, stmt))}}` : '';
  };

  const declared = ({ dtype, size }: Buffer): string => `${dtype} ${numbering(outermost(kernel))(size)}`;
  const head = `${kernel.operands.map(declared)}|${kernel.scratch.map(declared)}|${kernel.sizes}`;
  const text = block(kernel.body, outermost(kernel));
  return `${head}|${[...numbers.keys()].join(' ')}|${text}`;
}

/** A statement itself; locals are bound to the next number. */
function statement(stmt: Stmt, of: (x: Expr) => number, levels: Levels): string {
  switch (stmt.kind) {
    case 'loop':
      return `${stmt.role} ${of(stmt.index.extent)}`;
    case 'local':
      return `local ${stmt.local.dtype} ${of(stmt.value)}`;
    case 'assign':
      return `l${levels.of.get(stmt.local)} = ${of(stmt.value)}`;
    case 'accumulate':
      return `l${levels.of.get(stmt.local)} ${stmt.combiner} ${of(stmt.value)}`;
    case 'store':
      return `b${levels.of.get(stmt.buffer)}[${of(stmt.at)}] = ${of(stmt.value)}`;
    case 'if':
      return `if ${of(stmt.condition)}`;
  }
}
