/**
 * Runs that are given operands for good. Which results may lie in the blocks of which operands is in the plan; code reaches both through
 * addresses, so that the same code runs, and the block changes hands after it.
 */

import { heirs } from '../loop/plan/donors.ts';
import type { Program } from '../loop/plan/program.ts';
import type { LinearMemory } from './memory.ts';
import type { WasmStorage } from './storage.ts';

/** For each output the operand whose block it takes; `null` for one of its own. */
type Heirs = readonly (number | null)[];

/** Choices kept for one program: a loop gives nothing at its first step, and the same ever after. */
const capacity = 8;

export class Donation {
  private readonly program: Program;
  /** Inputs before those of the caller. */
  private readonly consts: number;
  private readonly chosen = new Map<string, Heirs>();

  constructor(program: Program, consts: number) {
    this.program = program;
    this.consts = consts;
  }

  /** The results that take an operand's block; `null` if there are none. What is an operand twice, or has no block, stays as it is. */
  heirs(operands: readonly WasmStorage[], donated: readonly boolean[] | undefined): Heirs | null {
    if (!donated?.includes(true)) return null;
    const seen = new Set<WasmStorage>();
    const twice = new Set<WasmStorage>();
    for (const x of operands) (seen.has(x) ? twice : seen).add(x);
    const given = operands.map((x, i) => donated[i - this.consts] === true && x.large !== null && !twice.has(x));
    const key = given.map(Number).join('');
    let found = this.chosen.get(key);
    if (!found) {
      if (this.chosen.size >= capacity) this.chosen.clear();
      found = heirs(this.program, given);
      this.chosen.set(key, found);
    }
    return found.some((x) => x !== null) ? found : null;
  }
}

/**
 * {@link LinearMemory.hold} for a run some of whose results lie in the blocks of operands.
 *
 * @param sizes - bytes of each result, then of whatever else the run needs
 * @param addresses - gets where the operands, all results and the rest are
 * @returns what was made: results of their own, and the rest
 */
export function holdGiven(
  memory: LinearMemory,
  operands: readonly WasmStorage[],
  sizes: readonly number[],
  addresses: number[],
  of: Heirs,
): WasmStorage[] {
  const own = sizes.filter((_, i) => (of[i] ?? null) === null);
  const found: number[] = [];
  const made = memory.hold(operands, own, found);
  const count = operands.length;
  for (let i = 0; i < count; i++) addresses[i] = found[i]!;
  let next = count;
  sizes.forEach((_, i) => {
    const operand = of[i] ?? null;
    addresses[count + i] = operand === null ? found[next++]! : found[operand]!;
  });
  return made;
}

/** After such a run, before what it held is let go: the blocks change hands, or, if it `failed` midway, hold nothing that is whole. */
export function handOver(
  memory: LinearMemory,
  operands: readonly WasmStorage[],
  made: readonly WasmStorage[],
  of: Heirs,
  failed: boolean,
): WasmStorage[] {
  const given = new Set<WasmStorage>();
  let next = 0;
  const results = of.map((operand) => {
    if (operand === null) return made[next++]!;
    const storage = operands[operand]!;
    given.add(storage);
    const heir = memory.inherit(storage);
    if (failed) memory.free(heir);
    return heir;
  });
  memory.letGo(
    operands.filter((x) => !given.has(x)),
    made,
  );
  return [...results, ...made.slice(next)];
}
