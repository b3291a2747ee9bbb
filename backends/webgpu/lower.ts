/**
 * Planned programs as commands: every step becomes dispatches of kernels, bound to *slots*, which are buffers of the program by number
 * (inputs, outputs, the arena's, and a few of its own).
 *
 * Loops of known length are encoded turn by turn, with their counters as uniforms. What depends on data is gated: in the body of a `while`
 * and in branches all dispatches are indirect, and a gate kernel writes how many workgroups they have, or none.
 */

import { byteSize } from '../../src/core/dtype.ts';
import { CompileError } from '../../src/core/errors.ts';
import { apply, type Buffer, compare, constant, type Expr, int, load, select } from '../loop/ir/expr.ts';
import type { Kernel } from '../loop/ir/kernel.ts';
import { fill } from '../loop/kernels/kernel.ts';
import { nameOf } from '../loop/plan/print.ts';
import type { Counter, Place, Program, Step } from '../loop/plan/program.ts';
import { classOf } from './blocks.ts';
import type { AdapterFacts } from './connection.ts';
import { placed } from './operands.ts';
import type { Access, Source } from './pipelines.ts';
import { tiledProduct } from './product.ts';
import { type Pass, wgsl } from './wgsl/kernel.ts';

/** One dispatch of a kernel. */
export interface Launch {
  readonly kind: 'launch';
  readonly source: Source;
  /** The slots that it binds, in order. */
  readonly slots: readonly number[];
  readonly counters: readonly Counter[];
  readonly workgroups: readonly [number, number];
}

/** What runs or not, as its gate says. */
export interface Region {
  /** The slot of what its dispatches are: a flag, and workgroups of each. */
  readonly gate: number;
  /** What the gate writes if it is open: 1, then the workgroups of every dispatch. */
  readonly open: readonly number[];
  readonly number: ReadonlyMap<Launch, number>;
}

export type Command =
  | Launch
  /** What is in one slot is from now on in the other; between gates, where it may not happen, it is copied. */
  | { readonly kind: 'move'; readonly from: number; readonly to: number; readonly copy: readonly Launch[] }
  | { readonly kind: 'repeat'; readonly counter: Counter; readonly body: readonly Command[] }
  | {
      readonly kind: 'while';
      readonly condition: readonly Command[];
      readonly body: readonly Command[];
      readonly gate: Launch;
      readonly region: Region;
    }
  | {
      readonly kind: 'branch';
      readonly branches: readonly {
        readonly gate: Launch;
        readonly region: Region;
        readonly body: readonly Command[];
      }[];
    };

/** Commands, and the slots that they need beside those of the plan. */
export interface Lowered {
  readonly commands: readonly Command[];
  /** Bytes of the first slot after the arena's, in which the parts of products are. */
  readonly room: number;
  /** Words in the slots after that one, which live as long as the program: what gates write, and what they write if they are open. */
  readonly own: readonly (readonly number[])[];
  readonly launches: readonly Launch[];
}

export const lower = (program: Program, facts: AdapterFacts): Lowered => new Lowering(program, facts).lowered();

class Lowering {
  private readonly program: Program;
  private readonly facts: AdapterFacts;
  private room = 0;
  /** The number of the first slot after the arena's. */
  private readonly after: number;
  private readonly own: (readonly number[])[] = [];
  private readonly launches: Launch[] = [];

  constructor(program: Program, facts: AdapterFacts) {
    this.program = program;
    this.facts = facts;
    this.after = program.ins.length + program.outs.length + program.buffers.length;
  }

  lowered(): Lowered {
    // The first of its own says that what is behind no gate runs.
    const always = this.ownSlot([1]);
    const commands = this.commands(this.program.steps, always);
    return { commands, room: this.room, own: this.own, launches: this.launches };
  }

  private ownSlot(words: readonly number[]): number {
    return this.after + this.own.push(words);
  }

  private slot({ base, position }: Place): number {
    const { ins, outs } = this.program;
    if (base === 'input') return position;
    return base === 'output' ? ins.length + position : ins.length + outs.length + position;
  }

  /** @param gate - the slot that says whether these steps run */
  private commands(steps: readonly Step[], gate: number): readonly Command[] {
    return steps.flatMap((step) => this.step(step, gate));
  }

  private step(step: Step, gate: number): readonly Command[] {
    switch (step.kind) {
      case 'kernel':
        return this.kernel(step.kernel, step.places);
      case 'contract':
      case 'convolve':
        return this.product(step);
      case 'copy':
        return this.copy(step);
      case 'repeat':
        return [{ kind: 'repeat', counter: step.counter, body: this.commands(step.body, gate) }];
      case 'while':
        return [this.while(step, gate)];
      case 'branch':
        return [this.branch(step, gate)];
    }
  }

  private kernel(kernel: Kernel, places: readonly Place[]): readonly Launch[] {
    const { kernel: own, places: distinct, counters } = placed(kernel, places);
    const { code, bindings, passes } = wgsl(own, this.facts);
    const access = bindings.map((binding) => binding.access);
    const slots = distinct.map((place) => this.slot(place));
    return passes.flatMap((pass) => this.launch(kernel.name, code, pass, access, slots, counters));
  }

  private launch(
    name: string,
    code: string,
    { entry, workgroups }: Pass,
    access: readonly Access[],
    slots: readonly number[],
    counters: readonly Counter[],
  ): readonly Launch[] {
    const [x, y] = workgroups;
    if (x * y === 0) return [];
    const most = this.facts.workgroupsPerDimension;
    if (y > most) {
      throw new CompileError({
        op: `webgpu kernel ${name}`,
        problem: `has ${x * y} workgroups, and ${this.facts.name} dispatches at most ${most}²`,
        remedy: 'compute in smaller pieces',
      });
    }
    const source = { name, code, entry, access, counters: counters.length };
    const made: Launch = { kind: 'launch', source, slots, counters, workgroups };
    this.launches.push(made);
    return [made];
  }

  private product(step: Extract<Step, { kind: 'contract' | 'convolve' }>): readonly Launch[] {
    const room = (elements: number): Place => {
      this.room = Math.max(this.room, 4 * elements);
      return this.placeOf(this.after);
    };
    const { code, pass, operands, stored, rest } = tiledProduct(step, nameOf(step), this.facts, room);
    const slots = operands.places.map((place) => this.slot(place));
    const access = operands.buffers.map((buffer): Access => (stored.has(buffer) ? 'read_write' : 'read'));
    return [
      ...this.launch(nameOf(step), code, pass, access, slots, operands.counters),
      ...rest.flatMap(({ kernel, places }) => this.kernel(kernel, places)),
    ];
  }

  /** Bytes of the block that is bound to a slot. */
  private sizeOf({ base, position }: Place): number {
    const { ins, outs, buffers } = this.program;
    return classOf(base === 'arena' ? buffers[position]! : 4 * (base === 'input' ? ins : outs)[position]!.size);
  }

  /** A slot as a place, as if it were the arena's. */
  private placeOf(slot: number): Place {
    const { ins, outs } = this.program;
    return { base: 'arena', position: slot - ins.length - outs.length, offset: 0, steps: [] };
  }

  private copy(step: Extract<Step, { kind: 'copy' }>): readonly Command[] {
    const { from, to, bytes, dtype } = step;
    const size = bytes / byteSize(dtype);
    const buffer = (name: string): Buffer => ({ name, dtype, kind: 'operand', size: int(size) });
    const [x, y] = [buffer('x'), buffer('y')];
    const body = fill(y, size, (at) => load(x, at));
    const copy = this.kernel({ name: 'copy', operands: [x, y], scratch: [], sizes: 0, body }, [from, to]);
    const whole = from.steps.length === 0 && to.steps.length === 0 && from.offset === 0 && to.offset === 0;
    // Of other sizes, what is in a slot at another time would not fit.
    if (!step.last || !whole || this.sizeOf(from) !== this.sizeOf(to)) return copy;
    return [{ kind: 'move', from: this.slot(from), to: this.slot(to), copy }];
  }

  /** A region of commands, and the launch of its gate. */
  private gated(
    flag: { readonly place: Place; readonly dtype: 'bool' | 'int32'; readonly holds: (x: Expr) => Expr },
    outer: number,
    make: (gate: number) => readonly (readonly Command[])[],
  ): { readonly gate: Launch; readonly region: Region; readonly bodies: readonly (readonly Command[])[] } {
    const slot = this.ownSlot([]);
    const bodies = make(slot);
    const inside = bodies.flatMap((commands) => launchesIn(commands));
    const open = [1, ...inside.flatMap(({ workgroups: [x, y] }) => [x, y, 1])];
    const full = this.ownSlot(open);
    this.own[slot - this.after - 1] = open.map(() => 0);
    const word = (name: string, dtype: Buffer['dtype'] = 'uint32'): Buffer => ({
      name,
      dtype,
      kind: 'operand',
      size: int(open.length),
    });
    const [own, parent, all, args] = [word('flag', flag.dtype), word('outer'), word('all'), word('args')];
    const runs = apply(
      'and',
      'bool',
      compare('ne', load(parent, int(0)), constant(0, 'uint32')),
      flag.holds(load(own, int(0))),
    );
    const body = fill(args, open.length, (at) => select(runs, load(all, at), constant(0, 'uint32')));
    const kernel: Kernel = { name: 'gate', operands: [own, parent, all, args], scratch: [], sizes: 0, body };
    const [gate] = this.kernel(kernel, [flag.place, ...[outer, full, slot].map((own) => this.placeOf(own))]);
    return { gate: gate!, region: { gate: slot, open, number: new Map(inside.map((x, i) => [x, i])) }, bodies };
  }

  private while(step: Extract<Step, { kind: 'while' }>, outer: number): Command {
    const first = this.commands(step.condition, outer);
    const { gate, region, bodies } = this.gated(
      { place: step.flag, dtype: 'bool', holds: (x) => x },
      outer,
      // The condition is a part of the region as well; what is gated in it has this gate around it.
      (slot) => [this.commands(step.body, slot), first],
    );
    return { kind: 'while', condition: first, body: bodies[0]!, gate, region };
  }

  private branch(step: Extract<Step, { kind: 'branch' }>, outer: number): Command {
    const last = step.branches.length - 1;
    const branches = step.branches.map((steps, i) => {
      const holds = (x: Expr): Expr => {
        if (last === 0) return constant(1, 'bool');
        if (i === 0) return compare('le', x, int(0));
        return i === last ? compare('ge', x, int(i)) : compare('eq', x, int(i));
      };
      const { gate, region, bodies } = this.gated({ place: step.index, dtype: 'int32', holds }, outer, (slot) => [
        this.commands(steps, slot),
      ]);
      return { gate, region, body: bodies[0]! };
    });
    return { kind: 'branch', branches };
  }
}

/** The launches of commands that a gate around them gates: not those that gates among them do, nor these. */
const launchesIn = (commands: readonly Command[]): readonly Launch[] => commands.flatMap(gatedIn);

function gatedIn(command: Command): readonly Launch[] {
  switch (command.kind) {
    case 'launch':
      return [command];
    case 'move':
      return command.copy;
    case 'repeat':
      return launchesIn(command.body);
    case 'while':
      return launchesIn(command.condition);
    case 'branch':
      return [];
  }
}
