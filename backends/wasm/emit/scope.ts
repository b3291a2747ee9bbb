/**
 * Blocks of the function under construction, and the values that are known in each.
 *
 * A value is computed in the outermost block where what it depends on is there and stays as it is: that is all of common
 * subexpressions, of invariant code and of hoisted address arithmetic. Code goes to the end of that block, which is before the loop
 * that is being built inside it.
 */

import type { Index, Local } from '../../loop/ir/expr.ts';
import { type Code, get, set, type ValueType } from '../code/instructions.ts';
import type { Func } from '../code/module.ts';
import { type Dependence, type Effects, touches } from './depends.ts';

/** A loop whose body a block is. */
export interface LoopState {
  readonly index: Index;
  /** The register that counts. */
  readonly counter: number;
  /** Does it count from 0? */
  readonly fromZero: boolean;
  /** Addresses that move with it: registers, and bytes for each step of the index. */
  readonly pointers: { readonly register: number; readonly unit: number }[];
}

/** How a vector loop's body is computed: `fold` vectors of `lanes` lanes at once. */
export interface Lanes {
  readonly index: Index;
  readonly lanes: 2 | 4;
  readonly fold: number;
  /** The loop whose turns the vectors are, where they are not what follows in the vector loop itself. */
  readonly rows: Index | null;
  /** Locals that have a value for each lane. */
  readonly locals: ReadonlySet<Local>;
  /** Sums, products and extrema that turns share. */
  readonly partials: ReadonlyMap<Local, Partial>;
  /** Of the last, incomplete vector: how many lanes count, and a mask of those. */
  readonly tail: { readonly count: number | Code; readonly mask: Code } | null;
}

/** What the turns of a vector loop have accumulated so far, lane by lane. */
export interface Partial {
  /** Take in a vector, the `u`-th of those that are computed at once. */
  readonly take: (value: Code, u: number) => Code;
  /** Put together, in `block`: one vector. */
  readonly whole: (block: Scope) => Code;
}

interface Entry {
  readonly codes: readonly Code[];
  readonly of: Dependence;
}

export interface Shape {
  readonly loop?: LoopState;
  readonly lanes?: Lanes;
  /** May the block be left out at run time? */
  readonly conditional?: boolean;
  /** Is it inside an expression? Then what would be computed in the block around it is computed here, unless it is known there. */
  readonly branch?: boolean;
  /** What the statements inside change. */
  readonly changes?: Effects;
}

export class Scope {
  readonly code: Code[] = [];
  readonly parent: Scope | null;
  readonly depth: number;
  readonly loop: LoopState | null;
  readonly lanes: Lanes | null;
  readonly locals = new Map<Local, readonly number[]>();
  private readonly func: Func;
  private readonly conditional: boolean;
  private readonly branch: boolean;
  private readonly changes: Effects | null;
  private readonly values = new Map<string, Entry>();
  private readonly owned: [ValueType, number][] = [];
  /** Registers of inner blocks that are complete: what comes later in this one may use them again. */
  private readonly free: [ValueType, number][] = [];

  constructor(func: Func, parent: Scope | null, { loop, lanes, conditional, branch, changes }: Shape = {}) {
    this.func = func;
    this.parent = parent;
    this.depth = parent ? parent.depth + 1 : 0;
    this.loop = loop ?? null;
    this.lanes = lanes ?? parent?.lanes ?? null;
    this.conditional = conditional ?? false;
    this.branch = branch ?? false;
    this.changes = changes ?? null;
  }

  /** A register that lives as long as this block. */
  register(type: ValueType): number {
    for (let scope: Scope | null = this; scope; scope = scope.parent) {
      const at = scope.free.findIndex(([t]) => t === type);
      if (at < 0) continue;
      const [entry] = scope.free.splice(at, 1);
      this.owned.push(entry!);
      return entry![1];
    }
    const made = this.func.local(type);
    this.owned.push([type, made]);
    return made;
  }

  /** The block is complete and part of its parent: its registers may be used again. */
  close(): void {
    this.parent!.free.push(...this.owned, ...this.free);
  }

  /** Must a value with these dependencies be computed in this block? */
  private holds(of: Dependence): boolean {
    if (this.loop && of.indices.has(this.loop.index)) return true;
    if (this.conditional && of.reads) return true;
    if (this.changes && touches(this.changes, of)) return true;
    for (const local of of.locals) if (this.locals.has(local)) return true;
    return false;
  }

  /** The outermost block where a value with these dependencies can be computed; in a branch, unless it is known outside. */
  home(of: Dependence, key?: string): Scope {
    let scope: Scope = this;
    let branch: Scope | null = null;
    while (scope.parent && !scope.holds(of)) {
      branch = scope.branch ? (branch ?? scope) : null;
      scope = scope.parent;
    }
    if (!branch) return scope;
    let at = branch;
    while (at !== scope && (key === undefined || !at.values.has(key))) at = at.parent!;
    return key !== undefined && at.values.has(key) ? at : branch;
  }

  /** Put a value into a register, here. */
  put(type: ValueType, value: Code): Code {
    const register = this.register(type);
    this.code.push(set(register, value));
    return get(register);
  }

  /** The value under this name, computed when it is asked for first. */
  once(key: string, of: Dependence, compute: () => readonly Code[]): readonly Code[] {
    const found = this.values.get(key);
    if (found) return found.codes;
    const codes = compute();
    this.values.set(key, { codes, of });
    return codes;
  }

  /** Forget, here and outside, what these changes make wrong. */
  forget(changed: Effects): void {
    for (let scope: Scope | null = this; scope; scope = scope.parent) {
      for (const [key, { of }] of scope.values) if (touches(changed, of)) scope.values.delete(key);
    }
  }

  /** The registers of a local. */
  registers(local: Local): readonly number[] {
    for (let scope: Scope | null = this; scope; scope = scope.parent) {
      const found = scope.locals.get(local);
      if (found) return found;
    }
    throw new Error(`local ${local.name} is read where it does not exist`);
  }

  /** The register that counts a loop around this block. */
  counter(index: Index): number {
    for (let scope: Scope | null = this; scope; scope = scope.parent) {
      if (scope.loop?.index === index) return scope.loop.counter;
    }
    throw new Error(`index ${index.name} is read outside of its loop`);
  }
}
