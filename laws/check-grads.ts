/**
 * A check of your own derivatives: a function's `jvp` and `vjp` against central differences, in double precision.
 *
 * The function is staged once; its program and the derivatives of that run on the float64 reference, so that an error of
 * 10⁻⁵ is a wrong rule and not rounding. Directions are random and reproducible.
 */

import { expectOptions } from '../src/ops/untyped.ts';
import { type Args, flattenPrimals, type Primals } from '../transforms/args.ts';
import { culpritOf, possible } from './culprit.ts';
import {
  type Finding,
  type GradientOptions,
  judgeGradients,
  type Mode,
  randomNumbers,
  type Subject,
  subjectMatter,
  type Wrong,
} from './gradients.ts';
import { lifting, untraced } from './lifted.ts';

/** Options of {@link checkGrads}. */
export interface CheckGradsOptions {
  /** How many derivatives to check: 2 checks the gradient of the gradient as well. Default 1. */
  readonly order?: number;
  /** `fwd` checks `jvp`, `rev` checks `vjp` and so `grad`. Default both. */
  readonly modes?: readonly Mode[];
  /** The step of the differences; default 10⁻⁵. Smaller meets fewer kinks, larger loses fewer digits. */
  readonly eps?: number;
  /** What a derivative may differ by, relative to the largest of the difference quotients; default 10⁻⁵. */
  readonly rtol?: number;
  /** What it may differ by besides; default 10⁻⁷. */
  readonly atol?: number;
  /** Random directions in which it must hold; default 3. */
  readonly directions?: number;
  /** Seed of the directions; default 0. */
  readonly seed?: number;
}

/** A derivative that differences contradict. */
export class GradientError extends Error {
  override readonly name = 'GradientError';
  /** True if a derivative is wrong, false if nothing can be said. */
  readonly decided: boolean;

  constructor(message: string, decided: boolean) {
    super(message);
    this.decided = decided;
  }
}

/**
 * Check the derivatives of `f` at `args`.
 *
 * A function that asks for values (`x.item()` in an `if`) cannot be traced: it runs with float64 arguments, and a failure says so.
 *
 * @param f - a pure function of tensors and trees of them; integer leaves are constants
 * @throws GradientError naming the mode, the worst element, both derivatives, and the first equation that is wrong by itself
 * @throws GradientError if every direction meets a kink, or values are so large that rounding hides their slopes
 * @throws TypeError if the options or the function leave nothing to check
 *
 * @example
 * ```ts
 * import { nn, np, random, type Tensor } from 'pullback';
 * import { checkGrads } from 'pullback/laws';
 * const params = nn.dense.init(random.key(0), 3, 2);
 * const loss = (p: typeof params, x: Tensor) => np.mean(np.square(np.tanh(nn.dense(p)(x))));
 * checkGrads(loss, [params, random.normal(random.key(1), [4, 3])], { order: 2 });
 * ```
 */
export function checkGrads<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  args: readonly [...Args<A>],
  options: CheckGradsOptions = {},
): void {
  const { finding, text, traced, matter } = gradientChecker(
    'checkGrads',
    f,
    options,
  )(flattenPrimals('checkGrads', args));
  if (matter !== 'something') throw new TypeError(`checkGrads: ${nothing}`);
  if (finding)
    throw new GradientError(`checkGrads: ${text}${traced ? '' : `\n  ${untraced}`}`, finding._tag === 'Wrong');
}

/** What a check found at one point, and that as text. */
export interface Checked {
  /** `null` if the derivatives are what differences say. */
  readonly finding: Finding | null;
  readonly text: string;
  readonly traced: boolean;
  /** What there was to check. */
  readonly matter: ReturnType<typeof subjectMatter>;
}

/** What is said where there is nothing to check. */
export const nothing = 'there is nothing to check: no argument, or no output, is a floating-point tensor with elements';

/** A check of `f`, for many points. */
export function gradientChecker<A extends readonly unknown[], R>(
  op: string,
  f: (...args: A) => R,
  given: CheckGradsOptions,
): (primals: Primals) => Checked {
  expectOptions(op, given, ...Object.keys(defaults));
  const options = { ...defaults, ...given };
  expectSomething(op, options);
  const lifted = lifting(op, f);
  return (primals) => {
    const one = lifted(primals);
    const matter = subjectMatter(one.subject);
    if (matter !== 'something') return { finding: null, text: '', traced: one.traced, matter };
    const finding = judgeGradients(one.subject, options, randomNumbers(options.seed));
    return { finding, text: finding ? report(finding, options) : '', traced: one.traced, matter };
  };
}

const defaults: GradientOptions = {
  order: 1,
  modes: ['fwd', 'rev'],
  eps: 1e-5,
  rtol: 1e-5,
  atol: 1e-7,
  directions: 3,
  seed: 0,
};

/** Options that would let everything pass are a mistake. */
function expectSomething(op: string, { order, modes, directions, eps, rtol, atol }: GradientOptions): void {
  const refuse = (problem: string): never => {
    throw new TypeError(`${op}: ${problem}`);
  };
  if (!(Number.isInteger(order) && order >= 1)) refuse(`order must be 1, 2, …, got ${order}`);
  if (!(Number.isInteger(directions) && directions >= 1)) refuse(`directions must be 1, 2, …, got ${directions}`);
  if (modes.length === 0 || modes.some((mode) => mode !== 'fwd' && mode !== 'rev'))
    refuse(`modes must be 'fwd', 'rev' or both, got [${modes.join()}]`);
  if (!(eps > 0 && Number.isFinite(eps))) refuse(`eps must be positive, got ${eps}`);
  if (!(rtol >= 0 && atol >= 0 && rtol < 1 && Number.isFinite(atol)))
    refuse(`rtol and atol must be at least 0, and rtol below 1, got ${rtol} and ${atol}`);
}

function report(finding: Finding, options: GradientOptions): string {
  if (finding._tag === 'Undecided') {
    return (
      `nothing can be said of the ${ordinal(finding.order)}: differences with two steps disagree in every direction that ` +
      'was tried, as near a kink or a pole, or rounding hides the slope of values this large; check at another point or with ' +
      'another eps'
    );
  }
  return [
    `the ${ordinal(finding.order)} by ${verb(finding.mode)} is wrong, worst at ${numbers(finding)} (eps ${options.eps}, ` +
      `rtol ${options.rtol}, atol ${options.atol})`,
    ...tensorLines(finding),
    `  ${culpritOf(finding.subject, equationJudge(options))}`,
  ].join('\n');
}

/** Judges one equation as the function was judged, by its jvp first: that is a number of the rule as it is written. */
const equationJudge =
  (options: GradientOptions) =>
  (equation: Subject): string | null => {
    for (const mode of ['fwd', 'rev'] as const) {
      if (mode === 'rev' && !options.modes.includes('rev')) continue;
      const found = possible(() =>
        judgeGradients(equation, { ...options, order: 1, modes: [mode] }, randomNumbers(options.seed)),
      );
      if (found?._tag === 'Wrong') return `whose ${verb(mode)} is wrong at ${numbers(found)}`;
    }
    return null;
  };

const verb = (mode: Mode): string => (mode === 'fwd' ? 'jvp' : 'vjp');

const ordinal = (order: number): string => (order === 1 ? 'derivative' : `derivative of order ${order}`);

const numbers = ({ where, derivative, difference }: Wrong): string =>
  `${where}: ${digits(derivative)}, central differences say ${digits(difference)}`;

/** What differences are good for. */
const digits = (x: number): string => (Object.is(x, -0) ? '0' : `${Number(x.toPrecision(8))}`);

function tensorLines({ mode, tensor }: Wrong): readonly string[] {
  if (!tensor || tensor.shape.length === 0) return [];
  const { path, shape, derivative, difference } = tensor;
  const [ours, theirs] = [`  ${path} by ${verb(mode)}:`, `  ${path} by differences:`];
  return [
    `${ours.padEnd(theirs.length)} ${nested(shape, derivative)}`,
    `${theirs.padEnd(ours.length)} ${nested(shape, difference)}`,
  ];
}

/** Elements in brackets, one pair for each axis; what is not known is `?`. */
function nested(shape: readonly number[], elements: readonly (number | null)[]): string {
  if (shape.length === 0) return elements[0] === null ? '?' : digits(elements[0]!);
  const [length = 0, ...rest] = shape;
  const size = rest.reduce((n, m) => n * m, 1);
  const parts = Array.from({ length }, (_, i) => nested(rest, elements.slice(i * size, (i + 1) * size)));
  return `[${parts.join(', ')}]`;
}
