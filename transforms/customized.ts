/**
 * What `customJvp` and `customVjp` have in common: a call of the function that carries its rules, the batching of such a call, and
 * what of it may be differentiated.
 */

import { TreeError } from '../src/core/errors.ts';
import type { BatchDim, Primitive } from '../src/core/primitive.ts';
import { asyncTrace, bind } from '../src/core/trace.ts';
import { expectOptions } from '../src/core/untyped.ts';
import type { Value } from '../src/core/value.ts';
import { unflatten } from '../src/tree/tree.ts';
import { nameAfter } from './args.ts';
import { vmapAtFront } from './call.ts';
import {
  type AnyFunction,
  Customization,
  type CustomParams,
  deriveRule,
  holdsFunctions,
  type Rules,
  type SplitArgs,
  type Staged,
  type StagedRules,
  shown,
  splitArgs,
  stageSplit,
} from './rule.ts';

/** All but some of the elements of a tuple. */
export type Omitted<
  A extends readonly unknown[],
  N extends readonly number[],
  Seen extends readonly unknown[] = [],
> = number extends A['length']
  ? A
  : A extends readonly [infer Head, ...infer Tail]
    ? Seen['length'] extends N[number]
      ? Omitted<Tail, N, [...Seen, unknown]>
      : [Head, ...Omitted<Tail, N, [...Seen, unknown]>]
    : [];

/** Some of the elements of a tuple. */
export type Picked<A extends readonly unknown[], N extends readonly number[]> = { [K in keyof N]: A[N[K]] };

/** Options of `customJvp` and `customVjp`. */
export interface CustomOptions<N extends readonly number[]> {
  /**
   * Arguments without derivatives, which the rule gets first. What stays a JS number (or is no tree, but a function or a string)
   * belongs here; a bare number among the others is a scalar.
   */
  readonly nondiffArgnums?: N;
}

/** How a transform turns a function with rules into a call of one equation. */
interface Customizing<Name extends string> {
  /** `customJvp` or `customVjp`. */
  readonly kind: string;
  readonly primitive: Primitive<Name, CustomParams>;
  readonly options: CustomOptions<readonly number[]>;
  /** The user's rules as programs, for arguments of one kind; `op` is the function's name for errors. */
  readonly stageRules: (op: string, split: SplitArgs, whole: Staged) => StagedRules;
}

/** `f` as a function that binds `primitive`, whose programs are staged once for each kind of arguments. */
export function customized<Name extends string, F extends (...args: never[]) => unknown>(
  f: F,
  { kind, primitive, options, stageRules }: Customizing<Name>,
): (...args: readonly unknown[]) => ReturnType<F> {
  expectOptions(kind, options, 'nondiffArgnums');
  const { nondiffArgnums = [] } = options;
  const name = f.name || 'anonymous';
  const op = `${kind}(${name})`;
  const programs = new Customization(op);
  return nameAfter(kind, f, (...args: readonly unknown[]) => {
    const split = splitArgs(op, args, nondiffArgnums);
    const { captured, jaxpr, outDef, rule } = programs.get(
      split.key,
      () => stageSplit(op, f as unknown as AnyFunction, split),
      (whole) => stageRules(op, split, whole),
      holdsFunctions(split),
    );
    const operands = [...captured, ...split.nondiff.leaves, ...split.diff.leaves];
    const called = { name, jaxpr, rule, captured: captured.length, nondiff: split.nondiff.leaves.length };
    return unflatten<ReturnType<F>>(outDef, bind(primitive, operands, called));
  });
}

/** The rules on batches, for a call that has `extra` operands more. */
type BatchRules = (
  rules: Rules,
  size: number,
  dims: readonly BatchDim[],
  called: CustomParams,
  extra: readonly Value[],
) => Rules;

/** A call with rules on batches: the program on batches, with the rules on batches. */
export const vmapCustom =
  <Name extends string>(primitive: () => Primitive<Name, CustomParams>, batchRules: BatchRules) =>
  (size: number, operands: readonly Value[], dims: readonly BatchDim[], called: CustomParams) => {
    const { jaxpr, consts } = vmapAtFront(called.jaxpr, size, dims);
    const rule = deriveRule(called.rule, `vmap ${size} ${dims.join()}`, (rules) =>
      batchRules(rules, size, dims, called, consts),
    );
    const batched = { ...called, jaxpr, rule, captured: called.captured + consts.length };
    const outs = bind(primitive(), [...consts, ...operands], batched);
    return { outs, dims: outs.map(() => 0) };
  };

/** What a rule returns, which must be a pair. @throws TreeError otherwise, in these words */
export function expectPair(op: string, x: unknown, problem: string, remedy: string): readonly [unknown, unknown] {
  if (Array.isArray(x) && x.length === 2) return x as [unknown, unknown];
  if (x instanceof Promise) throw asyncTrace(op, 'what the rule returns', x);
  throw new TreeError({ op, problem: `${problem}, got ${shown(x)}`, remedy });
}
