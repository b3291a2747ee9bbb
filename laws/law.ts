/**
 * Laws: a property with a name, judged on generated cases and replayed by seed and path.
 *
 * A property returns a {@link Verdict}, so that a failure says in words what differs and where, and so that a law may find a
 * case undecidable (a finite difference across a kink). A law with more than a tenth of undecided cases fails: it says
 * nothing. Laws know no test runner; {@link Law.run} returns a {@link Report}, {@link Law.check} throws it.
 */

import * as fc from 'fast-check';
import type * as M from 'fp-ts/lib/Monoid.js';

/** What a property says of one case; a `note` is for the report, whatever the verdict. */
export type Verdict = { readonly note?: string } & (
  | { readonly _tag: 'Holds' }
  | { readonly _tag: 'Inconclusive'; readonly why: string }
  | { readonly _tag: 'Fails'; readonly why: string }
);

/** The case obeys the law. */
export const holds: Verdict = { _tag: 'Holds' };
/** The case breaks the law; `why` names what differs. */
export const fails = (why: string): Verdict => ({ _tag: 'Fails', why });
/** The case decides nothing. */
export const inconclusive = (why: string): Verdict => ({ _tag: 'Inconclusive', why });
/** {@link holds} if `condition`, else {@link fails} with `why`. */
export const expect = (condition: boolean, why: () => string): Verdict => (condition ? holds : fails(why()));

const severity = { Holds: 0, Inconclusive: 1, Fails: 2 } as const;

/** Verdicts of one case: the first of the gravest. */
export const monoidVerdict: M.Monoid<Verdict> = {
  empty: holds,
  concat: (a, b) => (severity[b._tag] > severity[a._tag] ? b : a),
};

/** The verdict on all `xs`, which ends at the first failure; `name` says which one failed. */
export function every<A>(xs: Iterable<A>, judge: (x: A) => Verdict, name?: (x: A) => string): Verdict {
  let verdict = holds;
  for (const x of xs) {
    const judged = judge(x);
    verdict = monoidVerdict.concat(
      verdict,
      judged._tag === 'Holds' || !name ? judged : { ...judged, why: `${name(x)}: ${judged.why}` },
    );
    if (verdict._tag === 'Fails') break;
  }
  return verdict;
}

/** How to run a law. */
export interface RunOptions {
  /** Cases; default 100. */
  readonly runs?: number;
  /** A 32-bit integer; default: fast-check draws one. */
  readonly seed?: number;
  /** With `seed`: the one case that a report names, instead of all. */
  readonly path?: string;
  /** Shrink a counterexample; default true. */
  readonly shrink?: boolean;
}

/** What a run found. */
export interface Report {
  readonly law: string;
  /** Cases that were run; after a failure, up to and including it. */
  readonly runs: number;
  readonly inconclusive: number;
  readonly failure: Failure | null;
  /** What is to be known of how cases were judged: `not traced: run with float64 arguments`. */
  readonly notes: readonly string[];
}

/** Why a law does not hold. */
export interface Failure {
  readonly why: string;
  /** The smallest case found, as text; `null` if it is the number of undecided cases that is at fault. */
  readonly counterexample: string | null;
  readonly seed: number;
  readonly path: string | null;
  readonly shrinks: number;
}

/** A law that can be run. */
export interface Law {
  readonly name: string;
  run(options?: RunOptions): Report;
  /** {@link Law.run}. @throws LawError with the report if the law does not hold */
  check(options?: RunOptions): Report;
}

/** Laws of one subject. */
export interface Suite {
  readonly name: string;
  readonly laws: readonly Law[];
}

/** A law did not hold; the message is the whole report. */
export class LawError extends Error {
  override readonly name = 'LawError';
  readonly report: Report;

  constructor(report: Report) {
    super(showReport(report));
    this.report = report;
  }
}

/** A failed verdict on its way through fast-check. */
class Broken extends Error {}

/**
 * A law over generated arguments.
 *
 * @param arbitraries - one for each argument of `property`
 * @param property - judges one case; what it throws is a failure as well
 *
 * @example
 * ```ts
 * import * as fc from 'fast-check';
 * import { expect, law } from 'pullback/laws';
 * const commutes = law('addition commutes', [fc.integer(), fc.integer()], (a, b) =>
 *   expect(a + b === b + a, () => `${a + b} beside ${b + a}`),
 * );
 * console.log(commutes.check({ runs: 50, seed: 1 }).runs); // => 50
 * ```
 */
export function law<const Ts extends readonly unknown[]>(
  name: string,
  arbitraries: { readonly [K in keyof Ts]: fc.Arbitrary<Ts[K]> },
  property: (...args: Ts) => Verdict,
): Law {
  const cases = fc.tuple(...(arbitraries as readonly fc.Arbitrary<unknown>[])) as unknown as fc.Arbitrary<Ts>;
  const run = ({ runs = 100, seed, path, shrink = true }: RunOptions = {}): Report => {
    if (!(Number.isSafeInteger(runs) && runs >= 1)) throw new TypeError(`${name}: runs must be 1, 2, …, got ${runs}`);
    const undecided: string[] = [];
    const notes = new Set<string>();
    let failed = false;
    const details = fc.check(
      fc.property(cases, (args) => {
        const verdict = property(...args);
        if (verdict.note !== undefined) notes.add(verdict.note);
        if (verdict._tag === 'Fails') {
          failed = true;
          throw new Broken(verdict.why);
        }
        // What comes after a failure are attempts to shrink it.
        if (verdict._tag === 'Inconclusive' && !failed) undecided.push(verdict.why);
      }),
      {
        numRuns: runs,
        endOnFailure: !shrink,
        ...(seed === undefined ? {} : { seed }),
        ...(path === undefined ? {} : { path }),
      },
    );
    const common = { law: name, runs: details.numRuns, inconclusive: undecided.length, notes: [...notes] };
    if (details.failed) return { ...common, failure: failureOf(details) };
    // One case may be undecided whatever their number, but not all.
    if (undecided.length > Math.max(1, details.numRuns / 10) || undecided.length === details.numRuns) {
      const why = `${undecided.length} of ${details.numRuns} cases decide nothing, the first: ${undecided[0]}`;
      return { ...common, failure: { why, counterexample: null, seed: details.seed, path: null, shrinks: 0 } };
    }
    return { ...common, failure: null };
  };
  const check = (options?: RunOptions): Report => {
    const report = run(options);
    if (report.failure) throw new LawError(report);
    return report;
  };
  return { name, run, check };
}

function failureOf<Ts>(details: fc.RunDetails<[Ts]>): Failure {
  const error = details.errorInstance;
  return {
    why:
      error instanceof Broken
        ? error.message
        : `threw ${error instanceof Error ? (error.stack ?? error.message) : error}`,
    counterexample: details.counterexample ? fc.stringify(alone(details.counterexample[0])) : null,
    seed: details.seed,
    path: details.counterexamplePath,
    shrinks: details.numShrinks,
  };
}

/** The arguments of a case; the argument itself if there is one. */
const alone = (args: unknown): unknown => (Array.isArray(args) && args.length === 1 ? args[0] : args);

/** A report as text: what failed, on what, and how to see it again. */
export function showReport({ law: name, runs, inconclusive: undecided, failure, notes }: Report): string {
  const cases = `${runs} case${runs === 1 ? '' : 's'}${undecided > 0 ? `, ${undecided} undecided` : ''}`;
  const remarks = notes.map((note) => `  ${note}`);
  if (!failure) return [`${name}: holds (${cases})`, ...remarks].join('\n');
  const { why, counterexample, seed, path, shrinks } = failure;
  return [
    `${name}: ${why}`,
    ...remarks,
    ...(counterexample === null ? [] : [`  counterexample: ${counterexample}`]),
    `  after ${cases}, ${shrinks} shrinks; replay with seed ${seed}${path === null ? '' : ` and path ${JSON.stringify(path)}`}`,
  ].join('\n');
}
