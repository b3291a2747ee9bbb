/** Every entry point imports this module for its effect: a default device is registered, unless there is one. */

import { referenceDevice } from '../../backends/reference/device.ts';
import { registerDefaultDevice } from '../core/backend.ts';

registerDefaultDevice(referenceDevice);
