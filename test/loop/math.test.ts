/**
 * Elementary functions of compiled programs: every exponent, the edges, and close looks, with `madd` rounded once and twice. With
 * `MATH_STEP` (`npm run soak math`), floats of all bits too, that many apart.
 */

import { describe, expect, test } from 'vitest';
import { constant, type Expr, operands as operandsOf, read } from '../../backends/loop/ir/expr.ts';
import { math } from '../../backends/loop/math/index.ts';
import { hostFunctions, scalar } from '../../backends/loop/scalar.ts';
import { typeProblem } from '../../backends/loop/types.ts';
import { complementaryErrorFunction, erfInverse, errorFunction } from '../../backends/reference/special.ts';
import { edges, names, type Row, rows, sample, type Worst, words, worst } from './accuracy.ts';
import { compiled, type Rounding } from './compiled.ts';

const roundings = ['twice', 'once'] as const;

/** The worst of an expansion is within the bound, however `madd` rounds. */
const expectWithin = (
  name: string,
  bound: number,
  operands: readonly Float32Array[],
  truth: (...xs: number[]) => number,
  params = {},
): void => {
  const truths = Float64Array.from(operands[0]!, (_, i) => truth(...operands.map((xs) => xs[i]!)));
  for (const rounding of roundings) {
    const { error, at, got } = worst(name, operands, truths, rounding, params);
    expect(error, `${name}(${at}) gave ${got}, madd rounded ${rounding}`).toBeLessThanOrEqual(bound);
  }
};

describe('float32, within the units in the last place of the table', () => {
  test.each(names)('%s', (name) => {
    const { bound, truth, near }: Row = rows[name];
    expectWithin(name, bound, [sample(1, 200, near, Math.floor(100_000 / Math.max(near.length, 1)))], truth);
  });

  test.each([-9007199254740991, -16777217, -100, -7, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 11, 100, 16777217])(
    'integer_pow, exponent %d',
    (exponent) => {
      const xs = sample(2, 10, [[0.5, 2]], 10_000);
      expectWithin('integer_pow', 4, [xs], (x) => x ** exponent, { exponent });
    },
  );

  /** Pairs of any exponents, of edges, and of moderate size, where others mostly overflow. */
  const pairs = (): readonly Float32Array[] => {
    const [a, b] = [sample(7, 100), sample(8, 100)];
    const next = words(9);
    const crossed = edges.flatMap((x) => edges.map((y) => [x, y] as const));
    const xs = [...a, ...crossed.map(([x]) => x), ...sample(10, 0, [[0.5, 2]], 50_000)];
    const ys = [
      ...a.map(() => b[next() % b.length]!),
      ...crossed.map(([, y]) => y),
      ...sample(11, 0, [[-130, 130]], 50_000),
    ];
    return [Float32Array.from(xs), Float32Array.from(ys)];
  };
  const power = (x: number, y: number): number =>
    x === 1 || (x === -1 && Math.abs(y) === Number.POSITIVE_INFINITY) ? 1 : x ** y;
  test.each([
    ['pow', 4, power],
    ['atan2', 4, Math.atan2],
    ['rem', 0, (x: number, y: number) => x % y],
  ] as const)('%s', (name, bound, truth) => {
    expectWithin(name, bound, pairs(), truth);
  });

  test('clamp', () => {
    const [x, low] = pairs() as readonly [Float32Array, Float32Array];
    const high = Float32Array.from(low, (_, i) => low[(i * 7 + 1) % low.length]!);
    expectWithin('clamp', 0, [low, x, high], (l, value, h) => Math.min(Math.max(value, l), h));
  });

  test('is_finite', () => {
    const xs = sample(3, 10);
    const got = new Uint8Array(xs.length);
    compiled(['float32'], (x) => math['is_finite']!([x], {}), 'twice')([xs], got, xs.length);
    expect([...got]).toEqual(Array.from(xs, (x) => +Number.isFinite(x)));
  });

  test('a coefficient that is off in its sixth digit does not pass', () => {
    const xs = sample(1, 0, rows.exp.near, 10_000);
    const truths = Float64Array.from(xs, (x) => Math.exp(x * (1 + 1e-6)));
    expect(worst('exp', [xs], truths, 'twice').error).toBeGreaterThan(rows.exp.bound);
  });
});

const nothing: Worst = { error: 0, at: [], got: 0 };
const step = Number(process.env['MATH_STEP'] ?? 0);
describe.runIf(step > 0)('float32, bits at even distances', () => {
  test.each(names)('%s', (name) => {
    const { bound, truth }: Row = rows[name];
    const [bits, count] = [new Uint32Array(1 << 18), Math.floor(2 ** 32 / step)];
    const xs = new Float32Array(bits.buffer);
    let next = Number(process.env['LAWS_SEED'] ?? 0) % step;
    const found: Record<Rounding, Worst> = { twice: nothing, once: nothing };
    for (let done = 0; done < count; done += bits.length) {
      for (let i = 0; i < bits.length; i++, next += step) bits[i] = next;
      const truths = Float64Array.from(xs, truth);
      for (const rounding of roundings) {
        const one = worst(name, [xs], truths, rounding);
        if (one.error > found[rounding].error) found[rounding] = one;
      }
    }
    const text = roundings.map((r) => `${found[r].error.toFixed(2)} at ${found[r].at} (madd rounded ${r})`);
    console.log(`${name}: ${text.join(', ')}`);
    for (const rounding of roundings) expect(found[rounding].error).toBeLessThanOrEqual(bound);
  });
});

describe('float64, within 1e-14', () => {
  const logistic = (x: number): number => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));
  test.each([
    ['exp', Math.exp],
    ['exp2', (x: number) => 2 ** x],
    ['logistic', logistic],
    ['rsqrt', (x: number) => 1 / Math.sqrt(x)],
    ['cbrt', Math.cbrt],
    ['erf', errorFunction],
    ['erfc', complementaryErrorFunction],
    ['erf_inv', erfInverse],
    ['sign', Math.sign],
  ] as const)('%s', (name, truth) => {
    const xs = Float64Array.from(
      sample(
        4,
        20,
        [
          [-30, 30],
          [-1, 1],
        ],
        5_000,
      ),
      (x) => x * (1 + 1e-9),
    );
    const got = new Float64Array(xs.length);
    compiled(['float64'], (x) => math[name]!([x], {}), 'twice')([xs], got, xs.length);
    for (const [i, x] of xs.entries()) {
      const want = truth(x);
      const close = Object.is(got[i], want) || Math.abs(got[i]! - want) <= 1e-14 * Math.abs(want);
      if (!close) expect(got[i], `${name}(${x})`).toBe(want);
    }
  });

  test('pow is C99’s at ±1', () => {
    const xs = Float64Array.from([1, 1, -1, -1, -1, 2, -2]);
    const ys = Float64Array.from([
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
      3,
      Number.NaN,
      0.5,
      0.5,
    ]);
    const got = new Float64Array(xs.length);
    compiled(['float64', 'float64'], (x, y) => math['pow']!([x, y], {}), 'twice')([xs, ys], got, xs.length);
    expect([...got]).toEqual([1, 1, 1, -1, Number.NaN, Math.SQRT2, Number.NaN]);
  });

  test.each([-3, 0, 1, 2, 3, 4, 17])('integer_pow, exponent %d', (exponent) => {
    const xs = Float64Array.from([-2.5, -1, -0, 0, 0.3, 7, Number.POSITIVE_INFINITY, Number.NaN]);
    const got = new Float64Array(xs.length);
    compiled(['float64'], (x) => math['integer_pow']!([x], { exponent }), 'twice')([xs], got, xs.length);
    for (const [i, x] of xs.entries()) {
      const want = x ** exponent;
      const close = Object.is(got[i], want) || Math.abs(got[i]! - want) <= 1e-14 * Math.abs(want);
      if (!close) expect(got[i], `${x}^${exponent}`).toBe(want);
    }
  });
});

describe('int32', () => {
  const xs = Int32Array.from([0, 1, -1, 2, -2, 3, 7, -7, 46341, 2147483647, -2147483648]);
  const wrapped = (x: number, n: number): number => Number(BigInt.asIntN(32, BigInt(x) ** BigInt(n)));
  /** 1/x^n, truncated; all bits set for x = 0. */
  const reciprocal = (x: number, n: number): number => (x === 0 ? -1 : Number(1n / BigInt(x) ** BigInt(n)));

  test.each([0, 1, 2, 5, 31])('integer_pow, exponent %d', (exponent) => {
    const got = new Int32Array(xs.length);
    compiled(['int32'], (x) => math['integer_pow']!([x], { exponent }), 'twice')([xs], got, xs.length);
    expect([...got]).toEqual([...xs].map((x) => wrapped(x, exponent)));
  });

  test('pow, to powers of either sign', () => {
    const ys = [0, 1, 2, 3, 31, 40, -1, -2, -3];
    const pairs = [...xs].flatMap((x) => ys.map((y) => [x, y] as const));
    const got = new Int32Array(pairs.length);
    const columns = [Int32Array.from(pairs, ([x]) => x), Int32Array.from(pairs, ([, y]) => y)];
    compiled(['int32', 'int32'], (x, y) => math['pow']!([x, y], {}), 'twice')(columns, got, pairs.length);
    expect([...got]).toEqual(pairs.map(([x, y]) => (y >= 0 ? wrapped(x, y) : reciprocal(x, -y))));
  });

  test('sign', () => {
    const got = new Int32Array(xs.length);
    compiled(['int32'], (x) => math['sign']!([x], {}), 'twice')([xs], got, xs.length);
    expect([...got]).toEqual([...xs].map(Math.sign));
  });
});

describe('expressions', () => {
  const arity = (name: string): number => (name === 'clamp' ? 3 : ['pow', 'rem', 'atan2'].includes(name) ? 2 : 1);
  const params = { exponent: -7 };

  test.each(Object.keys(math))('%s has the types of the Loop IR', (name) => {
    for (const dtype of ['float32', 'float64'] as const) {
      const operands = Array.from({ length: arity(name) }, (_, i) => read({ name: `x${i}`, dtype }));
      const seen = new Set<Expr>();
      const visit = (x: Expr): void => {
        if (seen.has(x)) return;
        seen.add(x);
        expect(typeProblem(x), x.op).toBeNull();
        if (x.op === 'call') expect(hostFunctions[x.name]?.arity).toBe(x.args.length);
        for (const y of operandsOf(x)) visit(y);
      };
      visit(math[name]!(operands, params));
    }
  });

  test.each(Object.keys(math))('%s is computed here as the Loop IR defines it', (name) => {
    const locals = Array.from({ length: arity(name) }, (_, i) => ({ name: `x${i}`, dtype: 'float32' as const }));
    const root = math[name]!(locals.map(read), params);
    const columns = locals.map((_, j) =>
      Float32Array.from(edges, (__, i) => edges[(i * (2 * j + 1) + 5 * j) % edges.length]!),
    );
    const got = new Float64Array(edges.length);
    compiled(
      locals.map(({ dtype }) => dtype),
      (...xs) => math[name]!(xs, params),
      'twice',
    )(columns, got, got.length);
    for (const [i, value] of got.entries()) {
      const values = new Map<Expr, number>();
      const result = (x: Expr): number => {
        let known = values.get(x);
        if (known === undefined) {
          known = evaluate(x);
          values.set(x, known);
        }
        return known;
      };
      const evaluate = (x: Expr): number => {
        if (x.op === 'const') return x.value;
        if (x.op === 'local') return columns[locals.indexOf(x.local as (typeof locals)[number])]![i]!;
        if (x.op !== 'apply') throw new Error(`no ${x.op} here`);
        const [a, b, c] = x.args.map(result) as [number, number, number];
        return scalar(x.fn, x.args[0]!.dtype, x.dtype)(a, b, c);
      };
      expect(result(root), `of ${columns.map((xs) => xs[i])}`).toBe(value);
    }
  });
});

test('of constants, a power is a constant: exponent 0 is 1 of every dtype', () => {
  for (const dtype of ['float32', 'float64', 'int32', 'uint32'] as const) {
    expect(math['integer_pow']!([constant(3, dtype)], { exponent: 0 })).toBe(constant(1, dtype));
  }
});
