/**
 * Configured layers, and how they compose.
 *
 * `dense(params)` is a layer with its parameters; `dense.layer(3, 8)` is one without: it knows how to draw parameters and what to do
 * with them. Composed layers are layers whose parameters are tuples of parameters, so that a model is a plain tree again.
 */

import { showAval } from '../core/aval.ts';
import type { FloatDType } from '../core/dtype.ts';
import { ShapeError, TreeError } from '../core/errors.ts';
import { sameShape } from '../core/shape.ts';
import * as np from '../ops/np.ts';
import type { Tensor } from '../ops/types.ts';
import { describe } from '../ops/untyped.ts';
import { type Key, split } from '../random/key.ts';

/** A layer before it has parameters. */
export interface Layer<P, X, Y> {
  /** Fresh parameters. */
  readonly init: (key: Key) => P;
  /** The layer with these parameters. */
  readonly apply: (params: P) => (x: X) => Y;
  /** What {@link summary} calls it. */
  readonly name?: string;
  /** Of what it is composed, and how. */
  readonly composed?: {
    readonly by: 'serial' | 'parallel' | 'fanOut' | 'residual';
    readonly layers: readonly AnyLayer[];
  };
}

/** A layer of any parameters and values. */
export interface AnyLayer extends Pick<Layer<unknown, unknown, unknown>, 'init' | 'name' | 'composed'> {
  readonly apply: (params: never) => (x: never) => unknown;
}

/** The parameters of a layer. */
export type ParamsOf<L> = L extends { readonly init: (key: Key) => infer P } ? P : never;
/** What a layer takes. */
export type InputOf<L> = L extends { readonly apply: (params: never) => (x: infer X) => unknown } ? X : never;
/** What a layer gives. */
export type OutputOf<L> = L extends { readonly apply: (params: never) => (x: never) => infer Y } ? Y : never;

/** The parameters of several layers: a tuple. */
export type AllParams<L extends readonly AnyLayer[]> = { readonly [I in keyof L]: ParamsOf<L[I]> };
/** What several layers take, each its own: a tuple. */
export type AllInputs<L extends readonly AnyLayer[]> = { readonly [I in keyof L]: InputOf<L[I]> };
/** What several layers give: a tuple. */
export type AllOutputs<L extends readonly AnyLayer[]> = { readonly [I in keyof L]: OutputOf<L[I]> };

/** `L` if each layer takes what the one before it gives; else what the first that does not should have been. */
export type Chained<L extends readonly AnyLayer[]> = L extends readonly [
  infer A extends AnyLayer,
  infer B extends AnyLayer,
  ...infer R extends readonly AnyLayer[],
]
  ? OutputOf<A> extends InputOf<B>
    ? readonly [A, ...Chained<readonly [B, ...R]>]
    : readonly [A, Layer<ParamsOf<B>, OutputOf<A>, OutputOf<B>>, ...R]
  : L;

/** The last of a tuple. */
type Last<L extends readonly unknown[]> = L extends readonly [...infer _, infer B] ? B : never;

/** A layer that is nothing besides. */
type Loose = Layer<unknown, unknown, unknown>;

/** @throws TreeError naming the first that is no layer */
function expectLayers(op: string, layers: readonly unknown[]): asserts layers is readonly Loose[] {
  layers.forEach((layer, i) => {
    const { init, apply } = (layer ?? {}) as Partial<Loose>;
    if (typeof init === 'function' && typeof apply === 'function') return;
    const problem = `layer ${i} is ${describe(layer)}, not a layer: it has no init and apply`;
    throw new TreeError({ op, problem, remedy: 'use nn.NAME.layer(…), or lift a function: nn.lift(nn.relu)' });
  });
}

const initAll =
  (layers: readonly AnyLayer[]) =>
  (key: Key): readonly unknown[] => {
    const keys = layers.length === 0 ? [] : split(key, layers.length);
    return layers.map((layer, i) => layer.init(keys[i]!));
  };

/**
 * A function as a layer without parameters, which are null: activations, pooling, reshaping.
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const layer = nn.lift(nn.relu);
 * console.log(layer.apply(layer.init(random.key(0)))(np.array([-1, 2])).toArray()); // => [ 0, 2 ]
 * ```
 */
export function lift(f: (x: Tensor) => Tensor, name?: string): Layer<null, Tensor, Tensor>;
export function lift<X, Y>(f: (x: X) => Y, name?: string): Layer<null, X, Y>;
export function lift<X, Y>(f: (x: X) => Y, name = f.name): Layer<null, X, Y> {
  return { init: () => null, apply: () => f, ...(name === '' ? {} : { name }) };
}

/**
 * Layers one behind the other: each takes what the one before gives. Parameters are the tuple of their parameters, each drawn by a
 * key of its own.
 *
 * It is associative, with tuples nested alike, and `lift((x) => x)` is its identity (laws): what is nested computes what is flat.
 *
 * @example
 * ```ts
 * import { grad, nn, np, random } from 'pullback';
 * const model = nn.serial(nn.dense.layer(3, 8), nn.lift(nn.tanh), nn.dense.layer(8, 2));
 * const params = model.init(random.key(0));
 * console.log(model.apply(params)(np.ones([5, 3])).shape); // => [ 5, 2 ]
 * const [first] = grad((p: typeof params) => np.sum(model.apply(p)(np.ones([5, 3]))))(params);
 * console.log(first.w.shape); // => [ 3, 8 ]
 * ```
 */
export function serial<const L extends readonly [AnyLayer, ...AnyLayer[]]>(
  ...layers: Chained<L> extends L ? L : Chained<L>
): Layer<AllParams<L>, InputOf<L[0]>, OutputOf<Last<L>>> {
  const all: readonly unknown[] = layers;
  expectLayers('nn.serial', all);
  const composed: Layer<readonly unknown[], unknown, unknown> = {
    init: initAll(all),
    apply: (params) => {
      const applied = all.map((layer, i) => layer.apply(params[i]));
      return (x) => applied.reduce((value, layer) => layer(value), x);
    },
    composed: { by: 'serial', layers: all },
  };
  return composed as unknown as Layer<AllParams<L>, InputOf<L[0]>, OutputOf<Last<L>>>;
}

/**
 * Layers side by side, each on its own member of a tuple, as stax's `parallel`.
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const pair = nn.parallel(nn.dense.layer(3, 8), nn.dense.layer(4, 2));
 * const [a, b] = pair.apply(pair.init(random.key(0)))([np.ones([3]), np.ones([4])]);
 * console.log(a.shape, b.shape); // => [ 8 ] [ 2 ]
 * ```
 */
export function parallel<const L extends readonly AnyLayer[]>(
  ...layers: L
): Layer<AllParams<L>, AllInputs<L>, AllOutputs<L>> {
  const all: readonly unknown[] = layers;
  expectLayers('nn.parallel', all);
  const composed: Layer<readonly unknown[], readonly unknown[], readonly unknown[]> = {
    init: initAll(all),
    apply: (params) => (xs) => all.map((layer, i) => layer.apply(params[i])(xs[i])),
    composed: { by: 'parallel', layers: all },
  };
  return composed as unknown as Layer<AllParams<L>, AllInputs<L>, AllOutputs<L>>;
}

/** The values that all of a union may be. */
type Meet<U> = (U extends unknown ? (x: U) => void : never) extends (x: infer M) => void ? M : never;

/**
 * Layers side by side on the same value: x → the tuple of what they give. {@link lift} then sums or joins it.
 *
 * @example
 * ```ts
 * import { nn, np, random, type Tensor } from 'pullback';
 * const joined = nn.lift(([a, b]: readonly [Tensor, Tensor]) => np.concatenate([a, b], -1));
 * const branches = nn.serial(nn.fanOut(nn.dense.layer(3, 8), nn.dense.layer(3, 2)), joined);
 * console.log(branches.apply(branches.init(random.key(0)))(np.ones([3])).shape); // => [ 10 ]
 * ```
 */
export function fanOut<const L extends readonly [AnyLayer, ...AnyLayer[]]>(
  ...layers: L
): Layer<AllParams<L>, Meet<InputOf<L[number]>>, AllOutputs<L>> {
  const all: readonly unknown[] = layers;
  expectLayers('nn.fanOut', all);
  const composed: Layer<readonly unknown[], unknown, readonly unknown[]> = {
    init: initAll(all),
    apply: (params) => (x) => all.map((layer, i) => layer.apply(params[i])(x)),
    composed: { by: 'fanOut', layers: all },
  };
  return composed as unknown as Layer<AllParams<L>, Meet<InputOf<L[number]>>, AllOutputs<L>>;
}

/**
 * x + layer(x), with the parameters of the layer.
 *
 * K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition" (2016).
 *
 * @throws ShapeError for a layer that gives another shape than it takes, TreeError for what is no layer
 *
 * @example
 * ```ts
 * import { nn, np, random } from 'pullback';
 * const block = nn.residual(nn.serial(nn.dense.layer(3, 8), nn.lift(nn.relu), nn.dense.layer(8, 3)));
 * console.log(block.apply(block.init(random.key(0)))(np.ones([2, 3])).shape); // => [ 2, 3 ]
 * ```
 */
export function residual<P, D extends FloatDType>(
  layer: Layer<P, Tensor<D>, Tensor<D>>,
): Layer<P, Tensor<D>, Tensor<D>> {
  expectLayers('nn.residual', [layer]);
  return {
    init: layer.init,
    apply: (params) => {
      const f = layer.apply(params);
      return (x) => {
        const y = f(x);
        if (sameShape(x.shape, y.shape)) return np.add(x, y) as Tensor<D>;
        throw new ShapeError({
          op: 'nn.residual',
          problem: `the layer makes ${showAval(y.aval)} of ${showAval(x.aval)}`,
          remedy: 'bridge layers that keep the shape, or sum what nn.fanOut gives',
        });
      };
    },
    composed: { by: 'residual', layers: [layer as unknown as AnyLayer] },
  };
}
