/**
 * Every entry point imports this module for its effects: operations run as they are called, and a default device is
 * registered, unless there is one. Modules with effects are listed under `sideEffects` in package.json.
 */

import { referenceDevice } from '../../backends/reference/device.ts';
import { registerDefaultDevice } from '../core/backend.ts';
import '../core/eager.ts';

registerDefaultDevice(referenceDevice);
