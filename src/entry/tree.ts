/** `pullback/tree`: structure, traversal and algebra of trees of tensors. */

import './device.ts';

export { leafSpace, vectorSpace } from '../ops/space.ts';
export * from '../tree/index.ts';
