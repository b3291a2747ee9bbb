/**
 * The package as a user gets it: packed, installed into another package, run by Node, type-checked, and bundled for a browser.
 *
 * Nothing is downloaded: the dependencies are installed from this checkout's own `node_modules`.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { exports: entries } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, unknown>>;
};
const names = Object.keys(entries).filter((name) => name !== './package.json');
const specifier = (entry: string): string => `pullback${entry.slice(1)}`;

/** Bytes, of which 24,000 are the language and its elementary primitives; each further primitive adds what its kernel weighs. */
const limit = 50_000;

const folder = mkdtempSync(join(tmpdir(), 'package-'));
const user = join(folder, 'user');
afterAll(() => rmSync(folder, { recursive: true }));

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error ?? ''}\n${stdout}\n${stderr}`);
  return stdout;
}

beforeAll(() => {
  // A build of its own, so that a run of the tests does not take away the one in `dist`.
  const staged = join(folder, 'staged');
  mkdirSync(staged);
  run(join(root, 'node_modules/.bin/tsx'), ['.ci/build.ts', join(staged, 'dist')], root);
  for (const file of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md']) {
    writeFileSync(join(staged, file), readFileSync(join(root, file)));
  }
  run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], staged);
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string };
  const installed = join(user, 'node_modules');
  mkdirSync(join(installed, 'pullback'), { recursive: true });
  writeFileSync(join(user, 'package.json'), JSON.stringify({ name: 'user', private: true, type: 'module' }));
  run('tar', ['-xzf', join(folder, `pullback-${version}.tgz`), '--strip-components=1'], join(installed, 'pullback'));
  for (const name of shipped()) cpSync(join(root, 'node_modules', name), join(installed, name), { recursive: true });
}, 300_000);

/** The package's dependencies and those of its peers that are written in JavaScript, with all of theirs. */
function shipped(): ReadonlySet<string> {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    readonly packages: Readonly<Record<string, Dependent>>;
  };
  const { dependencies, peerDependencies } = packages['']!;
  const found = new Set<string>();
  const visit = (names: Readonly<Record<string, string>> = {}): void => {
    for (const name of Object.keys(names)) {
      if (found.has(name) || name === 'webgpu') continue;
      found.add(name);
      visit(packages[`node_modules/${name}`]?.dependencies);
    }
  };
  visit(dependencies);
  visit(peerDependencies);
  return found;
}

/** What a lock file says of a package. */
interface Dependent {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** Save a module of the user's. */
const save = (name: string, text: string): string => {
  const path = join(user, name);
  writeFileSync(path, text);
  return path;
};

const program = `
import { grad, np } from 'pullback';
const f = (x) => np.sum(np.mul(np.sin(x), x));
console.log(grad(f)(np.array([0, 1])).toArray().join());
`;

/** sin x + x cos x at 0 and 1, in float32. */
const expected = [0, Math.fround(Math.fround(Math.sin(1)) + Math.fround(Math.cos(1)))].join();

describe('in Node', { timeout: 180_000 }, () => {
  test('it holds what is shipped and nothing else', () => {
    const files = run('find', ['node_modules/pullback', '-type', 'f'], user).trim().split('\n');
    const kinds = new Set(files.map((file) => file.replace(/^.*?(\.d\.ts|\.\w+|LICENSE)$/, '$1')));
    expect([...kinds].sort()).toEqual(['.d.ts', '.js', '.json', '.md', 'LICENSE']);
  });

  test('it differentiates', () => {
    expect(run('node', [save('run.js', program)], user).trim()).toBe(expected);
  });

  test('every entry loads', () => {
    const text = names.map((name, i) => `import * as e${i} from '${specifier(name)}';`).join('\n');
    const counts = `console.log([${names.map((_, i) => `Object.keys(e${i}).length`).join()}].join())`;
    const sizes = run('node', [save('entries.js', `${text}\n${counts}`)], user)
      .trim()
      .split(',')
      .map(Number);
    expect(sizes.length).toBe(names.length);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
  });

  test('an error names the line of the user, not of the package', () => {
    save('wrong.js', "import { np } from 'pullback';\nnp.add(np.zeros([2]), np.zeros([3]));\n");
    const { stderr } = spawnSync('node', ['wrong.js'], { cwd: user, encoding: 'utf8' });
    expect(stderr).toContain('at wrong.js:2:4');
  });

  test('its types are right for a strict user', () => {
    save(
      'typed.ts',
      [
        ...names.map((name, i) => `import type * as e${i} from '${specifier(name)}';`),
        "import { grad, np, type Tensor } from 'pullback';",
        `export type Entries = [${names.map((_, i) => `typeof e${i}`).join()}];`,
        'export const gradient: (x: Tensor) => Tensor = grad((x: Tensor) => np.sum(np.mul(x, x)));',
        '// @ts-expect-error: an integer is not a float',
        "export const wrong: Tensor = np.zeros([2], { dtype: 'int32' });",
      ].join('\n'),
    );
    const compilerOptions = {
      strict: true,
      noEmit: true,
      module: 'nodenext',
      target: 'es2022',
      types: [],
      skipLibCheck: false,
    };
    const lib = ['es2023', 'dom'];
    save('tsconfig.json', JSON.stringify({ compilerOptions: { ...compilerOptions, lib }, files: ['typed.ts'] }));
    expect(run(join(root, 'node_modules/.bin/tsc'), ['-p', '.'], user)).toBe('');
  });
});

describe('in a browser', { timeout: 180_000 }, () => {
  /** A minified bundle of the user's module. */
  const bundle = async (text: string, format: 'esm' | 'iife', external: readonly string[] = []): Promise<string> => {
    const { outputFiles, warnings } = await build({
      stdin: { contents: text, resolveDir: user, loader: 'js' },
      bundle: true,
      minify: true,
      format,
      platform: 'browser',
      target: 'es2022',
      write: false,
      external: [...external],
      logLevel: 'silent',
      logOverride: { 'empty-import-meta': 'silent' },
    });
    expect(warnings).toEqual([]);
    return outputFiles[0]!.text;
  };
  /** What a page has and the language has not, as far as it is used; `printed` takes what is logged. */
  const pageOf = (printed: unknown[]) =>
    createContext({ console: { log: (line: unknown) => printed.push(line) }, URL, TextEncoder, performance });
  const gzipped = (text: string): number => gzipSync(text, { level: 9 }).length;
  const libraries = ['fp-ts', 'fp-ts/*', 'io-ts', 'io-ts/*'];

  test('every entry bundles, and imports nothing of Node', async () => {
    for (const name of names.filter((entry) => entry !== './laws')) {
      const text = await bundle(`export * from '${specifier(name)}';`, 'esm');
      expect(/\b(?:from|import)\s*\(?["'](?:node:|fs|path|url)/.test(text), name).toBe(false);
      expect(/\brequire\(/.test(text), name).toBe(false);
    }
  });

  test('a script runs where there is nothing of Node', async () => {
    const printed: unknown[] = [];
    const page = pageOf(printed);
    runInContext(await bundle(program, 'iife'), page);
    expect(printed).toEqual([expected]);
  });

  test('without WebAssembly the first operation says what to do, and that works', async () => {
    const printed: unknown[] = [];
    const page = pageOf(printed);
    runInContext('delete globalThis.WebAssembly', page);
    const text = `
      import { np, referenceDevice, setDefaultDevice } from 'pullback';
      try {
        np.zeros([2]);
      } catch (error) {
        console.log(error._tag);
        console.log(error.message.split('\\n').slice(0, 2).join('\\n'));
      }
      setDefaultDevice(referenceDevice());
      console.log(np.ones([2]).toArray().join());
    `;
    runInContext(await bundle(text, 'iife'), page);
    expect(printed).toEqual([
      'CompileError',
      'wasmDevice: this machine compiles no WebAssembly with SIMD: there is no WebAssembly\n' +
        "  remedy: use a newer engine (on a page: allow 'wasm-unsafe-eval' in its policy), or the slower reference device: " +
        "setDefaultDevice(referenceDevice()) before anything is computed, or the entry 'pullback/reference'",
      '1,1',
    ]);
  });

  test('np without any transform', async () => {
    const printed: unknown[] = [];
    const page = pageOf(printed);
    const text = "import * as np from 'pullback/np'; console.log(np.add(np.array([1, 2]), 1).toArray().join());";
    runInContext(await bundle(text, 'iife'), page);
    expect(printed).toEqual(['2,3']);
  });

  test('the smallest bundle: np.add and grad on the reference device alone', async () => {
    const text = `
      import { grad } from 'pullback/reference';
      import * as np from 'pullback/reference/np';
      console.log(grad((x) => np.add(x, x))(3).item());
    `;
    const printed: unknown[] = [];
    const page = pageOf(printed);
    runInContext(await bundle(text, 'iife'), page);
    expect(printed).toEqual([2]);

    const own = gzipped(await bundle(text, 'esm', libraries));
    const all = gzipped(await bundle(text, 'esm'));
    const usual = gzipped(await bundle(text.replaceAll('/reference', ''), 'esm', libraries));
    console.log(
      `bundle of np.add and grad, minified and gzipped: pullback/reference ${own} bytes (limit ${limit}), ` +
        `with fp-ts and io-ts ${all} (their share ${all - own}); pullback ${usual}`,
    );
    expect(own).toBeLessThan(limit);
    expect(own).toBeLessThan(usual);
  });

  test('the entry for small pages transforms as the whole package does', async () => {
    const text = `
      import { grad, jit, vmap } from 'pullback/reference';
      import * as np from 'pullback/reference/np';
      const f = jit((x) => np.sum(np.mul(np.sin(x), x)));
      console.log(vmap(grad(f))(np.array([[0, 1], [1, 0]])).toArray().join());
    `;
    const printed: unknown[] = [];
    const page = pageOf(printed);
    runInContext(await bundle(text, 'iife'), page);
    expect(printed).toEqual([`${expected},${expected.split(',').reverse().join()}`]);
  });
});
