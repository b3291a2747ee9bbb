/**
 * Control flow on the reference device: bodies are compiled once, with the program that holds them, and run as often as they are
 * needed on views of the operands. Nothing is traced or copied from step to step but what is stacked.
 */

import type { TypedArray } from '../../src/core/dtype.ts';
import type { Jaxpr } from '../../src/core/jaxpr.ts';
import type { CallName, HigherOrderName, PrimitiveParams } from '../../transforms/registry.ts';
import type { Kernel } from './kernel.ts';

/** A compiled body: new arrays for its results, or some of its operands. */
export type Run = (ins: readonly TypedArray[]) => readonly TypedArray[];

/** Specialises a primitive that holds programs, given how those are compiled. */
export type LowerControl<P> = (compile: (jaxpr: Jaxpr) => Run, params: P) => Kernel;

const scan: LowerControl<PrimitiveParams<'scan'>> = (compile, { jaxpr, consts, carry, length, reverse }) => {
  const step = compile(jaxpr);
  const sizes = jaxpr.ins.map((v) => v.aval.size);
  return (ins, outs) => {
    const fixed = ins.slice(0, consts);
    let state = ins.slice(consts, consts + carry);
    for (let n = 0; n < length; n++) {
      const i = reverse ? length - 1 - n : n;
      const operands = [...fixed, ...state];
      for (let j = operands.length; j < ins.length; j++) {
        operands.push(ins[j]!.subarray(i * sizes[j]!, (i + 1) * sizes[j]!));
      }
      const results = step(operands);
      state = results.slice(0, carry);
      for (let j = carry; j < results.length; j++) outs[j]!.set(results[j]!, i * results[j]!.length);
    }
    for (let j = 0; j < carry; j++) outs[j]!.set(state[j]!);
  };
};

const whileLoop: LowerControl<PrimitiveParams<'while'>> = (compile, { cond, body, condConsts, bodyConsts }) => {
  const [holds, step] = [compile(cond), compile(body)];
  const at = condConsts + bodyConsts;
  return (ins, outs) => {
    const [fixed, captured] = [ins.slice(0, condConsts), ins.slice(condConsts, at)];
    let state = ins.slice(at);
    while (holds([...fixed, ...state])[0]![0] !== 0) state = step([...captured, ...state]) as TypedArray[];
    for (let j = 0; j < outs.length; j++) outs[j]!.set(state[j]!);
  };
};

const cond: LowerControl<PrimitiveParams<'cond'>> = (compile, { branches }) => {
  const runs = branches.map(compile);
  return ([index, ...operands], outs) => {
    const results = runs[Math.min(Math.max(index![0]!, 0), runs.length - 1)]!(operands);
    for (let j = 0; j < outs.length; j++) outs[j]!.set(results[j]!);
  };
};

/** Calls are gone before a program is lowered. */
type Lowered = Exclude<HigherOrderName, CallName>;

/** A lowering for each primitive that holds programs. */
export const control: { readonly [Name in Lowered]: LowerControl<PrimitiveParams<Name>> } = {
  scan,
  while: whileLoop,
  cond,
};
