/** Who takes part: how the program of each library is started, and whether it is there. */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import { relaxedSimd } from './program.ts';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Where peers are installed, and programs put together beside them. */
export const modules = at('node_modules');

/** Where the programs are, as plain JavaScript. */
export const programs = `${modules}/.programs`;

/** The libraries that are compared with. */
export const peerNames = [
  'ours+relaxed',
  'jax-js',
  'jax-js+relaxed',
  'jax-js+relaxed+workers',
  'tfjs-wasm',
  'onnxruntime/t1',
  'onnxruntime/t2',
  'torch/t1',
  'torch/t2',
] as const;

/** The name of a peer. */
export type PeerName = (typeof peerNames)[number];

/** A contender: a peer, this library, or one of the two loops that measure the peak. */
export type ContenderName = PeerName | 'ours' | 'peak' | 'peak+relaxed';

/** How to start a program; the name of a workload is its last argument. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** Why somebody does not take part. */
export type Missing = string;

/** Whether relaxed SIMD is there without a flag, as in newer versions of Node than 20. */
const relaxedByDefault = relaxedSimd();
const flags = (relaxed: boolean): readonly string[] =>
  relaxed && !relaxedByDefault ? ['--experimental-wasm-relaxed-simd'] : [];

/** @returns the version of a package that is installed in `folder`, or why there is none */
function installed(name: string, folder: string): E.Either<Missing, string> {
  const manifest = `${folder}/${name}/package.json`;
  if (!existsSync(manifest)) return E.left(`${name} is not installed`);
  return E.right((JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version);
}

const script = (file: string, relaxed: boolean, env: Command['env'] = {}): Command => ({
  command: process.execPath,
  args: [...flags(relaxed), `${programs}/${file}.js`],
  env,
});

/** A script whose packages are there; it is told the version of the first. */
const withPackages =
  (folder: string) =>
  (packages: readonly string[], command: Command): E.Either<Missing, Command> => {
    const versions = packages.map((name) => installed(name, folder));
    return pipe(
      versions.find(E.isLeft) ?? versions[0]!,
      E.map((version) => ({ ...command, env: { ...command.env, VERSION: version } })),
    );
  };

/** The first Python that has torch: `$PYTHON`, the one on the path, the system's. */
function python(): E.Either<Missing, string> {
  const tried = [...new Set([process.env['PYTHON'], 'python3', '/usr/bin/python3'])].filter(
    (command) => command !== undefined,
  );
  const found = tried.find((command) => spawnSync(command, ['-c', 'import torch, numpy']).status === 0);
  return found === undefined
    ? E.left(`no Python with torch and numpy among ${tried.join(', ')} (apt-get install python3-torch python3-numpy)`)
    : E.right(found);
}

let torchPython: E.Either<Missing, string> | null = null;

/** PyTorch. Waiting threads sleep: else those of OpenMP and of OpenBLAS spin against each other. */
function torch(threads: number): E.Either<Missing, Command> {
  torchPython ??= python();
  return E.map(
    (command: string): Command => ({
      command,
      args: [at('peers/pytorch.py')],
      env: { THREADS: String(threads), OMP_WAIT_POLICY: 'PASSIVE' },
    }),
  )(torchPython);
}

const jaxPackages = ['@jax-js/jax'];
const needsNoFlag = E.left('WebAssembly has relaxed SIMD here without a flag: the same as without +relaxed');

/** How a contender is started, ours on so many `threads`; packages are in `folder`. */
export function commandOf(name: ContenderName, threads: number, folder = modules): E.Either<Missing, Command> {
  const peer = withPackages(folder);
  const ours = { PULLBACK_THREADS: String(threads), PACKAGE_JSON: pathToFileURL(at('../package.json')).href };
  switch (name) {
    case 'ours':
      return E.right(script('ours', false, ours));
    case 'ours+relaxed':
      return relaxedByDefault ? needsNoFlag : E.right(script('ours', true, ours));
    case 'peak':
      return E.right(script('peak', false));
    case 'peak+relaxed':
      return E.right(script('peak', true, { RELAXED: '1' }));
    case 'jax-js':
      return peer(jaxPackages, script('peers/jax-js', false));
    case 'jax-js+relaxed':
      return relaxedByDefault ? needsNoFlag : peer(jaxPackages, script('peers/jax-js', true));
    case 'jax-js+relaxed+workers':
      return peer(jaxPackages, script('peers/jax-js', true, { WORKERS: '1' }));
    case 'tfjs-wasm':
      return peer(['@tensorflow/tfjs', '@tensorflow/tfjs-backend-wasm'], script('peers/tfjs', false));
    case 'onnxruntime/t1':
      return peer(['onnxruntime-node'], script('peers/onnxruntime', false, { THREADS: '1' }));
    case 'onnxruntime/t2':
      return peer(['onnxruntime-node'], script('peers/onnxruntime', false, { THREADS: '2' }));
    case 'torch/t1':
      return torch(1);
    case 'torch/t2':
      return torch(2);
  }
}
