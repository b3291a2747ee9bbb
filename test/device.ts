/**
 * The device that tests run on: the default device of the library, or the one that PULLBACK_DEVICE names. Tests of one device name it
 * themselves.
 */

import type { Device } from 'pullback';

type Library = typeof import('pullback');

const devices = {
  wasm: ({ wasmDevice }: Library): Device => wasmDevice(),
  reference: ({ referenceDevice }: Library): Device => referenceDevice(),
  webgpu: ({ webgpuDevice }: Library): Device => webgpuDevice(),
};

export type DeviceName = keyof typeof devices;

const isDeviceName = (name: string): name is DeviceName => Object.hasOwn(devices, name);

/** What PULLBACK_DEVICE says, and otherwise what `pullback` registers. */
export const deviceName: DeviceName = nameOf(process.env['PULLBACK_DEVICE'] || 'wasm');

function nameOf(text: string): DeviceName {
  if (isDeviceName(text)) return text;
  throw new Error(`PULLBACK_DEVICE must be one of ${Object.keys(devices).join(', ')}, got ${text}`);
}

/** A device of that name. */
export const makeDevice = async (name: DeviceName): Promise<Device> => devices[name](await import('pullback'));
