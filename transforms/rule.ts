/**
 * Functions with rules of their own, as users write them: `f` and the functions that say what its derivative is.
 *
 * All of them are staged when `f` is called, so that what they close over is still alive: it becomes operands of the
 * equation, in front of the arguments. But a rule may call `f` again (it usually does, which is what makes higher derivatives
 * follow the rule as well), so a rule is no program inside the equation's parameters: it would contain itself. It is a
 * function that returns the program, known by its identity, and a call of `f` inside of `f`'s rule is an equation with that
 * same function.
 */

import * as t from 'io-ts';
import { compatible, showAval } from '../src/core/aval.ts';
import { isFloat } from '../src/core/dtype.ts';
import { NotDifferentiableError, TreeError } from '../src/core/errors.ts';
import { type ClosedJaxpr, constsAsInputs, type Jaxpr, makeVar, type Var } from '../src/core/jaxpr.ts';
import { int } from '../src/core/params.ts';
import type { Tangent } from '../src/core/primitive.ts';
import { stage } from '../src/core/stage.ts';
import { Tracer, Value } from '../src/core/value.ts';
import { arrayDef, difference, type TreeDef } from '../src/tree/def.ts';
import { type Flat, flatten, unflatten } from '../src/tree/tree.ts';
import { flatFunction, positionOf, promoteNumber } from './args.ts';
import { type Derived, jaxprCodec, withAval } from './call.ts';
import { holdsFunction, releaseFrames } from './jit.ts';

/** What a user's rules say, as programs of the equation's operands (and of tangents, or residuals and cotangents). */
export interface Rules {
  readonly programs: readonly Derived[];
  /** Which tangents or cotangents they give; the others are zero. */
  readonly nonzero: readonly boolean[];
}

/** The rules of an equation, once they are staged. Known by identity. */
export type Rule = () => Rules;

/** A rule as a parameter: it has no JSON. */
const ruleCodec = new t.Type<Rule>(
  'Rule',
  (u): u is Rule => typeof u === 'function',
  (u, c) => (typeof u === 'function' ? t.success(u as Rule) : t.failure(u, c)),
  t.identity,
);

/** The parameters of a call with rules of its own. */
export const customParams = t.readonly(
  t.strict({
    name: t.string,
    jaxpr: jaxprCodec,
    rule: ruleCodec,
    /** How many operands are closed over. */
    captured: int,
    /** How many operands after those are arguments without derivatives. */
    nondiff: int,
  }),
);

/** What a call with rules of its own says. */
export type CustomParams = t.TypeOf<typeof customParams>;

/** The operands that the rules give derivatives for: the floats among the arguments. */
export const differentiable = ({ captured, nondiff, jaxpr }: Omit<CustomParams, 'rule' | 'name'>): readonly number[] =>
  jaxpr.ins.flatMap((v, i) => (i >= captured + nondiff && isFloat(v.aval.dtype) ? [i] : []));

/** A function that was staged, and the structure of its output. */
export interface Staged {
  readonly closed: ClosedJaxpr;
  readonly outDef: TreeDef;
}

/** Rules as they were staged, with what they captured. */
export interface StagedRules {
  readonly programs: readonly ClosedJaxpr[];
  readonly nonzero: readonly boolean[];
}

/** A function with its rules, for one kind of arguments. */
export interface Customized {
  /** The operands that come before the arguments. */
  readonly captured: readonly Value[];
  readonly jaxpr: Jaxpr;
  readonly outDef: TreeDef;
  readonly rule: Rule;
}

/** Kinds of arguments kept for one function. */
const capacity = 128;

/** A function with its rules, traced once for each kind of arguments (as by `jit`, unless tracers are captured). */
export class Customization {
  private readonly op: string;
  private readonly known = new Map<string, Customized>();
  /** What is being staged: its rules may refer to it. */
  private readonly open = new Map<string, Customized>();

  /** @param op - `customJvp(f)`, for errors and for the names of rules */
  constructor(op: string) {
    this.op = op;
  }

  /**
   * The programs for the kind of arguments that `key` names.
   *
   * @param holdsStatics - true if a static argument is a function, which the programs must not keep alive
   */
  get(
    key: string,
    stageFunction: () => Staged,
    stageRules: (f: Staged) => StagedRules,
    holdsStatics: boolean,
  ): Customized {
    const made = this.known.get(key) ?? this.open.get(key);
    if (made) return made;
    const staged = stageFunction();
    let entry = this.stageWith(key, staged, stageRules, staged.closed.consts);
    const more = entry.captured.filter((x) => !staged.closed.consts.includes(x));
    // The rules have captured tracers that `f` has not. If they call `f`, they have done so without these operands.
    if (more.length > 0) entry = this.stageWith(key, staged, stageRules, entry.captured);
    if (entry.captured.some((x) => x instanceof Tracer)) return entry;
    if (holdsStatics) for (const { jaxpr } of [entry, ...entry.rule().programs]) releaseFrames(jaxpr);
    if (this.known.size >= capacity) this.known.delete(this.known.keys().next().value!);
    this.known.set(key, entry);
    return entry;
  }

  /** Stage the rules, in which calls of `f` have these operands in front; returns what has been captured in the end. */
  private stageWith(
    key: string,
    { closed, outDef }: Staged,
    stageRules: (f: Staged) => StagedRules,
    assumed: readonly Value[],
  ): Customized {
    const { op } = this;
    let rules: Rules | null = null;
    let problem = 'its rule takes the derivative of the function whose rule it is';
    const rule: Rule = () => {
      if (rules) return rules;
      const remedy =
        'differentiate in the rule what does not call the function itself, and pass what it closes over as arguments';
      throw new NotDifferentiableError({ op, problem, remedy });
    };
    Object.defineProperty(rule, 'name', { value: op });
    const entry: Customized = { captured: assumed, jaxpr: withOperands(closed, assumed).jaxpr, outDef, rule };
    this.open.set(key, entry);
    let staged: StagedRules;
    try {
      staged = stageRules({ closed, outDef });
    } finally {
      this.open.delete(key);
    }
    const tracers = staged.programs.flatMap(({ consts }) => consts.filter((x) => x instanceof Tracer));
    const captured = [...new Set([...assumed, ...tracers])];
    if (captured.length > assumed.length) {
      problem = 'its rule closes over values that a call of the function inside of the rule has not been given';
      return { ...entry, captured };
    }
    rules = { programs: staged.programs.map((program) => withOperands(program, assumed)), nonzero: staged.nonzero };
    return entry;
  }
}

/** The program with `operands` as inputs before its own, and other tensors that it captured as constants before those. */
export function withOperands({ jaxpr, consts }: ClosedJaxpr, operands: readonly Value[]): Derived {
  const varOf = new Map<Value, Var>(consts.map((x, i) => [x, jaxpr.consts[i]!]));
  const own = consts.filter((x) => !operands.includes(x));
  const inputs = operands.map((x) => varOf.get(x) ?? makeVar(x.aval));
  return {
    jaxpr: constsAsInputs({ ...jaxpr, consts: [...own.map((x) => varOf.get(x)!), ...inputs] }),
    consts: own,
  };
}

/** Rules by what they are derived from, so that the same call on the same batches has the same rule. */
const derivedRules = new WeakMap<Rule, Map<string, Rule>>();

/** The rule that `make` makes of `rule` when it is first needed; one for each `key`. */
export function deriveRule(rule: Rule, key: string, make: (rules: Rules) => Rules): Rule {
  let known = derivedRules.get(rule);
  if (!known) {
    known = new Map();
    derivedRules.set(rule, known);
  }
  const found = known.get(key);
  if (found) return found;
  let rules: Rules | null = null;
  const derived: Rule = () => {
    rules ??= make(rule());
    return rules;
  };
  Object.defineProperty(derived, 'name', { value: rule.name });
  if (known.size >= capacity) known.delete(known.keys().next().value!);
  known.set(key, derived);
  return derived;
}

/** A program that takes these as well, between its constants and its inputs, and does nothing with them. */
export const padded = ({ jaxpr, consts }: Derived, extra: readonly Value[]): Derived => ({
  jaxpr: {
    ...jaxpr,
    ins: [
      ...jaxpr.ins.slice(0, consts.length),
      ...extra.map((x) => makeVar(x.aval)),
      ...jaxpr.ins.slice(consts.length),
    ],
  },
  consts,
});

/** The arguments of a customized function: those without derivatives first. */
export interface SplitArgs {
  readonly nondiff: Flat;
  readonly diff: Flat;
  /** The arguments in their order again. */
  readonly merge: (nondiff: readonly unknown[], diff: readonly unknown[]) => unknown[];
  /** What kind of arguments they are. */
  readonly key: string;
}

/**
 * Split arguments by `nondiffArgnums`. A bare number among the others is a scalar, as where derivatives are taken.
 *
 * @throws TreeError for an argnum that names no argument
 */
export function splitArgs(op: string, args: readonly unknown[], argnums: readonly number[]): SplitArgs {
  const fixed = argnums.map((n) => positionOf(op, n, args.length));
  const rest = args.map((_, i) => i).filter((i) => !fixed.includes(i));
  const each = (at: readonly number[], of: (x: unknown) => unknown): Flat => {
    const flats = at.map((i) => flatten(of(args[i]), op, `args[${i}]`));
    return { leaves: flats.flatMap((x) => x.leaves), def: arrayDef(flats.map((x) => x.def)) };
  };
  const nondiff = each(fixed, (x) => x);
  const diff = each(rest, promoteNumber);
  const avals = [...nondiff.leaves, ...diff.leaves].map((x) => x.aval.id);
  return {
    nondiff,
    diff,
    merge: (constants, variables) => {
      const all: unknown[] = [...args];
      fixed.forEach((at, i) => {
        all[at] = constants[i];
      });
      rest.forEach((at, i) => {
        all[at] = variables[i];
      });
      return all;
    },
    key: `${nondiff.def.key};${diff.def.key};${avals.join()}`,
  };
}

/** A function of a user, of which nothing is known. */
export type AnyFunction = (...args: readonly unknown[]) => unknown;

/** Stage a user's function of the split arguments. */
export function stageSplit(op: string, f: AnyFunction, { nondiff, diff, merge }: SplitArgs): Staged {
  const whole = (constants: readonly unknown[], variables: readonly unknown[]): unknown =>
    f(...merge(constants, variables));
  const { flat, outDef } = flatFunction(op, whole, arrayDef([nondiff.def, diff.def]));
  const avals = [...nondiff.leaves, ...diff.leaves].map((x) => x.aval);
  const closed = stage(op, flat, avals);
  return { closed, outDef: outDef() };
}

/** Something that a user's function returned, in the words of an error. */
export function shown(x: unknown): string {
  if (Array.isArray(x)) return `an array of ${x.length}`;
  if (typeof x !== 'object' || x === null) return String(x);
  return x instanceof Value ? showAval(x.aval) : `an object with the keys ${Object.keys(x).join(', ')}`;
}

/** The leaves of the split arguments as trees again; `rest` is what comes behind them. */
export function takeSplit(
  { nondiff, diff }: SplitArgs,
  values: readonly Value[],
): { readonly constants: readonly unknown[]; readonly variables: readonly unknown[]; readonly rest: readonly Value[] } {
  const [n, d] = [nondiff.leaves.length, diff.leaves.length];
  return {
    constants: unflatten<readonly unknown[]>(nondiff.def, values.slice(0, n)),
    variables: unflatten<readonly unknown[]>(diff.def, values.slice(n, n + d)),
    rest: values.slice(n + d),
  };
}

/** Is there a static argument that is a function? */
export const holdsFunctions = ({ nondiff, diff }: SplitArgs): boolean =>
  holdsFunction(nondiff.def) || holdsFunction(diff.def);

/**
 * What a rule says the output is, as the output of `f`.
 *
 * @throws TreeError if it has another structure, or a leaf of another shape or dtype
 */
export function sameOutput(op: string, who: string, tree: unknown, { closed, outDef }: Staged): readonly Value[] {
  const { leaves, def } = flatten(tree, op, `the output of ${who}`);
  const remedy = `let ${who} return the same output as the function itself`;
  const found = difference(outDef, def, 'output');
  if (found)
    throw new TreeError({ op, problem: `${who} returns another structure than the function: ${found}`, remedy });
  return leaves.map((x, i) => {
    const { aval } = closed.jaxpr.outs[i]!;
    if (compatible(x.aval, aval)) return withAval(x, aval);
    throw new TreeError({
      op,
      problem: `${who} returns ${showAval(x.aval)} where the function returns ${showAval(aval)}`,
      remedy,
    });
  });
}

/**
 * Only the arguments that a rule is told of may be differentiated.
 *
 * @param captured - how many operands are closed over
 * @param nondiff - how many operands after those are of `nondiffArgnums`
 * @throws NotDifferentiableError if another one has a tangent
 */
export function expectConstants(
  op: string,
  { captured, nondiff }: { readonly captured: number; readonly nondiff: number },
  active: readonly boolean[],
  primals: readonly Value[],
): void {
  const at = active.findIndex((isActive, i) => isActive && i < captured + nondiff);
  if (at < 0) return;
  const aval = showAval(primals[at]!.aval);
  throw new NotDifferentiableError({
    op,
    problem:
      at < captured
        ? `closes over ${aval}, which is being differentiated: its rule says nothing of that`
        : `an argument of nondiffArgnums, ${aval}, is being differentiated`,
    remedy:
      at < captured
        ? 'pass the value as an argument, or close over stopGradient of it'
        : 'leave the argument out of nondiffArgnums, or pass stopGradient of it',
  });
}

/** Which tangents are there? */
export const present = (tangents: readonly Tangent[]): readonly boolean[] => tangents.map((x) => x !== null);
