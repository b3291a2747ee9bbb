/** What must be there before a race: peers from npm, and programs as plain JavaScript. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { modules, programs } from './contenders.ts';

const here = fileURLToPath(new URL('.', import.meta.url));

/** The packages of `bench/package.json` with their versions. */
function wanted(): readonly (readonly [name: string, version: string])[] {
  const manifest = JSON.parse(readFileSync(`${here}package.json`, 'utf8')) as {
    readonly optionalDependencies: Readonly<Record<string, string>>;
  };
  return Object.entries(manifest.optionalDependencies);
}

const isInstalled = ([name, version]: readonly [string, string]): boolean => {
  const manifest = `${modules}/${name}/package.json`;
  return (
    existsSync(manifest) && (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version === version
  );
};

/**
 * Install the peers that are not there in the version wanted. They are optional dependencies, so that one that cannot be had does
 * not keep the others away; whose packages are still absent then is missing in the results.
 *
 * No script of a package runs: onnxruntime-node's downloads what only other devices need.
 *
 * @returns what npm said when it failed
 */
export function installPeers(): string | null {
  if (wanted().every(isInstalled)) return null;
  console.error('bench: installing peers into bench/node_modules (once)');
  const flags = ['--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund', '--fetch-retries=1'];
  const npm = spawnSync('npm', ['install', ...flags, '--loglevel=error'], { cwd: here, encoding: 'utf8' });
  if (npm.status === 0) return null;
  return (npm.error?.message ?? npm.stderr).trim().split('\n').slice(0, 3).join(' ');
}

/**
 * Put the programs together: the library as a user's bundler would, from its sources, without a loader in between (tsx's wraps
 * every function that is made). Packages are imported from where they are installed.
 */
export async function buildPrograms(): Promise<void> {
  const entries = ['ours', 'peak', 'peers/jax-js', 'peers/tfjs', 'peers/onnxruntime'];
  await build({
    entryPoints: entries.map((name) => `${here}${name}.ts`),
    outdir: programs,
    outbase: here,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
}
