/** The examples as programs: how options decode, what wrong ones say, and that every example is found by its name. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as E from 'fp-ts/lib/Either.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { readError, showFailure } from 'pullback/io';
import { afterEach, describe, expect, test, vi } from 'vitest';
import * as cli from '../examples/cli.ts';
import { examples } from '../examples/find.ts';
import { deviceName } from './device.ts';

const options = {
  ...cli.commonOptions('sample'),
  data: cli.optionalFolder('where the images are'),
  epochs: cli.count(10, 'passes over the data', 2),
  rate: cli.positive(1e-3, 'learning rate'),
};

const decode = (...argv: readonly string[]) => cli.decodeOptions(options, argv);
const refusal = (...argv: readonly string[]): string => {
  const result = decode(...argv);
  return E.isLeft(result) ? showFailure(result.left) : 'accepted';
};

describe('decodeOptions', () => {
  const defaults = {
    seed: 0,
    short: false,
    out: 'examples/out/sample',
    json: false,
    help: false,
    data: null,
    epochs: 10,
    rate: 1e-3,
  };

  test('values, defaults, flags; a repeated option counts last', () => {
    expect(decode()).toEqual(E.right(defaults));
    expect(decode('--short')).toEqual(E.right({ ...defaults, short: true, epochs: 2 }));
    expect(decode('--epochs', '3', '--json', '--data=a b', '--seed=7', '--rate', '1e-4', '--epochs=4')).toEqual(
      E.right({ ...defaults, epochs: 4, json: true, data: 'a b', seed: 7, rate: 1e-4 }),
    );
  });

  test('what is wrong, verbatim', () => {
    expect(refusal('--epochs', 'ten')).toBe('options: --epochs: expected a whole number from 1 to 1000000, got "ten"');
    expect(refusal('--epochs=0', '--rate', '-1')).toBe(
      'options: --epochs: expected a whole number from 1 to 1000000, got "0"\n' +
        'options: --rate: expected a positive number, got "-1"',
    );
    expect(refusal('--seed', '4294967296')).toBe(
      'options: --seed: expected a whole number from 0 to 4294967295, got "4294967296"',
    );
    expect(refusal('--data', '--json')).toBe('options: --data: expected a folder, got nothing');
    expect(refusal('--data')).toBe('options: --data: expected a folder, got nothing');
    expect(refusal('--json=yes')).toBe('options: --json: expected boolean, got "yes"');
    const known = '--seed, --short, --out, --json, --help, --data, --epochs, --rate';
    expect(refusal('--epoch', '3')).toBe(
      `options: --epoch: expected one of ${known}, got an unknown option\n` +
        `options: 3: expected one of ${known}, got an unknown option`,
    );
    for (const name of ['--constructor', '--__proto__', '--', '-h', '']) {
      expect(refusal(name)).toBe(
        `options: ${name === '' ? '' : `${name}: `}expected one of ${known}, got an unknown option`,
      );
    }
  });
});

describe('runExample', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  });

  const run = async (example: cli.Example<typeof options>, ...argv: readonly string[]) => {
    const printed: string[] = [];
    const complained: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line) => void printed.push(String(line)));
    vi.spyOn(console, 'error').mockImplementation((line) => void complained.push(String(line)));
    await cli.runExample(example, argv);
    return { printed, complained, code: process.exitCode ?? 0 };
  };
  const sample: cli.Example<typeof options> = {
    name: 'sample',
    about: 'a sample.',
    options,
    body: ({ epochs }) => TE.right({ numbers: { epochs, accuracy: 0.5 } }),
  };

  test('ends with a line of JSON if asked to', async () => {
    expect(await run(sample, '--json', '--epochs', '2')).toEqual({
      printed: [`{"example":"sample","device":"${deviceName}","epochs":2,"accuracy":0.5}`],
      complained: [],
      code: 0,
    });
    expect((await run(sample)).printed).toEqual([]);
  });

  test('a claim that fails ends with 3, unless the numbers it is about were chosen otherwise', async () => {
    const claims = [cli.atLeast('accuracy', 0.5, 0.9), cli.atMost('loss', Number.NaN, 1), cli.atMost('error', 0, 0.1)];
    const claiming = { ...sample, body: () => TE.right({ numbers: {}, claims }) };
    const [low, nan] = ['FAILS: accuracy: 0.5, wanted ≥ 0.9', 'FAILS: loss: NaN, wanted ≤ 1'];
    const high = 'holds: error: 0, wanted ≤ 0.1';
    expect(await run(claiming)).toEqual({ printed: [high], complained: [`${low}\n${nan}`], code: 3 });
    expect(await run(claiming, '--short', '--seed=3')).toMatchObject({ code: 3 });
    process.exitCode = 0;
    expect(await run(claiming, '--epochs=3')).toEqual({ printed: [low, nan, high], complained: [], code: 0 });
  });

  test('--help explains every option', async () => {
    expect((await run(sample, '--help')).printed[0]).toMatchInlineSnapshot(`
      "sample: a sample.

        --seed N        seed of all that is random (0)
        --short         a few seconds only, with weaker claims
        --out DIR       where files are written (examples/out/sample)
        --json          end with one line of JSON
        --help          print this and end
        --data DIR      where the images are
        --epochs N      passes over the data (10; short: 2)
        --rate X        learning rate (0.001)"
    `);
  });

  test('wrong options end with 2, a failing world with 1, both without output', async () => {
    const wrong = await run(sample, '--epochs', 'ten', '--json');
    expect([wrong.code, wrong.printed]).toEqual([2, []]);
    expect(wrong.complained[0]).toBe(
      `options: --epochs: expected a whole number from 1 to 1000000, got "ten"\n\n${cli.usage(sample)}`,
    );
    const failing = { ...sample, body: () => TE.left(readError('digits', 'no such file or folder')) };
    expect(await run(failing, '--json')).toEqual({
      printed: [],
      complained: ['digits: cannot be read: no such file or folder'],
      code: 1,
    });
  });
});

describe('--out', () => {
  test('is made before the body runs, or the example ends at once', async () => {
    const root = mkdtempSync(join(tmpdir(), 'pullback-cli-'));
    const complained: string[] = [];
    const error = vi.spyOn(console, 'error').mockImplementation((line) => void complained.push(String(line)));
    let seen: boolean[] = [];
    const example = (): cli.Example<ReturnType<typeof cli.commonOptions>> => ({
      name: 'sample',
      about: 'a sample.',
      options: cli.commonOptions('sample'),
      body: ({ out }) => TE.fromIO(() => ({ numbers: { seen: seen.push(existsSync(out)) } })),
    });
    await cli.runExample(example(), [`--out=${root}/a/b`]);
    expect([seen, complained, process.exitCode ?? 0]).toEqual([[true], [], 0]);
    seen = [];
    writeFileSync(`${root}/file`, '');
    await cli.runExample(example(), [`--out=${root}/file`]);
    await cli.runExample(example(), [`--out=${root}/file/below`]);
    if (process.platform === 'linux') {
      await cli.runExample(example(), ['--out=/proc/none/below']);
      expect(complained.pop()).toBe('/proc/none/below: cannot be written: no such file or folder');
    }
    expect([seen, process.exitCode]).toEqual([[], 1]);
    expect(complained).toEqual([
      `${root}/file: cannot be written: it is a file, not a folder`,
      `${root}/file/below: cannot be written: it is not a folder`,
    ]);
    error.mockRestore();
    process.exitCode = undefined;
    rmSync(root, { recursive: true });
  });
});

const runExamples = (...argv: readonly string[]) =>
  spawnSync(process.execPath, ['--import', 'tsx', 'examples/run.ts', ...argv], {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    encoding: 'utf8',
  });
const readDigits = (name: string, ...options: readonly string[]) => {
  const run = runExamples(name, '--json', '--images=1000', ...options);
  expect(run.status, run.stderr).toBe(0);
  return { run, summary: JSON.parse(run.stdout.trim().split('\n').at(-1)!) as Readonly<Record<string, number>> };
};

test('lenet checks its gradient, learns, and writes what it learned', () => {
  const out = mkdtempSync(join(tmpdir(), 'pullback-lenet-'));
  const { run, summary } = readDigits('lenet', '--epochs=1', `--out=${out}`);
  expect(readdirSync(out).sort()).toEqual(['index.html', 'numbers.json', 'params.safetensors']);
  rmSync(out, { recursive: true });
  expect(run.stdout).toContain('gradient law: holds');
  expect(summary['testAccuracy']).toBeGreaterThan(0.3);
  expect(summary['parameters']).toBe(61_706);
});

test('mlp goes on with a run that is there: as if it had not been interrupted, pictures and all', () => {
  const out = mkdtempSync(join(tmpdir(), 'pullback-mlp-'));
  const save = `--save=${out}/run.safetensors`;
  const first = readDigits('mlp', '--epochs=2', `--out=${out}`, save);
  const again = readDigits('mlp', '--epochs=2', `--out=${out}`, save);
  const files = readdirSync(out).sort();
  const page = readFileSync(`${out}/index.html`, 'utf8');
  rmSync(out, { recursive: true });
  expect(again.run.stdout).toContain('goes on after epoch 2 of ');
  expect(again.summary['testAccuracy']).toBe(first.summary['testAccuracy']);
  expect(files).toEqual(['index.html', 'numbers.json', 'params.safetensors', 'run.safetensors']);
  expect(page.split('<figure>').length - 1).toBe(4);
  expect(page).toContain('Read wrongly');
});

test('examples/run.ts lists the examples for a name that is none', () => {
  const unknown = runExamples('nothing');
  expect([unknown.status, unknown.stdout]).toEqual([2, '']);
  expect(unknown.stderr).toMatch(/^There is no example 'nothing'\. There are:\n( {2}[a-z0-9-]+\n)+$/);
  expect(unknown.stderr).toContain('\n  compose\n');
  expect(runExamples().stderr).toMatch(/^Which example\? There are:\n/);
});

test('every picture of the gallery is there, and no other', () => {
  const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
  const shown = [...read('examples/README.md').matchAll(/\(\.\.\/(docs\/gallery\/[^)]+)\)/g)].map(([, path]) => path!);
  expect(shown.length).toBeGreaterThan(50);
  expect(shown.filter((path) => !existsSync(new URL(`../${path}`, import.meta.url)))).toEqual([]);
  const folders = readdirSync(new URL('../docs/gallery', import.meta.url));
  expect(folders.filter((name) => !examples.has(name))).toEqual([]);
  const page = read('docs/EXAMPLES.md');
  for (const name of examples.keys()) expect(page, `docs/EXAMPLES.md tells of ${name}`).toContain(`| ${name} `);
});

test('every example is in the gallery, and short enough to read', () => {
  const gallery = readFileSync(new URL('../examples/README.md', import.meta.url), 'utf8');
  for (const [name, path] of examples) {
    expect(gallery, `examples/README.md shows ${name}`).toContain(`npm run example ${name}`);
    expect(readFileSync(path, 'utf8').split('\n').length, `lines of ${name}`).toBeLessThanOrEqual(150);
  }
  const files = readdirSync(new URL('../examples', import.meta.url), { recursive: true, encoding: 'utf8' });
  const written = files.filter(
    (file) =>
      file.endsWith('.ts') &&
      /^export const example\b/m.test(readFileSync(new URL(`../examples/${file}`, import.meta.url), 'utf8')),
  );
  expect(written.length, 'no two examples have one name').toBe(examples.size);
});

test('examples/laws finds the bug that it plants, and its line', () => {
  const out = mkdtempSync(join(tmpdir(), 'pullback-laws-'));
  const { status, stdout } = runExamples('laws', '--runs=10', '--json', `--out=${out}`);
  const report = readFileSync(`${out}/report.txt`, 'utf8');
  rmSync(out, { recursive: true });
  expect([status, JSON.parse(stdout.trim().split('\n').at(-1)!)]).toEqual([
    0,
    {
      example: 'laws',
      device: 'wasm',
      laws: 4,
      held: 4,
      caughtBy: 'loss: gradient = central differences',
      firstWrongEquation: expect.stringMatching(/^custom_jvp from examples\/laws\.ts:\d+:\d+$/),
    },
  ]);
  expect(report).toMatch(
    /by vjp: .*\n.*by differences: .*\n.*first wrong equation: custom_jvp.*\n.*counterexample: \[\{"hidden"/,
  );
});
