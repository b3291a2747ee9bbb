/**
 * What a device says of a program that it compiled: texts of its stages, what it costs, and where the time of a run goes.
 *
 * A device that compiles answers by {@link Device.inspect}; of one that interprets there is only the program itself.
 */

import type { Device, Storage } from './backend.ts';
import { CompileError } from './errors.ts';
import type { Jaxpr } from './jaxpr.ts';
import { showJaxpr } from './pretty.ts';

/**
 * A stage of compilation as text: the equations after the clean-up passes, the loops that they became, the machine's code, and the steps of
 * the program with their places in memory.
 */
export type ProgramText = 'jaxpr' | 'loops' | 'wat' | 'wgsl' | 'plan';

/** What one run of a program costs, counted from its loops: nothing is measured. */
export interface ProgramCost {
  /**
   * Arithmetic on floating-point numbers; a multiplication and addition are two. The body of a `whileLoop` counts once, of the branches of a
   * `cond` the most expensive one.
   */
  readonly flops: number;
  /** Bytes that the steps read and write, each element once a step. */
  readonly bytes: number;
  /** Steps that compute: loop nests, products of matrices, convolutions. */
  readonly kernels: number;
  /** Kernels that a GPU is told to run, in all turns of scans; those of a `whileLoop` count once. Only where there is a GPU. */
  readonly dispatches?: number;
  /** Bytes of memory while it runs: operands, constants, results, and what is alive in between. */
  readonly peakBytes: number;
}

/** One step of a program in one run. */
export interface StepProfile {
  readonly name: string;
  readonly kind: string;
  /** How many loops and branches it is in; the time of one of those contains that of the steps below it. */
  readonly depth: number;
  /** How often it ran. */
  readonly turns: number;
  readonly milliseconds: number;
  /** Of all its turns, without the steps in it. */
  readonly flops: number;
  readonly bytes: number;
}

/** One turn of one step. */
export interface StepEvent {
  /** Which step, by its place among the steps. */
  readonly step: number;
  /** Milliseconds after the run began. */
  readonly start: number;
  readonly milliseconds: number;
}

/** Where the time of a run went. */
export interface RunProfile {
  /** Of the whole run. */
  readonly milliseconds: number;
  /** All steps, in the order of the program. */
  readonly steps: readonly StepProfile[];
  /** Turns of steps in the order in which they ended: the first of very many. */
  readonly events: readonly StepEvent[];
  /** How many turns there were after those in `events`. */
  readonly dropped: number;
}

/** What can be asked of a compiled program. */
export interface Inspection {
  text(form: ProgramText): string;
  cost(): ProgramCost;
  /** Run it once, with one storage for each input; the results are let go. */
  profile(ins: readonly Storage[]): RunProfile;
}

/** @throws CompileError for a text that no program has, which the types refuse already */
export function unknownText(form: never): never {
  throw new CompileError({
    op: `text('${String(form)}')`,
    problem: 'there is no such text of a program',
    remedy: "ask for 'jaxpr', 'plan', 'loops', 'wat' or 'wgsl'",
  });
}

/** What there is to say of a program that a device interprets: its equations. */
export function interpreted(device: string, jaxpr: Jaxpr): Inspection {
  const refuse = (asked: string, has: string): CompileError =>
    new CompileError({
      op: asked,
      problem: `the device ${device} runs equations one by one: ${has}`,
      remedy:
        'compile on a device that makes loops of them: withDefaultDevice(wasmDevice(), () => f.lower(…).compile())',
    });
  return {
    text(form) {
      if (form === 'jaxpr') return showJaxpr(jaxpr);
      const missing = { loops: 'loops', wat: 'code', wgsl: 'WGSL', plan: 'plan' }[form] as string | undefined;
      throw missing === undefined ? unknownText(form as never) : refuse(`text('${form}')`, `it has no ${missing}`);
    },
    cost() {
      throw refuse('cost()', 'it has no loops to count');
    },
    profile() {
      throw refuse('profile()', 'it has no steps to time');
    },
  };
}

/** What `device` says of a program without constants. */
export const inspect = (device: Device, jaxpr: Jaxpr): Inspection =>
  device.inspect?.(jaxpr) ?? interpreted(device.name, jaxpr);
