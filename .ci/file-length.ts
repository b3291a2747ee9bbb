/**
 * The length of every source file, in lines of code: a line counts when a token of the program lies on it, so blank
 * lines and comments are free. (Biome's own rule counts comments, and comments are what we want more of.)
 */
import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** The most lines of code that one file may have. */
export const maximumLines = 400;

/** How many lines of `text` hold code: blank lines and comments do not count, each line of a template literal does. */
export function linesOfCode(fileName: string, text: string): number {
  const file = ts.createSourceFile(fileName, text, ts.ScriptTarget.Latest, false);
  const lineOf = (position: number): number => ts.getLineAndCharacterOfPosition(file, position).line;
  const lines = new Set<number>();
  const visit = (node: ts.Node): void => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(file);
    if (children.length > 0) {
      children.forEach(visit);
      return;
    }
    const start = node.getStart(file);
    if (start >= node.end) return;
    const last = lineOf(node.end - 1);
    for (let line = lineOf(start); line <= last; line++) lines.add(line);
  };
  visit(file);
  return lines.size;
}

/** One message for each of `files` that is longer than {@link maximumLines}. */
export const tooLong = (files: readonly string[]): readonly string[] =>
  files.flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    // A file of so few lines in all need not be parsed.
    if (text.split('\n').length <= maximumLines) return [];
    const lines = linesOfCode(file, text);
    return lines > maximumLines ? [`${file}: ${lines} lines of code, at most ${maximumLines}: split it by idea`] : [];
  });
