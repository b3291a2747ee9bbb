/** Ten kernels as a compiler would make them, by hand: what printers and machines are tried on. */

import {
  type Buffer,
  bitcast,
  constant,
  convert,
  type Expr,
  type Index,
  index,
  int,
  type Local,
  load,
  op,
  read,
  select,
} from '../../backends/loop/ir/expr.ts';
import { flat, minus, within } from '../../backends/loop/ir/integer.ts';
import type { Combiner, Kernel, LoopRole, Stmt } from '../../backends/loop/ir/kernel.ts';
import { identity } from '../../backends/loop/scalar.ts';
import type { DType } from '../../src/core/dtype.ts';

const f32 = (value: number): Expr => constant(Math.fround(value), 'float32');
const buffer = (name: string, size: number, dtype: DType = 'float32'): Buffer => ({
  name,
  dtype,
  kind: 'operand',
  size: int(size),
});
const over = (name: string, extent: number): Index => ({ name, extent: int(extent) });
const loop = (role: LoopRole, of: Index, ...body: readonly Stmt[]): Stmt => ({ kind: 'loop', index: of, role, body });
const store = (to: Buffer, at: Expr, value: Expr): Stmt => ({ kind: 'store', buffer: to, at, value });
const kernel = (
  name: string,
  operands: readonly Buffer[],
  body: readonly Stmt[],
  scratch: readonly Buffer[] = [],
): Kernel => ({
  name,
  operands,
  scratch,
  sizes: 0,
  body,
});

/** A local that a loop accumulates: its declaration, the loop, and what it is afterwards. */
function reduction(
  name: string,
  role: LoopRole,
  combiner: Combiner,
  of: Index,
  value: Expr,
  before: readonly Stmt[] = [],
): { readonly stmts: readonly Stmt[]; readonly result: Expr } {
  const local: Local = { name, dtype: value.dtype };
  const start = constant(identity(combiner, value.dtype), value.dtype);
  return {
    stmts: [
      { kind: 'local', local, value: start },
      loop(role, of, ...before, { kind: 'accumulate', local, combiner, value }),
    ],
    result: read(local),
  };
}

/** out[i, j] = max(x[i, j]·scale[j] + shift, 0), where a mask says so. */
export function elementwise(m = 6, n = 10): Kernel {
  const [x, scale, mask, out] = [
    buffer('x', m * n),
    buffer('scale', n),
    buffer('mask', m * n, 'bool'),
    buffer('out', m * n),
  ];
  const [i, j] = [over('i', m), over('j', n)];
  const at = flat([index(i), index(j)], [m, n]);
  const shifted = op('add', op('mul', load(x, at), load(scale, index(j))), f32(0.1));
  const value = select(load(mask, at), op('max', shifted, f32(0)), f32(-0));
  return kernel('elementwise', [x, scale, mask, out], [loop('parallel', i, loop('vector', j, store(out, at, value)))]);
}

/** out = xᵀ. */
export function transpose(m = 5, n = 7): Kernel {
  const [x, out] = [buffer('x', m * n), buffer('out', m * n)];
  const [i, j] = [over('i', n), over('j', m)];
  const value = load(x, flat([index(j), index(i)], [m, n]));
  return kernel(
    'transpose',
    [x, out],
    [loop('parallel', i, loop('vector', j, store(out, flat([index(i), index(j)], [n, m]), value)))],
  );
}

/** x with two rows of 1 before and a column of 1 after. */
export function pad(m = 3, n = 5): Kernel {
  const [x, out] = [buffer('x', m * n), buffer('out', (m + 2) * (n + 1))];
  const [i, j] = [over('i', m + 2), over('j', n + 1)];
  const row = minus(index(i), int(2));
  const [rows, columns] = [within(row, 0, m)!, within(index(j), 0, n)!];
  const guard = op('and', rows, columns);
  const value = select(guard, load(x, flat([row, index(j)], [m, n]), guard), f32(1));
  return kernel(
    'pad',
    [x, out],
    [loop('parallel', i, loop('vector', j, store(out, flat([index(i), index(j)], [m + 2, n + 1]), value)))],
  );
}

/** x, then y. */
export function concatenate(m = 6, n = 9): Kernel {
  const [x, y, out] = [buffer('x', m, 'int32'), buffer('y', n, 'int32'), buffer('out', m + n, 'int32')];
  const i = over('i', m + n);
  const first = within(index(i), 0, m)!;
  const second = within(minus(index(i), int(m)), 0, n)!;
  const value = select(first, load(x, index(i), first), load(y, minus(index(i), int(m)), second));
  return kernel('concatenate', [x, y, out], [loop('vector', i, store(out, index(i), value))]);
}

/** out[i] = Σⱼ x[i, j]. */
export function sumRows(m = 5, n = 33): Kernel {
  const [x, out] = [buffer('x', m * n), buffer('out', m)];
  const [i, j] = [over('i', m), over('j', n)];
  const { stmts, result } = reduction('s', 'vector', 'add', j, load(x, flat([index(i), index(j)], [m, n])));
  return kernel('sum_rows', [x, out], [loop('parallel', i, ...stmts, store(out, index(i), result))]);
}

/** out[j] = Σᵢ x[i, j]. */
export function sumColumns(m = 9, n = 20): Kernel {
  const [x, out] = [buffer('x', m * n), buffer('out', n)];
  const [i, j] = [over('i', m), over('j', n)];
  const { stmts, result } = reduction('s', 'serial', 'add', i, load(x, flat([index(i), index(j)], [m, n])));
  return kernel('sum_columns', [x, out], [loop('vector', j, ...stmts, store(out, index(j), result))]);
}

/** The number of elements, and the sum of their squares. */
export function fullSum(n = 1000): Kernel {
  const [x, out, count] = [buffer('x', n), buffer('out', 1), buffer('count', 1, 'int32')];
  const i = over('i', n);
  const element = load(x, index(i));
  const squares = reduction('s', 'vector', 'add', i, op('mul', element, element));
  const numbers = reduction('c', 'vector', 'add', i, convert(within(index(i), 0, n - 1)!, 'int32'));
  return kernel(
    'full_sum',
    [x, out, count],
    [
      ...squares.stmts,
      ...numbers.stmts,
      store(out, int(0), squares.result),
      store(count, int(0), op('add', numbers.result, int(1))),
    ],
  );
}

/** out = x·y. */
export function dot(m = 6, k = 11, n = 10): Kernel {
  const [x, y, out] = [buffer('x', m * k), buffer('y', k * n), buffer('out', m * n)];
  const [i, j, l] = [over('i', m), over('j', n), over('k', k)];
  const product = op('mul', load(x, flat([index(i), index(l)], [m, k])), load(y, flat([index(l), index(j)], [k, n])));
  const { stmts, result } = reduction('s', 'serial', 'add', l, product);
  return kernel(
    'dot',
    [x, y, out],
    [loop('parallel', i, loop('vector', j, ...stmts, store(out, flat([index(i), index(j)], [m, n]), result)))],
  );
}

/** e^x to about 2 units in the last place, for x ≤ 88. */
function exp(x: Expr): Expr {
  const n = op('max', op('nearest', op('mul', x, f32(Math.LOG2E))), f32(-126));
  const r = op('madd', n, f32(2.1219444e-4), op('madd', n, f32(-0.693359375), x));
  const series = [1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2, 1, 1].map(f32).reduce((sum, c) => op('madd', sum, r, c));
  const bits = op('shift_left', op('add', convert(n, 'int32'), int(127)), int(23));
  return op('mul', series, bitcast(bits, 'float32'));
}

/** Each row of x divided by what its exponentials sum to. */
export function softmax(m = 4, n = 50): Kernel {
  const [x, out] = [buffer('x', m * n), buffer('out', m * n)];
  const row: Buffer = { name: 'row', dtype: 'float32', kind: 'scratch', size: int(n) };
  const [i, j] = [over('i', m), over('j', n)];
  const at = flat([index(i), index(j)], [m, n]);
  const largest = reduction('m', 'vector', 'max', j, load(x, at));
  const e: Local = { name: 'e', dtype: 'float32' };
  const sum = reduction('s', 'vector', 'add', j, read(e), [
    { kind: 'local', local: e, value: exp(op('sub', load(x, at), largest.result)) },
    store(row, index(j), read(e)),
  ]);
  return kernel(
    'softmax',
    [x, out],
    [
      loop(
        'parallel',
        i,
        ...largest.stmts,
        ...sum.stmts,
        loop('vector', j, store(out, at, op('div', load(row, index(j)), sum.result))),
      ),
    ],
    [row],
  );
}

/** (x − mean) / √(variance + 1e-5) · scale + shift, row by row. */
export function layerNorm(m = 4, n = 48): Kernel {
  const [x, scale, shift, out] = [buffer('x', m * n), buffer('scale', n), buffer('shift', n), buffer('out', m * n)];
  const [i, j] = [over('i', m), over('j', n)];
  const at = flat([index(i), index(j)], [m, n]);
  const sum = reduction('s', 'vector', 'add', j, load(x, at));
  const mean: Local = { name: 'mean', dtype: 'float32' };
  const centred = op('sub', load(x, at), read(mean));
  const squares = reduction('q', 'vector', 'add', j, op('mul', centred, centred));
  const factor: Local = { name: 'f', dtype: 'float32' };
  const variance = op('mul', squares.result, f32(1 / n));
  const value = op('madd', op('mul', centred, read(factor)), load(scale, index(j)), load(shift, index(j)));
  return kernel(
    'layer_norm',
    [x, scale, shift, out],
    [
      loop(
        'parallel',
        i,
        ...sum.stmts,
        { kind: 'local', local: mean, value: op('mul', sum.result, f32(1 / n)) },
        ...squares.stmts,
        { kind: 'local', local: factor, value: op('div', f32(1), op('sqrt', op('add', variance, f32(1e-5)))) },
        loop('vector', j, store(out, at, value)),
      ),
    ],
  );
}

/** All of them. */
export const samples = {
  elementwise,
  transpose,
  pad,
  concatenate,
  sumRows,
  sumColumns,
  fullSum,
  dot,
  softmax,
  layerNorm,
} as const;
