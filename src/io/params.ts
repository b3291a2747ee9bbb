/**
 * A codec of a tree of tensors, from the tree of its avals: the schema of a model's parameters.
 *
 * Outside, parameters are *named tensors*, a flat record whose keys are the paths of the leaves (`layers[2].w`), which is what
 * every file of tensors is; inside, they are the tree that the model takes. What is static in the tree is in the schema.
 */

import * as t from 'io-ts';
import { type Aval, compatible, showAval } from '../core/aval.ts';
import { NotSerializableError } from '../core/errors.ts';
import { Tensor, type Value } from '../core/value.ts';
import { leafPaths } from '../tree/def.ts';
import { avalOf, flatten, type Leaf, leavesWithPaths, unflatten } from '../tree/tree.ts';

/** Tensors by their names. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** The tree of values that a tree of avals describes. */
export type ValuesOf<T> =
  T extends Aval<infer D> ? Value<D> : T extends Value ? T : T extends object ? { [K in keyof T]: ValuesOf<T[K]> } : T;

/**
 * The tensors of a tree by the paths of their leaves.
 *
 * @throws NotSerializableError for a tracer: it has no elements
 */
export function namedLeaves(tree: unknown): NamedTensors {
  const leaves = leavesWithPaths<Leaf>(tree).map(([path, leaf]): [string, Tensor] => {
    if (leaf instanceof Tensor) return [path, leaf];
    throw new NotSerializableError({
      op: 'io.namedLeaves',
      problem: `${path || 'the tree'} is not a tensor but stands for ${showAval(avalOf(leaf))}: it has no elements`,
      remedy: 'write parameters outside of transformed functions',
    });
  });
  return Object.fromEntries(leaves);
}

/** The codec of one leaf: any tensor of this shape and dtype, weak or not. */
const leafCodec = (aval: Aval): t.Type<Tensor, Tensor, unknown> => {
  const is = (u: unknown): u is Tensor => u instanceof Tensor && compatible(u.aval, aval);
  return new t.Type(showAval(aval), is, (u, c) => (is(u) ? t.success(u) : t.failure(u, c)), t.identity);
};

const noLeaf = new t.Type<never, never, unknown>(
  'no tensor of this name',
  (_u): _u is never => false,
  t.failure,
  t.identity,
);

/**
 * The codec of trees of tensors with the structure, shapes and dtypes of `avals`.
 *
 * It decodes named tensors, as a safetensors file gives them, into the tree, and encodes the tree into named tensors. Everything
 * that is missing, superfluous or of another type is reported, each by its path.
 *
 * @param avals - a tree of avals (or tensors), as `evalShape(() => init(key))` makes it
 *
 * @example
 * ```ts
 * import { evalShape, np } from 'pullback';
 * import { decodeWith, paramsCodec, showFailure } from 'pullback/io';
 * import * as E from 'fp-ts/lib/Either.js';
 *
 * const init = () => ({ layers: [{ w: np.zeros([2, 3]) }] });
 * const codec = paramsCodec(evalShape(init));
 * console.log(Object.keys(codec.encode(init()))); // => [ 'layers[0].w' ]
 * const wrong = decodeWith(codec, 'model.safetensors')({ 'layers[0].w': np.zeros([3, 2]), b: np.zeros([]) });
 * if (E.isLeft(wrong)) console.log(showFailure(wrong.left));
 * // => model.safetensors: layers[0].w: expected float32[2,3], got float32[3,2]
 * //    model.safetensors: b: expected no tensor of this name, got float32[]
 * ```
 */
export function paramsCodec<T>(avals: T): t.Type<ValuesOf<T>, NamedTensors, unknown> {
  const { leaves, def } = flatten<Leaf>(avals, 'io.paramsCodec');
  const paths = leafPaths(def);
  const codecs = leaves.map((leaf) => leafCodec(avalOf(leaf)));
  const expected = new Set(paths);

  const is = (u: unknown): u is ValuesOf<T> => {
    try {
      const tree = flatten<Leaf>(u, 'io.paramsCodec');
      return tree.def.key === def.key && codecs.every((codec, i) => codec.is(tree.leaves[i]));
    } catch {
      return false;
    }
  };
  const validate: t.Validate<unknown, ValuesOf<T>> = (u, context) => {
    if (!t.UnknownRecord.is(u)) return t.failure(u, context);
    const errors: t.Errors = [];
    for (const [i, path] of paths.entries()) {
      const leaf = Object.hasOwn(u, path) ? u[path] : undefined;
      if (!codecs[i]!.is(leaf)) errors.push({ value: leaf, context: t.appendContext(context, path, codecs[i]!) });
    }
    for (const [path, leaf] of Object.entries(u)) {
      if (!expected.has(path)) errors.push({ value: leaf, context: t.appendContext(context, path, noLeaf) });
    }
    return errors.length > 0
      ? t.failures(errors)
      : t.success(
          unflatten<ValuesOf<T>>(
            def,
            paths.map((path) => u[path]),
          ),
        );
  };
  return new t.Type('named tensors', is, validate, namedLeaves);
}
