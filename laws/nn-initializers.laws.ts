/**
 * The laws of initializers: numbers have the moments, the bounds and the ends that are promised, whatever the shape; orthogonal
 * matrices are the Q of a QR decomposition whose R has a positive diagonal, which there is one of.
 *
 * Moments are judged at six deviations of their estimates: one good run in 10⁸ would fail.
 */

import * as fc from 'fast-check';
import { sizeOf } from '../src/core/shape.ts';
import * as nn from '../src/nn/index.ts';
import * as np from '../src/ops/np.ts';
import type { Tensor } from '../src/ops/types.ts';
import * as random from '../src/random/index.ts';
import { vmap } from '../transforms/index.ts';
import { sameValues } from './host.ts';
import { every, expect, type Law, law, type Verdict } from './law.ts';

const { initializers } = nn;

const seeds = fc.nat({ max: 2 ** 31 - 1 });
const dtypes = fc.constantFrom('float32' as const, 'float64' as const);
/** [...window, in, out], few enough that devices which compile do so once for each. */
const shapes = fc.constantFrom<readonly number[]>(
  ...[
    [1, 1],
    [4, 4],
    [6, 3],
    [3, 6],
    [1, 5],
    [5, 1],
    [2, 3, 4],
    [3, 1, 4],
    [2, 1, 3, 7],
  ],
);
/** Those of at least 64 numbers, which few draws are enough for. */
const wide = fc
  .tuple(fc.constantFrom([], [3], [2, 3]), fc.constantFrom(8, 13, 20), fc.constantFrom(8, 11, 20))
  .map(([window, fanIn, fanOut]) => [...window, fanIn, fanOut]);
const gains = fc.constantFrom(0.25, 1, Math.SQRT2, 5 / 3);

/** How many numbers a moment is measured by, at least. */
const many = 2000;

/** The numbers of as many draws as it takes. */
const drawn = (seed: number, shape: readonly number[], draw: (key: random.Key) => Tensor): readonly number[] => {
  const keys = random.split(random.key(seed), Math.ceil(many / sizeOf(shape)));
  return Array.from(vmap(draw)(np.stack(keys as readonly Tensor<'uint32'>[]) as Tensor<'uint32'>).dataSync(), Number);
};

/** What numbers are to be: their moments about the mean, and where the ends of all of them lie. */
interface Promised {
  readonly mean: number;
  readonly variance: number;
  readonly fourth: number;
  readonly ends: readonly [number, number];
  /** What part of the way from the mean to the ends some numbers surely go; 1 at most. */
  readonly reach: number;
}

function judge(numbers: readonly number[], promised: Promised): Verdict {
  const { mean, variance, fourth, ends, reach } = promised;
  const n = numbers.length;
  const moment = (power: number): number => numbers.reduce((sum, x) => sum + (x - mean) ** power, 0) / n;
  const [least, greatest] = numbers.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)] as const, [
    Infinity,
    -Infinity,
  ] as const);
  const slack = 1e-6 * (ends[1] - ends[0]);
  const of = `of ${n} numbers`;
  const near = (what: string, measured: number, wanted: number, deviation: number): readonly [boolean, string] => [
    Math.abs(measured - wanted) <= 6 * deviation,
    `the ${what} ${of} is ${measured}, not ${wanted}`,
  ];
  const checks: readonly (readonly [boolean, string])[] = [
    near('mean', mean + moment(1), mean, Math.sqrt(variance / n)),
    near('variance', moment(2), variance, Math.sqrt((fourth - variance ** 2) / n)),
    [
      least >= ends[0] - slack && greatest <= ends[1] + slack,
      `${of} the ends are ${least} and ${greatest}, beyond ${ends[0]} and ${ends[1]}`,
    ],
    [
      least <= mean - reach * (mean - ends[0]) && greatest >= mean + reach * (ends[1] - mean),
      `${of} the ends are ${least} and ${greatest}, far from ${ends[0]} and ${ends[1]}`,
    ],
  ];
  return every(checks, ([ok, why]) => expect(ok, () => why));
}

/** The moments of a standard normal number on condition that it is in [low, high], by Simpson's rule. */
function cutNormal(low: number, high: number): Omit<Promised, 'reach' | 'ends'> {
  const steps = 2000;
  const h = (high - low) / steps;
  const integral = (f: (x: number) => number): number => {
    let sum = 0;
    for (let i = 0; i <= steps; i++) {
      const x = low + i * h;
      sum += (i === 0 || i === steps ? 1 : i % 2 === 1 ? 4 : 2) * f(x) * Math.exp((-x * x) / 2);
    }
    return sum * h;
  };
  const whole = integral(() => 1);
  const mean = integral((x) => x) / whole;
  const about = (power: number): number => integral((x) => (x - mean) ** power) / whole;
  return { mean, variance: about(2), fourth: about(4) };
}

/** Promised numbers times a factor, and how far their ends are reached. */
const stretched = (
  { mean, variance, fourth }: Omit<Promised, 'reach' | 'ends'>,
  by: number,
  [low, high]: readonly [number, number],
  reach: number,
): Promised => ({
  mean: mean * by,
  variance: variance * by ** 2,
  fourth: fourth * by ** 4,
  ends: [low * by, high * by],
  reach,
});

const within2 = cutNormal(-2, 2);

/** Distributions of deviation 1. What is cut at ±2 has the deviation that is measured here, and is widened by it. */
const standard = {
  uniform: stretched({ mean: 0, variance: 1 / 3, fourth: 1 / 5 }, Math.sqrt(3), [-1, 1], 0.95),
  truncatedNormal: stretched(within2, 1 / Math.sqrt(within2.variance), [-2, 2], 0.9),
  // Beyond ±6 lies one number in 5·10⁸, within ±2.4 all of 2000 one time in 10¹⁴.
  normal: stretched({ mean: 0, variance: 1, fourth: 3 }, 1, [-6, 6], 0.4),
};

const fanOf = ([...shape]: readonly number[], mode: nn.initializers.Fan): number => {
  const fanOut = shape.pop()!;
  const fanIn = shape.pop()!;
  const window = shape.reduce((a, b) => a * b, 1);
  return window * { fanIn, fanOut, fanAvg: (fanIn + fanOut) / 2 }[mode];
};

/** What is documented of those that have names: the variance times the fan, which fan, how distributed. */
const named = [
  ['lecunNormal', 1, 'fanIn', 'truncatedNormal'],
  ['lecunUniform', 1, 'fanIn', 'uniform'],
  ['glorotNormal', 1, 'fanAvg', 'truncatedNormal'],
  ['glorotUniform', 1, 'fanAvg', 'uniform'],
  ['xavierNormal', 1, 'fanAvg', 'truncatedNormal'],
  ['xavierUniform', 1, 'fanAvg', 'uniform'],
  ['heNormal', 2, 'fanIn', 'truncatedNormal'],
  ['heUniform', 2, 'fanIn', 'uniform'],
  ['kaimingNormal', 2, 'fanIn', 'truncatedNormal'],
  ['kaimingUniform', 2, 'fanIn', 'uniform'],
] as const;

const varianceIsScaleOverFan = law(
  'varianceScaling: moments and ends, of any shape, fan and distribution',
  [
    seeds,
    wide,
    fc.constantFrom(0.25, 1, 2, 9),
    fc.constantFrom('fanIn' as const, 'fanOut' as const, 'fanAvg' as const),
    fc.constantFrom('uniform' as const, 'truncatedNormal' as const, 'normal' as const),
    dtypes,
  ],
  (seed, shape, scale, mode, distribution, dtype) => {
    const how = { scale, mode, distribution, dtype };
    const numbers = drawn(seed, shape, (key) => initializers.varianceScaling(key, shape, how) as Tensor);
    const by = Math.sqrt(scale / fanOf(shape, mode));
    const { ends, reach, ...moments } = standard[distribution];
    return judge(numbers, stretched(moments, by, ends, reach));
  },
);

const namesAreCases = law(
  'names stand for cases of varianceScaling, to the bit',
  [seeds, shapes, dtypes],
  (seed, shape, dtype) => {
    const key = random.key(seed);
    return every(
      named,
      ([name, scale, mode, distribution]) =>
        sameValues(
          name,
          [initializers[name](key, shape, { dtype })],
          [initializers.varianceScaling(key, shape, { scale, mode, distribution, dtype })],
        ),
      ([name]) => name,
    );
  },
);

const keysDecide = law(
  'a key draws the same numbers again, and another key others',
  [seeds, fc.constantFrom(...named.map(([name]) => name), 'orthogonal', 'truncatedNormal', 'normal'), shapes],
  (seed, name, shape) => {
    const draw = initializers[name as 'normal'];
    const [a, b] = random.split(random.key(seed));
    const [once, again, other] = [draw(a!, [...shape, 3]), draw(a!, [...shape, 3]), draw(b!, [...shape, 3])];
    const first = sameValues(name, [again], [once]);
    if (first._tag !== 'Holds') return first;
    return expect(np.any(np.notEqual(once, other)).item(), () => `${name} draws the same of both keys`);
  },
);

const cutsBend = law(
  'truncatedNormal: moments and ends for any bounds',
  [seeds, fc.integer({ min: -12, max: 8 }), fc.integer({ min: 1, max: 12 }), gains, dtypes],
  (seed, low, width, deviation, dtype) => {
    const bounds = [low / 4, (low + width) / 4] as const;
    const numbers = drawn(
      seed,
      [500],
      (key) => initializers.truncatedNormal(key, [500], { bounds, deviation, dtype }) as Tensor,
    );
    return judge(numbers, stretched(cutNormal(...bounds), deviation, bounds, 0.2));
  },
);

const matrixOf = (w: Tensor<'float64'>): Tensor<'float64'> => np.reshape(w, [-1, w.shape.at(-1)!]);
const transposed = (a: Tensor<'float64'>): Tensor<'float64'> => np.transpose(a) as Tensor<'float64'>;
const distance = (a: Tensor<'float64'>, b: Tensor<'float64'>): number => np.max(np.abs(np.sub(a, b))).item();

const orthogonalIsOrthogonal = law(
  'orthogonal: QᵀQ is gain² times the identity, or QQᵀ where there are fewer rows',
  [seeds, shapes, gains, dtypes],
  (seed, shape, gain, dtype) => {
    const w = matrixOf(
      np.astype(initializers.orthogonal(random.key(seed), shape, { gain, dtype }), 'float64') as Tensor<'float64'>,
    );
    const tall = w.shape[0]! >= w.shape[1]! ? w : transposed(w);
    const gram = np.matmul(transposed(tall), tall) as Tensor<'float64'>;
    const wanted = np.mul(np.eye(gram.shape[0]!, undefined, { dtype: 'float64' }), gain ** 2) as Tensor<'float64'>;
    const off = distance(gram, wanted);
    return expect(off <= (dtype === 'float64' ? 1e-13 : 1e-5) * gain ** 2, () => `QᵀQ is off by ${off}`);
  },
);

const orthogonalIsUniform = law(
  'orthogonal: of the normal matrix of the key, whose R then has a positive diagonal',
  [seeds, shapes],
  (seed, shape) => {
    const key = random.key(seed);
    const w = matrixOf(initializers.orthogonal(key, shape, { dtype: 'float64' }));
    const tall = w.shape[0]! >= w.shape[1]! ? w : transposed(w);
    const normal = random.normal(key, tall.shape, { dtype: 'float64' }) as Tensor<'float64'>;
    const r = np.matmul(transposed(tall), normal) as Tensor<'float64'>;
    const below = distance(np.tril(r, -1) as Tensor<'float64'>, np.zeros(r.shape, { dtype: 'float64' }));
    const least = np.min(np.diagonal(r)).item();
    return expect(
      below < 1e-12 && least > 0,
      () => `below the diagonal of R is ${below}, the least of its diagonal ${least}`,
    );
  },
);

/** The laws of initializers. */
export const initializerLaws: readonly Law[] = [
  varianceIsScaleOverFan,
  namesAreCases,
  keysDecide,
  cutsBend,
  orthogonalIsOrthogonal,
  orthogonalIsUniform,
];
