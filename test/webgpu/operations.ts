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
import { math } from '../../backends/loop/math/index.ts';
import { applies } from '../../backends/loop/scalar.ts';
import { edges } from '../../laws/arbitrary/elements.ts';
import { allocate, type DType, type TypedArray } from '../../src/core/dtype.ts';
import type { Tolerance } from './compare.ts';

export interface Operation {
  readonly name: string;
  readonly kernel: Kernel;
  readonly operands: () => readonly TypedArray[];
  readonly tolerance: Tolerance;
}

const dtypes = ['bool', 'uint32', 'int32', 'float32'] as const;

const among = (list: readonly string[], fn: Fn): boolean => list.includes(fn);

/** How exact results are to be, of operands of at least this magnitude or 0. */
type Bound = Tolerance & { readonly least?: number };

/** What WGSL allows itself: 2.5 units for quotients and square roots, and operands that are subnormal may be taken for 0. */
const toleranceOf = (fn: Fn, dtype: DType): Bound => ({
  ulps: dtype === 'float32' && (fn === 'div' || fn === 'sqrt') ? 3 : 0,
  scale: 0,
  least:
    dtype === 'float32' && ['add', 'sub', 'mul', 'div', 'sqrt', 'floor', 'ceil', 'trunc', 'nearest'].includes(fn)
      ? 2 ** -126
      : 0,
});

function operation(
  name: string,
  from: DType,
  to: DType,
  value: (x: Expr, y: Expr) => Expr,
  { least = 0, ...tolerance }: Bound,
  more: readonly number[] = [],
): Operation {
  // Beside the edges, numbers that round.
  const all = from === 'float32' ? [...edges[from], 1.5, 2.5, -0.3, 7.25, 1e10, Math.PI] : edges[from];
  const values = all.filter((x) => x === 0 || !(Math.abs(x) < least));
  const pairs = [...values.flatMap((x) => values.map((y) => [x, y] as const)), ...more.map((x) => [x, x / 3] as const)];
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

/** Elementary functions of float32 that are formulas of such operations (`rem` is one of float64, and an operation above). */
const elementary = [
  ...['exp', 'exp2', 'expm1', 'log', 'log2', 'log1p', 'tanh', 'logistic', 'sinh', 'cosh', 'sin', 'cos', 'tan'],
  ...[
    'asin',
    'acos',
    'atan',
    'asinh',
    'acosh',
    'atanh',
    'rsqrt',
    'cbrt',
    'erf',
    'erfc',
    'erf_inv',
    'sign',
    'atan2',
    'pow',
  ],
] as const;

/** From 2⁻³⁰ to 2³⁰ of both signs, and evenly between −4 and 4. */
const grid = [
  ...Array.from({ length: 600 }, (_, i) => Math.fround((i % 2 ? 1 : -1) * 2 ** ((i - 300) / 10))),
  ...Array.from({ length: 600 }, (_, i) => Math.fround((i - 300) / 75)),
];

/**
 * Differences come from quotients and square roots alone, of which a formula has few. Small operands are left out, as formulas meet
 * subnormal numbers there: the cube root of 2⁻¹²⁶ is NaN on SwiftShader.
 */
export const functions = (): readonly Operation[] =>
  elementary.map((name) =>
    operation(
      `${name} of float32`,
      'float32',
      'float32',
      (x, y) => math[name]!([x, y], {}),
      { ulps: 8, scale: 0, least: 2 ** -100 },
      grid,
    ),
  );
