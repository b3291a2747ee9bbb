/**
 * Each rewrite alone: a program on which it fires, run before and after on special values (NaN, ±Inf, −0, subnormals, the ends of
 * the integers), with float32 rounded and unrounded, bit for bit. And the programs that look like them and must stay.
 */

import 'pullback';
import { describe, expect, test } from 'vitest';
import { type Aval, makeAval } from '../../src/core/aval.ts';
import { checkJaxpr } from '../../src/core/check.ts';
import { type DType, dtypes } from '../../src/core/dtype.ts';
import { type Jaxpr, outAvals } from '../../src/core/jaxpr.ts';
import { noParams, type Primitive } from '../../src/core/primitive.ts';
import { bind1 } from '../../src/core/trace.ts';
import type { Value } from '../../src/core/value.ts';
import * as a from '../../src/prim/arithmetic.ts';
import * as b from '../../src/prim/bits.ts';
import * as c from '../../src/prim/compare.ts';
import { full, fullLike, scalar } from '../../src/prim/compose.ts';
import { named, stopGradientP } from '../../src/prim/identity.ts';
import { reduceMaxP, reduceSumP } from '../../src/prim/reduce.ts';
import * as s from '../../src/prim/structural.ts';
import { convertsThrough } from '../../transforms/passes/algebra.ts';
import { dce, rewrite, simplifications } from '../../transforms/passes/index.ts';
import { difference, interpret, precisions, program, specialInputs, turns } from './interpret.ts';

const f32 = (...shape: number[]): Aval => makeAval(shape, 'float32');
const i32 = (...shape: number[]): Aval => makeAval(shape, 'int32');
const u32 = (...shape: number[]): Aval => makeAval(shape, 'uint32');
const bool = (...shape: number[]): Aval => makeAval(shape, 'bool');
const of = (dtype: DType, ...shape: number[]): Aval => makeAval(shape, dtype);

const apply = <P>(primitive: Primitive<string, P>, ins: readonly Value[], params: P): Value =>
  bind1(primitive, ins, params);
const plain = (primitive: Primitive<string, Readonly<Record<never, never>>>, ...ins: readonly Value[]): Value =>
  apply(primitive, ins, noParams);
const reshape = (x: Value, ...shape: number[]): Value => apply(s.reshapeP, [x], { shape });
const transpose = (x: Value, ...permutation: number[]): Value => apply(s.transposeP, [x], { permutation });
const broadcast = (x: Value, shape: number[], broadcastDimensions: number[]): Value =>
  apply(s.broadcastInDimP, [x], { shape, broadcastDimensions });
const slice = (x: Value, start: number[], limit: number[], strides = start.map(() => 1)): Value =>
  apply(s.sliceP, [x], { start, limit, strides });
const pad = (x: Value, value: Value, low: number[], high: number[], interior = low.map(() => 0)): Value =>
  apply(s.padP, [x, value], { low, high, interior });
const convert = (x: Value, dtype: DType): Value => apply(a.convertElementTypeP, [x], { dtype, weak: false });
const bitcast = (x: Value, dtype: DType): Value => apply(b.bitcastConvertTypeP, [x], { dtype });
const sum = (x: Value, ...axes: number[]): Value => apply(reduceSumP, [x], { axes });
const max = (x: Value, ...axes: number[]): Value => apply(reduceMaxP, [x], { axes });

type Case = readonly [avals: readonly Aval[], f: (...args: readonly Value[]) => Value];

const each = (chosen: readonly DType[], f: (...args: readonly Value[]) => Value, count = 1): readonly Case[] =>
  chosen.map((dtype) => [Array.from({ length: count }, () => of(dtype, 2, 12)), f]);

const numbers = ['float32', 'float64', 'int32', 'uint32'] as const;
const floats = ['float32', 'float64'] as const;
const logical = ['bool', 'int32', 'uint32'] as const;

/** x op e, and e op x if `both`, for the element e of each dtype. */
const neutral = (
  op: (x: Value, y: Value) => Value,
  elements: Partial<Readonly<Record<DType, number>>>,
  both: boolean,
): readonly Case[] =>
  (Object.entries(elements) as [DType, number][]).flatMap(([dtype, element]) => [
    [[of(dtype, 2, 12)], (x) => op(x!, fullLike(x!, element))] as Case,
    [[of(dtype)], (x) => op(x!, fullLike(x!, element))] as Case,
    ...(both ? [[[of(dtype, 2, 12)], (x) => op(fullLike(x!, element), x!)] as Case] : []),
  ]);

const lowest = { float32: -Infinity, float64: -Infinity, int32: -2147483648, uint32: 0, bool: 0 };
const highest = { float32: Infinity, float64: Infinity, int32: 2147483647, uint32: 4294967295, bool: 1 };
const opposite = (of: (x: Value, y: Value) => Value, chosen: readonly DType[]): readonly Case[] =>
  each(chosen, (x, y) => b.not(of(x!, y!)), 2);

/** For each rewrite, programs in which it alone makes a difference. */
const cases: Readonly<Record<string, readonly Case[]>> = {
  reshape_identity: [[[f32(2, 3)], (x) => reshape(x!, 2, 3)]],
  reshape_reshape: [[[f32(2, 3)], (x) => reshape(reshape(x!, 6), 3, 2)]],
  reshape_spread: [
    [[f32()], (x) => reshape(broadcast(x!, [2, 3], []), 3, 2)],
    [[i32()], (x) => reshape(broadcast(x!, [1], []))],
    [[f32()], (x) => reshape(x!, 1, 1)],
    [[f32()], (x) => reshape(broadcast(x!, [0, 3], []), 5, 0)],
  ],
  transpose_identity: [[[f32(2, 3)], (x) => transpose(x!, 0, 1)]],
  transpose_transpose: [
    [[f32(2, 3, 4)], (x) => transpose(transpose(x!, 1, 2, 0), 2, 1, 0)],
    [[f32(2, 3, 4)], (x) => transpose(transpose(x!, 1, 2, 0), 1, 2, 0)],
  ],
  transpose_spread: [[[f32()], (x) => transpose(broadcast(x!, [2, 3], []), 1, 0)]],
  broadcast_identity: [[[f32(2, 3)], (x) => broadcast(x!, [2, 3], [0, 1])]],
  broadcast_broadcast: [
    [[f32(3)], (x) => broadcast(broadcast(x!, [2, 3], [1]), [4, 2, 3], [1, 2])],
    [[f32(1)], (x) => broadcast(broadcast(x!, [2, 1], [1]), [2, 5, 3], [0, 2])],
  ],
  broadcast_reshape: [
    [[f32(2, 3)], (x) => broadcast(reshape(x!, 2, 1, 3), [2, 4, 3], [0, 1, 2])],
    [[f32(5)], (x) => broadcast(reshape(x!, 1, 5, 1), [7, 2, 5, 2], [1, 2, 3])],
    [[f32()], (x) => broadcast(reshape(x!, 1), [3, 2], [0])],
  ],
  slice_identity: [[[f32(2, 1)], (x) => slice(x!, [0, 0], [2, 1], [1, 3])]],
  slice_slice: [
    [[f32(30)], (x) => slice(slice(x!, [3], [29], [2]), [1], [12], [3])],
    [[f32(9, 9)], (x) => slice(slice(x!, [8, 2], [9, 9], [5, 2]), [1, 0], [1, 4])],
  ],
  slice_spread: [[[f32()], (x) => slice(broadcast(x!, [4, 3], []), [1, 0], [4, 3], [2, 1])]],
  pad_cut: [
    [[f32(5, 4), f32()], (x, v) => pad(x!, v!, [-1, 0], [-2, -3])],
    [[f32(1, 4), f32()], (x, v) => pad(x!, v!, [0, 0], [0, 0], [3, 0])],
    [[f32(3), f32()], (x, v) => pad(x!, v!, [-3], [0])],
  ],
  pad_same: [[[f32()], (x) => pad(broadcast(x!, [2, 2], []), x!, [1, -1], [0, 2], [1, 0])]],
  concatenate_one: [[[f32(2, 3)], (x) => apply(s.concatenateP, [x!], { dimension: 1 })]],
  concatenate_empty: [
    [[f32(0, 3), f32(2, 3), f32(1, 3)], (x, y, z) => apply(s.concatenateP, [x!, y!, z!], { dimension: 0 })],
  ],
  concatenate_same: [
    [[f32()], (x) => apply(s.concatenateP, [broadcast(x!, [2], []), broadcast(x!, [3], [])], { dimension: 0 })],
  ],
  reduce_sum_unit_axes: [
    [[i32(2, 1, 3)], (x) => sum(x!, 1)],
    [[u32(4)], (x) => sum(x!)],
  ],
  reduce_sum_reduce_sum: [[[i32(2, 3, 4)], (x) => sum(sum(x!, 1), 1)]],
  reduce_max_unit_axes: [
    [[f32(15, 1)], (x) => max(x!, 1)],
    [[bool(4)], (x) => max(x!)],
  ],
  reduce_max_reduce_max: [[[f32(2, 3, 4)], (x) => max(max(x!, 2), 0)]],
  reduce_max_spread: [[[f32()], (x) => max(broadcast(x!, [2, 3], []), 0)]],

  add_neutral: neutral(a.add, { float32: -0, float64: -0, int32: 0, uint32: 0 }, true),
  sub_neutral: neutral(a.sub, { float32: 0, float64: 0, int32: 0, uint32: 0 }, false),
  mul_neutral: neutral(a.mul, { float32: 1, float64: 1, int32: 1, uint32: 1 }, true),
  div_neutral: neutral(a.div, { float32: 1, float64: 1, int32: 1, uint32: 1 }, false),
  max_neutral: neutral(a.max, lowest, true),
  min_neutral: neutral(a.min, highest, true),
  and_neutral: neutral(b.and, { bool: 1, int32: -1, uint32: 4294967295 }, true),
  or_neutral: neutral(b.or, { bool: 0, int32: 0, uint32: 0 }, true),
  xor_neutral: neutral(b.xor, { bool: 0, int32: 0, uint32: 0 }, true),
  shift_left_neutral: neutral(b.shiftLeft, { int32: 0, uint32: 0 }, false),
  shift_right_logical_neutral: neutral(b.shiftRightLogical, { int32: 0, uint32: 0 }, false),
  shift_right_arithmetic_neutral: neutral(b.shiftRightArithmetic, { int32: 0, uint32: 0 }, false),
  max_idempotent: each(dtypes, (x) => a.max(x!, x!)),
  min_idempotent: each(dtypes, (x) => a.min(x!, x!)),
  and_idempotent: each(logical, (x) => b.and(x!, x!)),
  or_idempotent: each(logical, (x) => b.or(x!, x!)),
  neg_neg: each(numbers, (x) => a.neg(a.neg(x!))),
  not_not: each(logical, (x) => b.not(b.not(x!))),
  add_neg: [
    ...each(numbers, (x, y) => a.add(x!, a.neg(y!)), 2),
    ...each(numbers, (x, y) => a.add(a.neg(x!), y!), 2),
    ...each(numbers, (x, y) => a.add(a.neg(x!), a.neg(y!)), 2),
  ],
  sub_neg: each(numbers, (x, y) => a.sub(x!, a.neg(y!)), 2),
  mul_neg_neg: each(numbers, (x, y) => a.mul(a.neg(x!), a.neg(y!)), 2),
  div_neg_neg: each(floats, (x, y) => a.div(a.neg(x!), a.neg(y!)), 2),
  integer_pow_zero: each(numbers, (x) => a.integerPow(x!, 0)),
  integer_pow_one: each(numbers, (x) => a.integerPow(x!, 1)),
  select_constant: [0, 1].flatMap((predicate) => [
    ...each(dtypes, (x, y) => c.select(full(bool(2, 12), predicate), x!, y!), 2),
  ]),
  select_same: [
    [[bool(6), f32(6)], (p, x) => c.select(p!, x!, x!)],
    [[bool()], (p) => c.select(p!, scalar(NaN, 'float32'), scalar(NaN, 'float32'))],
  ],
  select_not: [[[bool(6), f32(6), f32(6)], (p, x, y) => c.select(b.not(p!), x!, y!)]],
  select_select: [
    [[bool(6), f32(6), f32(6), f32(6)], (p, x, y, z) => c.select(p!, c.select(p!, x!, y!), z!)],
    [[bool(6), f32(6), f32(6), f32(6)], (p, x, y, z) => c.select(p!, x!, c.select(p!, y!, z!))],
  ],
  not_eq: opposite(c.eq, dtypes),
  not_ne: opposite(c.ne, dtypes),
  not_lt: opposite(c.lt, logical),
  not_le: opposite(c.le, logical),
  not_gt: opposite(c.gt, logical),
  not_ge: opposite(c.ge, logical),
  convert_identity: each(dtypes, (x) => convert(x!, x!.dtype)),
  convert_convert: dtypes.flatMap((from) =>
    dtypes.flatMap((through) =>
      dtypes
        .filter((to) => convertsThrough(from, through, to))
        .map((to): Case => [[of(from, 30)], (x) => convert(convert(x!, through), to)]),
    ),
  ),
  bitcast_identity: each(['float32', 'int32', 'uint32'], (x) => bitcast(x!, x!.dtype)),
  bitcast_bitcast: [
    [[f32(30)], (x) => bitcast(bitcast(x!, 'int32'), 'uint32')],
    [[u32(30)], (x) => bitcast(bitcast(x!, 'int32'), 'float32')],
    [[i32(30)], (x) => bitcast(bitcast(x!, 'uint32'), 'int32')],
  ],
  stop_gradient: each(dtypes, (x) => plain(stopGradientP, x!)),
  name: each(dtypes, (x) => named(x!, 'x')),
};

/** Run both on special values, many ways. */
function expectSameBits(before: Jaxpr, after: Jaxpr): void {
  for (const precision of precisions) {
    for (let turn = 0; turn < turns; turn++) {
      const ins = specialInputs(before, turn, precision);
      expect(difference(interpret(before, ins, precision), interpret(after, ins, precision))).toBeNull();
    }
  }
}

test('every rewrite has its cases', () => {
  expect(Object.keys(cases).sort()).toEqual(simplifications.map(({ name }) => name).sort());
});

describe.each(simplifications.map((rule) => [rule.name, rule] as const))('%s', (name, rule) => {
  test.each(cases[name]!.map(([avals, f], i) => [i, avals, f] as const))('case %i', (_, avals, f) => {
    const before = program(avals, f);
    const after = rewrite(before, [rule]);
    expect(after).not.toBe(before);
    checkJaxpr(after);
    expect(outAvals(after)).toEqual(outAvals(before));
    expect(dce(after).eqns.length).toBeLessThanOrEqual(before.eqns.length);
    expectSameBits(before, after);
  });
});

describe('what is not exact stays', () => {
  const weak = makeAval([3], 'float32', true);
  const stays: Readonly<Record<string, Case>> = {
    'x + 0: (−0) + 0 is +0': [[f32(3)], (x) => a.add(x!, fullLike(x!, 0))],
    'x − (−0): (−0) − (−0) is +0': [[f32(3)], (x) => a.sub(x!, fullLike(x!, -0))],
    '0 − x: 0 − 0 is not −0': [[f32(3)], (x) => a.sub(fullLike(x!, 0), x!)],
    'x · 0: Inf · 0 is NaN': [[f32(3)], (x) => a.mul(x!, fullLike(x!, 0))],
    'x − x: Inf − Inf is NaN': [[f32(3)], (x) => a.sub(x!, x!)],
    'x / x': [[i32(3)], (x) => a.div(x!, x!)],
    '1 / x': [[f32(3)], (x) => a.div(fullLike(x!, 1), x!)],
    '−(x − y): differs at x = y': [[f32(3), f32(3)], (x, y) => a.neg(a.sub(x!, y!))],
    '(−x) / (−y) of integers: INT_MIN': [[i32(3), i32(3)], (x, y) => a.div(a.neg(x!), a.neg(y!))],
    'max x lowest finite: −Inf': [[f32(3)], (x) => a.max(x!, fullLike(x!, -3.4028234663852886e38))],
    'a float sum over no axes: 0 + (−0) is +0': [[f32(3)], (x) => sum(x!)],
    'a float sum over an axis of length 1': [[f32(3, 1)], (x) => sum(x!, 1)],
    'a float sum of sums: two roundings': [[f32(3, 2)], (x) => sum(sum(x!, 1), 0)],
    'not (x < y) of floats: NaN': [[f32(3), f32(3)], (x, y) => b.not(c.lt(x!, y!))],
    'eq x x: NaN': [[f32(3)], (x) => c.eq(x!, x!)],
    'int32 through float32: rounds': [[i32(3)], (x) => convert(convert(x!, 'float32'), 'int32')],
    'int32 through float64 to uint32: saturates': [[i32(3)], (x) => convert(convert(x!, 'float64'), 'uint32')],
    'float32 through int32: truncates': [[f32(3)], (x) => convert(convert(x!, 'int32'), 'float32')],
    'float64 through float32: rounds': [[of('float64', 3)], (x) => convert(convert(x!, 'float32'), 'float64')],
    'float32 through its bits: rounds what is kept unrounded': [
      [f32(3)],
      (x) => bitcast(bitcast(x!, 'int32'), 'float32'),
    ],
    'bits through float32: the payload of NaN': [[i32(3)], (x) => bitcast(bitcast(x!, 'float32'), 'int32')],
    'x²': [[f32(3)], (x) => a.integerPow(x!, 2)],
    'a strong 1 beside a weak x: the result is strong': [[weak], (x) => a.mul(x!, full(f32(3), 1))],
    'a change of weakness': [[weak], (x) => a.convertLike(x!, f32(3))],
    'broadcast of a reshape that moves an axis of length 1': [
      [f32(1, 3)],
      (x) => broadcast(reshape(x!, 3, 1), [3, 2], [0, 1]),
    ],
    'the maximum of nothing': [[f32()], (x) => max(broadcast(x!, [0, 3], []), 0)],
    'padding with another value': [[f32(), f32()], (x, v) => pad(broadcast(x!, [2], []), v!, [1], [0])],
    'a slice of another length': [[f32(3)], (x) => slice(x!, [0], [2])],
  };
  test.each(Object.entries(stays))('%s', (_, [avals, f]) => {
    const before = program(avals, f);
    expect(rewrite(before, simplifications)).toBe(before);
  });
});

test('every law reads as one line', () => {
  for (const { name, states } of simplifications) expect(`${name}: ${states}`).toMatch(/^\w+: .+ = .+$/);
});

describe('the engine', () => {
  const x = makeAval([2], 'float32');
  const before = (): Jaxpr => program([x], (v) => a.neg(a.neg(v!)));

  test('refuses a replacement of another aval', () => {
    const wrong = {
      name: 'wrong',
      states: 'x = 1',
      on: [a.negP as Primitive],
      apply: () => ({ aval: i32(2), value: 1 }),
    };
    const jaxpr = before();
    expect(rewrite(jaxpr, [wrong])).toBe(jaxpr);
  });

  test('ends where two rewrites undo each other', () => {
    const swap = {
      name: 'swap',
      states: 'x + y = y + x',
      on: [a.addP as Primitive],
      apply: ({ ins }: { readonly ins: Jaxpr['outs'] }) => ({
        primitive: a.addP as Primitive,
        params: noParams,
        ins: [ins[1]!, ins[0]!],
      }),
    };
    const jaxpr = program([x, x], (v, w) => a.add(v!, w!));
    expectSameBits(jaxpr, rewrite(jaxpr, [swap]));
  });

  test('keeps sources', () => {
    const jaxpr = program([x, x], (v, w) => a.add(v!, a.neg(w!)));
    const source = jaxpr.eqns[1]!.source;
    expect(source?.location).toMatch(/rewrites\.test\.ts/);
    const [eqn] = dce(rewrite(jaxpr, simplifications)).eqns;
    expect(eqn!.primitive.name).toBe('sub');
    expect(eqn!.source).toBe(source);
  });
});
