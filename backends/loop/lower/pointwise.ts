/** Primitives of one element at a time that are one operation of the machine, or a few. */

import { range } from '../../../src/core/shape.ts';
import type { FirstOrderParams } from '../../../src/prim/registry.ts';
import {
  apply,
  bitcast,
  compare,
  type compareFns,
  constant,
  convert,
  type Expr,
  type Fn,
  op,
  select,
} from '../ir/expr.ts';
import type { Pointwise } from './rule.ts';

/** One operation on the operands' elements. */
const operation =
  (fn: Fn): Pointwise<unknown> =>
  (read, at, { ins }) =>
    op(fn, ...ins.map((_, i) => read(i, at)));

const comparison =
  (fn: (typeof compareFns)[number]): Pointwise<unknown> =>
  (read, at) =>
    compare(fn, read(0, at), read(1, at));

export const add = operation('add');
export const sub = operation('sub');
export const mul = operation('mul');
export const div = operation('div');
export const rem = operation('rem');
export const neg = operation('neg');
export const abs = operation('abs');
export const floor = operation('floor');
export const ceil = operation('ceil');
export const round = operation('nearest');
export const sqrt = operation('sqrt');
export const and = operation('and');
export const or = operation('or');
export const xor = operation('xor');
export const not = operation('not');
export const clz = operation('clz');
export const populationCount = operation('popcount');
export const shiftLeft = operation('shift_left');
export const shiftRightLogical = operation('shift_right_logical');
export const shiftRightArithmetic = operation('shift_right_arithmetic');
export const eq = comparison('eq');
export const ne = comparison('ne');
export const lt = comparison('lt');
export const le = comparison('le');
export const gt = comparison('gt');
export const ge = comparison('ge');

/** Of booleans the conjunction or disjunction. */
const extremum =
  (fn: 'min' | 'max'): Pointwise<unknown> =>
  (read, at, { out }) =>
    op(out.dtype === 'bool' ? (fn === 'min' ? 'and' : 'or') : fn, read(0, at), read(1, at));
export const max = extremum('max');
export const min = extremum('min');

export const clamp: Pointwise<unknown> = (read, at) => op('min', op('max', read(1, at), read(0, at)), read(2, at));

export const choose: Pointwise<unknown> = (read, at, { ins }) =>
  select(read(0, ins[0]!.shape.length === 0 ? [] : at), read(1, at), read(2, at));

export const convertElementType: Pointwise<unknown> = (read, at, { out }) => convert(read(0, at), out.dtype);

export const bitcastConvertType: Pointwise<unknown> = (read, at, { out }) => bitcast(read(0, at), out.dtype);

/** The operand of the same position. */
export const identity: Pointwise<unknown> = (read, at, { position }) => read(position, at);

const word = (x: number): Expr => constant(x >>> 0, 'uint32');
const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;

/** Threefry-2x32, as `backends/reference/random.ts` has it: five groups of four rounds, a key word after each. */
export const threefry: Pointwise<FirstOrderParams<'threefry2x32'>> = (read, at, { position }) => {
  const sum = (x: Expr, y: Expr): Expr => apply('add', 'uint32', x, y);
  const exclusive = (x: Expr, y: Expr): Expr => apply('xor', 'uint32', x, y);
  const rotated = (x: Expr, by: number): Expr =>
    apply(
      'or',
      'uint32',
      apply('shift_left', 'uint32', x, word(by)),
      apply('shift_right_logical', 'uint32', x, word(32 - by)),
    );
  const [a, b] = [read(0, at), read(1, at)];
  const keys = [a, b, exclusive(exclusive(a, b), word(0x1bd11bda))] as const;
  let x = sum(read(2, at), a);
  let y = sum(read(3, at), b);
  for (const group of range(5)) {
    for (const by of rotations[group % 2]!) {
      x = sum(x, y);
      y = exclusive(rotated(y, by), x);
    }
    x = sum(x, keys[(group + 1) % 3]!);
    y = sum(sum(y, keys[(group + 2) % 3]!), word(group + 1));
  }
  return position === 0 ? x : y;
};
