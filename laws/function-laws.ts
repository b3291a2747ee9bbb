/**
 * Laws of your own functions: their gradients, batches, programs and adjoints, over arguments that are drawn.
 *
 * Each takes a function and an arbitrary of its arguments ({@link args}) and is a {@link Law}; a test of yours calls `check`.
 */

import * as fc from 'fast-check';
import { withShape } from '../src/core/aval.ts';
import { ConcretizationError } from '../src/core/errors.ts';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { expectOptions } from '../src/ops/untyped.ts';
import { leafPaths, type TreeDef } from '../src/tree/def.ts';
import { flatten } from '../src/tree/tree.ts';
import { flatFunction, flattenPrimals } from '../transforms/args.ts';
import { jit } from '../transforms/jit.ts';
import type { FlatFunction } from '../transforms/jvp.ts';
import { vmap } from '../transforms/vmap.ts';
import { adjointChecker } from './adjoint.ts';
import { type Drawable, realize } from './arbitrary/args.ts';
import { type CheckGradsOptions, gradientChecker, nothing } from './check-grads.ts';
import { close, type HostTensor, laneOf, stackHost, toHost } from './host.ts';
import { every, fails, holds, inconclusive, type Law, law, type Verdict } from './law.ts';
import { exactly, untraced } from './lifted.ts';

/** An arbitrary of the arguments of a function. */
export type Arguments<A extends readonly unknown[]> = fc.Arbitrary<{ readonly [K in keyof A]: Drawable<A[K]> }>;

const nameOf = (f: { readonly name: string }): string => f.name || 'anonymous';

const noted = (verdict: Verdict, traced: boolean): Verdict => (traced ? verdict : { ...verdict, note: untraced });

/**
 * The derivatives of `f` are what central differences say, as {@link checkGrads} has it, at every point that is drawn.
 *
 * A failure prints the smallest arguments found, both derivatives and the element that is most wrong, the first equation that is
 * wrong by itself with its line, and the seed. A point at a kink decides nothing; more than a tenth of those fail the law.
 *
 * @param arbitrary - an arbitrary of the arguments: {@link args}, or a tuple of fast-check's
 *
 * @example
 * ```ts
 * import { makeAval, np, type Tensor } from 'pullback';
 * import { args, gradientLaw } from 'pullback/laws';
 * const norm = (x: Tensor) => np.sqrt(np.add(np.sum(np.square(x)), 1));
 * gradientLaw(norm, args(makeAval([3], 'float32')), { order: 2 }).check({ runs: 20 });
 * ```
 */
export function gradientLaw<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  arbitrary: Arguments<A>,
  options: CheckGradsOptions = {},
): Law {
  const check = gradientChecker('gradientLaw', f, options);
  return law(`${nameOf(f)}: gradient = central differences`, [arbitrary], (drawn) => {
    const { finding, text, traced, matter } = check(
      flattenPrimals('gradientLaw', realize(drawn) as readonly unknown[]),
    );
    if (matter === 'nothing') return inconclusive(nothing);
    if (!finding) return noted(holds, traced);
    return finding._tag === 'Wrong' ? noted(fails(text), traced) : noted(inconclusive(text), traced);
  });
}

/** Options of {@link adjointLaw}. */
export interface AdjointOptions {
  /** What the two sides may differ by, relative to the largest term; default 10⁻⁹. */
  readonly rtol?: number;
  /** Random pairs of a tangent and a cotangent at each point; default 3. */
  readonly directions?: number;
  /** Their seed; default 0. */
  readonly seed?: number;
}

/**
 * Both modes are one derivative: ⟨ct, J t⟩ = ⟨Jᵀ ct, t⟩, with `J t` by `jvp` and `Jᵀ ct` by `vjp`, in double precision. Nothing is
 * differenced, so that kinks and poles near by do not matter.
 *
 * @example
 * ```ts
 * import { makeAval, np, type Tensor } from 'pullback';
 * import { adjointLaw, args } from 'pullback/laws';
 * const f = (x: Tensor, y: Tensor) => np.matmul(np.abs(x), y);
 * adjointLaw(f, args(makeAval([2, 3], 'float32'), makeAval([3], 'float32'))).check({ runs: 20 });
 * ```
 */
export function adjointLaw<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  arbitrary: Arguments<A>,
  options: AdjointOptions = {},
): Law {
  expectOptions('adjointLaw', options, 'rtol', 'directions', 'seed');
  const given = { rtol: 1e-9, directions: 3, seed: 0, ...options };
  expectTolerance('adjointLaw', given.rtol);
  if (!(Number.isInteger(given.directions) && given.directions >= 1))
    throw new TypeError(`adjointLaw: directions must be 1, 2, …, got ${given.directions}`);
  const check = adjointChecker('adjointLaw', f, given);
  return law(`${nameOf(f)}: vjp is adjoint to jvp`, [arbitrary], (drawn) => {
    const { verdict, traced } = check(flattenPrimals('adjointLaw', realize(drawn) as readonly unknown[]));
    return noted(verdict, traced);
  });
}

/** Options of {@link batchingLaw} and {@link jitLaw}. */
export interface ToleranceOptions {
  /** What elements may differ by, relative to the largest element beside them. */
  readonly rtol?: number;
  /** What they may differ by besides, where a sum of large terms is small; default 0. */
  readonly atol?: number;
}

/** A tolerance that would let everything pass is a mistake. */
function expectTolerance(op: string, rtol: number, atol = 0): void {
  if (rtol >= 0 && rtol < 1 && atol >= 0 && Number.isFinite(atol)) return;
  throw new TypeError(`${op}: rtol and atol must be at least 0, and rtol below 1, got ${rtol} and ${atol}`);
}

/** {@link close}, beside the largest element that is a number. */
function alike(what: string, found: HostTensor, wanted: HostTensor, rtol: number, atol: number): Verdict {
  const largest = Array.from(wanted.data).reduce((m, x) => (Number.isFinite(x) ? Math.max(m, Math.abs(x)) : m), 0);
  const relative = Math.max(rtol, 2 ** -60);
  return close(what, found, wanted, relative, largest + atol / relative);
}

/** The verdict of `judge`; a function that cannot be traced breaks the law, with the line where it asks for a value. */
function refusals(what: string, judge: () => Verdict): Verdict {
  try {
    return judge();
  } catch (error) {
    if (error instanceof ConcretizationError) return fails(`${what} threw ${error.message}`);
    throw error;
  }
}

/** Arguments as leaves. */
interface Leaves {
  readonly hosts: readonly HostTensor[];
  readonly key: string;
}

const leavesOf = (op: string, drawn: unknown): Leaves => {
  const { leaves, def } = flatten(realize(drawn), op, 'args');
  return { hosts: leaves.map(toHost), key: `${def.key};${leaves.map((x) => x.aval.id).join()}` };
};

/** Choices before they repeat. */
const choices = 8;

/**
 * Where leaves have their batch axis, `null` for those that all lanes share: chosen for each argument or for each leaf. 0 is the
 * first axis of all.
 */
function axesOf(mapping: number, def: TreeDef, leaves: readonly Value[]): readonly (number | null)[] {
  const args = def.kind === 'array' ? def.children.flatMap((child, i) => Array<number>(child.size).fill(i)) : [];
  const axes = leaves.map((x, leaf) => {
    const place = mapping % 2 === 0 ? args[leaf]! : leaf;
    const choice = Math.floor(mapping / 2 / 3 ** (place % choices)) % 3;
    return choice === 1 ? null : choice === 2 ? x.ndim : 0;
  });
  return axes.some((axis) => axis !== null) ? axes : axes.map((axis, i) => (i === 0 ? 0 : axis));
}

/**
 * `vmap(f) = stack ∘ map(f)`: a batch gives what its examples give one by one, whichever leaves of the arguments are mapped, along
 * their first axis or a new last one. Both sides are traced and run in double precision.
 *
 * @param arbitrary - of one example. Two or three are drawn, which must agree in shapes
 * @param options - `rtol` defaults to 10⁻⁹
 *
 * @example
 * ```ts
 * import { makeAval, np, type Tensor } from 'pullback';
 * import { args, batchingLaw } from 'pullback/laws';
 * const predict = (w: Tensor, x: Tensor) => np.tanh(np.matmul(w, x));
 * batchingLaw(predict, args(makeAval([2, 3], 'float32'), makeAval([3], 'float32'))).check({ runs: 20 });
 * ```
 */
export function batchingLaw<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  arbitrary: Arguments<A>,
  options: ToleranceOptions = {},
): Law {
  const op = 'batchingLaw';
  expectOptions(op, options, 'rtol', 'atol');
  const { rtol = 1e-9, atol = 0 } = options;
  expectTolerance(op, rtol, atol);
  const lanes = fc.array(arbitrary, { minLength: 2, maxLength: 3 });
  return law(`${nameOf(f)}: vmap = stack ∘ map`, [lanes, fc.nat({ max: 2 * 3 ** choices - 1 })], (drawn, mapping) => {
    const all = drawn.map((one) => leavesOf(op, one));
    const examples = all.filter(({ key }) => key === all[0]!.key).map(({ hosts }) => hosts);
    if (examples.length < 2) return inconclusive('no two examples have the same shapes: draw arguments of one shape');
    const { leaves, def } = flatten(realize(drawn[0]), op, 'args');
    const paths = leafPaths(def, 'args');
    const axes = axesOf(mapping, def, leaves);
    const { flat, outDef } = flatFunction(op, f, def);
    const shared = (lane: number): readonly HostTensor[] =>
      axes.map((axis, i) => examples[axis === null ? 0 : lane]![i]!);
    const batch = axes.map((axis, i) => {
      const one = examples[0]![i]!;
      return axis === null
        ? one
        : stackHost(
            one,
            examples.map((hosts) => hosts[i]!.data),
            axis,
          );
    });
    const mapped = axes.flatMap((axis, i) => (axis === null ? [] : [`${paths[i]} (axis ${axis})`])).join(', ');
    return refusals(`vmap over ${mapped}`, () => {
      const together = exactly(
        op,
        vmap(flat as FlatFunction, axes),
        batch.map(({ shape }, i) => withShape(leaves[i]!.aval, shape)),
      );
      const single = exactly(
        op,
        flat,
        leaves.map((x) => x.aval),
      );
      const outPaths = leafPaths(outDef(), 'output');
      const found = together(batch);
      return every(range(examples.length), (lane) => {
        const wanted = single(shared(lane));
        return every(range(wanted.length), (i) =>
          alike(
            `vmap over ${mapped}: ${outPaths[i]} of lane ${lane}`,
            laneOf(found[i]!, 0, lane),
            wanted[i]!,
            rtol,
            atol,
          ),
        );
      });
    });
  });
}

/**
 * `jit(f) = f`: the program that is traced for one argument gives what the function gives, for that argument and for another of
 * its kind. A function that reads or changes anything but its arguments fails.
 *
 * @param options - `rtol` defaults to 10⁻⁵, as a device may round a program otherwise than its operations
 *
 * @example
 * ```ts
 * import { makeAval, np, type Tensor } from 'pullback';
 * import { args, jitLaw } from 'pullback/laws';
 * const step = (x: Tensor) => np.where(np.greater(x, 0), x, np.mul(x, 0.1));
 * jitLaw(step, args(makeAval([4], 'float32'))).check({ runs: 20 });
 * ```
 */
export function jitLaw<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  arbitrary: Arguments<A>,
  options: ToleranceOptions = {},
): Law {
  expectOptions('jitLaw', options, 'rtol', 'atol');
  const { rtol = 1e-5, atol = 0 } = options;
  expectTolerance('jitLaw', rtol, atol);
  return law(`${nameOf(f)}: jit = eager`, [fc.array(arbitrary, { minLength: 2, maxLength: 2 })], (pair) =>
    refusals('jit', () => {
      const jitted = jit(f);
      return every([0, 1], (i) => {
        const eager = flatten(f(...(realize(pair[i]) as A)), 'jitLaw', 'output');
        const program = flatten(jitted(...(realize(pair[i]) as A)), 'jitLaw', 'output');
        const when = i === 0 ? 'jit' : 'jit, traced for other arguments';
        if (eager.def.key !== program.def.key)
          return fails(`${when}: the output is ${program.def.key}, expected ${eager.def.key}`);
        const paths = leafPaths(eager.def, 'output');
        return every(range(eager.leaves.length), (k) =>
          alike(`${when}: ${paths[k]}`, toHost(program.leaves[k]!), toHost(eager.leaves[k]!), rtol, atol),
        );
      });
    }),
  );
}
