/**
 * The page of all primitives, `docs/PRIMITIVES.md`: what each record says, what the generator table claims of it, and what became
 * of its laws. Written from the tables themselves, so that it is true or stale, and a test says which.
 */

import * as fc from 'fast-check';
import { isDecomposed } from '../../backends/loop/decompose/index.ts';
import { referenceDevice } from '../../backends/reference/device.ts';
import { dtypeClasses } from '../../laws/arbitrary/dtype.ts';
import type { Domain } from '../../laws/arbitrary/elements.ts';
import { toleranceOf } from '../../laws/decompositions.laws.ts';
import { factorJudges } from '../../laws/factors.ts';
import { type Call, type Derivative, floatsOf, type Row } from '../../laws/generators/row.ts';
import type { Law, Report } from '../../laws/law.ts';
import { differentiableCalls } from '../../laws/primitive-case.ts';
import { primitiveNames, subject } from '../../laws/primitives.laws.ts';
import { suites } from '../../laws/suites.ts';
import { withDefaultDevice } from '../../src/core/backend.ts';
import { type DType, dtypes, isFloat } from '../../src/core/dtype.ts';
import { range } from '../../src/core/shape.ts';
import type { PrimitiveName } from '../../transforms/registry.ts';

/** How the laws of the page are run. */
export const pageRuns = { runs: 30, seed: 20_190_117 } as const;

const reference = referenceDevice();

/** Run a law as for the page. */
export const runAsPublished = (law: Law): Report => withDefaultDevice(reference, () => law.run(pageRuns));

/** Where the page is. */
export const primitivesPath = 'docs/PRIMITIVES.md';

/** The laws of one primitive, in all suites but that of devices, which the reference device obeys by definition. */
export const lawsAbout = (name: PrimitiveName): readonly Law[] =>
  suites
    .filter((suite) => suite.name !== 'device')
    .flatMap(({ laws }) => laws.filter((law) => law.name.startsWith(`${name}: `)));

/** A codec of `io-ts`, as far as it tells what it is made of. */
interface Codec {
  readonly name?: string;
  readonly type?: Codec;
  readonly props?: Readonly<Record<string, Codec>>;
}

/** `axis: integer, reverse: boolean`. */
function parametersOf(codec: Codec): string {
  if (codec.type) return parametersOf(codec.type);
  if (!codec.props) return codec.name ?? '';
  return Object.entries(codec.props)
    .map(([key, { name }]) => `${key}: ${name}`)
    .join(', ');
}

/** `floats`, or the names of the dtypes. */
function showDTypes(takes: readonly DType[]): string {
  const known = Object.entries(dtypeClasses).find(
    ([, members]) => members.length === takes.length && members.every((d) => takes.includes(d)),
  );
  return known ? known[0] : dtypes.filter((d) => takes.includes(d)).join(', ');
}

const unique = <A>(xs: readonly A[]): readonly A[] => [...new Set(xs)];

/** What a claim is of each operand; once if it is one of all, with the number of the operand if they differ. */
function byOperand(calls: readonly Call<unknown>[], of: (call: Call<unknown>, operand: number) => string): string {
  const most = Math.max(0, ...calls.map(({ ins }) => ins.length));
  const each = range(most).map((i) =>
    unique(calls.flatMap((call) => (i < call.ins.length ? [of(call, i)] : [])).filter((words) => words !== '')).join(
      ' or ',
    ),
  );
  const said = unique(each.filter((words) => words !== ''));
  if (said.length <= 1) {
    const silent = each.every((words) => words !== '') ? '' : where(each);
    return said.length === 0 ? '' : `${said[0]}${silent}`;
  }
  return each.flatMap((words, i) => (words === '' ? [] : [`${i}: ${words}`])).join('; ');
}

/** ` (operand 0)`: those of which something is said. */
const where = (each: readonly string[]): string => {
  const some = each.flatMap((words, i) => (words === '' ? [] : [i]));
  return ` (operand${some.length > 1 ? 's' : ''} ${some.join(', ')})`;
};

const showDerivative = (derivative: Derivative): string =>
  derivative.kind === 'piecewise'
    ? `but ${derivative.kinks}`
    : derivative.kind === 'undefined'
      ? ''
      : derivative.kind === 'zero'
        ? '0'
        : derivative.kind;

/** The words of a domain, or, if it has none, about where its elements are. */
function showDomain(domain: Domain): string {
  if (domain.words !== undefined) return domain.words;
  const drawn = fc.sample(domain('float64', 8), { numRuns: 20, seed: 1 }).flat();
  const [least, most] = [Math.min(...drawn), Math.max(...drawn)].map((x) => Number(x.toPrecision(1)));
  return `≈ [${least}, ${most}]`;
}

/** In which sets of operands calls are linear together. */
function transposeOf(row: Row<unknown>, calls: readonly Call<unknown>[]): string {
  const linear = row.linearCalls ? fc.sample(row.linearCalls, sampling) : calls;
  const groups = unique(
    linear.flatMap((call) => {
      const all = call.ins.flatMap((aval, i) => (isFloat(aval.dtype) ? [i] : []));
      return row.linear(call).map((group) => (group.join() === all.join() ? 'all' : `{${group.join()}}`));
    }),
  );
  const sets = groups.includes('all') ? ['all'] : [...groups].sort();
  return `linear in ${sets.join(', ') || 'none'}${row.linearCalls ? ', where it is' : ''}`;
}

const sampling = { numRuns: 60, seed: 1 } as const;

/** How results are compared. */
const comparison = (name: string, row: Row<unknown>): string =>
  Object.hasOwn(factorJudges, name) ? 'factors' : row.terms ? 'sum' : row.moves ? 'bits, moved' : 'bits';

function rowOf(name: PrimitiveName, reportOf: (law: Law) => Report): readonly string[] {
  const { primitive, row } = subject(name);
  const floats = floatsOf(row.takes);
  const calls = floats.length > 0 ? fc.sample(differentiableCalls(row), sampling) : [];
  const claim = (call: Call<unknown>, i: number) => row.operands(call)[i]!;
  const reports = lawsAbout(name).map(reportOf);
  const undecided = reports.filter(({ inconclusive }) => inconclusive > 0);
  const moving = (call: Call<unknown>, i: number): boolean =>
    ['smooth', 'piecewise'].includes(claim(call, i).derivative.kind);
  return [
    `\`${name}\``,
    parametersOf(primitive.params as Codec),
    showDTypes(row.takes),
    calls.length === 0 ? 'none' : byOperand(calls, (call, i) => showDerivative(claim(call, i).derivative)) || 'none',
    byOperand(calls, (call, i) => (moving(call, i) ? showDomain(claim(call, i).domain) : '')),
    primitive.transpose === 'nonlinear' ? 'nonlinear' : transposeOf(row, calls),
    comparison(name, row),
    isDecomposed(name) ? toleranceOf(name) : '',
    String(reports.length),
    String(reports.reduce((sum, { runs }) => sum + runs, 0)),
    undecided.length === 0
      ? '0'
      : undecided.map(({ law, inconclusive }) => `${inconclusive} (${law.slice(name.length + 2)})`).join(', '),
  ];
}

const head = [
  ...['primitive', 'parameters', 'dtypes', 'derivative', 'domain', 'transpose', 'values', 'decomposition'],
  ...['laws', 'cases', 'undecided'],
];

const introduction = `# Primitives

Written by \`npm run docs\` from the registry, the generator table (\`laws/generators\`) and a run of the laws; \`test/laws-reference.test.ts\`
fails where this page is stale. Laws were run on the reference device, ${pageRuns.runs} cases each, seed ${pageRuns.seed}; \`test/laws.test.ts\` runs
them, and that both devices agree, on the WebAssembly device.

- **parameters** are the fields of the codec, from which printing, hashing, equality and JSON derive.
- **derivative**: what the generator table claims of each operand that is a float, \`smooth\`, smooth \`but\` for the places named,
  \`refused\`, or \`0\`; central differences in double precision say so too, within 10⁻⁵ of the larger of 1 and the derivative, on operands
  from the **domain**. Operands are numbered from 0 where they differ.
- **transpose**: the sets of float operands in which the operation is linear together, \`all\` of them, or the word \`nonlinear\`. Law:
  ⟨ct, L t⟩ = ⟨Lᵀ ct, t⟩ within 10⁻¹¹ of Σ|terms|.
- **values**: how batched and other results are compared with those of one application. \`bits\`: the same ones, on edge
  values as well, and \`moved\` if each is an element of an operand, which tangents and cotangents then follow to the last bit;
  \`sum\`: within 2·√n·u·Σ|terms| of n terms, u being half the distance from 1 to the next float; \`factors\`: results
  multiply to the operand, within 32·n·u. Batching is a rule of every primitive.
- **decomposition**: that there is one into simpler primitives, and what its results may differ by.
- **laws**, their **cases** altogether, and how many were **undecided**: discarded, because the difference quotients of two steps
  disagree. A law that discards more than a tenth of its cases fails.
`;

/** The page. */
export function primitivesPage(reportOf: (law: Law) => Report): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  const rows = primitiveNames.map((name) => line(rowOf(name, reportOf)));
  return `${introduction}\n${[line(head), line(head.map(() => '---')), ...rows].join('\n')}\n`;
}
