/**
 * `einsum` and `tensordot`: sums of products, written by naming axes.
 *
 * An operand is first reduced to one axis for each of its labels: repeated labels are diagonals, labels that nothing else asks
 * for are summed at once, and an axis of length 1 beside a longer one of the same label is left out, which is what broadcasting
 * means for a product. Then operands are contracted in pairs, each a `dot_general`, at every step the pair whose product adds
 * the least memory; the last axes are put in order by a transpose.
 */

import { showAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { range, sizeOf } from '../core/shape.ts';
import type { Value } from '../core/value.ts';
import { expectKind } from '../prim/define.ts';
import { dotGeneral } from '../prim/dot.ts';
import { reduceSum } from '../prim/reduce.ts';
import { reshape, slice, transpose } from '../prim/structural.ts';
import { axesOf } from './axes.ts';
import { promoted } from './convert.ts';
import { located } from './located.ts';
import type { ArrayLike, Promoted, PromotedAll, Tensor } from './types.ts';

/** Labels are letters, and numbers for the axes that an ellipsis stands for, counted from the last. */
type Label = string;

/** A tensor with a name for each axis, each different. */
interface Labelled {
  readonly value: Value;
  readonly labels: readonly Label[];
}

const bad = (problem: string, remedy: string): ShapeError => new ShapeError({ op: 'np.einsum', problem, remedy });

/** A term as labels; `null` stands for an ellipsis. */
function readTerm(term: string, whole: string): readonly (Label | null)[] {
  const labels: (Label | null)[] = [];
  for (let i = 0; i < term.length; i++) {
    if (term.startsWith('...', i)) {
      labels.push(null);
      i += 2;
    } else if (/[A-Za-z]/.test(term[i]!)) labels.push(term[i]!);
    else
      throw bad(
        `'${whole}' has ${term[i]} where a label should be`,
        'labels are letters; ... stands for all other axes',
      );
  }
  if (labels.indexOf(null) !== labels.lastIndexOf(null)) {
    throw bad(`the term '${term}' of '${whole}' has two ellipses`, 'use ... once in a term');
  }
  return labels;
}

/** The axes that the ellipsis of a term stands for in a tensor of this rank. */
const dotted = (count: number): readonly Label[] => range(count).map((i) => String(count - 1 - i));

/** The labels of each axis of the operands, with the ellipses written out, and those of the result. */
function read(
  expression: string,
  operands: readonly Value[],
): { readonly inputs: Label[][]; readonly output: Label[] } {
  const text = expression.replace(/\s/g, '');
  const sides = text.split('->');
  if (sides.length > 2) throw bad(`'${expression}' has two arrows`, "write 'ij,jk->ik'");
  const terms = sides[0]!.split(',').map((term) => readTerm(term, expression));
  if (terms.length !== operands.length) {
    throw bad(
      `'${expression}' has ${terms.length} terms for ${operands.length} operands`,
      'write one term for each operand, separated by commas',
    );
  }
  let most = 0;
  const inputs = terms.map((term, k) => {
    const { aval, ndim } = operands[k]!;
    const named = term.filter((label) => label !== null).length;
    const hidden = ndim - named;
    if (hidden < 0 || (hidden > 0 && !term.includes(null))) {
      throw bad(
        `term ${k} of '${expression}' names ${named} axes of ${showAval(aval)}`,
        'name each axis, or use ... for those that are not named',
      );
    }
    if (term.includes(null)) most = Math.max(most, hidden);
    return term.flatMap((label) => (label === null ? dotted(hidden) : [label]));
  });
  const all = inputs.flat();
  const once = [...new Set(all)].filter((label) => /\D/.test(label) && all.indexOf(label) === all.lastIndexOf(label));
  const target = sides[1] === undefined ? [null, ...once.sort()] : readTerm(sides[1], expression);
  const output = target.flatMap((label) => (label === null ? dotted(most) : [label]));
  const wrong = output.find((label, i) => !all.includes(label) || output.indexOf(label) !== i);
  if (wrong !== undefined) {
    throw bad(
      `the label ${wrong} of the result of '${expression}' ${all.includes(wrong) ? 'comes twice' : 'is in no operand'}`,
      'name each axis of the result once, by a label of the operands',
    );
  }
  if (target.includes(null) || most === 0) return { inputs, output };
  throw bad(`'${expression}' has ... in the operands only`, 'write ... in the result too');
}

/** The length that each label has: that of its axes, of which those of length 1 stretch. */
function lengthsOf(expression: string, operands: readonly Value[], inputs: readonly Label[][]): Map<Label, number> {
  const lengths = new Map<Label, number>();
  inputs.forEach((labels, k) => {
    labels.forEach((label, axis) => {
      const n = operands[k]!.shape[axis]!;
      const known = lengths.get(label) ?? 1;
      if (n !== known && n !== 1 && known !== 1) {
        throw bad(
          `'${expression}': ${/\d/.test(label) ? 'an axis of ...' : label} has length ${known} and, in ` +
            `${showAval(operands[k]!.aval)}, ${n}`,
          'give equal labels to axes of equal length only',
        );
      }
      lengths.set(label, known === 1 ? n : known);
    });
  });
  return lengths;
}

/** The elements at which axes `i` < `j`, of one length, have the same index; their axis is the first. */
function diagonal(x: Value, i: number, j: number): Value {
  const n = x.shape[i]!;
  const rest = range(x.ndim).filter((axis) => axis !== i && axis !== j);
  const lengths = rest.map((axis) => x.shape[axis]!);
  const rows = reshape(transpose(x, [i, j, ...rest]), [n * n, ...lengths]);
  const zero = lengths.map(() => 0);
  return slice(rows, [0, ...zero], [n * n, ...lengths], [n + 1, ...lengths.map(() => 1)]);
}

/** One axis for each label: stretched ones left out, diagonals taken. */
function unrepeated(x: Value, all: readonly Label[], lengths: ReadonlyMap<Label, number>): Labelled {
  const kept = range(all.length).filter((axis) => x.shape[axis] === lengths.get(all[axis]!));
  let value = reshape(
    x,
    kept.map((axis) => x.shape[axis]!),
  );
  let labels = kept.map((axis) => all[axis]!);
  for (;;) {
    const twice = labels.findIndex((label, axis) => labels.indexOf(label) !== axis);
    if (twice < 0) return { value, labels };
    const label = labels[twice]!;
    const first = labels.indexOf(label);
    value = diagonal(value, first, twice);
    labels = [label, ...labels.filter((_, axis) => axis !== first && axis !== twice)];
  }
}

/** Sum over the labels that are not wanted. */
function summed({ value, labels }: Labelled, wanted: (label: Label) => boolean): Labelled {
  const axes = range(labels.length).filter((axis) => !wanted(labels[axis]!));
  return axes.length === 0 ? { value, labels } : { value: reduceSum(value, axes), labels: labels.filter(wanted) };
}

/** The product of two operands, summed over the labels that both have and nothing else wants. */
function contracted(a: Labelled, b: Labelled, wanted: (label: Label) => boolean): Labelled {
  const shared = a.labels.filter((label) => b.labels.includes(label));
  const batch = shared.filter(wanted);
  const gone = shared.filter((label) => !wanted(label));
  const axes = ({ labels }: Labelled, chosen: readonly Label[]): number[] =>
    chosen.map((label) => labels.indexOf(label));
  const free = ({ labels }: Labelled): Label[] => labels.filter((label) => !shared.includes(label));
  const value = dotGeneral(a.value, b.value, {
    lhsContracting: axes(a, gone),
    rhsContracting: axes(b, gone),
    lhsBatch: axes(a, batch),
    rhsBatch: axes(b, batch),
  });
  return { value, labels: [...batch, ...free(a), ...free(b)] };
}

/**
 * The pair to contract next: whose product has the fewest elements more than the two together and, of these, takes the fewest
 * multiplications.
 */
function bestPair(
  terms: readonly Labelled[],
  lengths: ReadonlyMap<Label, number>,
  isWanted: (label: Label, i: number, j: number) => boolean,
): readonly [number, number] {
  const size = (labels: readonly Label[]): number => sizeOf(labels.map((label) => lengths.get(label)!));
  let best: readonly [number, number] = [0, 1];
  let [leastGrowth, leastWork] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let j = 1; j < terms.length; j++) {
    for (let i = 0; i < j; i++) {
      const [a, b] = [terms[i]!.labels, terms[j]!.labels];
      const union = [...new Set([...a, ...b])];
      const work = size(union);
      const growth = size(union.filter((label) => isWanted(label, i, j))) - size(a) - size(b);
      if (growth < leastGrowth || (growth === leastGrowth && work < leastWork)) {
        [leastGrowth, leastWork] = [growth, work];
        best = [i, j];
      }
    }
  }
  return best;
}

/**
 * The sum of products that an expression names: `'ij,jk->ik'` is the matrix product.
 *
 * A term for each operand gives a label to each of its axes; axes of one label run together, and those whose label is not in
 * the result are summed over. `...` stands for the axes that a term does not name, which broadcast. Without `->` the result
 * has the ellipsis, then the labels that come once, in alphabetical order. Operands meet in one dtype.
 *
 * @param expression - any of NumPy's, spaces ignored; a label twice in a term is a diagonal
 * @throws ShapeError for an expression that does not fit the operands
 * @throws DTypeError for `bool`
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const a = np.array([[1, 2], [3, 4]]);
 * const b = np.array([[5, 6], [7, 8]]);
 * console.log(np.einsum('ij,jk->ik', a, b).toArray()); // => [ [ 19, 22 ], [ 43, 50 ] ]
 * console.log(np.einsum('ii', a).item(), np.einsum('ii->i', a).toArray()); // => 5 [ 1, 4 ]
 * console.log(np.einsum('...i,...i->...', a, b).toArray()); // => [ 17, 53 ]
 * np.einsum('ij,jk', a, np.zeros([3, 2])); // throws ShapeError: np.einsum: 'ij,jk': j has length 2 and, in float32[3,2], 3…
 * ```
 */
export function einsum<const T extends readonly ArrayLike[]>(
  expression: string,
  ...operands: T
): Tensor<PromotedAll<T>> {
  if (operands.length === 0) throw bad(`'${expression}' has no operands`, 'pass one tensor for each term');
  return located(() => sumOfProducts(expression, promoted('np.einsum', operands))) as Tensor<PromotedAll<T>>;
}

function sumOfProducts(expression: string, operands: readonly Value[]): Value {
  expectKind('np.einsum', 'number', operands[0]!.aval);
  const { inputs, output } = read(expression, operands);
  const lengths = lengthsOf(expression, operands, inputs);
  let terms = operands.map((x, k) => unrepeated(x, inputs[k]!, lengths));
  const needed = (label: Label, except: readonly Labelled[]): boolean =>
    output.includes(label) || terms.some((term) => !except.includes(term) && term.labels.includes(label));
  terms = terms.map((term) => summed(term, (label) => needed(label, [term])));
  while (terms.length > 1) {
    const isWanted = (label: Label, i: number, j: number): boolean => needed(label, [terms[i]!, terms[j]!]);
    const [i, j] = bestPair(terms, lengths, isWanted);
    const product = contracted(terms[i]!, terms[j]!, (label) => isWanted(label, i, j));
    terms = [...terms.filter((_, k) => k !== i && k !== j), product];
  }
  const { value, labels } = summed(terms[0]!, (label) => output.includes(label));
  // Every label of the result is somewhere at its full length, and is kept there.
  const order = output.map((label) => labels.indexOf(label));
  return transpose(value, order);
}

/**
 * The sum of products over axes of both: the last `axes` of `a` with the first of `b`, or those named for each.
 *
 * @param axes - how many, or `[axes of a, axes of b]` in pairs; negative ones count from the end. Default 2
 * @returns the other axes of `a`, then those of `b`
 * @throws ShapeError if axes are out of range, named twice, or differ in number or length
 *
 * @example
 * ```ts
 * import { np } from 'pullback';
 * const [a, b] = [np.ones([2, 3, 4]), np.ones([3, 4, 5])];
 * console.log(np.tensordot(a, b).shape, np.tensordot(a, b, 0).ndim); // => [ 2, 5 ] 6
 * console.log(np.tensordot(a, b, [[1], [0]]).shape); // => [ 2, 4, 4, 5 ]
 * ```
 */
export function tensordot<A extends ArrayLike, B extends ArrayLike>(
  a: A,
  b: B,
  axes: number | readonly [readonly number[], readonly number[]] = 2,
): Tensor<Promoted<A, B>> {
  const op = 'np.tensordot';
  const [x, y] = promoted(op, [a, b]) as readonly [Value, Value];
  expectKind(op, 'number', x.aval);
  const refuse = (problem: string): ShapeError =>
    new ShapeError({
      op,
      problem: `${showAval(x.aval)} and ${showAval(y.aval)} do not contract: ${problem}`,
      remedy: 'name as many axes of one as of the other, pairwise of equal length',
    });
  if (typeof axes === 'number' && !(Number.isInteger(axes) && axes >= 0 && axes <= Math.min(x.ndim, y.ndim))) {
    throw refuse(`they do not both have ${axes} axes`);
  }
  const left = typeof axes === 'number' ? range(axes).map((i) => x.ndim - axes + i) : axesOf(op, axes[0], x.aval);
  const right = typeof axes === 'number' ? range(axes) : axesOf(op, axes[1], y.aval);
  if (left.length !== right.length) throw refuse(`${left.length} axes and ${right.length}`);
  const uneven = left.findIndex((axis, i) => x.shape[axis] !== y.shape[right[i]!]);
  if (uneven >= 0)
    throw refuse(`axis ${left[uneven]} of the first is not as long as axis ${right[uneven]} of the second`);
  return dotGeneral(x, y, { lhsContracting: left, rhsContracting: right, lhsBatch: [], rhsBatch: [] }) as Tensor<
    Promoted<A, B>
  >;
}
