/** `pullback/tree`: trees of tensors, with the vector space that tensors make them and a key for each leaf. */

import './device.ts';

export { ravel } from '../ops/ravel.ts';
export { leafSpace, vectorSpace } from '../ops/space.ts';
export { mapKeys } from '../random/trees.ts';
export * from '../tree/index.ts';
