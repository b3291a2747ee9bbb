/**
 * Staging: the trace that records operations as equations instead of computing them.
 *
 * Everything that a traced function captures (tensors, tracers of other transforms) becomes a constant of the jaxpr, except
 * concrete scalars, which are written in place as literals. Dead equations are left out when the program is closed.
 */

import { type Aval, withShape } from './aval.ts';
import { checkJaxpr } from './check.ts';
import type { DType } from './dtype.ts';
import {
  type Atom,
  type ClosedJaxpr,
  type Eqn,
  hasEffect,
  isLiteral,
  type Jaxpr,
  makeLiteral,
  makeVar,
  type Var,
} from './jaxpr.ts';
import { ownParams, type Primitive } from './primitive.ts';
import { currentSource } from './source.ts';
import { bind, type Trace, withTrace } from './trace.ts';
import { escaped, Tensor, Tracer, type Value } from './value.ts';

/** A value that is being staged: a variable (or literal) of the program under construction. */
export class StagedTracer<D extends DType = DType> extends Tracer<D> {
  readonly trace: JaxprTrace;
  readonly atom: Atom;

  constructor(trace: JaxprTrace, atom: Atom) {
    super();
    this.trace = trace;
    this.atom = atom;
  }

  override get aval(): Aval<D> {
    return this.atom.aval as Aval<D>;
  }

  override describe(): string {
    return `staged by ${this.trace.transform}: it has no value until the program runs`;
  }
}

/** Records equations. `transform` names who stages, for errors. */
export class JaxprTrace implements Trace {
  live = true;
  readonly transform: string;
  protected readonly eqns: Eqn[] = [];
  protected readonly captured = new Map<Value, StagedTracer>();

  constructor(transform: string) {
    this.transform = transform;
  }

  /** A new variable. */
  newVar(aval: Aval): StagedTracer {
    return new StagedTracer(this, makeVar(aval));
  }

  /** `value` as a tracer of this trace: itself, a literal, or a captured constant. */
  lift(value: Value): StagedTracer {
    if (value instanceof StagedTracer && value.trace === this) return value;
    const known = this.captured.get(value);
    if (known) return known;
    const lifted = this.capture(value);
    this.captured.set(value, lifted);
    return lifted;
  }

  private capture(value: Value): StagedTracer {
    if (value instanceof Tracer && !value.trace.live) throw escaped(this.transform, value);
    if (value instanceof Tensor && value.literal !== null) {
      return new StagedTracer(this, makeLiteral(value.aval, value.literal));
    }
    return this.newVar(value.aval);
  }

  process(primitive: Primitive, operands: readonly Value[], params: unknown): readonly Value[] {
    const own = ownParams(primitive, params);
    const ins = operands.map((x) => this.lift(x).atom);
    const outs = primitive.abstractEval(
      ins.map((a) => a.aval),
      own,
    );
    const vars = outs.map(makeVar);
    this.eqns.push({ primitive, params: own, ins, outs: vars, source: currentSource(bind) });
    return vars.map((v) => new StagedTracer(this, v));
  }

  /** End the trace: the program from `ins` to `outs`, without dead equations, checked. */
  close(ins: readonly StagedTracer[], outs: readonly Value[]): ClosedJaxpr {
    const outAtoms = outs.map((x) => this.lift(x).atom);
    this.live = false;
    const needed = new Set<Atom>(outAtoms);
    const eqns: Eqn[] = [];
    for (let i = this.eqns.length - 1; i >= 0; i--) {
      const eqn = this.eqns[i]!;
      if (!eqn.outs.some((v) => needed.has(v)) && !hasEffect(eqn)) continue;
      for (const atom of eqn.ins) needed.add(atom);
      eqns.push(eqn);
    }
    const consts: Var[] = [];
    const values: Value[] = [];
    for (const [value, { atom }] of this.captured) {
      if (isLiteral(atom) || !needed.has(atom)) continue;
      consts.push(atom);
      values.push(value);
    }
    const jaxpr: Jaxpr = { consts, ins: ins.map((x) => x.atom as Var), eqns: eqns.reverse(), outs: outAtoms };
    checkJaxpr(jaxpr);
    return { jaxpr, consts: values };
  }
}

/**
 * The jaxpr of `f` at inputs of these avals.
 *
 * @param transform - who asks, for errors
 */
export function stage(
  transform: string,
  f: (...args: readonly Value[]) => readonly Value[],
  avals: readonly Aval[],
): ClosedJaxpr {
  const trace = new JaxprTrace(transform);
  const ins = avals.map((aval) => trace.newVar(aval));
  try {
    return trace.close(
      ins,
      withTrace(trace, () => f(...ins)),
    );
  } finally {
    trace.live = false;
  }
}

/** The aval of one lane: `aval` without the axis `dim`. */
export const laneAval = (aval: Aval, dim: number): Aval =>
  withShape(
    aval,
    aval.shape.filter((_, i) => i !== dim),
  );
