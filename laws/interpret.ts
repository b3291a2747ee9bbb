/**
 * The plainest meaning of a program: the reference's kernels, equation by equation, as written.
 *
 * Devices clean programs up before they run them, even those of one equation; what the passes preserve is judged against this.
 */

import { control, type LowerControl } from '../backends/reference/control.ts';
import { type Kernel, type Lower, lowerings } from '../backends/reference/lowering.ts';
import { allocate, type TypedArray } from '../src/core/dtype.ts';
import { type Atom, isLiteral, type Jaxpr } from '../src/core/jaxpr.ts';
import type { Primitive } from '../src/core/primitive.ts';
import type { FirstOrderName } from '../src/prim/registry.ts';
import { type HostTensor, hostTensor } from './host.ts';

const table: Readonly<Record<FirstOrderName, unknown>> = lowerings;

/** The results of a program without constants, for these inputs. */
export function interpret(jaxpr: Jaxpr, inputs: readonly HostTensor[]): readonly HostTensor[] {
  const arrays = inputs.map(({ dtype, data }) => {
    const host = allocate(dtype, data.length);
    for (let i = 0; i < host.length; i++) host[i] = data[i]!;
    return host;
  });
  const results = run(jaxpr, arrays);
  return jaxpr.outs.map(({ aval }, i) => hostTensor(aval.shape, aval.dtype, results[i]!, aval.weak));
}

function run(jaxpr: Jaxpr, inputs: readonly TypedArray[]): readonly TypedArray[] {
  const env = new Map<Atom, TypedArray>(jaxpr.ins.map((v, i) => [v, inputs[i]!]));
  const read = (atom: Atom): TypedArray =>
    isLiteral(atom) ? allocate(atom.aval.dtype, 1).fill(atom.value) : env.get(atom)!;
  for (const { primitive, params, ins, outs } of jaxpr.eqns) {
    const operands = ins.map(read);
    const inner = primitive.higherOrder?.body?.(params);
    const results = inner ? run(inner, operands) : outs.map(({ aval }) => allocate(aval.dtype, aval.size));
    if (!inner) kernelOf(primitive, params, ins, outs)(operands, results);
    outs.forEach((v, i) => env.set(v, results[i]!));
  }
  return jaxpr.outs.map(read);
}

function kernelOf({ name }: Primitive, params: unknown, ins: readonly Atom[], outs: readonly Atom[]): Kernel {
  if (name in control) {
    const lower = control[name as keyof typeof control] as LowerControl<unknown>;
    return lower((jaxpr) => (operands) => run(jaxpr, operands), params);
  }
  const lower = table[name as FirstOrderName] as Lower<unknown>;
  return lower(
    ins.map((atom) => atom.aval),
    outs.map((atom) => atom.aval),
    params,
  );
}
