/**
 * Linearization: the value of a function now, and its derivative as a linear program for later.
 *
 * The jvp rules run over a trace that says: if an operand depends on a tangent, record the operation, otherwise compute it
 * now. That trace is all the partial evaluation there is. What the recorded program captures are its residuals.
 */

import { isFloat } from '../src/core/dtype.ts';
import type { ClosedJaxpr } from '../src/core/jaxpr.ts';
import type { Primitive, Tangent } from '../src/core/primitive.ts';
import { currentSource, withSource } from '../src/core/source.ts';
import { JaxprTrace, StagedTracer } from '../src/core/stage.ts';
import { bind, currentTrace, type Trace, withTrace } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { DualTrace, type FlatFunction } from './jvp.ts';

/** Records what depends on a tangent; passes everything else to the parent. */
class LinearTrace extends JaxprTrace {
  private readonly parent: Trace;

  constructor(parent: Trace) {
    super('linearize');
    this.parent = parent;
  }

  override process(primitive: Primitive, operands: readonly Value[], params: unknown): readonly Value[] {
    for (const x of operands) {
      if (x instanceof StagedTracer && x.trace === this) return super.process(primitive, operands, params);
    }
    return this.parent.process(primitive, operands, params);
  }
}

class LinearizeTrace extends DualTrace {
  readonly linear: LinearTrace;

  constructor(parent: Trace) {
    super(parent);
    this.linear = new LinearTrace(parent);
  }

  protected override differentiate(
    primitive: Primitive,
    primals: readonly Value[],
    tangents: readonly Tangent[],
    params: unknown,
  ) {
    return withSource(currentSource(bind), () => {
      const { higherOrder } = primitive;
      if (!higherOrder) return withTrace(this.linear, () => primitive.jvp(primals, tangents, params));
      const active = tangents.map((t) => t !== null);
      const split = withTrace(this.parent, () => higherOrder.linearize(primals, active, params));
      return { outs: split.outs, tangents: withTrace(this.linear, () => split.linear(split.residuals, tangents)) };
    });
  }
}

/** The value of a function and its derivative as a program. */
export interface Linearization {
  readonly outs: readonly Value[];
  /** From the tangents of the active inputs to those outputs whose tangent is not identically zero. Its consts are residuals. */
  readonly linear: ClosedJaxpr;
  /** Which outputs those are. */
  readonly nonzero: readonly boolean[];
}

/** Linearize `f` at `primals` in the inputs that are `active` (those of a floating-point dtype, unless said). */
export function linearizeFlat(
  f: FlatFunction,
  primals: readonly Value[],
  active: readonly boolean[] = primals.map((x) => isFloat(x.dtype)),
): Linearization {
  const trace = new LinearizeTrace(currentTrace());
  const inputs = primals.filter((_, i) => active[i]).map((x) => trace.linear.newVar(x.aval));
  try {
    let next = 0;
    const args = primals.map((x, i) => (active[i] ? trace.pair(x, inputs[next++]!) : x));
    const results = withTrace(trace, () => f(...args));
    const tangents = results.map((x) => trace.tangentOf(x));
    const linear = trace.linear.close(
      inputs,
      tangents.filter((t) => t !== null),
    );
    return { outs: results.map((x) => trace.primalOf(x)), linear, nonzero: tangents.map((t) => t !== null) };
  } finally {
    trace.live = false;
    trace.linear.live = false;
  }
}
