/** Special functions in random programs: one operation that is any of them, so that the others keep their share. */

import { isFloat } from '../../src/core/dtype.ts';
import { noParams } from '../../src/core/primitive.ts';
import { firstOrder as p } from '../../src/prim/registry.ts';
import type { Op } from './program.ts';

const unary = [p.lgamma, p.digamma, p.bessel_i0e, p.bessel_i1e] as const;

/** A special function of a value, or of a constant and a value. */
export const special: Op = (d) => {
  const x = d.pick((aval) => isFloat(aval.dtype));
  if (x === null) return;
  const kind = d.next(unary.length + 1);
  if (kind < unary.length) d.emit(unary[kind]!, [x], noParams);
  else if (kind === unary.length) d.emit(p.polygamma, [d.constantLike(x, d.next(3)), x], noParams);
  else d.emit([p.nextafter, p.igamma, p.igammac][d.next(2)]!, [x, d.pickLike(x)], noParams);
};
