/**
 * A planned program: steps over places in memory. Loops and branches are steps too, so that a program runs from its first input to its
 * last output without asking the host.
 */

import type { Aval } from '../../../src/core/aval.ts';
import type { DType } from '../../../src/core/dtype.ts';
import type { Buffer } from '../ir/expr.ts';
import type { Kernel } from '../ir/kernel.ts';

/** A counter of a loop. */
export interface Counter {
  readonly name: string;
  readonly length: number;
  readonly reverse: boolean;
}

/** Where a value lies: an offset in bytes into what the caller gives or into the arena, and how far it moves with each turn of loops. */
export interface Place {
  readonly base: 'input' | 'output' | 'arena';
  /** Which input or output, or buffer of the arena. */
  readonly position: number;
  readonly offset: number;
  readonly steps: readonly { readonly counter: Counter; readonly bytes: number }[];
}

/** A place that moves with each turn of a loop. */
export const moved = (place: Place, counter: Counter, bytes: number): Place => ({
  ...place,
  steps: [...place.steps, { counter, bytes }],
});

export const samePlace = (a: Place, b: Place): boolean =>
  a.base === b.base &&
  a.position === b.position &&
  a.offset === b.offset &&
  a.steps.length === b.steps.length &&
  a.steps.every((x, i) => x.counter === b.steps[i]!.counter && x.bytes === b.steps[i]!.bytes);

/** An axis of a contraction: its length, and how many elements lie between neighbours in each operand and in the result. */
export interface ContractedAxis {
  readonly extent: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

/** c = Σₖ a·b over axes of four kinds: in both operands and the result, in the left one, in the right one, and summed over. */
export interface Contraction {
  readonly dtype: 'float32' | 'float64' | 'int32' | 'uint32';
  readonly batch: readonly ContractedAxis[];
  readonly m: readonly ContractedAxis[];
  readonly n: readonly ContractedAxis[];
  readonly k: readonly ContractedAxis[];
}

/** From element to element of a batch, of features and of each spatial axis. */
export interface ConvolvedAxes {
  readonly batch: number;
  readonly feature: number;
  readonly spatial: readonly number[];
}

/** A convolution: extents, how windows go along each spatial axis, and strides in elements. */
export interface Convolution {
  readonly dtype: Contraction['dtype'];
  readonly batch: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly groups: number;
  readonly batchGroups: number;
  readonly spatial: readonly {
    readonly in: number;
    readonly out: number;
    readonly window: number;
    readonly stride: number;
    readonly padLow: number;
    readonly lhsDilation: number;
    readonly rhsDilation: number;
  }[];
  readonly lhs: ConvolvedAxes;
  /** Its batch are the output features. */
  readonly rhs: ConvolvedAxes;
  readonly out: ConvolvedAxes;
}

/**
 * What is done with the elements of a product while they are in the nearest caches: a kernel over all of them, and the same for a part of
 * them, which machines run on each part of the product once it is there.
 */
export interface Epilogue {
  readonly kernel: Kernel;
  /** The operand of the kernel that is the product. */
  readonly product: Buffer;
  /** Whether the product itself is wanted as well. */
  readonly keeps: boolean;
  readonly places: readonly Place[];
  readonly tile: Tile;
}

/**
 * An epilogue of a part of a product: its operands, then, of a contraction, the first of the `columns` and how many, then the lines from and
 * to. Lines are indices of the batch and of `m` counted as one, columns those of `n`; `across`: of the batch and of `n`, and of `m`. Of a
 * convolution they are images.
 */
export interface Tile {
  readonly kernel: Kernel;
  readonly places: readonly Place[];
  readonly across: boolean;
}

/** Lines of one index of the batch, and their columns, of a contraction's epilogue. */
export function linesOf({ m, n }: Contraction, { across }: Tile): { readonly lines: number; readonly columns: number } {
  const [rows, columns] = [m, n].map((axes) => axes.reduce((size, { extent }) => size * extent, 1)) as [number, number];
  return across ? { lines: columns, columns: rows } : { lines: rows, columns };
}

/** Operands and result of a product, and its epilogue, if it has one. */
interface Multiplied {
  readonly a: Place;
  readonly b: Place;
  readonly c: Place;
  readonly epilogue: Epilogue | null;
}

export type Step =
  | (Multiplied & { readonly kind: 'convolve'; readonly convolution: Convolution })
  | (Multiplied & { readonly kind: 'contract'; readonly contraction: Contraction })
  | { readonly kind: 'kernel'; readonly kernel: Kernel; readonly places: readonly Place[] }
  /** `last`: nobody reads what is at `from` after it. */
  | {
      readonly kind: 'copy';
      readonly from: Place;
      readonly to: Place;
      readonly bytes: number;
      readonly dtype: DType;
      readonly last?: boolean;
    }
  | { readonly kind: 'repeat'; readonly counter: Counter; readonly body: readonly Step[] }
  /** `flag` is a bool that `condition` writes. */
  | {
      readonly kind: 'while';
      readonly condition: readonly Step[];
      readonly flag: Place;
      readonly body: readonly Step[];
    }
  /** `index` is an int32, clamped. */
  | { readonly kind: 'branch'; readonly index: Place; readonly branches: readonly (readonly Step[])[] };

export interface Program {
  readonly ins: readonly Aval[];
  readonly outs: readonly Aval[];
  /**
   * For each output the inputs in whose memory it may lie if they are donated, the best first: they are read no more once it is written, or
   * at an element's own address for the last time.
   */
  readonly donors: readonly (readonly number[])[];
  readonly steps: readonly Step[];
  /** Bytes of memory that values take while the program runs, at 64-byte boundaries with as much to spare at the end. */
  readonly arena: number;
  /** Bytes of each buffer of the arena, where every value has one of its own. */
  readonly buffers: readonly number[];
  /** The largest values in the arena, largest first. */
  readonly largest: readonly Aval[];
}

/** The lists of steps in a step, in order. */
export function bodiesOf(step: Step): readonly (readonly Step[])[] {
  if (step.kind === 'repeat') return [step.body];
  if (step.kind === 'while') return [step.condition, step.body];
  return step.kind === 'branch' ? step.branches : [];
}

/** The steps of a program in the order in which they are numbered. */
export const stepsOf = (steps: readonly Step[]): readonly Step[] =>
  steps.flatMap((step) => [step, ...bodiesOf(step).flatMap(stepsOf)]);

/** Epilogues of parts of products. */
export const tilesOf = (steps: readonly Step[]): readonly Kernel[] =>
  stepsOf(steps).flatMap((step) => ('epilogue' in step && step.epilogue ? [step.epilogue.tile.kernel] : []));

/** All kernels of a program, in order. */
export const kernelsOf = (steps: readonly Step[]): readonly Kernel[] => steps.flatMap(kernelsIn);

function kernelsIn(step: Step): readonly Kernel[] {
  switch (step.kind) {
    case 'kernel':
      return [step.kernel];
    case 'contract':
    case 'convolve':
      return step.epilogue ? [step.epilogue.kernel] : [];
    case 'copy':
      return [];
    case 'repeat':
      return kernelsOf(step.body);
    case 'while':
      return [...kernelsOf(step.condition), ...kernelsOf(step.body)];
    case 'branch':
      return step.branches.flatMap(kernelsOf);
  }
}
