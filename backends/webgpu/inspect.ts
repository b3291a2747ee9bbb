/** What the device says of a program: its texts, and what it costs. */

import type { Storage } from '../../src/core/backend.ts';
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
import type { Program } from '../loop/plan/program.ts';
import type { Command, Lowered } from './lower.ts';

export class WebgpuInspection implements Inspection {
  private readonly jaxpr: Jaxpr;
  private readonly program: Program;
  private readonly lowered: Lowered;
  private readonly consts: number;

  constructor(jaxpr: Jaxpr, program: Program, lowered: Lowered, consts: number) {
    this.jaxpr = jaxpr;
    this.program = program;
    this.lowered = lowered;
    this.consts = consts;
  }

  text(form: ProgramText): string {
    switch (form) {
      case 'jaxpr':
        return showJaxpr(this.jaxpr);
      case 'plan':
        return printPlan(this.program, this.consts);
      case 'loops':
        return printLoops(this.program);
      case 'wgsl':
        return this.wgsl();
      case 'wat':
        throw new CompileError({
          op: "text('wat')",
          problem: 'the device webgpu compiles to WGSL',
          remedy: "ask for 'wgsl'",
        });
      default:
        return unknownText(form);
    }
  }

  /** The kernels, each text once, with what is dispatched. */
  private wgsl(): string {
    const texts = new Map<string, string[]>();
    for (const {
      source,
      workgroups: [x, y],
    } of this.lowered.launches) {
      const dispatched = `// ${source.name}: ${source.entry}, ${x * y} workgroups`;
      const heads = texts.get(source.code);
      if (heads) heads.push(dispatched);
      else texts.set(source.code, [dispatched]);
    }
    return [...texts].map(([code, heads]) => `${heads.join('\n')}\n${code}`).join('\n');
  }

  cost(): ProgramCost {
    const { program, lowered } = this;
    const operands = [...program.ins, ...program.outs].reduce((sum, aval) => sum + bytesOf(aval), 0);
    return {
      ...costOf(program.steps),
      kernels: lowered.launches.length,
      dispatches: dispatchesOf(lowered.commands),
      peakBytes: operands + program.arena + lowered.room,
    };
  }

  profile(_ins: readonly Storage[]): RunProfile {
    throw new CompileError({
      op: 'profile()',
      problem: 'the device webgpu does not time the steps of a program',
      remedy: 'profile on the default device, or time whole calls that end with a read',
    });
  }
}

function dispatchesOf(commands: readonly Command[]): number {
  return commands.reduce((sum, command) => sum + count(command), 0);
}

function count(command: Command): number {
  switch (command.kind) {
    case 'launch':
      return 1;
    case 'move':
      return 0;
    case 'repeat':
      return command.counter.length * dispatchesOf(command.body);
    case 'while':
      return dispatchesOf(command.condition) + dispatchesOf(command.body) + 1;
    case 'branch':
      return command.branches.reduce((sum, { body }) => sum + 1 + dispatchesOf(body), 0);
  }
}
