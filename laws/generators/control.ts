/** Rows of control flow: loops and branches over random bodies. */

import * as fc from 'fast-check';
import { type Aval, makeAval } from '../../src/core/aval.ts';
import { type DType, isFloat } from '../../src/core/dtype.ts';
import { stage } from '../../src/core/stage.ts';
import { lt } from '../../src/prim/compare.ts';
import type { PrimitiveParams } from '../../transforms/registry.ts';
import { alternatives, type BodyOptions, bodies, sineOfAll, sumOfAll } from '../arbitrary/body.ts';
import { everyDType, floats } from '../arbitrary/dtype.ts';
import { type Domain, edgy, within } from '../arbitrary/elements.ts';
import { jaxprOf } from '../arbitrary/program.ts';
import { exact, linear, smooth } from '../arbitrary/program-ops.ts';
import {
  type Call,
  claims,
  everywhere,
  makeCall,
  nowhere,
  type OperandClaim,
  type Row,
  smooth as smoothly,
} from './row.ts';

/** Exact operations on what is not a float; smooth ones, whose carries stay moderate, on floats. */
const options = (dtypes: readonly DType[]): BodyOptions =>
  dtypes.every(isFloat) ? { ops: smooth, dtypes, settle: sineOfAll } : { ops: exact, dtypes };

type ScanParams = PrimitiveParams<'scan'>;

const stacked = ({ shape, dtype, weak }: Aval, length: number): Aval => makeAval([length, ...shape], dtype, weak);

const scans = (of: BodyOptions): fc.Arbitrary<Call<ScanParams>> =>
  fc
    .tuple(bodies(of), fc.integer({ min: 0, max: 3 }), fc.boolean())
    .map(([{ program, consts, carry }, length, reverse]) =>
      makeCall(
        program.ins.map((aval, i) => (i < consts + carry ? aval : stacked(aval, length))),
        { jaxpr: jaxprOf(program), consts, carry, length, reverse },
      ),
    );

const scan: Row<ScanParams> = {
  takes: everyDType,
  calls: (dtypes) => scans(options(dtypes)),
  operands: claims(smoothly, within(-1, 1)),
  linear: everywhere,
  linearCalls: fc.boolean().chain((counts) => scans({ ops: linear, dtypes: floats, settle: sumOfAll, counts })),
  results: ({ params: { jaxpr, consts, carry, length } }) =>
    jaxpr.outs.map(({ aval }, i) => {
      if (i >= carry) return stacked(aval, length);
      return makeAval(aval.shape, aval.dtype, aval.weak && jaxpr.ins[consts + i]!.aval.weak);
    }),
};

type WhileParams = PrimitiveParams<'while'>;

/** From 0 to 3, and now and then below: how often a loop runs, or which branch is taken. */
const few: Domain = (_, n) => fc.array(fc.integer({ min: -1, max: 3 }), { minLength: n, maxLength: n });

/** Claims of floats; of integers that say how often, that they are few. */
const fewTimes =
  (isCount: (call: Call<unknown>, operand: number) => boolean) =>
  (call: Call<unknown>): readonly OperandClaim[] =>
    claims(smoothly, within(-1, 1))(call).map((claim, i) => (isCount(call, i) ? { ...claim, domain: few } : claim));

/** `while (counter < n)`: n is the constant of the predicate, the counter the last carry. */
const whiles = (of: BodyOptions): fc.Arbitrary<Call<WhileParams>> =>
  bodies({ ...of, slices: false, counts: true }).map(({ program, consts, carry }) => {
    const carried = program.ins.slice(consts);
    const n = makeAval([], 'int32');
    const cond = stage('while', (limit, ...values) => [lt(values.at(-1)!, limit!)], [n, ...carried]).jaxpr;
    const ins = [n, ...program.ins.slice(0, consts), ...carried];
    return makeCall(ins, { cond, body: jaxprOf(program), condConsts: 1, bodyConsts: program.ins.length - carry });
  });

const isCount = ({ ins }: Call<unknown>, operand: number): boolean => operand === 0 || operand === ins.length - 1;

const whileRow: Row<WhileParams> = {
  takes: everyDType,
  calls: (dtypes) => whiles(options(dtypes)),
  operands: fewTimes(isCount),
  values: (call, operand) => (isCount(call, operand) ? few : edgy),
  linear: nowhere,
  results: ({ params: { body, bodyConsts } }) =>
    body.outs.map(({ aval }, i) => makeAval(aval.shape, aval.dtype, aval.weak && body.ins[bodyConsts + i]!.aval.weak)),
};

type CondParams = PrimitiveParams<'cond'>;

const conds = (of: BodyOptions): fc.Arbitrary<Call<CondParams>> =>
  alternatives(of).map((programs) =>
    makeCall([makeAval([], 'int32'), ...programs[0]!.ins], { branches: programs.map(jaxprOf) }),
  );

const isIndex = (_: Call<unknown>, operand: number): boolean => operand === 0;

const cond: Row<CondParams> = {
  takes: everyDType,
  calls: (dtypes) => conds(options(dtypes)),
  operands: fewTimes(isIndex),
  values: (call, operand) => (isIndex(call, operand) ? few : edgy),
  linear: everywhere,
  linearCalls: conds({ ops: linear, dtypes: floats, settle: sumOfAll }),
  results: ({ params: { branches } }) =>
    branches[0]!.outs.map(({ aval: { shape, dtype } }, i) =>
      makeAval(
        shape,
        dtype,
        branches.every((branch) => branch.outs[i]!.aval.weak),
      ),
    ),
};

/** Rows by name. */
export const controlRows = { scan, while: whileRow, cond } as const;
