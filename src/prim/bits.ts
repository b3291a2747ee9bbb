/** Bits: logical and shift operations, reinterpretation, and the Threefry hash. None has a derivative. */

import * as t from 'io-ts';
import { makeAval, showAval } from '../core/aval.ts';
import { byteSize, type DType } from '../core/dtype.ts';
import { DTypeError } from '../core/errors.ts';
import { dtypeCodec, type None, none } from '../core/params.ts';
import { noParams, type Primitive } from '../core/primitive.ts';
import { bind, bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { elementwise, expectCount, expectSame, noDerivative, vmapElementwise } from './define.ts';

export const andP = elementwise('and', { count: 2, kind: 'logical' });
export const orP = elementwise('or', { count: 2, kind: 'logical' });
export const xorP = elementwise('xor', { count: 2, kind: 'logical' });
export const notP = elementwise('not', { count: 1, kind: 'logical' });
export const shiftLeftP = elementwise('shift_left', { count: 2, kind: 'integer' });
export const shiftRightLogicalP = elementwise('shift_right_logical', { count: 2, kind: 'integer' });
export const shiftRightArithmeticP = elementwise('shift_right_arithmetic', { count: 2, kind: 'integer' });
export const populationCountP = elementwise('population_count', { count: 1, kind: 'integer' });
export const clzP = elementwise('clz', { count: 1, kind: 'integer' });

const bitcastParams = t.readonly(t.strict({ dtype: dtypeCodec }));

/** The same bits as another dtype of the same width (32 bits). */
export const bitcastConvertTypeP: Primitive<'bitcast_convert_type', t.TypeOf<typeof bitcastParams>> = {
  name: 'bitcast_convert_type',
  params: bitcastParams,
  abstractEval(ins, { dtype }) {
    expectCount('bitcast_convert_type', 1, ins);
    const aval = ins[0]!;
    if (byteSize(aval.dtype) !== 4 || byteSize(dtype) !== 4) {
      throw new DTypeError({
        op: 'bitcast_convert_type',
        problem: `${showAval(aval)} and ${dtype} do not both have 32 bits`,
        remedy: 'use float32, int32 or uint32, or np.astype to convert values',
      });
    }
    return [makeAval(aval.shape, dtype)];
  },
  jvp: noDerivative(([x], { dtype }) => [bitcastConvertType(x!, dtype)]),
  transpose: 'nonlinear',
  vmap: vmapElementwise(([x], { dtype }) => [bitcastConvertType(x!, dtype)]),
};

/**
 * Threefry-2x32 with 20 rounds (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"): the keyed bijection
 * (x1, x2) ↦ (y1, y2) on pairs of words under the key (k1, k2), elementwise.
 */
export const threefry2x32P: Primitive<'threefry2x32', None> = {
  name: 'threefry2x32',
  params: none,
  abstractEval(ins) {
    expectCount('threefry2x32', 4, ins);
    expectSame('threefry2x32', ins);
    const aval = ins[0]!;
    if (aval.dtype !== 'uint32') {
      throw new DTypeError({
        op: 'threefry2x32',
        problem: `takes uint32 words, got ${showAval(aval)}`,
        remedy: 'make keys with random.key',
      });
    }
    return [makeAval(aval.shape, 'uint32'), makeAval(aval.shape, 'uint32')];
  },
  jvp: noDerivative(([k1, k2, x1, x2]) => threefry2x32(k1!, k2!, x1!, x2!)),
  transpose: 'nonlinear',
  vmap: vmapElementwise(([k1, k2, x1, x2]) => threefry2x32(k1!, k2!, x1!, x2!)),
};

/** x ∧ y: bitwise on integers, logical on bool. */
export const and = (x: Value, y: Value): Value => bind1(andP, [x, y], noParams);
/** x ∨ y: bitwise on integers, logical on bool. */
export const or = (x: Value, y: Value): Value => bind1(orP, [x, y], noParams);
/** x ⊕ y: bitwise on integers, logical on bool. */
export const xor = (x: Value, y: Value): Value => bind1(xorP, [x, y], noParams);
/** ¬x: bitwise on integers, logical on bool. */
export const not = (x: Value): Value => bind1(notP, [x], noParams);
/** x shifted left by y bits; 0 from 32 bits on. */
export const shiftLeft = (x: Value, y: Value): Value => bind1(shiftLeftP, [x, y], noParams);
/** x shifted right by y bits, zeros entering; 0 from 32 bits on. */
export const shiftRightLogical = (x: Value, y: Value): Value => bind1(shiftRightLogicalP, [x, y], noParams);
/** x shifted right by y bits, the sign entering. */
export const shiftRightArithmetic = (x: Value, y: Value): Value => bind1(shiftRightArithmeticP, [x, y], noParams);
/** The number of bits of x that are 1. */
export const populationCount = (x: Value): Value => bind1(populationCountP, [x], noParams);
/** The number of zeros before the highest bit of x that is 1; 32 for 0. */
export const clz = (x: Value): Value => bind1(clzP, [x], noParams);
/** The bits of `x` as another 32-bit dtype. */
export const bitcastConvertType = (x: Value, dtype: DType): Value => bind1(bitcastConvertTypeP, [x], { dtype });
/** The two output words of Threefry-2x32. */
export const threefry2x32 = (k1: Value, k2: Value, x1: Value, x2: Value): readonly Value[] =>
  bind(threefry2x32P, [k1, k2, x1, x2], noParams);
