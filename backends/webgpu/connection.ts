/**
 * A connection to a GPU: an adapter's device with the limits and features that it has, and what has gone wrong with it.
 *
 * The world fails as a value ({@link DeviceError}); what fails later, when the device is lost or refuses what it is given, is noted and
 * thrown by whoever reads or runs next.
 */

import * as E from 'fp-ts/lib/Either.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import { CompileError, DeviceLostError, DeviceMemoryError, type PullbackError } from '../../src/core/errors.ts';
import type { DeviceError, PowerPreference } from './failure.ts';
import { type Host, howToInstall, keep, openHost, type Sync } from './host.ts';

/** What programs must know of the adapter. */
export interface AdapterFacts {
  readonly name: string;
  /** Storage buffers that a kernel binds at most. */
  readonly buffers: number;
  readonly workgroupsPerDimension: number;
  readonly workgroupBytes: number;
  readonly bufferBytes: number;
}

const raised = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
] as const;

export class Connection {
  readonly device: GPUDevice;
  readonly sync: Sync | null;
  readonly facts: AdapterFacts;
  /** What went wrong since somebody asked: the first of it. */
  private problem: PullbackError | null = null;
  private lost: PullbackError | null = null;

  constructor(device: GPUDevice, name: string, { sync }: Host) {
    this.device = device;
    this.sync = sync;
    const { limits } = device;
    this.facts = {
      name,
      buffers: limits.maxStorageBuffersPerShaderStage,
      workgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
      workgroupBytes: limits.maxComputeWorkgroupStorageSize,
      bufferBytes: Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize),
    };
    keep(device);
    device.onuncapturederror = ({ error }) => {
      this.problem ??= explained(error);
    };
    void device.lost.then(({ reason, message }) => this.lose(reason, message));
  }

  private lose(reason: string, message: string): void {
    this.lost ??= new DeviceLostError({
      op: 'webgpu',
      problem:
        reason === 'destroyed'
          ? 'the device was destroyed'
          : `the device ${this.facts.name} was lost${message ? `: ${message.split('\n')[0]}` : ''}`,
      remedy:
        'acquire a device again and make the tensors there; what was put on this one by the program is still on the host, results that were not read are gone',
    });
  }

  /** @throws DeviceLostError, and what went wrong since the last time */
  check(): void {
    if (this.lost) throw this.lost;
    const { problem } = this;
    if (!problem) return;
    this.problem = null;
    this.onProblem(problem);
    throw problem;
  }

  /** Told of a problem before it is thrown: what was computed since all was known to be well may be wrong. */
  onProblem: (problem: PullbackError) => void = () => undefined;
  /** Told that all is well up to what was read. */
  onSound: () => void = () => undefined;

  /** Give the device back; what is on it is gone. */
  destroy(): void {
    this.lose('destroyed', '');
    this.device.destroy();
  }
}

function explained(error: GPUError): PullbackError {
  const [problem, ...rest] = error.message.split('\n');
  const text = [problem, ...rest.slice(0, 3)].join('\n  ').trim();
  if (error.constructor.name === 'GPUOutOfMemoryError') {
    return new DeviceMemoryError({
      op: 'webgpu',
      problem: `the GPU has no memory left: ${text}`,
      remedy:
        'give the device a smaller budget, so that it moves tensors to the host in time, or compute in smaller pieces',
    });
  }
  return new CompileError({
    op: 'webgpu',
    problem: `the GPU refused a program: ${text}`,
    remedy: 'this is a bug in the compiler; please report it',
  });
}

const adapterOptions = (powerPreference: PowerPreference | undefined): GPURequestAdapterOptions =>
  powerPreference ? { powerPreference } : {};

function deviceDescription(adapter: GPUAdapter): GPUDeviceDescriptor {
  const requiredLimits: Record<string, number> = {};
  for (const name of raised) requiredLimits[name] = adapter.limits[name];
  return { requiredLimits };
}

const nameOf = ({ info }: GPUAdapter): string => info.description || info.device || info.vendor || 'unnamed';

const refused = (_tag: DeviceError['_tag'], message: string): E.Either<DeviceError, never> =>
  E.left({ _tag, message: `webgpu: ${message}` });

const noAdapter = ({ sync }: Host): E.Either<DeviceError, never> =>
  refused(
    'NoAdapter',
    sync
      ? `there is no GPU adapter; ${howToInstall}`
      : 'this browser has WebGPU, and no GPU that it would use; its page about GPUs (chrome://gpu, about:support) says why',
  );

/** Connect, and wait for it: what pages can do, too. */
export const connect =
  (power?: PowerPreference): TaskEither<DeviceError, Connection> =>
  async () => {
    const host = openHost();
    if (typeof host === 'string') return refused('NoWebGpu', host);
    const start = <A>(operation: () => Promise<A>): Promise<A> => host.sync?.start(operation) ?? operation();
    try {
      const adapter = await start(() => host.gpu.requestAdapter(adapterOptions(power)));
      if (!adapter) return noAdapter(host);
      keep(adapter);
      const device = await start(() => adapter.requestDevice(deviceDescription(adapter)));
      return E.right(new Connection(device, nameOf(adapter), host));
    } catch (error) {
      return refused('NoDevice', (error as Error).message);
    }
  };

/** Connect now, where the host can wait. */
export function connectNow(power?: PowerPreference): E.Either<DeviceError, Connection> {
  const host = openHost();
  if (typeof host === 'string') return refused('NoWebGpu', host);
  const { gpu, sync } = host;
  if (!sync) return refused('NoDevice', 'a page gets its device by waiting for acquireWebgpu()');
  const now = <A>(operation: () => Promise<A>): A => sync.wait({ promise: sync.start(operation) });
  try {
    const adapter = now(() => gpu.requestAdapter(adapterOptions(power)));
    if (!adapter) return noAdapter(host);
    keep(adapter);
    return E.right(
      new Connection(
        now(() => adapter.requestDevice(deviceDescription(adapter))),
        nameOf(adapter),
        host,
      ),
    );
  } catch (error) {
    return refused('NoDevice', (error as Error).message);
  }
}
