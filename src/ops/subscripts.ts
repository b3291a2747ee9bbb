/**
 * Subscripts as NumPy reads them: what `i, [start, stop, step], null, '...'` and tensors of indices mean for a tensor, in two
 * steps. {@link parse} says what each axis is asked for and in which order the axes of the result come; {@link address} turns
 * that into the index vectors of a gather or a scatter.
 */

import { type Aval, makeAval, showAval } from '../core/aval.ts';
import { isInteger } from '../core/dtype.ts';
import { DTypeError, ShapeError } from '../core/errors.ts';
import { range, type Shape, sizeOf } from '../core/shape.ts';
import { Value } from '../core/value.ts';
import { add, convertElementType, min, mul } from '../prim/arithmetic.ts';
import { lt, select } from '../prim/compare.ts';
import { filled, fullLike } from '../prim/compose.ts';
import { broadcastInDim, concatenate, iota, reshape } from '../prim/structural.ts';
import { broadcastShapes, lastAxes } from './convert.ts';
import type { Indices } from './lax-indexing.ts';
import { isMask, knownMask, type Mask, maskAxes, maskIndices } from './mask.ts';

/** `[start, stop, step]` as Python's `start:stop:step`: each may be negative, `null` or left out; `[]` is the whole axis. */
export type Slice = readonly [start?: number | null, stop?: number | null, step?: number | null];

/**
 * What one axis is asked for: an element (an integer, negative from the end), a {@link Slice}, the elements that a tensor of
 * integers names, or those at which a {@link Mask} is true, which stands for as many axes as it has; `null` makes a new axis of
 * length 1, and `'...'` stands for the axes not named.
 */
export type Index = number | null | '...' | Slice | Indices | Mask;

/** What an axis of the operand is asked for. */
export type Part =
  | { readonly kind: 'element'; readonly axis: number; readonly at: number }
  | {
      readonly kind: 'slice';
      readonly axis: number;
      readonly start: number;
      readonly step: number;
      readonly length: number;
    }
  | { readonly kind: 'tensor'; readonly axis: number; readonly indices: Value };

/** What an axis of the result is: a new one, that of a slice, or (one for all of them) those of the tensors together. */
export type Place = { readonly kind: 'new' } | { readonly kind: 'block' } | (Part & { readonly kind: 'slice' });

/** A mask without axes: it selects everything, once or not at all. */
interface Flag {
  readonly kind: 'flag';
  readonly count: number;
}

/** Subscripts of one tensor. */
export interface Subscripts {
  /** One for each axis of the operand. */
  readonly parts: readonly Part[];
  readonly places: readonly Place[];
  /** The shape in which the tensors meet. */
  readonly block: Shape;
  /** True if no element can be selected twice. */
  readonly unique: boolean;
}

const describe = (item: unknown): string =>
  item instanceof Value ? showAval(item.aval) : typeof item === 'string' ? `'${item}'` : String(item);

function partOf(op: string, aval: Aval, axis: number, item: number | Slice | Indices): Part {
  const n = aval.shape[axis]!;
  if (typeof item === 'number') {
    if (!Number.isInteger(item)) throw notAnIndex(op, item, 'an index is an integer');
    if (item >= -n && item < n) return { kind: 'element', axis, at: item < 0 ? item + n : item };
    throw new ShapeError({
      op,
      problem: `index ${item} is out of range for axis ${axis} of ${showAval(aval)}`,
      remedy: n === 0 ? 'the axis is empty' : `use an index from ${-n} to ${n - 1}`,
    });
  }
  if (Array.isArray(item)) return sliceOf(op, axis, n, item as Slice);
  const indices = item as Value;
  if (!(indices instanceof Value)) throw notAnIndex(op, item, 'an index is none of these');
  if (!isInteger(indices.dtype)) throw notAnIndex(op, item, 'a tensor of indices has an integer dtype');
  if (n > 0 || indices.size === 0) return { kind: 'tensor', axis, indices };
  throw new ShapeError({
    op,
    problem: `axis ${axis} of ${showAval(aval)} is empty: ${showAval(indices.aval)} cannot name elements of it`,
    remedy: 'index an axis with elements, or use no indices',
  });
}

const notAnIndex = (op: string, item: unknown, why: string): DTypeError =>
  new DTypeError({
    op,
    problem: `cannot index with ${describe(item)}: ${why}`,
    remedy: "use integers, [start, stop, step], null, '...', tensors of integers, or masks",
  });

/** Python's reading of a slice of an axis of length `n`. */
function sliceOf(op: string, axis: number, n: number, item: Slice): Part {
  const [start = null, stop = null, step = null] = item;
  const by = step ?? 1;
  if (item.length > 3 || by === 0 || ![start, stop, by].every((x) => x === null || Number.isInteger(x))) {
    throw new ShapeError({
      op,
      problem: `[${item.map(String).join(', ')}] is not a slice`,
      remedy:
        'use [start, stop, step], each an integer or null, with a step other than 0; wrap indices with np.array(…)',
    });
  }
  const [least, most] = by > 0 ? [0, n] : [-1, n - 1];
  const bound = (x: number | null, otherwise: number): number =>
    x === null ? otherwise : Math.min(Math.max(x < 0 ? x + n : x, least), most);
  const first = bound(start, by > 0 ? least : most);
  const length = Math.max(0, Math.ceil((bound(stop, by > 0 ? most : least) - first) / by));
  return { kind: 'slice', axis, start: length === 0 ? 0 : first, step: length <= 1 ? 1 : by, length };
}

/** How many axes an item stands for. */
const axesNamed = (item: Index): number => (item === null || item === '...' ? 0 : isMask(item) ? maskAxes(item) : 1);

/** Dots that stand for no axis: they are between their neighbours all the same. */
interface Gap {
  readonly kind: 'gap';
}

/** What `items` ask of the axes in turn, dots being those of no axis; `null` where they ask for a new one. */
function readAxes(op: string, aval: Aval, items: readonly Index[]): readonly (Part | Flag | Gap | null)[] {
  let axis = 0;
  return items.flatMap((item): readonly (Part | Flag | Gap | null)[] => {
    if (item === null) return [null];
    if (item === '...') return [{ kind: 'gap' }];
    if (!isMask(item)) return [partOf(op, aval, axis++, item as number | Slice | Indices)];
    const first = axis;
    axis += maskAxes(item);
    if (axis === first) return [{ kind: 'flag', count: knownMask(op, item).item() ? 1 : 0 }];
    return maskIndices(op, item, aval, first).map((indices, i) => ({ kind: 'tensor', axis: first + i, indices }));
  });
}

/**
 * What `items` ask of a tensor of this aval.
 *
 * The order of axes is NumPy's: those of the tensors of indices (beside which integers are tensors too, and as which masks are
 * read) stand where these stand if they stand together, and in front otherwise; dots separate, also those of no axis.
 *
 * @throws ShapeError for too many items, an index out of range, a mask that does not fit, or tensors that do not broadcast
 * @throws DTypeError for what is not an index
 * @throws ConcretizationError for a mask that is traced
 */
export function parse(op: string, aval: Aval, items: readonly Index[]): Subscripts {
  const rank = aval.shape.length;
  const named = items.reduce<number>((sum, item) => sum + axesNamed(item), 0);
  const dots = items.indexOf('...');
  if (named > rank || items.lastIndexOf('...') !== dots) {
    throw new ShapeError({
      op,
      problem: `(${items.map(describe).join(', ')}) are too many subscripts for ${showAval(aval)}, which has ${rank} axes`,
      remedy: "name each axis at most once, and use '...' once",
    });
  }
  const rest = range(rank - named).map((): Slice => []);
  const dotted: readonly Index[] = rest.length > 0 ? rest : ['...'];
  const whole: readonly Index[] =
    dots < 0 ? [...items, ...rest] : [...items.slice(0, dots), ...dotted, ...items.slice(dots + 1)];
  const read = readAxes(op, aval, whole);
  const tensors = read.flatMap((part) =>
    part?.kind === 'tensor' ? [part.indices.aval] : part?.kind === 'flag' ? [makeAval([part.count], 'bool')] : [],
  );
  const isAdvanced = (part: Part | Flag | Gap | null): boolean =>
    part !== null && part.kind !== 'slice' && part.kind !== 'gap';
  const advanced = tensors.length > 0 ? range(read.length).filter((i) => isAdvanced(read[i]!)) : [];
  const together = advanced.every((at, i) => i === 0 || at === advanced[i - 1]! + 1);
  const places = read.flatMap((part, i): readonly Place[] => {
    if (part === null) return [{ kind: 'new' }];
    if (part.kind === 'slice') return [part];
    return together && i === advanced[0] ? [{ kind: 'block' }] : [];
  });
  const parts = read.filter((part) => part !== null && part.kind !== 'flag' && part.kind !== 'gap');
  const masks = whole.filter(isMask).length;
  const fromTensors = whole.some((item) => item instanceof Value && !isMask(item));
  return {
    parts,
    places: together ? places : [{ kind: 'block' }, ...places],
    block: tensors.length > 0 ? broadcastShapes(op, tensors) : [],
    unique: !fromTensors && masks <= 1,
  };
}

/** The shape of what subscripts select, with or without new axes. */
export const selectedShape = ({ places, block }: Subscripts, withNew: boolean): Shape =>
  places.flatMap((place) =>
    place.kind === 'slice' ? [place.length] : place.kind === 'block' ? block : withNew ? [1] : [],
  );

/** Index vectors for subscripts, and which axes are what. */
export interface Address {
  /** int32, one entry for each of `indexed` on the last axis. */
  readonly indices: Value;
  /** The axes in which windows lie, of what is selected without new axes. */
  readonly windowDims: readonly number[];
  readonly hidden: readonly number[];
  readonly indexed: readonly number[];
  /** The lengths of a window on each axis of the operand. */
  readonly sizes: readonly number[];
}

/** Indices as int32, where negative ones count from the end of an axis of length `n`. */
export function normalized(indices: Value, n: number, wrap: boolean): Value {
  if (indices.dtype === 'uint32') {
    return convertElementType(min(indices, fullLike(indices, 2 ** 31 - 1)), 'int32');
  }
  if (!wrap) return indices;
  return select(lt(indices, fullLike(indices, 0)), add(indices, fullLike(indices, n)), indices);
}

/**
 * Subscripts of a tensor of this shape as index vectors: slices of step 1 are windows, everything else has vectors.
 *
 * @param wrap - whether negative indices in tensors count from the end
 */
export function address(shape: Shape, { parts, places, block }: Subscripts, wrap: boolean): Address {
  const windowDims: number[] = [];
  const vectors: number[] = [];
  const strided = new Map<Part, number>();
  let [dim, blockAt] = [0, 0];
  for (const place of places) {
    if (place.kind === 'block') {
      blockAt = vectors.length;
      vectors.push(...block);
      dim += block.length;
    } else if (place.kind === 'slice') {
      if (place.step === 1) windowDims.push(dim);
      else strided.set(place, vectors.push(place.length) - 1);
      dim += 1;
    }
  }
  const entry = (part: Part): Value => {
    if (part.kind === 'element') return filled(vectors, part.at, 'int32');
    if (part.kind === 'tensor') {
      const at = lastAxes(part.indices.ndim, block.length).map((axis) => axis + blockAt);
      return broadcastInDim(normalized(part.indices, shape[part.axis]!, wrap), vectors, at);
    }
    if (part.step === 1) return filled(vectors, part.start, 'int32');
    const count = iota(vectors, strided.get(part)!, 'int32');
    return add(mul(count, fullLike(count, part.step)), fullLike(count, part.start));
  };
  const isWhole = (part: Part): boolean =>
    part.kind === 'slice' && part.step === 1 && part.start === 0 && part.length === shape[part.axis];
  const isWindow = (part: Part): boolean => part.kind === 'slice' && part.step === 1;
  const addressed = parts.filter((part) => !isWhole(part));
  const columns = addressed.map((part) => reshape(entry(part), [...vectors, 1]));
  return {
    indices: columns.length > 0 ? concatenate(columns, vectors.length) : filled([...vectors, 0], 0, 'int32'),
    windowDims,
    hidden: parts.filter((part) => !isWindow(part)).map((part) => part.axis),
    indexed: addressed.map((part) => part.axis),
    sizes: parts.map((part) => (part.kind === 'slice' && part.step === 1 ? part.length : 1)),
  };
}

/** Is nothing selected? */
export const selectsNothing = (subscripts: Subscripts): boolean => sizeOf(selectedShape(subscripts, true)) === 0;

/** The aval of what is selected of `x`. */
export const selectedAval = (x: Aval, subscripts: Subscripts): Aval =>
  makeAval(selectedShape(subscripts, true), x.dtype, x.weak);
