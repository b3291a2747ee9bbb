/**
 * Every module can be the first that a program imports: in the cycles of imports (rules call one another) none reads at the top
 * level what is not there yet. Bundlers and users choose which module comes first, not we.
 *
 * Modules are translated once, and loaded from an empty cache for each first module, in the order in which Node evaluates them.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInThisContext } from 'node:vm';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

type Module = { exports: Record<string, unknown> };
type Body = (module: Module, exports: Module['exports'], require: (specifier: string) => unknown) => void;

const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = ['src', 'transforms', 'backends', 'laws'].flatMap((folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => join(folder, file)),
);
const { exports: entries } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>;
};
const entryFiles = Object.values(entries).flatMap((entry) =>
  typeof entry === 'string' ? [] : [relative('dist', entry.default).replace(/\.js$/, '.ts')],
);
const fromNode = createRequire(import.meta.url);

/** Load a module and what it imports, as a process of its own would; what went wrong, or null. */
function failureOf(first: string, bodies: ReadonlyMap<string, Body>): string | null {
  const loaded = new Map<string, Module>();
  const load = (path: string): Module['exports'] => {
    const known = loaded.get(path);
    if (known) return known.exports;
    const module: Module = { exports: {} };
    loaded.set(path, module);
    bodies.get(path)!(module, module.exports, (specifier) =>
      specifier.startsWith('.') ? load(join(dirname(path), specifier)) : fromNode(specifier),
    );
    return module.exports;
  };
  const before = new Set(Reflect.ownKeys(globalThis));
  try {
    load(first);
    return null;
  } catch (error) {
    return `${first}: ${error}`;
  } finally {
    // The library marks the process, so as not to be loaded twice.
    for (const key of Reflect.ownKeys(globalThis)) if (!before.has(key)) Reflect.deleteProperty(globalThis, key);
  }
}

test('every module can be imported first', async () => {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: sources,
    outdir: join(root, 'translated'),
    outbase: root,
    format: 'cjs',
    platform: 'node',
    write: false,
    logOverride: { 'empty-import-meta': 'silent' },
  });
  const bodies = new Map(
    outputFiles.map(({ path, text }) => [
      relative(join(root, 'translated'), path).replace(/\.js$/, '.ts'),
      runInThisContext(`(function (module, exports, require) {${text}\n})`) as Body,
    ]),
  );
  // Laws need a device, which whoever checks them registers; their entry does not.
  const firsts = new Set([...entryFiles, ...sources.filter((path) => !path.startsWith('laws/'))]);
  expect(entryFiles.every((path) => bodies.has(path))).toBe(true);
  const failures = [...firsts].flatMap((path) => failureOf(path, bodies) ?? []);
  expect(failures).toEqual([]);
  // A page that is not isolated across origins has no shared memory, and loads them all the same.
  const shared = Object.getOwnPropertyDescriptor(globalThis, 'SharedArrayBuffer')!;
  Reflect.deleteProperty(globalThis, 'SharedArrayBuffer');
  try {
    expect(entryFiles.flatMap((path) => failureOf(path, bodies) ?? [])).toEqual([]);
  } finally {
    Object.defineProperty(globalThis, 'SharedArrayBuffer', shared);
  }
});
