/**
 * Derivatives for users: `jvp`, `linearize`, `vjp`, `linearTranspose` and `grad`, on functions of trees.
 *
 * Reverse mode is linearize followed by transpose; nothing here knows any primitive.
 */

import { showAval } from '../src/core/aval.ts';
import { type DType, isFloat } from '../src/core/dtype.ts';
import { NonScalarLossError } from '../src/core/errors.ts';
import { evalJaxpr } from '../src/core/jaxpr.ts';
import { stage } from '../src/core/stage.ts';
import { expectOptions } from '../src/core/untyped.ts';
import type { Value } from '../src/core/value.ts';
import { ones, zeros } from '../src/prim/compose.ts';
import { avalOf, type Leaf, unflatten } from '../src/tree/tree.ts';
import { expectNoConstant } from './affine.ts';
import {
  type Args,
  type Cotangent,
  chooseArgs,
  expectFloats,
  flatFunction,
  flattenPrimals,
  flattenTangents,
  nameAfter,
  type TangentOf,
  type Tangents,
  unflattenTangents,
} from './args.ts';
import { type AuxOptions, functionWithAux, hasAuxIn } from './aux.ts';
import { jvpFlat } from './jvp.ts';
import { linearizeFlat } from './linearize.ts';
import { backwardPass, holesOf } from './transpose.ts';

/**
 * The value of `f` at `primals` and its derivative in the direction `tangents`.
 *
 * @param tangents - one for each primal, of its structure, shapes and dtypes; `null` is zero, and the only tangent of an
 *   integer or bool leaf
 * @returns `[out, tangent]`, the tangent in the structure of the output (`null` at integer and bool leaves); with `hasAux`,
 *   `[out, tangent, aux]`
 * @throws TreeError or ShapeError where a tangent does not fit its primal
 *
 * @example
 * ```ts
 * import { jvp, np, type Tensor } from 'pullback';
 * const [y, dy] = jvp((x: Tensor) => np.sin(x), [np.array(0)], [np.array(2)]);
 * console.log([y.item(), dy.item()]); // => [ 0, 2 ]
 * ```
 */
export function jvp<A extends readonly unknown[], R, Extra>(
  f: (...args: A) => readonly [R, Extra],
  primals: readonly [...Args<A>],
  tangents: readonly [...Tangents<A>],
  options: AuxOptions<true> & { readonly hasAux: true },
): [R, R, Extra];
export function jvp<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  primals: readonly [...Args<A>],
  tangents: readonly [...Tangents<A>],
  options?: AuxOptions<false>,
): [R, R];
export function jvp<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  primals: readonly [...Args<A>],
  tangents: readonly [...Tangents<A>],
  options: AuxOptions = {},
): readonly unknown[] {
  const hasAux = hasAuxIn('jvp', options);
  const { leaves, def } = flattenPrimals('jvp', primals, 'primals');
  const directions = flattenTangents('jvp', 'tangent', tangents, def, leaves);
  const { flat, outDef, main, rest } = functionWithAux('jvp', f, def, hasAux);
  const result = jvpFlat(flat, leaves, directions);
  const outs = main(result.outs);
  return [
    unflatten<R>(outDef(), outs),
    unflattenTangents<R>(outDef(), main(result.tangents), outs, (i) => zeros(outs[i]!.aval)),
    ...rest(result.outs),
  ];
}

/**
 * The value of `f` at `primals` and its derivative there as a linear function of the tangents, which can be applied many times.
 *
 * @returns `[out, derivative]`; with `hasAux`, `[out, derivative, aux]`
 * @throws TreeError or ShapeError, when applied, where a tangent does not fit its primal
 *
 * @example
 * ```ts
 * import { linearize, np, type Tensor } from 'pullback';
 * const [, derivative] = linearize((x: Tensor) => np.mul(x, x), [np.array(3)]);
 * console.log(derivative(np.array(1)).item()); // => 6
 * ```
 */
export function linearize<A extends readonly unknown[], R, Extra>(
  f: (...args: A) => readonly [R, Extra],
  primals: readonly [...Args<A>],
  options: AuxOptions<true> & { readonly hasAux: true },
): [R, (...tangents: Tangents<A>) => R, Extra];
export function linearize<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  primals: readonly [...Args<A>],
  options?: AuxOptions<false>,
): [R, (...tangents: Tangents<A>) => R];
export function linearize<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  primals: readonly [...Args<A>],
  options: AuxOptions = {},
): readonly unknown[] {
  const hasAux = hasAuxIn('linearize', options);
  const { leaves, def } = flattenPrimals('linearize', primals, 'primals');
  const { flat, outDef, main, rest } = functionWithAux('linearize', f, def, hasAux);
  const whole = linearizeFlat(flat, leaves);
  const outs = main(whole.outs);
  const nonzero = main(whole.nonzero);
  const { linear } = whole;
  const apply = (...tangents: Tangents<A>): R => {
    const all = flattenTangents('linearize', 'tangent', tangents, def, leaves);
    const active = leaves.flatMap((x, i) => (isFloat(x.dtype) ? [all[i] ?? zeros(x.aval)] : []));
    const results = evalJaxpr(linear.jaxpr, linear.consts, active);
    let next = 0;
    const outTangents = nonzero.map((present) => (present ? results[next++]! : null));
    return unflattenTangents<R>(outDef(), outTangents, outs, (i) => zeros(outs[i]!.aval));
  };
  return [unflatten<R>(outDef(), outs), apply, ...rest(whole.outs)];
}

/**
 * The value of `f` at `primals` and its pullback: from a cotangent of the output to one of each primal.
 *
 * @returns `[out, pullback]`; `pullback(ct)` is an array with the cotangent of each primal, in its structure (`null` at integer
 *   and bool leaves). With `hasAux`, `[out, pullback, aux]`. Law: ⟨ct, jvp(t)⟩ = ⟨pullback(ct), t⟩.
 * @throws TreeError or ShapeError, when applied, where a cotangent does not fit the output
 *
 * @example
 * ```ts
 * import { np, type Tensor, vjp } from 'pullback';
 * const [, pullback] = vjp((x: Tensor, y: Tensor) => np.mul(x, y), [np.array(3), np.array(4)]);
 * console.log(pullback(np.array(1)).map((ct) => ct.item())); // => [ 4, 3 ]
 * ```
 */
export function vjp<A extends readonly unknown[], R, Extra>(
  f: (...args: A) => readonly [R, Extra],
  primals: readonly [...Args<A>],
  options: AuxOptions<true> & { readonly hasAux: true },
): [R, (ct: TangentOf<R>) => { [K in keyof A]: Cotangent<A[K]> }, Extra];
export function vjp<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  primals: readonly [...Args<A>],
  options?: AuxOptions<false>,
): [R, (ct: TangentOf<R>) => { [K in keyof A]: Cotangent<A[K]> }];
export function vjp<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  primals: readonly [...Args<A>],
  options: AuxOptions = {},
): readonly unknown[] {
  const hasAux = hasAuxIn('vjp', options);
  const { leaves, def } = flattenPrimals('vjp', primals, 'primals');
  const { flat, outDef, main, rest } = functionWithAux('vjp', f, def, hasAux);
  const { outs, pull } = vjpFlat(flat, leaves);
  const pullback = (ct: TangentOf<R>): { [K in keyof A]: Cotangent<A[K]> } => {
    const cts = flattenTangents('vjp', 'cotangent', ct, outDef(), main(outs));
    return unflattenTangents(def, pull([...cts, ...outs.slice(cts.length).map(() => null)]), leaves, (i) =>
      zeros(leaves[i]!.aval),
    );
  };
  return [unflatten<R>(outDef(), main(outs)), pullback, ...rest(outs)];
}

/** {@link vjp} below the level of trees: cotangents of all inputs, `null` for zero and for inputs without derivative. */
function vjpFlat(
  flat: (...leaves: readonly Value[]) => readonly Value[],
  leaves: readonly Value[],
): {
  readonly outs: readonly Value[];
  readonly pull: (cts: readonly (Value | null)[]) => readonly (Value | null)[];
} {
  const active = leaves.map((x) => isFloat(x.dtype));
  const { outs, linear, nonzero } = linearizeFlat(flat, leaves, active);
  const pull = (cts: readonly (Value | null)[]): readonly (Value | null)[] => {
    const present = cts.filter((_, i) => nonzero[i]);
    const inCts = backwardPass(linear.jaxpr, linear.consts, holesOf(linear.jaxpr), present);
    let next = 0;
    return active.map((isActive) => (isActive ? inCts[next++]! : null));
  };
  return { outs, pull };
}

/**
 * The transpose of a function that is linear in all its arguments together.
 *
 * @param primals - values (or avals) of the arguments: only their shapes and dtypes matter
 * @returns from a cotangent of the output to an array with one for each argument
 * @throws NotDifferentiableError naming the equation that is not linear, when applied; at once if it adds a constant
 *
 * @example
 * ```ts
 * import { linearTranspose, np, type Tensor } from 'pullback';
 * const transposed = linearTranspose((x: Tensor) => np.sum(x), [np.zeros([2])]);
 * console.log(transposed(np.array(5))[0].toArray()); // => [ 5, 5 ]
 * ```
 */
export function linearTranspose<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  primals: readonly [...Args<A>],
): (ct: TangentOf<R>) => { [K in keyof A]: Cotangent<A[K]> } {
  const chosen = flattenPrimals<Leaf>('linearTranspose', primals, 'primals');
  expectFloats('linearTranspose', chosen);
  const { leaves, def } = chosen;
  const avals = leaves.map(avalOf);
  const { flat, outDef } = flatFunction('linearTranspose', f, def);
  const { jaxpr, consts } = stage('linearTranspose', flat, avals);
  expectNoConstant(jaxpr);
  return (ct) => {
    const outs = jaxpr.outs.map((atom) => atom.aval);
    const cts = flattenTangents('linearTranspose', 'cotangent', ct, outDef(), outs);
    const result = backwardPass(jaxpr, consts, holesOf(jaxpr), cts);
    return unflattenTangents(def, result, avals, (i) => zeros(avals[i]!));
  };
}

/** Options of {@link grad} and {@link valueAndGrad}. */
export interface GradOptions<N, Aux extends boolean> extends AuxOptions<Aux> {
  /** Which arguments to differentiate with respect to: an index or an array of them; default 0. */
  readonly argnums?: N;
}

/** The gradient with respect to the arguments `N` of a function of `A`. */
export type GradOf<A extends readonly unknown[], N> = N extends number
  ? Cotangent<A[N]>
  : N extends readonly number[]
    ? { -readonly [K in keyof N]: Cotangent<A[N[K] & number]> }
    : never;

type Loss = Value<'float32'> | Value<'float64'> | Value<DType>;

/**
 * The value of a scalar function together with its gradient.
 *
 * @returns a function of the same arguments that returns `[value, gradient]`; with `hasAux`, `[[value, aux], gradient]`. The
 *   gradient has the structure of the differentiated argument (an array of them for several `argnums`); static leaves are
 *   returned unchanged.
 * @throws NonScalarLossError if the output is not one floating-point scalar
 * @throws NotDifferentiableError for an integer or bool leaf, naming its path
 * @throws TreeError for an argument without a tensor
 *
 * @example
 * ```ts
 * import { np, type Tensor, valueAndGrad } from 'pullback';
 * const [value, gradient] = valueAndGrad((x: Tensor) => np.sum(np.mul(x, x)))(np.array([1, 2]));
 * console.log([value.item(), gradient.toArray()]); // => [ 5, [ 2, 4 ] ]
 * ```
 */
export function valueAndGrad<A extends readonly unknown[], L, Extra, const N extends number | readonly number[] = 0>(
  f: (...args: A) => readonly [L, Extra],
  options: GradOptions<N, true> & { readonly hasAux: true },
): (...args: Args<A>) => [[L, Extra], GradOf<A, N>];
export function valueAndGrad<A extends readonly unknown[], R, const N extends number | readonly number[] = 0>(
  f: (...args: A) => R,
  options?: GradOptions<N, false>,
): (...args: Args<A>) => [R, GradOf<A, N>];
export function valueAndGrad<A extends readonly unknown[], R, const N extends number | readonly number[] = 0>(
  f: (...args: A) => R,
  options: GradOptions<N, boolean> = {},
): (...args: Args<A>) => [unknown, GradOf<A, N>] {
  return differentiate('valueAndGrad', f, options);
}

/**
 * The gradient of a scalar function, in the structure of the differentiated argument.
 *
 * @returns a function of the same arguments that returns the gradient; with `hasAux`, `[gradient, aux]`
 * @throws as {@link valueAndGrad}
 *
 * @example
 * ```ts
 * import { grad, np, type Tensor } from 'pullback';
 * const cube = (x: Tensor) => np.mul(x, np.mul(x, x));
 * console.log([grad(cube)(2).item(), grad(grad(cube))(2).item()]); // => [ 12, 12 ]
 * ```
 */
export function grad<A extends readonly unknown[], L, Extra, const N extends number | readonly number[] = 0>(
  f: (...args: A) => readonly [L, Extra],
  options: GradOptions<N, true> & { readonly hasAux: true },
): (...args: Args<A>) => [GradOf<A, N>, Extra];
export function grad<A extends readonly unknown[], R, const N extends number | readonly number[] = 0>(
  f: (...args: A) => R,
  options?: GradOptions<N, false>,
): (...args: Args<A>) => GradOf<A, N>;
export function grad<A extends readonly unknown[], R, const N extends number | readonly number[] = 0>(
  f: (...args: A) => R,
  options: GradOptions<N, boolean> = {},
): (...args: Args<A>) => unknown {
  const both = differentiate('grad', f, options);
  return nameAfter('grad', f, (...args: Args<A>) => {
    const [value, gradient] = both(...args);
    return options.hasAux ? [gradient, (value as unknown as readonly [Loss, unknown])[1]] : gradient;
  });
}

function differentiate<A extends readonly unknown[], R, const N extends number | readonly number[]>(
  op: string,
  f: (...args: A) => R,
  options: GradOptions<N, boolean>,
): (...args: Args<A>) => [R, GradOf<A, N>] {
  expectOptions(op, options, 'argnums', 'hasAux');
  const argnums = options.argnums ?? (0 as N);
  return nameAfter(op, f, (...args: Args<A>): [R, GradOf<A, N>] => {
    const { chosen, partial } = chooseArgs(op, f, args, argnums);
    expectFloats(op, chosen);
    const { flat, outDef } = flatFunction(op, partial, chosen.def);
    const { outs, pull } = vjpFlat(flat, chosen.leaves);
    const def = outDef();
    const loss = options.hasAux ? (def.kind === 'array' && def.children.length === 2 ? def.children[0]! : null) : def;
    if (loss?.kind !== 'leaf' || outs[0]!.ndim !== 0 || !isFloat(outs[0]!.dtype)) {
      throw nonScalar(op, def.key, outs, options.hasAux ?? false);
    }
    const cts = pull(outs.map((x, i) => (i === 0 ? ones(x.aval) : null)));
    const gradient = unflattenTangents<unknown[]>(chosen.def, cts, chosen.leaves, (i) => zeros(chosen.leaves[i]!.aval));
    return [unflatten<R>(def, outs), (typeof argnums === 'number' ? gradient[0] : gradient) as GradOf<A, N>];
  });
}

function nonScalar(op: string, structure: string, outs: readonly Value[], hasAux: boolean): NonScalarLossError {
  const got = structure === '*' ? showAval(outs[0]!.aval) : `the tree ${structure}`;
  return new NonScalarLossError({
    op,
    problem: hasAux
      ? `with hasAux the function must return [loss, aux] with a scalar floating-point loss, got ${got}`
      : `the function must return one floating-point scalar, got ${got}`,
    remedy: 'reduce it with np.sum or np.mean, return what is extra with hasAux, or use vjp, jacrev or jacfwd',
  });
}
