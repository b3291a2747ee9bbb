/**
 * The layer table: imports go down only.
 *
 *   core → tree → prim → transforms → ops, random → io → nn, optim, data, viz → train → entry, index
 *
 * A row names a layer, where its files are, and what it may import *besides itself*. Everything not listed is forbidden,
 * so a new folder must first be given its place here (rule `layer-unknown`). `backends` hang on transforms and are seen only
 * by the facades, the laws, the tests and the benchmarks.
 */

const table = [
  ['core', '^src/core/', []],
  ['tree', '^src/tree/', ['core']],
  ['prim', '^src/prim/', ['core', 'tree']],
  ['transforms', '^transforms/', ['core', 'tree', 'prim']],
  ['ops', '^src/ops/', ['core', 'tree', 'prim', 'transforms']],
  ['random', '^src/random/', ['core', 'tree', 'prim', 'transforms', 'ops']],
  ['io', '^src/io/', ['core', 'tree', 'prim', 'transforms', 'ops', 'random']],
  ['nn', '^src/nn/', ['core', 'tree', 'prim', 'transforms', 'ops', 'random', 'io']],
  ['optim', '^src/optim/', ['core', 'tree', 'prim', 'transforms', 'ops', 'random', 'io']],
  ['data', '^src/data/', ['core', 'tree', 'prim', 'transforms', 'ops', 'random', 'io']],
  ['viz', '^src/viz/', ['core', 'tree', 'prim', 'transforms', 'ops', 'random', 'io']],
  ['train', '^src/train/', ['core', 'tree', 'prim', 'transforms', 'ops', 'random', 'io', 'nn', 'optim', 'data', 'viz']],
  ['backends', '^backends/', ['core', 'tree', 'prim', 'transforms']],
];

const pathOf = new Map(table.map(([name, path]) => [name, path]));
const facades = '^src/(entry/|index[.]ts$)';
/** The folders that are the product (what `npm run build` emits, laws apart). */
const shipped = '^(src|transforms|backends)/';
/** Files that may load a `node:` module when they are loaded; every other shipped file imports one dynamically, if at all. */
const nodeOnly = [];

const layers = table.map(([name, path, below]) => ({
  name: `layer-${name}`,
  comment: `${name} imports only itself${below.length > 0 ? ` and ${below.join(', ')}` : ''} (and npm packages)`,
  severity: 'error',
  from: { path },
  to: {
    path: '^(src|transforms|backends|laws|test|examples|bench|[.]ci)/',
    pathNot: [path, ...below.map((layer) => pathOf.get(layer))],
  },
}));

module.exports = {
  forbidden: [
    ...layers,
    {
      name: 'layer-unknown',
      comment: 'a shipped file belongs to a layer of the table in .dependency-cruiser.cjs',
      severity: 'error',
      from: {},
      to: { path: shipped, pathNot: [...table.map(([, path]) => path), facades] },
    },
    {
      name: 'facade-reexports-the-product',
      comment: 'entry points re-export layers and register the device: nothing of laws, tests or examples',
      severity: 'error',
      from: { path: facades },
      to: { path: '^(laws|test|examples|bench|[.]ci)/' },
    },
    {
      name: 'backends-behind-the-facade',
      comment: 'a device is chosen by an entry point: laws, tests and benchmarks may name one, examples may not',
      severity: 'error',
      from: { pathNot: ['^backends/', facades, '^laws/', '^test/', '^bench/'] },
      to: { path: '^backends/' },
    },
    {
      name: 'laws-are-a-leaf',
      comment: 'laws/ may import anything of the product; nothing of the product imports laws/',
      severity: 'error',
      from: { path: shipped },
      to: { path: '^laws/' },
    },
    {
      name: 'laws-run-anywhere',
      comment: 'laws/ is a public entry point: no test runner, no tests, no node: module in it',
      severity: 'error',
      from: { path: '^laws/' },
      to: { path: ['^(test|examples|bench)/', 'node_modules/(@vitest|vitest)/'] },
    },
    {
      name: 'no-node-module-in-a-browser-entry',
      comment: 'no node: module at top level in what a browser may load: import it dynamically where it is used',
      severity: 'error',
      from: { path: ['^(src|transforms|backends|laws)/'], pathNot: nodeOnly },
      to: { dependencyTypes: ['core'], dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'examples-are-users',
      comment: "examples import from 'pullback' and its entries, as a user does",
      severity: 'error',
      from: { path: '^examples/' },
      to: { path: '^(src|transforms|laws)/', pathNot: [facades, '^laws/index[.]ts$'] },
    },
    {
      name: 'no-cycle',
      comment:
        'cycles are allowed only inside src/prim, where adjoint pairs refer to each other from inside their rules',
      severity: 'error',
      from: { pathNot: '^src/prim/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'peers-are-optional',
      comment:
        'fast-check is imported by laws/ alone and webgpu by its device alone, so that neither need be installed',
      severity: 'error',
      from: { path: ['^(src|transforms|backends)/'] },
      to: { path: 'node_modules/(fast-check|webgpu)/', dependencyTypesNot: ['dynamic-import', 'type-only'] },
    },
    {
      name: 'declared-dependencies',
      comment: 'what is shipped imports only the declared dependencies and optional peers',
      severity: 'error',
      from: { path: ['^(src|transforms|backends|laws)/'] },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg'],
        dependencyTypesNot: ['npm-peer', 'type-only'],
      },
    },
    {
      name: 'resolvable',
      comment: 'the imported file or package does not exist (the peers of bench/ are installed when they are raced)',
      severity: 'error',
      from: { pathNot: '^bench/peers/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|[.]cache|[.]reports|examples/out|bench/node_modules)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
      extensions: ['.ts', '.js', '.json', '.d.ts'],
    },
    skipAnalysisNotInRules: true,
    builtInModules: { add: [] },
    cache: false,
  },
};
