/** How a program gets a WebGPU device. */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type { Device } from '../../src/core/backend.ts';
import { CompileError, DeviceMemoryError } from '../../src/core/errors.ts';
import { expectOptions } from '../../src/core/untyped.ts';
import { type Connection, connect, connectNow } from './connection.ts';
import type { DeviceError, PowerPreference } from './failure.ts';
import { gpuOf, webgpuOn } from './machine.ts';

/** Options of {@link acquireWebgpu}. */
export interface WebgpuOptions {
  /** Which GPU, where there are several. Default: the system's choice. */
  readonly powerPreference?: PowerPreference;
  /** Bytes of GPU memory that tensors may take before they are moved to the host. Default: a quarter of the machine's, at most 2 GiB. */
  readonly budget?: number;
}

/** Counts of what a device has done: of programs' shapes, which software drivers have as GPUs do. */
export interface WebgpuCounts {
  readonly submits: number;
  readonly dispatches: number;
  readonly writes: number;
  readonly reads: number;
  readonly buffers: number;
  readonly pipelines: number;
  readonly bindGroups: number;
  readonly evicted: number;
}

function expectSound(op: string, options: WebgpuOptions): void {
  expectOptions(op, options, 'powerPreference', 'budget');
  const { budget } = options;
  if (budget === undefined || budget > 0) return;
  throw new DeviceMemoryError({ op, problem: `a budget of ${budget} bytes`, remedy: 'give a positive budget' });
}

const made =
  ({ budget }: WebgpuOptions) =>
  (connection: Connection): Device =>
    webgpuOn(connection, budget);

/**
 * A device that runs programs on a GPU: in Node by the npm package `webgpu`, on a page by the browser.
 *
 * It fails with a {@link DeviceError}, whose `message` says what is missing.
 *
 * @throws DeviceMemoryError for a budget that is not positive
 *
 * @example
 * ```ts
 * import { acquireWebgpu, np, withDefaultDevice } from 'pullback';
 * const device = await acquireWebgpu()();
 * if (device._tag === 'Right') console.log(withDefaultDevice(device.right, () => np.sum(np.arange(10)).item()));
 * ```
 */
export function acquireWebgpu(options: WebgpuOptions = {}): TaskEither<DeviceError, Device> {
  expectSound('acquireWebgpu', options);
  return pipe(connect(options.powerPreference), TE.map(made(options)));
}

/**
 * As {@link acquireWebgpu}, now, where the host can wait for the GPU: in Node.
 *
 * @throws DeviceMemoryError for a budget that is not positive
 * @throws CompileError with the message of the {@link DeviceError} where there is no device
 */
export function webgpuDevice(options: WebgpuOptions = {}): Device {
  expectSound('webgpuDevice', options);
  const found = connectNow(options.powerPreference);
  if (E.isRight(found)) return made(options)(found.right);
  throw new CompileError({ op: 'webgpuDevice', problem: found.left.message.replace(/^webgpu: /, '') });
}

/** What a WebGPU device has done so far. @throws CompileError for another device */
export function webgpuCounts(device: Device): WebgpuCounts {
  const { queue, memory, pipelines } = gpuOf(device);
  return {
    ...queue.counts,
    buffers: memory.blocks.created,
    pipelines: pipelines.counts.pipelines,
    bindGroups: pipelines.counts.groups,
    evicted: memory.evicted,
  };
}
