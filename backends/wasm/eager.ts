/** Eager operations other than single kernels: products of matrices, which are compiled once, and code that is made for shapes. */

import type { Executable, Storage } from '../../src/core/backend.ts';
import { bytesOf } from '../loop/plan/plan.ts';
import type { Contraction, Place, Program, Step } from '../loop/plan/program.ts';
import { aligned } from './blocks.ts';
import { count } from './gemm/axes.ts';
import { type GenericCalls, genericCalls } from './gemm/generic.ts';
import { simplified } from './gemm/plan.ts';
import type { LinearMemory } from './memory.ts';
import { divisionWords } from './program.ts';
import type { WasmStorage } from './storage.ts';
import { sharesOf, stepTime, type Thresholds } from './team/share.ts';
import type { SharedCode, Team } from './team/team.ts';

/** An instantiated function. */
export type Run = (...args: number[]) => void;

type ContractStep = Step & { readonly kind: 'contract' };

/** The step of a program that is one product of matrices, and nothing done with it; `null` for other programs. */
export function soleProduct({ steps }: Program): ContractStep | null {
  const [only] = steps;
  return steps.length === 1 && only?.kind === 'contract' && !only.epilogue ? only : null;
}

const plain = (x: Contraction) => simplified({ ...x, relaxed: false, epilogue: null });

/** Fewer rows or columns than these are loops: packing would cost as much as the product. */
const narrow = 4;

/** Whether a product is loops rather than packed. */
export function isNarrow(contraction: Contraction): boolean {
  const { m, n } = plain(contraction);
  return Math.min(count(m), count(n)) < narrow;
}

/** One product of matrices, by the function for all sizes. */
export class EagerProduct implements Executable {
  private readonly memory: LinearMemory;
  private readonly code: { readonly run: Run };
  private readonly places: readonly [Place, Place, Place];
  private readonly inputs: number;
  private readonly sizes: readonly number[];
  private readonly how: GenericCalls;
  private readonly sharing: Sharing | null;

  constructor(memory: LinearMemory, { ins, outs }: Program, step: ContractStep, code: ProductCode, by: Threads | null) {
    this.memory = memory;
    this.code = code;
    this.how = genericCalls(plain(step.contraction));
    this.places = this.how.transposed ? [step.b, step.a, step.c] : [step.a, step.b, step.c];
    this.inputs = ins.length;
    this.sharing = by && code.shared ? sharingOf(this.how, stepTime(step), by, code.shared) : null;
    this.sizes = [bytesOf(outs[0]!), this.sharing?.bytes ?? this.how.scratchBytes];
  }

  /** @throws DeviceMemoryError */
  run(ins: readonly Storage[]): readonly Storage[] {
    const { code, places, how, memory, inputs, sizes } = this;
    const operands = ins as readonly WasmStorage[];
    const addresses: number[] = [];
    const [made, scratch] = memory.hold(operands, sizes, addresses) as [WasmStorage, WasmStorage];
    try {
      const [a, b, c] = places.map(
        ({ base, position, offset }) => addresses[base === 'input' ? position : inputs]! + offset,
      ) as [number, number, number];
      const room = addresses[inputs + 1]!;
      for (const call of how.calls) {
        if (this.sharing) this.share(this.sharing, [a + call.a, b + call.b, c + call.c], call.rest, room);
        else code.run(a + call.a, b + call.b, c + call.c, room, ...call.rest);
      }
    } finally {
      memory.letGo(operands, [made, scratch]);
    }
    memory.free(scratch);
    return [made];
  }

  /** The table of the threads is before their scratch areas. */
  private share(
    { team, code, words, members }: Sharing,
    abc: readonly number[],
    rest: readonly number[],
    table: number,
  ): void {
    this.memory.words.set([...abc, table + tableBytes, ...rest, ...words], table >>> 2);
    team.run(code, table, members);
  }
}

/** Code of products, and what of it threads share. */
interface ProductCode {
  readonly run: Run;
  readonly shared: SharedCode | null;
}

/** The threads of a device, and from what on they share. */
interface Threads {
  readonly team: Team;
  readonly limits: Thresholds;
}

/** How a product is divided: what its table ends with, and bytes of the table and the areas of all threads. */
interface Sharing {
  readonly team: Team;
  readonly code: SharedCode;
  readonly words: readonly number[];
  readonly members: number;
  readonly bytes: number;
}

const tableBytes = 128;
/** Rows or columns that stay together: for each such part the other operand is packed once more. */
const part = 128;

/** `null` if it is not worth it. */
function sharingOf(how: GenericCalls, time: number, { team, limits }: Threads, code: SharedCode): Sharing | null {
  const [m, n] = how.calls[0]!.rest as readonly [number, number];
  const columns = n >= m;
  const shares = time < limits.program ? null : sharesOf(columns ? n : m, part, time / how.calls.length, limits);
  if (!shares) return null;
  const area = aligned(how.scratchBytes);
  const members = team.members(area, shares.chunks);
  if (members === 1) return null;
  return {
    team,
    code,
    words: [area, Number(columns), ...divisionWords(shares)],
    members,
    bytes: tableBytes + area * members,
  };
}

/** Modules of shapes that are kept. */
const kept = 128;

/** The code used last: eager operations of ever new shapes leave no more than this behind, and what is met again is made again. */
export class RecentCode<Code> {
  private readonly byShape = new Map<object, Code>();

  of(shape: object, make: () => Code): Code {
    const found = this.byShape.get(shape) ?? make();
    this.byShape.delete(shape);
    this.byShape.set(shape, found);
    if (this.byShape.size > kept) this.byShape.delete(this.byShape.keys().next().value!);
    return found;
  }
}
