/**
 * Batching: a function of one example, run on all at once.
 *
 * A batched tracer is a value with one more axis, whose place is its `dim`. Each primitive's `vmap` rule says what it does on
 * such operands; one that has no batched operand runs once, outside. Law: `vmap(f) = stack ∘ map(f)`.
 */

import type { Aval } from '../src/core/aval.ts';
import { showAval } from '../src/core/aval.ts';
import type { DType } from '../src/core/dtype.ts';
import { ShapeError, TreeError } from '../src/core/errors.ts';
import type { BatchDim, Primitive } from '../src/core/primitive.ts';
import { laneAval } from '../src/core/stage.ts';
import { currentTrace, type Trace, withTrace } from '../src/core/trace.ts';
import { Tracer, type Value } from '../src/core/value.ts';
import { batchAt } from '../src/prim/define.ts';
import { leafPaths, type TreeDef } from '../src/tree/def.ts';
import { flatten, unflatten } from '../src/tree/tree.ts';
import { expectLive, nameAfter } from './args.ts';
import { type FlatFunction, handOn } from './jvp.ts';

class BatchTracer<D extends DType = DType> extends Tracer<D> {
  readonly trace: BatchTrace;
  readonly batch: Value<D>;
  readonly dim: number;
  override readonly aval: Aval<D>;

  constructor(trace: BatchTrace, batch: Value<D>, dim: number) {
    super();
    this.trace = trace;
    this.batch = batch;
    this.dim = dim;
    this.aval = laneAval(batch.aval, dim) as Aval<D>;
  }

  override describe(): string {
    return `one lane of a vmap over ${this.trace.size}: it has as many values`;
  }
}

class BatchTrace implements Trace {
  live = true;
  readonly parent: Trace;
  readonly size: number;

  constructor(parent: Trace, size: number) {
    this.parent = parent;
    this.size = size;
  }

  lanesOf(x: Value): Value {
    return x instanceof BatchTracer && x.trace === this ? x.batch : x;
  }

  dimOf(x: Value): BatchDim {
    return x instanceof BatchTracer && x.trace === this ? x.dim : null;
  }

  wrap(x: Value, dim: BatchDim): Value {
    return dim === null ? x : new BatchTracer(this, x, dim);
  }

  process(primitive: Primitive, operands: readonly Value[], params: unknown): readonly Value[] {
    const values = operands.map((x) => this.lanesOf(x));
    const dims = operands.map((x) => this.dimOf(x));
    if (dims.every((d) => d === null)) return this.parent.process(primitive, values, params);
    const result = handOn(this.parent, () => primitive.vmap(this.size, values, dims, params));
    return result.outs.map((x, i) => this.wrap(x, result.dims[i]!));
  }
}

/** `f` on batches: `dims` says where each argument has its batch axis; returns the outputs and where they have theirs. */
export function vmapFlat(
  f: FlatFunction,
  size: number,
  args: readonly Value[],
  dims: readonly BatchDim[],
): { readonly outs: readonly Value[]; readonly dims: readonly BatchDim[] } {
  const trace = new BatchTrace(currentTrace(), size);
  try {
    const outs = withTrace(trace, () => f(...args.map((x, i) => trace.wrap(x, dims[i]!))));
    return { outs: outs.map((x) => trace.lanesOf(x)), dims: outs.map((x) => trace.dimOf(x)) };
  } finally {
    trace.live = false;
  }
}

/** An axis for every leaf below, `null` for none, or a tree of such whose structure is a prefix of that of the values. */
export type Axes = number | null | readonly Axes[] | { readonly [name: string]: Axes };

/**
 * Map a function over an axis of its arguments.
 *
 * @param inAxes - the mapped axis of the arguments: one for all, or an array with an entry for each argument, each a number,
 *   `null` (not mapped) or a tree prefix of that argument. Negative axes count from the end.
 * @param outAxes - where the outputs have the mapped axis, likewise; `null` asserts that an output does not depend on it
 * @throws ShapeError if an axis is out of range or the mapped sizes differ
 * @throws TreeError if an axes tree is not a prefix of the arguments, or nothing is mapped
 *
 * @example
 * ```ts
 * import { np, type Tensor, vmap } from 'pullback';
 * const rows = np.array([[1, 2], [3, 4]]);
 * console.log(vmap((row: Tensor) => np.sum(row))(rows).toArray()); // => [ 3, 7 ]
 * ```
 */
export function vmap<A extends readonly unknown[], R>(
  f: (...args: A) => R,
  inAxes: Axes = 0,
  outAxes: Axes = 0,
): (...args: A) => R {
  return nameAfter('vmap', f, (...args: A): R => {
    const { leaves, def } = flatten(args, 'vmap', 'args');
    const paths = leafPaths(def, 'args');
    const raw = axesFor('inAxes', inAxes, def);
    const dims = leaves.map((x, i) => normalizeAxis('vmap', raw[i]!, x.aval, x.ndim, paths[i]!));
    const size = mappedSize(leaves, dims, paths);
    let outDef: TreeDef | null = null;
    const flat: FlatFunction = (...lanes) => {
      const out = flatten(f(...unflatten<A>(def, lanes)), 'vmap', 'output');
      outDef = out.def;
      expectLive('vmap', out.leaves);
      return out.leaves;
    };
    const result = vmapFlat(flat, size, leaves, dims);
    const outRaw = axesFor('outAxes', outAxes, outDef!);
    const outs = result.outs.map((x, i) => placeOutput(size, x, result.dims[i]!, outRaw[i]!));
    return unflatten<R>(outDef!, outs);
  });
}

function placeOutput(size: number, x: Value, dim: BatchDim, axis: number | null): Value {
  if (axis === null) {
    if (dim === null) return x;
    throw new ShapeError({
      op: 'vmap',
      problem: `an output of ${showAval(laneAval(x.aval, dim))} depends on the mapped axis, but its outAxes is null`,
      remedy: 'give it an axis in outAxes',
    });
  }
  const ndim = dim === null ? x.ndim + 1 : x.ndim;
  const at = normalizeAxis('vmap', axis, x.aval, ndim, 'output');
  return batchAt(size, x, dim, at!);
}

/** An axis for each leaf of `def`, from a prefix tree. */
function axesFor(name: string, axes: Axes, def: TreeDef): readonly (number | null)[] {
  const result: (number | null)[] = [];
  const visit = (prefix: Axes, d: TreeDef, path: string): void => {
    if (prefix === null || typeof prefix === 'number') {
      for (let i = 0; i < d.size; i++) result.push(prefix);
      return;
    }
    if (d.kind === 'static') return;
    const mismatch = (): TreeError =>
      new TreeError({
        op: 'vmap',
        problem: `${path} is not a prefix of the structure it belongs to, ${d.key}`,
        remedy: 'use one axis for a whole subtree, or the same keys and lengths',
      });
    if (d.kind === 'leaf') throw mismatch();
    if (Array.isArray(prefix)) {
      if (d.kind !== 'array' || prefix.length !== d.children.length) throw mismatch();
      d.children.forEach((child, i) => visit(prefix[i] as Axes, child, `${path}[${i}]`));
      return;
    }
    const named = prefix as { readonly [name: string]: Axes };
    if (d.kind === 'array' || Object.keys(named).sort().join() !== d.names.join()) throw mismatch();
    d.children.forEach((child, i) => visit(named[d.names[i]!]!, child, `${path}.${d.names[i]}`));
  };
  visit(axes, def, name);
  return result;
}

function normalizeAxis(op: string, axis: number | null, aval: Aval, ndim: number, path: string): number | null {
  if (axis === null) return null;
  if (Number.isInteger(axis) && axis >= -ndim && axis < ndim) return axis < 0 ? axis + ndim : axis;
  throw new ShapeError({
    op,
    problem: `axis ${axis} is out of range for ${path}, which is ${showAval(aval)}`,
    remedy: ndim === 0 ? 'use null for a scalar' : `use an axis from ${-ndim} to ${ndim - 1}`,
  });
}

function mappedSize(leaves: readonly Value[], dims: readonly BatchDim[], paths: readonly string[]): number {
  const mapped = leaves.flatMap((x, i) =>
    dims[i] === null ? [] : [{ path: paths[i]!, size: x.shape[dims[i]!]!, x, dim: dims[i]! }],
  );
  if (mapped.length === 0) {
    throw new TreeError({
      op: 'vmap',
      problem: 'no argument has a mapped axis',
      remedy: 'give at least one tensor an axis in inAxes',
    });
  }
  const size = mapped[0]!.size;
  if (mapped.every((m) => m.size === size)) return size;
  const list = mapped.map((m) => `${m.path} ${showAval(m.x.aval)} has ${m.size} along axis ${m.dim}`);
  throw new ShapeError({
    op: 'vmap',
    problem: `the mapped axes have different sizes: ${list.join('; ')}`,
    remedy: 'map axes of equal length, or pass null in inAxes for what is shared',
  });
}
