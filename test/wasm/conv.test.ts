/** Convolutions in WebAssembly against loops over windows and taps in double precision, zeros multiplied. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { countUp, sequence } from '../../backends/wasm/code/control.ts';
import { call, f32, get, i32 } from '../../backends/wasm/code/instructions.ts';
import { isOfTaps } from '../../backends/wasm/conv/channelwise-taps.ts';
import { emitConv } from '../../backends/wasm/conv/conv.ts';
import { type ConvShape, type ConvStrides, plainParts, type SpatialAxis } from '../../backends/wasm/conv/shape.ts';
import { arithmetic, type Element } from '../../backends/wasm/gemm/arithmetic.ts';
import { compute, numbers, sameBits, type Values } from './contraction.ts';

/** All index tuples of some extents. */
const tuples = (extents: readonly number[]): number[][] =>
  extents.reduce<number[][]>((all, n) => all.flatMap((t) => Array.from({ length: n }, (_, i) => [...t, i])), [[]]);

const offset = (s: ConvStrides, batch: number, feature: number, spatial: readonly number[]): number =>
  batch * s.batch + feature * s.feature + spatial.reduce((sum, i, axis) => sum + i * s.spatial[axis]!, 0);

interface Sum {
  readonly value: number;
  readonly magnitude: number;
}

/** What the result should hold, by its offset. */
function expected(x: ConvShape, lhs: ArrayLike<number>, rhs: ArrayLike<number>): Map<number, Sum> {
  const integer = x.dtype === 'int32' || x.dtype === 'uint32';
  const groups = x.groups * x.batchGroups;
  const [images, inputs, outputs] = [x.batch / x.batchGroups, x.inFeatures / x.groups, x.outFeatures / groups];
  const result = new Map<number, Sum>();
  const empty = x.spatial.some((axis) => axis.in === 0);
  const taps = empty ? [] : tuples(x.spatial.map((axis) => axis.window));
  const along = (strides: readonly number[], at: readonly number[]): number =>
    at.reduce((sum, i, axis) => sum + i * strides[axis]!, 0);
  for (const window of tuples(x.spatial.map((axis) => axis.out))) {
    // Of each tap: where it is, and the element that it meets, or null for a zero.
    const met = taps.map((tap) => {
      const element = x.spatial.map(
        (a, i) => (window[i]! * a.stride + tap[i]! * a.rhsDilation - a.padLow) / a.lhsDilation,
      );
      const there = element.every((p, i) => Number.isInteger(p) && p >= 0 && p < x.spatial[i]!.in);
      return { tap: along(x.rhs.spatial, tap), element: there ? along(x.lhs.spatial, element) : null };
    });
    for (let image = 0; image < images; image++) {
      for (let output = 0; output < x.outFeatures; output++) {
        const group = Math.floor(output / outputs);
        let [value, magnitude] = [0, 0];
        for (let input = 0; input < inputs; input++) {
          const batch = x.batchGroups > 1 ? group * images + image : image;
          const feature = x.groups > 1 ? group * inputs + input : input;
          const left = offset(x.lhs, batch, feature, []);
          const right = offset(x.rhs, output, input, []);
          for (const { tap, element } of met) {
            const l = element === null ? 0 : lhs[left + element]!;
            const r = rhs[right + tap]!;
            value = integer ? (value + Math.imul(l, r)) | 0 : value + l * r;
            magnitude += Math.abs(l * r);
          }
        }
        result.set(offset(x.out, image, output, window), {
          value: x.dtype === 'uint32' ? value >>> 0 : value,
          magnitude,
        });
      }
    }
  }
  return result;
}

const epsilon = { float32: 2 ** -23, float64: 2 ** -52, int32: 0, uint32: 0 };

interface Generated {
  readonly x: ConvShape;
  readonly sizes: readonly [lhs: number, rhs: number, out: number];
}

/** What is wrong with a result, or null: |error| ≤ 4·√k·ε·Σ|terms|. */
function wrong({ x, sizes }: Generated, a: ArrayLike<number>, b: ArrayLike<number>): string | null {
  const job = { dtype: x.dtype, emit: (m: Parameters<typeof emitConv>[0]) => emitConv(m, x), a, b, size: sizes[2] };
  const { values, piecewise, intact } = compute(job);
  if (!intact) return 'wrote outside of the result';
  if (!sameBits(values, piecewise)) return 'blocks computed one by one give other bits';
  const terms = x.spatial.reduce((n, { window }) => n * window, x.inFeatures / x.groups);
  const sums = expected(x, a, b);
  if (sums.size !== sizes[2]) return `${sums.size} results of ${sizes[2]}`;
  for (const [i, { value, magnitude }] of sums) {
    if (Number.isNaN(value) ? Number.isNaN(values[i]!) : values[i] === value) continue;
    const bound = 4 * Math.sqrt(terms) * epsilon[x.dtype] * magnitude;
    if (!(Math.abs(values[i]! - value) <= bound)) return `${values[i]} instead of ${value} at ${i}`;
  }
  return null;
}

const report = (generated: Generated): string | null =>
  wrong(
    generated,
    numbers(generated.sizes[0], generated.x.dtype, 1),
    numbers(generated.sizes[1], generated.x.dtype, 2),
  );

/** Axes in memory from the outermost to the innermost, by their letters: (n, c) or (o, i) and digits of spatial axes. */
function layout(letters: string, order: string, extents: readonly number[]): [ConvStrides, number] {
  const all = new Array<number>(extents.length);
  let size = 1;
  for (const letter of [...order].reverse()) {
    const axis = letters.indexOf(letter);
    all[axis] = size;
    size *= extents[axis]!;
  }
  const [batch, feature, ...spatial] = all as [number, number, ...number[]];
  return [{ batch, feature, spatial }, size];
}

interface Geometry {
  readonly batch: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly groups?: number;
  readonly batchGroups?: number;
  readonly spatial: readonly (Omit<SpatialAxis, 'out'> & { readonly padHigh: number })[];
  readonly dtype?: Element;
  readonly relaxed?: boolean;
  /** Orders in memory of lhs (n, c), rhs (o, c) and the result (n, o). */
  readonly orders?: readonly [string, string, string];
}

/** A convolution from its extents: inputs and outputs of a group, as many windows as fit. */
function convolution(g: Geometry): Generated {
  const { batch, inputs, outputs, groups = 1, batchGroups = 1 } = g;
  const spatial = g.spatial.map(({ padHigh, ...axis }): SpatialAxis => {
    const whole = (axis.in === 0 ? 0 : (axis.in - 1) * axis.lhsDilation + 1) + axis.padLow + padHigh;
    const reach = (axis.window - 1) * axis.rhsDilation + 1;
    return { ...axis, out: whole < reach ? 0 : Math.floor((whole - reach) / axis.stride) + 1 };
  });
  const digits = spatial.map((_, i) => String(i)).join('');
  const [l, r, o] = g.orders ?? [`nc${digits}`, `oc${digits}`, `no${digits}`];
  const [lhs, lhsSize] = layout(`nc${digits}`, l, [batch, inputs * groups, ...spatial.map((axis) => axis.in)]);
  const [rhs, rhsSize] = layout(`oc${digits}`, r, [
    outputs * groups * batchGroups,
    inputs,
    ...spatial.map((axis) => axis.window),
  ]);
  const [out, outSize] = layout(`no${digits}`, o, [
    batch / batchGroups,
    outputs * groups * batchGroups,
    ...spatial.map((axis) => axis.out),
  ]);
  return {
    x: {
      dtype: g.dtype ?? 'float32',
      relaxed: g.relaxed ?? true,
      batch,
      inFeatures: inputs * groups,
      outFeatures: outputs * groups * batchGroups,
      groups,
      batchGroups,
      spatial,
      lhs,
      rhs,
      out,
      epilogue: null,
    },
    sizes: [lhsSize, rhsSize, outSize],
  };
}

const shuffled = (letters: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc.constant(letters),
    fc.constant(`${letters[0]}${letters.slice(2)}${letters[1]}`),
    fc.shuffledSubarray([...letters], { minLength: letters.length }).map((list) => list.join('')),
  );

const spatialAxis = (most: number) =>
  fc.record({
    in: fc.integer({ min: 1, max: most }),
    window: fc.integer({ min: 1, max: 5 }),
    stride: fc.constantFrom(1, 1, 1, 2, 3),
    padLow: fc.integer({ min: -1, max: 3 }),
    padHigh: fc.integer({ min: -1, max: 3 }),
    lhsDilation: fc.constantFrom(1, 1, 1, 2, 3),
    rhsDilation: fc.constantFrom(1, 1, 1, 2),
  });

const generated: fc.Arbitrary<Generated> = fc.integer({ min: 0, max: 3 }).chain((ndim) => {
  const digits = '012'.slice(0, ndim);
  return fc
    .record({
      batch: fc.integer({ min: 1, max: 5 }),
      inputs: fc.constantFrom(1, 1, 2, 3, 4, 5, 8),
      outputs: fc.integer({ min: 1, max: 9 }),
      kind: fc.constantFrom('plain', 'plain', 'feature', 'batch'),
      count: fc.integer({ min: 2, max: 4 }),
      spatial: fc.array(spatialAxis([1, 40, 13, 6][ndim]!), { minLength: ndim, maxLength: ndim }),
      dtype: fc.constantFrom<Element>('float32', 'float32', 'float32', 'float64', 'int32', 'uint32'),
      relaxed: fc.boolean(),
      orders: fc.tuple(shuffled(`nc${digits}`), shuffled(`oc${digits}`), shuffled(`no${digits}`)),
    })
    .filter(({ spatial }) => spatial.every((a) => (a.in - 1) * a.lhsDilation + 1 + a.padLow + a.padHigh >= 0))
    .map(({ kind, count, batch, ...rest }) =>
      convolution({
        ...rest,
        batch: kind === 'batch' ? batch * count : batch,
        ...(kind === 'feature' ? { groups: count } : kind === 'batch' ? { batchGroups: count } : {}),
      }),
    );
});

const axis = (length: number, window: number, pad = 0, more: Partial<SpatialAxis> = {}) => ({
  in: length,
  window,
  stride: 1,
  padLow: pad,
  padHigh: pad,
  lhsDilation: 1,
  rhsDilation: 1,
  ...more,
});

describe('a convolution', () => {
  test('is the sum over taps, for any geometry, layout and groups', () => {
    fc.assert(
      fc.property(generated, (g) => {
        expect(report(g)).toBeNull();
      }),
      { numRuns: Number(process.env['LAWS'] ?? 100), seed: Number(process.env['LAWS_SEED'] ?? 6) },
    );
  });

  test.each([
    ['nc01', 'oc01', 'no01'],
    ['n01c', '01co', 'n01o'],
    ['nc01', 'oc01', 'n01o'],
  ] as const)('in the layouts %s, %s, %s: of networks', (...orders) => {
    for (const [batch, inputs, outputs, length, window, pad, stride] of [
      [5, 1, 6, 28, 5, 2, 1],
      [3, 6, 16, 14, 5, 0, 1],
      [2, 16, 20, 13, 3, 1, 1],
      [2, 3, 8, 23, 7, 3, 2],
      [7, 12, 9, 6, 1, 0, 1],
      [9, 5, 7, 4, 4, 0, 1],
    ] as const) {
      const a = axis(length, window, pad, { stride });
      expect(report(convolution({ batch, inputs, outputs, spatial: [a, a], orders }))).toBeNull();
      // The gradient of the taps: images and features exchanged, the windows as taps.
      const { x } = convolution({ batch, inputs, outputs, spatial: [a, a] });
      const windows = x.spatial[0]!.out;
      const used = (windows - 1) * stride + window;
      const back = { ...axis(length, windows, pad), rhsDilation: stride, padHigh: used - length - pad };
      expect(
        report(
          convolution({
            batch: inputs,
            inputs: batch,
            outputs,
            spatial: [back, back],
            orders: [swap(orders[0]), swap(orders[2], 'o'), orders[1].replace('c', 'n')],
          }),
        ),
      ).toBeNull();
      // That of the images: zeros between the windows.
      const low = window - 1 - pad;
      const wide = {
        ...axis(windows, window),
        lhsDilation: stride,
        padLow: low,
        padHigh: length + window - 1 - ((windows - 1) * stride + 1) - low,
      };
      expect(
        report(
          convolution({
            batch,
            inputs: outputs,
            outputs: inputs,
            spatial: [wide, wide],
            orders: [orders[2].replace('o', 'c'), swap(orders[1], 'o'), orders[0].replace('c', 'o')],
          }),
        ),
      ).toBeNull();
    }
  });

  test.each(['nc01', 'n01c'])('depthwise, images as %s', (order) => {
    for (const [channels, multiplier, length, window, stride] of [
      [9, 1, 17, 3, 1],
      [8, 2, 16, 5, 1],
      [5, 1, 12, 3, 2],
    ] as const) {
      const a = axis(length, window, 1, { stride });
      const orders = [order, order === 'nc01' ? 'oc01' : '01co', order.replace('c', 'o')] as const;
      expect(
        report(convolution({ batch: 3, inputs: 1, outputs: multiplier, groups: channels, spatial: [a, a], orders })),
      ).toBeNull();
    }
  });

  test('depthwise, of the taps, channels side by side', () => {
    for (const dtype of ['float32', 'float64', 'int32'] as const) {
      for (const [channels, images, length, window, pad, rhsDilation] of [
        [8, 1, 18, 16, 0, 1],
        [4, 2, 17, 17, 1, 1],
        [21, 3, 9, 9, 1, 1],
        [37, 2, 12, 12, 2, 1],
        [9, 2, 15, 7, 1, 2],
      ] as const) {
        const a = axis(length, window, pad, { rhsDilation });
        const geometry = { batch: channels, inputs: images, outputs: 1, batchGroups: channels, dtype };
        for (const [spatial, digits] of [
          [[a, a], '01'],
          [[a], '0'],
        ] as const) {
          if (spatial.length === 1 && window < 16) continue;
          const orders = [`c${digits}n`, `c${digits}o`, `${digits}no`] as const;
          const made = convolution({ ...geometry, spatial, orders });
          expect(isOfTaps(arithmetic(dtype, true), plainParts(made.x)[0]!)).toBe(true);
          expect(report(made)).toBeNull();
        }
      }
    }
  });

  test('of taps that are not finite is NaN where they meet a zero, of padding or between elements', () => {
    for (const lhsDilation of [1, 2, 3]) {
      const g = convolution({
        batch: 2,
        inputs: 3,
        outputs: 5,
        spatial: [axis(6, 3, 1, { lhsDilation }), axis(7, 2, 1, { lhsDilation, stride: 2 })],
      });
      for (const special of [Number.NaN, Number.NEGATIVE_INFINITY]) {
        for (let i = 0; i < 6; i++) {
          const [a, b] = [numbers(g.sizes[0], 'float32', 3), numbers(g.sizes[1], 'float32', 4)];
          b[i * 13] = special;
          expect(wrong(g, a, b)).toBeNull();
        }
        const [a, b] = [numbers(g.sizes[0], 'float32', 3), numbers(g.sizes[1], 'float32', 4)];
        a[17] = special;
        b[4] = 0;
        expect(wrong(g, a, b)).toBeNull();
      }
    }
  });

  test('of no elements, or no input features, is zero', () => {
    expect(report(convolution({ batch: 2, inputs: 3, outputs: 2, spatial: [axis(0, 2, 2)] }))).toBeNull();
    expect(report(convolution({ batch: 2, inputs: 0, outputs: 2, spatial: [axis(4, 2)] }))).toBeNull();
    const none = convolution({ batch: 0, inputs: 1, outputs: 2, spatial: [axis(4, 2)] });
    expect(
      compute({ dtype: 'float32', emit: (m) => emitConv(m, none.x), a: [], b: numbers(4, 'float32', 1), size: 0 })
        .blocks,
    ).toBe(0);
  });

  test.each([1, 2])('runs its epilogue once on each result, with zeros between elements %i − 1', (lhsDilation) => {
    const g = convolution({ batch: 9, inputs: 2, outputs: 3, groups: 2, spatial: [axis(11, 3, 1, { lhsDilation })] });
    const [a, b] = [numbers(g.sizes[0], 'float32', 5), numbers(g.sizes[1], 'float32', 6)];
    const plain = compute({ dtype: 'float32', emit: (m) => emitConv(m, g.x), a, b, size: g.sizes[2] });
    const { values, piecewise } = compute({
      dtype: 'float32',
      a,
      b,
      size: g.sizes[2],
      emit(module) {
        const f = module.func(['i32', 'i32', 'i32', 'i32', 'i32']);
        const [image, feature, place] = [f.local('i32'), f.local('i32'), f.local('i32')];
        const step = (local: number, stride: number) => i32.mul(get(local), i32.const(stride * 4));
        const at = i32.add(
          get(0),
          i32.add(step(image, g.x.out.batch), i32.add(step(feature, g.x.out.feature), step(place, 1))),
        );
        const affine = f32.store(at, f32.add(f32.mul(f32.load(at), f32.const(2)), f32.const(1)));
        const places = countUp(place, i32.const(0), i32.const(g.x.spatial[0]!.out), 1, affine);
        f.body(countUp(image, get(1), get(2), 1, sequence(countUp(feature, get(3), get(4), 1, places))));
        return emitConv(module, {
          ...g.x,
          epilogue: {
            operands: 0,
            code: (block) => call(f.index, get(2), block.imageFrom, block.imageTo, block.featureFrom, block.featureTo),
          },
        });
      },
    });
    const affine = plain.values.map((v) => Math.fround(Math.fround(2 * v) + 1)) as Values;
    expect(sameBits(values, affine)).toBe(true);
    expect(sameBits(piecewise, affine)).toBe(true);
  });
});

/** An order with its two first letters exchanged, of a result (n, o) or of taps (o, c), as an operand's. */
function swap(order: string, first: 'n' | 'o' = 'n'): string {
  if (first === 'n') return order.replace('n', '?').replace('c', 'n').replace('?', 'c');
  return order.includes('n') ? order.replace('n', 'c') : order.replace('o', '?').replace('c', 'o').replace('?', 'c');
}
