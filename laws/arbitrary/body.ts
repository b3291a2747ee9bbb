/**
 * Arbitrary bodies of loops: random programs whose first results have the types of the values that they carry.
 */

import * as fc from 'fast-check';
import { type Aval, makeAval } from '../../src/core/aval.ts';
import { type DType, isFloat } from '../../src/core/dtype.ts';
import { noParams } from '../../src/core/primitive.ts';
import { firstOrder as p } from '../../src/prim/registry.ts';
import { hostTensor } from '../host.ts';
import { Draft, genes, type Op, type Program } from './program.ts';
import { shape } from './shape.ts';

/** A body: a program from constants, carries and slices to the next carries and what is stacked. */
export interface Body {
  readonly program: Program;
  readonly consts: number;
  readonly carry: number;
}

/** Which bodies. */
export interface BodyOptions {
  readonly ops: readonly Op[];
  readonly dtypes: readonly DType[];
  /** Operations at most; default 3. */
  readonly maxSteps?: number;
  /** May there be slices? Default true. */
  readonly slices?: boolean;
  /** What becomes of a carry before it is returned, so that it stays moderate from step to step. */
  readonly settle?: (draft: Draft, carry: number) => number;
  /** Carry a counter as well, an int32 by which the first carry is multiplied, if it is a float. */
  readonly counts?: boolean;
}

const alike = (a: Aval, b: Aval): boolean => a.dtype === b.dtype && a.shape.join() === b.shape.join();

/** The sine of the sum with all inputs of the same type: it depends on all, and stays between −1 and 1. */
export const sineOfAll = (draft: Draft, carry: number): number => settled(draft, sumOfAll(draft, carry));

const settled = (draft: Draft, x: number): number =>
  isFloat(draft.avals[x]!.dtype) ? draft.hide(draft.emit(p.sin, [x], noParams)) : x;

/** The sum with all inputs of the same type. */
export const sumOfAll = (draft: Draft, carry: number): number => {
  if (!isFloat(draft.avals[carry]!.dtype)) return carry;
  let sum = carry;
  draft.avals.slice(0, draft.inputs).forEach((aval, i) => {
    if (alike(aval, draft.avals[carry]!)) sum = draft.hide(draft.emit(p.add, [sum, i], noParams));
  });
  return sum;
};

/** A body of at most one constant and one slice, one or two carries, and up to two results that are stacked. */
export const bodies = ({
  ops,
  dtypes,
  maxSteps = 3,
  slices = true,
  settle = (_, carry) => carry,
  counts = false,
}: BodyOptions): fc.Arbitrary<Body> =>
  fc
    .record({
      lengths: fc.array(shape({ maxRank: 2, empty: false }), { minLength: 2, maxLength: 2 }),
      inputs: fc.array(fc.tuple(fc.nat({ max: 2 }), fc.constantFrom(...dtypes)), { minLength: 4, maxLength: 4 }),
      consts: fc.nat({ max: 1 }),
      carry: fc.integer({ min: 1, max: 2 }),
      xs: slices ? fc.nat({ max: 1 }) : fc.constant(0),
      choices: genes(maxSteps),
      ys: slices ? fc.nat({ max: 2 }) : fc.constant(0),
    })
    .map(({ lengths, inputs, consts, carry, xs, choices, ys }) => {
      const avals = inputs.map(([which, dtype]) => makeAval(lengths[which === 2 ? 1 : 0]!, dtype));
      const carried = counts ? [...avals.slice(1, 1 + carry), makeAval([], 'int32')] : avals.slice(1, 1 + carry);
      const ins = [...avals.slice(0, consts), ...carried, ...avals.slice(3, 3 + xs)];
      const draft = new Draft(ins, ops);
      const next = counts ? count(draft, consts, consts + carry) : [];
      draft.decode(choices);
      const returned = latestLike(draft, carried.slice(0, carry));
      const stacked = draft.visible().slice(0, ys);
      const outs = [...returned.map((i) => settle(draft, i)), ...next, ...stacked];
      return { program: draft.returning(outs), consts, carry: carried.length };
    });

/** The latest value of each type; of a type that is wanted again, the one before. */
function latestLike(draft: Draft, wanted: readonly Aval[]): readonly number[] {
  const taken = new Map<string, number>();
  return wanted.map((aval) => {
    const fitting = draft.visible().filter((i) => alike(draft.avals[i]!, aval));
    const key = `${aval.dtype}${aval.shape}`;
    const already = taken.get(key) ?? 0;
    taken.set(key, already + 1);
    return fitting[Math.min(already, fitting.length - 1)]!;
  });
}

/** Two or three programs of the same inputs, with results of the types of the first inputs. */
export const alternatives = ({
  ops,
  dtypes,
  maxSteps = 3,
  settle = (_, x) => x,
}: BodyOptions): fc.Arbitrary<readonly Program[]> =>
  fc
    .record({
      lengths: fc.array(shape({ maxRank: 2, empty: false }), { minLength: 2, maxLength: 2 }),
      inputs: fc.array(fc.tuple(fc.nat({ max: 2 }), fc.constantFrom(...dtypes)), { minLength: 1, maxLength: 3 }),
      results: fc.integer({ min: 1, max: 2 }),
      choices: fc.array(genes(maxSteps), { minLength: 2, maxLength: 3 }),
    })
    .map(({ lengths, inputs, results, choices }) => {
      const ins = inputs.map(([which, dtype]) => makeAval(lengths[which === 2 ? 1 : 0]!, dtype));
      return choices.map((chosen) => {
        const draft = new Draft(ins, ops);
        draft.decode(chosen);
        return draft.returning(latestLike(draft, ins.slice(0, results)).map((i) => settle(draft, i)));
      });
    });

/** Multiply the value `x` by the counter at `at`, which is counted up; returns the next counter. */
function count(draft: Draft, x: number, at: number): readonly number[] {
  const { dtype, shape: s } = draft.avals[x]!;
  if (isFloat(dtype)) {
    const factor = draft.hide(draft.emit(p.convert_element_type, [at], { dtype, weak: false }));
    const spread = draft.hide(draft.emit(p.broadcast_in_dim, [factor], { shape: s, broadcastDimensions: [] }));
    draft.emit(p.mul, [x, spread], noParams);
  }
  draft.hide(at);
  return [draft.hide(draft.emit(p.add, [at, hostTensor([], 'int32', [1])], noParams))];
}
