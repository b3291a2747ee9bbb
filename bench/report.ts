/** What a race comes to: a row, its line of JSON, and whether the results agree. */

import * as E from 'fp-ts/lib/Either.js';
import type { ContenderName, Missing, PeerName } from './contenders.ts';
import { peakFlops } from './peak-loop.ts';
import type { Outcome, Result } from './race.ts';
import { type Metric, type WorkloadName, workloads } from './workloads.ts';

/** Times in the unit of the row. */
export interface Timing {
  readonly median: number;
  readonly min: number;
  /** The first call, with everything that is compiled in it. */
  readonly first: number;
}

/** A row: what `--json` prints, one line each. */
export interface Row {
  readonly workload: WorkloadName;
  readonly metric: Metric;
  /** `null` when ours failed; `missing.ours` says why. */
  readonly ours: Timing | null;
  readonly peers: Readonly<Partial<Record<PeerName, Timing>>>;
  /** ours.min / peer.min */
  readonly ratio: Readonly<Partial<Record<PeerName, number>>>;
  /** Who has no times, and why. */
  readonly missing: Readonly<Partial<Record<ContenderName, Missing>>>;
  /** Whose results are not ours, and how they differ. */
  readonly mismatch: Readonly<Partial<Record<PeerName, string>>>;
  /** Losses of the first and the last step that is compared, for models. */
  readonly losses?: Readonly<Partial<Record<PeerName | 'ours', readonly number[]>>>;
  readonly device: string;
  readonly threads: number;
  /** By the best time, for products and convolutions. */
  readonly gflops?: Readonly<Partial<Record<PeerName | 'ours', number>>>;
  /** GFLOP/s of one thread with 128-bit SIMD, measured by turns with the rest. */
  readonly peak?: Peak;
}

/** What the two loops on registers have reached, `null` before they have run. */
export interface Peak {
  readonly mulAdd: number | null;
  readonly relaxedMadd: number | null;
}

/** How far results may lie apart, relative to the largest. tfjs's Adam has another ε: its losses differ by half of this. */
const tolerance = 1e-3;

/** What is compared of a result: the first and the last of the steps that all take, or all elements. */
const compared = (check: readonly number[], steps: number): readonly number[] =>
  steps === 1 ? check : [check[0]!, check[steps - 1]!];

/** How `theirs` differ from `ours`, or `null` when they do not. */
export function difference(ours: readonly number[], theirs: readonly number[]): string | null {
  const scale = Math.max(...ours.map(Math.abs));
  // Written so that a NaN differs.
  const near = (x: number, i: number): boolean => Math.abs(x - ours[i]!) <= tolerance * scale;
  if (ours.length === theirs.length && theirs.every(near)) return null;
  return `${theirs.map(digits).join(', ')} where ours are ${ours.map(digits).join(', ')}`;
}

/** A number with five significant digits. */
const digits = (x: number): string => (Number.isFinite(x) ? String(rounded(x)) : String(x));
const rounded = (x: number): number => Number(x.toPrecision(5));

/** The row of a race. */
export function rowOf(workload: WorkloadName, outcome: Outcome, device: string, threads: number): Row {
  const { metric, steps, flops } = workloads[workload];
  const unit = metric === 'us' ? 1000 : 1;
  const timing = ({ median, min, first }: Result): Timing => ({
    median: rounded(median * unit),
    min: rounded(min * unit),
    first: rounded(first * unit),
  });
  const results = [...outcome].flatMap(([name, result]) => (E.isRight(result) ? [[name, result.right] as const] : []));
  const isPeak = (name: ContenderName): name is 'peak' | 'peak+relaxed' => name.startsWith('peak');
  const measured = results.filter(([name]) => !isPeak(name)) as readonly (readonly [PeerName | 'ours', Result])[];
  const peers = measured.filter((entry): entry is readonly [PeerName, Result] => entry[0] !== 'ours');
  const ours = measured.find(([name]) => name === 'ours')?.[1] ?? null;
  const object = <K extends string, A>(entries: readonly (readonly [K, A])[]): Partial<Record<K, A>> =>
    Object.fromEntries(entries) as Partial<Record<K, A>>;
  const gflops = (operations: number, { min }: Result): number => rounded(operations / (min * 1e6));
  const peakOf = (name: 'peak' | 'peak+relaxed'): number | null => {
    const found = results.find(([who]) => who === name);
    return found === undefined ? null : gflops(peakFlops, found[1]);
  };
  const mismatch = peers.flatMap(([name, { check }]) => {
    const text = ours && difference(compared(ours.check, steps), compared(check, steps));
    return text === null ? [] : [[name, text] as const];
  });
  return {
    workload,
    metric,
    ours: ours && timing(ours),
    peers: object(peers.map(([name, result]) => [name, timing(result)])),
    ratio: ours === null ? {} : object(peers.map(([name, { min }]) => [name, rounded(ours.min / min)])),
    missing: object([...outcome].flatMap(([name, result]) => (E.isLeft(result) ? [[name, result.left] as const] : []))),
    mismatch: object(mismatch),
    ...(steps > 1
      ? { losses: object(measured.map(([name, { check }]) => [name, compared(check, steps).map(rounded)])) }
      : {}),
    device,
    threads,
    ...(flops === null
      ? {}
      : {
          gflops: object(measured.map(([name, result]) => [name, gflops(flops, result)])),
          peak: { mulAdd: peakOf('peak'), relaxedMadd: peakOf('peak+relaxed') },
        }),
  };
}

const larger = (x: number | null, y: number | null): number | null =>
  x === null || y === null ? (x ?? y) : Math.max(x, y);

/** The larger of each. A peak is the machine's, not the row's: a smaller one was disturbed. */
export const higher = (x: Peak, y: Peak): Peak => ({
  mulAdd: larger(x.mulAdd, y.mulAdd),
  relaxedMadd: larger(x.relaxedMadd, y.relaxedMadd),
});

/** A row that has a peak, with a higher one that was measured in the same run. */
export const againstPeak = (row: Row, peak: Peak): Row =>
  row.peak === undefined ? row : { ...row, peak: higher(row.peak, peak) };

/** Whether a row is as it should be: ours has run, and nobody has other results. */
export const isSound = ({ ours, mismatch }: Row): boolean => ours !== null && Object.keys(mismatch).length === 0;

/** The outcome in which ours on another number of threads than was asked for has failed. */
export function onThreads(outcome: Outcome, threads: number): Outcome {
  const checked = (name: ContenderName, result: E.Either<Missing, Result>): E.Either<Missing, Result> => {
    if (E.isLeft(result) || !name.startsWith('ours') || result.right.about.threads === threads) return result;
    const { device, threads: found } = result.right.about;
    return E.left(`${threads} threads were asked for, the ${device} device computes on ${found}`);
  };
  return new Map([...outcome].map(([name, result]) => [name, checked(name, result)]));
}
