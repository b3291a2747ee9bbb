/** A device that runs planned programs by their meaning: kernels by the interpreter, everything else as plainly as can be. */

import { checkKernel } from '../../backends/loop/check.ts';
import { decompose } from '../../backends/loop/decompose/program.ts';
import type { Limits } from '../../backends/loop/fuse/fuse.ts';
import { runKernel } from '../../backends/loop/interpret.ts';
import type { Kernel } from '../../backends/loop/ir/kernel.ts';
import { decomposedNames } from '../../backends/loop/lower/table.ts';
import { heirs } from '../../backends/loop/plan/donors.ts';
import { bytesOf, plan } from '../../backends/loop/plan/plan.ts';
import {
  type ContractedAxis,
  type Contraction,
  type Convolution,
  type ConvolvedAxes,
  type Counter,
  kernelsOf,
  linesOf,
  type Place,
  type Program,
  type Step,
  tilesOf,
} from '../../backends/loop/plan/program.ts';
import type { Device, Executable, Storage } from '../../src/core/backend.ts';
import { type DType, type TypedArray, viewOf } from '../../src/core/dtype.ts';
import { constsAsInputs } from '../../src/core/jaxpr.ts';
import type { Tensor } from '../../src/core/value.ts';
import { optimize } from '../../transforms/passes/index.ts';

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

/** Programs so far: of most there is one run, and not all are to be given the same. */
let compiled = 1;

/** Decomposes, plans and checks programs as a device does, and runs them with the turns of `parallel` loops in a random order. */
export const loopMachine = (limits: Partial<Limits> = {}): Device => ({
  name: 'loops',
  put: (_aval, host) => new Bytes(copyOf(host)),
  read: async (aval, storage) => viewOf(aval.dtype, (storage as Bytes).buffer.slice(0), aval.size),
  readSync: (aval, storage) => viewOf(aval.dtype, (storage as Bytes).buffer.slice(0), aval.size),
  compile(jaxpr): Executable {
    const { jaxpr: simple, consts } = decompose(optimize(jaxpr), decomposedNames);
    const program = plan(optimize(constsAsInputs(simple)), { buffers: 16, ...limits });
    for (const kernel of [...kernelsOf(program.steps), ...tilesOf(program.steps)]) checkKernel(kernel);
    const constants = consts.map((x) => copyOf((x as Tensor).dataSync()));
    let runs = compiled++;
    return {
      // Nobody else has copies, so they are given for good: none, all of them, or every other one.
      run(ins) {
        const donors = [
          ...constants.map(() => false),
          ...ins.map((_, i) => [false, true, i % 2 === runs % 4][runs % 3]!),
        ];
        runs += 1;
        const copies = ins.map((x) => (x as Bytes).buffer.slice(0));
        return new Run(program, [...constants, ...copies], heirs(program, donors)).outputs();
      },
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
  private turns = 1;

  constructor(program: Program, ins: readonly ArrayBuffer[], of: readonly (number | null)[]) {
    this.program = program;
    // Some to spare at the end, of which nothing may come.
    this.ins = ins;
    this.outs = program.outs.map((aval, i) => {
      const donor = of[i] ?? null;
      return donor === null ? new ArrayBuffer(bytesOf(aval)) : ins[donor]!;
    });
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

  private kernel(kernel: Kernel, places: readonly Place[], sizes: readonly number[] = []): void {
    const arrays = kernel.operands.map((buffer, i) =>
      this.view(places[i]!, buffer.dtype, buffer.size.op === 'const' ? buffer.size.value : 0),
    );
    runKernel(kernel, arrays, sizes, { shuffle: this.turns++ });
  }

  /** By the whole kernel, or column by column, on all lines of each. */
  private epilogue(step: Step & { readonly kind: 'contract' | 'convolve' }): void {
    if (!step.epilogue) return;
    const { kernel, tile, places } = step.epilogue;
    if (this.turns % 2 === 0) this.kernel(kernel, places);
    else if (step.kind === 'convolve') this.kernel(tile.kernel, tile.places);
    else {
      const { columns } = linesOf(step.contraction, tile);
      for (let at = 0; at < columns; at += 3) this.kernel(tile.kernel, tile.places, [at, Math.min(3, columns - at)]);
    }
  }

  private step(step: Step): void {
    switch (step.kind) {
      case 'kernel':
        this.kernel(step.kernel, step.places);
        return;
      case 'contract':
        this.contract(step.contraction, step.a, step.b, step.c);
        this.epilogue(step);
        return;
      case 'convolve':
        this.convolve(step.convolution, step.a, step.b, step.c);
        this.epilogue(step);
        return;
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

  /** Groups of features, or of the batch, are convolved each with its share of the output features. */
  private convolve(conv: Convolution, a: Place, b: Place, c: Place): void {
    const { dtype, lhs, rhs, out, spatial, groups, batchGroups } = conv;
    const sum =
      dtype === 'int32' || dtype === 'uint32' ? (s: number, p: number, q: number) => (s + Math.imul(p, q)) | 0 : plain;
    const last = (strides: ConvolvedAxes, batch: number, feature: number, extents: readonly number[]): number =>
      (batch - 1) * strides.batch +
      (feature - 1) * strides.feature +
      extents.reduce((n, extent, axis) => n + (extent - 1) * strides.spatial[axis]!, 1);
    const inEach = conv.inFeatures / groups;
    const outEach = conv.outFeatures / (groups * batchGroups);
    const images = conv.batch / batchGroups;
    const x = this.view(
      a,
      dtype,
      last(
        lhs,
        conv.batch,
        conv.inFeatures,
        spatial.map((s) => s.in),
      ),
    );
    const w = this.view(
      b,
      dtype,
      last(
        rhs,
        conv.outFeatures,
        inEach,
        spatial.map((s) => s.window),
      ),
    );
    const z = this.view(
      c,
      dtype,
      last(
        out,
        images,
        conv.outFeatures,
        spatial.map((s) => s.out),
      ),
    );
    for (const [n, o] of places([images, conv.outFeatures]) as Iterable<[number, number]>) {
      const group = Math.floor(o / outEach);
      const image = batchGroups > 1 ? group * images + n : n;
      const feature = groups > 1 ? group * inEach : 0;
      for (const at of places(spatial.map((s) => s.out))) {
        let total = 0;
        for (const tap of places(spatial.map((s) => s.window))) {
          const from = spatial.map((s, axis) => at[axis]! * s.stride + tap[axis]! * s.rhsDilation - s.padLow);
          if (
            !spatial.every((s, axis) => from[axis]! % s.lhsDilation === 0 && inside(from[axis]! / s.lhsDilation, s.in))
          )
            continue;
          const pixel = spatial.reduce((sum, s, axis) => sum + (from[axis]! / s.lhsDilation) * lhs.spatial[axis]!, 0);
          const weight = spatial.reduce((sum, _, axis) => sum + tap[axis]! * rhs.spatial[axis]!, 0);
          for (let f = 0; f < inEach; f++) {
            const p = x[image * lhs.batch + (feature + f) * lhs.feature + pixel]!;
            total = sum(total, p, w[o * rhs.batch + f * rhs.feature + weight]!);
          }
        }
        z[n * out.batch + o * out.feature + at.reduce((sum, i, axis) => sum + i * out.spatial[axis]!, 0)] = total;
      }
    }
  }
}

const plain = (sum: number, p: number, q: number): number => sum + p * q;
const inside = (i: number, extent: number): boolean => i >= 0 && i < extent;

/** Every place of a space. */
function* places(shape: readonly number[]): Generator<readonly number[]> {
  const [first, ...rest] = shape;
  if (first === undefined) yield [];
  else for (let i = 0; i < first; i++) for (const at of places(rest)) yield [i, ...at];
}
