/** Rows of the primitives that hold programs: their parameters are random programs. */

import type * as fc from 'fast-check';
import { isFloat } from '../../src/core/dtype.ts';
import { checkpointPolicies } from '../../transforms/checkpoint.ts';
import type { PrimitiveParams } from '../../transforms/registry.ts';
import { everyDType, floats } from '../arbitrary/dtype.ts';
import { within } from '../arbitrary/elements.ts';
import { jaxprOf, type ProgramOptions, programs } from '../arbitrary/program.ts';
import { exact, linear, smooth } from '../arbitrary/program-ops.ts';
import { type Call, claims, everywhere, makeCall, type Row, smooth as smoothly } from './row.ts';

type JitParams = PrimitiveParams<'jit'>;

const calls = (options: ProgramOptions): fc.Arbitrary<Call<JitParams>> =>
  programs(options).map((program) => makeCall(program.ins, { name: 'program', jaxpr: jaxprOf(program) }));

const jit: Row<JitParams> = {
  takes: everyDType,
  calls: (dtypes) => calls({ ops: dtypes.every(isFloat) ? smooth : exact, dtypes, maxSteps: 6 }),
  operands: claims(smoothly, within(-1, 1)),
  linear: everywhere,
  linearCalls: calls({ ops: linear, dtypes: floats, maxSteps: 6 }),
  results: ({ params }) => params.jaxpr.outs.map((atom) => atom.aval),
};

/** As a call, whatever of it is kept: the policy is chosen by what the program looks like. */
const checkpointed = (options: ProgramOptions): fc.Arbitrary<Call<PrimitiveParams<'checkpoint'>>> =>
  programs(options).map((program) => {
    const { nothingSaveable, everythingSaveable, dotsSaveable } = checkpointPolicies;
    const some = { primitives: ['sin', 'mul'], names: ['x'] };
    const policy = [nothingSaveable, nothingSaveable, everythingSaveable, dotsSaveable, some][
      program.steps.length % 5
    ]!;
    return makeCall(program.ins, { name: 'program', jaxpr: jaxprOf(program), policy });
  });

const checkpoint: Row<PrimitiveParams<'checkpoint'>> = {
  takes: everyDType,
  calls: (dtypes) => checkpointed({ ops: dtypes.every(isFloat) ? smooth : exact, dtypes, maxSteps: 5 }),
  operands: claims(smoothly, within(-1, 1)),
  linear: everywhere,
  linearCalls: checkpointed({ ops: linear, dtypes: floats, maxSteps: 5 }),
  results: ({ params }) => params.jaxpr.outs.map((atom) => atom.aval),
};

/** Rows by name. */
export const callRows = { jit, checkpoint } as const;
