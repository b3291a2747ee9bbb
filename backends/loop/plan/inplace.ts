/** Which operands may share their memory with a result: those that are read at an element's own address, and not again after it is stored. */

import { type Buffer, type Expr, operands } from '../ir/expr.ts';
import { expressions, inner, type Kernel, type Stmt } from '../ir/kernel.ts';

/** Operands of `kernel` in whose memory `target` may be written. */
export function inPlaceOperands(kernel: Kernel, target: Buffer): readonly Buffer[] {
  const leaf = only(kernel.body);
  if (!leaf) return [];
  const store = leaf.find((x) => x.kind === 'store' && x.buffer === target);
  if (store?.kind !== 'store') return [];
  const reads = new Map<Buffer, Set<Expr>>();
  const seen = new Set<Expr>();
  const visit = (x: Expr): void => {
    if (seen.has(x)) return;
    seen.add(x);
    if (x.op === 'load') {
      const at = reads.get(x.buffer) ?? new Set();
      reads.set(x.buffer, at.add(x.at));
    }
    operands(x).forEach(visit);
  };
  for (const stmt of leaf) expressions(stmt).forEach(visit);
  const later = new Set<Buffer>();
  seen.clear();
  const mark = (x: Expr): void => {
    if (seen.has(x)) return;
    seen.add(x);
    if (x.op === 'load') later.add(x.buffer);
    operands(x).forEach(mark);
  };
  for (const stmt of leaf.slice(leaf.indexOf(store) + 1)) expressions(stmt).forEach(mark);
  return kernel.operands.filter((buffer) => {
    const at = reads.get(buffer);
    return !later.has(buffer) && buffer.dtype === target.dtype && at?.size === 1 && at.has(store.at);
  });
}

/** Operands but `exceptions` in whose memory all of `kernels`, the same of different parts, may write `target`. */
export function inPlaceOfAll(
  kernels: readonly Kernel[],
  target: Buffer,
  exceptions: readonly Buffer[],
): readonly Buffer[] {
  const [first, ...rest] = kernels.map((kernel) => inPlaceOperands(kernel, target));
  return (first ?? []).filter((x) => !exceptions.includes(x) && rest.every((list) => list.includes(x)));
}

/** The statements of a nest that is loops around stores and nothing else. */
function only(body: readonly Stmt[]): readonly Stmt[] | null {
  if (body.every((x) => x.kind === 'store')) return body;
  return body.length === 1 && body[0]!.kind === 'loop' ? only(inner(body[0]!)) : null;
}
