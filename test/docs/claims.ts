/**
 * What a snippet says of itself: a comment `// => value` after a statement claims what it prints, a comment
 * `// throws Error` claims that it fails. Here the claims are found, and the statement is wrapped, on its own line, in a
 * call that hands what really happened to `recorder.ts`: line n of the rewritten snippet is line n of the snippet.
 */
import ts from 'typescript';

/** What the statement that ends on a line is said to do. */
export interface Claim {
  readonly kind: 'prints' | 'throws';
  /** The line of the snippet, counted from 0, on which the claim stands. */
  readonly line: number;
  /** The text claimed; `…` stands for any text. */
  readonly text: string;
}

/** A snippet that reports on its claims when it is run. */
export interface Instrumented {
  readonly code: string;
  readonly claims: readonly Claim[];
  /** Comments that look like a claim and are none, by line. */
  readonly problems: readonly { readonly line: number; readonly message: string }[];
}

const claimAt = /\/\/ (=>|throws(?= [A-Z]))\s?(.*)$/;
/** Other arrows people write for the same thing: they would go unchecked, so they are refused. */
const looksLikeClaim = /\/\/\s*(?:→|->|=>|-->|⇒)/;

interface Edit {
  readonly at: number;
  readonly end: number;
  readonly text: string;
}

const isConsoleLog = (node: ts.Expression): node is ts.CallExpression =>
  ts.isCallExpression(node) &&
  ts.isPropertyAccessExpression(node.expression) &&
  ts.isIdentifier(node.expression.expression) &&
  node.expression.expression.text === 'console' &&
  node.expression.name.text === 'log';

/**
 * Rewrite a snippet so that each claim is reported, by its index, to the functions `__printed`, `__value` and `__throws`
 * that are imported from `recorder`.
 */
export const instrument = (code: string, recorder: string): Instrumented => {
  const file = ts.createSourceFile('snippet.ts', code, ts.ScriptTarget.Latest, true);
  const lines = code.split('\n');
  const claims: Claim[] = [];
  const edits: Edit[] = [];
  const claimed = new Set<number>();

  /** The claim that stands behind `end` on its line, or alone on the next. */
  const claimAfter = (end: number): Claim | undefined => {
    const { line, character } = ts.getLineAndCharacterOfPosition(file, end);
    const rest = lines[line]!.slice(character).trim();
    const at = rest === '' ? line + 1 : line;
    const own = rest === '' ? (lines[at] ?? '').trim() : rest;
    if (!own.startsWith('//')) return undefined;
    const match = claimAt.exec(own);
    if (match === null || match.index !== 0) return undefined;
    claimed.add(at);
    const text = [match[2]!];
    // A claim goes on in the comment lines below it that are indented under its text.
    for (let next = at + 1; /^\s*\/\/ {3,}\S/.test(lines[next] ?? ''); next++) {
      text.push(lines[next]!.replace(/^\s*\/\/\s*/, ''));
    }
    return { kind: match[1] === '=>' ? 'prints' : 'throws', line: at, text: text.join('\n') };
  };

  const visit = (node: ts.Node): void => {
    if (ts.isExpressionStatement(node) || ts.isVariableStatement(node)) {
      const claim = claimAfter(node.end);
      if (claim !== undefined) {
        const index = claims.push(claim) - 1;
        if (!wrap(node, claim, index)) {
          claimed.delete(claim.line);
          claims.pop();
        }
        return;
      }
    }
    ts.forEachChild(node, visit);
  };

  const around = (node: ts.Node, before: string, after: string): void => {
    edits.push({ at: node.getStart(file), end: node.getStart(file), text: before });
    edits.push({ at: node.end, end: node.end, text: after });
  };

  /** Make the statement report on the claim; false if it cannot. */
  const wrap = (node: ts.ExpressionStatement | ts.VariableStatement, claim: Claim, index: number): boolean => {
    if (ts.isVariableStatement(node)) {
      const [declaration, another] = node.declarationList.declarations;
      if (claim.kind === 'throws' || another !== undefined || !ts.isIdentifier(declaration!.name)) return false;
      edits.push({ at: node.end, end: node.end, text: `; __value(${index}, ${declaration!.name.text});` });
    } else if (claim.kind === 'throws') {
      if (node.parent !== file) return false;
      around(node.expression, `await __throws(${index}, async () => (`, '))');
    } else if (isConsoleLog(node.expression)) {
      const callee = node.expression.expression;
      edits.push({ at: callee.getStart(file), end: callee.end, text: `__printed(${index})` });
    } else {
      around(node.expression, `__value(${index}, (`, '))');
    }
    return true;
  };

  visit(file);
  const problems = lines.flatMap((line, at) =>
    !claimed.has(at) && (looksLikeClaim.test(line) || claimAt.test(line))
      ? [
          {
            line: at,
            message: 'a claim is `// => text` or `// throws Error…` behind, or below, a statement with a value',
          },
        ]
      : [],
  );

  let rewritten = code;
  for (const edit of edits.sort((a, b) => b.at - a.at)) {
    rewritten = rewritten.slice(0, edit.at) + edit.text + rewritten.slice(edit.end);
  }
  return {
    code: `import { __printed, __throws, __value } from ${JSON.stringify(recorder)}; ${rewritten}\nexport {};\n`,
    claims,
    problems,
  };
};
