/**
 * A planned program: steps over places in memory. Loops and branches are steps too, so that a program runs from its first input to its
 * last output without asking the host.
 */

import type { Aval } from '../../../src/core/aval.ts';
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
  /** Which input or output. */
  readonly position: number;
  readonly offset: number;
  readonly steps: readonly { readonly counter: Counter; readonly bytes: number }[];
}

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

export type Step =
  | {
      readonly kind: 'convolve';
      readonly convolution: Convolution;
      readonly a: Place;
      readonly b: Place;
      readonly c: Place;
    }
  | {
      readonly kind: 'contract';
      readonly contraction: Contraction;
      readonly a: Place;
      readonly b: Place;
      readonly c: Place;
    }
  | { readonly kind: 'kernel'; readonly kernel: Kernel; readonly places: readonly Place[] }
  | { readonly kind: 'copy'; readonly from: Place; readonly to: Place; readonly bytes: number }
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
  readonly steps: readonly Step[];
  /** Bytes of memory that values take while the program runs, at 64-byte boundaries with as much to spare at the end. */
  readonly arena: number;
  /** The largest values in the arena, largest first. */
  readonly largest: readonly Aval[];
}

/** All kernels of a program, in order. */
export const kernelsOf = (steps: readonly Step[]): readonly Kernel[] => steps.flatMap(kernelsIn);

function kernelsIn(step: Step): readonly Kernel[] {
  switch (step.kind) {
    case 'kernel':
      return [step.kernel];
    case 'copy':
    case 'contract':
    case 'convolve':
      return [];
    case 'repeat':
      return kernelsOf(step.body);
    case 'while':
      return [...kernelsOf(step.condition), ...kernelsOf(step.body)];
    case 'branch':
      return step.branches.flatMap(kernelsOf);
  }
}
