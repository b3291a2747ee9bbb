/** `npm run example NAME [-- options]`: run an example by its name. */

import { runExample } from './cli.ts';
import { examples, load } from './find.ts';

const [name = '', ...argv] = process.argv.slice(2);
const path = examples.get(name);
if (path === undefined) {
  const names = [...examples.keys()].sort().join('\n  ');
  console.error(`${name === '' ? 'Which example?' : `There is no example '${name}'.`} There are:\n  ${names}`);
  process.exitCode = 2;
} else {
  await runExample(await load(path), argv);
}
