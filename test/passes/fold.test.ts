/** Constant folding: what it computes is what the kernels compute, and what devices must decide stays. */

import 'pullback';
import { describe, expect, test } from 'vitest';
import { makeAval } from '../../src/core/aval.ts';
import { type DType, dtypes } from '../../src/core/dtype.ts';
import { isLiteral, type Jaxpr, makeLiteral, makeVar } from '../../src/core/jaxpr.ts';
import { showJaxpr } from '../../src/core/pretty.ts';
import type { Primitive } from '../../src/core/primitive.ts';
import { add, convertElementType, div, integerPow, max, mul, neg, sub } from '../../src/prim/arithmetic.ts';
import { bitcastConvertType, not, shiftRightArithmetic } from '../../src/prim/bits.ts';
import { lt } from '../../src/prim/compare.ts';
import { full, scalar } from '../../src/prim/compose.ts';
import { exp, sqrt } from '../../src/prim/math.ts';
import { firstOrder } from '../../src/prim/registry.ts';
import { dce, fold, foldedNames } from '../../transforms/passes/index.ts';
import { difference, interpret, precisions, program, specials } from './interpret.ts';

/** Parameters with which to try each primitive that has any. */
const paramsOf: Readonly<Record<string, readonly object[]>> = {
  integer_pow: [0, 1, 2, 3, 31].map((exponent) => ({ exponent })),
  convert_element_type: dtypes.map((dtype) => ({ dtype, weak: false })),
  bitcast_convert_type: ['float32', 'int32', 'uint32'].map((dtype) => ({ dtype })),
};

/** Number of operands. */
const arity = (name: string): number => (/^(select|clamp)$/.test(name) ? 3 : unary.test(name) ? 1 : 2);

const unary = /^(neg|not|abs|sign|floor|ceil|is_finite|sqrt|integer_pow|convert_element_type|bitcast_convert_type)$/;

/** All tuples of `count` special values. */
const tuples = (dtype: DType, count: number): readonly (readonly number[])[] =>
  count === 0 ? [[]] : tuples(dtype, count - 1).flatMap((rest) => specials[dtype].map((x) => [...rest, x]));

/** The program of one equation on literals; `null` if the primitive does not take this dtype. */
function onLiterals(primitive: Primitive, params: object, dtype: DType, values: readonly number[]): Jaxpr | null {
  const round = (x: number): number => (dtype === 'float32' ? Math.fround(x) : x);
  const ins = values.map((x, i) =>
    primitive.name === 'select' && i === 0
      ? makeLiteral(makeAval([], 'bool'), x !== 0 ? 1 : 0)
      : makeLiteral(makeAval([], dtype), round(x)),
  );
  try {
    const avals = ins.map(({ aval }) => aval);
    const outs = primitive.abstractEval(avals, params).map(makeVar);
    return { consts: [], ins: [], eqns: [{ primitive, params, ins, outs, source: null }], outs };
  } catch {
    return null;
  }
}

describe.each(foldedNames)('%s', (name) => {
  test('is folded to what the kernels compute, with float32 rounded and unrounded', () => {
    let count = 0;
    for (const params of paramsOf[name] ?? [{}]) {
      for (const dtype of dtypes) {
        for (const values of tuples(dtype, arity(name))) {
          const before = onLiterals(firstOrder[name] as Primitive, params, dtype, values);
          if (!before) continue;
          const after = fold(before);
          if (after !== before) count += 1;
          for (const precision of precisions) {
            expect(difference(interpret(before, [], precision), interpret(after, [], precision))).toBeNull();
          }
          const [out] = after.outs;
          if (out && isLiteral(out)) expect(out.value).not.toBeNaN();
        }
      }
    }
    expect(count).toBeGreaterThan(5);
  });
});

describe('fold', () => {
  /** The literal that `f` folds to, or what is left. */
  const folded = (f: () => ReturnType<typeof scalar>): number | string => {
    const { outs, eqns } = dce(fold(program([], f)));
    const [out] = outs;
    return out && isLiteral(out) && eqns.length === 0
      ? out.value
      : eqns.map(({ primitive }) => primitive.name).join(' ');
  };
  const f = (x: number) => scalar(x, 'float32');
  const i = (x: number) => scalar(x, 'int32');
  const u = (x: number) => scalar(x, 'uint32');

  test('floats, where nothing is rounded', () => {
    expect(folded(() => add(mul(f(3), f(0.5)), f(1)))).toBe(2.5);
    expect(folded(() => div(f(1), f(-0)))).toBe(-Infinity);
    expect(folded(() => neg(f(0)))).toBe(-0);
    expect(folded(() => sqrt(f(6.25)))).toBe(2.5);
    expect(folded(() => max(f(-0), f(0)))).toBe(0);
    expect(folded(() => integerPow(f(-3), 2))).toBe(9);
    expect(folded(() => add(scalar(0.1, 'float64'), scalar(0.2, 'float64')))).toBe(0.1 + 0.2);
  });

  test('what a device would round, flush or give free bits stays', () => {
    expect(folded(() => div(f(1), f(3)))).toBe('div');
    expect(folded(() => add(f(1), f(2 ** -30)))).toBe('add');
    expect(folded(() => sqrt(f(2)))).toBe('sqrt');
    expect(folded(() => mul(f(2 ** -100), f(2 ** -40)))).toBe('mul');
    expect(folded(() => sub(f(Infinity), f(Infinity)))).toBe('sub');
    expect(folded(() => convertElementType(i(16777217), 'float32'))).toBe('convert_element_type');
    expect(folded(() => exp(f(0)))).toBe('exp');
    expect(folded(() => div(scalar(0, 'float64'), scalar(0, 'float64')))).toBe('div');
  });

  test('integers wrap, truncate, saturate', () => {
    expect(folded(() => add(i(2147483647), i(1)))).toBe(-2147483648);
    expect(folded(() => sub(u(0), u(1)))).toBe(4294967295);
    expect(folded(() => mul(i(2147483647), i(2147483647)))).toBe(1);
    expect(folded(() => div(i(-7), i(2)))).toBe(-3);
    expect(folded(() => div(u(7), u(0)))).toBe(4294967295);
    expect(folded(() => div(i(-2147483648), i(-1)))).toBe(-2147483648);
    expect(folded(() => neg(i(0)))).toBe(0);
    expect(folded(() => integerPow(i(-3), 33))).toBe(Number(BigInt.asIntN(32, (-3n) ** 33n)));
    expect(folded(() => convertElementType(f(-1e20), 'int32'))).toBe(-2147483648);
    expect(folded(() => convertElementType(f(-2.9), 'int32'))).toBe(-2);
    expect(folded(() => convertElementType(i(-1), 'uint32'))).toBe(4294967295);
    expect(folded(() => shiftRightArithmetic(i(-5), i(40)))).toBe(-1);
    expect(folded(() => bitcastConvertType(f(1), 'int32'))).toBe(0x3f800000);
    expect(folded(() => bitcastConvertType(i(0x7fc00000), 'float32'))).toBe('bitcast_convert_type');
    expect(folded(() => not(lt(i(1), i(2))))).toBe(0);
  });

  test('a constant that is broadcast stays a broadcast', () => {
    const jaxpr = program([], () => mul(full(makeAval([2, 3], 'float32'), 3), full(makeAval([2, 3], 'float32'), 0.5)));
    expect(`\n${showJaxpr(dce(fold(jaxpr)))}\n`).toMatchInlineSnapshot(`
      "
      { lambda ; . let
        a:f32[2,3] = broadcast_in_dim[broadcastDimensions=() shape=(2,3)] 1.5:f32[]
      in (a,) }
      "
    `);
  });

  test('the set', () => {
    expect(foldedNames.join(' ')).toMatchInlineSnapshot(
      `"add sub mul div max min neg abs sign rem clamp floor ceil is_finite sqrt integer_pow eq ne lt le gt ge select convert_element_type bitcast_convert_type and or xor not shift_left shift_right_logical shift_right_arithmetic"`,
    );
  });
});
