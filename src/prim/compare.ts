/** Comparisons (bool results, no derivative) and `select`, which lets nothing of the branch not taken through. */

import { makeAval, showAval } from '../core/aval.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { type None, none } from '../core/params.ts';
import { isHole, noParams, type Primitive } from '../core/primitive.ts';
import { sameShape } from '../core/shape.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { zeros } from './compose.ts';
import { allWeak, elementwise, expectCount, expectSame, instantiate, known, vmapElementwise } from './define.ts';

const comparison = <Name extends string>(name: Name) => elementwise(name, { count: 2, kind: 'any', result: 'bool' });

export const eqP = comparison('eq');
export const neP = comparison('ne');
export const ltP = comparison('lt');
export const leP = comparison('le');
export const gtP = comparison('gt');
export const geP = comparison('ge');

/** `pred ? onTrue : onFalse`, elementwise; linear in the two branches. */
export const selectP: Primitive<'select', None> = {
  name: 'select',
  params: none,
  abstractEval(ins) {
    expectCount('select', 3, ins);
    const [pred, onTrue, onFalse] = ins;
    expectSame('select', [onTrue!, onFalse!]);
    if (pred!.dtype !== 'bool') {
      throw new DTypeError({
        op: 'select',
        problem: `the predicate must be bool, got ${showAval(pred!)}`,
        remedy: 'compare first: np.notEqual(x, 0)',
      });
    }
    if (!sameShape(pred!.shape, onTrue!.shape)) {
      throw new ShapeError({
        op: 'select',
        problem: `the predicate and the branches must have equal shapes, got ${ins.map(showAval).join(', ')}`,
        remedy: 'broadcast explicitly, or use np.where',
      });
    }
    return [makeAval(onTrue!.shape, onTrue!.dtype, allWeak([onTrue!, onFalse!]))];
  },
  jvp([pred, x, y], [, dx, dy]) {
    const out = select(pred!, x!, y!);
    return { outs: [out], tangents: [select(pred!, instantiate(dx!, x!), instantiate(dy!, y!))] };
  },
  transpose([ct], [pred, x, y]) {
    const zero = zeros(ct!.aval);
    const taken = known('select', pred!);
    return [null, isHole(x!) ? select(taken, ct!, zero) : null, isHole(y!) ? select(taken, zero, ct!) : null];
  },
  vmap: vmapElementwise(([pred, x, y]) => [select(pred!, x!, y!)]),
};

/** x = y. */
export const eq = (x: Value, y: Value): Value => bind1(eqP, [x, y], noParams);
/** x ≠ y. */
export const ne = (x: Value, y: Value): Value => bind1(neP, [x, y], noParams);
/** x < y. */
export const lt = (x: Value, y: Value): Value => bind1(ltP, [x, y], noParams);
/** x ≤ y. */
export const le = (x: Value, y: Value): Value => bind1(leP, [x, y], noParams);
/** x > y. */
export const gt = (x: Value, y: Value): Value => bind1(gtP, [x, y], noParams);
/** x ≥ y. */
export const ge = (x: Value, y: Value): Value => bind1(geP, [x, y], noParams);
/** `onTrue` where `pred`, else `onFalse`. */
export const select = (pred: Value, onTrue: Value, onFalse: Value): Value =>
  bind1(selectP, [pred, onTrue, onFalse], noParams);
