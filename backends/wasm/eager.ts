/** Eager operations other than single kernels: products of matrices, which are compiled once, and code that is made for shapes. */

import type { Executable, Storage } from '../../src/core/backend.ts';
import { bytesOf } from '../loop/plan/plan.ts';
import type { Contraction, Place, Program, Step } from '../loop/plan/program.ts';
import { count } from './gemm/axes.ts';
import { type GenericCalls, genericCalls } from './gemm/generic.ts';
import { simplified } from './gemm/plan.ts';
import type { LinearMemory } from './memory.ts';
import type { WasmStorage } from './storage.ts';

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

  constructor(memory: LinearMemory, { ins, outs }: Program, step: ContractStep, code: { readonly run: Run }) {
    this.memory = memory;
    this.code = code;
    this.how = genericCalls(plain(step.contraction));
    this.places = this.how.transposed ? [step.b, step.a, step.c] : [step.a, step.b, step.c];
    this.inputs = ins.length;
    this.sizes = [bytesOf(outs[0]!), this.how.scratchBytes];
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
      for (const call of how.calls) code.run(a + call.a, b + call.b, c + call.c, room, ...call.rest);
    } finally {
      memory.letGo(operands, [made, scratch]);
    }
    memory.free(scratch);
    return [made];
  }
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
