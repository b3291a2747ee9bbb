/**
 * Well-typed random programs for judging passes: full of what passes look for (constants, repeated and dead computations,
 * identities, chains of moves, calls, barriers), over all dtypes. Drawn from a list of numbers, so that they shrink with it.
 */

import fc from 'fast-check';
import { type Aval, makeAval } from '../../src/core/aval.ts';
import { type DType, dtypes, isFloat } from '../../src/core/dtype.ts';
import { type Jaxpr, makeVar } from '../../src/core/jaxpr.ts';
import { noParams, type Primitive } from '../../src/core/primitive.ts';
import { range } from '../../src/core/shape.ts';
import { stage } from '../../src/core/stage.ts';
import { bind1 } from '../../src/core/trace.ts';
import type { Value } from '../../src/core/value.ts';
import * as a from '../../src/prim/arithmetic.ts';
import * as b from '../../src/prim/bits.ts';
import * as c from '../../src/prim/compare.ts';
import { full } from '../../src/prim/compose.ts';
import { dotGeneralP } from '../../src/prim/dot.ts';
import { named, optimizationBarrier, stopGradientOf } from '../../src/prim/identity.ts';
import * as m from '../../src/prim/math.ts';
import { reduceMaxP, reduceSumP } from '../../src/prim/reduce.ts';
import * as s from '../../src/prim/structural.ts';
import { call } from '../../transforms/call.ts';
import { specials } from './interpret.ts';

/** Reads numbers off a list; when it is used up, every draw is 0. */
class Draws {
  private next = 0;
  private readonly numbers: readonly number[];

  constructor(numbers: readonly number[]) {
    this.numbers = numbers;
  }

  get done(): boolean {
    return this.next >= this.numbers.length;
  }

  below(n: number): number {
    return (this.numbers[this.next++] ?? 0) % n;
  }

  of<A>(choices: readonly A[]): A {
    return choices[this.below(choices.length)]!;
  }

  some<A>(xs: readonly A[]): readonly A[] {
    return xs.filter(() => this.below(2) === 1);
  }
}

/** Values of the program so far, latest last. */
type Pool = Value[];
type Step = (draws: Draws, x: Value, pool: Pool) => readonly Value[];

const largest = 64;
const one = <P>(primitive: Primitive<string, P>, ins: readonly Value[], params: P): readonly Value[] => [
  bind1(primitive, ins, params),
];

/** Another operand for x: something of its type, x itself, or a constant. */
function beside(draws: Draws, x: Value, pool: Pool): Value {
  const same = pool.filter((y) => y.dtype === x.dtype && y.shape.join() === x.shape.join());
  return draws.below(3) === 0 ? full(x.aval, draws.of(specials[x.dtype])) : draws.of(same);
}

const binaryNumbers = [a.addP, a.subP, a.mulP, a.divP, a.maxP, a.minP] as readonly Primitive<string, typeof noParams>[];
const comparisons = [c.eqP, c.neP, c.ltP, c.leP, c.gtP, c.geP] as readonly Primitive<string, typeof noParams>[];
const logic = [b.andP, b.orP, b.xorP] as readonly Primitive<string, typeof noParams>[];
const shifts = [b.shiftLeftP, b.shiftRightLogicalP, b.shiftRightArithmeticP] as readonly Primitive<
  string,
  typeof noParams
>[];
const floats = [m.expP, m.logP, m.tanhP, m.logisticP, m.sinP, m.cosP, m.sqrtP, m.erfInvP] as readonly Primitive<
  string,
  typeof noParams
>[];

const compute: Step = (draws, x, pool) => {
  const y = beside(draws, x, pool);
  if (x.dtype === 'bool') {
    if (draws.below(3) === 0) return [b.not(x)];
    return one(draws.of([...logic, ...comparisons, a.maxP, a.minP]), draws.below(2) ? [x, y] : [y, x], noParams);
  }
  const kind = draws.below(6);
  if (kind === 0) return [a.neg(x)];
  if (kind === 1) return one(draws.of(comparisons), [x, y], noParams);
  if (kind === 2) return one(a.integerPowP, [x], { exponent: draws.below(4) });
  if (kind === 3) {
    if (isFloat(x.dtype)) return one(draws.of(floats), [x], noParams);
    return draws.below(3) === 0 ? [b.not(x)] : one(draws.of([...logic, ...shifts]), [x, y], noParams);
  }
  return one(draws.of(binaryNumbers), draws.below(2) ? [x, y] : [y, x], noParams);
};

const choose: Step = (draws, x, pool) => {
  const predicates = pool.filter((p) => p.dtype === 'bool' && p.shape.join() === x.shape.join());
  const predicate =
    predicates.length > 0 && draws.below(4) > 0
      ? draws.of(predicates)
      : full(makeAval(x.shape, 'bool'), draws.below(2));
  return [c.select(predicate, x, beside(draws, x, pool))];
};

const cast: Step = (draws, x) => {
  if (draws.below(3) === 0 && !['bool', 'float64'].includes(x.dtype)) {
    // NaN is one value to the passes, but not to its bits.
    const known = x.dtype === 'float32' ? c.select(c.eq(x, x), x, full(x.aval, 1)) : x;
    return one(b.bitcastConvertTypeP, [known], { dtype: draws.of(['float32', 'int32', 'uint32'] as const) });
  }
  return one(a.convertElementTypeP, [x], { dtype: draws.of(dtypes), weak: false });
};

const move: Step = (draws, x, pool) => {
  const { shape } = x;
  const axes = range(shape.length);
  switch (draws.below(7)) {
    case 0:
      return one(s.reshapeP, [x], {
        shape: draws.of([[x.size], [...shape, 1], [1, ...shape], shape, [...shape].reverse()]),
      });
    case 1: {
      const rest = [...axes];
      return one(s.transposeP, [x], { permutation: axes.map(() => rest.splice(draws.below(rest.length), 1)[0]!) });
    }
    case 2: {
      const lead = draws.of([[], [1], [2]]);
      const wide = shape.map((n) => (n === 1 ? 1 + draws.below(3) : n));
      return one(s.broadcastInDimP, [x], {
        shape: [...lead, ...wide],
        broadcastDimensions: axes.map((axis) => axis + lead.length),
      });
    }
    case 3: {
      const start = shape.map((n) => draws.below(n + 1) % 2);
      const limit = shape.map((n, axis) => Math.max(Math.min(start[axis]!, n), n - draws.below(2)));
      const strides = shape.map(() => 1 + draws.below(2));
      return one(s.sliceP, [x], { start: start.map((at, axis) => Math.min(at, limit[axis]!)), limit, strides });
    }
    case 4: {
      const low = shape.map((n) => draws.below(3) - Math.min(1, n));
      const high = shape.map((n, axis) => Math.max(draws.below(3) - 1, -n - low[axis]!));
      const interior = shape.map(() => draws.below(4) % 2);
      const scalars = pool.filter((v) => v.dtype === x.dtype && v.shape.length === 0);
      const value = scalars.length > 0 ? draws.of(scalars) : full(makeAval([], x.dtype), draws.of(specials[x.dtype]));
      return one(s.padP, [x, value], { low, high, interior });
    }
    case 5:
      if (shape.length === 0) return [x];
      return join(draws, x);
    default: {
      if (x.dtype === 'bool' || draws.below(2)) return one(reduceMaxP, [x], { axes: draws.some(axes) });
      return one(reduceSumP, [x], { axes: draws.some(axes) });
    }
  }
};

function join(draws: Draws, x: Value): readonly Value[] {
  const dimension = draws.below(x.shape.length);
  const empty = bind1(s.sliceP, [x], {
    start: x.shape.map(() => 0),
    limit: x.shape.map((n, axis) => (axis === dimension ? 0 : n)),
    strides: x.shape.map(() => 1),
  });
  return one(s.concatenateP, draws.of([[x], [x, x], [x, empty]]), { dimension });
}

/** A scalar of the pool, or a constant, in every place of a shape of the pool; and a product of negatives. */
const repeat: Step = (draws, x, pool) => {
  if (draws.below(3) === 0 && x.dtype !== 'bool') {
    const y = beside(draws, x, pool);
    return one(draws.of([a.mulP, a.divP]), [a.neg(x), a.neg(y)], noParams);
  }
  const scalars = pool.filter((v) => v.shape.length === 0);
  const scalar = scalars.length > 0 ? draws.of(scalars) : full(makeAval([], x.dtype), draws.of(specials[x.dtype]));
  return one(s.broadcastInDimP, [scalar], { shape: draws.of(pool).shape, broadcastDimensions: [] });
};

const contract: Step = (_draws, x) => {
  if (x.shape.length !== 2 || x.dtype === 'bool') return [];
  const params = { lhsContracting: [1], rhsContracting: [1], lhsBatch: [], rhsBatch: [] };
  return one(dotGeneralP, [x, x], params);
};

/** What ties or wraps: barriers, stop_gradient, names, and a call of a small program, possibly made twice and partly used. */
const wrap: Step = (draws, x, pool) => {
  const kind = draws.below(4);
  if (kind === 0) return [stopGradientOf(named(x, 'x'))];
  if (kind === 1) return optimizationBarrier([x, draws.of(pool)]);
  const y = draws.of(pool);
  const body = fill(draws, [x.aval, y.aval], 1 + draws.below(4), kind === 2);
  const outs = call('inner', body, [x, y]);
  return draws.below(2) ? [...outs, ...call('inner', body, [x, y])] : draws.some(outs);
};

const steps: readonly Step[] = [
  compute,
  compute,
  compute,
  compute,
  choose,
  cast,
  move,
  move,
  move,
  repeat,
  contract,
  wrap,
];

/** A program of up to `length` steps on inputs of these avals. */
function fill(draws: Draws, avals: readonly Aval[], length: number, nested = true): Jaxpr {
  return stage(
    'test',
    (...args) => {
      const pool: Pool = [...args];
      const allowed = nested ? steps : steps.filter((step) => step !== wrap);
      for (let i = 0; i < length && !draws.done; i++) {
        // Later values more often, so that chains get long.
        const x = draws.below(2) ? pool.at(-1)! : draws.of(pool);
        pool.push(
          ...draws
            .of(allowed)(draws, x, pool)
            .filter((y) => y.size <= largest),
        );
      }
      const outs = draws.some(pool);
      return outs.length > 0 ? outs : pool.slice(-2);
    },
    avals,
  ).jaxpr;
}

const shapes: readonly (readonly number[])[] = [[], [1], [3], [2, 3], [2, 1, 3], [0, 2]];

/** Random programs with two or three inputs. */
export const arbitraryProgram: fc.Arbitrary<Jaxpr> = fc
  .array(fc.nat({ max: 1 << 16 }), { minLength: 8, maxLength: 250, size: 'max' })
  .map((numbers) => {
    const draws = new Draws(numbers);
    const dtype: DType = draws.of(dtypes);
    const shape = draws.of(shapes);
    return fill(
      draws,
      [makeAval(shape, dtype), makeAval(shape, dtype), makeAval(draws.of(shapes), draws.of(dtypes))],
      60,
    );
  });

/** The same program with new variables everywhere. */
export function renamed(jaxpr: Jaxpr): Jaxpr {
  const names = new Map(jaxpr.ins.map((v) => [v, makeVar(v.aval)]));
  const read = <A extends Jaxpr['outs'][number]>(atom: A): A => (names.get(atom) as A | undefined) ?? atom;
  const eqns = jaxpr.eqns.map((eqn) => {
    const ins = eqn.ins.map(read);
    for (const v of eqn.outs) names.set(v, makeVar(v.aval));
    return { ...eqn, ins, outs: eqn.outs.map(read) };
  });
  return { ...jaxpr, ins: jaxpr.ins.map(read), eqns, outs: jaxpr.outs.map(read) };
}
