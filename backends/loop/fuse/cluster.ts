/**
 * A cluster is what one kernel computes: values over one space, whose axes are kept or reduced. A value of the whole space has an
 * element at each place; one of the *rows* has an element for each place of the kept axes, and is there once the row has been
 * combined. So softmax, layer norm and cross entropy are one cluster: sums of a row, then what is done with them all along it.
 */

import { isLiteral, type Var } from '../../../src/core/jaxpr.ts';
import { range, type Shape, sameShape, sizeOf } from '../../../src/core/shape.ts';
import { type Buffer, type Expr, type Index, index, int, type Local, operands, read } from '../ir/expr.ts';
import { flat } from '../ir/integer.ts';
import { Elements } from '../lower/elements.ts';
import type { Terms } from '../lower/reductions.ts';
import { loweringOf } from '../lower/table.ts';
import { reshaped } from '../lower/views.ts';
import { type Dataflow, termsOf } from './dataflow.ts';

export interface Space {
  readonly shape: Shape;
  /** The axes that are combined, increasing. */
  readonly reduced: readonly number[];
}

export interface Cluster {
  readonly space: Space;
  /** What it computes, in the order of the program. */
  readonly members: readonly Var[];
}

/** A reduction in a cluster. */
export interface Held {
  readonly local: Local;
  readonly terms: Terms;
  readonly term: Expr;
}

/** An element of a member, and where in the member's array it lies. */
export interface Member {
  readonly value: Expr;
  readonly address: Expr;
  readonly level: 'place' | 'row';
}

/** The expressions of a cluster. */
export interface Body {
  readonly cluster: Cluster;
  /** One for each axis of the space; `null` for axes of length 1. */
  readonly indices: readonly (Index | null)[];
  readonly values: ReadonlyMap<Var, Member>;
  readonly held: ReadonlyMap<Var, Held>;
  /** The buffers that are read. */
  readonly loads: ReadonlySet<Buffer>;
}

/** A member is read at other places than where it is computed: it has to be in memory first. */
export class Misaligned extends Error {}

const kept = ({ shape, reduced }: Space): number[] => range(shape.length).filter((axis) => !reduced.includes(axis));

export const rowsOf = (space: Space): Shape => kept(space).map((axis) => space.shape[axis]!);

/** Does an element of this shape belong to a place of the space, or to a row? */
function levelOf(space: Space, shape: Shape): 'place' | 'row' | null {
  if (sameShape(shape, space.shape)) return 'place';
  const rows = sizeOf(rowsOf(space));
  if (space.reduced.length > 0 && sizeOf(shape) === rows) return 'row';
  return sizeOf(shape) === sizeOf(space.shape) ? 'place' : null;
}

/** @throws Misaligned if the members are not one kernel */
export function bodyOf(cluster: Cluster, flow: Dataflow): Body {
  const { space, members } = cluster;
  const own = new Set(members);
  const indices = space.shape.map((length, axis) => (length === 1 ? null : flow.index(axis, length)));
  const place = indices.map((x) => (x ? index(x) : int(0)));
  const row = kept(space).map((axis) => place[axis]!);
  const rowShape = rowsOf(space);
  const held = new Map<Var, Held>();

  const known = new Map<Var, readonly number[] | null>();

  /** Where in the space this member is computed. */
  const home = (v: Var): readonly Expr[] => {
    if (isReduction(v)) return row;
    const level = levelOf(space, v.aval.shape);
    if (!level) throw new Misaligned();
    const axes = level === 'row' ? axesFrom(v, own, flow, known) : null;
    if (axes) return axes.map((axis) => row[axis]!);
    return level === 'place' ? reshaped(place, space.shape, v.aval.shape) : reshaped(row, rowShape, v.aval.shape);
  };
  const isReduction = (v: Var): boolean => {
    const eqn = flow.producer.get(v)!;
    return termsOf(eqn) !== null;
  };
  const homes = new Map(members.map((v) => [v, home(v)]));

  const reduction = (v: Var): Expr => {
    let found = held.get(v);
    if (!found) {
      const eqn = flow.producer.get(v)!;
      const terms = termsOf(eqn)!;
      if (!sameShape(terms.space, space.shape) || !sameShape(terms.reduced, space.reduced)) throw new Misaligned();
      const local = flow.local(v, `r${held.size}`);
      const term = terms.term(elements.reader(eqn), place);
      found = { local, terms, term };
      held.set(v, found);
    }
    return read(found.local);
  };
  const elements = new Elements({
    producer: (v) => flow.producer.get(v) ?? null,
    buffer: (v) => (!own.has(v) && (flow.roots.has(v) || !flow.producer.has(v)) ? flow.buffer(v) : null),
    held(v, at) {
      if (!own.has(v)) return undefined;
      const expected = homes.get(v)!;
      if (at.length !== expected.length || at.some((x, i) => x !== expected[i])) throw new Misaligned();
      return isReduction(v) ? reduction(v) : 'everywhere';
    },
  });
  const values = new Map<Var, Member>();
  for (const v of members) {
    const at = homes.get(v)!;
    const level = isReduction(v) ? 'row' : levelOf(space, v.aval.shape)!;
    values.set(v, { value: elements.element(v, at), address: flat(at, v.aval.shape), level });
  }
  const roots = [...values.values()].map(({ value }) => value);
  const loads = buffersOf([...roots, ...[...held.values()].map(({ term }) => term)]);
  return { cluster, indices, values, held, loads };
}

/**
 * Which axis of a reduction each axis of a value is, if elementwise steps and transposes alone lie between them; `null` if more does.
 * Results may lie in another order than they are computed in.
 */
function axesFrom(
  v: Var,
  own: ReadonlySet<Var>,
  flow: Dataflow,
  known: Map<Var, readonly number[] | null>,
): readonly number[] | null {
  const before = known.get(v);
  if (before !== undefined) return before;
  const found = axesBefore(v, own, flow, known);
  known.set(v, found);
  return found;
}

function axesBefore(
  v: Var,
  own: ReadonlySet<Var>,
  flow: Dataflow,
  known: Map<Var, readonly number[] | null>,
): readonly number[] | null {
  const eqn = flow.producer.get(v);
  if (!eqn) return null;
  const row = loweringOf(eqn.primitive.name);
  if (row?.kind === 'reduction') return own.has(v) ? range(v.aval.shape.length) : null;
  if (flow.roots.has(v) && !own.has(v)) return null;
  if (eqn.primitive.name === 'transpose') {
    const inner = axesFrom(eqn.ins[0] as Var, own, flow, known);
    const { permutation } = eqn.params as { readonly permutation: readonly number[] };
    return inner && permutation.map((axis) => inner[axis]!);
  }
  if (row?.kind !== 'pointwise') return null;
  for (const x of eqn.ins) {
    const found = isLiteral(x) ? null : axesFrom(x, own, flow, known);
    if (found) return found;
  }
  return null;
}

/** The buffers that expressions read. */
export function buffersOf(roots: readonly Expr[]): ReadonlySet<Buffer> {
  const found = new Set<Buffer>();
  visit(roots, (x) => {
    if (x.op === 'load') found.add(x.buffer);
  });
  return found;
}

/** Every expression below these, once, operands before what uses them. */
export function visit(roots: readonly Expr[], f: (x: Expr) => void): void {
  const seen = new Set<Expr>();
  const go = (x: Expr): void => {
    if (seen.has(x)) return;
    seen.add(x);
    for (const y of operands(x)) go(y);
    f(x);
  };
  for (const root of roots) go(root);
}
