/** What goes along one axis and remembers: running sums and extrema, and where the extremum is. */

import { type DType, isFloat } from '../../../src/core/dtype.ts';
import type { CumulativeParams } from '../../../src/prim/cumulative.ts';
import {
  apply,
  compare,
  constant,
  convert,
  type Expr,
  type Index,
  index,
  int,
  type Local,
  op,
  select,
  read as value,
} from '../ir/expr.ts';
import { flat, minus, plus, times } from '../ir/integer.ts';
import type { Combiner, Stmt } from '../ir/kernel.ts';
import { math } from '../math/index.ts';
import { identity } from '../scalar.ts';
import { axesOf, type Loops, loops, type Site, type Write } from './kernel.ts';

type Line = (x: Expr) => readonly Expr[];

/** Loops over the lines along `axis`: the last other axis, if it is contiguous, is computed several lines at a time. */
function overLines(site: Site<unknown>, axis: number, line: (at: Line) => readonly Stmt[]): Loops {
  const { shape } = site.ins[0]!;
  const { indices, at } = axesOf(shape);
  const body = line((x) => at.map((y, i) => (i === axis ? x : y)));
  const others = indices.map((x, i) => (i === axis ? null : x));
  const last = axis === shape.length - 1 ? null : others.at(-1)!;
  const inner = last ? loops([last], 'vector', body) : body;
  return { start: [], rest: loops(last ? others.slice(0, -1) : others, 'parallel', inner), updates: null };
}

/** How many lines along the last axis go side by side: their chains of operations do not wait for each other. */
function sideBySide(count: number): number {
  return [4, 3, 2].find((n) => count % n === 0) ?? 1;
}

/** Loops over groups of lines along the last axis. */
function overGroups(site: Site<unknown>, lines: (all: readonly Line[]) => readonly Stmt[]): Loops {
  const { shape } = site.ins[0]!;
  const axis = shape.length - 1;
  const across = shape.findLastIndex((n, i) => i < axis && n > 1);
  const together = across < 0 ? 1 : sideBySide(shape[across]!);
  const { indices, at } = axesOf(shape.map((n, i) => (i === across ? n / together : n)));
  const all = Array.from({ length: together }, (_, k): Line => {
    return (x) => at.map((y, i) => (i === axis ? x : i === across ? plus(times(y, int(together)), int(k)) : y));
  });
  return { start: [], rest: loops(indices.slice(0, -1), 'parallel', lines(all)), updates: null };
}

const running =
  (combiner: Combiner): Write<CumulativeParams> =>
  (site) => {
    const { ins, out, params, read, target } = site;
    const { shape, dtype } = ins[0]!;
    const length = shape[params.axis]!;
    const fn = dtype === 'bool' ? (combiner === 'max' ? 'or' : 'and') : combiner;
    const i: Index = { name: 'n', extent: int(length) };
    const x = params.reverse ? minus(int(length - 1), index(i)) : index(i);
    // In float32 errors would add up along the line: each rounds what all before it have rounded.
    const wide: DType = dtype === 'float32' && (fn === 'add' || fn === 'mul') ? 'float64' : dtype;
    const body = (lines: readonly Line[]): readonly Stmt[] => {
      const totals = lines.map((_, k): Local => ({ name: `total${k}`, dtype: wide }));
      const step = (at: Line, total: Local): readonly Stmt[] => [
        { kind: 'assign', local: total, value: op(fn, value(total), convert(read(0, at(x)), wide)) },
        { kind: 'store', buffer: target, at: flat(at(x), out.shape), value: convert(value(total), dtype) },
      ];
      const start = constant(identity(fn, wide), wide);
      return [
        ...totals.map((local): Stmt => ({ kind: 'local', local, value: start })),
        { kind: 'loop', index: i, role: 'serial', body: lines.flatMap((at, k) => step(at, totals[k]!)) },
      ];
    };
    const last = params.axis === shape.length - 1;
    return last ? overGroups(site, body) : overLines(site, params.axis, (at) => body([at]));
  };

export const cumsum = running('add');
export const cumprod = running('mul');
export const cummax = running('max');
export const cummin = running('min');

/**
 * log Σ eˣ = top + log sum, where `top` is the largest x so far, and `sum` that of the powers of all minus it. The step is e^−|x − top|,
 * which turns one of both into multiples of the other's power; of equals it is 1, infinite ones too.
 */
export const cumlogsumexp: Write<CumulativeParams> = (site) => {
  const { ins, out, params, read, target } = site;
  const { shape, dtype } = ins[0]!;
  const length = shape[params.axis]!;
  const i: Index = { name: 'n', extent: int(length) };
  const x = params.reverse ? minus(int(length - 1), index(i)) : index(i);
  return overLines(site, params.axis, (at) => {
    const [top, sum, next] = ['top', 'sum', 'next'].map((name): Local => ({ name, dtype })) as [Local, Local, Local];
    const step: Local = { name: 'step', dtype };
    const one = constant(1, dtype);
    const apart = op('neg', op('abs', op('sub', value(next), value(top))));
    const same = compare('eq', value(next), value(top));
    const higher = compare('gt', value(next), value(top));
    const [scaled, more] = [op('mul', value(sum), value(step)), op('add', value(sum), value(step))];
    return [
      { kind: 'local', local: top, value: constant(Number.NEGATIVE_INFINITY, dtype) },
      { kind: 'local', local: sum, value: constant(0, dtype) },
      {
        kind: 'loop',
        index: i,
        role: 'serial',
        body: [
          { kind: 'local', local: next, value: read(0, at(x)) },
          { kind: 'local', local: step, value: select(same, one, math.exp!([apart], {})) },
          { kind: 'assign', local: sum, value: select(higher, op('add', scaled, one), more) },
          { kind: 'assign', local: top, value: select(higher, value(next), value(top)) },
          {
            kind: 'store',
            buffer: target,
            at: flat(at(x), out.shape),
            value: op('add', value(top), math.log!([value(sum)], {})),
          },
        ],
      },
    ];
  });
};

/** Does `x` beat the best so far? The first NaN beats everything, and of equals the first stays. */
export function beats(x: Expr, best: Expr, greater: boolean): Expr {
  if (x.dtype === 'bool') {
    const no = (b: Expr): Expr => apply('not', 'bool', b);
    return greater ? apply('and', 'bool', x, no(best)) : apply('and', 'bool', no(x), best);
  }
  if (!isFloat(x.dtype)) return compare(greater ? 'gt' : 'lt', x, best);
  const worse = compare(greater ? 'le' : 'ge', x, best);
  return apply('and', 'bool', apply('not', 'bool', worse), compare('eq', best, best));
}

/** From how many elements on two passes in vectors are faster than one that goes element by element. */
const fewest = 16;

/** The extremum along memory, then the first place where it is; a NaN is the extremum wherever there is one, and equals nothing. */
function firstOf(n: Index, element: Expr, best: Local, found: Local, greater: boolean): readonly Stmt[] {
  const { dtype } = best;
  const combiner = dtype === 'bool' ? (greater ? 'or' : 'and') : greater ? 'max' : 'min';
  const equal = compare('eq', element, value(best));
  const here = isFloat(dtype) ? apply('or', 'bool', equal, compare('ne', element, element)) : equal;
  const none = int(2 ** 31 - 1);
  const place = apply('select', 'int32', here, index(n), none);
  const loop = (stmt: Stmt): Stmt => ({ kind: 'loop', index: n, role: 'vector', body: [stmt] });
  return [
    { kind: 'local', local: best, value: constant(identity(combiner, dtype), dtype) },
    loop({ kind: 'accumulate', local: best, combiner, value: element }),
    { kind: 'local', local: found, value: none },
    loop({ kind: 'accumulate', local: found, combiner: 'min', value: place }),
  ];
}

const search =
  (greater: boolean): Write<{ readonly axis: number }> =>
  (site) => {
    const { ins, out, params, read, target } = site;
    const { shape, dtype } = ins[0]!;
    const best: Local = { name: 'best', dtype };
    const found: Local = { name: 'found', dtype: 'int32' };
    const i: Index = { name: 'n', extent: int(shape[params.axis]! - 1) };
    const next = plus(index(i), int(1));
    const put = (at: Line, place: Expr): Stmt => {
      const others = at(int(0)).filter((_, axis) => axis !== params.axis);
      return { kind: 'store', buffer: target, at: flat(others, out.shape), value: convert(place, out.dtype) };
    };
    const length = shape[params.axis]!;
    if (params.axis === shape.length - 1 && length >= fewest) {
      const n: Index = { name: 'n', extent: int(length) };
      return overLines(site, params.axis, (at) => [
        ...firstOf(n, read(0, at(index(n))), best, found, greater),
        put(at, value(found)),
      ]);
    }
    return overLines(site, params.axis, (at) => {
      const element = read(0, at(next));
      const better = beats(element, value(best), greater);
      return [
        { kind: 'local', local: best, value: read(0, at(int(0))) },
        { kind: 'local', local: found, value: int(0) },
        {
          kind: 'loop',
          index: i,
          role: 'serial',
          body: [
            { kind: 'assign', local: found, value: apply('select', 'int32', better, next, value(found)) },
            { kind: 'assign', local: best, value: apply('select', dtype, better, element, value(best)) },
          ],
        },
        put(at, value(found)),
      ];
    });
  };

export const argmax = search(true);
export const argmin = search(false);
