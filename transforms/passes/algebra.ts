/**
 * Rewrites of what computes: neutral elements, involutions, choices and casts.
 *
 * Only what IEEE 754 guarantees for every operand is here. So x + 0 stays, as (−0) + 0 is +0, while x + (−0) and x − 0 are x;
 * x · 0, x − x and x / x stay, as NaN and Inf are values; −(x − y) stays, as y − x differs from it at x = y; and no sum or
 * product is reassociated, unless of integers.
 */

import { type DType, integerRange, isFloat, isInteger } from '../../src/core/dtype.ts';
import type { Eqn } from '../../src/core/jaxpr.ts';
import type { None } from '../../src/core/params.ts';
import { noParams, type Primitive } from '../../src/core/primitive.ts';
import {
  addP,
  convertElementTypeP,
  divP,
  integerPowP,
  maxP,
  minP,
  mulP,
  negP,
  subP,
} from '../../src/prim/arithmetic.ts';
import {
  andP,
  bitcastConvertTypeP,
  notP,
  orP,
  shiftLeftP,
  shiftRightArithmeticP,
  shiftRightLogicalP,
  xorP,
} from '../../src/prim/bits.ts';
import { eqP, geP, gtP, leP, ltP, neP, selectP } from '../../src/prim/compare.ts';
import { nameP, stopGradientP } from '../../src/prim/identity.ts';
import { application, constant, constantOf, definedBy, on, type Rewrite, sameAtom } from './rewrite.ts';

type Plain = Primitive<string, None>;

const dtypeOf = (eqn: Eqn): DType => eqn.ins[0]!.aval.dtype;

/** The neutral element of each operation, and on which side it is neutral. */
interface Neutral {
  readonly primitive: Plain;
  readonly states: string;
  readonly element: (dtype: DType) => number;
  readonly side: 'right' | 'both';
}

const one = (): number => 1;
const zero = (): number => 0;
const lowest = (dtype: DType): number => (isFloat(dtype) ? -Infinity : isInteger(dtype) ? integerRange(dtype)[0] : 0);
const highest = (dtype: DType): number => (isFloat(dtype) ? Infinity : isInteger(dtype) ? integerRange(dtype)[1] : 1);
const allBits = (dtype: DType): number => (dtype === 'int32' ? -1 : dtype === 'uint32' ? 4294967295 : 1);

const neutrals: readonly Neutral[] = [
  { primitive: addP, states: 'x + (−0) = x', element: (dtype) => (isFloat(dtype) ? -0 : 0), side: 'both' },
  { primitive: subP, states: 'x − 0 = x', element: zero, side: 'right' },
  { primitive: mulP, states: 'x · 1 = x', element: one, side: 'both' },
  { primitive: divP, states: 'x / 1 = x', element: one, side: 'right' },
  { primitive: maxP, states: 'max x lowest = x', element: lowest, side: 'both' },
  { primitive: minP, states: 'min x highest = x', element: highest, side: 'both' },
  { primitive: andP, states: 'x ∧ all bits = x', element: allBits, side: 'both' },
  { primitive: orP, states: 'x ∨ 0 = x', element: zero, side: 'both' },
  { primitive: xorP, states: 'x ⊕ 0 = x', element: zero, side: 'both' },
  { primitive: shiftLeftP, states: 'x << 0 = x', element: zero, side: 'right' },
  { primitive: shiftRightLogicalP, states: 'x >>> 0 = x', element: zero, side: 'right' },
  { primitive: shiftRightArithmeticP, states: 'x >> 0 = x', element: zero, side: 'right' },
];

const neutralElements: readonly Rewrite[] = neutrals.map(({ primitive, states, element, side }) =>
  on(primitive, `${primitive.name}_neutral`, states, (eqn, _params, definitions) => {
    const [x, y] = [eqn.ins[0]!, eqn.ins[1]!];
    const neutral = element(dtypeOf(eqn));
    if (Object.is(constantOf(y, definitions), neutral)) return x;
    return side === 'both' && Object.is(constantOf(x, definitions), neutral) ? y : null;
  }),
);

const idempotent: readonly Rewrite[] = [maxP, minP, andP, orP].map((primitive: Plain) =>
  on(primitive, `${primitive.name}_idempotent`, `${primitive.name} x x = x`, (eqn) =>
    sameAtom(eqn.ins[0]!, eqn.ins[1]!) ? eqn.ins[0]! : null,
  ),
);

const involutions: readonly Rewrite[] = [negP, notP].map((primitive: Plain) =>
  on(
    primitive,
    `${primitive.name}_${primitive.name}`,
    `${primitive.name} (${primitive.name} x) = x`,
    (eqn, _params, definitions) => definedBy(primitive, eqn.ins[0]!, definitions)?.ins[0] ?? null,
  ),
);

const signs: readonly Rewrite[] = [
  on(addP, 'add_neg', 'x + (−y) = x − y', (eqn, _params, definitions) => {
    const [x, y] = [eqn.ins[0]!, eqn.ins[1]!];
    const right = definedBy(negP, y, definitions);
    if (right) return application(subP, [x, right.ins[0]!], noParams);
    const left = definedBy(negP, x, definitions);
    return left && application(subP, [y, left.ins[0]!], noParams);
  }),
  on(subP, 'sub_neg', 'x − (−y) = x + y', (eqn, _params, definitions) => {
    const negated = definedBy(negP, eqn.ins[1]!, definitions);
    return negated && application(addP, [eqn.ins[0]!, negated.ins[0]!], noParams);
  }),
  ...[mulP, divP].map((primitive: Plain) => {
    const domain = primitive === divP ? ' (floats)' : '';
    const sign = primitive === divP ? '/' : '·';
    return on(
      primitive,
      `${primitive.name}_neg_neg`,
      `(−x) ${sign} (−y) = x ${sign} y${domain}`,
      (eqn, _, definitions) => {
        // INT_MIN is its own negative, so the quotient of integers may change its sign; their product wraps back.
        if (primitive === divP && !isFloat(dtypeOf(eqn))) return null;
        const [x, y] = eqn.ins.map((atom) => definedBy(negP, atom, definitions));
        return x && y ? application(primitive, [x.ins[0]!, y.ins[0]!], noParams) : null;
      },
    );
  }),
];

const powers: readonly Rewrite[] = [
  on(integerPowP, 'integer_pow_zero', 'x⁰ = 1', (eqn, { exponent }) =>
    exponent === 0 ? constant(eqn.outs[0]!.aval, 1) : null,
  ),
  on(integerPowP, 'integer_pow_one', 'x¹ = x', (eqn, { exponent }) => (exponent === 1 ? eqn.ins[0]! : null)),
];

const choices: readonly Rewrite[] = [
  on(selectP, 'select_constant', 'select true x y = x, select false x y = y', (eqn, _params, definitions) => {
    const predicate = constantOf(eqn.ins[0]!, definitions);
    return predicate === null ? null : eqn.ins[predicate !== 0 ? 1 : 2]!;
  }),
  on(selectP, 'select_same', 'select p x x = x', (eqn) => (sameAtom(eqn.ins[1]!, eqn.ins[2]!) ? eqn.ins[1]! : null)),
  on(selectP, 'select_not', 'select (not p) x y = select p y x', (eqn, _params, definitions) => {
    const negated = definedBy(notP, eqn.ins[0]!, definitions);
    return negated && application(selectP, [negated.ins[0]!, eqn.ins[2]!, eqn.ins[1]!], noParams);
  }),
  on(
    selectP,
    'select_select',
    'select p (select p x y) z = select p x z, and on the other side',
    (eqn, _params, ds) => {
      const [predicate, x, y] = [eqn.ins[0]!, eqn.ins[1]!, eqn.ins[2]!];
      const onTrue = definedBy(selectP, x, ds);
      if (onTrue && sameAtom(onTrue.ins[0]!, predicate)) {
        return application(selectP, [predicate, onTrue.ins[1]!, y], noParams);
      }
      const onFalse = definedBy(selectP, y, ds);
      if (!onFalse || !sameAtom(onFalse.ins[0]!, predicate)) return null;
      return application(selectP, [predicate, x, onFalse.ins[2]!], noParams);
    },
  ),
];

const opposites: readonly (readonly [Plain, Plain])[] = [
  [eqP, neP],
  [ltP, geP],
  [leP, gtP],
];

const comparisons: readonly Rewrite[] = opposites.flatMap((pair) =>
  [pair, [pair[1], pair[0]] as const].map(([primitive, opposite]) => {
    const ordered = primitive !== eqP && primitive !== neP;
    const states = `not (${primitive.name} x y) = ${opposite.name} x y${ordered ? ' (not floats: NaN is unordered)' : ''}`;
    return on(notP, `not_${primitive.name}`, states, (eqn, _params, definitions) => {
      const compared = definedBy(primitive, eqn.ins[0]!, definitions);
      if (!compared || (ordered && isFloat(compared.ins[0]!.aval.dtype))) return null;
      return application(opposite, compared.ins, noParams);
    });
  }),
);

/**
 * Is converting from `a` to `b` and then to `c` the same as from `a` to `c`?
 *
 * Either every `a` is a `b` of the same value, and `c` does not treat the two kinds of number differently (a float saturates
 * where an integer wraps); or `b` has the same bits as `a`, and `c` sees only those.
 */
export function convertsThrough(a: DType, b: DType, c: DType): boolean {
  if (a === b || a === 'bool') return true;
  if (a === 'float32') return b === 'float64';
  if (!isInteger(a)) return false;
  if (b === 'float64') return c === a || c === 'bool' || isFloat(c);
  return isInteger(b) && !isFloat(c);
}

const casts: readonly Rewrite[] = [
  on(convertElementTypeP, 'convert_identity', 'convert x = x, if x has the dtype', (eqn, { dtype }) =>
    dtypeOf(eqn) === dtype ? eqn.ins[0]! : null,
  ),
  on(
    convertElementTypeP,
    'convert_convert',
    'convert[c] (convert[b] x) = convert[c] x, if b holds every x',
    (eqn, params, definitions) => {
      const inner = definedBy(convertElementTypeP, eqn.ins[0]!, definitions);
      if (!inner || !convertsThrough(inner.ins[0]!.aval.dtype, inner.params.dtype, params.dtype)) return null;
      return application(convertElementTypeP, inner.ins, params);
    },
  ),
  on(bitcastConvertTypeP, 'bitcast_identity', 'bitcast x = x, if x has the dtype', (eqn, { dtype }) =>
    dtypeOf(eqn) === dtype ? eqn.ins[0]! : null,
  ),
  on(
    bitcastConvertTypeP,
    'bitcast_bitcast',
    'bitcast[c] (bitcast[b] x) = bitcast[c] x, if b and one of c and x are integers',
    (eqn, params, definitions) => {
      // Not through float32, which need not keep the payload of a NaN, and not from float32 to itself: a device that keeps
      // float32 unrounded rounds there.
      const inner = definedBy(bitcastConvertTypeP, eqn.ins[0]!, definitions);
      if (!inner || !isInteger(inner.params.dtype)) return null;
      if (!isInteger(params.dtype) && !isInteger(inner.ins[0]!.aval.dtype)) return null;
      return application(bitcastConvertTypeP, inner.ins, params);
    },
  ),
];

const identities: readonly Rewrite[] = [
  // Their meaning is for derivatives, which have been taken when a program is optimized.
  on(stopGradientP, 'stop_gradient', 'stop_gradient x = x', (eqn) => eqn.ins[0]!),
  on(nameP, 'name', 'name x = x', (eqn) => eqn.ins[0]!),
];

/** Rewrites of what computes. */
export const algebra: readonly Rewrite[] = [
  ...neutralElements,
  ...idempotent,
  ...involutions,
  ...signs,
  ...powers,
  ...choices,
  ...comparisons,
  ...casts,
  ...identities,
];
