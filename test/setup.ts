/**
 * Property tests draw their cases from one seed, so that a failure of a commit is a failure of its change; LAWS_SEED is another. Laws
 * (`laws/`) bring their own.
 *
 * PULLBACK_DEVICE is the default device of all tests; without it they run on the library's own.
 */
import * as fc from 'fast-check';
import { deviceName, makeDevice } from './device.ts';

fc.configureGlobal({ seed: Number(process.env['LAWS_SEED'] ?? 20_240_607) });

if (process.env['PULLBACK_DEVICE']) {
  // Only then, as tests that need no tensor should not load the library.
  const { setDefaultDevice } = await import('pullback');
  setDefaultDevice(await makeDevice(deviceName));
}
