/** Random kernels: loops in several forms around random expressions, with views, guards and gathers that stay within their buffers. */

import fc from 'fast-check';
import {
  type Buffer,
  compare,
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
  size,
} from '../../backends/loop/ir/expr.ts';
import { both, flat, linear, minus, plus, quotient, remainder, times } from '../../backends/loop/ir/integer.ts';
import type { Combiner, Kernel, LoopRole, Stmt } from '../../backends/loop/ir/kernel.ts';
import { allocate, type DType, type TypedArray } from '../../src/core/dtype.ts';

export interface Program {
  readonly kernel: Kernel;
  readonly arrays: readonly TypedArray[];
  readonly sizes: readonly number[];
  /** The extent of the outermost loop. */
  readonly rows: number;
}

/** Choices, one after the other. */
type Pick = <T>(from: readonly T[]) => T;

const dtypes: readonly DType[] = ['float32', 'float32', 'int32', 'uint32', 'bool', 'float64'];
const numeric: readonly DType[] = ['float32', 'int32', 'uint32', 'float64'];

class Builder {
  readonly operands: Buffer[] = [];
  readonly arrays: TypedArray[] = [];
  readonly scratch: Buffer[] = [];
  private readonly pick: Pick;
  private readonly wide: boolean;

  constructor(pick: Pick, wide: boolean) {
    this.pick = pick;
    this.wide = wide;
  }

  operand(dtype: DType, length: number, fill = true): Buffer {
    const array = allocate(dtype, length);
    const values = dtype === 'bool' ? [0, 1] : dtype === 'uint32' ? [0, 1, 2, 3, 7, 9] : [-3, -2, -1, 0, 1, 2, 4, 5];
    if (fill)
      for (let i = 0; i < length; i++) array[i] = values[(i * 7 + (i >> 3) + this.operands.length) % values.length]!;
    const made: Buffer = { name: `x${this.operands.length}`, dtype, kind: 'operand', size: int(length) };
    this.operands.push(made);
    this.arrays.push(array);
    return made;
  }

  dtype(): DType {
    const found = this.pick(dtypes);
    return found === 'float64' && !this.wide ? 'float32' : found;
  }

  /** A load by indices of these extents. */
  view(dtype: DType, indices: readonly Index[], extents: readonly number[]): Expr {
    const { pick } = this;
    const bounded = (x: Expr): readonly [number, number] => {
      const { terms, constant: c } = linear(x);
      let [low, high] = [c, c];
      for (const [atom, factor] of terms) {
        const k = indices.findIndex((i) => index(i) === atom);
        const last = Math.max(extents[k]! - 1, 0);
        low += Math.min(0, factor * last);
        high += Math.max(0, factor * last);
      }
      return [low, high];
    };
    const strides = indices.map((_, k) => pick([0, 1, 1, -1, 2, 3, extents[(k + 1) % extents.length] ?? 1]));
    const sum = indices.reduce((all, i, k) => plus(all, times(index(i), int(strides[k]!))), int(0));
    const [low, high] = bounded(sum);
    const length = high - low + 1;
    const at = plus(sum, int(-low));
    const kind = pick(['plain', 'plain', 'plain', 'shifted', 'gather', 'remainder', 'quotient', 'divided']);
    if (kind === 'shifted') {
      const by = pick([-3, -1, 2, 9]);
      const moved = plus(at, int(by));
      const guard = both(compare('ge', moved, int(0)), compare('lt', moved, int(length)));
      return load(this.operand(dtype, length), moved, guard);
    }
    if (kind === 'gather') {
      const table = this.operand('int32', length);
      const entries = this.arrays.at(-1)!;
      for (let i = 0; i < length; i++) entries[i] = (i * 5 + 1) % 6;
      const guard = pick([true, false]) ? compare('ne', load(table, at), int(2)) : null;
      return load(this.operand(dtype, 6), load(table, at), guard);
    }
    if (kind === 'remainder') return load(this.operand(dtype, 7), remainder(at, int(7)));
    if (kind === 'quotient') return load(this.operand(dtype, length), quotient(at, int(3)));
    if (kind === 'divided') {
      const even = compare('eq', remainder(at, int(2)), int(0));
      return load(this.operand(dtype, length), quotient(at, int(2)), even);
    }
    return load(this.operand(dtype, length), at);
  }

  expression(
    dtype: DType,
    indices: readonly Index[],
    extents: readonly number[],
    leaves: readonly Expr[],
    depth: number,
  ): Expr {
    const { pick } = this;
    const again = (to: DType): Expr => this.expression(to, indices, extents, leaves, depth - 1);
    if (depth === 0) {
      const fitting = leaves.filter((x) => x.dtype === dtype);
      const kind = pick(['view', 'view', 'view', 'leaf', 'const', 'index']);
      if (kind === 'leaf' && fitting.length > 0) return pick(fitting);
      if (kind === 'const') return constant(dtype === 'bool' ? 1 : 3, dtype);
      if (kind === 'index' && indices.length > 0) return convert(index(pick(indices)), dtype);
      return this.view(dtype, indices, extents);
    }
    if (dtype === 'bool') {
      const from = this.dtype();
      const kind = pick(['compare', 'compare', 'not', 'and', 'or', 'convert', 'xor'] as const);
      if (kind === 'compare') {
        return compare(pick(['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const), again(from), again(from));
      }
      if (kind === 'not') return op('not', again('bool'));
      if (kind === 'convert') return convert(again(from), 'bool');
      return op(kind, again('bool'), again('bool'));
    }
    const kind = pick(['binary', 'binary', 'binary', 'select', 'convert', 'unary', 'madd', 'leaf'] as const);
    if (kind === 'leaf') return this.expression(dtype, indices, extents, leaves, 0);
    if (kind === 'select') return select(again('bool'), again(dtype), again(dtype));
    if (kind === 'convert') return convert(again(this.dtype()), dtype);
    if (kind === 'madd') return op('madd', again(dtype), again(dtype), again(dtype));
    const floating = dtype === 'float32' || dtype === 'float64';
    if (kind === 'unary') {
      return op(
        pick(floating ? (['neg', 'abs', 'floor', 'nearest'] as const) : (['neg', 'abs', 'not', 'clz'] as const)),
        again(dtype),
      );
    }
    const fns = floating
      ? (['add', 'sub', 'mul', 'min', 'max', 'div'] as const)
      : (['add', 'sub', 'mul', 'min', 'max', 'div', 'rem', 'xor', 'shift_left'] as const);
    return op(pick(fns), again(dtype), again(dtype));
  }

  /** Whole numbers below 16, whose sums are exact in any order. */
  small(dtype: DType, indices: readonly Index[], extents: readonly number[], leaves: readonly Expr[]): Expr {
    const whole = this.expression('int32', indices, extents, leaves, 2);
    return convert(op('and', whole, int(15)), dtype);
  }
}

const loop = (over: Index, role: LoopRole, body: readonly Stmt[]): Stmt => ({ kind: 'loop', index: over, role, body });

type Form = 'map' | 'transposed' | 'rows' | 'columns' | 'row' | 'whole' | 'branches';
export const forms: readonly Form[] = ['map', 'transposed', 'rows', 'columns', 'row', 'whole', 'branches'];

function program(
  form: Form,
  rows: number,
  columns: number,
  dynamic: boolean,
  wide: boolean,
  outer: LoopRole,
  pick: Pick,
): Program {
  const built = new Builder(pick, wide);
  const extents = [rows, columns];
  const extent = (k: number): Expr => (dynamic ? size(k) : int(extents[k]!));
  const i: Index = { name: 'i', extent: extent(0) };
  const j = (): Index => ({ name: 'j', extent: extent(1) });
  const depth = pick([0, 1, 2, 3]);
  const dtype = built.dtype();
  const at = (x: Index, y: Index): Expr => flat([index(x), index(y)], extents);
  const expression = (to: DType, over: readonly Index[], leaves: readonly Expr[] = []): Expr =>
    built.expression(
      to,
      over,
      over.map((x) => (x === i ? rows : columns)),
      leaves,
      depth,
    );
  const combiner: Combiner = pick(['add', 'min', 'max'] as const);
  const local = (name: string, of: DType): Local => ({ name, dtype: of });
  const begin = (of: DType): Expr => constant(combiner === 'add' ? 1 : combiner === 'min' ? 100 : 0, of);
  const body = ((): readonly Stmt[] => {
    if (form === 'map' || form === 'transposed') {
      const k = j();
      const to = form === 'map' ? at(i, k) : flat([index(k), index(i)], [columns, rows]);
      const values = [expression(dtype, [i, k]), expression('bool', [i, k])];
      const outs = values.map((x) => built.operand(x.dtype, rows * columns, false));
      const stores = values.map((value, n): Stmt => ({ kind: 'store', buffer: outs[n]!, at: to, value }));
      return [loop(i, outer, [loop(k, 'vector', stores)])];
    }
    if (form === 'rows' || form === 'columns') {
      const k = j();
      const of = pick(numeric);
      const acc = local('acc', wide || of !== 'float64' ? of : 'float32');
      const value = built.small(acc.dtype, [i, k], [rows, columns], []);
      const out = built.operand(acc.dtype, rows, false);
      const inner = loop(k, form === 'rows' ? 'vector' : 'serial', [
        { kind: 'accumulate', local: acc, combiner, value },
      ]);
      return [
        loop(i, form === 'rows' ? outer : 'vector', [
          { kind: 'local', local: acc, value: begin(acc.dtype) },
          inner,
          { kind: 'store', buffer: out, at: index(i), value: op('add', read(acc), constant(1, acc.dtype)) },
        ]),
      ];
    }
    if (form === 'row') {
      const [a, b, c] = [j(), j(), j()];
      const row: Buffer = { name: 'row', dtype, kind: 'scratch', size: extent(1) };
      const bits: Buffer = { name: 'bits', dtype: 'bool', kind: 'scratch', size: extent(1) };
      built.scratch.push(row, bits);
      const most = local('most', 'int32');
      const total = local('total', 'float32');
      const out = built.operand('float32', rows * columns, false);
      const value = expression(dtype, [i, a]);
      const small = (x: Index): Expr => op('and', convert(load(row, index(x)), 'int32'), int(7));
      return [
        loop(i, outer, [
          { kind: 'local', local: most, value: int(-5) },
          loop(a, 'vector', [
            { kind: 'store', buffer: row, at: index(a), value },
            { kind: 'store', buffer: bits, at: index(a), value: expression('bool', [i, a]) },
            { kind: 'accumulate', local: most, combiner: 'max', value: small(a) },
          ]),
          { kind: 'local', local: total, value: constant(0, 'float32') },
          loop(b, 'vector', [
            {
              kind: 'accumulate',
              local: total,
              combiner: 'add',
              value: convert(minus(small(b), read(most)), 'float32'),
            },
          ]),
          loop(c, 'vector', [
            {
              kind: 'store',
              buffer: out,
              at: at(i, c),
              value: select(
                load(bits, index(c)),
                op('sub', read(total), convert(small(c), 'float32')),
                constant(-1, 'float32'),
              ),
            },
          ]),
        ]),
      ];
    }
    if (form === 'whole') {
      const k = j();
      const acc = local('acc', 'float32');
      const any = local('any', 'bool');
      const out = built.operand('float32', 1, false);
      const seen = built.operand('bool', 1, false);
      const value = built.small('float32', [i, k], [rows, columns], []);
      return [
        { kind: 'local', local: acc, value: begin('float32') },
        { kind: 'local', local: any, value: constant(0, 'bool') },
        loop(i, 'serial', [
          loop(k, 'vector', [
            { kind: 'accumulate', local: acc, combiner, value },
            { kind: 'accumulate', local: any, combiner: 'or', value: expression('bool', [i, k]) },
          ]),
        ]),
        { kind: 'store', buffer: out, at: int(0), value: read(acc) },
        { kind: 'store', buffer: seen, at: int(0), value: read(any) },
      ];
    }
    // A register that turns of a serial loop hand on, conditions, and a store that is read again.
    const k = j();
    const carried = local('carried', 'int32');
    const kept = built.operand('int32', rows * columns, false);
    const out = built.operand('float32', rows, false);
    const condition = pick([true, false]) ? expression('bool', [i]) : expression('bool', [i], [read(carried)]);
    const role = pick(['vector', 'parallel', 'serial'] as const);
    return [
      loop(i, role, [
        { kind: 'local', local: carried, value: convert(expression('float32', [i]), 'int32') },
        loop(k, 'serial', [
          { kind: 'store', buffer: kept, at: at(i, k), value: op('xor', read(carried), expression('int32', [i, k])) },
          { kind: 'assign', local: carried, value: op('add', read(carried), load(kept, at(i, k))) },
        ]),
        { kind: 'if', condition, body: [{ kind: 'assign', local: carried, value: op('neg', read(carried)) }] },
        { kind: 'store', buffer: out, at: index(i), value: convert(read(carried), 'float32') },
      ]),
    ];
  })();
  const { operands, scratch, arrays } = built;
  return { kernel: { name: 'f', operands, scratch, sizes: 2, body }, arrays, sizes: extents, rows };
}

export const programs: fc.Arbitrary<Program> = fc
  .tuple(
    fc.constantFrom(...forms),
    fc.constantFrom(0, 1, 2, 3, 5, 9, 22, 37),
    fc.constantFrom(0, 1, 3, 4, 5, 8, 17, 33),
    fc.boolean(),
    fc.boolean(),
    fc.constantFrom<LoopRole>('parallel', 'serial'),
    fc.array(fc.nat(1 << 20), { minLength: 1, maxLength: 60 }),
  )
  .map(([form, rows, columns, dynamic, wide, outer, choices]) => {
    let next = 0;
    const pick: Pick = (from) => from[choices[next++ % choices.length]! % from.length]!;
    return program(form, rows, columns, dynamic, wide, outer, pick);
  });
