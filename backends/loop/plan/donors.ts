/**
 * Which inputs results may take the memory of, once a run is given these inputs for good: a plan says it for all inputs, whatever runs give,
 * so that one code does for all of them. It reaches inputs and outputs by their addresses, and some of these may be the same.
 */

import { byteSize } from '../../../src/core/dtype.ts';
import type { Jaxpr } from '../../../src/core/jaxpr.ts';
import type { Place, Program } from './program.ts';

export class Donors {
  /** For each output its inputs, in the order in which they were noted. */
  readonly of: readonly number[][];
  private readonly ins: readonly number[];
  private readonly outs: readonly number[];

  constructor({ ins, outs }: Jaxpr) {
    const bytes = ({ aval }: { readonly aval: Jaxpr['outs'][number]['aval'] }): number =>
      aval.size * byteSize(aval.dtype);
    this.ins = ins.map(bytes);
    this.outs = outs.map(bytes);
    this.of = outs.map(() => []);
  }

  /** What lies at the output `place` may lie in the memory of an input. */
  note({ position }: Place, input: number | null): void {
    if (input === null || this.ins[input] !== this.outs[position]) return;
    const list = this.of[position]!;
    if (!list.includes(input)) list.push(input);
  }

  /** What lies at `written` may lie in the memory of any input but those that are `alive`. */
  noteDead(written: readonly Place[], alive: readonly Place[]): void {
    const except = new Set(alive.filter(({ base }) => base === 'input').map(({ position }) => position));
    this.ins.forEach((_, input) => {
      if (!except.has(input)) for (const place of written) this.note(place, input);
    });
  }
}

/**
 * For each output the donated input whose memory it takes, `null` for memory of its own; an input serves one output. First choices come
 * first: an input that is read while a result is written has that result only.
 */
export function heirs({ donors }: Program, donated: readonly boolean[]): readonly (number | null)[] {
  const found = donors.map((): number | null => null);
  const taken = new Set<number>();
  const most = donors.reduce((n, list) => Math.max(n, list.length), 0);
  for (let choice = 0; choice < most; choice++) {
    donors.forEach((list, output) => {
      const input = list[choice];
      if (input === undefined || found[output] !== null || !donated[input] || taken.has(input)) return;
      found[output] = input;
      taken.add(input);
    });
  }
  return found;
}
