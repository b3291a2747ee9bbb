/**
 * Every entry point imports this module for its effects: operations run as they are called, and the WebAssembly device is
 * registered as the default, unless there is one; it is made when it is first asked for. Modules with effects are listed under `sideEffects` in package.json.
 */

import { wasmDevice } from '../../backends/wasm/device.ts';
import { registerDefaultDevice } from '../core/backend.ts';
import '../core/eager.ts';

registerDefaultDevice(wasmDevice);
