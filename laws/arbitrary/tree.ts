/** Arbitrary trees of tensors: nested objects, arrays and statics, which shrink to a leaf. */

import * as fc from 'fast-check';
import { type HostTensor, isHostTensor } from '../host.ts';
import { tensor } from './tensor.ts';

/** What an arbitrary tree has at its leaves, before they are put on a device. */
export type HostTree =
  | HostTensor
  | string
  | number
  | boolean
  | null
  | readonly HostTree[]
  | { readonly [k: string]: HostTree };

const names = fc.constantFrom('w', 'b', 'layers', 'odd name', 'z', 'a', '0', '10', '9');
const statics = fc.constantFrom<HostTree>('tanh', 3, -0, true, null, 'x');

/** A tree at most three levels deep. @param leaf - its tensors */
export const tree = (leaf: fc.Arbitrary<HostTensor> = tensor({ maxRank: 2 })): fc.Arbitrary<HostTree> =>
  fc.letrec<{ node: HostTree }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      { weight: 4, arbitrary: leaf },
      { weight: 1, arbitrary: statics },
      { weight: 2, arbitrary: fc.array(tie('node'), { maxLength: 3 }) },
      { weight: 3, arbitrary: fc.dictionary(names, tie('node'), { maxKeys: 3, noNullPrototype: true }) },
    ),
  })).node;

/** The tree with `f` applied to every tensor. */
export function mapHostTree(f: (x: HostTensor) => unknown, tree: HostTree): unknown {
  if (isHostTensor(tree)) return f(tree);
  if (Array.isArray(tree)) return tree.map((child: HostTree) => mapHostTree(f, child));
  if (typeof tree !== 'object' || tree === null) return tree;
  return Object.fromEntries(Object.entries(tree).map(([name, child]) => [name, mapHostTree(f, child as HostTree)]));
}
