/** The types of all snippets, checked by one program: each snippet is a module that imports the package by its name. */
import { dirname, resolve } from 'node:path';
import ts from 'typescript';

/** A type error of a snippet; `line` counts from 0. */
export interface TypeProblem {
  readonly line: number;
  readonly message: string;
}

/**
 * The type errors of each of `modules` (path → text), which need not exist on disk. The options are the repository's,
 * except that a snippet may leave a name unused.
 */
export const typeProblems = (modules: ReadonlyMap<string, string>): ReadonlyMap<string, readonly TypeProblem[]> => {
  const configFile = resolve('tsconfig.json');
  const { config } = ts.readConfigFile(configFile, ts.sys.readFile);
  const parsed = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: [] },
    ts.sys,
    dirname(configFile),
    {},
    configFile,
  );
  const options: ts.CompilerOptions = {
    ...parsed.options,
    noEmit: true,
    incremental: false,
    noUnusedLocals: false,
    noUnusedParameters: false,
  };
  delete options.tsBuildInfoFile;

  const texts = new Map([...modules].map(([path, text]) => [resolve(path), text]));
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (path) => texts.has(resolve(path)) || fileExists(path);
  host.readFile = (path) => texts.get(resolve(path)) ?? readFile(path);

  const program = ts.createProgram([...texts.keys()], options, host);
  return new Map(
    [...modules.keys()].map((path) => {
      const file = program.getSourceFile(resolve(path));
      const diagnostics = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
      return [
        path,
        diagnostics.map((diagnostic) => ({
          line: file === undefined ? 0 : file.getLineAndCharacterOfPosition(diagnostic.start ?? 0).line,
          message: `TS${diagnostic.code}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`,
        })),
      ];
    }),
  );
};
