/** Rows of control flow: loops and branches over random bodies. */

import * as fc from 'fast-check';
import { type Aval, makeAval } from '../../src/core/aval.ts';
import { type DType, isFloat } from '../../src/core/dtype.ts';
import type { PrimitiveParams } from '../../transforms/registry.ts';
import { type BodyOptions, bodies, sineOfAll, sumOfAll } from '../arbitrary/body.ts';
import { everyDType, floats } from '../arbitrary/dtype.ts';
import { within } from '../arbitrary/elements.ts';
import { jaxprOf } from '../arbitrary/program.ts';
import { exact, linear, smooth } from '../arbitrary/program-ops.ts';
import { type Call, claims, everywhere, makeCall, type Row, smooth as smoothly } from './row.ts';

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

/** Rows by name. */
export const controlRows = { scan } as const;
