/** Arbitrary tensors, as host data. */

import * as fc from 'fast-check';
import type { Aval } from '../../src/core/aval.ts';
import type { DType } from '../../src/core/dtype.ts';
import { sizeOf } from '../../src/core/shape.ts';
import { type HostTensor, hostTensor } from '../host.ts';
import { dtype } from './dtype.ts';
import { type Domain, edgy } from './elements.ts';
import { type ShapeOptions, shape } from './shape.ts';

/** Which tensors. */
export interface TensorOptions extends ShapeOptions {
  readonly dtypes?: readonly DType[];
  readonly domain?: Domain;
}

/** A tensor of any shape and dtype; two elements in five are edge values unless a domain says otherwise. */
export const tensor = ({ dtypes, domain = edgy, ...options }: TensorOptions = {}): fc.Arbitrary<HostTensor> =>
  fc.tuple(shape(options), dtype(dtypes)).chain(([s, d]) => domain(d, sizeOf(s)).map((data) => hostTensor(s, d, data)));

/** A tensor of this aval. */
export const tensorOf = (aval: Aval, domain: Domain = edgy): fc.Arbitrary<HostTensor> =>
  domain(aval.dtype, aval.size).map((data) => hostTensor(aval.shape, aval.dtype, data, aval.weak));
