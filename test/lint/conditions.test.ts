/** A tensor in a condition is always truthy and cannot be detected at run time: the lint rule that we recommend must see it. */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';
import { expect, test } from 'vitest';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

test('a tensor in a condition is rejected, its item() and an optional tensor are not', async () => {
  const eslint = new ESLint({ overrideConfigFile: here('./eslint.config.mjs'), cwd: here('../..') });
  const [result] = await eslint.lintFiles(here('./conditions.fixture.ts'));
  const lines = (await readFile(here('./conditions.fixture.ts'), 'utf8')).split('\n');
  const marked = lines.flatMap((line, i) => (line.endsWith('// wrong') ? [i + 1] : []));
  expect(marked.length).toBe(5);
  expect(result!.messages.map((m) => m.line)).toEqual(marked);
  expect(new Set(result!.messages.map((m) => m.ruleId))).toEqual(
    new Set(['@typescript-eslint/no-unnecessary-condition']),
  );
}, 120_000);
