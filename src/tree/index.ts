/** Trees of tensors: structure, traversal and algebra. */

export {
  difference,
  eqTreeDef,
  leafPaths,
  type NodeType,
  showTreeDef,
  type TreeDef,
} from './def.ts';
export { eqAval, eqTree, type LeafSpace, monoidTree, type VectorSpace, vectorSpaceOf } from './instances.ts';
export {
  type Flat,
  flatten,
  type Leaf,
  leaves,
  leavesWithPaths,
  map,
  map2,
  mapN,
  mapWithPath,
  reduce,
  registerNode,
  structure,
  traverseEither,
  unflatten,
  unzip,
} from './tree.ts';
