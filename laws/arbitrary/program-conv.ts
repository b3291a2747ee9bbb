/** Convolution in random programs: two tensors as signals of one axis. */

import type { Aval } from '../../src/core/aval.ts';
import { range } from '../../src/core/shape.ts';
import { firstOrder as p } from '../../src/prim/registry.ts';
import type { Op } from './program.ts';

/** The middle of the convolution of two flattened tensors, as long as they are. */
export const convolution =
  (test: (aval: Aval) => boolean): Op =>
  (d) => {
    const x = d.pick((aval) => test(aval) && aval.size > 0);
    if (x === null) return;
    const { size } = d.avals[x]!;
    if (!d.fits(3 * size)) return;
    const signals = [x, d.pickLike(x)].map((y) => d.hide(d.emit(p.reshape, [y], { shape: [1, 1, size] })));
    const low = d.next(size - 1);
    d.emit(p.conv_general_dilated, signals, {
      windowStrides: [1],
      paddingLow: [low],
      paddingHigh: [size - 1 - low],
      lhsDilation: [1],
      rhsDilation: [1],
      lhsSpec: range(3),
      rhsSpec: range(3),
      outSpec: range(3),
      featureGroupCount: 1,
      batchGroupCount: 1,
    });
  };
