/** What the device says of a program: its texts, its cost, and the time of each step of a run. */

import type { Executable, Storage } from '../../src/core/backend.ts';
import { CompileError } from '../../src/core/errors.ts';
import {
  type Inspection,
  type ProgramCost,
  type ProgramText,
  type RunProfile,
  unknownText,
} from '../../src/core/inspection.ts';
import type { Jaxpr } from '../../src/core/jaxpr.ts';
import { showJaxpr } from '../../src/core/pretty.ts';
import { costOf } from '../loop/plan/cost.ts';
import { bytesOf } from '../loop/plan/plan.ts';
import { printLoops, printPlan } from '../loop/plan/print.ts';
import { StepClock } from '../loop/plan/profile.ts';
import { type Program, stepsOf } from '../loop/plan/program.ts';
import { disassemble } from './code/disassemble.ts';
import type { Assembled } from './program.ts';

/** A program with what the device does to it. */
export interface Planned {
  readonly jaxpr: Jaxpr;
  readonly program: Program;
  /** How many of the inputs, the first ones, are constants. */
  readonly consts: number;
  /** The module that runs it. */
  assemble(): Assembled;
  /** Bytes that its kernels work in. */
  scratch(): number;
  /** An executable that calls the clock before it begins, and after each step. */
  timed(clock: StepClock): Executable;
}

const computes: ReadonlySet<string> = new Set(['kernel', 'contract', 'convolve']);

export class PlannedInspection implements Inspection {
  private readonly planned: Planned;
  private clocked: { readonly clock: StepClock; readonly executable: Executable } | null = null;

  constructor(planned: Planned) {
    this.planned = planned;
  }

  text(form: ProgramText): string {
    const { jaxpr, program, consts } = this.planned;
    switch (form) {
      case 'jaxpr':
        return showJaxpr(jaxpr);
      case 'plan':
        return printPlan(program, consts);
      case 'loops':
        return printLoops(program);
      case 'wat':
        return disassemble(this.planned.assemble().bytes);
      case 'wgsl':
        throw new CompileError({
          op: "text('wgsl')",
          problem: 'the device wasm compiles to WebAssembly',
          remedy: "ask for 'wat', or compile for a WebGPU device: await acquireWebgpu()()",
        });
      default:
        return unknownText(form);
    }
  }

  cost(): ProgramCost {
    const { program } = this.planned;
    const operands = [...program.ins, ...program.outs].reduce((sum, aval) => sum + bytesOf(aval), 0);
    return {
      ...costOf(program.steps),
      kernels: stepsOf(program.steps).filter(({ kind }) => computes.has(kind)).length,
      peakBytes: operands + program.arena + this.planned.scratch(),
    };
  }

  profile(ins: readonly Storage[]): RunProfile {
    if (!this.clocked) {
      const clock = new StepClock(this.planned.program.steps);
      this.clocked = { clock, executable: this.planned.timed(clock) };
    }
    const { clock, executable } = this.clocked;
    executable.run(ins);
    return clock.profile();
  }
}
