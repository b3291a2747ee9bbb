/**
 * Parts of a tree: a transformation for some of the parameters, or another for each group of them.
 *
 * What a transformation is not to see is replaced by `null`, which is no leaf, so that it sees a smaller tree of the same
 * structure, with the same paths; its state has `null` there too. Labels are asked for while tracing, and can depend on the
 * paths, shapes and dtypes of the leaves.
 */

import { annotate, TreeError } from '../core/errors.ts';
import type { Value } from '../core/value.ts';
import { describe } from '../ops/untyped.ts';
import { join, leafPaths, type TreeDef } from '../tree/def.ts';
import { flatten, unflatten } from '../tree/tree.ts';
import { type OptState, partsOf } from './state.ts';
import { type Extra, expectTransformation, type GradientTransformation } from './transformation.ts';

/** A tree of labels: one for a whole subtree, or one for each of its children. */
export type LabelTree<L> = L | readonly LabelTree<L>[] | { readonly [name: string]: LabelTree<L> };

/** A label for each leaf: a function of its path (`layers[0].w`) and the leaf, or a tree of labels. */
export type Labels<L> = ((path: string, leaf: Value) => L) | LabelTree<L>;

/** Which leaves take part. */
export type Mask = Labels<boolean>;

/** The label of each leaf of a tree, in order. @throws TreeError naming a place that has none */
function labelsOf<L extends boolean | string>(
  op: string,
  labels: Labels<L>,
  kind: 'boolean' | 'string',
  { leaves, def }: { readonly leaves: readonly Value[]; readonly def: TreeDef },
): readonly L[] {
  const found: L[] = [];
  const at = (path: string): string => path || 'the tree';
  const wrong = (path: string, label: unknown): TreeError =>
    new TreeError({
      op,
      problem: `the label of ${at(path)} is ${describe(label)}, not a ${kind}`,
      remedy: 'label by a function of path and leaf, or by a tree that has a label for each subtree',
    });
  if (typeof labels === 'function') {
    leafPaths(def).forEach((path, i) => {
      const label: unknown = labels(path, leaves[i]!);
      if (typeof label !== kind) throw wrong(path, label);
      found.push(label as L);
    });
    return found;
  }
  const visit = (d: TreeDef, label: unknown, path: string): void => {
    if (typeof label === kind) {
      for (let i = 0; i < d.size; i++) found.push(label as L);
      return;
    }
    if (d.kind === 'static') return;
    if (d.kind === 'leaf' || typeof label !== 'object' || label === null) throw wrong(path, label);
    d.children.forEach((child, i) => {
      const name = d.kind === 'array' ? i : d.names[i]!;
      const below = (label as { readonly [key: string | number]: unknown })[name];
      visit(child, below, d.kind === 'array' ? `${path}[${i}]` : join(path, d.names[i]!));
    });
  };
  visit(def, labels, '');
  return found;
}

/** A tree with `null` in the place of the leaves that are not chosen. */
const only = <P>(tree: P, chosen: readonly boolean[]): P => {
  const { leaves, def } = flatten(tree);
  return unflatten<P>(
    def,
    leaves.map((leaf, i) => (chosen[i] ? leaf : null)),
  );
};

/** What a transformation of a part of the tree looks at besides, in terms of that part. */
const partial = <P>(extra: Extra<P> | undefined, params: P, chosen: readonly boolean[]): Extra<P> | undefined => {
  if (extra === undefined) return undefined;
  const { grad, valueFn, ...rest } = extra;
  return {
    ...rest,
    ...(grad === undefined ? {} : { grad: only(grad, chosen) }),
    ...(valueFn === undefined ? {} : { valueFn: (part: P) => valueFn(merged(params, part, chosen)) }),
  };
};

/** The tree with the chosen leaves from `part`. */
function merged<P>(whole: P, part: P, chosen: readonly boolean[]): P {
  const { leaves, def } = flatten(whole);
  const news = flatten(part).leaves;
  let next = 0;
  return unflatten<P>(
    def,
    leaves.map((leaf, i) => (chosen[i] ? news[next++]! : leaf)),
  );
}

/**
 * Apply a transformation to some of the updates; others stay as they are. It sees a tree in which those are `null`.
 *
 * @param mask - which leaves: a function of path and leaf, or a tree of booleans, one for each subtree
 * @throws TreeError for a mask that says nothing of a leaf
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const halved = optim.masked(optim.scale(0.5), (path) => path.endsWith('w'));
 * const params = { w: np.array([4]), b: np.array([4]) };
 * const [updates] = halved.update(params, halved.init(params), params);
 * console.log(updates.w.toArray(), updates.b.toArray()); // => [ 2 ] [ 4 ]
 * ```
 */
export const masked = (t: GradientTransformation, mask: Mask): GradientTransformation => {
  expectTransformation('optim.masked', 'the first argument', t);
  return maskedOf('optim.masked', t, mask);
};

const maskedOf = (op: string, t: GradientTransformation, mask: Mask): GradientTransformation => ({
  init: (params) => t.init(only(params, labelsOf(op, mask, 'boolean', flatten(params)))),
  update: (updates, state, params, extra) => {
    const chosen = labelsOf(op, mask, 'boolean', flatten(params));
    const part = partial(extra, params, chosen);
    const [own, next] = t.update(only(updates, chosen), state, only(params, chosen), part);
    return [merged(updates, own, chosen), next];
  },
});

/** {@link masked} if there is a mask. */
export const maskedBy = (mask: Mask | undefined, t: GradientTransformation): GradientTransformation =>
  mask === undefined ? t : maskedOf('optim.addDecayedWeights', t, mask);

/**
 * A transformation for each group of parameters: settings by layer, or parts that stay as they are
 * (`optim.setToZero()`).
 *
 * The state is `{ [label]: state }`. Each transformation sees the tree with `null` in the place of all other groups.
 *
 * @param transformations - one for each label
 * @param labels - of the leaves: a function of path and leaf, or a tree of labels, one for each subtree
 * @throws TreeError for a label of which there is no transformation
 *
 * @example
 * ```ts
 * import { np, optim } from 'pullback';
 * const optimizer = optim.multiTransform({ body: optim.sgd(0.5), head: optim.sgd(0.25), none: optim.setToZero() }, (path) =>
 *   path.startsWith('head') ? 'head' : path === 'frozen' ? 'none' : 'body',
 * );
 * const params = { head: { w: np.array([4]) }, layers: [np.array([4])], frozen: np.array(1) };
 * const [step] = optimizer.update(params, optimizer.init(params), params);
 * console.log(step.head.w.toArray(), step.layers[0]!.toArray(), step.frozen.item()); // => [ -1 ] [ -2 ] 0
 * ```
 */
export const multiTransform = (
  transformations: { readonly [label: string]: GradientTransformation },
  labels: Labels<string>,
): GradientTransformation => {
  const op = 'optim.multiTransform';
  const names = Object.keys(transformations);
  for (const name of names) expectTransformation(op, `transformations.${name}`, transformations[name]);
  const groups = (tree: unknown): readonly string[] => {
    const flat = flatten(tree);
    const found = labelsOf(op, labels, 'string', flat);
    const odd = found.findIndex((label) => !names.includes(label));
    if (odd === -1) return found;
    throw new TreeError({
      op,
      problem: `the label of ${leafPaths(flat.def)[odd] || 'the tree'} is '${found[odd]}', of which there is no transformation`,
      remedy: `label with ${names.map((name) => `'${name}'`).join(', ')}`,
    });
  };
  const chosenBy = (found: readonly string[], name: string): readonly boolean[] => found.map((label) => label === name);
  return {
    init: (params) => {
      const found = groups(params);
      return Object.fromEntries(
        names.map((name) => [name, transformations[name]!.init(only(params, chosenBy(found, name)))]),
      );
    },
    update: <P>(updates: P, state: OptState, params: P, extra?: Extra<P>) => {
      const states = partsOf(op, state, ...names);
      const found = groups(params);
      let current = updates;
      const next = names.map((name) => {
        const chosen = chosenBy(found, name);
        const [own, nextState] = annotate(
          () => `while updating by ${op} with state.${name}`,
          () =>
            transformations[name]!.update(
              only(updates, chosen),
              states[name]!,
              only(params, chosen),
              partial(extra, params, chosen),
            ),
        );
        current = merged(current, own, chosen);
        return [name, nextState] as const;
      });
      return [current, Object.fromEntries(next)];
    },
  };
};
