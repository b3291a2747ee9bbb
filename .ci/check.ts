/**
 * `npm run check [PART…]`: everything that can be said about the sources without running them, all parts at once.
 * Types (tsc), lint and formatting (Biome), layers (dependency-cruiser) and the length of files.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { tooLong } from './file-length.ts';

interface Outcome {
  readonly ok: boolean;
  readonly output: string;
}

/** Run a tool of `node_modules/.bin`, keeping what it says. */
const tool = (name: string, ...args: readonly string[]): Promise<Outcome> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const child = spawn(join('node_modules', '.bin', name), args, { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
    child.on('error', (error) => resolve({ ok: false, output: `${name}: ${error.message}` }));
    child.on('close', (code) => resolve({ ok: code === 0, output: Buffer.concat(chunks).toString() }));
  });

/** The folders with code in them that exist already. */
const folders = ['src', 'transforms', 'backends', 'laws', 'test', 'examples', 'bench', '.ci'].filter((folder) =>
  existsSync(folder),
);

const sources = (): readonly string[] =>
  folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !/(^|\/)(node_modules|out)\//.test(name))
      .map((name) => join(folder, name)),
  );

const parts = {
  types: () => tool('tsc', '--noEmit', '--pretty', 'false'),
  lint: () => tool('biome', 'check', '--error-on-warnings', '--max-diagnostics=50', '.'),
  layers: () => tool('depcruise', '--config', '.dependency-cruiser.cjs', ...folders),
  length: async (): Promise<Outcome> => {
    const messages = tooLong(sources());
    return { ok: messages.length === 0, output: messages.join('\n') };
  },
} satisfies Record<string, () => Promise<Outcome>>;

const isPart = (name: string): name is keyof typeof parts => Object.hasOwn(parts, name);

const names = process.argv.slice(2);
const unknown = names.filter((name) => !isPart(name));
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(', ')} (there are ${Object.keys(parts).join(', ')})`);
  process.exit(2);
}

const outcomes = await Promise.all(
  Object.entries(parts)
    .filter(([name]) => names.length === 0 || names.includes(name))
    .map(async ([name, run]) => {
      const start = performance.now();
      const { ok, output } = await run();
      const seconds = ((performance.now() - start) / 1000).toFixed(1);
      console.log(`${ok ? '✓' : '✗'} ${name} (${seconds} s)${ok ? '' : `\n${output.trimEnd()}`}`);
      return ok;
    }),
);
if (outcomes.includes(false)) process.exitCode = 1;
