/** A device that runs planned programs by their meaning: kernels by the interpreter, everything else as plainly as can be. */

import { checkKernel } from '../../backends/loop/check.ts';
import { runKernel } from '../../backends/loop/interpret.ts';
import { bytesOf, plan } from '../../backends/loop/plan/plan.ts';
import {
  type ContractedAxis,
  type Contraction,
  type Counter,
  kernelsOf,
  type Place,
  type Program,
  type Step,
} from '../../backends/loop/plan/program.ts';
import type { Device, Executable, Storage } from '../../src/core/backend.ts';
import { type DType, type TypedArray, viewOf } from '../../src/core/dtype.ts';
import type { Jaxpr } from '../../src/core/jaxpr.ts';

class Bytes implements Storage {
  readonly buffer: ArrayBuffer;
  constructor(buffer: ArrayBuffer) {
    this.buffer = buffer;
  }
  get byteLength(): number {
    return this.buffer.byteLength;
  }
}

const copyOf = (array: TypedArray): ArrayBuffer =>
  array.buffer.slice(array.byteOffset, array.byteOffset + array.byteLength) as ArrayBuffer;

/** @param prepare - what stands before planning: passes, decompositions */
export const loopMachine = (prepare: (jaxpr: Jaxpr) => Jaxpr): Device => ({
  name: 'loops',
  put: (_aval, host) => new Bytes(copyOf(host)),
  read: async (aval, storage) => viewOf(aval.dtype, (storage as Bytes).buffer.slice(0), aval.size),
  readSync: (aval, storage) => viewOf(aval.dtype, (storage as Bytes).buffer.slice(0), aval.size),
  compile(jaxpr): Executable {
    const program = plan(prepare(jaxpr), { buffers: 16 });
    for (const kernel of kernelsOf(program.steps)) checkKernel(kernel);
    return {
      run: (ins) =>
        new Run(
          program,
          ins.map((x) => (x as Bytes).buffer),
        ).outputs(),
    };
  },
});

/** Every index of these axes, as offsets into the three arrays of a contraction. */
function* walk(axes: readonly ContractedAxis[]): Generator<readonly [number, number, number]> {
  const [first, ...rest] = axes;
  if (!first) yield [0, 0, 0];
  else {
    for (let i = 0; i < first.extent; i++) {
      for (const [a, b, c] of walk(rest)) yield [a + i * first.a, b + i * first.b, c + i * first.c];
    }
  }
}

class Run {
  private readonly program: Program;
  private readonly ins: readonly ArrayBuffer[];
  private readonly outs: readonly ArrayBuffer[];
  private readonly arena: ArrayBuffer;
  private readonly counters = new Map<Counter, number>();

  constructor(program: Program, ins: readonly ArrayBuffer[]) {
    this.program = program;
    // Some to spare at the end, of which nothing may come.
    this.ins = ins;
    this.outs = program.outs.map((aval) => new ArrayBuffer(bytesOf(aval)));
    this.arena = new ArrayBuffer(program.arena);
    new Uint8Array(this.arena).fill(0x5a);
  }

  outputs(): readonly Storage[] {
    this.all(this.program.steps);
    return this.outs.map((buffer) => new Bytes(buffer));
  }

  private view(place: Place, dtype: DType, size: number): TypedArray {
    const buffer =
      place.base === 'arena' ? this.arena : (place.base === 'input' ? this.ins : this.outs)[place.position]!;
    const offset = place.steps.reduce(
      (sum, { counter, bytes }) => sum + this.counters.get(counter)! * bytes,
      place.offset,
    );
    const like = viewOf(dtype, new ArrayBuffer(0), 0);
    const make = like.constructor as new (buffer: ArrayBuffer, offset: number, size: number) => TypedArray;
    return new make(buffer, offset, size);
  }

  private all(steps: readonly Step[]): void {
    for (const step of steps) this.step(step);
  }

  private step(step: Step): void {
    switch (step.kind) {
      case 'kernel': {
        const arrays = step.kernel.operands.map((buffer, i) =>
          this.view(step.places[i]!, buffer.dtype, buffer.size.op === 'const' ? buffer.size.value : 0),
        );
        runKernel(step.kernel, arrays);
        return;
      }
      case 'contract':
        this.contract(step.contraction, step.a, step.b, step.c);
        return;
      case 'convolve':
        throw new Error('the programs of these laws have no convolutions that are large enough');
      case 'copy':
        this.view(step.to, 'bool', step.bytes).set(this.view(step.from, 'bool', step.bytes));
        return;
      case 'repeat':
        for (let i = 0; i < step.counter.length; i++) {
          this.counters.set(step.counter, step.counter.reverse ? step.counter.length - 1 - i : i);
          this.all(step.body);
        }
        return;
      case 'while':
        for (this.all(step.condition); this.view(step.flag, 'bool', 1)[0] !== 0; this.all(step.condition)) {
          this.all(step.body);
        }
        return;
      case 'branch': {
        const index = this.view(step.index, 'int32', 1)[0]!;
        this.all(step.branches[Math.min(Math.max(index, 0), step.branches.length - 1)]!);
      }
    }
  }

  private contract({ dtype, batch, m, n, k }: Contraction, a: Place, b: Place, c: Place): void {
    const extent = (pick: 'a' | 'b' | 'c', axes: readonly ContractedAxis[]): number =>
      axes.reduce((last, axis) => last + (axis.extent - 1) * axis[pick], 1);
    const all = [...batch, ...m, ...n, ...k];
    const [x, y, z] = [
      this.view(a, dtype, extent('a', all)),
      this.view(b, dtype, extent('b', all)),
      this.view(c, dtype, extent('c', all)),
    ];
    const wraps = dtype === 'int32' || dtype === 'uint32';
    for (const [a0, b0, c0] of walk([...batch, ...m, ...n])) {
      let sum = 0;
      for (const [a1, b1] of walk(k)) {
        const [p, q] = [x[a0 + a1]!, y[b0 + b1]!];
        sum = wraps ? (sum + Math.imul(p, q)) | 0 : sum + p * q;
      }
      z[c0] = sum;
    }
  }
}
