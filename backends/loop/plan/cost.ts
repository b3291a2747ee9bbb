/**
 * What steps cost, counted from what they say: arithmetic on floats times the turns of the loops around it, and the elements of memory
 * that are read and written.
 */

import { byteSize, isFloat } from '../../../src/core/dtype.ts';
import { type Buffer, type Expr, type Fn, operands } from '../ir/expr.ts';
import { range } from '../ir/integer.ts';
import { expressions, inner, type Kernel, type Stmt } from '../ir/kernel.ts';
import type { ContractedAxis, Contraction, Convolution, Epilogue, Step } from './program.ts';

export interface Cost {
  readonly flops: number;
  readonly bytes: number;
}

const free: Cost = { flops: 0, bytes: 0 };
const plus = (a: Cost, b: Cost): Cost => ({ flops: a.flops + b.flops, bytes: a.bytes + b.bytes });
const product = (list: readonly number[]): number => list.reduce((n, x) => n * x, 1);

/** Operations on floats that are arithmetic: choices, comparisons and changes of representation are not. */
const arithmetic: ReadonlySet<Fn> = new Set<Fn>([
  ...(['neg', 'abs', 'sqrt', 'floor', 'ceil', 'trunc', 'nearest'] as const),
  ...(['add', 'sub', 'mul', 'div', 'rem', 'min', 'max', 'copysign', 'madd'] as const),
]);

/** Operations of one evaluation of a node, without its operands. */
function flopsOf(x: Expr): number {
  if (x.op === 'call') return 1;
  if (x.op !== 'apply' || !isFloat(x.dtype) || !arithmetic.has(x.fn)) return 0;
  return x.fn === 'madd' ? 2 : 1;
}

/** Loads, and stores, of each buffer. */
export interface Accesses {
  readonly loads: ReadonlyMap<Buffer, number>;
  readonly stores: ReadonlyMap<Buffer, number>;
}

/** The greatest value of a size or extent; 1 where it is not known before the kernel runs. */
function most(x: Expr): number {
  const { high } = range(x);
  return Number.isFinite(high) ? Math.max(high, 0) : 1;
}

/** What a kernel computes, of floats and of all: an expression that a statement uses twice is computed once. What is in an `if` counts as if it held. */
export function countKernel(kernel: Kernel): Accesses & { readonly flops: number; readonly operations: number } {
  const loads = new Map<Buffer, number>();
  const stores = new Map<Buffer, number>();
  const more = (map: Map<Buffer, number>, buffer: Buffer, turns: number): void => {
    map.set(buffer, (map.get(buffer) ?? 0) + turns);
  };
  let [flops, operations] = [0, 0];
  const visit = (stmt: Stmt, turns: number): void => {
    const seen = new Set<Expr>();
    const evaluate = (x: Expr): void => {
      if (seen.has(x)) return;
      seen.add(x);
      flops += turns * flopsOf(x);
      if (x.op === 'apply' || x.op === 'call') operations += turns;
      if (x.op === 'load') more(loads, x.buffer, turns);
      operands(x).forEach(evaluate);
    };
    expressions(stmt).forEach(evaluate);
    if (stmt.kind === 'accumulate' && isFloat(stmt.local.dtype)) flops += turns;
    if (stmt.kind === 'store') more(stores, stmt.buffer, turns);
    const times = stmt.kind === 'loop' ? turns * most(stmt.index.extent) : turns;
    for (const child of inner(stmt)) visit(child, times);
  };
  for (const stmt of kernel.body) visit(stmt, 1);
  return { flops, operations, loads, stores };
}

/**
 * A buffer of which more elements are read than it has is read once: the rest comes from caches.
 *
 * @param near - a buffer that is in the nearest cache
 */
function kernelCost(kernel: Kernel, near: Buffer | null = null): Cost {
  const { flops, loads, stores } = countKernel(kernel);
  let bytes = 0;
  for (const count of [loads, stores]) {
    for (const [buffer, turns] of count) {
      const { kind, dtype, size } = buffer;
      if (kind === 'operand' && buffer !== near) bytes += Math.min(turns, most(size)) * byteSize(dtype);
    }
  }
  return { flops, bytes };
}

function contractionCost({ dtype, batch, m, n, k }: Contraction): Cost {
  const axes = [...batch, ...m, ...n, ...k];
  const size = (operand: 'a' | 'b' | 'c', of: readonly ContractedAxis[]): number =>
    product(of.map((axis) => (axis[operand] === 0 ? 1 : axis.extent)));
  const elements = size('a', axes) + size('b', axes) + size('c', axes);
  return {
    flops: isFloat(dtype) ? 2 * product(axes.map(({ extent }) => extent)) : 0,
    bytes: elements * byteSize(dtype),
  };
}

/** Pairs of a window's place and a tap that meet an element, along one axis: zeros that padding and dilation bring are not multiplied. */
function meetings(axis: Convolution['spatial'][number]): number {
  const last = (axis.in - 1) * axis.lhsDilation;
  let count = 0;
  for (let window = 0; window < axis.out; window++) {
    for (let tap = 0; tap < axis.window; tap++) {
      const at = window * axis.stride + tap * axis.rhsDilation - axis.padLow;
      if (at >= 0 && at <= last && at % axis.lhsDilation === 0) count += 1;
    }
  }
  return count;
}

function convolutionCost(x: Convolution): Cost {
  const batch = x.batch / x.batchGroups;
  const inputs = x.inFeatures / x.groups;
  const along = (axis: 'in' | 'out' | 'window'): number => product(x.spatial.map((s) => s[axis]));
  const lhs = x.batch * x.inFeatures * along('in');
  const rhs = x.outFeatures * inputs * along('window');
  const out = batch * x.outFeatures * along('out');
  return {
    flops: isFloat(x.dtype) ? 2 * batch * x.outFeatures * inputs * product(x.spatial.map(meetings)) : 0,
    bytes: (lhs + rhs + out) * byteSize(x.dtype),
  };
}

/** Beside the product, which is written once. */
const epilogueCost = (epilogue: Epilogue | null): Cost =>
  epilogue ? kernelCost(epilogue.kernel, epilogue.product) : free;

/** Of one turn, without the steps in it. */
export function ownCost(step: Step): Cost {
  switch (step.kind) {
    case 'kernel':
      return kernelCost(step.kernel);
    case 'contract':
      return plus(contractionCost(step.contraction), epilogueCost(step.epilogue));
    case 'convolve':
      return plus(convolutionCost(step.convolution), epilogueCost(step.epilogue));
    case 'copy':
      return { flops: 0, bytes: 2 * step.bytes };
    default:
      return free;
  }
}

/** Of a run. The body of a `while` counts once, its condition twice; of branches the one with the most flops, then bytes. */
export function costOf(steps: readonly Step[]): Cost {
  return steps.map(wholeCost).reduce(plus, free);
}

function wholeCost(step: Step): Cost {
  switch (step.kind) {
    case 'repeat': {
      const { flops, bytes } = costOf(step.body);
      return { flops: flops * step.counter.length, bytes: bytes * step.counter.length };
    }
    case 'while': {
      const condition = costOf(step.condition);
      return plus(plus(condition, condition), costOf(step.body));
    }
    case 'branch':
      return step.branches
        .map(costOf)
        .reduce((a, b) => (b.flops > a.flops || (b.flops === a.flops && b.bytes > a.bytes) ? b : a), free);
    default:
      return ownCost(step);
  }
}
