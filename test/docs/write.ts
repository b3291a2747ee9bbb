/** `npm run docs`: writes the pages that are made of tables and of what laws found. */
import { writeFileSync } from 'node:fs';
import '../../src/entry/device.ts';
import { primitivesPage, primitivesPath, runAsPublished } from './primitives.ts';

writeFileSync(primitivesPath, primitivesPage(runAsPublished));
