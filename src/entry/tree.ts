/** `pullback/tree`: trees of tensors. */

import './device.ts';

export { mapKeys } from '../random/trees.ts';
export * from '../tree/index.ts';
