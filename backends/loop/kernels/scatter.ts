/** Scatters: the operand, then one update after the other; and slices whose place is data. */

import { range } from '../../../src/core/shape.ts';
import type { ScatterAddParams } from '../../../src/prim/scatter.ts';
import { convert, type Expr, type Fn, int, load, op } from '../ir/expr.ts';
import { both, flat, plus, unflat } from '../ir/integer.ts';
import type { Stmt } from '../ir/kernel.ts';
import { clamped, inBounds } from '../lower/views.ts';
import { axesOf, fill, loops, type Site, type Write } from './kernel.ts';

const copied = ({ read, ins, out, target }: Site<unknown>): readonly Stmt[] =>
  fill(target, out.size, (at) => read(0, unflat(at, ins[0]!.shape)));

const scattering =
  (combine: Fn | null): Write<ScatterAddParams> =>
  (site) => {
    const { ins, out, params: p, read, target } = site;
    const [operand, , updates] = [ins[0]!.shape, ins[1]!.shape, ins[2]!.shape];
    const { indices, at } = axesOf(updates);
    const vector = at.filter((_, axis) => !p.updateWindowDims.includes(axis));
    const seen = range(operand.length).filter(
      (axis) => !p.insertedWindowDims.includes(axis) && !p.operandBatchingDims.includes(axis),
    );
    const place: Expr[] = operand.map(() => int(0));
    const sizes = operand.map(() => 1);
    seen.forEach((axis, i) => {
      place[axis] = at[p.updateWindowDims[i]!]!;
      sizes[axis] = updates[p.updateWindowDims[i]!]!;
    });
    p.operandBatchingDims.forEach((axis, i) => {
      place[axis] = vector[p.scatterIndicesBatchingDims[i]!]!;
    });
    let inside: Expr | null = null;
    p.scatterDimsToOperandDims.forEach((axis, k) => {
      const start = read(1, [...vector, int(k)]);
      const limit = operand[axis]! - sizes[axis]!;
      if (p.mode !== 'clip') {
        inside = both(inside, inBounds(start, limit));
        place[axis] = plus(convert(start, 'int32'), place[axis]!);
      } else place[axis] = plus(clamped(start, limit), place[axis]!);
    });
    const where = flat(place, operand);
    const update = read(2, at);
    const before = load(target, where);
    const value = combine === null ? update : op(out.dtype === 'bool' ? logical(combine) : combine, before, update);
    const put: Stmt = { kind: 'store', buffer: target, at: where, value };
    const guard = inside as Expr | null;
    const body: readonly Stmt[] = guard ? [{ kind: 'if', condition: guard, body: [put] }] : [put];
    const order = [
      ...range(updates.length).filter((axis) => !p.updateWindowDims.includes(axis)),
      ...p.updateWindowDims,
    ];
    // Along these no two updates meet.
    const apart = site.massive
      ? p.updateWindowDims.filter((_, i) => !p.scatterDimsToOperandDims.includes(seen[i]!))
      : [];
    const of = (axes: readonly number[]) => axes.map((axis) => indices[axis]!);
    const inner = loops(of(order.filter((axis) => !apart.includes(axis))), 'serial', body);
    const rest = ins[2]!.size === 0 || out.size === 0 ? [] : loops(of(apart), 'parallel', inner);
    return { start: copied(site), rest, updates: 0 };
  };

/** Minima and maxima of booleans; sums and products do not have them. */
const logical = (fn: Fn): Fn => (fn === 'min' ? 'and' : fn === 'max' ? 'or' : fn);

export const scatter = scattering(null);
export const scatterAdd = scattering('add');
export const scatterMul = scattering('mul');
export const scatterMin = scattering('min');
export const scatterMax = scattering('max');

export const dynamicUpdateSlice: Write<unknown> = (site) => {
  const { ins, read, target, out } = site;
  const [operand, update] = [ins[0]!.shape, ins[1]!.shape];
  const { indices, at } = axesOf(update);
  const place = at.map((x, axis) => plus(x, clamped(read(axis + 2, []), operand[axis]! - update[axis]!)));
  const put: Stmt = { kind: 'store', buffer: target, at: flat(place, operand), value: read(1, at) };
  const rest = ins[1]!.size === 0 || out.size === 0 ? [] : innermost(indices, put);
  return { start: copied(site), rest, updates: 0 };
};

/** Loops whose last one runs along memory. */
function innermost(indices: ReturnType<typeof axesOf>['indices'], put: Stmt): readonly Stmt[] {
  const last = indices.at(-1);
  return last
    ? loops(indices.slice(0, -1), 'parallel', loops([last], 'vector', [put]))
    : loops(indices, 'serial', [put]);
}
