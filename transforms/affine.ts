/**
 * What a linear program must not do: add to what it is linear in something that does not depend on that. Such a program is
 * affine, and neither its derivative nor its transpose knows of the constant.
 *
 * A value is followed through the program: does it depend on the linear inputs, is it zero whatever they are, or is it something
 * else that is known without them? Sums and what else puts operands side by side must not mix the first with the last.
 */

import { showAval } from '../src/core/aval.ts';
import { unobserved } from '../src/core/eager.ts';
import { NotDifferentiableError } from '../src/core/errors.ts';
import { type Atom, type Eqn, fromEqn, isLiteral, type Jaxpr } from '../src/core/jaxpr.ts';
import type { FirstOrderName } from '../src/prim/registry.ts';
import { dce } from './passes/dce.ts';
import type { CallName, HigherOrderName, PrimitiveParams } from './registry.ts';

/** How a value depends on the linear inputs: linearly, not at all as it is zero, or not at all. */
export type Dependence = 'linear' | 'zero' | 'known';

/** Which operands are put side by side, where a first-order primitive is linear in several of them together. */
export const joined: { readonly [Name in FirstOrderName]?: (operand: number) => boolean } = {
  add: () => true,
  sub: () => true,
  concatenate: () => true,
  pad: () => true,
  select: (i) => i > 0,
  scatter: (i) => i !== 1,
  scatter_add: (i) => i !== 1,
  dynamic_update_slice: (i) => i < 2,
  fft: () => true,
};

/** The operands in which a first-order primitive of several is linear, each by itself: where that is zero, the result is. */
export const alone: { readonly [Name in FirstOrderName]?: readonly number[] } = {
  mul: [0, 1],
  div: [0],
  dot_general: [0, 1],
  conv_general_dilated: [0, 1],
  gather: [0],
  dynamic_slice: [0],
  scatter_mul: [0],
  select_and_gather_add: [0],
  select_and_scatter_add: [0],
  triangular_solve: [1],
  tridiagonal_solve: [3],
};

/** The calls whose program says what they do; the others are linear as their users have declared. */
const transparent: readonly CallName[] = ['jit', 'checkpoint', 'custom_jvp', 'custom_vjp', 'custom_vmap'];

/**
 * How each output of a program depends on what it is to be linear in.
 *
 * @param isLinear - which inputs that is
 * @throws NotDifferentiableError naming the equation that makes it affine
 */
export function dependences(jaxpr: Jaxpr, isLinear: readonly boolean[]): readonly Dependence[] {
  return follow(
    dce(unobserved(jaxpr)),
    isLinear.map((flag) => (flag ? 'linear' : 'known')),
  );
}

/** @throws NotDifferentiableError if a program adds a constant to what it is to be linear in, all its inputs, or returns one */
export function expectNoConstant(jaxpr: Jaxpr): void {
  const at = dependences(
    jaxpr,
    jaxpr.ins.map(() => true),
  ).indexOf('known');
  if (at < 0) return;
  throw new NotDifferentiableError({
    op: 'linearTranspose',
    problem: `output ${at} of the function, ${showAval(jaxpr.outs[at]!.aval)}, depends on no argument, and so is not linear in them`,
    remedy: 'return linear functions of the arguments only',
  });
}

function follow(jaxpr: Jaxpr, given: readonly Dependence[]): readonly Dependence[] {
  const found = new Map<Atom, Dependence>(jaxpr.ins.map((v, i) => [v, given[i]!]));
  const of = (atom: Atom): Dependence => {
    if (isLiteral(atom)) return atom.value === 0 ? 'zero' : 'known';
    return found.get(atom) ?? 'known';
  };
  for (const eqn of jaxpr.eqns) {
    const outs = fromEqn('looking at', eqn, () => through(eqn, eqn.ins.map(of)));
    eqn.outs.forEach((v, i) => found.set(v, outs[i]!));
  }
  return jaxpr.outs.map(of);
}

function through(eqn: Eqn, ins: readonly Dependence[]): readonly Dependence[] {
  const { name, higherOrder, transpose } = eqn.primitive;
  const all = (dependence: Dependence): readonly Dependence[] => eqn.outs.map(() => dependence);
  if (name === 'optimization_barrier' || name === 'tap') return ins;
  if (higherOrder && (transparent as readonly string[]).includes(name)) {
    return follow(higherOrder.body!(eqn.params), ins);
  }
  const walk = loops[name as HigherOrderName];
  if (walk) return (walk as Walk<unknown>)(eqn, ins, eqn.params);
  const isJoined = joined[name as FirstOrderName];
  if (isJoined) {
    const data = ins.filter((_, i) => isJoined(i));
    if (data.includes('linear') && data.includes('known')) throw affine(eqn, ins, isJoined);
    if (data.includes('linear') || ins.includes('linear')) return all('linear');
    return all(data.every((x) => x === 'zero') ? 'zero' : 'known');
  }
  if (ins.includes('linear')) return all('linear');
  const factors = alone[name as FirstOrderName] ?? (ins.length === 1 && transpose !== 'nonlinear' ? [0] : []);
  return all(factors.some((i) => ins[i] === 'zero') ? 'zero' : 'known');
}

type Walk<P> = (eqn: Eqn, ins: readonly Dependence[], params: P) => readonly Dependence[];

/** A map that is linear in its last operands together. */
const declared = ({ outs }: Eqn, ins: readonly Dependence[], known: number): readonly Dependence[] => {
  const vector = ins.slice(known);
  const all = ins.includes('linear') ? 'linear' : vector.every((x) => x === 'zero') ? 'zero' : 'known';
  return outs.map(() => all);
};

/** How loops and choices are walked through, and what is made of maps that users have declared linear. */
const loops: { readonly [Name in HigherOrderName]?: Walk<PrimitiveParams<Name>> } = {
  scan(eqn, ins, { jaxpr, consts, carry }) {
    const fixed = ins.slice(0, consts);
    let carries = ins.slice(consts, consts + carry);
    for (;;) {
      const outs = follow(jaxpr, [...fixed, ...carries, ...ins.slice(consts + carry)]);
      const next = carries.map((before, i) => meet(eqn, [before, outs[i]!], `the carry ${i} before and after a step`));
      if (next.every((x, i) => x === carries[i])) return [...next, ...outs.slice(carry)];
      carries = next;
    }
  },
  custom_lin: (eqn, ins, { residuals }) => declared(eqn, ins, residuals),
  custom_linear_solve: (eqn, ins, { consts }) => declared(eqn, ins, consts),
  cond(eqn, [index, ...ins], { branches }) {
    if (index === 'linear') return eqn.outs.map(() => 'linear');
    const outs = branches.map((branch) => follow(branch, ins));
    return eqn.outs.map((_, i) =>
      meet(
        eqn,
        outs.map((list) => list[i]!),
        `the output ${i} of its branches`,
      ),
    );
  },
};

/** What is one or the other. @throws NotDifferentiableError if that is affine */
function meet(eqn: Eqn, found: readonly Dependence[], where: string): Dependence {
  const isLinear = found.includes('linear');
  if (!found.includes('known')) return isLinear ? 'linear' : 'zero';
  if (!isLinear) return 'known';
  throw notLinear(eqn, `of ${where} one depends on what it is to be linear in, the other does not and is not zero`);
}

function affine(eqn: Eqn, ins: readonly Dependence[], isJoined: (operand: number) => boolean): Error {
  const those = (dependence: Dependence): string =>
    eqn.ins
      .filter((_, i) => ins[i] === dependence && isJoined(i))
      .map(({ aval }) => showAval(aval))
      .join(', ');
  return notLinear(
    eqn,
    `${those('linear')} depends on what it is to be linear in, ${those('known')} beside it does not and is not zero`,
  );
}

const notLinear = ({ primitive, source }: Eqn, problem: string): NotDifferentiableError =>
  new NotDifferentiableError({
    op: primitive.name,
    problem: `is affine, not linear: ${problem}`,
    remedy: 'leave out what is added, or multiply it by something that is linear',
    ...(source ? { source } : {}),
  });
