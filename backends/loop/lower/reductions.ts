/**
 * Primitives that combine many terms to one element: sums, extrema, windows, contractions. Each says the space of its terms (the axes
 * of the result and those that are combined) and the term at a place of it.
 */

import type { Aval } from '../../../src/core/aval.ts';
import type { DType } from '../../../src/core/dtype.ts';
import { range, type Shape } from '../../../src/core/shape.ts';
import { freeAxes } from '../../../src/prim/dot.ts';
import type { FirstOrderParams } from '../../../src/prim/registry.ts';
import type { Windows } from '../../../src/prim/window.ts';
import { compare, constant, type Expr, int, op, select } from '../ir/expr.ts';
import { both, minus, plus, quotient, remainder, times, within } from '../ir/integer.ts';
import type { Combiner } from '../ir/kernel.ts';
import { identity } from '../scalar.ts';
import type { Reader } from './rule.ts';

/** The terms of a reduction. */
export interface Terms {
  /** The axes of the space, in the order of loops. */
  readonly space: Shape;
  /** Which of them are combined; the others are the axes of the result, in order. */
  readonly reduced: readonly number[];
  readonly combiner: Combiner;
  /** The term at a place of the space. */
  readonly term: (read: Reader, at: readonly Expr[]) => Expr;
}

export type Reduce<P> = (ins: readonly Aval[], out: Aval, params: P) => Terms;

/** Of booleans, an extremum is a conjunction or disjunction. */
const extremum = (combiner: 'max' | 'min', dtype: DType): Combiner =>
  dtype === 'bool' ? (combiner === 'max' ? 'or' : 'and') : combiner;

const overAxes =
  (combiner: (dtype: DType) => Combiner): Reduce<{ readonly axes: readonly number[] }> =>
  ([x], _out, { axes }) => ({
    space: x!.shape,
    reduced: [...axes].sort((a, b) => a - b),
    combiner: combiner(x!.dtype),
    term: (read, at) => read(0, at),
  });

export const reduceSum = overAxes(() => 'add');
export const reduceProd = overAxes(() => 'mul');
export const reduceMax = overAxes((dtype) => extremum('max', dtype));
export const reduceMin = overAxes((dtype) => extremum('min', dtype));
export const reduceAnd = overAxes(() => 'and');
export const reduceOr = overAxes(() => 'or');

/** The place in a dense array of a place among holes and padding, and whether there is an element. */
export function placed(place: Expr, low: number, length: number, dilation: number): readonly [Expr, Expr | null] {
  const inner = minus(place, int(low));
  const inside = within(inner, 0, length === 0 ? 0 : (length - 1) * dilation + 1);
  if (dilation === 1) return [inner, inside];
  return [quotient(inner, int(dilation)), both(inside, compare('eq', remainder(inner, int(dilation)), int(0)))];
}

/** The indices that place k of window o has on every axis, and whether there is an element. */
export function windowed(w: Windows, shape: Shape, o: readonly Expr[], k: readonly Expr[]) {
  let inside: Expr | null = null;
  const at = shape.map((length, axis) => {
    const place = plus(times(o[axis]!, int(w.windowStrides[axis]!)), times(k[axis]!, int(w.windowDilation[axis]!)));
    const [x, guard] = placed(place, w.paddingLow[axis]!, length, w.baseDilation[axis]!);
    inside = both(inside, guard);
    return x;
  });
  return { at, inside: inside as Expr | null };
}

const overWindows =
  (combiner: (dtype: DType) => Combiner): Reduce<Windows> =>
  ([x], out, w) => {
    const rank = out.shape.length;
    const combine = combiner(x!.dtype);
    return {
      space: [...out.shape, ...w.windowDimensions],
      reduced: range(rank).map((axis) => rank + axis),
      combiner: combine,
      term: (read, place) => {
        const none = constant(identity(combine, x!.dtype), x!.dtype);
        if (x!.size === 0) return none;
        const { at, inside } = windowed(w, x!.shape, place.slice(0, rank), place.slice(rank));
        return inside ? select(inside, read(0, at, inside), none) : read(0, at);
      },
    };
  };

export const reduceWindowSum = overWindows(() => 'add');
export const reduceWindowMax = overWindows((dtype) => extremum('max', dtype));
export const reduceWindowMin = overWindows((dtype) => extremum('min', dtype));

export const dotGeneral: Reduce<FirstOrderParams<'dot_general'>> = ([lhs, rhs], out, d) => {
  const batch = d.lhsBatch.length;
  const lhsFree = freeAxes(lhs!.shape.length, d.lhsContracting, d.lhsBatch);
  const rhsFree = freeAxes(rhs!.shape.length, d.rhsContracting, d.rhsBatch);
  const rank = out.shape.length;
  return {
    space: [...out.shape, ...d.lhsContracting.map((axis) => lhs!.shape[axis]!)],
    reduced: d.lhsContracting.map((_, i) => rank + i),
    combiner: 'add',
    term: (read, at) => {
      const [a, b]: [Expr[], Expr[]] = [[], []];
      d.lhsBatch.forEach((axis, i) => {
        a[axis] = at[i]!;
      });
      d.rhsBatch.forEach((axis, i) => {
        b[axis] = at[i]!;
      });
      lhsFree.forEach((axis, i) => {
        a[axis] = at[batch + i]!;
      });
      rhsFree.forEach((axis, i) => {
        b[axis] = at[batch + lhsFree.length + i]!;
      });
      d.lhsContracting.forEach((axis, i) => {
        a[axis] = at[rank + i]!;
      });
      d.rhsContracting.forEach((axis, i) => {
        b[axis] = at[rank + i]!;
      });
      return op('mul', read(0, a), read(1, b));
    },
  };
};

export const convGeneralDilated: Reduce<FirstOrderParams<'conv_general_dilated'>> = ([lhs, rhs], out, p) => {
  const rank = out.shape.length;
  const taps = p.rhsSpec.slice(1).map((axis) => rhs!.shape[axis]!);
  const inputs = taps[0]!;
  const outputs = rhs!.shape[p.rhsSpec[0]!]!;
  const images = out.shape[p.outSpec[0]!]!;
  return {
    space: [...out.shape, ...taps],
    reduced: range(taps.length).map((i) => rank + i),
    combiner: 'add',
    term: (read, place) => {
      const o = p.outSpec.map((axis) => place[axis]!);
      const k = place.slice(rank);
      const group = (groups: number): Expr => quotient(o[1]!, int(outputs / groups));
      const a: Expr[] = [];
      const b: Expr[] = [];
      a[p.lhsSpec[0]!] = plus(o[0]!, times(group(p.batchGroupCount), int(images)));
      a[p.lhsSpec[1]!] = plus(k[0]!, times(group(p.featureGroupCount), int(inputs)));
      b[p.rhsSpec[0]!] = o[1]!;
      b[p.rhsSpec[1]!] = k[0]!;
      let inside: Expr | null = null;
      p.windowStrides.forEach((stride, i) => {
        const axis = p.lhsSpec[i + 2]!;
        const at = plus(times(o[i + 2]!, int(stride)), times(k[i + 1]!, int(p.rhsDilation[i]!)));
        const [x, guard] = placed(at, p.paddingLow[i]!, lhs!.shape[axis]!, p.lhsDilation[i]!);
        a[axis] = x;
        b[p.rhsSpec[i + 2]!] = k[i + 1]!;
        inside = both(inside, guard);
      });
      const taken = inside as Expr | null;
      const zero = constant(0, out.dtype);
      if (lhs!.size === 0 || rhs!.size === 0) return zero;
      const element = read(0, a, taken);
      // A zero of padding, or between elements, is multiplied as well: with a tap that is NaN it makes NaN.
      return op('mul', taken ? select(taken, element, zero) : element, read(1, b));
    },
  };
};
