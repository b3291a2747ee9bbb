/**
 * `cond`: one of several programs, chosen by an index as it runs. Only the one that is taken runs.
 *
 * A derivative is a choice among derivatives: the forward branches return their residuals in shared places, the linear ones read
 * them there. In a batch whose lanes take different branches, each branch that some lane takes runs on all of them, the others
 * with the operands of a lane that does take it: what is not taken stays finite, and nothing of it reaches a result or derivative.
 */

import * as t from 'io-ts';
import { type Aval, compatible, makeAval, showAval } from '../src/core/aval.ts';
import { isFloat } from '../src/core/dtype.ts';
import { CheckError, NotDifferentiableError } from '../src/core/errors.ts';
import { identityOf } from '../src/core/identity.ts';
import {
  type Atom,
  constsAsInputs,
  evalJaxpr,
  inAvals,
  isLiteral,
  type Jaxpr,
  makeVar,
  outAvals,
  type Var,
} from '../src/core/jaxpr.ts';
import { type BatchDim, type Hole, isHole, type Primitive, type Tangent } from '../src/core/primitive.ts';
import { stage } from '../src/core/stage.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { clamp, convertElementType } from '../src/prim/arithmetic.ts';
import { eq, select } from '../src/prim/compare.ts';
import { full, scalar, zeros } from '../src/prim/compose.ts';
import { batchAt } from '../src/prim/define.ts';
import { reduceOr } from '../src/prim/reduce.ts';
import { broadcastInDim } from '../src/prim/structural.ts';
import { count, isPresent, present, reader, where } from './bodies.ts';
import { asFunction, constantPart, jaxprCodec, mask, remember, spread, withPrologue } from './call.ts';
import { type FlatFunction, jvpFlat } from './jvp.ts';
import { linearizeFlat } from './linearize.ts';
import { filled } from './scan-bodies.ts';
import { backwardPass } from './transpose.ts';
import { vmapFlat } from './vmap.ts';
import { lanesTaken } from './while.ts';

const condParams = t.readonly(t.strict({ branches: t.readonlyArray(jaxprCodec) }));

/** What a choice says: the programs that are chosen from. */
export type CondParams = t.TypeOf<typeof condParams>;

/** Branches over the same operands, with what any of them captures before these. */
export interface Branches {
  readonly branches: readonly Jaxpr[];
  readonly consts: readonly Value[];
}

/** Stage functions of the same operands, so that each takes what any of them captures. */
export function stageBranches(op: string, fs: readonly FlatFunction[], avals: readonly Aval[]): Branches {
  const closed = fs.map((f) => stage(op, f, avals));
  const captured = [...new Set(closed.flatMap(({ consts }) => consts))];
  const branches = closed.map(({ jaxpr, consts }): Jaxpr => {
    const own = new Map(consts.map((x, i) => [x, jaxpr.consts[i]!]));
    return { ...jaxpr, consts: [], ins: [...captured.map((x) => own.get(x) ?? makeVar(x.aval)), ...jaxpr.ins] };
  });
  return { branches, consts: captured };
}

/** The branch of this index (the nearest one if there is none) on operands. */
export const choose = (index: Value, { branches, consts }: Branches, operands: readonly Value[]): readonly Value[] =>
  bind(condP, [index, ...consts, ...operands], { branches });

/** A transform of the branches, made once. */
const rememberBranches = <A>(branches: readonly Jaxpr[], key: string, make: () => A): A =>
  remember(branches[0]!, `cond ${branches.map(identityOf).join()} ${key}`, make);

const anyOf = (flags: readonly (readonly boolean[])[]): readonly boolean[] =>
  flags[0]!.map((_, i) => flags.some((list) => list[i]));

/**
 * Branches whose results are zero or not, each by itself: those that are not zero in any are results of all.
 *
 * @param make - a branch as a function, which says what is not zero when it runs
 */
function unite(
  branches: readonly Jaxpr[],
  avals: readonly Aval[],
  like: readonly Aval[],
  run: (
    branch: Jaxpr,
    args: readonly Value[],
  ) => { readonly outs: readonly Value[]; readonly maybe: readonly Tangent[] },
) {
  const nonzero = branches.map(() => like.map(() => false));
  const trace = (wanted: readonly boolean[]) =>
    stageBranches(
      'cond',
      branches.map((branch, j) => (...args) => {
        const { outs, maybe } = run(branch, args);
        nonzero[j] = [...isPresent(maybe)];
        return [
          ...outs,
          ...filled(
            maybe,
            wanted,
            like.map((aval) => ({ aval })),
          ),
        ];
      }),
      avals,
    );
  trace(like.map(() => false));
  const flags = anyOf(nonzero);
  return { program: trace(flags), flags };
}

const jvpOf = (branches: readonly Jaxpr[], active: readonly boolean[]) =>
  rememberBranches(branches, `jvp ${mask(active)}`, () => {
    const avals = inAvals(branches[0]!);
    return unite(branches, [...avals, ...where(avals, active)], outAvals(branches[0]!), (branch, args) => {
      const tangents = spread(active, args.slice(avals.length));
      const result = jvpFlat(asFunction(branch), args.slice(0, avals.length), tangents);
      return { outs: result.outs, maybe: result.tangents };
    });
  });

/** Where the linear branches find a residual: it is an operand, an output, or in one of the places that branches share. */
type ResidualSource = readonly ['in' | 'out' | 'place', number];

/** Places for residuals: as only one branch runs, those of different branches share them, by their types. */
class Places {
  readonly avals: Aval[] = [];
  /** The places of each type, in the order in which a branch takes them. */
  readonly #ofType = new Map<string, number[]>();

  /** For each aval of one branch a place of that type. */
  assign(avals: readonly Aval[]): readonly number[] {
    const used = new Map<string, number>();
    return avals.map((aval) => {
      const type = `${aval.dtype} ${aval.shape.join()}`;
      const own = this.#ofType.get(type) ?? [];
      this.#ofType.set(type, own);
      const turn = used.get(type) ?? 0;
      used.set(type, turn + 1);
      if (turn === own.length) own.push(this.avals.push(aval) - 1);
      return own[turn]!;
    });
  }
}

function linearizeOf(branches: readonly Jaxpr[], active: readonly boolean[]) {
  return rememberBranches(branches, `linearize ${mask(active)}`, () => {
    const avals = inAvals(branches[0]!);
    const outs = branches[0]!.outs.length;
    const places = new Places();
    const sources: ResidualSource[] = [];
    const indices = new Map<string, number>();
    const indexOf = (source: ResidualSource): number => {
      const key = source.join();
      const known = indices.get(key);
      if (known !== undefined) return known;
      indices.set(key, sources.length);
      return sources.push(source) - 1;
    };
    const split = branches.map((branch) => {
      let linear!: Jaxpr;
      let nonzero: readonly boolean[] = [];
      const forward = stage(
        'cond',
        (...args) => {
          const result = linearizeFlat(asFunction(branch), args, active);
          linear = result.linear.jaxpr;
          nonzero = result.nonzero;
          return [...result.outs, ...result.linear.consts];
        },
        avals,
      );
      const whole = constsAsInputs(forward.jaxpr);
      const { eqns: constant, vars } = constantPart(whole);
      const inAt = new Map<Atom, number>(forward.jaxpr.ins.map((v, i) => [v, i]));
      const outAt = new Map<Atom, number>(whole.outs.slice(0, outs).map((atom, i) => [atom, i]));
      const prologue = new Map<Var, Atom>();
      const targets: (readonly [Var, Atom])[] = [];
      whole.outs.slice(outs).forEach((atom, i) => {
        const target = linear.consts[i]!;
        if (isLiteral(atom) || vars.has(atom)) prologue.set(target, atom);
        else targets.push([target, atom]);
      });
      const extra = [...new Set(targets.map(([, atom]) => atom))].filter((atom) => !inAt.has(atom) && !outAt.has(atom));
      const placed = places.assign(extra.map((atom) => atom.aval));
      const extraAt = new Map(extra.map((atom, i) => [atom, i]));
      const reads = targets.map(([, atom]) => {
        const [asIn, asOut] = [inAt.get(atom), outAt.get(atom)];
        if (asIn !== undefined) return indexOf(['in', asIn]);
        if (asOut !== undefined) return indexOf(['out', asOut]);
        return indexOf(['place', placed[extraAt.get(atom)!]!]);
      });
      const program = withPrologue(
        linear,
        targets.map(([target]) => target),
        constant,
        prologue,
      );
      return { forward, extra, placed, program, reads, nonzero };
    });
    const nonzero = anyOf(split.map((one) => one.nonzero));
    const forward = stageBranches(
      'cond',
      split.map(({ forward: { jaxpr, consts }, extra, placed }) => (...args) => {
        const ownAt = new Map(placed.map((at, i) => [at, i]));
        const results = evalJaxpr({ ...jaxpr, outs: [...jaxpr.outs.slice(0, outs), ...extra] }, consts, args);
        const residuals = places.avals.map((aval, at) => {
          const own = ownAt.get(at);
          return own === undefined ? zeros(aval) : results[outs + own]!;
        });
        return [...results.slice(0, outs), ...residuals];
      }),
      avals,
    );
    const outTypes = outAvals(forward.branches[0]!);
    const residualAvals = sources.map(([from, i]) =>
      from === 'in' ? avals[i]! : from === 'out' ? outTypes[i]! : places.avals[i]!,
    );
    const like = outAvals(branches[0]!).map((aval) => ({ aval }));
    const linear = stageBranches(
      'cond',
      split.map(({ program, reads, nonzero: own }) => (...args) => {
        const residuals = reads.map((i) => args[i]!);
        const results = evalJaxpr(program, [], [...residuals, ...args.slice(sources.length)]);
        return filled(spread(own, results), nonzero, like);
      }),
      [...residualAvals, ...where(avals, active)],
    );
    return { forward, sources, linear, nonzero };
  });
}

const transposeOf = (branches: readonly Jaxpr[], holes: readonly boolean[], given: readonly boolean[]) =>
  rememberBranches(branches, `transpose ${mask(holes)} ${mask(given)}`, () => {
    const avals = inAvals(branches[0]!);
    const known = avals.filter((_, i) => !holes[i]);
    return unite(branches, [...known, ...where(outAvals(branches[0]!), given)], avals, (branch, args) => {
      const next = reader(args);
      const operands = branch.ins.map(({ aval }, i): Value | Hole => (holes[i] ? { linear: true, aval } : next(1)[0]!));
      return { outs: [], maybe: backwardPass(branch, [], operands, spread(given, next(count(given)))) };
    });
  });

/** All lanes take the same branch: each branch is batched; what is batched in one must be in all. */
const vmapTogether = (branches: readonly Jaxpr[], size: number, dims: readonly BatchDim[], avals: readonly Aval[]) =>
  rememberBranches(branches, `vmap ${size} ${dims.join()} ${avals.map((aval) => aval.id).join()}`, () => {
    const batched = branches.map((branch) => branch.outs.map(() => false));
    const trace = (wanted: readonly boolean[]) =>
      stageBranches(
        'cond',
        branches.map((branch, j) => (...args) => {
          const { outs, dims: at } = vmapFlat(asFunction(branch), size, args, dims);
          batched[j] = [...isPresent(at)];
          return outs.map((x, i) => (wanted[i] ? batchAt(size, x, at[i]!, 0) : x));
        }),
        avals,
      );
    trace(branches[0]!.outs.map(() => false));
    const flags = anyOf(batched);
    return { program: trace(flags), flags };
  });

/** A branch on all lanes, those that do not take it with the operands of one that does; and what stands in for it if none does. */
const vmapApart = (branch: Jaxpr, size: number, dims: readonly BatchDim[], avals: readonly Aval[]) =>
  remember(branch, `cond apart ${size} ${dims.join()} ${avals.map((aval) => aval.id).join()}`, () => {
    const run: FlatFunction = (taken, ...operands) => {
      const safe = operands.map((x, i) => lanesTaken(taken!, x, dims[i]!));
      const { outs, dims: at } = vmapFlat(asFunction(branch), size, safe, dims);
      return outs.map((x, i) => batchAt(size, x, at[i]!, 0));
    };
    const skip: FlatFunction = () =>
      branch.outs.map(({ aval: { shape, dtype, weak } }) => zeros(makeAval([size, ...shape], dtype, weak)));
    return stageBranches('cond', [skip, run], [makeAval([size], 'bool'), ...avals]);
  });

const misfit = (problem: string): CheckError => new CheckError({ op: 'cond', problem });

const shown = (avals: readonly Aval[]): string => avals.map(showAval).join(', ');

export const condP: Primitive<'cond', CondParams> = {
  name: 'cond',
  params: condParams,
  abstractEval([index, ...operands], { branches }) {
    if (branches.length === 0) throw misfit('there is no branch');
    if (index?.dtype !== 'int32' || index.shape.length > 0) {
      throw misfit(`the index must be int32[], got ${index ? showAval(index) : 'nothing'}`);
    }
    const results = branches.map(outAvals);
    branches.forEach((branch, j) => {
      const taken = inAvals(branch);
      if (taken.length !== operands.length || !taken.every((aval, i) => compatible(aval, operands[i]!))) {
        throw misfit(`branch ${j} takes ${shown(taken)}, got ${shown(operands)}`);
      }
      const [first, own] = [results[0]!, results[j]!];
      if (own.length === first.length && own.every((aval, i) => compatible(aval, first[i]!))) return;
      throw misfit(`branch 0 returns ${shown(first)}, branch ${j} ${shown(own)}`);
    });
    return results[0]!.map(({ shape, dtype }, i) =>
      makeAval(
        shape,
        dtype,
        results.every((avals) => avals[i]!.weak),
      ),
    );
  },
  jvp([index, ...primals], [, ...tangents], { branches }) {
    const { program, flags } = jvpOf(branches, isPresent(tangents));
    const take = reader(choose(index!, program, [...primals, ...present(tangents)]));
    return { outs: take(flags.length), tangents: spread(flags, take(count(flags))) };
  },
  transpose(cotangents, [index, ...operands], { branches }) {
    if (isHole(index!)) {
      throw new NotDifferentiableError({
        op: 'cond',
        problem: 'its predicate or index depends on what it is transposed in, and so it is not linear',
        remedy:
          'let the choice depend on residuals or primals only; for a derivative use vjp or grad, which linearize first',
      });
    }
    const { program, flags } = transposeOf(branches, operands.map(isHole), isPresent(cotangents));
    const known = operands.filter((x): x is Value => !isHole(x));
    return [null, ...spread(flags, choose(index!, program, [...known, ...present(cotangents)]))];
  },
  vmap(size, [index, ...operands], [dim, ...dims], { branches }) {
    const avals = operands.map((x) => x.aval);
    if (dim === null) {
      const { program, flags } = vmapTogether(branches, size, dims, avals);
      return { outs: choose(index!, program, operands), dims: flags.map((flag) => (flag ? 0 : null)) };
    }
    const results = condP.abstractEval([makeAval([], 'int32'), ...inAvals(branches[0]!)], { branches });
    if (size === 0)
      return {
        outs: results.map(({ shape, dtype, weak }) => zeros(makeAval([0, ...shape], dtype, weak))),
        dims: results.map(() => 0),
      };
    const last = scalar(branches.length - 1, 'int32');
    const lanes = broadcastInDim(last, [size], []);
    const indices = clamp(full(index!.aval, 0), index!, lanes);
    const outs = branches.map((branch, j) => {
      const taken = eq(indices, full(indices.aval, j));
      const some = convertElementType(reduceOr(taken, [0]), 'int32');
      const values = choose(some, vmapApart(branch, size, dims, avals), [taken, ...operands]);
      return { taken, values };
    });
    const chosen = outs
      .slice(1)
      .reduce(
        (before, { taken, values }) =>
          before.map((x, i) => select(broadcastInDim(taken, values[i]!.shape, [0]), values[i]!, x)),
        outs[0]!.values,
      );
    return { outs: chosen, dims: chosen.map(() => 0) };
  },
  higherOrder: {
    jaxprs: ({ branches }) => branches,
    linearize([index, ...primals], [, ...given], { branches }) {
      const active = given.map((flag, i) => flag && isFloat(primals[i]!.dtype));
      const { forward, sources, linear, nonzero } = linearizeOf(branches, active);
      const results = choose(index!, forward, primals);
      const outs = results.slice(0, nonzero.length);
      const places = { in: primals, out: outs, place: results.slice(nonzero.length) };
      return {
        outs,
        residuals: [index!, ...sources.map(([from, i]) => places[from][i]!)],
        linear: ([at, ...residuals], [, ...tangents]) => {
          if (!nonzero.includes(true)) return nonzero.map(() => null);
          return spread(nonzero, choose(at!, linear, [...residuals, ...present(where(tangents, active))]));
        },
      };
    },
  },
};
