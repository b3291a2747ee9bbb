/**
 * Mutations: the ways in which a record can be broken, each in one rule.
 *
 * Where a mutation does not apply to a primitive there is a written reason. Only the outer rule is broken: what it calls is
 * sound.
 */

import * as fc from 'fast-check';
import { type Aval, makeAval, withDType, withShape } from '../src/core/aval.ts';
import { type DType, isFloat, isInteger } from '../src/core/dtype.ts';
import type { HigherOrder, Primitive, Tangent } from '../src/core/primitive.ts';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { add, mul } from '../src/prim/arithmetic.ts';
import { eq, select } from '../src/prim/compare.ts';
import { fullLike, zeros } from '../src/prim/compose.ts';
import { reduceSum, unreduce } from '../src/prim/reduce.ts';
import { gatherBack, type ScatterAddParams, scatterAdd } from '../src/prim/scatter.ts';
import { broadcastInDim, moveAxis } from '../src/prim/structural.ts';
import { type Call, floatsOf, type Row } from './generators/row.ts';
import { differentiableCalls } from './primitive-case.ts';
import { sharing } from './primitive-contracts.laws.ts';

/** A broken record, and in which operand (or result) if that is a choice. */
export interface Mutant {
  readonly operand?: number;
  readonly primitive: Primitive;
}

/** A way to break records. */
export interface Mutation {
  readonly name: string;
  /** The law that is to notice it. */
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
  const differentiable = dtypes.length > 0 ? fc.sample(differentiableCalls(row), options) : [];
  return {
    all: fc.sample(row.calls(row.takes), options),
    differentiable,
    linear: row.linearCalls ? fc.sample(row.linearCalls, options) : differentiable,
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

/** Has it operands, which alone can be batched? */
const hasOperands = (row: Row<unknown>): boolean => samples(row).all.some((call) => call.ins.length > 0);

const batchShifted: Mutation = {
  name: 'batch axis off by one',
  judge: 'vmap = stack ∘ map',
  of: (primitive, row) => {
    if (!hasOperands(row)) return 'has no operands';
    const vmap: Primitive['vmap'] = (...args) => {
      const { outs, dims } = primitive.vmap(...args);
      return { outs, dims: dims.map((dim, i) => (dim === null ? null : (dim + 1) % outs[i]!.ndim)) };
    };
    return [{ primitive: { ...primitive, vmap } }];
  },
};

/** A record whose batched results of some dtypes are changed a little. */
const nudged = (
  name: string,
  affects: (dtype: DType) => boolean,
  otherwise: string,
  change: (x: Value) => Value,
): Mutation => ({
  name,
  judge: 'vmap = stack ∘ map',
  of: (primitive, row) => {
    if (!hasOperands(row)) return 'has no operands';
    if (!samples(row).all.some((call) => row.results(call).some((aval) => affects(aval.dtype)))) return otherwise;
    const vmap: Primitive['vmap'] = (...args) => {
      const { outs, dims } = primitive.vmap(...args);
      return { outs: outs.map((x) => (affects(x.dtype) ? change(x) : x)), dims };
    };
    return [{ primitive: { ...primitive, vmap } }];
  },
});

const batchNudged = nudged('batched + 5e-4', isFloat, 'returns no floats', (x) => add(x, fullLike(x, 5e-4)));

const batchCountedOn = nudged('batched integers + 1', isInteger, 'returns no integers', (x) => add(x, fullLike(x, 1)));

/** 0 times the sum of all elements, added to each: no finite value shows it. */
function leaking(tangents: readonly Tangent[], into: readonly Tangent[]): readonly Tangent[] {
  const sums = tangents.flatMap((t) => (t ? [reduceSum(t, range(t.ndim))] : []));
  return into.map((t) =>
    sums.reduce<Tangent>(
      (sum, s) =>
        sum && (s.dtype === sum.dtype ? add(sum, broadcastInDim(mul(s, fullLike(s, 0)), sum.shape, [])) : sum),
      t,
    ),
  );
}

const tangentLeaking: Mutation = {
  name: 'tangent + 0·Σ',
  judge: 'tangents move as elements do',
  of: (primitive, row) => {
    if (!row.moves) return 'computes with elements';
    const jvp: Jvp = (primals, tangents, params) => {
      const { outs, tangents: sound } = primitive.jvp(primals, tangents, params);
      return { outs, tangents: leaking(tangents, sound) };
    };
    return [{ primitive: withJvp(primitive, jvp) }];
  },
};

const cotangentLeaking: Mutation = {
  name: 'cotangent + 0·Σ',
  judge: 'cotangents move back as elements came',
  of: (primitive, row) => {
    if (!row.moves) return 'computes with elements';
    const sound = primitive.transpose as Transpose;
    const transpose: Transpose = (cts, ...rest) => leaking(cts, sound(cts, ...rest));
    return [{ primitive: { ...primitive, transpose } }];
  },
};

const tiesInFull: Mutation = {
  name: 'ties in full',
  judge: 'ties share the tangent equally',
  of: (primitive) => {
    if (!sharing.includes(primitive.name)) return 'selects no extreme element';
    const jvp: Jvp = (primals, tangents, params) => {
      const { outs } = primitive.jvp(primals, tangents, params);
      const { axes = [] } = params as { readonly axes?: readonly number[] };
      const won = (x: Value, y: Value, t: Value): Value => select(eq(x, y), t, zeros(t.aval));
      if (primitive.name.startsWith('scatter')) {
        const [[x, indices, updates], [dx, , du]] = [primals as readonly Value[], tangents];
        const p = params as ScatterAddParams;
        const best = gatherBack(outs[0]!, indices!, updates!.aval, p);
        const kept = dx ? won(x!, outs[0]!, dx) : zeros(x!.aval);
        return { outs, tangents: [du ? scatterAdd(kept, indices!, won(updates!, best, du), p) : kept] };
      }
      const shares = primals.flatMap((x, i) => {
        const t = tangents[i];
        return t ? [reduceSum(won(x, unreduce(outs[0]!, x.shape, axes), t), axes)] : [];
      });
      return { outs, tangents: [shares.reduce(add)] };
    };
    return [{ primitive: withJvp(primitive, jvp) }];
  },
};

const otherDType: { readonly [D in DType]: DType } = {
  bool: 'int32',
  uint32: 'int32',
  int32: 'float32',
  float32: 'int32',
  float64: 'float32',
};

/** A record that says something else of each of its results in turn. */
const misstated = (
  name: string,
  change: (aval: Aval) => Aval,
  reason: (results: readonly (readonly Aval[])[]) => string | null = () => null,
  applies: (avals: readonly Aval[]) => boolean = () => true,
): Mutation => ({
  name,
  judge: 'abstractEval = actual aval',
  of: (primitive, row) => {
    const results = samples(row).all.map((call: Call<unknown>) => row.results(call));
    const inapplicable = reason(results);
    if (inapplicable !== null) return inapplicable;
    const changed = range(Math.min(...results.map((avals) => avals.length))).filter((i) =>
      applies(results.map((avals) => avals[i]!)),
    );
    return changed.map((operand) => {
      const abstractEval: Primitive['abstractEval'] = (...args) =>
        primitive.abstractEval(...args).map((aval, i) => (i === operand ? change(aval) : aval));
      return { operand, primitive: { ...primitive, abstractEval } };
    });
  },
});

const dtypeChanged = misstated('dtype changed', (aval) => withDType(aval, otherDType[aval.dtype]));

const weakFlipped = misstated('weak flipped', ({ shape, dtype, weak }) => makeAval(shape, dtype, !weak));

const weakNever = misstated(
  'never weak',
  ({ shape, dtype }) => makeAval(shape, dtype),
  (results) => (results.some((avals) => avals.some((x) => x.weak)) ? null : 'its results are never weak'),
  (avals) => avals.some((x) => x.weak),
);

const weakAlways = misstated('always weak', ({ shape, dtype }) => makeAval(shape, dtype, true));

const shapeReversed = misstated('shape reversed', (aval) => withShape(aval, [...aval.shape].reverse()));

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
  batchNudged,
  batchCountedOn,
  tangentLeaking,
  cotangentLeaking,
  tiesInFull,
  dtypeChanged,
  weakFlipped,
  weakNever,
  weakAlways,
  shapeReversed,
  linearizedScaled,
];
