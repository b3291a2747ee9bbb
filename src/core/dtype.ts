/**
 * Element types, how each is stored on the host, and the promotion lattice.
 *
 * The lattice is JAX's (docs: "type promotion semantics") without 64-bit integers:
 * `bool → uint32 → int32 → float32 → float64`, where a *weak* type (a JS number or boolean, or what was computed from
 * such alone) gives way to any strong type of its own kind.
 */

/** The dtypes of tensors. `float64` exists on CPU devices only. */
export const dtypes = ['bool', 'uint32', 'int32', 'float32', 'float64'] as const;

/** The name of an element type. */
export type DType = (typeof dtypes)[number];

/** The dtypes that carry derivatives. */
export type FloatDType = 'float32' | 'float64';

/** The host array that stores each dtype; a `bool` is a byte, 0 or 1. */
export interface StorageOf {
  readonly bool: Uint8Array;
  readonly uint32: Uint32Array;
  readonly int32: Int32Array;
  readonly float32: Float32Array;
  readonly float64: Float64Array;
}

/** Any host array that can store a tensor. */
export type TypedArray = StorageOf[DType];

const constructors = {
  bool: Uint8Array,
  uint32: Uint32Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
} as const;

/** A zeroed host array for `size` elements of `dtype`. */
export function allocate<D extends DType>(dtype: D, size: number): StorageOf[D] {
  return new constructors[dtype](size) as StorageOf[D];
}

/** The elements in `buffer`, which is not copied. */
export const viewOf = (dtype: DType, buffer: ArrayBuffer, size: number): TypedArray =>
  new constructors[dtype](buffer, 0, size);

/** Bytes of one stored element. */
export const byteSize = (dtype: DType): number => constructors[dtype].BYTES_PER_ELEMENT;

/** Is this a dtype with derivatives? */
export const isFloat = (dtype: DType): dtype is FloatDType => dtype === 'float32' || dtype === 'float64';

/** Is this `int32` or `uint32`? */
export const isInteger = (dtype: DType): dtype is 'int32' | 'uint32' => dtype === 'int32' || dtype === 'uint32';

const shortNames = { bool: 'bool', uint32: 'u32', int32: 'i32', float32: 'f32', float64: 'f64' } as const;

/** The name a jaxpr prints: `f32` for `float32`. */
export const shortName = (dtype: DType): string => shortNames[dtype];

/** The smallest and largest value of an integer dtype. */
export const integerRange = (dtype: 'int32' | 'uint32'): readonly [number, number] =>
  dtype === 'int32' ? [-2147483648, 2147483647] : [0, 4294967295];

const rank: Readonly<Record<DType, number>> = { bool: 0, uint32: 1, int32: 2, float32: 3, float64: 4 };

/** A dtype and whether it is weak: what promotion works on. */
export interface WeakDType {
  readonly dtype: DType;
  readonly weak: boolean;
}

/**
 * The dtype that two operands meet in.
 *
 * Strong with strong is the join of the lattice (`int32` with `uint32` is `int32`, as JAX without 64-bit types).
 * A weak type of the same or a lower kind (`bool < integer < float`) takes the strong one's dtype; a weak float beside an
 * integer or a bool is a weak `float32`.
 */
export function promote(a: WeakDType, b: WeakDType): WeakDType {
  if (a.weak === b.weak) return rank[a.dtype] >= rank[b.dtype] ? a : b;
  const [weak, strong] = a.weak ? [a, b] : [b, a];
  return kind(weak.dtype) <= kind(strong.dtype) ? strong : weak;
}

const kind = (dtype: DType): number => (isFloat(dtype) ? 2 : isInteger(dtype) ? 1 : 0);

/**
 * {@link promote} at the level of types, for strong operands: `Promote<'int32', 'float32'>` is `'float32'`.
 * A row is the left operand.
 */
export type Promote<A extends DType, B extends DType> = PromotionTable[A][B];

interface PromotionTable {
  readonly bool: { bool: 'bool'; uint32: 'uint32'; int32: 'int32'; float32: 'float32'; float64: 'float64' };
  readonly uint32: { bool: 'uint32'; uint32: 'uint32'; int32: 'int32'; float32: 'float32'; float64: 'float64' };
  readonly int32: { bool: 'int32'; uint32: 'int32'; int32: 'int32'; float32: 'float32'; float64: 'float64' };
  readonly float32: { bool: 'float32'; uint32: 'float32'; int32: 'float32'; float32: 'float32'; float64: 'float64' };
  readonly float64: { bool: 'float64'; uint32: 'float64'; int32: 'float64'; float32: 'float64'; float64: 'float64' };
}
