/** Parameters that begin as those of another model, in part: fine-tuning. */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import { compatible, showAval } from '../core/aval.ts';
import type { Value } from '../core/value.ts';
import { type DecodeError, type DecodeErrors, decodeErrors, invalid } from '../io/failure.ts';
import { leafPaths } from '../tree/def.ts';
import { avalOf, flatten, type Leaf, unflatten } from '../tree/tree.ts';

/** What {@link restorePartly} has done. */
export interface Restored<P> {
  readonly params: P;
  /** Paths of the leaves that were taken from the file. */
  readonly restored: readonly string[];
  /** Paths of those that stayed as they were. */
  readonly kept: readonly string[];
  /** Names in the file that no leaf has taken. */
  readonly unused: readonly string[];
}

/** Options of {@link restorePartly}. */
export interface RestoreOptions {
  /**
   * The name in the file for the leaf at a path, or `null` for a leaf that keeps its own elements. Without it a leaf takes the
   * tensor under its own path, if there is one.
   */
  readonly nameOf?: (path: string) => string | null;
  /** What the tensors came from, for the messages. */
  readonly source?: string;
}

/**
 * Parameters whose leaves are taken from a file of another model as far as it has them; the rest stay as they are initialized.
 *
 * Nothing is skipped in silence: a name that the file lacks, or a tensor of another shape or dtype, is an error unless `nameOf`
 * is `null` there, and the result says what was restored, kept and left unused.
 *
 * @param tensors - by their names, as `readSafetensors` gives them
 *
 * @example
 * ```ts
 * import { np, train } from 'pullback';
 * const file = { 'body.w': np.array([1, 2]), 'head.w': np.zeros([10]) };
 * const fresh = { body: { w: np.zeros([2]) }, head: { w: np.ones([3]) } };
 * const nameOf = (path: string) => (path.startsWith('head') ? null : path);
 * const tuned = train.restorePartly(fresh, file, { nameOf });
 * if (tuned._tag === 'Right') console.log(tuned.right.params.body.w.toArray(), tuned.right.kept); // => [ 1, 2 ] [ 'head.w' ]
 * ```
 */
export function restorePartly<P>(
  params: P,
  tensors: Readonly<Record<string, Value>>,
  {
    nameOf = (path) => (Object.hasOwn(tensors, path) ? path : null),
    source = 'train.restorePartly',
  }: RestoreOptions = {},
): E.Either<DecodeErrors, Restored<P>> {
  const { leaves, def } = flatten<Leaf>(params, 'train.restorePartly', 'params');
  const paths = leafPaths(def);
  const errors: DecodeError[] = [];
  const names = paths.map(nameOf);
  const taken = leaves.map((leaf, i): Leaf => {
    const name = names[i]!;
    if (name === null) return leaf;
    const found: Value | undefined = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
    if (found !== undefined && compatible(found.aval, avalOf(leaf))) return found;
    const at = name === paths[i] ? name : `${name} (for ${paths[i]})`;
    errors.push(invalid(at, showAval(avalOf(leaf)), found === undefined ? 'nothing' : showAval(found.aval)));
    return leaf;
  });
  const [first, ...others] = errors;
  if (first !== undefined) return E.left(decodeErrors(source, first, ...others));
  return pipe(
    {
      params: unflatten<P>(def, taken),
      restored: paths.filter((_, i) => names[i] !== null),
      kept: paths.filter((_, i) => names[i] === null),
      unused: Object.keys(tensors).filter((name) => !names.includes(name)),
    },
    E.right,
  );
}
