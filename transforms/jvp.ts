/**
 * Forward mode: a value travels with its tangent.
 *
 * The trace runs each primitive's `jvp` rule with its parent as the current trace, so whatever the rule computes is seen by the
 * transforms outside. A value without a tangent of *this* trace is a constant to it, which is what makes nested derivatives
 * of closures right (no perturbation confusion). Zero tangents are `null`.
 */

import type { Aval } from '../src/core/aval.ts';
import type { DType } from '../src/core/dtype.ts';
import { evalTrace } from '../src/core/eager.ts';
import type { Primitive, Tangent } from '../src/core/primitive.ts';
import { currentSource, withSource } from '../src/core/source.ts';
import { bind, currentTrace, type Trace, withTrace } from '../src/core/trace.ts';
import { Tracer, type Value } from '../src/core/value.ts';

/** A primal with its tangent, in a {@link DualTrace}. */
export class DualTracer<D extends DType = DType> extends Tracer<D> {
  readonly trace: DualTrace;
  readonly primal: Value<D>;
  readonly tangent: Value;

  constructor(trace: DualTrace, primal: Value<D>, tangent: Value) {
    super();
    this.trace = trace;
    this.primal = primal;
    this.tangent = tangent;
  }

  override get aval(): Aval<D> {
    return this.primal.aval;
  }

  override describe(): string {
    return 'being differentiated: only item() may read it';
  }

  /** The primal's value, as a constant: the derivative does not see what is computed from it in JS. */
  override item(): D extends 'bool' ? boolean : number {
    if (!this.trace.live) throw this.refusal('item()');
    return this.primal.item();
  }
}

/** A trace whose tracers are pairs of primal and tangent: forward mode, and the first half of `linearize`. */
export abstract class DualTrace implements Trace {
  live = true;
  readonly parent: Trace;

  constructor(parent: Trace) {
    this.parent = parent;
  }

  primalOf(x: Value): Value {
    return x instanceof DualTracer && x.trace === this ? x.primal : x;
  }

  tangentOf(x: Value): Tangent {
    return x instanceof DualTracer && x.trace === this ? x.tangent : null;
  }

  process(primitive: Primitive, operands: readonly Value[], params: unknown): readonly Value[] {
    const tangents = operands.map((x) => this.tangentOf(x));
    const primals = operands.map((x) => this.primalOf(x));
    if (tangents.every((t) => t === null)) return this.parent.process(primitive, primals, params);
    const result = this.differentiate(primitive, primals, tangents, params);
    return result.outs.map((out, i) => this.pair(out, result.tangents[i]!));
  }

  /** A tracer for a pair; the primal itself where the tangent is zero. */
  pair(primal: Value, tangent: Tangent): Value {
    return tangent ? new DualTracer(this, primal, tangent) : primal;
  }

  protected abstract differentiate(
    primitive: Primitive,
    primals: readonly Value[],
    tangents: readonly Tangent[],
    params: unknown,
  ): { readonly outs: readonly Value[]; readonly tangents: readonly Tangent[] };
}

/**
 * Run a rule with `parent` as the current trace. Unless that computes at once, something may be staged: it is to have the
 * source of the operation whose rule this is.
 */
export const handOn = <A>(parent: Trace, rule: () => A): A =>
  parent === evalTrace ? withTrace(parent, rule) : withSource(currentSource(bind), () => withTrace(parent, rule));

class JvpTrace extends DualTrace {
  protected override differentiate(
    primitive: Primitive,
    primals: readonly Value[],
    tangents: readonly Tangent[],
    params: unknown,
  ) {
    return handOn(this.parent, () => primitive.jvp(primals, tangents, params));
  }
}

/** A function on lists of values: what transforms work on below the level of trees. */
export type FlatFunction = (...args: readonly Value[]) => readonly Value[];

/** Outputs of `f` at `primals` and their tangents in the direction `tangents`; `null` is zero. */
export function jvpFlat(
  f: FlatFunction,
  primals: readonly Value[],
  tangents: readonly Tangent[],
): { readonly outs: readonly Value[]; readonly tangents: readonly Tangent[] } {
  const trace = new JvpTrace(currentTrace());
  try {
    const outs = withTrace(trace, () => f(...primals.map((x, i) => trace.pair(x, tangents[i]!))));
    return { outs: outs.map((x) => trace.primalOf(x)), tangents: outs.map((x) => trace.tangentOf(x)) };
  } finally {
    trace.live = false;
  }
}
