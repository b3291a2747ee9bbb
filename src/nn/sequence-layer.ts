/** Recurrent layers before they have parameters: how these are drawn, and what composes in {@link serial}. */

import { DTypeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { type Key, split } from '../random/key.ts';
import type { Layer } from './layer.ts';
import { expectFlag, expectSizes } from './params.ts';

/** Something for each direction: the second only if there is one. */
export interface Directions<T> {
  readonly forward: T;
  readonly backward?: T;
}

/** Options of the initializers of recurrent layers. */
export interface RecurrentInitOptions {
  /** How many layers, each on the outputs of the one before; default 1. */
  readonly layers?: number;
  /** A second cell in every layer reads backwards; the outputs of both lie side by side. Default false. */
  readonly bidirectional?: boolean;
}

/** Parameters of all layers and directions. */
export function initLayers<P>(
  op: string,
  key: Key,
  inSize: number,
  hidden: number,
  { layers = 1, bidirectional = false }: RecurrentInitOptions,
  cell: (key: Key, inSize: number, hidden: number) => P,
): readonly Directions<P>[] {
  expectSizes(op, { inSize, hiddenSize: hidden, layers });
  expectFlag(op, 'bidirectional', bidirectional);
  const keys = split(key, 2 * layers) as readonly Key[];
  return Array.from({ length: layers }, (_, i) => {
    const size = i === 0 ? inSize : bidirectional ? 2 * hidden : hidden;
    const forward = cell(keys[2 * i]!, size, hidden);
    return bidirectional ? { forward, backward: cell(keys[2 * i + 1]!, size, hidden) } : { forward };
  });
}

/**
 * The maker of a layer [batch, time, in] → [batch, time, hidden] out of a function and its initializer. What needs a call of its own,
 * carries, lengths and the key of a dropout, is for the function itself.
 *
 * @param names - the options of the initializer; the others are the function's, which refuses those that it lacks
 * @throws DTypeError for `dropout`: nothing would be dropped without a key
 */
export const sequenceLayer =
  <P, O extends object, I extends object>(
    name: string,
    apply: (params: P, options: O) => (x: Value<'float32'>) => readonly [unknown, Value<'float32'>],
    init: (key: Key, inSize: number, hidden: number, options: I) => P,
    names: readonly string[],
  ) =>
  (
    inSize: number,
    hidden: number,
    options: I & Omit<O, 'dropout'> = {} as I & O,
  ): Layer<P, Value<'float32'>, Value<'float32'>> => {
    if ('dropout' in options) {
      throw new DTypeError({
        op: `nn.${name}.layer`,
        problem: 'dropout needs a key in each call',
        remedy: `use nn.${name}(params, { dropout })(x, { key })`,
      });
    }
    const those = (ours: boolean) =>
      Object.fromEntries(Object.entries(options).filter(([option]) => names.includes(option) === ours));
    return {
      init: (key) => init(key, inSize, hidden, those(true) as I),
      apply: (params) => {
        const run = apply(params, those(false) as O);
        return (x) => run(x)[1];
      },
      name: `${name} ${inSize}→${hidden}`,
    };
  };
