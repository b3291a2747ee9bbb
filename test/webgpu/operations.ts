/** A kernel for every operation and dtype that WGSL has, on all pairs of edge values. */

import {
  apply,
  type Buffer,
  binaryFns,
  compareFns,
  type Expr,
  type Fn,
  type Index,
  index,
  int,
  load,
  unaryFns,
} from '../../backends/loop/ir/expr.ts';
import type { Kernel } from '../../backends/loop/ir/kernel.ts';
import { applies } from '../../backends/loop/scalar.ts';
import { edges } from '../../laws/arbitrary/elements.ts';
import { allocate, type DType, type TypedArray } from '../../src/core/dtype.ts';
import { isSubnormal, type Tolerance } from './compare.ts';

export interface Operation {
  readonly name: string;
  readonly kernel: Kernel;
  readonly operands: () => readonly TypedArray[];
  readonly tolerance: Tolerance;
}

const dtypes = ['bool', 'uint32', 'int32', 'float32'] as const;

const among = (list: readonly string[], fn: Fn): boolean => list.includes(fn);

/** What WGSL allows itself: 2.5 units for quotients and square roots, and operands that are subnormal may be taken for 0. */
const toleranceOf = (fn: Fn, dtype: DType): Tolerance & { readonly flushing: boolean } => ({
  ulps: dtype === 'float32' && (fn === 'div' || fn === 'sqrt') ? 3 : 0,
  scale: 0,
  flushing:
    dtype === 'float32' && ['add', 'sub', 'mul', 'div', 'sqrt', 'floor', 'ceil', 'trunc', 'nearest'].includes(fn),
});

function operation(
  name: string,
  from: DType,
  to: DType,
  value: (x: Expr, y: Expr) => Expr,
  { flushing = false, ...tolerance }: Tolerance & { readonly flushing?: boolean },
): Operation {
  // Beside the edges, numbers that round.
  const all = from === 'float32' ? [...edges[from], 1.5, 2.5, -0.3, 7.25, 1e10, Math.PI] : edges[from];
  const values = flushing ? all.filter((x) => !isSubnormal(x)) : all;
  const pairs = values.flatMap((x) => values.map((y) => [x, y] as const));
  const n = pairs.length;
  const buffer = (label: string, dtype: DType): Buffer => ({ name: label, dtype, kind: 'operand', size: int(n) });
  const [x, y, out] = [buffer('x', from), buffer('y', from), buffer('out', to)];
  const i: Index = { name: 'i', extent: int(n) };
  const at = index(i);
  const kernel: Kernel = {
    name,
    operands: [x, y, out],
    scratch: [],
    sizes: 0,
    body: [
      {
        kind: 'loop',
        index: i,
        role: 'vector',
        body: [{ kind: 'store', buffer: out, at, value: value(load(x, at), load(y, at)) }],
      },
    ],
  };
  const operands = (): readonly TypedArray[] => {
    const [a, b] = [allocate(from, n), allocate(from, n)];
    a.set(pairs.map(([x]) => x));
    b.set(pairs.map(([, y]) => y));
    return [a, b, allocate(to, n)];
  };
  return { name, kernel, operands, tolerance };
}

export const operations = (): readonly Operation[] =>
  dtypes.flatMap((dtype) => [
    ...[...unaryFns, ...binaryFns]
      .filter((fn) => applies(fn, dtype) && fn !== 'quotient' && fn !== 'remainder')
      .map((fn) =>
        operation(
          `${fn} of ${dtype}`,
          dtype,
          dtype,
          (x, y) => (among(unaryFns, fn) ? apply(fn, dtype, x) : apply(fn, dtype, x, y)),
          toleranceOf(fn, dtype),
        ),
      ),
    ...compareFns.map((fn) =>
      operation(`${fn} of ${dtype}`, dtype, 'bool', (x, y) => apply(fn, 'bool', x, y), toleranceOf(fn, dtype)),
    ),
    ...dtypes
      .filter((to) => to !== dtype)
      .map((to) =>
        operation(`convert ${dtype} to ${to}`, dtype, to, (x) => apply('convert', to, x), toleranceOf('convert', to)),
      ),
    ...dtypes
      .filter((to) => to !== dtype && to !== 'bool' && dtype !== 'bool')
      .map((to) =>
        operation(`bitcast ${dtype} to ${to}`, dtype, to, (x) => apply('bitcast', to, x), toleranceOf('bitcast', to)),
      ),
  ]);
