/**
 * Equations that hold programs, run as what is in them: calls, the branch that is taken, the steps of loops one after the other.
 * A trace that watches operations so sees those of a body. What has a rule of its own is one operation.
 */

import { evalJaxpr, type Jaxpr } from '../src/core/jaxpr.ts';
import type { Primitive } from '../src/core/primitive.ts';
import { inserted, range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { concatenate, reshape, sliceAxis } from '../src/prim/structural.ts';
import { type HigherOrderName, type PrimitiveParams, primitives } from '../transforms/registry.ts';

/** The results of an equation on concrete operands, by running what is in it. */
type Unroll<P> = (operands: readonly Value[], params: P) => readonly Value[];

const run = (jaxpr: Jaxpr, operands: readonly Value[]): readonly Value[] => evalJaxpr(jaxpr, [], operands);

const scan: Unroll<PrimitiveParams<'scan'>> = (operands, { jaxpr, consts, carry, length, reverse }) => {
  const fixed = operands.slice(0, consts);
  const sliced = operands.slice(consts + carry);
  let state = operands.slice(consts, consts + carry);
  const steps = new Array<readonly Value[]>(length);
  for (const n of range(length)) {
    const i = reverse ? length - 1 - n : n;
    const xs = sliced.map((x) => reshape(sliceAxis(x, 0, i, i + 1), x.shape.slice(1)));
    const results = run(jaxpr, [...fixed, ...state, ...xs]);
    state = results.slice(0, carry);
    steps[i] = results.slice(carry);
  }
  const stacked = range(jaxpr.outs.length - carry).map((k) =>
    concatenate(
      steps.map((ys) => reshape(ys[k]!, inserted(ys[k]!.shape, 0, 1))),
      0,
    ),
  );
  return [...state, ...stacked];
};

const whileLoop: Unroll<PrimitiveParams<'while'>> = (operands, { cond, body, condConsts, bodyConsts }) => {
  const fixed = operands.slice(0, condConsts);
  const captured = operands.slice(condConsts, condConsts + bodyConsts);
  let state = operands.slice(condConsts + bodyConsts);
  while (run(cond, [...fixed, ...state])[0]!.item()) state = run(body, [...captured, ...state]) as Value[];
  return state;
};

const choice: Unroll<PrimitiveParams<'cond'>> = ([index, ...operands], { branches }) =>
  run(branches[Math.min(Math.max(Number(index!.item()), 0), branches.length - 1)]!, operands);

const table: { readonly [Name in HigherOrderName]: Unroll<PrimitiveParams<Name>> | 'one operation' } = {
  jit: (operands, { jaxpr }) => run(jaxpr, operands),
  checkpoint: (operands, { jaxpr }) => run(jaxpr, operands),
  custom_jvp: 'one operation',
  custom_vjp: 'one operation',
  custom_lin: 'one operation',
  custom_linear_solve: 'one operation',
  custom_vmap: 'one operation',
  scan,
  while: whileLoop,
  cond: choice,
};

/** The equation as what is in it, under the current trace; `null` if it is one operation. */
export function unrolled(
  primitive: Primitive,
  operands: readonly Value[],
  params: unknown,
): (() => readonly Value[]) | null {
  const { name } = primitive;
  if (!(name in table) || primitives[name as HigherOrderName] !== primitive) return null;
  // Nothing can be stacked of no steps.
  if (name === 'scan' && (params as PrimitiveParams<'scan'>).length === 0) return null;
  const unroll = table[name as HigherOrderName] as Unroll<unknown> | 'one operation';
  return unroll === 'one operation' ? null : () => unroll(operands, params);
}
