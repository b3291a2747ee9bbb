/**
 * Transposition: from a linear program to its adjoint. The only transform, with the clean-up passes, that works on the IR
 * itself instead of re-tracing it.
 */

import { NotDifferentiableError } from '../src/core/errors.ts';
import { type Atom, type Eqn, fromEqn, isLiteral, type Jaxpr, literalValue } from '../src/core/jaxpr.ts';
import { type Hole, isHole, type Tangent } from '../src/core/primitive.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { addTangents } from '../src/prim/define.ts';

/**
 * Pull cotangents back through a linear program.
 *
 * For a jaxpr `L` that is linear in its holes, returns `Lᵀ ct`: the unique vector with ⟨Lᵀ ct, t⟩ = ⟨ct, L t⟩ for every
 * tangent `t` (law: "transpose is adjoint"). What does not depend on a hole is computed first, forwards; then equations are
 * visited backwards, and a variable that is used twice receives the sum of its cotangents.
 *
 * @param consts - values of the program's constants
 * @param operands - for each input its value, or a hole where the program is linear in it
 * @param cotangents - one for each output, of its shape; `null` is zero
 * @returns one cotangent for each input that is a hole; `null` for the others, and for zero
 * @throws NotDifferentiableError naming the equation that is not linear
 */
export function backwardPass(
  jaxpr: Jaxpr,
  consts: readonly Value[],
  operands: readonly (Value | Hole)[],
  cotangents: readonly Tangent[],
): readonly Tangent[] {
  const values = new Map<Atom, Value>();
  const cts = new Map<Atom, Value>();
  jaxpr.consts.forEach((v, i) => values.set(v, consts[i]!));
  operands.forEach((x, i) => {
    if (!isHole(x)) values.set(jaxpr.ins[i]!, x);
  });
  const isKnown = (atom: Atom): boolean => isLiteral(atom) || values.has(atom);
  const read = (atom: Atom): Value => (isLiteral(atom) ? literalValue(atom) : values.get(atom)!);
  const operandOf = (atom: Atom): Value | Hole => (isKnown(atom) ? read(atom) : { linear: true, aval: atom.aval });

  const linear: Eqn[] = [];
  for (const eqn of jaxpr.eqns) {
    if (!eqn.ins.every(isKnown)) linear.push(eqn);
    else {
      const outs = fromEqn('evaluating', eqn, () => bind(eqn.primitive, eqn.ins.map(read), eqn.params));
      outs.forEach((x, i) => values.set(eqn.outs[i]!, x));
    }
  }

  const accumulate = (atom: Atom, ct: Tangent): void => {
    if (!ct || isKnown(atom)) return;
    const sum = addTangents(cts.get(atom) ?? null, ct);
    cts.set(atom, sum!);
  };
  jaxpr.outs.forEach((atom, i) => accumulate(atom, cotangents[i]!));
  for (let k = linear.length - 1; k >= 0; k--) {
    const eqn = linear[k]!;
    const outCts = eqn.outs.map((v) => cts.get(v) ?? null);
    if (outCts.every((ct) => ct === null)) continue;
    for (const v of eqn.outs) cts.delete(v);
    const inCts = fromEqn('transposing', eqn, () => transposeEqn(eqn, outCts, eqn.ins.map(operandOf)));
    eqn.ins.forEach((atom, i) => accumulate(atom, inCts[i]!));
  }
  return jaxpr.ins.map((v, i) => (isHole(operands[i]!) ? (cts.get(v) ?? null) : null));
}

function transposeEqn(
  eqn: Eqn,
  cotangents: readonly Tangent[],
  operands: readonly (Value | Hole)[],
): readonly Tangent[] {
  const { primitive, params } = eqn;
  if (primitive.transpose !== 'nonlinear') return primitive.transpose(cotangents, operands, params);
  throw new NotDifferentiableError({
    op: primitive.name,
    problem: 'is not linear, so it cannot be transposed',
    remedy: 'transpose linear functions only; for a derivative use vjp or grad, which linearize first',
    ...primitive.irreversible,
    ...(eqn.source ? { source: eqn.source } : {}),
  });
}

/** A hole for each input of a program that is linear in all of them. */
export const holesOf = (jaxpr: Jaxpr): readonly Hole[] => jaxpr.ins.map((v) => ({ linear: true, aval: v.aval }));
