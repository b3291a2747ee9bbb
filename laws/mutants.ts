/**
 * Mutants: broken copies of every record, to show that the laws can fail.
 *
 * Each kind of mutant breaks one rule in one way. Where a kind does not apply to a primitive there is a written reason; where
 * it does, some law must fail within a number of cases. Only the outer rule is broken: what it calls is sound.
 */

import * as fc from 'fast-check';
import { withDType } from '../src/core/aval.ts';
import type { DType } from '../src/core/dtype.ts';
import type { HigherOrder, Primitive, Tangent } from '../src/core/primitive.ts';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { mul } from '../src/prim/arithmetic.ts';
import { fullLike } from '../src/prim/compose.ts';
import { moveAxis } from '../src/prim/structural.ts';
import type { PrimitiveName } from '../transforms/registry.ts';
import { floatsOf, type Row } from './generators/row.ts';
import type { Law } from './law.ts';
import { lawsOf, primitiveNames, subject } from './primitives.laws.ts';

/** A broken record, and in which operand if that is a choice. */
interface Mutant {
  readonly operand?: number;
  readonly primitive: Primitive;
}

/** A way to break records. */
export interface Mutation {
  readonly name: string;
  /** The law that is to notice it; it is asked first. */
  readonly judge: string;
  /** The mutants of a record, or why there are none. */
  readonly of: (primitive: Primitive, row: Row<unknown>) => readonly Mutant[] | string;
}

type Jvp = Primitive['jvp'];
type Transpose = Exclude<Primitive['transpose'], 'nonlinear'>;

const withJvp = (primitive: Primitive, jvp: Jvp): Primitive => ({ ...primitive, jvp });

/** Calls of a row, on which its claims are looked up. */
const samples = (row: Row<unknown>) => {
  const dtypes = floatsOf(row.takes);
  const options = { numRuns: 30, seed: 1 };
  return {
    differentiable: dtypes.length > 0 ? fc.sample(row.calls(dtypes), options) : [],
    linear: row.linearCalls
      ? fc.sample(row.linearCalls, options)
      : dtypes.length > 0
        ? fc.sample(row.calls(dtypes), options)
        : [],
  };
};

/** The operands whose derivative differences can see, or why there are none. */
function movingOperands(row: Row<unknown>): readonly number[] | string {
  const { differentiable } = samples(row);
  if (differentiable.length === 0) return 'takes no floats';
  const moving = differentiable.flatMap((call) =>
    row.operands(call).flatMap(({ derivative: { kind } }, i) => (kind === 'smooth' || kind === 'piecewise' ? [i] : [])),
  );
  if (moving.length > 0) return [...new Set(moving)].sort();
  return differentiable.some((call) => call.ins.length > 0) ? 'its derivative is zero' : 'has no operands';
}

/** The operands in which a record is linear, or why there are none. */
function linearOperands(primitive: Primitive, row: Row<unknown>): readonly number[] | string {
  if (primitive.transpose === 'nonlinear') return 'nonlinear';
  return [...new Set(samples(row).linear.flatMap((call) => row.linear(call).flat()))].sort();
}

const scaled = (t: Tangent): Tangent => t && mul(t, fullLike(t, 1.01));

const dropped = (tangents: readonly Tangent[], operand: number): readonly Tangent[] =>
  tangents.map((t, i) => (i === operand ? null : t));

const tangentScaled: Mutation = {
  name: 'tangent × 1.01',
  judge: 'jvp = central differences',
  of: (primitive, row) => {
    const moving = movingOperands(row);
    if (typeof moving === 'string') return moving;
    const jvp: Jvp = (...args) => {
      const { outs, tangents } = primitive.jvp(...args);
      return { outs, tangents: tangents.map(scaled) };
    };
    return [{ primitive: withJvp(primitive, jvp) }];
  },
};

const tangentDropped: Mutation = {
  name: 'tangent dropped',
  judge: 'jvp = central differences',
  of: (primitive, row) => {
    const moving = movingOperands(row);
    if (typeof moving === 'string') return moving;
    return moving.map((operand) => {
      const jvp: Jvp = (primals, tangents, params) => {
        const rest = dropped(tangents, operand);
        if (rest.some((t) => t !== null)) return primitive.jvp(primals, rest, params);
        const { outs } = primitive.jvp(primals, tangents, params);
        return { outs, tangents: outs.map(() => null) };
      };
      return { operand, primitive: withJvp(primitive, jvp) };
    });
  },
};

const cotangentDropped: Mutation = {
  name: 'cotangent dropped',
  judge: 'transpose is adjoint',
  of: (primitive, row) => {
    const linear = linearOperands(primitive, row);
    if (typeof linear === 'string') return linear;
    const sound = primitive.transpose as Transpose;
    return linear.map((operand) => {
      const transpose: Transpose = (...args) => dropped(sound(...args), operand);
      return { operand, primitive: { ...primitive, transpose } };
    });
  },
};

const cotangentSwapped: Mutation = {
  name: 'cotangent axes swapped',
  judge: 'transpose is adjoint',
  of: (primitive, row) => {
    const linear = linearOperands(primitive, row);
    if (typeof linear === 'string') return linear;
    const sound = primitive.transpose as Transpose;
    const swapped = (ct: Tangent): Tangent => (ct && ct.ndim >= 2 ? moveAxis(ct, 0, 1) : ct);
    const transpose: Transpose = (...args) => sound(...args).map(swapped);
    return [{ primitive: { ...primitive, transpose } }];
  },
};

const batchShifted: Mutation = {
  name: 'batch axis off by one',
  judge: 'vmap = stack ∘ map',
  of: (primitive, row) => {
    if (fc.sample(row.calls(row.takes), { numRuns: 5, seed: 1 }).every((call) => call.ins.length === 0)) {
      return 'has no operands';
    }
    const vmap: Primitive['vmap'] = (...args) => {
      const { outs, dims } = primitive.vmap(...args);
      return { outs, dims: dims.map((dim, i) => (dim === null ? null : (dim + 1) % outs[i]!.ndim)) };
    };
    return [{ primitive: { ...primitive, vmap } }];
  },
};

const otherDType: { readonly [D in DType]: DType } = {
  bool: 'int32',
  uint32: 'int32',
  int32: 'float32',
  float32: 'int32',
  float64: 'float32',
};

const dtypeChanged: Mutation = {
  name: 'dtype changed',
  judge: 'abstractEval = actual aval',
  of: (primitive) => {
    const abstractEval: Primitive['abstractEval'] = (...args) =>
      primitive.abstractEval(...args).map((aval, i) => (i === 0 ? withDType(aval, otherDType[aval.dtype]) : aval));
    return [{ primitive: { ...primitive, abstractEval } }];
  },
};

const linearizedScaled: Mutation = {
  name: 'linearized tangent × 1.01',
  judge: 'linearize = jvp',
  of: (primitive) => {
    const sound = primitive.higherOrder;
    if (!sound) return 'linearized by its jvp rule';
    const linearize: HigherOrder<unknown>['linearize'] = (...args) => {
      const split = sound.linearize(...args);
      return {
        ...split,
        linear: (residuals: readonly Value[], tangents: readonly Tangent[]) =>
          split.linear(residuals, tangents).map(scaled),
      };
    };
    return [{ primitive: { ...primitive, higherOrder: { ...sound, linearize } } }];
  },
};

/** The ways in which every record is broken. */
export const mutations: readonly Mutation[] = [
  tangentScaled,
  tangentDropped,
  cotangentDropped,
  cotangentSwapped,
  batchShifted,
  dtypeChanged,
  linearizedScaled,
];

/** What became of the mutants of one kind of one primitive. */
export type Outcome =
  | { readonly kind: 'not applicable'; readonly reason: string }
  /** For each mutant the law that failed and the cases until then; `null` if it survived. */
  | {
      readonly kind: 'judged';
      readonly mutants: readonly { readonly operand?: number; readonly caught: Catch | null }[];
    };

/** How a mutant was caught. */
export interface Catch {
  readonly law: string;
  readonly runs: number;
}

/** How mutants are judged. */
export interface MutantOptions {
  /** Cases within which a law must fail; default 100. */
  readonly runs?: number;
  readonly seed?: number;
}

/** Judge the mutants of one kind of one primitive. */
export function judgeMutants(
  name: PrimitiveName,
  mutation: Mutation,
  { runs = 100, seed = 1 }: MutantOptions = {},
): Outcome {
  const { primitive, row } = subject(name);
  const mutants = mutation.of(primitive, row);
  if (typeof mutants === 'string') return { kind: 'not applicable', reason: mutants };
  return {
    kind: 'judged',
    mutants: mutants.map((mutant) => ({
      ...(mutant.operand === undefined ? {} : { operand: mutant.operand }),
      caught: firstCatch(expectedFirst(lawsOf(mutant.primitive, row), mutation.judge), { runs, seed }),
    })),
  };
}

const expectedFirst = (laws: readonly Law[], judge: string): readonly Law[] => [
  ...laws.filter((l) => l.name.endsWith(judge)),
  ...laws.filter((l) => !l.name.endsWith(judge)),
];

function firstCatch(laws: readonly Law[], options: MutantOptions): Catch | null {
  for (const l of laws) {
    const { failure, runs } = l.run({ ...options, shrink: false });
    if (failure) return { law: l.name, runs };
  }
  return null;
}

/** All outcomes: for each primitive one for each of {@link mutations}. */
export type MutantTable = ReadonlyMap<PrimitiveName, readonly Outcome[]>;

/** The mutants that no law caught, as `exp: tangent × 1.01`. */
export const survivors = (table: MutantTable): readonly string[] =>
  [...table].flatMap(([name, outcomes]) =>
    outcomes.flatMap((outcome, i) =>
      outcome.kind === 'judged'
        ? outcome.mutants.flatMap(({ operand, caught }) =>
            caught ? [] : [`${name}: ${mutations[i]!.name}${operand === undefined ? '' : ` (operand ${operand})`}`],
          )
        : [],
    ),
  );

/** Judge every mutant of every primitive. */
export const mutantTable = (options: MutantOptions = {}): MutantTable =>
  new Map(primitiveNames.map((name) => [name, mutations.map((m) => judgeMutants(name, m, options))]));

/**
 * The table as text: for each primitive and kind of mutant the cases after which it was caught, one number for each operand
 * that was broken, or why there is none.
 */
export function showMutantTable(table: MutantTable): string {
  const rows = [
    ['primitive', ...mutations.map((m) => m.name)],
    ...[...table].map(([name, outcomes]) => [name, ...outcomes.map(showOutcome)]),
  ];
  const widths = range(mutations.length + 1).map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const [head, ...body] = rows;
  return [line(head!), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...body.map(line)].join('\n');
}

const showOutcome = (outcome: Outcome): string =>
  outcome.kind === 'not applicable'
    ? `n/a: ${outcome.reason}`
    : outcome.mutants
        .map(
          ({ operand, caught }) => `${operand === undefined ? '' : `${operand}: `}${caught ? caught.runs : 'SURVIVED'}`,
        )
        .join(', ');
