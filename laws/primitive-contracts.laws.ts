/**
 * What the laws of every primitive cannot see: values at which differences do not exist, and values themselves.
 *
 * - What only moves elements moves tangents and cotangents along the same ways, and nothing else: an infinity or a NaN reaches
 *   no element that its own element does not reach (the branch of `select` that is not taken, a neighbour, what was cut off).
 * - Where an extremum is attained more than once, all that attain it share the tangent equally, as in JAX.
 * - `integer_pow` is a power for every exponent, also for such as a word does not hold.
 */

import { makeAval } from '../src/core/aval.ts';
import { withDefaultDevice } from '../src/core/backend.ts';
import { isFloat } from '../src/core/dtype.ts';
import type { Hole, Primitive } from '../src/core/primitive.ts';
import { range, type Shape, sizeOf, stridesOf, without } from '../src/core/shape.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { gatherBack, type ScatterAddParams } from '../src/prim/scatter.ts';
import { subsets } from './arbitrary/axes.ts';
import { type Domain, edgy, summable, tied } from './arbitrary/elements.ts';
import { exact } from './fd.ts';
import type { Call, Row } from './generators/row.ts';
import { type HostTensor, toTensor } from './host.ts';
import { every, expect, fails, type Law, law, type Verdict } from './law.ts';
import {
  anyDomain,
  applying,
  cases,
  differentiableCalls,
  directions,
  elements,
  pushForward,
} from './primitive-case.ts';

/** The laws that only some primitives have. */
export function contractsOf<P>(primitive: Primitive<string, P>, row: Row<P>): readonly Law[] {
  const candidates = extrema[primitive.name];
  return [
    ...(row.moves ? [tangentEdgesLaw(primitive, row), cotangentEdgesLaw(primitive, row)] : []),
    ...(candidates ? [tiesLaw(primitive, row, candidates)] : []),
    ...(primitive.name === 'integer_pow' ? [powerLaw(primitive, row)] : []),
  ];
}

/** Equal as numbers, or both NaN: the sign of a zero depends on what it was added to. */
const sameNumber = (a: number, b: number): boolean => a === b || (Number.isNaN(a) && Number.isNaN(b));

const sameNumbers = (what: string, found: ArrayLike<number>, wanted: ArrayLike<number>): Verdict =>
  every(range(wanted.length), (k) =>
    expect(
      found.length === wanted.length && sameNumber(found[k]!, wanted[k]!),
      () => `${what}: element ${k} is ${found[k]}, expected ${wanted[k]}`,
    ),
  );

/** Where each element of each result comes from: the operand of `group` and its element, or neither (a zero). */
function sources<P>(
  primitive: Primitive<string, P>,
  { params }: Call<P>,
  operands: readonly HostTensor[],
  group: readonly number[],
): readonly (readonly (readonly [operand: number, at: number] | null)[])[] {
  const origin: (readonly [number, number] | null)[] = [null];
  // Every element gets its number; numbers from 1, so that 0 is what comes from nowhere.
  const labelled = operands.map((x, operand) =>
    group.includes(operand) ? { ...x, data: Array.from(x.data, (_, at) => origin.push([operand, at]) - 1) } : x,
  );
  const outs = bind(
    primitive,
    labelled.map((x) => toTensor(x)),
    params,
  );
  return outs.map((y) => Array.from(y.dataSync(), (label: number) => origin[label]!));
}

/** The operands in which a call of a mover is linear. */
const movedOf = <P>(row: Row<P>, call: Call<P>): readonly number[] => row.linear(call)[0] ?? [];

/** The tangent of an element is the tangent of the element that it is, whatever the others are. */
function tangentEdgesLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  const arbitrary = cases(differentiableCalls(row), anyDomain(row)).chain(({ call, operands }) =>
    directions(call.ins, edgy).map((tangents) => ({ call, operands, tangents })),
  );
  return law(`${primitive.name}: tangents move as elements do`, [arbitrary], ({ call, operands, tangents }) =>
    withDefaultDevice(exact, () => {
      const group = movedOf(row, call);
      const from = sources(primitive, call, operands, group);
      return every(
        subsets(group),
        (active) => {
          const pushed = pushForward(applying(primitive, call), operands, tangents, active);
          return every(range(from.length), (i) => {
            const wanted = from[i]!.map((source) =>
              source && active.includes(source[0]) ? tangents[source[0]]!.data[source[1]]! : 0,
            );
            return sameNumbers(`tangent ${i}`, elements(pushed.tangents[i]!, pushed.outs[i]!), wanted);
          });
        },
        (active) => `with tangents of operands (${active})`,
      );
    }),
  );
}

/** The cotangent of an element is the sum of the cotangents of the elements that are it, and of no others. */
function cotangentEdgesLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  const arbitrary = cases(differentiableCalls(row), anyDomain(row)).chain(({ call, operands }) =>
    directions(row.results(call), summable).map((cts) => ({ call, operands, cts })),
  );
  return law(`${primitive.name}: cotangents move back as elements came`, [arbitrary], ({ call, operands, cts }) =>
    withDefaultDevice(exact, () => {
      const { transpose } = primitive;
      if (transpose === 'nonlinear')
        return fails('the row says that it moves elements, the record that it is nonlinear');
      const group = movedOf(row, call);
      const from = sources(primitive, call, operands, group);
      return every(
        subsets(group),
        (holes) => {
          const pulled = transpose(
            cts.map((ct) => (isFloat(ct.dtype) ? toTensor(ct) : null)),
            operands.map((x, i): Value | Hole =>
              holes.includes(i) ? { linear: true, aval: call.ins[i]! } : toTensor(x),
            ),
            call.params,
          );
          return every(holes, (hole) => {
            const wanted = new Float64Array(operands[hole]!.data.length);
            from.forEach((of, i) => {
              of.forEach((source, k) => {
                if (source?.[0] === hole) wanted[source[1]] = wanted[source[1]]! + cts[i]!.data[k]!;
              });
            });
            return sameNumbers(`cotangent of operand ${hole}`, elements(pulled[hole] ?? null, call.ins[hole]!), wanted);
          });
        },
        (holes) => `transposed in operands (${holes})`,
      );
    }),
  );
}

/** For each element of an extremum, what competes for it: elements of operands. */
type Candidates = (ins: readonly HostTensor[], params: unknown) => readonly (readonly (readonly [number, number])[])[];

const pairs: Candidates = ([x]) => range(x!.data.length).map((k) => [0, 1].map((operand) => [operand, k] as const));

const reduced: Candidates = ([x], params) => {
  const { axes } = params as { readonly axes: Shape };
  const kept = without(range(x!.shape.length), axes);
  const lengths = kept.map((axis) => x!.shape[axis]!);
  const [strides, outer] = [stridesOf(x!.shape), stridesOf(lengths)];
  const groups = range(sizeOf(lengths)).map((): (readonly [number, number])[] => []);
  range(x!.data.length).forEach((k) => {
    const at = kept.reduce((sum, axis, i) => sum + outer[i]! * (Math.floor(k / strides[axis]!) % x!.shape[axis]!), 0);
    groups[at]!.push([0, k]);
  });
  return groups;
};

/** An element and the updates that meet there, which are found by writing the number of each element in its place. */
const scattered: Candidates = ([x, indices, updates], params) => {
  const p = params as ScatterAddParams;
  const numbers = toTensor({ ...x!, dtype: 'int32', data: range(x!.data.length).map((k) => k + 1) });
  const aval = makeAval(updates!.shape, updates!.dtype);
  const targets = gatherBack(numbers, toTensor(indices!), aval, p).dataSync();
  return range(x!.data.length).map((k) => [
    [0, k] as const,
    ...range(targets.length).flatMap((i) => (targets[i] === k + 1 ? [[2, i] as const] : [])),
  ]);
};

/** The primitives that select an extreme element: what it is among, and which is better. */
const extrema: { readonly [name: string]: readonly [Candidates, (a: number, b: number) => boolean] } = {
  max: [pairs, (a, b) => a > b],
  min: [pairs, (a, b) => a < b],
  reduce_max: [reduced, (a, b) => a > b],
  scatter_min: [scattered, (a, b) => a < b],
  scatter_max: [scattered, (a, b) => a > b],
};

/** The names of the primitives that share a tangent among ties. */
export const sharing: readonly string[] = Object.keys(extrema);

/** The tangent of an extremum is the mean of the tangents of all elements that attain it. */
function tiesLaw<P>(primitive: Primitive<string, P>, row: Row<P>, [candidates, better]: (typeof extrema)[string]): Law {
  const tiedFloats = (call: Call<P>, i: number): Domain =>
    isFloat(call.ins[i]!.dtype) ? tied : row.operands(call)[i]!.domain;
  const arbitrary = cases(differentiableCalls(row), tiedFloats).chain(({ call, operands }) =>
    directions(call.ins).map((tangents) => ({ call, operands, tangents })),
  );
  return law(`${primitive.name}: ties share the tangent equally`, [arbitrary], ({ call, operands, tangents }) =>
    withDefaultDevice(exact, () =>
      every(subsets(range(operands.length).filter((i) => isFloat(operands[i]!.dtype))), (active) => {
        const pushed = pushForward(applying(primitive, call), operands, tangents, active);
        const wanted = candidates(operands, call.params).map((group) => {
          const value = ([operand, k]: readonly [number, number]): number => operands[operand]!.data[k]!;
          const best = group.filter((a) => !group.some((b) => better(value(b), value(a))));
          const moving = best.filter(([operand]) => active.includes(operand));
          return moving.reduce((sum, [operand, k]) => sum + tangents[operand]!.data[k]!, 0) / best.length;
        });
        return sameNumbers(`tangent for (${active})`, elements(pushed.tangents[0]!, pushed.outs[0]!), wanted);
      }),
    ),
  );
}

/** The power of a word, modulo 2³². */
function wordPower(x: number, exponent: number): bigint {
  let [power, base] = [1n, BigInt.asUintN(32, BigInt(x))];
  for (let n = BigInt(exponent); n > 0n; n >>= 1n) {
    if (n & 1n) power = BigInt.asUintN(32, power * base);
    base = BigInt.asUintN(32, base * base);
  }
  return power;
}

/**
 * The least and the largest value that a power may have: |n| roundings of its dtype away from the power that JavaScript
 * computes. `x⁻ⁿ` is 1/xⁿ. Where the power is 0, 1, infinite or NaN there is one value.
 */
function floatPower(x: number, exponent: number, rounding: number): readonly [number, number] {
  const n = Math.abs(exponent);
  const power = x ** n;
  if (exponent < 0 && Number.isFinite(x) && !Number.isFinite(power)) {
    // xⁿ overflows where 1/xⁿ is still a subnormal number: it may be that, or 0.
    const size = Math.abs(x ** exponent);
    const most = size * (1 + 2 * n * rounding) + 64 * Number.MIN_VALUE;
    return power < 0 ? [-most, 0] : [0, most];
  }
  if (n === 0 || Math.abs(x) === 1 || power === 0 || !Number.isFinite(power)) {
    const value = exponent < 0 ? 1 / power : power;
    return [value, value];
  }
  const size = Math.abs(power);
  const slack = 2 * n * rounding * size + 64 * Number.MIN_VALUE;
  const [low, high] = [Math.max(0, size - slack), size + slack];
  const [least, most] = exponent < 0 ? [1 / high, 1 / low] : [low, high];
  return power < 0 ? [-most, -least] : [least, most];
}

/** The values: modulo 2³² of integers, up to rounding of floats. */
function powerLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  const name = `${primitive.name}: values are powers for every exponent`;
  return law(name, [cases(row.calls(row.takes), () => edgy)], ({ call, operands }) => {
    const { exponent } = call.params as { readonly exponent: number };
    const x = operands[0]!;
    const found = applying(primitive, call)(toTensor(x))[0]!.dataSync();
    return every(range(x.data.length), (k) => {
      const base = x.data[k]!;
      const is = (wanted: string): string => `${base} ** ${exponent} is ${found[k]}, expected ${wanted}`;
      if (!isFloat(x.dtype)) {
        const word = wordPower(base, exponent);
        const wanted = Number(x.dtype === 'int32' ? BigInt.asIntN(32, word) : word);
        return expect(found[k] === wanted, () => is(`${wanted}`));
      }
      const single = x.dtype === 'float32';
      const ends = floatPower(base, exponent, single ? 2 ** -24 : 2 ** -53);
      const [least, largest] = single ? ends.map(Math.fround) : ends;
      if (Object.is(least, largest) || Number.isNaN(least))
        return expect(Object.is(found[k], least), () => is(`${least}`));
      return expect(found[k]! >= least! && found[k]! <= largest!, () => is(`[${least}, ${largest}]`));
    });
  });
}
