/** Which examples there are, and where: a folder with a `main.ts`, or a file here or in the folder of a chapter. */

import { existsSync, readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import type { commonOptions, Example, Options } from './cli.ts';

const here = import.meta.dirname;

/** Files beside this one that are no examples; in the folder `shared` is what several examples use. */
const machinery = new Set(['all.ts', 'cli.ts', 'find.ts', 'report.ts', 'run.ts', 'shared', 'worker.ts', 'out']);

/** Examples of a folder by their names, in the order of the course: chapters by number, then the alphabet. */
const within = (folder: string): [string, string][] =>
  readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !machinery.has(name) && !name.includes('.test.'))
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
    .flatMap((entry): [string, string][] => {
      const path = `${folder}/${entry.name}`;
      if (!entry.isDirectory()) return entry.name.endsWith('.ts') ? [[entry.name.slice(0, -3), path]] : [];
      return existsSync(`${path}/main.ts`) ? [[entry.name, `${path}/main.ts`]] : within(path);
    });

/** The path of each example. */
export const examples: ReadonlyMap<string, string> = new Map(within(here));

/** Any example, as what runs it needs it. */
export type AnyExample = Example<Options & ReturnType<typeof commonOptions>>;

/** The example of a file: what it exports as `example`. */
export async function load(path: string): Promise<AnyExample> {
  const module = (await import(pathToFileURL(path).href)) as { readonly example: AnyExample };
  return module.example;
}
