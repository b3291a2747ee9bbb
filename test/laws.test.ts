/** Every law on the device of the tests: the default device, or the one that PULLBACK_DEVICE names. `laws.ts` has the options. */

import { deviceName } from './device.ts';
import { describeLaws } from './laws.ts';

describeLaws(deviceName);
