/**
 * The contract of a reference kernel.
 *
 * Lowering is split in two so that everything known of a program is decided once: a {@link Lower} reads shapes, dtypes and
 * params, precomputes strides and picks a loop; the {@link Kernel} it returns only runs that loop.
 *
 * Kernels compute in double and let the output array round: storing into a `Float32Array` is the one rounding of a
 * primitive, and storing into a `Float64Array` (the device option `precision: 'float64'`) is none. So a kernel never
 * assumes which array stores a float32. It writes every element of its outputs, whatever they held before.
 */

import type { Aval } from '../../src/core/aval.ts';
import type { TypedArray } from '../../src/core/dtype.ts';

/** Computes the outputs of one equation from its operands; not reentrant, as it may own scratch memory. */
export type Kernel = (ins: readonly TypedArray[], outs: readonly TypedArray[]) => void;

/** Specialises one primitive to the avals and params of one equation. */
export type Lower<P> = (ins: readonly Aval[], outs: readonly Aval[], params: P) => Kernel;
