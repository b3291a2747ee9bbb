/** Who makes and who reads each value of a program, and which values are worth a place in memory. */

import { type Atom, type Eqn, isLiteral, type Jaxpr, type Var } from '../../../src/core/jaxpr.ts';
import type { Buffer, Index, Local } from '../ir/expr.ts';
import { int } from '../ir/expr.ts';
import type { Terms } from '../lower/reductions.ts';
import { loweringOf } from '../lower/table.ts';

/** A program, read for fusion. */
export interface Dataflow {
  readonly jaxpr: Jaxpr;
  readonly producer: ReadonlyMap<Var, Eqn>;
  readonly readers: ReadonlyMap<Var, readonly Eqn[]>;
  /** Values that must lie in memory when the program has run past them. */
  readonly needed: ReadonlySet<Var>;
  /** Values that kernels compute once instead of at each use; those that are not needed may stay in a kernel. */
  readonly roots: ReadonlySet<Var>;
  /** What an element of a root costs where the roots that it is computed from lie in memory. */
  readonly cost: ReadonlyMap<Var, number>;
  /** The order of equations. */
  readonly position: ReadonlyMap<Eqn, number>;
  /** Where the value lies if it lies in memory, and the other way round. */
  buffer(v: Var): Buffer;
  valueOf(buffer: Buffer): Var;
  /** The index of an axis of this length, and what holds a reduction: the same for all clusters that are tried, as are their expressions. */
  index(axis: number, length: number): Index;
  local(v: Var, name: string): Local;
}

const known = new WeakMap<Eqn, { readonly terms: Terms | null }>();

/** The terms that an equation combines; `null` if it combines none. */
export function termsOf(eqn: Eqn): Terms | null {
  let found = known.get(eqn);
  if (!found) {
    found = { terms: combined(eqn) };
    known.set(eqn, found);
  }
  return found.terms;
}

function combined(eqn: Eqn): Terms | null {
  const row = loweringOf(eqn.primitive.name);
  if (row?.kind !== 'reduction') return null;
  return row.reduce(
    eqn.ins.map((x) => x.aval),
    eqn.outs[0]!.aval,
    eqn.params,
  );
}

/** Does the equation run as loops that may hold others? The rest stands alone. */
export const isFusible = (eqn: Eqn): boolean => {
  const kind = loweringOf(eqn.primitive.name)?.kind;
  return kind === 'pointwise' || kind === 'view' || kind === 'reduction';
};

/** Operations that take many cycles, in additions. */
const weights: Readonly<Record<string, number>> = {
  div: 4,
  sqrt: 4,
  rsqrt: 5,
  rem: 8,
  exp: 12,
  logistic: 16,
  tanh: 18,
  log: 14,
  erf: 16,
  pow: 40,
  sin: 18,
  cos: 18,
  threefry2x32: 110,
  erf_inv: 40,
};

/** What computing an element costs where nothing of it lies in memory. */
const weightOf = (eqn: Eqn): number => {
  const row = loweringOf(eqn.primitive.name);
  if (row?.kind === 'view') return eqn.primitive.name === 'gather' ? 3 : 0;
  return weights[eqn.primitive.name] ?? (eqn.ins.length === 1 && row?.kind === 'pointwise' ? 2 : 1);
};

/** Computing again is cheaper than writing and reading up to about this cost. */
const duplicable = 5;
/** Expressions beyond this are cut, and not put together again, whatever their uses: registers, stacks and compile times are finite. */
export const longest = 400;

/** Primitives whose operands are read many times each. */
const isContraction = (eqn: Eqn): boolean =>
  eqn.primitive.name === 'dot_general' || eqn.primitive.name === 'conv_general_dilated';

/** @param most - buffers that a kernel may read */
export function dataflow(jaxpr: Jaxpr, most: number): Dataflow {
  const producer = new Map<Var, Eqn>();
  const readers = new Map<Var, Eqn[]>();
  const position = new Map<Eqn, number>();
  jaxpr.eqns.forEach((eqn, i) => {
    position.set(eqn, i);
    for (const v of eqn.outs) producer.set(v, eqn);
    for (const x of new Set(eqn.ins)) {
      if (isLiteral(x)) continue;
      const list = readers.get(x);
      if (list) list.push(eqn);
      else readers.set(x, [eqn]);
    }
  });
  const needed = new Set<Var>();
  const need = (x: Atom): void => {
    if (!isLiteral(x) && producer.has(x)) needed.add(x);
  };
  jaxpr.outs.forEach(need);
  for (const eqn of jaxpr.eqns) {
    if (!isFusible(eqn)) {
      eqn.ins.forEach(need);
      eqn.outs.forEach(need);
    }
  }
  const roots = new Set(needed);
  /** Of a value from the roots on; and of the roots themselves. */
  const inline = new Map<Var, number>();
  const cost = new Map<Var, number>();
  /** Buffers that an element of a value is computed from, counted once for each use. */
  const width = new Map<Var, number>();
  const widthOf = (x: Atom): number => (isLiteral(x) ? 0 : roots.has(x) ? 1 : (width.get(x) ?? 1));
  for (const eqn of jaxpr.eqns) {
    if (!isFusible(eqn)) continue;
    let wide = eqn.ins.reduce((sum, x) => sum + widthOf(x), 0);
    for (const x of wide > most ? eqn.ins.toSorted((a, b) => widthOf(b) - widthOf(a)) : []) {
      if (wide <= most || isLiteral(x) || !producer.has(x)) continue;
      wide += 1 - widthOf(x);
      roots.add(x);
    }
    for (const v of eqn.outs) width.set(v, wide);
    let own = weightOf(eqn);
    for (const x of eqn.ins) if (!isLiteral(x) && !roots.has(x)) own += inline.get(x) ?? 0;
    if (loweringOf(eqn.primitive.name)!.kind === 'reduction') {
      roots.add(eqn.outs[0]!);
      cost.set(eqn.outs[0]!, own);
      continue;
    }
    for (const v of eqn.outs) {
      cost.set(v, own);
      const uses = readers.get(v) ?? [];
      const several = uses.length > 1 && own > duplicable;
      if (several || own > longest || uses.some((use) => multiplies(use, v, own))) roots.add(v);
      inline.set(v, roots.has(v) ? 0 : own);
    }
  }
  for (const eqn of jaxpr.eqns) {
    if (isContraction(eqn)) for (const x of eqn.ins) settle(x, producer, roots, eqn.primitive.name === 'dot_general');
  }
  const indices = new Map<string, Index>();
  const locals = new Map<Var, Map<string, Local>>();
  const buffers = new Map<Var, Buffer>();
  const values = new Map<Buffer, Var>();
  return {
    jaxpr,
    producer,
    readers,
    needed,
    roots,
    cost,
    position,
    buffer(v) {
      let found = buffers.get(v);
      if (!found) {
        found = { name: `v${buffers.size}`, dtype: v.aval.dtype, kind: 'operand', size: int(v.aval.size) };
        buffers.set(v, found);
        values.set(found, v);
      }
      return found;
    },
    valueOf: (buffer) => values.get(buffer)!,
    index(axis, length) {
      const key = `${axis} ${length}`;
      const found = indices.get(key) ?? { name: 'ijklmnopq'[axis] ?? `i${axis}`, extent: int(length) };
      indices.set(key, found);
      return found;
    },
    local(v, name) {
      const named = locals.get(v) ?? new Map<string, Local>();
      locals.set(v, named);
      const found = named.get(name) ?? { name, dtype: v.aval.dtype };
      named.set(name, found);
      return found;
    },
  };
}

/** Would this use compute the value again for each of many elements? */
function multiplies(use: Eqn, v: Var, cost: number): boolean {
  if (isContraction(use)) return false;
  if (use.primitive.name.startsWith('reduce_window')) return cost > 1;
  // A loop may have no results.
  return loweringOf(use.primitive.name)?.kind === 'view' && cost >= 4 && use.outs[0]!.aval.size >= 4 * v.aval.size;
}

/**
 * Contractions read memory: through views of a buffer, never through arithmetic.
 *
 * @param parted - whether axes may be taken apart, as those of products; a convolution has one stride for each
 */
function settle(x: Atom, producer: ReadonlyMap<Var, Eqn>, roots: Set<Var>, parted: boolean): void {
  let at = x;
  while (!isLiteral(at) && !roots.has(at)) {
    const eqn = producer.get(at);
    if (!eqn) return;
    const { name } = eqn.primitive;
    if (!strided.has(name) || (name === 'reshape' && !parted && isView(eqn.ins[0]!, producer, roots))) {
      roots.add(at);
      return;
    }
    at = eqn.ins[0]!;
  }
}

/** Is this another way to walk through a buffer than from its beginning to its end? */
function isView(x: Atom, producer: ReadonlyMap<Var, Eqn>, roots: ReadonlySet<Var>): boolean {
  const eqn = isLiteral(x) || roots.has(x) ? undefined : producer.get(x);
  return eqn !== undefined && (eqn.primitive.name !== 'reshape' || isView(eqn.ins[0]!, producer, roots));
}

/** Views that are another way to walk through the same memory, forwards: kernels of products do not walk backwards. */
const strided = new Set(['broadcast_in_dim', 'reshape', 'transpose', 'slice', 'stop_gradient', 'name']);
