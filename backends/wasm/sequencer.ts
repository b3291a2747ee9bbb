/** The calls of a planned program, one step after the other; with a team of threads each of them runs all of it, and they share steps. */

import type { Kernel } from '../loop/ir/kernel.ts';
import { bodiesOf, type Counter, type Place, type Program, type Step } from '../loop/plan/program.ts';
import { block, breakIf, breakTo, countUp, leave, loop, memoryCopy, nothing, sequence, when } from './code/control.ts';
import { type Code, call, get, i32, select, set, tee } from './code/instructions.ts';
import type { Func, Module } from './code/module.ts';
import { partitionOf } from './emit/kernel.ts';
import type { Product } from './gemm/outer.ts';
import { emitProtocol, shared, type TeamLayout, type Thread } from './team/protocol.ts';
import { packingTime, type Shares, sharesOf, stepTime, type Thresholds } from './team/share.ts';

/** A product of matrices, or a convolution. */
export type ProductStep = Step & { readonly kind: 'contract' | 'convolve' };

/** A team, and from what on its threads share. */
export type Sharing = TeamLayout & { readonly limits: Thresholds };

/** The number of turns that the caller of a kernel chooses from; `null` if it does not. */
export function turnsOf(kernel: Kernel): number | null {
  const partition = partitionOf(kernel);
  if (!partition) return null;
  const { extent } = partition.index;
  if (extent.op !== 'const') throw new Error('a loop of a known length');
  return extent.value;
}

/** Elements of a vector loop that stay together: whole cache lines, and stretches of rows that are worth their beginning. */
const stretch = 128;

/** How threads divide a kernel that takes so many nanoseconds; `null`: they do not. */
export function kernelShares(kernel: Kernel, time: number, limits: Thresholds): Shares | null {
  const partition = partitionOf(kernel);
  if (!partition) return null;
  return sharesOf(turnsOf(kernel)!, partition.role === 'vector' ? stretch : 1, time, limits);
}

/** A thread, and what a program begins and ends with on it. */
export interface Member extends Thread {
  readonly func: Func;
  readonly begin: Code;
  readonly end: Code;
}

/** The exported function (table, thread, threads, ticket) of a module with a team. */
export function emitMember(module: Module, name: string, team: TeamLayout): Member {
  const protocol = emitProtocol(module, team);
  const func = module.func(['i32', 'i32', 'i32', 'i32'], [], name);
  const [thread, threads, ticket] = [1, 2, 3];
  const [alone, strikes] = [func.local('i32'), func.local('i32')];
  const begin = set(alone, i32.eq(get(threads), i32.const(1)));
  // Who has begun alone has opened nothing.
  const first = i32.and(i32.eqz(get(thread)), i32.gtS(get(threads), i32.const(1)));
  return {
    protocol,
    thread,
    threads,
    ticket,
    alone,
    strikes,
    func,
    begin,
    end: when(first, call(protocol.finish.index, get(ticket))),
  };
}

/** What a sequence is made of. */
export interface Parts {
  readonly func: Func;
  readonly program: Program;
  readonly functionOf: (kernel: Kernel) => Func;
  readonly productOf: (step: ProductStep) => Product;
  /** Whether function 0 is called after each step. */
  readonly marked: boolean;
  readonly team: (Sharing & { readonly member: Member }) | null;
  /** Bytes of the scratch area of a thread; what products pack for all of them is behind the last one. */
  readonly area: number;
}

/** Writes the calls of a program. */
export class Sequencer {
  private readonly parts: Parts;
  private count = 0;
  /** Locals that hold addresses, by their entry in the table. */
  private readonly bases = new Map<number, number>();
  private readonly counters = new Map<Counter, Code>();
  private readonly divisions = new Map<Step, Shares | null>();
  /** Addresses of the scratch area of this thread, and of what products pack for all. */
  private readonly scratch: number;
  private readonly packed: number;

  constructor(parts: Parts) {
    this.parts = parts;
    this.scratch = parts.func.local('i32');
    this.packed = parts.func.local('i32');
  }

  /** Whether threads share any step. */
  get shares(): boolean {
    return this.parts.program.steps.some((step) => this.isShared(step));
  }

  code(): Code {
    const { program, team, area } = this.parts;
    const areas = this.base(program.ins.length + program.outs.length + 1);
    const body = this.steps(program.steps);
    const loads = [...this.bases].map(([entry, local]) => set(local, i32.load(get(0), entry * 4)));
    const own = team ? i32.add(areas, i32.mul(get(team.member.thread), i32.const(area))) : areas;
    const places = sequence(
      set(this.scratch, own),
      set(this.packed, i32.add(areas, i32.const(area * (team?.threads ?? 1)))),
    );
    return sequence(...loads, places, team?.member.begin ?? nothing, body, team?.member.end ?? nothing);
  }

  private base(entry: number): Code {
    let local = this.bases.get(entry);
    if (local === undefined) {
      local = this.parts.func.local('i32');
      this.bases.set(entry, local);
    }
    return get(local);
  }

  private address({ base, position, offset, steps }: Place): Code {
    const { ins, outs } = this.parts.program;
    const entry = base === 'input' ? position : base === 'output' ? ins.length + position : ins.length + outs.length;
    let code = this.base(entry);
    if (offset !== 0) code = i32.add(code, i32.const(offset));
    for (const { counter, bytes } of steps) {
      code = i32.add(code, i32.mul(this.counters.get(counter)!, i32.const(bytes)));
    }
    return code;
  }

  /** How threads divide a step; `null`: the first one runs it. */
  private division(step: Step): Shares | null {
    const { team, productOf } = this.parts;
    if (!team) return null;
    let found = this.divisions.get(step);
    if (found === undefined) {
      const time = stepTime(step);
      if (step.kind === 'kernel') found = kernelShares(step.kernel, time, team.limits);
      else if (step.kind === 'contract' || step.kind === 'convolve') {
        const { blocks, unit } = productOf(step);
        found = sharesOf(blocks, unit, time, team.limits);
      } else found = step.kind === 'copy' ? sharesOf(step.bytes, 4096, time, team.limits) : null;
      this.divisions.set(step, found);
    }
    return found;
  }

  private isShared(step: Step): boolean {
    return this.division(step) !== null || bodiesOf(step).some((body) => body.some((x) => this.isShared(x)));
  }

  private steps(steps: readonly Step[]): Code {
    const { marked, team } = this.parts;
    if (marked) {
      const numbered = steps.flatMap((step) => {
        const number = this.count++;
        return [this.step(step), call(0, i32.const(number))];
      });
      return sequence(...numbered);
    }
    if (!team) return sequence(...steps.map((step) => this.step(step)));
    const all: Code[] = [];
    let own: Code[] = [];
    const close = (): void => {
      if (own.length > 0) all.push(when(i32.eqz(get(team.member.thread)), sequence(...own)));
      own = [];
    };
    for (const step of steps) {
      if (this.isShared(step)) {
        close();
        all.push(this.step(step));
      } else own.push(this.step(step));
    }
    close();
    return sequence(...all);
  }

  /** Turns of a step, all of them or as threads divide them. */
  private turns(turns: number, shares: Shares | null, work: (from: Code, to: Code) => Code): Code {
    const { team, func } = this.parts;
    if (!team || !shares) return work(i32.const(0), i32.const(turns));
    const [chunks, grain, spins] = [shares.chunks, shares.grain, shares.spins].map((x) => i32.const(x)) as [
      Code,
      Code,
      Code,
    ];
    return shared(func, team.member, { turns: i32.const(turns), chunks, grain, spins }, work);
  }

  /** What the first thread finds at a fork, known to all who take part in the step. */
  private decided(step: Step, found: Code): Code {
    const { team, func } = this.parts;
    if (!team || !this.isShared(step)) return found;
    const local = func.local('i32');
    const { protocol, thread, ticket, alone } = team.member;
    const decide = call(protocol.decide.index, get(thread), get(ticket), get(local));
    return sequence(
      set(ticket, i32.add(get(ticket), i32.const(1))),
      set(local, i32.const(0)),
      when(i32.eqz(get(thread)), set(local, found)),
      when(i32.eqz(get(alone)), when(i32.ltS(tee(local, decide), i32.const(0)), leave())),
      get(local),
    );
  }

  /** A product: what it packs for all of its blocks, then the blocks. */
  private product(step: ProductStep): Code {
    const { productOf, team } = this.parts;
    const { func, blocks, packing } = productOf(step);
    const operands = [step.a, step.b, step.c].map((place) => this.address(place));
    const beside = (step.epilogue?.tile.places ?? []).map((place) => this.address(place));
    const packed = team && step.kind === 'contract' ? [get(this.packed)] : [];
    const run =
      (index: number) =>
      (from: Code, to: Code): Code =>
        call(index, ...operands, get(this.scratch), from, to, ...packed, ...beside);
    const shares = this.division(step);
    const all = this.turns(blocks, shares, run(func.index));
    if (!packing) return all;
    const own = shares && team ? sharesOf(packing.blocks, 1, packingTime(packing.bytes), team.limits) : null;
    const pack = this.turns(packing.blocks, own, run(packing.func.index));
    return sequence(own || !team ? pack : when(i32.eqz(get(team.member.thread)), pack), all);
  }

  private step(step: Step): Code {
    const { func, functionOf } = this.parts;
    switch (step.kind) {
      case 'kernel': {
        const { kernel, places } = step;
        const addresses = places.map((place) => this.address(place));
        const run = (...rest: readonly Code[]): Code =>
          call(functionOf(kernel).index, ...addresses, get(this.scratch), ...rest);
        const turns = turnsOf(kernel);
        return turns === null ? run() : this.turns(turns, this.division(step), run);
      }
      case 'contract':
      case 'convolve':
        return this.product(step);
      case 'copy': {
        const [to, from] = [this.address(step.to), this.address(step.from)];
        return this.turns(step.bytes, this.division(step), (first, end) =>
          memoryCopy(i32.add(to, first), i32.add(from, first), i32.sub(end, first)),
        );
      }
      case 'repeat': {
        const { counter, body } = step;
        const turn = func.local('i32');
        this.counters.set(counter, counter.reverse ? i32.sub(i32.const(counter.length - 1), get(turn)) : get(turn));
        return countUp(turn, i32.const(0), i32.const(counter.length), 1, this.steps(body));
      }
      case 'while': {
        const go = this.decided(step, i32.load8U(this.address(step.flag)));
        return block(
          loop(sequence(this.steps(step.condition), breakIf(i32.eqz(go), 1), this.steps(step.body), breakTo(0))),
        );
      }
      case 'branch': {
        const chosen = func.local('i32');
        const last = step.branches.length - 1;
        const index = i32.load(this.address(step.index));
        // Unsigned, a negative index is a large one: told apart first.
        const clamped = select(
          i32.const(0),
          select(i32.const(last), index, i32.gtS(index, i32.const(last))),
          i32.ltS(index, i32.const(0)),
        );
        const branches = step.branches.map((branch) => this.steps(branch));
        const from = (i: number): Code =>
          i === last ? branches[i]! : when(i32.eq(get(chosen), i32.const(i)), branches[i]!, from(i + 1));
        return sequence(set(chosen, this.decided(step, clamped)), from(0));
      }
    }
  }
}
