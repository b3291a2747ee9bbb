/**
 * Every entry point imports this module for its effects: operations run as they are called, and the default device is registered, unless
 * there is one; it is made when it is first asked for. Modules with effects are listed under `sideEffects` in package.json.
 *
 * It is the WebAssembly device, or in Node what PULLBACK_DEVICE names.
 */

import { wasmDevice } from '../../backends/wasm/device.ts';
import { webgpuDevice } from '../../backends/webgpu/device.ts';
import { type Device, registerDefaultDevice } from '../core/backend.ts';
import { CompileError } from '../core/errors.ts';
import '../core/eager.ts';

const devices: Readonly<Record<string, () => Device>> = {
  wasm: () => wasmDevice(),
  webgpu: () => webgpuDevice(),
};

function chosen(): Device {
  const { process } = globalThis as {
    readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
  };
  const name = process?.env?.['PULLBACK_DEVICE'] || 'wasm';
  const make = Object.hasOwn(devices, name) ? devices[name] : undefined;
  if (make) return make();
  throw new CompileError({
    op: 'PULLBACK_DEVICE',
    problem: `there is no device ${name}`,
    remedy: `name one of ${Object.keys(devices).join(', ')}; others are chosen by setDefaultDevice`,
  });
}

registerDefaultDevice(chosen);
