/**
 * The documentation is true: every fenced `ts` block of the pages and every `@example` of the sources is type-checked and
 * run, and what it claims to print (`// => value`) is what it prints. The convention is in `test/docs/README.md`.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setDefaultDevice } from 'pullback';
import { describe, expect, it, vi } from 'vitest';
import { instrument } from './docs/claims.ts';
import { matches, record } from './docs/recorder.ts';
import { type Snippet, snippetsOfMarkdown, snippetsOfRepository, snippetsOfSource } from './docs/snippets.ts';
import { typeProblems } from './docs/types.ts';

/** The rewritten snippets are files here: inside the repository, so that its aliases hold, and ignored by git. */
const folder = '.cache/docs';
const recorder = resolve('test/docs/recorder.ts');

/** Write the rewritten snippet, run it, and return what is wrong, as `file:line: message`. */
const run = async (snippet: Snippet, name: string): Promise<readonly string[]> => {
  const { code, claims, problems } = instrument(snippet.code, recorder);
  const at = (line: number, message: string): string => `${snippet.file}:${snippet.line + line}: ${message}`;
  const path = resolve(folder, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(path, code);
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  try {
    const failures = await record(claims, () => import(/* @vite-ignore */ path));
    return [...problems, ...failures].map(({ line, message }) => at(line, message));
  } catch (error) {
    const stack = error instanceof Error ? (error.stack ?? String(error)) : String(error);
    const frame = new RegExp(`${name.replaceAll('.', '\\.')}:(\\d+)`).exec(stack);
    return [at(frame === null ? 0 : Number(frame[1]) - 1, `throws ${stack}`)];
  } finally {
    log.mockRestore();
  }
};

// Snippets print what users see, on the default device, whatever PULLBACK_DEVICE says.
setDefaultDevice(null);

const { snippets, problems } = snippetsOfRepository();
const nameOf = (index: number): string => `${String(index).padStart(3, '0')}.ts`;

rmSync(folder, { recursive: true, force: true });

describe('the documentation', () => {
  const types = typeProblems(
    new Map(snippets.map(({ code }, index) => [resolve(folder, nameOf(index)), `${code}\nexport {};\n`])),
  );

  it('has snippets, all of them written as they should be', () => {
    expect(problems).toEqual([]);
    expect(snippets.length).toBeGreaterThan(0);
  });

  it('leaves few snippets unrun', () => {
    const unrun = snippets.filter((snippet) => !snippet.runs).map(({ file, line }) => `${file}:${line}`);
    expect(unrun.length, `marked \`ts no-run\`: ${unrun.join(', ')}`).toBeLessThanOrEqual(
      Math.max(3, snippets.length / 10),
    );
  });

  snippets.forEach((snippet, index) => {
    it(`${snippet.file}:${snippet.line}${snippet.runs ? '' : ' (no-run: types only)'}`, async () => {
      const wrong = types
        .get(resolve(folder, nameOf(index)))!
        .map(({ line, message }) => `${snippet.file}:${snippet.line + line}: ${message}`);
      expect(wrong).toEqual([]);
      if (snippet.runs) expect(await run(snippet, nameOf(index))).toEqual([]);
    });
  });
});

describe('a false claim is caught', () => {
  const markdown = (...lines: readonly string[]): Snippet => {
    const found = snippetsOfMarkdown('page.md', ['Text.', '', '```ts', ...lines, '```'].join('\n'));
    expect(found.problems).toEqual([]);
    return found.snippets[0]!;
  };
  const outcome = (name: string, ...lines: readonly string[]): Promise<readonly string[]> =>
    run(markdown(...lines), `self-${name}.ts`);

  it('true ones pass, whatever form they take', async () => {
    expect(
      await outcome(
        'true',
        'const x = [1, 2]; // => [1, 2]',
        'x.map((n) => n * 2); // => [ 2, 4 ]',
        "console.log('a', { b: 1 }); // => a { b: 1 }",
        "'text'; // => 'text'",
        "const long = { first: 'a'.repeat(50), second: 'b'.repeat(50) };",
        'console.log(long);',
        "// => { first: 'aaa…',",
        "//      second: 'b…b' }",
        'await Promise.resolve(1 / 3); // => 0.333…',
        "JSON.parse('{'); // throws SyntaxError: …",
        'null!.x; // throws TypeError',
        'for (const y of x) console.log(y > 0); // => true',
      ),
    ).toEqual([]);
  });

  it('a false value, at its line', async () => {
    expect(await outcome('false', 'const x = 1;', 'x + 1; // => 3')).toEqual([
      'page.md:5: claims that it prints\n  3\nbut it prints\n  2',
    ]);
  });

  it('an error that does not come, and another that does', async () => {
    expect(await outcome('throws', "JSON.parse('1'); // throws SyntaxError")).toEqual([
      'page.md:4: claims that it throws\n  SyntaxError\nbut it throws\n  nothing',
    ]);
    expect(await outcome('other', 'await Promise.reject(new RangeError("far")); // throws TypeError')).toEqual([
      'page.md:4: claims that it throws\n  TypeError\nbut it throws\n  RangeError: far',
    ]);
  });

  it('a claim that is never reached, or that stands where nothing can be checked', async () => {
    expect(await outcome('unreached', 'export const f = () => {', '  console.log(1); // => 1', '};')).toEqual([
      'page.md:5: this claim was never reached',
    ]);
    expect(await outcome('misplaced', 'export function f() {} // => 1', 'f(); // → 2')).toEqual([
      expect.stringMatching(/^page\.md:4: a claim is /),
      expect.stringMatching(/^page\.md:5: a claim is /),
    ]);
  });

  it('a snippet that throws, at its line', async () => {
    expect(await outcome('thrown', 'const x = 1;', "throw new Error('no ' + x);")).toEqual([
      expect.stringMatching(/^page\.md:5: throws Error: no 1/),
    ]);
  });

  it('a type error, at its line', () => {
    const path = resolve(folder, 'self-type.ts');
    expect(typeProblems(new Map([[path, 'const x = 1;\nexport const y: string = x;\n']])).get(path)).toEqual([
      { line: 1, message: "TS2322: Type 'number' is not assignable to type 'string'." },
    ]);
  });

  it('a bare @example, an unknown fence and an open one', () => {
    const source = ['/** One. */', '/**', ' * Two.', ' *', ' * @example', ' * f(1)', ' */', 'export const f = 1;'];
    expect(snippetsOfSource('f.ts', source.join('\n')).problems).toEqual([
      'f.ts:5: @example is followed by a fenced `ts` block',
    ]);
    expect(snippetsOfMarkdown('p.md', '```typescript\n```\n```ts skip\n```\n```ts\n').problems).toEqual([
      'p.md:1: write `ts` for the language of this fence, so that it is tested',
      'p.md:3: `ts skip`: a fence is `ts` or `ts no-run`',
      'p.md:5: this fence is never closed',
    ]);
  });

  it('an @example is found with its line', () => {
    const source = ['const glob = "a/**/b";', '/**', ' * @example', ' * ```ts', ' * f(1);', ' * ```', ' */'].join('\n');
    expect(snippetsOfSource('f.ts', source).snippets).toEqual([{ file: 'f.ts', line: 5, code: 'f(1);', runs: true }]);
  });

  it('an ellipsis stands for any text, and nothing else does', () => {
    expect(matches('a … c', 'a b\n b c')).toBe(true);
    expect(matches('a.c', 'abc')).toBe(false);
    expect(matches('0.33', '0.333')).toBe(false);
  });
});
