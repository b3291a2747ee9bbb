/** `npm run example NAME [-- options]`: run an example by its name. */

import { readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const here = import.meta.dirname;
const notExamples = new Set(['cli', 'run']);

/** Examples are files that are no tests, and folders with a `main.ts`. */
const examples = new Map(
  readdirSync(here, { withFileTypes: true }).flatMap((entry): [string, string][] => {
    if (entry.isDirectory()) {
      const main = readdirSync(`${here}/${entry.name}`).includes('main.ts');
      return main ? [[entry.name, `${here}/${entry.name}/main.ts`]] : [];
    }
    const name = entry.name.replace(/\.ts$/, '');
    return name === entry.name || name.endsWith('.test') || notExamples.has(name)
      ? []
      : [[name, `${here}/${entry.name}`]];
  }),
);

const [name = '', ...options] = process.argv.slice(2);
const path = examples.get(name);
if (path === undefined) {
  const names = [...examples.keys()].sort().join('\n  ');
  console.error(`${name === '' ? 'Which example?' : `There is no example '${name}'.`} There are:\n  ${names}`);
  process.exitCode = 2;
} else {
  // The example reads its own options from argv, as when it is started by itself.
  process.argv = [process.argv[0]!, path, ...options];
  await import(pathToFileURL(path).href);
}
