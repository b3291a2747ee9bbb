/**
 * Sorting lines of any length: stable passes over a key and the order in which its elements came, from one half of two rows of scratch to
 * the other.
 *
 * Keys of at most 32 bits are counted by digits of 8 bits, from the last to the first; short lines, and doubles, are merged, runs of
 * 2ᵖ in pass p, without a branch that depends on the data. Several keys are sorted one after the other from the last to the first: each
 * sort keeps the order of those before it where its own key is equal.
 */

import { type DType, isFloat } from '../../../src/core/dtype.ts';
import type { ParamsOf } from '../../../src/core/primitive.ts';
import type { sortP, topKP } from '../../../src/prim/sort.ts';
import {
  type Buffer,
  bitcast,
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
  select,
  read as value,
} from '../ir/expr.ts';
import { flat, minus, plus, times } from '../ir/integer.ts';
import type { Stmt } from '../ir/kernel.ts';
import { axesOf, type Loops, loops, type Site, type Write } from './kernel.ts';

/** Shorter lines are merged: there are 4 · 256 digits to count, however few have them. */
const shortest = 32;
const digits = 256;

/** One key, to be sorted by. */
interface Key {
  readonly dtype: DType;
  /** The element whose number in the line is `i`. */
  element(i: Expr): Expr;
  readonly descending: boolean;
}

const logical = (fn: 'and' | 'or', ...xs: readonly Expr[]): Expr => xs.reduce((a, b) => op(fn, a, b));
const not = (x: Expr): Expr => op('not', x);
const local = (name: string, dtype: DType): Local => ({ name, dtype });
const declare = (of: Local, x: Expr): Stmt => ({ kind: 'local', local: of, value: x });
const assign = (to: Local, x: Expr): Stmt => ({ kind: 'assign', local: to, value: x });
const store = (buffer: Buffer, at: Expr, x: Expr): Stmt => ({ kind: 'store', buffer, at, value: x });

const indexOf = (extent: number): Index => ({ name: 's', extent: int(extent) });
const serial = (of: Index, body: readonly Stmt[]): Stmt => ({ kind: 'loop', index: of, role: 'serial', body });
const each = (extent: number, body: (i: Expr) => readonly Stmt[]): Stmt => {
  const of = indexOf(extent);
  return serial(of, body(index(of)));
};

/** A word whose order without sign is that of the keys: −0 is 0, and NaN the last. */
function wordOf(x: Expr, descending: boolean): Expr {
  const sign = int(-(2 ** 31));
  const ascending = (): Expr => {
    if (x.dtype === 'bool' || x.dtype === 'uint32')
      return x.dtype === 'bool' ? convert(x, 'int32') : bitcast(x, 'int32');
    if (x.dtype === 'int32') return op('xor', x, sign);
    const bits = bitcast(x, 'int32');
    const flipped = op('xor', bits, op('or', op('shift_right_arithmetic', bits, int(31)), sign));
    const number = select(compare('eq', x, constant(0, x.dtype)), sign, flipped);
    return select(compare('eq', x, x), number, int(-1));
  };
  return descending ? op('not', ascending()) : ascending();
}

/** Is `a` before `b`, and not only by where it was? */
function precedes(a: Expr, b: Expr): Expr {
  if (a.dtype === 'bool') return logical('and', not(a), b);
  const less = compare('lt', a, b);
  if (!isFloat(a.dtype)) return less;
  return logical('or', less, logical('and', compare('eq', a, a), compare('ne', b, b)));
}

/** Rows of scratch that hold a line twice: where it is sorted from, and to. */
class Sorting {
  private readonly length: number;
  readonly scratch: Buffer[] = [];
  /** The numbers of the elements; not needed where they are their own keys. */
  private readonly order: Buffer | null;
  private readonly rows = new Map<DType, Buffer>();
  private counts: Buffer | null = null;
  /** Which half has been written last; none before the first pass. */
  private half: 0 | 1 | null = null;

  constructor(length: number, ordered: boolean) {
    this.length = length;
    this.order = ordered ? this.buffer('order', 'int32', 2 * length) : null;
  }

  private buffer(name: string, dtype: DType, size: number): Buffer {
    const made: Buffer = { name, dtype, kind: 'scratch', size: int(size) };
    this.scratch.push(made);
    return made;
  }

  private row(dtype: DType): Buffer {
    let found = this.rows.get(dtype);
    if (!found) {
      found = this.buffer(`keys_${dtype}`, dtype, 2 * this.length);
      this.rows.set(dtype, found);
    }
    return found;
  }

  private at(half: 0 | 1, i: Expr): Expr {
    return half === 0 ? i : plus(i, int(this.length));
  }

  private next(): 0 | 1 {
    this.half = this.half === 0 ? 1 : 0;
    return this.half;
  }

  /** The number of the element that is at `i` now. */
  numberAt(i: Expr): Expr {
    return this.half === null || !this.order ? i : load(this.order, this.at(this.half, i));
  }

  /** The key sorted by last. */
  keyAt(dtype: DType, i: Expr): Expr {
    return load(this.row(dtype), this.at(this.half!, i));
  }

  by(key: Key): readonly Stmt[] {
    return key.dtype === 'float64' || this.length < shortest ? this.merged(key) : this.counted(key);
  }

  private counted(key: Key): readonly Stmt[] {
    const { length, order } = this;
    const row = this.row(key.dtype);
    const passes = key.dtype === 'bool' ? 1 : 4;
    this.counts ??= this.buffer('counts', 'int32', 4 * digits);
    const counts = this.counts;
    const digit = (word: Expr, pass: number): Expr => {
      const shifted = pass === 0 ? word : op('shift_right_logical', word, int(8 * pass));
      return pass === 3 ? shifted : op('and', shifted, int(digits - 1));
    };
    const placed = (of: Local, pass: number): Expr => plus(value(of), int(pass * digits));
    const clear = indexOf(passes * digits);
    const all = each(length, (i) => {
      const word = local('word', 'int32');
      return [
        declare(word, wordOf(key.element(this.numberAt(i)), key.descending)),
        ...Array.from({ length: passes }, (_, pass) => {
          const own = local(`digit${pass}`, 'int32');
          const at = placed(own, pass);
          return [declare(own, digit(value(word), pass)), store(counts, at, plus(load(counts, at), int(1)))];
        }).flat(),
      ];
    });
    const statements: Stmt[] = [
      { kind: 'loop', index: clear, role: 'vector', body: [store(counts, index(clear), int(0))] },
      all,
    ];
    for (let pass = 0; pass < passes; pass++) {
      const total = local('total', 'int32');
      statements.push(
        declare(total, int(0)),
        each(digits, (d) => {
          const had = local('had', 'int32');
          const at = plus(d, int(pass * digits));
          return [
            declare(had, load(counts, at)),
            store(counts, at, value(total)),
            assign(total, op('add', value(total), value(had))),
          ];
        }),
      );
      const numberAt = this.half;
      const from = (i: Expr): Expr => (numberAt === null || !order ? i : load(order, this.at(numberAt, i)));
      const element = (i: Expr, number: Expr): Expr =>
        pass === 0 ? key.element(number) : load(row, this.at(numberAt!, i));
      const to = this.next();
      statements.push(
        each(length, (i) => {
          const [x, number] = [local('x', key.dtype), local('number', 'int32')];
          const [own, place] = [local('digit', 'int32'), local('place', 'int32')];
          const at = placed(own, pass);
          return [
            declare(number, from(i)),
            declare(x, element(i, value(number))),
            declare(own, digit(wordOf(value(x), key.descending), pass)),
            declare(place, load(counts, at)),
            store(counts, at, plus(value(place), int(1))),
            store(row, this.at(to, value(place)), value(x)),
            ...(order ? [store(order, this.at(to, value(place)), value(number))] : []),
          ];
        }),
      );
    }
    return statements;
  }

  private merged(key: Key): readonly Stmt[] {
    const { length, order } = this;
    const row = this.row(key.dtype);
    const end = int(length);
    const start = this.half;
    const numberAt = (i: Expr): Expr => (start === null || !order ? i : load(order, this.at(start, i)));
    const to = this.next();
    const first = each(length, (i) => {
      const number = local('number', 'int32');
      return [
        declare(number, numberAt(i)),
        store(row, this.at(to, i), key.element(value(number))),
        ...(order ? [store(order, this.at(to, i), value(number))] : []),
      ];
    });
    // As many passes as bring it back to the half where it was; a pass over runs that are the whole line copies it.
    const passes = 2 * Math.max(1, Math.ceil(Math.log2(length) / 2));
    const p: Index = { name: 'pass', extent: int(passes) };
    const [width, from, into] = [local('width', 'int32'), local('from', 'int32'), local('into', 'int32')];
    const odd = op('and', index(p), int(1));
    const w = value(width);
    const pairs = op(
      'shift_right_logical',
      op('sub', op('add', op('add', w, w), end), int(1)),
      op('add', index(p), int(1)),
    );
    const pair: Index = { name: 'pair', extent: pairs };
    const [begin, middle, stop] = [local('begin', 'int32'), local('middle', 'int32'), local('stop', 'int32')];
    // Written with the index, and not with `begin`, so that the length beside it is seen to be a size (`generalize.ts`).
    const starts = op('mul', index(pair), op('add', w, w));
    const [left, right] = [local('left', 'int32'), local('right', 'int32')];
    const [a, b] = [local('a', key.dtype), local('b', key.dtype)];
    // What is read beyond a run is not taken.
    const read = (i: Expr): Expr => load(row, op('add', value(from), op('min', i, int(length - 1))));
    const step: Index = { name: 'step', extent: op('sub', value(stop), value(begin)) };
    const [second, taken, next] = [local('second', 'bool'), local('taken', 'int32'), local('next', key.dtype)];
    const at = op('add', op('add', value(into), value(begin)), index(step));
    const before = key.descending ? precedes(value(a), value(b)) : precedes(value(b), value(a));
    const more = logical('and', compare('lt', value(right), value(stop)), before);
    const merge = serial(step, [
      declare(second, logical('or', compare('eq', value(left), value(middle)), more)),
      declare(taken, select(value(second), value(right), value(left))),
      store(row, at, select(value(second), value(b), value(a))),
      ...(order ? [store(order, at, load(order, op('add', value(from), value(taken))))] : []),
      declare(next, read(op('add', value(taken), int(1)))),
      assign(a, select(value(second), value(a), value(next))),
      assign(b, select(value(second), value(next), value(b))),
      assign(left, op('add', value(left), convert(op('not', value(second)), 'int32'))),
      assign(right, op('add', value(right), convert(value(second), 'int32'))),
    ]);
    const there = times(odd, end);
    const back = minus(end, there);
    const halves = to === 0 ? [there, back] : [back, there];
    const pass = serial(p, [
      declare(from, halves[0]!),
      declare(into, halves[1]!),
      serial(pair, [
        declare(begin, starts),
        declare(middle, op('min', op('add', starts, w), end)),
        declare(stop, op('min', op('add', op('add', starts, w), w), end)),
        declare(left, value(begin)),
        declare(right, value(middle)),
        declare(a, read(value(begin))),
        declare(b, read(value(middle))),
        merge,
      ]),
      assign(width, op('add', value(width), value(width))),
    ]);
    return [first, declare(width, int(1)), pass];
  }
}

/** Loops over the lines along an axis, in each of which the statements run. */
function overLines(
  site: Site<unknown>,
  axis: number,
  ordered: boolean,
  line: (sorting: Sorting, at: (x: Expr) => readonly Expr[]) => readonly Stmt[],
): Loops {
  const { shape } = site.ins[0]!;
  const { indices, at } = axesOf(shape);
  const sorting = new Sorting(shape[axis]!, ordered);
  const body = line(sorting, (x) => at.map((y, i) => (i === axis ? x : y)));
  const others = indices.map((x, i) => (i === axis ? null : x));
  return { start: [], rest: loops(others, 'parallel', body), updates: null, scratch: sorting.scratch };
}

export const sort: Write<ParamsOf<typeof sortP>> = (site) => {
  const { ins, params, read, targets } = site;
  const { dimension, numKeys } = params;
  const length = ins[0]!.shape[dimension]!;
  return overLines(site, dimension, ins.length > 1, (sorting, at) => {
    const keys = ins
      .slice(0, numKeys)
      .map(({ dtype }, k): Key => ({ dtype, descending: false, element: (i) => read(k, at(i)) }));
    const passes = keys.reverse().flatMap((key) => sorting.by(key));
    const put = each(length, (i) => {
      const number = local('number', 'int32');
      return [
        ...(ins.length > 1 ? [declare(number, sorting.numberAt(i))] : []),
        ...targets.map((target, k) => {
          const { dtype, shape } = ins[k]!;
          const x = k === 0 ? sorting.keyAt(dtype, i) : read(k, at(value(number)));
          return store(target, flat(at(i), shape), x);
        }),
      ];
    });
    return [...passes, put];
  });
};

/** Sorted from the largest to the least, of which the first are taken. */
export const topK: Write<ParamsOf<typeof topKP>> = (site) => {
  const { ins, out, params, read, targets } = site;
  const x = ins[0]!;
  return overLines(site, x.shape.length - 1, true, (sorting, at) => {
    const passes = sorting.by({ dtype: x.dtype, descending: true, element: (i) => read(0, at(i)) });
    const put = each(params.k, (i) => {
      const place = flat(at(i), out.shape);
      return [store(targets[0]!, place, sorting.keyAt(x.dtype, i)), store(targets[1]!, place, sorting.numberAt(i))];
    });
    return [...passes, put];
  });
};
