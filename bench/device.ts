/** The device of this library that is timed: the one that PULLBACK_DEVICE names, or the library's default. */

import { type Device, defaultDevice, referenceDevice, setDefaultDevice, wasmDevice, webgpuDevice } from 'pullback';
import { relaxedSimd } from './program.ts';

const devices: Readonly<Record<string, () => Device>> = {
  reference: () => referenceDevice(),
  // Relaxed SIMD is a contender of its own, so it is used where the process was started with it.
  wasm: () => wasmDevice({ relaxed: relaxedSimd() }),
  webgpu: () => webgpuDevice(),
};

/** Make it the default device. @throws RangeError for a name that is none */
export function chosenDevice(): Device {
  const name = process.env['PULLBACK_DEVICE'];
  if (name) {
    const make = devices[name];
    if (!make) throw new RangeError(`PULLBACK_DEVICE must be one of ${Object.keys(devices).join(', ')}, got ${name}`);
    setDefaultDevice(make());
  }
  return defaultDevice();
}
