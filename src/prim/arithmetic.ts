/**
 * Arithmetic: what rings and ordered fields have. `max` and `min` share the derivative equally at ties, as JAX does; |x| is the
 * larger of x and −x, so its derivative at 0 is 0 (JAX takes 1).
 */

import * as t from 'io-ts';
import { type Aval, makeAval, showAval } from '../core/aval.ts';
import { type DType, isFloat } from '../core/dtype.ts';
import { DTypeError, NotDifferentiableError } from '../core/errors.ts';
import { dtypeCodec, int } from '../core/params.ts';
import { type Hole, isHole, noParams, type Primitive, type Tangent } from '../core/primitive.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { and } from './bits.ts';
import { eq, lt, select } from './compare.ts';
import { fullLike } from './compose.ts';
import {
  addTangents,
  elementwise,
  expectCount,
  expectKind,
  known,
  productTangent,
  provide,
  vmapElementwise,
} from './define.ts';
import { round } from './rounding.ts';

export const addP = elementwise('add', {
  count: 2,
  kind: 'number',
  jvp: ([x, y], [dx, dy]) => ({ outs: [add(x!, y!)], tangents: [addTangents(dx!, dy!)] }),
  transpose: ([ct], operands) => operands.map((x) => (isHole(x) ? ct! : null)),
});

export const subP = elementwise('sub', {
  count: 2,
  kind: 'number',
  jvp: ([x, y], [dx, dy]) => ({
    outs: [sub(x!, y!)],
    tangents: [dx && dy ? sub(dx, dy) : (dx ?? neg(dy!))],
  }),
  transpose: ([ct], [x, y]) => [isHole(x!) ? ct! : null, isHole(y!) ? neg(ct!) : null],
});

export const mulP = elementwise('mul', {
  count: 2,
  kind: 'number',
  jvp: (primals, tangents) => ({
    outs: [mul(primals[0]!, primals[1]!)],
    tangents: [productTangent(mul, primals, tangents)],
  }),
  transpose: ([ct], [x, y]) => (isHole(x!) ? [mul(ct!, known('mul', y!)), null] : [null, mul(x!, ct!)]),
});

/** d(x/y) = dx/y − (x/y)·dy/y. Integers: truncated, x/0 = −1 (all bits set). */
export const divP = elementwise('div', {
  count: 2,
  kind: 'number',
  jvp([x, y], [dx, dy]) {
    const quotient = div(x!, y!);
    const byDivisor = dy ? neg(mul(dy, div(quotient, y!))) : null;
    return { outs: [quotient], tangents: [addTangents(dx ? div(dx, y!) : null, byDivisor)] };
  },
  transpose: ([ct], [, y]) => [div(ct!, known('div', y!)), null],
});

export const negP = elementwise('neg', {
  count: 1,
  kind: 'number',
  jvp: ([x], [dx]) => ({ outs: [neg(x!)], tangents: [neg(dx!)] }),
  transpose: ([ct]) => [neg(ct!)],
});

/** |x|; of integers, |INT_MIN| is INT_MIN. The derivative is sign x: 0 at 0. */
export const absP = elementwise('abs', {
  count: 1,
  kind: 'number',
  jvp: ([x], [dx]) => ({ outs: [abs(x!)], tangents: [mul(dx!, sign(x!))] }),
});

/** −1, 0 or 1; the sign of a zero stays, NaN is NaN. A step: its derivative is zero. */
export const signP = elementwise('sign', { count: 1, kind: 'number' });

/**
 * The remainder x − n·y of the quotient truncated to n, which has the sign of x. Integers: x rem 0 = x, INT_MIN rem −1 = 0.
 *
 * d(x rem y) = dx − n·dy. Here n is (x − x rem y)/y, rounded: that is whole but for rounding, where x/y may round up to the next
 * whole number.
 */
export const remP = elementwise('rem', {
  count: 2,
  kind: 'number',
  jvp([x, y], [dx, dy]) {
    const remainder = rem(x!, y!);
    const byDivisor = dy ? neg(mul(dy, round(div(sub(x!, remainder), y!)))) : null;
    return { outs: [remainder], tangents: [addTangents(dx!, byDivisor)] };
  },
});

const extremum = <Name extends 'max' | 'min'>(name: Name, apply: (x: Value, y: Value) => Value) =>
  elementwise(name, {
    count: 2,
    kind: 'any',
    jvp([x, y], [dx, dy]) {
      const z = apply(x!, y!);
      const share = (mine: Value, other: Value, tangent: Tangent): Tangent =>
        tangent && mul(tangent, attained(mine, other, z));
      return { outs: [z], tangents: [addTangents(share(x!, y!, dx!), share(y!, x!, dy!))] };
    },
  });

/** 1 where only `mine` equals the extremum `z`, ½ where both do, else 0. */
function attained(mine: Value, other: Value, z: Value): Value {
  const half = select(eq(other, z), fullLike(z, 0.5), fullLike(z, 1));
  return select(eq(mine, z), half, fullLike(z, 0));
}

/** The larger; NaN if either is. */
export const maxP = extremum('max', (x, y) => max(x, y));

/** The smaller; NaN if either is. */
export const minP = extremum('min', (x, y) => min(x, y));

/**
 * x, but at least `low` and at most `high`: min(max(x, low), high), so that `high` wins where they cross; NaN if any is.
 * Operands (low, x, high), as StableHLO has them.
 *
 * The derivative belongs to the one that is attained alone; as in JAX, on a tie with a bound none of x and that bound has it.
 */
export const clampP = elementwise('clamp', {
  count: 3,
  kind: 'number',
  jvp([low, x, high], [dLow, dx, dHigh]) {
    const inside = and(lt(low!, x!), lt(x!, high!));
    const below = and(lt(x!, low!), lt(low!, high!));
    const above = lt(high!, max(x!, low!));
    const where = (condition: Value, t: Tangent): Tangent => t && select(condition, t, fullLike(t, 0));
    return {
      outs: [clamp(low!, x!, high!)],
      tangents: [addTangents(addTangents(where(below, dLow!), where(inside, dx!)), where(above, dHigh!))],
    };
  },
});

const integerPowParams = t.readonly(t.strict({ exponent: int }));

/** xⁿ for an integer n: d(xⁿ) = n·xⁿ⁻¹·dx, exact at 0 (x⁰ = 1). */
export const integerPowP: Primitive<'integer_pow', t.TypeOf<typeof integerPowParams>> = {
  name: 'integer_pow',
  params: integerPowParams,
  abstractEval(ins, { exponent }) {
    expectCount('integer_pow', 1, ins);
    expectKind('integer_pow', 'number', ins[0]!);
    if (exponent < 0 && !isFloat(ins[0]!.dtype)) {
      throw new DTypeError({
        op: 'integer_pow',
        problem: `an integer cannot be raised to the negative power ${exponent}`,
        remedy: "cast first: np.astype(x, 'float32')",
      });
    }
    return [ins[0]!];
  },
  jvp([x], [dx], { exponent }) {
    const y = integerPow(x!, exponent);
    if (exponent === 0) return { outs: [y], tangents: [null] };
    const slope = mul(fullLike(x!, exponent), integerPow(x!, exponent - 1));
    return { outs: [y], tangents: [mul(dx!, slope)] };
  },
  transpose: 'nonlinear',
  vmap: vmapElementwise(([x], { exponent }) => [integerPow(x!, exponent)]),
};

const convertParams = t.readonly(t.strict({ dtype: dtypeCodec, weak: t.boolean }));

/**
 * A change of dtype: rounds to nearest, floats truncate toward zero and saturate as integers (NaN → 0), `bool` is x ≠ 0.
 * Linear between floating-point dtypes; elsewhere its derivative is zero.
 */
export const convertElementTypeP: Primitive<'convert_element_type', t.TypeOf<typeof convertParams>> = {
  name: 'convert_element_type',
  params: convertParams,
  abstractEval(ins, { dtype, weak }) {
    expectCount('convert_element_type', 1, ins);
    return [makeAval(ins[0]!.shape, dtype, weak)];
  },
  jvp: ([x], [dx], params) => ({
    outs: [convertElementType(x!, params.dtype, params.weak)],
    tangents: [isFloat(params.dtype) ? convertElementType(dx!, params.dtype, params.weak) : null],
  }),
  transpose([ct], [x], { dtype }) {
    const { aval } = x as Hole;
    if (isFloat(aval.dtype) && isFloat(dtype)) return [convertLike(ct!, aval)];
    throw new NotDifferentiableError({
      op: 'convert_element_type',
      problem: `from ${showAval(aval)} to ${dtype} is not linear`,
      remedy: 'transpose functions that stay in floating-point dtypes',
    });
  },
  vmap: vmapElementwise(([x], { dtype, weak }) => [convertElementType(x!, dtype, weak)]),
};

/** x + y. */
export const add = (x: Value, y: Value): Value => bind1(addP, [x, y], noParams);
/** x − y. */
export const sub = (x: Value, y: Value): Value => bind1(subP, [x, y], noParams);
/** x · y. */
export const mul = (x: Value, y: Value): Value => bind1(mulP, [x, y], noParams);
/** x / y; on integers truncated toward zero. */
export const div = (x: Value, y: Value): Value => bind1(divP, [x, y], noParams);
/** −x. */
export const neg = (x: Value): Value => bind1(negP, [x], noParams);
/** The larger of x and y, elementwise. */
export const max = (x: Value, y: Value): Value => bind1(maxP, [x, y], noParams);
/** The smaller of x and y, elementwise. */
export const min = (x: Value, y: Value): Value => bind1(minP, [x, y], noParams);
/** |x|. */
export const abs = (x: Value): Value => bind1(absP, [x], noParams);
/** −1, 0 or 1. */
export const sign = (x: Value): Value => bind1(signP, [x], noParams);
/** The remainder of x / y, with the sign of x. */
export const rem = (x: Value, y: Value): Value => bind1(remP, [x, y], noParams);
/** x between the bounds `low` and `high`. */
export const clamp = (low: Value, x: Value, high: Value): Value => bind1(clampP, [low, x, high], noParams);
/** x to the power of the JS integer `exponent`. */
export const integerPow = (x: Value, exponent: number): Value => bind1(integerPowP, [x], { exponent });
/** `x` as another dtype. */
export const convertElementType = (x: Value, dtype: DType, weak = false): Value =>
  x.dtype === dtype && x.aval.weak === weak ? x : bind1(convertElementTypeP, [x], { dtype, weak });
/** `x` with the dtype and weakness of `aval`. */
export const convertLike = (x: Value, aval: Aval): Value => convertElementType(x, aval.dtype, aval.weak);

provide({ add });
