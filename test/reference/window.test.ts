import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lowerings } from '../../backends/reference/lowering.ts';
import { type DType, integerRange, isFloat } from '../../src/core/dtype.ts';
import type { Shape } from '../../src/core/shape.ts';
import { anyDType, at, expectElements, type Host, host, indices, run1, tensor } from './oracle.ts';

/** The geometry on one axis, as a record. */
interface Axis {
  readonly n: number;
  readonly window: number;
  readonly stride: number;
  readonly low: number;
  readonly high: number;
  readonly base: number;
  readonly dilation: number;
}

/** What stands at each place of the padded axis: an element, or `null` for a hole or padding. */
function places({ n, low, high, base }: Axis): (number | null)[] {
  const spread: (number | null)[] = [];
  for (let p = 0; p < n; p++) {
    if (p > 0) for (let hole = 1; hole < base; hole++) spread.push(null);
    spread.push(p);
  }
  const before = low >= 0 ? [...new Array<null>(low).fill(null), ...spread] : spread.slice(-low);
  return high >= 0 ? [...before, ...new Array<null>(high).fill(null)] : before.slice(0, high);
}

/** The elements in each window on one axis, in order. */
function windowsOn(axis: Axis): number[][] {
  const padded = places(axis);
  const found: number[][] = [];
  for (let o = 0; o + (axis.window - 1) * axis.dilation < padded.length; o += axis.stride) {
    const inside = Array.from({ length: axis.window }, (_, k) => padded[o + k * axis.dilation]!);
    found.push(inside.filter((p) => p !== null));
  }
  return found;
}

const anAxis: fc.Arbitrary<Axis> = fc
  .record({
    n: fc.nat(5),
    window: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 4 }),
    low: fc.integer({ min: -2, max: 3 }),
    high: fc.integer({ min: -2, max: 3 }),
    base: fc.integer({ min: 1, max: 4 }),
    dilation: fc.integer({ min: 1, max: 3 }),
  })
  .filter(({ n, base, low, high }) => (n === 0 ? 0 : (n - 1) * base + 1) + low + high >= 0);

/** Windows that lie plainly side by side, for the paths without holes and padding. */
const plainAxis: fc.Arbitrary<Axis> = fc
  .record({
    n: fc.nat(5),
    window: fc.integer({ min: 1, max: 4 }),
    stride: fc.integer({ min: 1, max: 3 }),
    dilation: fc.integer({ min: 1, max: 2 }),
  })
  .map((axis) => ({ ...axis, low: 0, high: 0, base: 1 }));

const anyAxes = fc.array(fc.oneof(anAxis, plainAxis), { maxLength: 4 });

const paramsOf = (axes: readonly Axis[]) => ({
  windowDimensions: axes.map((a) => a.window),
  windowStrides: axes.map((a) => a.stride),
  paddingLow: axes.map((a) => a.low),
  paddingHigh: axes.map((a) => a.high),
  baseDilation: axes.map((a) => a.base),
  windowDilation: axes.map((a) => a.dilation),
});

/** The windows of all axes together: how many there are, and the indices of the elements of one, in row-major order. */
function windowsOf(axes: readonly Axis[]): { counts: Shape; inside: (o: readonly number[]) => number[][] } {
  const each = axes.map(windowsOn);
  return {
    counts: each.map((found) => found.length),
    inside: (o) =>
      o.reduce<number[][]>((all, i, axis) => all.flatMap((index) => each[axis]![i]!.map((p) => [...index, p])), [[]]),
  };
}

const cases = (dtypes: fc.Arbitrary<DType>) =>
  fc.tuple(dtypes, anyAxes).chain(([dtype, axes]) =>
    fc.tuple(
      tensor(
        dtype,
        axes.map((a) => a.n),
      ),
      fc.constant(axes),
    ),
  );

const numbers = fc.constantFrom<DType>('int32', 'uint32', 'float32', 'float64');

describe('reduce_window', () => {
  it('sum: of integers wraps', () => {
    fc.assert(
      fc.property(cases(fc.constantFrom('int32', 'uint32')), ([x, axes]) => {
        const { counts, inside } = windowsOf(axes);
        const wrap = x.dtype === 'int32' ? BigInt.asIntN : BigInt.asUintN;
        expectElements(run1(lowerings.reduce_window_sum, [x], counts, x.dtype, paramsOf(axes)), counts, (o) =>
          Number(
            wrap(
              32,
              inside(o).reduce((sum, index) => sum + BigInt(at(x, index)), 0n),
            ),
          ),
        );
      }),
      { numRuns: 400 },
    );
  });

  it('sum: of floats is exact where the sum is a double, and rounded once', () => {
    const exact = anyAxes.chain((axes) => {
      const shape = axes.map((a) => a.n);
      const size = shape.reduce((a, b) => a * b, 1);
      return fc.tuple(
        fc.constant(axes),
        // Multiples of 2^-20 below 2^8: sums are doubles, but not all are float32.
        fc.array(fc.integer({ min: -(2 ** 28), max: 2 ** 28 }), { minLength: size, maxLength: size }).map((values) =>
          host(
            'float32',
            shape,
            values.map((v) => v * 2 ** -20),
            'float64',
          ),
        ),
      );
    });
    fc.assert(
      fc.property(exact, ([axes, wide]) => {
        const { counts, inside } = windowsOf(axes);
        const x = host('float32', wide.shape, wide.data);
        const sum = (of: Host, o: readonly number[]): number =>
          inside(o).reduce((total, index) => total + at(of, index), 0);
        expectElements(run1(lowerings.reduce_window_sum, [x], counts, 'float32', paramsOf(axes)), counts, (o) =>
          sum(x, o),
        );
        const unrounded = run1(lowerings.reduce_window_sum, [wide], counts, 'float32', paramsOf(axes), 'float64');
        expectElements(unrounded, counts, (o) => sum(wide, o));
      }),
      { numRuns: 400 },
    );
  });

  it('max and min: of nothing the identity, NaN if any is NaN', () => {
    fc.assert(
      fc.property(cases(anyDType), ([x, axes]) => {
        const { counts, inside } = windowsOf(axes);
        const [low, high] = isFloat(x.dtype)
          ? [-Infinity, Infinity]
          : x.dtype === 'bool'
            ? [0, 1]
            : integerRange(x.dtype);
        const elements = (o: readonly number[]): number[] => inside(o).map((index) => at(x, index));
        const params = paramsOf(axes);
        expectElements(run1(lowerings.reduce_window_max, [x], counts, x.dtype, params), counts, (o) =>
          Math.max(low, ...elements(o)),
        );
        expectElements(run1(lowerings.reduce_window_min, [x], counts, x.dtype, params), counts, (o) =>
          Math.min(high, ...elements(o)),
        );
      }),
      { numRuns: 600 },
    );
  });
});

/** The place of the first extreme element, or `null`: a NaN is extreme, and then nothing else is. */
function selected(x: Host, places: readonly number[][], select: 'ge' | 'le'): number[] | null {
  const nan = places.find((index) => Number.isNaN(at(x, index)));
  if (nan) return nan;
  const values = places.map((index) => at(x, index));
  const best = select === 'ge' ? Math.max(...values) : Math.min(...values);
  return places.find((index) => at(x, index) === best) ?? null;
}

/** Keys with many ties: small numbers, zeros of both signs, infinities, NaN. */
const keys = (dtype: DType, shape: Shape): fc.Arbitrary<Host> => {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = isFloat(dtype) ? [0, -0, 1, 2, -1, Infinity, -Infinity, NaN] : [0, 1, 2, 3, 2147483647];
  return fc
    .array(fc.constantFrom(...values), { minLength: size, maxLength: size })
    .map((data) => host(dtype, shape, data));
};

const selections = fc
  .tuple(numbers, anyAxes, fc.constantFrom('ge' as const, 'le' as const))
  .chain(([dtype, axes, select]) => {
    const shape = axes.map((a) => a.n);
    return fc.tuple(fc.oneof(keys(dtype, shape), tensor(dtype, shape)), fc.constant(axes), fc.constant(select));
  });

describe('selection in windows', () => {
  it('gathers the element where the first extreme one is; of nothing 0', () => {
    fc.assert(
      fc.property(
        selections.chain(([x, axes, select]) =>
          fc.tuple(fc.constant(x), fc.constant(axes), fc.constant(select), tensor(x.dtype, x.shape)),
        ),
        ([x, axes, select, t]) => {
          const { counts, inside } = windowsOf(axes);
          const params = { ...paramsOf(axes), select };
          expectElements(run1(lowerings.select_and_gather_add, [t, x], counts, x.dtype, params), counts, (o) => {
            const place = selected(x, inside(o), select);
            return place ? at(t, place) : 0;
          });
        },
      ),
      { numRuns: 600 },
    );
  });

  it('scatters onto the place of the first extreme one, and adds', () => {
    fc.assert(
      fc.property(selections, fc.infiniteStream(fc.integer({ min: -9, max: 9 })), ([x, axes, select], stream) => {
        const { counts, inside } = windowsOf(axes);
        const values = indices(counts).map(() => (isFloat(x.dtype) ? 0.5 : 1) * stream.next().value!);
        const source = host(x.dtype, counts, values);
        const params = { ...paramsOf(axes), select };
        const sums = new Map<string, number>();
        for (const o of indices(counts)) {
          const place = selected(x, inside(o), select);
          if (place) sums.set(place.join(), (sums.get(place.join()) ?? 0) + at(source, o));
        }
        const wrap = (sum: number): number => (x.dtype === 'int32' ? sum | 0 : x.dtype === 'uint32' ? sum >>> 0 : sum);
        expectElements(
          run1(lowerings.select_and_scatter_add, [source, x], x.shape, x.dtype, params),
          x.shape,
          (index) => wrap(sums.get(index.join()) ?? 0),
        );
      }),
      { numRuns: 600 },
    );
  });

  it('sums of floats are rounded once', () => {
    const n = 100;
    const axis: Axis = { n, window: n, stride: 1, low: n - 1, high: 0, base: 1, dilation: 1 };
    // Each of the n windows begins in the padding or with element 0, which is the first of equal ones.
    const x = host('float32', [n], new Float32Array(n).fill(1));
    const source = host('float32', [n], new Float32Array(n).fill(0.1));
    const params = { ...paramsOf([axis]), select: 'ge' } as const;
    const out = run1(lowerings.select_and_scatter_add, [source, x], [n], 'float32', params);
    expect([...out.slice(0, 2)]).toEqual([Math.fround(n * Math.fround(0.1)), 0]);
  });
});
