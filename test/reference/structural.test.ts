import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lowerings } from '../../backends/reference/lowering.ts';
import { range, type Shape, sizeOf } from '../../src/core/shape.ts';
import { anyDType, anyShape, at, counting, expectElements, host, type Precision, run, run1, tensor } from './oracle.ts';

/** A tensor that tells its elements apart, in any dtype and storage. */
const moved = (shape: fc.Arbitrary<number[]>) =>
  fc
    .tuple(shape, anyDType, fc.constantFrom<Precision>('rounded', 'float64'))
    .map(([shape, dtype, precision]) => ({ x: counting(dtype, shape, precision), precision }));

const permutationOf = (shape: Shape) => fc.shuffledSubarray(range(shape.length), { minLength: shape.length });

describe('moving elements', () => {
  it('broadcast_in_dim repeats along new axes and axes of length 1', () => {
    const target = anyShape.chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.subarray(range(shape.length)),
        fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
      ),
    );
    fc.assert(
      fc.property(target, anyDType, ([shape, broadcastDimensions, keep], dtype) => {
        const x = counting(
          dtype,
          broadcastDimensions.map((axis) => (keep[axis] ? shape[axis]! : 1)),
        );
        const out = run1(lowerings.broadcast_in_dim, [x], shape, dtype, { broadcastDimensions });
        expectElements(out, shape, (index) =>
          at(
            x,
            broadcastDimensions.map((axis, own) => (x.shape[own] === 1 ? 0 : index[axis]!)),
          ),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('rev turns axes around', () => {
    const cases = moved(anyShape).chain((m) => fc.tuple(fc.constant(m), fc.subarray(range(m.x.shape.length))));
    fc.assert(
      fc.property(cases, ([{ x, precision }, dimensions]) => {
        const out = run1(lowerings.rev, [x], x.shape, x.dtype, { dimensions }, precision);
        expectElements(out, x.shape, (index) =>
          at(
            x,
            index.map((i, axis) => (dimensions.includes(axis) ? x.shape[axis]! - 1 - i : i)),
          ),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('transpose permutes', () => {
    const cases = moved(anyShape).chain((m) => fc.tuple(fc.constant(m), permutationOf(m.x.shape)));
    fc.assert(
      fc.property(cases, ([{ x, precision }, permutation]) => {
        const shape = permutation.map((axis) => x.shape[axis]!);
        const out = run1(lowerings.transpose, [x], shape, x.dtype, { permutation }, precision);
        expectElements(out, shape, (index) => {
          const own = new Array<number>(index.length);
          permutation.forEach((axis, i) => {
            own[axis] = index[i]!;
          });
          return at(x, own);
        });
      }),
      { numRuns: 300 },
    );
  });

  it('transpose in tiles, whose edges overlap the matrix', () => {
    for (const shape of [
      [33, 65],
      [64, 64],
      [200, 3],
      [2, 40, 5, 33],
    ]) {
      for (const dtype of ['float32', 'int32', 'bool'] as const) {
        const x = counting(dtype, shape);
        const permutation = range(shape.length).reverse();
        const turned = shape.toReversed();
        const out = run1(lowerings.transpose, [x], turned, dtype, { permutation });
        expectElements(out, turned, (index) => at(x, index.toReversed()));
      }
    }
  });

  it('slice starts, stops and skips', () => {
    const cases = moved(anyShape).chain(({ x, precision }) =>
      fc.tuple(
        fc.constant({ x, precision }),
        fc.tuple(
          ...x.shape.map((n) =>
            fc.tuple(fc.nat(n), fc.nat(n), fc.integer({ min: 1, max: 3 })).map(([a, b, stride]) => ({
              start: Math.min(a, b),
              limit: Math.max(a, b),
              stride,
            })),
          ),
        ),
      ),
    );
    fc.assert(
      fc.property(cases, ([{ x, precision }, axes]) => {
        const taken = axes.map(({ start, limit, stride }) => range(limit - start).filter((i) => i % stride === 0));
        const shape = taken.map((positions) => positions.length);
        const params = {
          start: axes.map(({ start }) => start),
          limit: axes.map(({ limit }) => limit),
          strides: axes.map(({ stride }) => stride),
        };
        const out = run1(lowerings.slice, [x], shape, x.dtype, params, precision);
        expectElements(out, shape, (index) =>
          at(
            x,
            index.map((i, axis) => axes[axis]!.start + taken[axis]![i]!),
          ),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('pad adds, cuts off and spreads', () => {
    const edge = fc.integer({ min: -6, max: 4 });
    const axis = fc.record({ low: edge, high: edge, interior: fc.nat(3) });
    const cases = anyShape
      .filter((shape) => shape.length <= 3)
      .chain((shape) => fc.tuple(fc.constant(shape), fc.tuple(...shape.map(() => axis)), anyDType));
    fc.assert(
      fc.property(cases, ([from, axes, dtype]) => {
        // Naively: lay the spread-out elements on a list with room on both sides, then cut it to the length asked for.
        const lines = axes.map(({ low, high, interior }, a) => {
          const spread = range(from[a]!).flatMap((i) => (i === 0 ? [i] : [...new Array<number>(interior).fill(-1), i]));
          const padded = [
            ...new Array<number>(Math.max(0, low)).fill(-1),
            ...spread,
            ...new Array<number>(Math.max(0, high)).fill(-1),
          ];
          return padded.slice(Math.max(0, -low), Math.max(0, -low, padded.length - Math.max(0, -high)));
        });
        // A result of negative length is an error before any kernel.
        fc.pre(
          axes.every(({ low, high, interior }, a) => low + high + from[a]! + Math.max(0, from[a]! - 1) * interior >= 0),
        );
        const shape = lines.map((line) => line.length);
        fc.pre(sizeOf(shape) <= 30000);
        const x = counting(dtype, from);
        const value = host(dtype, [], [dtype === 'bool' ? 1 : 1000000]);
        const params = {
          low: axes.map(({ low }) => low),
          high: axes.map(({ high }) => high),
          interior: axes.map(({ interior }) => interior),
        };
        const out = run1(lowerings.pad, [x, value], shape, dtype, params);
        expectElements(out, shape, (index) => {
          const own = index.map((i, a) => lines[a]![i]!);
          return own.includes(-1) ? value.data[0]! : at(x, own);
        });
      }),
      { numRuns: 500 },
    );
  });

  it('concatenate lays operands side by side', () => {
    const cases = anyShape
      .filter((shape) => shape.length > 0)
      .chain((shape) =>
        fc.tuple(
          fc.constant(shape),
          fc.nat(shape.length - 1),
          fc.array(fc.nat(4), { minLength: 1, maxLength: 4 }),
          anyDType,
        ),
      );
    fc.assert(
      fc.property(cases, ([shape, dimension, lengths, dtype]) => {
        const parts = lengths.map((n) => counting(dtype, shape.toSpliced(dimension, 1, n)));
        const whole = shape.toSpliced(
          dimension,
          1,
          lengths.reduce((sum, n) => sum + n, 0),
        );
        const out = run1(lowerings.concatenate, parts, whole, dtype, { dimension });
        const owner = lengths.flatMap((n, part) => range(n).map((i) => ({ part, i })));
        expectElements(out, whole, (index) => {
          const { part, i } = owner[index[dimension]!]!;
          return at(parts[part]!, index.toSpliced(dimension, 1, i));
        });
      }),
    );
  });

  it('iota counts along one axis', () => {
    const cases = anyShape
      .filter((shape) => shape.length > 0)
      .chain((shape) => fc.tuple(fc.constant(shape), fc.nat(shape.length - 1)));
    fc.assert(
      fc.property(cases, fc.constantFrom('int32', 'uint32', 'float32'), ([shape, dimension], dtype) => {
        const out = run1(lowerings.iota, [], shape, dtype, { dimension });
        expectElements(out, shape, (index) => index[dimension]!);
      }),
    );
  });

  it('reshape, stop_gradient and optimization_barrier change nothing', () => {
    const operands = fc.array(
      fc.tuple(anyDType, anyShape).chain(([dtype, shape]) => tensor(dtype, shape.slice(0, 2))),
      { minLength: 1, maxLength: 3 },
    );
    fc.assert(
      fc.property(operands, (xs) => {
        const data = xs.map((x) => x.data);
        expect(run(lowerings.optimization_barrier, xs, xs, {})).toStrictEqual(data);
        const [x] = xs;
        expect(run1(lowerings.stop_gradient, [x!], x!.shape, x!.dtype, {})).toStrictEqual(data[0]);
        expect(run1(lowerings.reshape, [x!], [1, sizeOf(x!.shape)], x!.dtype, {})).toStrictEqual(data[0]);
      }),
    );
  });
});
