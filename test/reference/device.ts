/** Setup of this folder (`vitest.config.ts`): its tests run on the reference device, whatever the others run on. */

import { referenceDevice, setDefaultDevice } from 'pullback';

setDefaultDevice(referenceDevice());
