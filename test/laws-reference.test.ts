/** Every law on the reference device, which says what primitives mean; not where PULLBACK_DEVICE asks for one device alone. */

import { test } from 'vitest';
import { describeLaws } from './laws.ts';

if (process.env['PULLBACK_DEVICE']) test.skip('the reference device: PULLBACK_DEVICE names the one to be tested');
else describeLaws('reference');
