/** What a model is made of: how many parameters, which shapes. */

import { evalShape } from '../../transforms/inspect.ts';
import { type Aval, showAval } from '../core/aval.ts';
import { key } from '../random/key.ts';
import { avalOf, type Leaf, leaves } from '../tree/tree.ts';
import type { AnyLayer } from './layer.ts';

/**
 * How many numbers are in a tree of tensors, or of avals.
 *
 * @example
 * ```ts
 * import { nn, random } from 'pullback';
 * console.log(nn.parameterCount(nn.dense.init(random.key(0), 784, 10))); // => 7850
 * ```
 */
export const parameterCount = (params: unknown): number =>
  leaves<Leaf>(params).reduce((count, leaf) => count + avalOf(leaf).shape.reduce((n, m) => n * m, 1), 0);

/** A row of {@link summary}. */
export interface SummaryRow {
  /** Indented by how deep the layer lies within others. */
  readonly name: string;
  /** The avals of what it gives. */
  readonly output: string;
  readonly parameters: number;
}

/** The layers of a model, and a table of them as its text. */
export interface Summary {
  readonly rows: readonly SummaryRow[];
  readonly parameters: number;
  readonly toString: () => string;
}

const shown = (tree: unknown): string =>
  leaves<Leaf>(tree)
    .map((leaf) => showAval(avalOf(leaf)))
    .join(', ');

/** The row of a layer and those of the layers it is composed of; and what it gives. */
function rowsOf(layer: AnyLayer, input: unknown, depth: number): readonly [SummaryRow[], unknown] {
  const init = layer.init as (k: unknown) => never;
  const apply = layer.apply as (params: never) => (x: never) => unknown;
  const params = evalShape(() => init(key(0)));
  const output = evalShape((p: unknown, x: unknown) => apply(p as never)(x as never), params as never, input as never);
  const { by = '', layers = [] } = layer.composed ?? {};
  const name = `${'  '.repeat(depth)}${layer.name ?? (by === '' ? 'function' : by)}`;
  const rows: SummaryRow[] = [{ name, output: shown(output), parameters: parameterCount(params) }];
  let value = input;
  for (const [i, part] of layers.entries()) {
    const own = by === 'parallel' ? (input as readonly unknown[])[i] : value;
    const [inner, next] = rowsOf(part, own, depth + 1);
    rows.push(...inner);
    if (by === 'serial') value = next;
  }
  return [rows, output];
}

/**
 * A table of the layers of a configured model: what each gives for inputs of this kind, and how many parameters it has, found by
 * tracing, without computing anything.
 *
 * @param input - an aval or a tensor, or a tree of them where the model takes a tree
 *
 * @example
 * ```ts
 * import { makeAval, nn } from 'pullback';
 * const model = nn.serial(nn.conv.layer([3, 3], 1, 4), nn.lift(nn.relu, 'relu'), nn.lift((x) => nn.functional.flatten(x), 'flatten'));
 * console.log(`${nn.summary(model, makeAval([8, 5, 5, 1], 'float32'))}`);
 * // => layer         output            parameters
 * //    serial        float32[8,36]             40
 * //      conv 3×3 1→4  float32[8,3,3,4]        40
 * //      relu        float32[8,3,3,4]           0
 * //      flatten     float32[8,36]              0
 * ```
 */
export function summary(model: AnyLayer, input: Aval | unknown): Summary {
  const [rows] = rowsOf(model, input, 0);
  const cells: readonly (readonly [string, string, string])[] = [
    ['layer', 'output', 'parameters'],
    ...rows.map((row) => [row.name, row.output, row.parameters.toLocaleString('en-US')] as const),
  ];
  const width = (column: 0 | 1 | 2): number => Math.max(...cells.map((row) => row[column].length));
  const line = ([name, output, count]: readonly [string, string, string]): string =>
    `${name.padEnd(width(0))}  ${output.padEnd(width(1))}  ${count.padStart(width(2))}`;
  return { rows, parameters: rows[0]!.parameters, toString: () => cells.map(line).join('\n') };
}
