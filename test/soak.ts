/**
 * `npm run soak [PART…] [--seed N]`: what is too slow for every commit. Each part runs at most ten minutes, with a fresh
 * seed unless one is given, and leaves a row in `docs/SOAK.md`: a failure there is replayed by the same part with
 * `--seed` of its row.
 */
import { spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as t from 'io-ts';
import { PathReporter } from 'io-ts/lib/PathReporter.js';

/** What a part runs, `test/laws.test.ts` if it does not say, and sets for it; the seed is added. `test` may be several files. */
interface Part {
  readonly about: string;
  readonly test?: string;
  /** The configuration of vitest, if not the usual one. */
  readonly config?: string;
  readonly runs: number;
  readonly env: Readonly<Record<string, string>>;
}

const parts = {
  laws: {
    about: 'every law of every primitive, transform and library on the reference device, 300 runs each',
    runs: 300,
    env: { PULLBACK_DEVICE: 'reference' },
  },
  wasm: {
    about: 'the same laws on the WebAssembly device, and that it agrees with the reference device, 60 runs each',
    runs: 60,
    env: { PULLBACK_DEVICE: 'wasm' },
  },
  programs: {
    about: 'random programs alone: jit, grad and vmap of each on the reference device against the interpreter',
    runs: 8_000,
    env: { LAWS_ONLY: 'programs', PULLBACK_DEVICE: 'reference' },
  },
  device: {
    about: 'random programs, and their derivatives, on the WebAssembly device against the reference device',
    test: 'test/wasm/device-laws.test.ts',
    runs: 400,
    env: { LAWS_OF: 'programs' },
  },
  memory: {
    about:
      'loops of 100,000 steps over 1 MiB tensors in a device memory of 64 MiB; then random programs (as many as runs), 40 histories of folds, loops and scans, and what programs hold, in memories of 2 and 4 MiB',
    test: 'test/wasm/memory.test.ts test/wasm/hold.test.ts test/wasm/budget.test.ts test/wasm/budget-loops.test.ts',
    runs: 1_000,
    env: { SOAK_ITERATIONS: '100000', BUDGET_RUNS: '40' },
  },
  loops: {
    about:
      'loops of 100,000 compiled steps on two threads of the WebAssembly device that never yield, in a device memory of 16 MiB; runs are steps, and no seed is used',
    test: 'test/wasm/loops.test.ts',
    runs: 100_000,
    env: { SOAK_ITERATIONS: '100000', PULLBACK_THREADS: '2', PULLBACK_SHARE_ALL: '1' },
  },
  threads: {
    about:
      'the laws on two threads that share every step they can; programs with sizes of all remainders of eight on 1, 2, 3 and 5 threads; 200 processes killed in the middle of training',
    test: 'test/laws.test.ts test/wasm/device-laws.test.ts test/wasm/threads.test.ts test/wasm/thread-processes.test.ts',
    runs: 20,
    env: {
      PULLBACK_DEVICE: 'wasm',
      PULLBACK_THREADS: '2',
      PULLBACK_SHARE_ALL: '1',
      SOAK_THREADS: '1',
      SOAK_KILLED: '200',
    },
  },
  agreement: {
    about:
      'random programs and their derivatives, 5,000 with relaxed SIMD and as many without, on two threads that share every step they can, against the reference device',
    test: 'test/wasm/device-laws.test.ts',
    runs: 1_000,
    env: { LAWS_OF: 'programs', PULLBACK_THREADS: '2', PULLBACK_SHARE_ALL: '1' },
  },
  webgpu: {
    about: 'random programs and their derivatives on the WebGPU device against the reference device, 3,000 in all',
    test: 'test/webgpu/laws.test.ts -t programs',
    config: 'vitest.webgpu.config.ts',
    runs: 600,
    env: {},
  },
  'webgpu-laws': {
    about: 'the laws of every primitive on the WebGPU device, 20 runs each',
    test: 'test/webgpu/laws.test.ts',
    config: 'vitest.webgpu.config.ts',
    runs: 20,
    env: {},
  },
  'webgpu-processes': {
    about:
      'processes that train on the GPU and end, as many as runs; 50 that leave work behind, 50 that exit and 50 that are killed in the middle of it; 10,000 steps that never yield in a small memory; no seed is used',
    test: 'test/webgpu/processes.test.ts test/webgpu/loops.test.ts',
    config: 'vitest.webgpu.config.ts',
    runs: 1_000,
    env: { GPU_PROCESSES: '1000', SOAK_ITERATIONS: '10000' },
  },
  math: {
    about:
      'the float32 functions of `backends/loop/math`, with `madd` rounded once and twice, against float64: all bits from the seed on, 1021 apart; runs are the floats of each',
    test: 'test/loop/math.test.ts',
    runs: 4_206_627,
    env: { MATH_STEP: '1021' },
  },
} satisfies Record<string, Part>;

type PartName = keyof typeof parts;
const partNames = Object.keys(parts) as readonly PartName[];

/** The longest that one part may take, in milliseconds. */
const limit = 10 * 60_000;
/** How many runs of each part the table keeps. */
const kept = 5;
const table = 'docs/SOAK.md';

const PartName = t.keyof(parts);

/** A seed of fast-check, a 31-bit integer, written in decimal. */
const SeedFromString = new t.Type<number, string, unknown>(
  'Seed',
  (u): u is number => typeof u === 'number' && Number.isInteger(u),
  (u, context) =>
    typeof u === 'string' && /^\d{1,10}$/.test(u) && Number(u) < 2 ** 31
      ? t.success(Number(u))
      : t.failure(u, context, 'expected an integer from 0 to 2147483647 after --seed'),
  String,
);

const Options = t.intersection([t.type({ parts: t.array(PartName) }), t.partial({ seed: SeedFromString })]);
type Options = t.TypeOf<typeof Options>;

/** The words of the command line, still undecoded: an option takes the word after it. */
const words = (argv: readonly string[]): unknown => {
  const at = argv.indexOf('--seed');
  return at < 0
    ? { parts: argv }
    : { parts: argv.filter((_, i) => i !== at && i !== at + 1), seed: argv[at + 1] ?? '' };
};

interface Row {
  readonly date: string;
  readonly part: string;
  readonly seed: number;
  readonly runs: number;
  readonly commit: string;
  readonly result: string;
  readonly seconds: number;
}

const Report = t.type({ numPassedTests: t.number, numFailedTests: t.number, success: t.boolean });

/** Run one part to its end or to the limit. */
const soak = async (name: PartName, seed: number): Promise<Row & { readonly ok: boolean }> => {
  const { test = 'test/laws.test.ts', config, runs, env }: Part = parts[name];
  const report = `.reports/soak-${name}.json`;
  rmSync(report, { force: true });
  const started = performance.now();
  const child = spawn(
    'node_modules/.bin/vitest',
    [
      'run',
      ...(config ? ['--config', config] : []),
      ...test.split(' '),
      `--outputFile.json=${report}`,
      `--testTimeout=${limit}`,
    ],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, LAWS: String(runs), LAWS_SEED: String(seed), ...env },
      // A group of its own, so that its workers end with it.
      detached: true,
    },
  );
  const stop = (): boolean => process.kill(-child.pid!, 'SIGKILL');
  process.once('SIGINT', () => {
    stop();
    process.exit(130);
  });
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, limit);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  clearTimeout(timer);

  const counts = existsSync(report)
    ? E.getOrElseW(() => undefined)(Report.decode(JSON.parse(readFileSync(report, 'utf8'))))
    : undefined;
  // A part that selected no test proved nothing.
  const ok = code === 0 && !timedOut && counts?.success === true && counts.numPassedTests > 0;
  const result = timedOut
    ? `**stopped after ${limit / 60_000} minutes**`
    : counts === undefined
      ? '**did not run**'
      : ok
        ? `${counts.numPassedTests} passed`
        : `**${counts.numFailedTests} failed**, ${counts.numPassedTests} passed`;
  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' });
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    part: name,
    seed,
    runs,
    commit: commit.status === 0 ? commit.stdout.trim() : 'unknown',
    result,
    seconds: Math.round((performance.now() - started) / 1000),
    ok,
  };
};

const lineOf = (row: Row): string =>
  `| ${row.date} | ${row.part} | ${row.seed} | ${row.runs} | ${row.commit} | ${row.result} | ${row.seconds} s |`;

/** The table's rows as they stand, newest first. */
const rowsNow = (): readonly string[] =>
  existsSync(table)
    ? readFileSync(table, 'utf8')
        .split('\n')
        .filter((line) => /^\| \d{4}-/.test(line))
    : [];

const page = (rows: readonly string[]): string => `# Soak

Deep runs, by \`npm run soak [PART…] [--seed N]\`, at most ten minutes a part; this page is written by them. Times are UTC.
The last ${kept} runs of each part are kept, newest first; \`--seed\` with the seed of a row repeats that row.

${partNames.map((name) => `- \`${name}\`: ${parts[name].about}.`).join('\n')}

| date | part | seed | runs a law | commit | result | time |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`;

/** Put a row on the page, and leave out the oldest of its part. */
const record = (row: Row): void => {
  const partOf = (line: string): string | undefined => line.split('|')[2]?.trim();
  const seen = new Map<string | undefined, number>();
  const rows = [lineOf(row), ...rowsNow()].filter((line) => {
    const count = (seen.get(partOf(line)) ?? 0) + 1;
    seen.set(partOf(line), count);
    return count <= kept;
  });
  mkdirSync('docs', { recursive: true });
  writeFileSync(table, page(rows));
};

const main = async (options: Options): Promise<number> => {
  const outcomes: boolean[] = [];
  for (const name of options.parts.length > 0 ? options.parts : partNames) {
    const row = await soak(name, options.seed ?? randomInt(2 ** 31 - 1));
    record(row);
    console.log(lineOf(row));
    outcomes.push(row.ok);
  }
  return outcomes.every(Boolean) ? 0 : 1;
};

process.exitCode = await pipe(
  Options.decode(words(process.argv.slice(2))),
  E.match(
    async (errors) => {
      console.error(PathReporter.report(E.left(errors)).join('\n'));
      console.error(`usage: npm run soak [PART…] [--seed N], with PART one of ${partNames.join(', ')}`);
      return 2;
    },
    (options) => main(options),
  ),
);
