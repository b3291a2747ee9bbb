/**
 * The first equation that is wrong by itself: the function is run once more, at the point where its derivative is wrong, by a
 * trace that judges every operation on its way.
 *
 * Operations are judged on the operands that depend on what is differentiated; calls, loops and branches by what is in them, step
 * by step. A `stop_gradient` is wrong on purpose; it is named only if nothing else is.
 */

import { type Device, withDefaultDevice } from '../src/core/backend.ts';
import { isFloat } from '../src/core/dtype.ts';
import { NotDifferentiableError } from '../src/core/errors.ts';
import type { Primitive } from '../src/core/primitive.ts';
import { currentSource, type Source } from '../src/core/source.ts';
import { bind, currentTrace, type Trace, withTrace } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { place } from './fd.ts';
import type { Subject } from './gradients.ts';
import { toHost } from './host.ts';
import { unrolled } from './unrolled.ts';

/** What is wrong with one application of a primitive; `null` if nothing is, or nothing can be said. */
export type Judge = (equation: Subject) => string | null;

/** Judges what it hands on to its parent. */
class JudgingTrace implements Trace {
  live = true;
  found: string | null = null;
  stopped: string | null = null;
  private readonly parent: Trace;
  private readonly judge: Judge;
  private readonly device: Device;
  /** The values that depend on what is differentiated. */
  private readonly moving: Set<Value>;

  constructor(parent: Trace, judge: Judge, device: Device, inputs: readonly Value[]) {
    this.parent = parent;
    this.judge = judge;
    this.device = device;
    this.moving = new Set(inputs);
  }

  process(primitive: Primitive, operands: readonly Value[], params: unknown): readonly Value[] {
    const source = currentSource(bind);
    const parts = unrolled(primitive, operands, params);
    if (parts) return withTrace(this, parts);
    const outs = this.parent.process(primitive, operands, params);
    const active = operands.map((x) => this.moving.has(x));
    if (!active.some(Boolean)) return outs;
    if (primitive.name === 'stop_gradient') {
      this.stopped ??= nameOf(primitive, source);
      return outs;
    }
    if (outs.some((y) => isFloat(y.dtype))) {
      const wrong = this.found === null ? this.judged(primitive, operands, active, outs, params) : null;
      if (wrong !== null) this.found = `${nameOf(primitive, source)}, ${wrong}`;
      for (const y of outs) if (isFloat(y.dtype)) this.moving.add(y);
    }
    return outs;
  }

  private judged(
    primitive: Primitive,
    operands: readonly Value[],
    active: readonly boolean[],
    outs: readonly Value[],
    params: unknown,
  ): string | null {
    const moving = operands.filter((_, i) => active[i]);
    const equation: Subject = {
      f: (...xs) => {
        let next = 0;
        const full = operands.map((x, i) => (active[i] ? xs[next++]! : x));
        return bind(primitive, full, params).filter((_, i) => isFloat(outs[i]!.dtype));
      },
      at: moving.map(toHost),
      inPaths: operands.flatMap((_, i) => (active[i] ? [operands.length > 1 ? `operand ${i}` : 'its operand'] : [])),
      outPaths: outs.flatMap((y, i) => (isFloat(y.dtype) ? [outs.length > 1 ? `result ${i}` : 'its result'] : [])),
      device: this.device,
    };
    return withTrace(this.parent, () => this.judge(equation));
  }
}

const nameOf = ({ name }: Primitive, { location }: Source): string => `${name}${location ? ` from ${location}` : ''}`;

/** What `judge` says; `null` of an operation that has no derivative in this mode. */
export function possible<A>(judge: () => A): A | null {
  try {
    return judge();
  } catch (error) {
    if (error instanceof NotDifferentiableError) return null;
    throw error;
  }
}

/** A line that names the first equation of `subject` that `judge` finds wrong, or says that there is none. */
export function culpritOf({ f, at, device }: Subject, judge: Judge): string {
  return withDefaultDevice(device, () => {
    const inputs = at.map((x) => place(x, Float64Array.from(x.data), device));
    const trace = new JudgingTrace(currentTrace(), judge, device, inputs);
    withTrace(trace, () => f(...inputs));
    trace.live = false;
    if (trace.found !== null) return `first wrong equation: ${trace.found}`;
    if (trace.stopped !== null) return `no equation is wrong by itself, but ${trace.stopped} stops the derivative`;
    return 'no equation is wrong by itself';
  });
}
