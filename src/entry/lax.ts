/** `pullback/lax`: one function for each primitive. */

import './device.ts';

export * from '../ops/lax.ts';
