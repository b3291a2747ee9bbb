/** Expressions with others in their place. */

import { apply, call, type Expr, load, operands } from './expr.ts';
import { minus, plus, quotient, remainder, times } from './integer.ts';

/** The same node over other operands, indices simplified anew. */
function rebuilt(x: Expr, args: readonly Expr[]): Expr {
  if (x.op === 'load') return load(x.buffer, args[0]!, args[1] ?? null);
  if (x.op === 'call') return call(x.name, ...args);
  if (x.op !== 'apply') return x;
  if (x.dtype === 'int32') {
    const [a, b] = args as readonly [Expr, Expr];
    if (x.fn === 'add') return plus(a, b);
    if (x.fn === 'sub') return minus(a, b);
    if (x.fn === 'mul') return times(a, b);
    if (x.fn === 'quotient') return quotient(a, b);
    if (x.fn === 'remainder') return remainder(a, b);
  }
  return apply(x.fn, x.dtype, ...args);
}

/** A function that puts `by.get(x)` for every x in an expression, and remembers what it has seen. */
export function substitution(by: ReadonlyMap<Expr, Expr>): (x: Expr) => Expr {
  const done = new Map<Expr, Expr>(by);
  const go = (x: Expr): Expr => {
    const found = done.get(x);
    if (found) return found;
    const before = operands(x);
    const after = before.map(go);
    const made = after.every((y, i) => y === before[i]) ? x : rebuilt(x, after);
    done.set(x, made);
    return made;
  };
  return go;
}
