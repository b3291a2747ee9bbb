/** The row of the Fourier transform. */

import * as fc from 'fast-check';
import { makeAval } from '../../src/core/aval.ts';
import type { FftKind } from '../../src/prim/fft.ts';
import type { FirstOrderParams } from '../../src/prim/registry.ts';
import { dtype, floats } from '../arbitrary/dtype.ts';
import { within } from '../arbitrary/elements.ts';
import { axisLength } from '../arbitrary/shape.ts';
import { claims, everywhere, makeCall, type Row, smooth, together, weaknesses } from './row.ts';

/** Axes before those that are transformed, and the lengths of these; among them such as are taken apart in every way. */
const shapes = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.array(axisLength(), { maxLength: 1 }),
      fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 2 }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.array(fc.integer({ min: 1, max: 2 }), { maxLength: 1 }),
      fc.constantFrom(5, 6, 7, 8, 9, 12, 15, 16, 37).map((n) => [n]),
    ),
  },
);

const fft: Row<FirstOrderParams<'fft'>> = {
  takes: floats,
  calls: (dtypes) =>
    fc
      .tuple(shapes, fc.constantFrom<FftKind>('FFT', 'IFFT'), dtype(dtypes), weaknesses(2))
      .map(([[batch, fftLengths], kind, d, weak]) =>
        makeCall(
          weak.map((w) => makeAval([...batch, ...fftLengths], d, w)),
          { kind, fftLengths },
        ),
      ),
  operands: claims(smooth),
  // A NaN reaches every element on some device and not on another; sums of infinities are NaN or not by their order.
  values: () => within(-4, 4),
  linear: everywhere,
  results: ({ ins }) => [0, 1].map(() => makeAval(ins[0]!.shape, ins[0]!.dtype, together(ins))),
};

/** Rows by name. */
export const fftRows = { fft } as const;
