/**
 * Rows of the calls that have rules of their own: random programs, with their true derivatives for rules. These are derived
 * here by the transforms of the program itself, which other laws hold to differences.
 */

import type * as fc from 'fast-check';
import { type Aval, makeAval } from '../../src/core/aval.ts';
import { isFloat } from '../../src/core/dtype.ts';
import { inAvals, type Jaxpr, outAvals } from '../../src/core/jaxpr.ts';
import type { Value } from '../../src/core/value.ts';
import { add, div, mul, sub } from '../../src/prim/arithmetic.ts';
import { zeros } from '../../src/prim/compose.ts';
import { batchAt } from '../../src/prim/define.ts';
import { asFunction, derive, linearizedCall, residualsOf, withAval } from '../../transforms/call.ts';
import type { BatchRule } from '../../transforms/custom-vmap.ts';
import { jvpFlat } from '../../transforms/jvp.ts';
import { linearizeFlat } from '../../transforms/linearize.ts';
import type { PrimitiveParams } from '../../transforms/registry.ts';
import type { Rule, Rules } from '../../transforms/rule.ts';
import { backwardPass } from '../../transforms/transpose.ts';
import { vmapFlat } from '../../transforms/vmap.ts';
import { everyDType, floats } from '../arbitrary/dtype.ts';
import { tied, within } from '../arbitrary/elements.ts';
import { jaxprOf, type ProgramOptions, programs } from '../arbitrary/program.ts';
import { exact, linear, smooth } from '../arbitrary/program-ops.ts';
import { alike, type Call, claims, everywhere, makeCall, type Row, smooth as smoothly } from './row.ts';

type CustomParams = PrimitiveParams<'custom_jvp'>;
type CustomLinParams = PrimitiveParams<'custom_lin'>;

const floatsIn = (jaxpr: Jaxpr): readonly number[] =>
  inAvals(jaxpr).flatMap((aval, i) => (isFloat(aval.dtype) ? [i] : []));

/** A rule that is made when it is first asked for. */
function lazily(make: () => Rules): Rule {
  let rules: Rules | null = null;
  return () => {
    rules ??= make();
    return rules;
  };
}

/** Outputs and tangents, from primals and tangents. */
export const trueJvp = (jaxpr: Jaxpr): Rule =>
  lazily(() => {
    const active = floatsIn(jaxpr);
    let nonzero: readonly boolean[] = [];
    const program = derive(
      (...args) => {
        const primals = args.slice(0, jaxpr.ins.length);
        const tangents = primals.map((_, i) => args[jaxpr.ins.length + active.indexOf(i)] ?? null);
        const result = jvpFlat(
          asFunction(jaxpr),
          primals,
          tangents.map((x, i) => (active.includes(i) ? x : null)),
        );
        nonzero = result.tangents.map((x) => x !== null);
        return [...result.outs, ...result.tangents.filter((x) => x !== null)];
      },
      [...inAvals(jaxpr), ...active.map((i) => jaxpr.ins[i]!.aval)],
    );
    return { programs: [program], nonzero };
  });

/** Outputs and residuals; and cotangents, from residuals and the cotangents of float outputs. */
export const trueVjp = (jaxpr: Jaxpr, constants: number): Rule =>
  lazily(() => {
    const active = floatsIn(jaxpr);
    const isActive = jaxpr.ins.map((_, i) => active.includes(i));
    const split = linearizedCall((...args) => linearizeFlat(asFunction(jaxpr), args, isActive), inAvals(jaxpr));
    const count = jaxpr.outs.length;
    const fwd = derive((...args) => {
      const results = asFunction(split.program.jaxpr)(...split.program.consts, ...args);
      return [...results.slice(0, count), ...residualsOf(split.sources, args, results, count)];
    }, inAvals(jaxpr));
    const residuals = outAvals(fwd.jaxpr).slice(count);
    const floatOuts = outAvals(jaxpr).filter(({ dtype }) => isFloat(dtype));
    const bwd = derive(
      (...args) => {
        const rest = args.slice(constants);
        const given = rest.slice(residuals.length);
        let next = 0;
        const cts = outAvals(jaxpr).map(({ dtype }) => (isFloat(dtype) ? given[next++]! : null));
        const present = cts.filter((_, i) => split.nonzero[i]);
        return pulled(split.linear, rest.slice(0, residuals.length), present);
      },
      [...inAvals(jaxpr).slice(0, constants), ...residuals, ...floatOuts],
    );
    return { programs: [fwd, bwd], nonzero: active.map(() => true) };
  });

/** The cotangents of what a program is linear in, from its first operands and the cotangents of its outputs. */
const pulled = (jaxpr: Jaxpr, residuals: readonly Value[], cts: readonly (Value | null)[]): readonly Value[] => {
  const holes = inAvals(jaxpr).slice(residuals.length);
  const operands = [...residuals, ...holes.map((aval) => ({ linear: true, aval }) as const)];
  const result = backwardPass(jaxpr, [], operands, cts).slice(residuals.length);
  return result.map((ct, i) => ct ?? zeros(holes[i]!));
};

/** Calls of programs; operands in front that are no floats are closed over, or arguments without derivatives. */
const calls =
  (ruleOf: (jaxpr: Jaxpr, constants: number) => Rule) =>
  (options: ProgramOptions): fc.Arbitrary<Call<CustomParams>> =>
    programs(options).map((program) => {
      const jaxpr = jaxprOf(program);
      const constants = floatsIn(jaxpr)[0] ?? jaxpr.ins.length;
      const captured = Math.floor(constants / 2);
      const rule = ruleOf(jaxpr, constants);
      return makeCall(program.ins, { name: 'program', jaxpr, rule, captured, nondiff: constants - captured });
    });

const custom = (ruleOf: (jaxpr: Jaxpr, constants: number) => Rule): Row<CustomParams> => ({
  takes: everyDType,
  calls: (dtypes) => calls(ruleOf)({ ops: dtypes.every(isFloat) ? smooth : exact, dtypes, maxSteps: 5 }),
  operands: claims(smoothly, within(-1, 1)),
  linear: everywhere,
  linearCalls: calls(ruleOf)({ ops: linear, dtypes: floats, maxSteps: 5 }),
  results: ({ params }) => outAvals(params.jaxpr),
});

/** The linear part of a smooth program, of which the transpose is given. */
const linearParts = (options: ProgramOptions): fc.Arbitrary<Call<CustomLinParams>> =>
  programs(options).map((program) => {
    const jaxpr = jaxprOf(program);
    const { linear: part } = linearizedCall((...args) => linearizeFlat(asFunction(jaxpr), args), inAvals(jaxpr));
    const residuals = part.ins.length - jaxpr.ins.length;
    const avals = inAvals(part).slice(0, residuals);
    const transposed = derive(
      (...args) => pulled(part, args.slice(0, residuals), args.slice(residuals)),
      [...avals, ...outAvals(part)],
    );
    const ins: readonly Aval[] = [...avals, ...inAvals(jaxpr)];
    return makeCall(ins, { name: 'program', jaxpr: transposed.jaxpr, residuals });
  });

const customLin: Row<CustomLinParams> = {
  takes: floats,
  calls: (dtypes) =>
    linearParts({ ops: smooth, dtypes, maxSteps: 3, maxInputs: 2, shape: { maxRank: 2, empty: false } }).filter(
      isSmall,
    ),
  // What residuals are divided by is far from zero.
  operands: claims(smoothly, within(0.5, 1.5)),
  values: () => tied,
  linear: ({ ins, params }) => [ins.flatMap((_, i) => (i >= params.residuals ? [i] : []))],
  results: ({ params }) =>
    inAvals(params.jaxpr)
      .slice(params.residuals)
      .map(({ shape, dtype, weak }) => makeAval(shape, dtype, weak)),
};

/** With a derivative, and few enough operands to differentiate in every subset of them. */
const isSmall = ({ ins, params }: Call<CustomLinParams>): boolean =>
  params.jaxpr.ins.length > params.residuals && ins.length <= 3;

/** Parameters by avals: what is derived from a program is made once. */
const solvers = new Map<string, PrimitiveParams<'custom_linear_solve'>>();

/** Triangular systems of two vectors, element by element: d·x + c·y = b, d·y = f. The operands are d, c, b and f. */
function triangular(ins: readonly Aval[]): PrimitiveParams<'custom_linear_solve'> {
  const key = ins.map(({ id }) => id).join();
  const known = solvers.get(key);
  if (known) return known;
  const program = (f: (d: Value, c: Value, v: Value, w: Value) => readonly Value[]): Jaxpr =>
    derive((d, c, v, w) => f(d!, c!, v!, w!).map((x, i) => withAval(x, ins[2 + i]!)), ins).jaxpr;
  const matvec = program((d, c, x, y) => [add(mul(d, x), mul(c, y)), mul(d, y)]);
  const solve = program((d, c, b, f) => [div(sub(b, mul(c, div(f, d))), d), div(f, d)]);
  const back = program((d, c, b, f) => [div(b, d), div(sub(f, mul(c, div(b, d))), d)]);
  const params = { consts: 2, matvec, solve, transposeSolve: [back] };
  solvers.set(key, params);
  return params;
}

const linearSolve: Row<PrimitiveParams<'custom_linear_solve'>> = {
  takes: floats,
  calls: (dtypes) => alike(4, { maxRank: 2 })(dtypes).map((ins) => makeCall(ins, triangular(ins))),
  operands: claims(smoothly, within(0.5, 1.5)),
  linear: () => [[2, 3]],
  results: ({ ins }) => ins.slice(2),
};

/** Calls that are batched as the program is, with the batch in front. */
const batchedCalls = (options: ProgramOptions): fc.Arbitrary<Call<PrimitiveParams<'custom_vmap'>>> =>
  programs(options).map((program) => {
    const jaxpr = jaxprOf(program);
    const rule: BatchRule = (size, batched, operands) => {
      const dims = batched.map((flag) => (flag ? 0 : null));
      const { outs, dims: found } = vmapFlat(asFunction(jaxpr), size, operands, dims);
      const front = outs.map((x, i) => (found[i] === null ? x : batchAt(size, x, found[i]!, 0)));
      return { outs: front, batched: found.map((dim) => dim !== null) };
    };
    return makeCall(program.ins, { name: 'program', jaxpr, rule, captured: 0 });
  });

const customVmap: Row<PrimitiveParams<'custom_vmap'>> = {
  takes: everyDType,
  calls: (dtypes) => batchedCalls({ ops: dtypes.every(isFloat) ? smooth : exact, dtypes, maxSteps: 5 }),
  operands: claims(smoothly, within(-1, 1)),
  linear: everywhere,
  linearCalls: batchedCalls({ ops: linear, dtypes: floats, maxSteps: 5 }),
  results: ({ params }) => outAvals(params.jaxpr),
};

/** Rows by name. */
export const customRows = {
  custom_jvp: custom(trueJvp),
  custom_vjp: custom(trueVjp),
  custom_lin: customLin,
  custom_vmap: customVmap,
  custom_linear_solve: linearSolve,
} as const;
