/** What goes along one axis and remembers: running sums and extrema, and where the extremum is. */

import { isFloat } from '../../../src/core/dtype.ts';
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
  read as value,
} from '../ir/expr.ts';
import { flat, minus, plus } from '../ir/integer.ts';
import type { Combiner, Stmt } from '../ir/kernel.ts';
import { identity } from '../scalar.ts';
import { axesOf, loops, type Site, type Write } from './kernel.ts';

/** Loops over the lines along `axis`: the last other axis, if it is contiguous, is computed several lines at a time. */
function overLines(site: Site<unknown>, axis: number, line: (at: (x: Expr) => readonly Expr[]) => readonly Stmt[]) {
  const { shape } = site.ins[0]!;
  const { indices, at } = axesOf(shape);
  const body = line((x) => at.map((y, i) => (i === axis ? x : y)));
  const others = indices.map((x, i) => (i === axis ? null : x));
  const last = axis === shape.length - 1 ? null : others.at(-1)!;
  const inner = last ? loops([last], 'vector', body) : body;
  return { start: [], rest: loops(last ? others.slice(0, -1) : others, 'parallel', inner), updates: null };
}

const running =
  (combiner: Combiner): Write<CumulativeParams> =>
  (site) => {
    const { ins, out, params, read, target } = site;
    const { shape, dtype } = ins[0]!;
    const length = shape[params.axis]!;
    const total: Local = { name: 'total', dtype };
    const fn = dtype === 'bool' ? (combiner === 'max' ? 'or' : 'and') : combiner;
    const i: Index = { name: 'n', extent: int(length) };
    const x = params.reverse ? minus(int(length - 1), index(i)) : index(i);
    return overLines(site, params.axis, (at) => [
      { kind: 'local', local: total, value: constant(identity(fn, dtype), dtype) },
      {
        kind: 'loop',
        index: i,
        role: 'serial',
        body: [
          { kind: 'assign', local: total, value: op(fn, value(total), read(0, at(x))) },
          { kind: 'store', buffer: target, at: flat(at(x), out.shape), value: value(total) },
        ],
      },
    ]);
  };

export const cumsum = running('add');
export const cumprod = running('mul');
export const cummax = running('max');
export const cummin = running('min');

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

const search =
  (greater: boolean): Write<{ readonly axis: number }> =>
  (site) => {
    const { ins, out, params, read, target } = site;
    const { shape, dtype } = ins[0]!;
    const best: Local = { name: 'best', dtype };
    const found: Local = { name: 'found', dtype: 'int32' };
    const i: Index = { name: 'n', extent: int(shape[params.axis]! - 1) };
    const next = plus(index(i), int(1));
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
        {
          kind: 'store',
          buffer: target,
          at: flat(
            at(int(0)).filter((_, axis) => axis !== params.axis),
            out.shape,
          ),
          value: convert(value(found), out.dtype),
        },
      ];
    });
  };

export const argmax = search(true);
export const argmin = search(false);
