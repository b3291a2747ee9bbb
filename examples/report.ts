/** What came of the examples: a line for people, a report for `.ci`, and the page and the gallery of the full forms. */

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import * as t from 'io-ts';
import { decodeWith } from 'pullback/io';
import { type Claim, holds, showClaim } from './cli.ts';
import { examples } from './find.ts';

const Claims = t.readonlyArray(
  t.intersection([
    t.type({ claim: t.string, value: t.union([t.number, t.null]) }),
    t.partial({ atLeast: t.number, atMost: t.number }),
  ]),
);

/** What an example leaves in its `numbers.json`; NaN is `null` there. */
export const Numbers = t.type({
  example: t.string,
  device: t.string,
  seed: t.number,
  short: t.boolean,
  numbers: t.UnknownRecord,
  claims: Claims,
});

/** One run of an example. */
export interface Run {
  readonly seed: number;
  readonly code: number;
  readonly seconds: number;
  readonly printed: string;
  readonly data: string | null;
  readonly numbers: t.TypeOf<typeof Numbers> | null;
}

/** An example and its runs. */
export interface Result {
  readonly name: string;
  readonly out: string;
  readonly runs: readonly Run[];
}

const claimsOf = ({ numbers }: Run): readonly Claim[] =>
  (numbers?.claims ?? []).map((claim) => ({ ...claim, value: claim.value ?? Number.NaN }));

const line = ({ name, runs }: Result): string => {
  const [good, seconds] = [runs.every(({ code }) => code === 0), runs.map((run) => `${run.seconds.toFixed(1)} s`)];
  const claims = runs.flatMap(claimsOf);
  return `${good ? 'ok    ' : 'FAILED'} ${name.padEnd(24)} ${seconds.join(', ').padStart(8)}   ${claims.length} claims`;
};

/** Every claim is a test of the report, and that the example ends as it should is one more. */
function write(results: readonly Result[]): void {
  const testResults = results.map(({ name, runs }) => ({
    name,
    status: runs.every(({ code }) => code === 0) ? 'passed' : 'failed',
    assertionResults: runs.flatMap((run) => [
      { fullName: `${name} ends`, status: run.code === 0 || run.code === 3 ? 'passed' : 'failed' },
      ...claimsOf(run).map((claim) => ({
        fullName: `${name}: ${showClaim(claim)}`,
        status: holds(claim) ? 'passed' : 'failed',
      })),
    ]),
  }));
  const statuses = testResults.flatMap(({ assertionResults }) => assertionResults.map(({ status }) => status));
  const count = (wanted: string): number => statuses.filter((status) => status === wanted).length;
  mkdirSync('.reports', { recursive: true });
  const text = { numPassedTests: count('passed'), numFailedTests: count('failed'), testResults };
  writeFileSync('.reports/examples.json', JSON.stringify(text, null, 1));
}

export const report = { line, write };

const gallery = 'docs/gallery';

/** What the gallery keeps of an example beside its pictures. */
const Kept = t.type({
  date: t.string,
  commit: t.string,
  data: t.union([t.string, t.null]),
  runs: t.readonlyArray(
    t.type({ seed: t.number, seconds: t.number, code: t.number, numbers: t.UnknownRecord, claims: Claims }),
  ),
});

/** Put the numbers and pictures of a full run into the gallery, in place of those that were there. */
export function keep({ name, out, runs }: Result): void {
  const folder = `${gallery}/${name}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const file of readdirSync(out))
    if (/\.(svg|html)$/.test(file)) copyFileSync(`${out}/${file}`, `${folder}/${file}`);
  const data = runs.find((run) => run.data !== null)?.data ?? null;
  const kept: t.TypeOf<typeof Kept> = {
    date: new Date().toISOString().slice(0, 10),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim(),
    data: data === null ? null : basename(data),
    runs: runs.map((run) => ({
      seed: run.seed,
      seconds: Number(run.seconds.toFixed(1)),
      code: run.code,
      numbers: run.numbers?.numbers ?? {},
      claims: run.numbers?.claims ?? [],
    })),
  };
  writeFileSync(`${folder}/run.json`, `${JSON.stringify(kept, null, 1)}\n`);
}

const shown = (x: number | null | undefined): string => (x == null ? 'NaN' : String(Number(x.toPrecision(4))));

/** A row for each claim, with the value of every seed. */
function rows(name: string): readonly string[] {
  const file = E.tryCatch(() => JSON.parse(readFileSync(`${gallery}/${name}/run.json`, 'utf8')) as unknown, String);
  const kept = E.flatMap(decodeWith(Kept, 'run.json'))(file);
  if (E.isLeft(kept)) return [`| ${name} | not run yet | | | | | |`];
  const { date, commit, data, runs } = kept.right;
  const seconds = runs.map((run) => `${run.seconds}`).join(', ');
  const about = [data ?? 'generated', seconds, date, commit];
  const failed = runs.some(({ code }) => code !== 0) ? ' **fails**' : '';
  return runs[0]!.claims.map((claim, i) => {
    const values = runs.map((run) => shown(run.claims[i]?.value)).join(', ');
    const bounds = [
      claim.atLeast !== undefined && `≥ ${shown(claim.atLeast)}`,
      claim.atMost !== undefined && `≤ ${shown(claim.atMost)}`,
    ];
    const wanted = bounds.filter((bound) => bound !== false).join(' and ');
    return `| ${[i === 0 ? name + failed : '', claim.claim, values, wanted, ...(i === 0 ? about : ['', '', '', ''])].join(' | ')} |`;
  });
}

/** Write `docs/EXAMPLES.md` from what the gallery keeps. */
export function writePage(): void {
  const text = [
    '# What the examples say',
    '',
    'The full forms, by `npm run examples -- --full [NAME…] [--images DIR] [--text FILE]`, which writes this page. A value for each seed: 0, 1 and 2 where a',
    'run takes less than two minutes, otherwise 0. `mnist-t10k` is the set of 10,000 images of MNIST, every tenth held out.',
    '',
    '| example | claim | value | wanted | data | seconds | date | commit |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
    ...[...examples.keys()].flatMap(rows),
    '',
  ].join('\n');
  writeFileSync('docs/EXAMPLES.md', text);
}
