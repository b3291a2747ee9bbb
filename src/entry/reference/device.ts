/** The entries `pullback/reference…` import this module for its effect: the plain reference device, unless there is one. */

import { plainDevice } from '../../../backends/reference/plain.ts';
import { registerDefaultDevice } from '../../core/backend.ts';
import '../../core/eager.ts';

registerDefaultDevice(plainDevice);
