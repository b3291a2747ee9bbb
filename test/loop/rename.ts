/** A kernel built anew under other names, its sums and other commutative operations the other way round. */

import {
  apply,
  type Buffer,
  call,
  type Expr,
  type Fn,
  type Index,
  index,
  type Local,
  load,
  read,
} from '../../backends/loop/ir/expr.ts';
import type { Kernel, Stmt } from '../../backends/loop/ir/kernel.ts';

const turned: ReadonlySet<Fn> = new Set(['add', 'mul', 'min', 'max', 'and', 'or', 'xor', 'eq', 'ne']);

export function renamed(kernel: Kernel): Kernel {
  const others = new Map<object, unknown>();
  const other = <T extends object>(thing: T, make: () => T): T => {
    if (!others.has(thing)) others.set(thing, make());
    return others.get(thing) as T;
  };
  const name = (): string => `n${others.size}`;
  const buffer = (b: Buffer): Buffer => other(b, () => ({ ...b, name: name() }));
  const local = (l: Local): Local => other(l, () => ({ ...l, name: name() }));
  const loopIndex = (i: Index): Index => other(i, () => ({ name: name(), extent: expr(i.extent) }));
  const expr = (x: Expr): Expr =>
    other(x, () => {
      switch (x.op) {
        case 'const':
        case 'size':
          return x;
        case 'index':
          return index(loopIndex(x.index));
        case 'local':
          return read(local(x.local));
        case 'load':
          return load(buffer(x.buffer), expr(x.at), x.guard && expr(x.guard));
        case 'call':
          return call(x.name, ...x.args.map(expr));
        case 'apply': {
          // Built from the right, so that what is numbered by age comes in another order.
          const args = x.args.toReversed().map(expr);
          return apply(x.fn, x.dtype, ...(turned.has(x.fn) ? args : args.reverse()));
        }
      }
    });
  const stmt = (s: Stmt): Stmt => {
    switch (s.kind) {
      case 'loop':
        return { ...s, index: loopIndex(s.index), body: s.body.map(stmt) };
      case 'local':
      case 'assign':
      case 'accumulate':
        return { ...s, value: expr(s.value), local: local(s.local) };
      case 'store':
        return { ...s, value: expr(s.value), at: expr(s.at), buffer: buffer(s.buffer) };
      case 'if':
        return { ...s, condition: expr(s.condition), body: s.body.map(stmt) };
    }
  };
  return {
    ...kernel,
    name: 'other',
    operands: kernel.operands.map(buffer),
    scratch: kernel.scratch.map(buffer),
    body: kernel.body.map(stmt),
  };
}
