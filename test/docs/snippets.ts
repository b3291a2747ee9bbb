/**
 * Where the documentation's code is: every fenced `ts` block of the Markdown pages and of the doc comments of the sources,
 * with the file and line at which it stands, so that a failure names the page and not a generated file.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One block of code that a reader may copy. */
export interface Snippet {
  /** The page or source, relative to the root of the repository. */
  readonly file: string;
  /** The line of `file`, counted from 1, at which `code` begins. */
  readonly line: number;
  readonly code: string;
  /** False for a fence marked `ts no-run`, which is type-checked only. */
  readonly runs: boolean;
}

/** What was found in some text: snippets, and what is written wrongly as `file:line: message`. */
export interface Found {
  readonly snippets: readonly Snippet[];
  readonly problems: readonly string[];
}

const fence = /^(\s*)(`{3,})\s*(\S*)\s*(.*?)\s*$/;

/** The fenced `ts` blocks of `lines`, of which the first is line `first` of `file`. */
const fencesOf = (file: string, lines: readonly string[], first: number): Found => {
  const snippets: Snippet[] = [];
  const problems: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    const opening = fence.exec(lines[i]!);
    if (opening === null) continue;
    const [, indent = '', ticks = '', language = '', info = ''] = opening;
    const start = i + 1;
    for (i = start; i < lines.length; i++) {
      const closing = fence.exec(lines[i]!);
      if (closing !== null && closing[2]!.length >= ticks.length && closing[3] === '') break;
    }
    const where = `${file}:${first + start - 1}`;
    if (i === lines.length) problems.push(`${where}: this fence is never closed`);
    if (language === 'typescript' || language === 'tsx') {
      problems.push(`${where}: write \`ts\` for the language of this fence, so that it is tested`);
    }
    if (language !== 'ts') continue;
    if (info !== '' && info !== 'no-run') problems.push(`${where}: \`ts ${info}\`: a fence is \`ts\` or \`ts no-run\``);
    snippets.push({
      file,
      line: first + start,
      code: lines
        .slice(start, i)
        .map((line) => (line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()))
        .join('\n'),
      runs: info !== 'no-run',
    });
  }
  return { snippets, problems };
};

const together = (parts: readonly Found[]): Found => ({
  snippets: parts.flatMap((part) => part.snippets),
  problems: parts.flatMap((part) => part.problems),
});

/** The snippets of a Markdown page. */
export const snippetsOfMarkdown = (file: string, text: string): Found => fencesOf(file, text.split('\n'), 1);

/** The snippets of the doc comments of a TypeScript source; an `@example` that is not a fenced `ts` block is a problem. */
export const snippetsOfSource = (file: string, text: string): Found =>
  together(
    // A comment begins its line: `/**` inside a string or a glob does not.
    [...text.matchAll(/^[ \t]*\/\*\*[\s\S]*?\*\//gm)].map((match) => {
      const first = text.slice(0, match.index).split('\n').length;
      const lines = match[0]
        .replace(/\*\/$/, '')
        .split('\n')
        .map((line) => line.replace(/^\s*(\/\*\*|\*) ?/, ''));
      const bare = lines.flatMap((line, i) => {
        if (!/^\s*@example\b/.test(line)) return [];
        const next = lines.slice(i + 1).find((following) => following.trim() !== '');
        return next !== undefined && /^\s*```ts\b/.test(next)
          ? []
          : [`${file}:${first + i}: @example is followed by a fenced \`ts\` block`];
      });
      return together([fencesOf(file, lines, first), { snippets: [], problems: bare }]);
    }),
  );

const skipped = /(^|\/)(node_modules|dist|coverage|out|\.[^/]+)(\/|$)/;

const filesUnder = (folder: string, matches: (path: string) => boolean): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .map((name) => join(folder, name).replaceAll('\\', '/'))
        .filter((path) => !skipped.test(path) && matches(path))
        .sort()
    : [];

const topFolders = (): readonly string[] =>
  readdirSync('.', { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !skipped.test(entry.name))
    .map((entry) => entry.name)
    .sort();

/** Every snippet of the repository whose root is the working directory, pages first. */
export const snippetsOfRepository = (): Found => {
  const pages = [
    ...['README.md', 'CONTRIBUTING.md'].filter((page) => existsSync(page)),
    ...filesUnder('docs', (path) => path.endsWith('.md')),
    ...topFolders()
      .filter((folder) => folder !== 'docs')
      .flatMap((folder) => filesUnder(folder, (path) => path.endsWith('/README.md'))),
  ];
  const sources = ['src', 'transforms', 'laws', 'backends'].flatMap((folder) =>
    filesUnder(folder, (path) => path.endsWith('.ts')),
  );
  return together([
    ...pages.map((page) => snippetsOfMarkdown(page, readFileSync(page, 'utf8'))),
    ...sources.map((source) => snippetsOfSource(source, readFileSync(source, 'utf8'))),
  ]);
};
