/**
 * The device of the suites in this folder. Where there is none they are skipped, which is said together with how to get one; with
 * `PULLBACK_REQUIRE=webgpu`, as in CI, that is a failure.
 */

import { type Device, webgpuDevice } from 'pullback';
import { describe } from 'vitest';

const required = (process.env['PULLBACK_REQUIRE'] ?? '').split(',').includes('webgpu');

function open(): Device | null {
  try {
    return webgpuDevice();
  } catch (error) {
    if (required) throw error;
    console.warn(`skipped: the WebGPU suites\n${(error as Error).message}`);
    return null;
  }
}

const opened = open();

/** The device, in suites that {@link onWebgpu} runs. */
export const device = opened as Device;

/** A suite that needs the device. */
export const onWebgpu = describe.runIf(opened !== null);
