/**
 * A long sum as two kernels: its blocks, each a turn of a `parallel` loop that leaves what it has summed in memory, and what is done with
 * them, in their order. Law: one after the other they do what the kernel does, to the bit.
 */

import { visit } from '../fuse/cluster.ts';
import { type Buffer, type Index, index, load } from '../ir/expr.ts';
import { expressions, inner, type Kernel, type Stmt } from '../ir/kernel.ts';

/** A kernel in two, and the buffers by which the first tells the second what it has summed. */
export interface Apart {
  readonly blocks: Kernel;
  readonly rest: Kernel;
  readonly sums: readonly Buffer[];
  /** Blocks: elements of each buffer. */
  readonly count: number;
}

type Loop = Extract<Stmt, { kind: 'loop' }>;
type Accumulate = Extract<Stmt, { kind: 'accumulate' }>;

/** From so many blocks on. */
const fewest = 4;

/** `null` for a kernel whose first loop is not over the blocks of a long sum. */
export function apart(kernel: Kernel): Apart | null {
  const at = kernel.body.findIndex(({ kind }) => kind === 'loop');
  const loop = kernel.body[at];
  if (loop?.kind !== 'loop' || loop.role !== 'serial' || !isLong(loop.index)) return null;
  const totals = loop.body.filter((stmt): stmt is Accumulate => stmt.kind === 'accumulate');
  if (totals.length === 0 || kernel.body.slice(0, at).some(({ kind }) => kind !== 'local')) return null;
  const own = new Set(loop.body.flatMap((stmt) => (stmt.kind === 'local' ? [stmt.local] : [])));
  const parts = totals.map(({ value }) => (value.op === 'local' && own.has(value.local) ? value : null));
  if (parts.some((part) => part === null) || buffersOf([loop]).some(({ kind }) => kind === 'scratch')) return null;
  const { extent } = loop.index;
  const count = extent.op === 'const' ? extent.value : 0;
  const sums = totals.map(
    ({ local }, i): Buffer => ({ name: `sums${i}`, dtype: local.dtype, kind: 'operand', size: extent }),
  );
  const block: Index = { ...loop.index };
  const stores = totals.map(
    ({ value }, i): Stmt => ({ kind: 'store', buffer: sums[i]!, at: index(loop.index), value }),
  );
  const summed: Loop = {
    ...loop,
    role: 'parallel',
    body: [...loop.body.filter(({ kind }) => kind !== 'accumulate'), ...stores],
  };
  const combined: Loop = {
    kind: 'loop',
    index: block,
    role: 'serial',
    body: totals.map((total, i) => ({ ...total, value: load(sums[i]!, index(block)) })),
  };
  const body = [...kernel.body.slice(0, at), combined, ...kernel.body.slice(at + 1)];
  const kernelOf = (name: string, statements: readonly Stmt[]): Kernel => ({
    ...kernel,
    name,
    operands: [...kernel.operands, ...sums].filter((buffer) => buffersOf(statements).includes(buffer)),
    scratch: kernel.scratch.filter((buffer) => buffersOf(statements).includes(buffer)),
    body: statements,
  });
  return { blocks: kernelOf(`${kernel.name}_blocks`, [summed]), rest: kernelOf(kernel.name, body), sums, count };
}

const isLong = ({ extent }: Index): boolean => extent.op === 'const' && extent.value >= fewest;

/** Buffers that statements load from or store to. */
function buffersOf(statements: readonly Stmt[]): readonly Buffer[] {
  const found = new Set<Buffer>();
  const look = (stmt: Stmt): void => {
    visit(expressions(stmt), (x) => {
      if (x.op === 'load') found.add(x.buffer);
    });
    if (stmt.kind === 'store') found.add(stmt.buffer);
    inner(stmt).forEach(look);
  };
  statements.forEach(look);
  return [...found];
}
