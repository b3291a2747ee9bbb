/** The time of a run, step by step, from what is called after each of them. */

import type { RunProfile, StepEvent } from '../../../src/core/inspection.ts';
import { ownCost } from './cost.ts';
import { nameOf } from './print.ts';
import type { Step } from './program.ts';

/** Events kept of one run. */
const capacity = 1 << 16;

interface Numbered {
  readonly step: Step;
  /** The number of the step that it is in; −1 for none. */
  readonly parent: number;
  readonly depth: number;
}

/** The steps in the order of their numbers: a step, then those in it. */
function numbered(steps: readonly Step[], parent = -1, depth = 0, into: Numbered[] = []): readonly Numbered[] {
  for (const step of steps) {
    const number = into.push({ step, parent, depth }) - 1;
    const inner =
      step.kind === 'repeat'
        ? step.body
        : step.kind === 'while'
          ? [...step.condition, ...step.body]
          : step.kind === 'branch'
            ? step.branches.flat()
            : [];
    numbered(inner, number, depth + 1, into);
  }
  return into;
}

/** Takes the time of one run after the other. */
export class StepClock {
  private readonly steps: readonly Numbered[];
  private readonly turns: number[];
  private readonly spent: number[];
  /** When the first step inside a step began, of a turn that has not ended; NaN if none has. */
  private readonly begun: number[];
  private events: StepEvent[] = [];
  private dropped = 0;
  private origin = 0;
  private last = 0;

  constructor(steps: readonly Step[]) {
    this.steps = numbered(steps);
    this.turns = this.steps.map(() => 0);
    this.spent = this.steps.map(() => 0);
    this.begun = this.steps.map(() => Number.NaN);
  }

  start(): void {
    this.turns.fill(0);
    this.spent.fill(0);
    this.begun.fill(Number.NaN);
    this.events = [];
    this.dropped = 0;
    this.origin = performance.now();
    this.last = this.origin;
  }

  /** The step with this number has ended. */
  readonly mark = (number: number): void => {
    const now = performance.now();
    const before = this.begun[number]!;
    const start = Number.isNaN(before) ? this.last : before;
    this.begun[number] = Number.NaN;
    for (let i = this.steps[number]!.parent; i >= 0; i = this.steps[i]!.parent) {
      if (!Number.isNaN(this.begun[i]!)) break;
      this.begun[i] = start;
    }
    this.turns[number]! += 1;
    this.spent[number]! += now - start;
    if (this.events.length < capacity) {
      this.events.push({ step: number, start: start - this.origin, milliseconds: now - start });
    } else this.dropped += 1;
    this.last = performance.now();
  };

  profile(): RunProfile {
    const { turns, spent, events, dropped } = this;
    const steps = this.steps.map(({ step, depth }, i) => {
      const { flops, bytes } = ownCost(step);
      return {
        name: nameOf(step),
        kind: step.kind,
        depth,
        turns: turns[i]!,
        milliseconds: spent[i]!,
        flops: flops * turns[i]!,
        bytes: bytes * turns[i]!,
      };
    });
    return { milliseconds: this.last - this.origin, steps, events, dropped };
  }
}
