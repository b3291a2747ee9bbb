/** Rows for people: in a terminal as they come, and as `RESULTS.md`. */

import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import type { PeerName } from './contenders.ts';
import type { Row, Timing } from './report.ts';
import { workloads } from './workloads.ts';

/** Three significant digits, without an exponent. */
export const short = (x: number): string => (x >= 1000 ? String(Math.round(x)) : String(Number(x.toPrecision(3))));

const width = 12;
const cell = (text: string): string => text.padStart(width);

/** `jax-js+relaxed+workers` over lines: `jax-js`, `+relaxed`, `+workers`. */
function heading(names: readonly string[]): readonly string[] {
  const parts = names.map((name) => name.split(/(?=[+/])/));
  const height = Math.max(1, ...parts.map((part) => part.length));
  return Array.from({ length: height }, (_, line) => parts.map((part) => cell(part[line] ?? '')).join(''));
}

/** The head of the table in a terminal. */
export function tableHead(peers: readonly PeerName[]): string {
  const [first, ...others] = heading(['unit', 'ours', ...peers]);
  return [
    `${'best of all samples'.padEnd(20)}${first}`,
    ...others.map((line) => `${''.padEnd(20)}${line}`.trimEnd()),
  ].join('\n');
}

/** How fast a row's best time is against the peak: `4.4 GFLOP/s, 8 % of the 128-bit peak of 58`. */
function rate({ gflops, peak }: Row, name: 'ours' | PeerName): string | null {
  const value = gflops?.[name];
  if (value === undefined) return null;
  const most = Math.max(peak?.mulAdd ?? 0, peak?.relaxedMadd ?? 0);
  const part =
    most === 0
      ? 'the peak was not measured'
      : `${short((value / most) * 100)} % of the 128-bit peak of ${short(most)} (mul + add ${peak?.mulAdd == null ? '–' : short(peak.mulAdd)}, relaxed_madd ${peak?.relaxedMadd == null ? '–' : short(peak.relaxedMadd)})`;
  return `${short(value)} GFLOP/s, ${part}`;
}

const timeOf = (timing: Timing | null | undefined): string => (timing ? short(timing.min) : '–');

/** A row in a terminal: times, ratios under them, and what there is to say. */
export function tableRow(row: Row, peers: readonly PeerName[]): string {
  const { workload, metric, ours, ratio, missing, mismatch } = row;
  const times = [metric, timeOf(ours), ...peers.map((name) => timeOf(row.peers[name]))];
  const ratios = ['', '', ...peers.map((name) => (ratio[name] === undefined ? '' : `×${short(ratio[name])}`))];
  const notes = [
    ...(missing.ours === undefined ? [] : [`FAILED: ${missing.ours}`]),
    ...Object.entries(mismatch).map(([name, text]) => `MISMATCH with ${name}: ${text}`),
    ...(['ours', 'ours+relaxed'] as const).flatMap((name) => {
      const text = rate(row, name);
      return text === null ? [] : [`${name}: ${text}`];
    }),
  ];
  return [
    `${workload.padEnd(20)}${times.map(cell).join('')}`,
    ...(Object.keys(ratio).length === 0 ? [] : [`${''.padEnd(20)}${ratios.map(cell).join('')}`]),
    ...notes.map((note) => `    ${note}`),
  ]
    .map((text) => text.trimEnd())
    .join('\n');
}

/** Who has no times and why, each reason once, with the workloads it is about unless these are all. */
export function absences(rows: readonly Row[]): readonly string[] {
  const found = new Map<string, string[]>();
  for (const { workload, missing } of rows) {
    for (const [name, reason] of Object.entries(missing)) {
      const text = `${name}: ${reason}`;
      found.set(text, [...(found.get(text) ?? []), workload]);
    }
  }
  return [...found].map(([text, where]) => (where.length === rows.length ? text : `${text} (${where.join(', ')})`));
}

/** What is said above the table of a run. */
export interface Circumstances {
  readonly command: string;
  readonly date: Date;
  readonly device: string;
  readonly threads: number;
  /** How many processes wanted a core when it began; more than none disturbs. */
  readonly load: number;
  /** Version of each contender that took part, and whether it had relaxed SIMD. */
  readonly versions: ReadonlyMap<string, string>;
  /** What `anatomy.ts` printed, where products of matrices were among the workloads. */
  readonly anatomy: string | null;
}

/** The machine, in a line. */
export const machine = (): string =>
  [
    `${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? 'an unknown processor'}`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `${type()} ${release()}`,
    `Node ${process.versions.node} (V8 ${process.versions.v8})`,
  ].join(', ');

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
const table = (head: readonly string[], body: readonly (readonly string[])[]): string =>
  [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...body.map(line)].join('\n');

/** `RESULTS.md`. */
export function document(rows: readonly Row[], peers: readonly PeerName[], run: Circumstances): string {
  const best = rows.map((row) => [
    row.workload,
    row.metric,
    Object.keys(row.mismatch).length > 0 ? `${timeOf(row.ours)} MISMATCH` : timeOf(row.ours),
    ...peers.map((name) =>
      row.ratio[name] === undefined
        ? timeOf(row.peers[name])
        : `${timeOf(row.peers[name])} (×${short(row.ratio[name])})`,
    ),
  ]);
  const pair = (timing: Timing | null | undefined): string =>
    timing ? `${short(timing.median)} / ${short(timing.first)}` : '–';
  const others = rows.map((row) => [
    row.workload,
    row.metric,
    pair(row.ours),
    ...peers.map((name) => pair(row.peers[name])),
  ]);
  const rates = rows.filter((row) => row.gflops !== undefined);
  const losses = rows.filter((row) => row.losses !== undefined);
  const mismatches = rows.flatMap(({ workload, mismatch }) =>
    Object.entries(mismatch).map(([name, text]) => `- ${workload}, ${name}: ${text}`),
  );
  const missing = absences(rows);
  const names = ['ours', ...peers];
  const sections = [
    `# Results\n\nWritten by \`${run.command}\` on ${run.date.toISOString().slice(0, 16).replace('T', ' ')} UTC; [README.md](README.md) says what is measured.`,
    [
      `- Machine: ${machine()}`,
      `- Load when it began: ${run.load.toFixed(1)}${run.load > 0.5 ? ', so that others took time from all' : ''}`,
      `- Ours: device \`${run.device}\`, ${run.threads} thread${run.threads === 1 ? '' : 's'}`,
      ...[...run.versions].map(([name, version]) => `- ${name}: ${version}`),
    ].join('\n'),
    `## Best times\n\nThe least of all samples; in brackets ours divided by it (below 1, ours is faster).\n\n${table(['workload', 'unit', ...names], best)}`,
    `## Medians, and first calls\n\nThe first call has everything in it that is compiled.\n\n${table(['workload', 'unit', ...names], others)}`,
    ...(rates.length === 0
      ? []
      : [
          `## Rates\n\nGFLOP/s by the best time; the peak is that of one thread with 128-bit SIMD, measured by turns with the rest: the best of the run.\n\n${table(
            ['workload', 'peak: mul + add', 'peak: relaxed_madd', ...names],
            rates.map(({ workload, peak, gflops }) => [
              workload,
              peak?.mulAdd == null ? '–' : short(peak.mulAdd),
              peak?.relaxedMadd == null ? '–' : short(peak.relaxedMadd),
              ...names.map((name) => {
                const value = gflops?.[name as 'ours'];
                return value === undefined ? '–' : short(value);
              }),
            ]),
          )}`,
        ]),
    ...(losses.length === 0
      ? []
      : [
          `## Losses\n\nAt steps 1 and 5.\n\n${table(
            ['workload', ...names],
            losses.map((row) => [
              row.workload,
              ...names.map((name) => row.losses?.[name as 'ours']?.map((x) => x.toPrecision(5)).join(', ') ?? '–'),
            ]),
          )}`,
        ]),
    ...(mismatches.length === 0 ? [] : [`## Mismatches\n\n${mismatches.join('\n')}`]),
    ...(missing.length === 0 ? [] : [`## Missing\n\n${missing.map((text) => `- ${text}`).join('\n')}`]),
    ...(run.anatomy === null ? [] : [`## Where the products' time goes\n\n${run.anatomy}`]),
    `## Workloads\n\n${rows.map(({ workload }) => `- \`${workload}\`: ${workloads[workload].about}`).join('\n')}`,
  ];
  return `${sections.join('\n\n')}\n`;
}
