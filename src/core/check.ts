/**
 * The checker: is a jaxpr well typed? Run on every program that is staged, linearized or rewritten, always (about 0.4 µs an
 * equation), so that a wrong rule is found where it is and not where its result is used.
 */

import { type Aval, sameAval, showAvalShort } from './aval.ts';
import { CheckError } from './errors.ts';
import { type Atom, type Eqn, innerJaxprs, isLiteral, type Jaxpr, type Var, whileDoing } from './jaxpr.ts';

/**
 * Check that every variable is bound once and before use, and that every equation's outputs have the avals that its
 * primitive computes from its operands.
 *
 * @throws CheckError naming the equation, what was found and what was expected
 */
export function checkJaxpr(jaxpr: Jaxpr): void {
  const bound = new Set<Var>();
  const define = (v: Var, where: string) => {
    if (bound.has(v)) throw broken(`a variable of ${showAvalShort(v.aval)} is bound twice (${where})`);
    bound.add(v);
  };
  const use = (atom: Atom, where: string) => {
    if (!isLiteral(atom) && !bound.has(atom)) {
      throw broken(`${where} reads a variable of ${showAvalShort(atom.aval)} that is not bound`);
    }
  };
  for (const v of jaxpr.consts) define(v, 'consts');
  for (const v of jaxpr.ins) define(v, 'inputs');
  for (const eqn of jaxpr.eqns) {
    const { name } = eqn.primitive;
    for (const atom of eqn.ins) use(atom, name);
    checkOutputs(eqn);
    for (const v of eqn.outs) define(v, name);
    for (const inner of innerJaxprs(eqn)) {
      if (inner.consts.length > 0) throw broken(`${name} holds a jaxpr with constants`);
      checkInner(inner);
    }
  }
  for (const atom of jaxpr.outs) use(atom, 'the output');
}

/** Equations go from pass to pass as they are, and do not change: each is checked once. */
const sound = new WeakSet<Eqn>();

function checkOutputs(eqn: Eqn): void {
  if (sound.has(eqn)) return;
  const { primitive, params, ins, outs } = eqn;
  let expected: readonly Aval[];
  try {
    expected = primitive.abstractEval(
      ins.map((a) => a.aval),
      params,
    );
  } catch (error) {
    throw broken(`the operands do not fit: ${(error as Error).message}`, eqn);
  }
  if (expected.length !== outs.length) {
    throw broken(`${primitive.name} has ${expected.length} outputs, the equation binds ${outs.length}`, eqn);
  }
  for (let i = 0; i < outs.length; i++) {
    if (!sameAval(expected[i]!, outs[i]!.aval)) {
      throw broken(
        `output ${i} of ${primitive.name} is ${showAvalShort(expected[i]!)}, the equation says ${showAvalShort(outs[i]!.aval)}`,
        eqn,
      );
    }
  }
  sound.add(eqn);
}

/** Inner jaxprs are shared between programs: each is checked once. */
const checked = new WeakSet<Jaxpr>();

function checkInner(jaxpr: Jaxpr): void {
  if (checked.has(jaxpr)) return;
  checkJaxpr(jaxpr);
  checked.add(jaxpr);
}

const broken = (problem: string, eqn?: Eqn): CheckError =>
  new CheckError({
    op: 'checkJaxpr',
    problem: eqn ? `${problem} (${whileDoing('checking', eqn)()})` : problem,
    remedy: 'a rule or a pass has built an ill-typed program; please report it',
  });
