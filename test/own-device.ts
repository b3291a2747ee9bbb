/** Where files share a process, each begins with the default device, whatever the one before it has left. */
import { setDefaultDevice } from 'pullback';
import { deviceName, makeDevice } from './device.ts';

setDefaultDevice(process.env['PULLBACK_DEVICE'] ? await makeDevice(deviceName) : null);
