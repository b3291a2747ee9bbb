/**
 * Mutants: broken copies of every record, to show that the laws can fail.
 *
 * Every mutant must be found out within a number of cases by the law of the rule that is broken. Another law does not count,
 * nor does one that threw: it has judged nothing.
 */

import { range } from '../src/core/shape.ts';
import type { PrimitiveName } from '../transforms/registry.ts';
import type { Law } from './law.ts';
import { type Mutation, mutations } from './mutations.ts';
import { lawsOf, primitiveNames, subject } from './primitives.laws.ts';

export { mutations };

/** What became of the mutants of one kind of one primitive. */
export type Outcome =
  | { readonly kind: 'not applicable'; readonly reason: string }
  /** For each mutant the law that failed and the cases until then; `null` if it survived. */
  | {
      readonly kind: 'judged';
      readonly mutants: readonly { readonly operand?: number; readonly caught: Catch | null }[];
    };

/** How a mutant was caught. */
export interface Catch {
  readonly law: string;
  readonly runs: number;
}

/** How mutants are judged. */
export interface MutantOptions {
  /** Cases within which a law must fail; default 100. */
  readonly runs?: number;
  readonly seed?: number;
}

/** Judge the mutants of one kind of one primitive. */
export function judgeMutants(
  name: PrimitiveName,
  mutation: Mutation,
  { runs = 100, seed = 1 }: MutantOptions = {},
): Outcome {
  const { primitive, row } = subject(name);
  const mutants = mutation.of(primitive, row);
  if (typeof mutants === 'string') return { kind: 'not applicable', reason: mutants };
  return {
    kind: 'judged',
    mutants: mutants.map((mutant) => ({
      ...(mutant.operand === undefined ? {} : { operand: mutant.operand }),
      caught: catchBy(lawsOf(mutant.primitive, row), mutation.judge, { runs, seed }),
    })),
  };
}

/** Does the law find the mutant out? One that threw has found nothing. */
function catchBy(laws: readonly Law[], judge: string, options: MutantOptions): Catch | null {
  for (const l of laws.filter(({ name }) => name.endsWith(judge))) {
    const { failure, runs } = l.run({ ...options, shrink: false });
    if (failure && !failure.why.startsWith('threw')) return { law: l.name, runs };
  }
  return null;
}

/** All outcomes: for each primitive one for each of {@link mutations}. */
export type MutantTable = ReadonlyMap<PrimitiveName, readonly Outcome[]>;

/** The mutants that no law caught, as `exp: tangent × 1.01`. */
export const survivors = (table: MutantTable): readonly string[] =>
  [...table].flatMap(([name, outcomes]) =>
    outcomes.flatMap((outcome, i) =>
      outcome.kind === 'judged'
        ? outcome.mutants.flatMap(({ operand, caught }) =>
            caught ? [] : [`${name}: ${mutations[i]!.name}${operand === undefined ? '' : ` (operand ${operand})`}`],
          )
        : [],
    ),
  );

/** Judge every mutant of every primitive. */
export const mutantTable = (options: MutantOptions = {}): MutantTable =>
  new Map(primitiveNames.map((name) => [name, mutations.map((m) => judgeMutants(name, m, options))]));

/**
 * The table as text: for each primitive and kind of mutant the cases after which it was caught, one number for each operand
 * that was broken, or why there is none.
 */
export function showMutantTable(table: MutantTable): string {
  const rows = [
    ['primitive', ...mutations.map((m) => m.name)],
    ...[...table].map(([name, outcomes]) => [name, ...outcomes.map(showOutcome)]),
  ];
  const widths = range(mutations.length + 1).map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const [head, ...body] = rows;
  return [line(head!), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...body.map(line)].join('\n');
}

const showOutcome = (outcome: Outcome): string =>
  outcome.kind === 'not applicable'
    ? `n/a: ${outcome.reason}`
    : outcome.mutants
        .map(
          ({ operand, caught }) => `${operand === undefined ? '' : `${operand}: `}${caught ? caught.runs : 'SURVIVED'}`,
        )
        .join(', ');
