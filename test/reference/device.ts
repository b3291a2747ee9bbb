/** Tests of this folder import this for its effect: they run on the reference device, whatever the others run on. */

import { referenceDevice, setDefaultDevice } from 'pullback';

setDefaultDevice(referenceDevice());
