/** The WebGPU device: programs are fused and planned as for the CPU, and compiled to WGSL. What users see of it is in `device.ts`. */

import { type Aval, showAvalShort } from '../../src/core/aval.ts';
import type { Device, Executable, Storage } from '../../src/core/backend.ts';
import { allocate, type TypedArray, viewOf } from '../../src/core/dtype.ts';
import { CompileError } from '../../src/core/errors.ts';
import type { Inspection } from '../../src/core/inspection.ts';
import { constsAsInputs, type Jaxpr } from '../../src/core/jaxpr.ts';
import { structuralText } from '../../src/core/pretty.ts';
import type { Value } from '../../src/core/value.ts';
import { optimize } from '../../transforms/passes/index.ts';
import { defaultBudget } from '../budget.ts';
import { plan } from '../loop/plan/plan.ts';
import type { Program } from '../loop/plan/program.ts';
import { SharedByText } from '../shared.ts';
import type { Connection } from './connection.ts';
import { decomposedOn } from './decompose.ts';
import { Gpu } from './gpu.ts';
import { WebgpuInspection } from './inspect.ts';
import { lower } from './lower.ts';
import { CompiledProgram, ProgramCode } from './program.ts';
import { type WebgpuStorage, wordsOf } from './storage.ts';

/** Elements of the rows that a workgroup may keep: its memory, less the cells of its sums. */
const scratchElements = 3840;

/** Refuses what WebGPU has not. */
function expectDtypes(avals: readonly Aval[], op: string): void {
  const found = avals.find(({ dtype }) => dtype === 'float64');
  if (found) {
    throw new CompileError({
      op,
      problem: `${showAvalShort(found)}: WebGPU has no float64`,
      remedy:
        "convert it to float32 (np.astype(x, 'float32')), or compute it on the default device or the reference device",
    });
  }
}

class WebgpuDevice implements Device {
  readonly name = 'webgpu';
  readonly dtypes = ['bool', 'uint32', 'int32', 'float32'] as const;
  readonly flushesSubnormals = true;
  readonly gpu: Gpu;
  /** Programs, by the text of what they compute. */
  private readonly programs = new SharedByText<ProgramCode>();

  constructor(connection: Connection, budget: number) {
    this.gpu = new Gpu(connection, budget);
  }

  put(aval: Aval, host: TypedArray): Storage {
    expectDtypes([aval], 'webgpu');
    return this.gpu.memory.adopt(wordsOf(host));
  }

  async read(aval: Aval, storage: Storage): Promise<TypedArray> {
    const { cell } = storage as WebgpuStorage;
    const { queue, memory } = this.gpu;
    await queue.idle();
    if (cell.failure) throw cell.failure;
    if (cell.host) return elements(aval, cell.host);
    memory.hold(cell);
    try {
      const words = new Uint32Array(await queue.read({ block: cell.block!, bytes: cell.byteLength }));
      return elements(aval, words);
    } finally {
      memory.letGo(cell);
    }
  }

  readSync(aval: Aval, storage: Storage): TypedArray {
    const { cell } = storage as WebgpuStorage;
    const { queue, memory, connection } = this.gpu;
    if (cell.failure) throw cell.failure;
    if (cell.host) return elements(aval, cell.host);
    if (!connection.sync) {
      throw new CompileError({
        op: 'dataSync',
        problem: 'a page cannot wait for the GPU',
        remedy: 'use `await x.data()`',
      });
    }
    connection.check();
    let found: Uint32Array = new Uint32Array(0);
    queue.readNow([{ block: cell.block!, bytes: cell.byteLength }], (_, words) => {
      found = words;
    });
    memory.known(cell, found);
    return elements(aval, found);
  }

  free(storage: Storage): void {
    const { queue, memory } = this.gpu;
    queue.after(() => memory.free(storage as WebgpuStorage));
  }

  compile(jaxpr: Jaxpr): Executable {
    const { simple, consts } = this.simplified(jaxpr);
    const code = this.programs.of(structuralText(simple), () => {
      const program = this.plan(simple);
      return new ProgramCode(this.gpu, program, lower(program, this.gpu.connection.facts));
    });
    const own = consts.map((x) => this.put(x.aval, x.dataSync()) as WebgpuStorage);
    return new CompiledProgram(this.gpu, code, own);
  }

  inspect(jaxpr: Jaxpr): Inspection {
    const { simple, consts } = this.simplified(jaxpr);
    const program = this.plan(simple);
    return new WebgpuInspection(simple, program, lower(program, this.gpu.connection.facts), consts.length);
  }

  /** The program in primitives that this device has, and the constants that its decompositions need: its first inputs. */
  private simplified(jaxpr: Jaxpr): { readonly simple: Jaxpr; readonly consts: readonly Value[] } {
    for (const eqn of jaxpr.eqns) {
      const avals = [...eqn.ins, ...eqn.outs].map(({ aval }) => aval);
      expectDtypes(avals, eqn.primitive.name);
    }
    expectDtypes(
      [...jaxpr.ins, ...jaxpr.outs].map(({ aval }) => aval),
      'webgpu',
    );
    const { jaxpr: decomposed, consts } = decomposedOn(optimize(jaxpr));
    return { simple: optimize(constsAsInputs(decomposed)), consts };
  }

  private plan(simple: Jaxpr): Program {
    return plan(simple, { buffers: this.gpu.connection.facts.buffers, apiece: true, scratch: scratchElements });
  }
}

/** Words as the dtype's elements: a fresh array. */
function elements(aval: Aval, words: ArrayBufferView & { readonly length: number }): TypedArray {
  const { buffer, byteOffset } = words;
  if (aval.dtype === 'bool') return Uint8Array.from(new Uint32Array(buffer, byteOffset, aval.size));
  const made = allocate(aval.dtype, aval.size);
  made.set(viewOf(aval.dtype, (buffer as ArrayBuffer).slice(byteOffset, byteOffset + 4 * aval.size), aval.size));
  return made;
}

/** A device on a connection. */
export const webgpuOn = (connection: Connection, budget = defaultBudget()): Device =>
  new WebgpuDevice(connection, budget);

/** What a device is made of, for tests. @throws CompileError for another device */
export function gpuOf(device: Device): Gpu {
  if (device instanceof WebgpuDevice) return device.gpu;
  throw new CompileError({ op: 'webgpuCounts', problem: `${device.name} is no WebGPU device` });
}
