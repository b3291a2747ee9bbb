/**
 * A WebGPU device in Node: the npm package `webgpu` on a Vulkan driver, Chromium's SwiftShader if the environment names none.
 *
 * What must outlive pending work (the instance, the adapter, buffers under mapping) is kept reachable: without that the process may
 * crash at its end.
 */

import { existsSync } from 'node:fs';
import type { WgslProgram } from '../../backends/webgpu/wgsl/kernel.ts';
import type { TypedArray } from '../../src/core/dtype.ts';

const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** What to do where there is no device. */
export const howToInstall = `There is no WebGPU device. It needs
  the npm package webgpu (npm ci installs 0.6.2; 0.5.0 to 0.6.1 need a newer glibc), and
  a Vulkan driver and loader:  apt-get install --no-install-recommends chromium libvulkan1
Chromium's package contains SwiftShader (${swiftShader}), which is used if it is there.
For another driver:  VK_DRIVER_FILES=/path/driver_icd.json VK_ICD_FILENAMES=/path/driver_icd.json npm run wgsl`;

const kept: unknown[] = [];

/** A device that runs WGSL programs on typed arrays. */
export interface Gpu {
  readonly name: string;
  /** Runs a program on copies of its operands; they are overwritten with what it stored. @throws Error with what the compiler says */
  readonly run: (program: WgslProgram, operands: readonly TypedArray[]) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Opens the device; `null` where there is none. */
export async function openGpu(): Promise<Gpu | null> {
  const { env } = process;
  // Read by the driver's loader when `webgpu` is loaded. Old loaders know only the second name.
  if (!env['VK_DRIVER_FILES'] && !env['VK_ICD_FILENAMES'] && existsSync(swiftShader)) {
    env['VK_DRIVER_FILES'] = env['VK_ICD_FILENAMES'] = swiftShader;
  }
  env['NODEVICE_SELECT'] ??= '1';
  const found = await import('webgpu').catch(() => null);
  if (!found) return null;
  Object.assign(globalThis, found.globals);
  const gpu = found.create([]);
  const adapter = await gpu.requestAdapter();
  if (!adapter) return null;
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  const device = await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } });
  kept.push(gpu, adapter, device);
  return {
    name: adapter.info.description || adapter.info.device,
    run: (program, operands) => run(device, program, operands),
    close: async () => {
      await device.queue.onSubmittedWorkDone();
      device.destroy();
    },
  };
}

/** Words as the device stores them: a bool is a u32. */
const words = (array: TypedArray): Uint32Array | Int32Array | Float32Array => {
  if (array instanceof Uint8Array) return Uint32Array.from(array);
  if (array instanceof Float64Array) throw new TypeError('WebGPU has no float64');
  return array;
};

async function run(device: GPUDevice, program: WgslProgram, operands: readonly TypedArray[]): Promise<void> {
  device.pushErrorScope('validation');
  const module = device.createShaderModule({ code: program.code });
  const layout = device.createBindGroupLayout({
    entries: program.bindings.map(({ access }, binding) => ({
      binding,
      visibility: GPUShaderStage.COMPUTE,
      buffer: { type: access === 'read' ? 'read-only-storage' : 'storage' },
    })),
  });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
  const pipelines = program.passes.map(({ entry }) =>
    device.createComputePipeline({ layout: pipelineLayout, compute: { module, entryPoint: entry } }),
  );
  const buffers = operands.map((array) => {
    const data = words(array);
    const size = Math.max(16, data.length * 4);
    const buffer = device.createBuffer({
      size,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    device.queue.writeBuffer(buffer, 0, data as Float32Array<ArrayBuffer>);
    return buffer;
  });
  const group = device.createBindGroup({
    layout,
    entries: buffers.map((buffer, binding) => ({ binding, resource: { buffer } })),
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  program.passes.forEach(({ workgroups: [x, y] }, i) => {
    if (x * y === 0) return;
    pass.setPipeline(pipelines[i]!);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(x, y);
  });
  pass.end();
  const stored = program.bindings.flatMap(({ access }, i) => (access === 'read_write' ? [i] : []));
  const copies = stored.map((i) => {
    const source = buffers[i]!;
    const copy = device.createBuffer({ size: source.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    encoder.copyBufferToBuffer(source, 0, copy, 0, source.size);
    return copy;
  });
  kept.push(copies);
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error) throw new Error(await explained(module, error.message, program.code));
  for (const [place, copy] of copies.entries()) {
    await copy.mapAsync(GPUMapMode.READ);
    const operand = operands[stored[place]!]!;
    const bytes = copy.getMappedRange().slice(0, operand.length * 4);
    if (operand instanceof Uint8Array) operand.set(new Uint32Array(bytes));
    else new Uint8Array(operand.buffer, operand.byteOffset, operand.byteLength).set(new Uint8Array(bytes));
    copy.unmap();
  }
  for (const buffer of [...buffers, ...copies]) buffer.destroy();
  kept.pop();
}

/** What the compiler says, with the lines that it says it of. */
async function explained(module: GPUShaderModule, message: string, code: string): Promise<string> {
  const { messages } = await module.getCompilationInfo();
  const lines = code.split('\n');
  const said = messages.map(({ message, lineNum }) => `line ${lineNum}: ${message}\n  ${lines[lineNum - 1] ?? ''}`);
  return said.length > 0 ? said.join('\n') : message;
}
