/**
 * `npm run build [DIR]`: ESM and declarations in `dist` (or DIR), ready for bundlers to drop what is not used.
 *
 * A bundler must keep `const sinP = unary('sin', …)`, though nobody uses `sinP`, because the call might have an effect. Here no
 * initializer at the top of a module has one: effects at load time are statements, in the modules that `sideEffects` of
 * package.json names. So each call in an initializer is marked as pure after compiling, which no one could keep up by hand.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** The text of a module with every call in its top-level initializers marked `@__PURE__`; calls inside functions are not. */
function marked(text: string): string {
  const file = ts.createSourceFile('module.js', text, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  const calls = new Set<number>();
  const visit = (node: ts.Node): void => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) calls.add(node.getStart(file));
    ts.forEachChild(node, visit);
  };
  for (const statement of file.statements) if (ts.isVariableStatement(statement)) visit(statement);
  return [...calls]
    .sort((a, b) => b - a)
    .reduce((rest, at) => `${rest.slice(0, at)}/* @__PURE__ */ ${rest.slice(at)}`, text);
}

const folder = process.argv[2] ?? 'dist';
rmSync(folder, { recursive: true, force: true });
const tsc = join('node_modules', 'typescript', 'bin', 'tsc');
const compiled = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', folder], {
  stdio: 'inherit',
});
process.exitCode = compiled.status ?? 1;
if (compiled.status === 0) {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.js')) continue;
    const path = join(folder, name);
    writeFileSync(path, marked(readFileSync(path, 'utf8')));
  }
}
