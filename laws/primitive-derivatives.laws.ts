/**
 * What a primitive's derivative is: the rules against differences, against each other and against their adjoints. Judged in
 * float64 on the reference.
 */

import * as fc from 'fast-check';
import { compatible, showAvalShort } from '../src/core/aval.ts';
import { withDefaultDevice } from '../src/core/backend.ts';
import { isFloat } from '../src/core/dtype.ts';
import { NotDifferentiableError } from '../src/core/errors.ts';
import { constsAsInputs } from '../src/core/jaxpr.ts';
import { type Hole, isHole, type Primitive, type Tangent } from '../src/core/primitive.ts';
import { range } from '../src/core/shape.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { call as callJaxpr } from '../transforms/call.ts';
import { linearizeFlat } from '../transforms/linearize.ts';
import { subsets } from './arbitrary/axes.ts';
import { difference, exact, numeric } from './fd.ts';
import type { Call, Row } from './generators/row.ts';
import { close, type HostTensor, hostTensor, sameValues, toTensor } from './host.ts';
import { every, expect, fails, holds, inconclusive, type Law, law, type Verdict } from './law.ts';
import {
  applying,
  type Case,
  cases,
  differentiableCalls,
  directions,
  doubles,
  elements,
  pushForward,
} from './primitive-case.ts';

/** A differentiable call, two directions of its operands, and two numbers. */
const differentiable = <P>(row: Row<P>) =>
  cases(differentiableCalls(row), (call, i) => row.operands(call)[i]!.domain).chain(({ call, operands }) =>
    fc.tuple(directions(call.ins), directions(call.ins)).map(([first, second]) => ({ call, operands, first, second })),
  );

/** The operands of a call that carry tangents, by the row's claims; those whose derivative is zero among them. */
const activeOf = <P>(row: Row<P>, call: Call<P>): readonly number[] =>
  row.operands(call).flatMap(({ derivative: { kind } }, i) => (kind === 'undefined' || kind === 'refused' ? [] : [i]));

/** The operands that the row says are refused throw, whatever else carries a tangent. */
const expectRefused = <P>(
  primitive: Primitive<string, P>,
  row: Row<P>,
  { call, operands }: Case<P>,
  tangents: readonly HostTensor[],
): Verdict =>
  every(
    row.operands(call).flatMap(({ derivative }, i) => (derivative.kind === 'refused' ? [i] : [])),
    (operand) => {
      try {
        pushForward(applying(primitive, call), operands, tangents, [...activeOf(row, call), operand]);
      } catch (error) {
        return expect(error instanceof NotDifferentiableError, () => `operand ${operand} is refused by ${error}`);
      }
      return fails(`the row says that tangents of operand ${operand} are refused, the record takes them`);
    },
  );

/** The jvp rule is the derivative: central differences agree for every subset of the operands that carry tangents. */
export function jvpLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  return law(`${primitive.name}: jvp = central differences`, [differentiable(row)], ({ call, operands, first }) => {
    const claims = row.operands(call);
    const wrong = claims.findIndex(
      ({ derivative }, i) => (derivative.kind === 'undefined') === isFloat(call.ins[i]!.dtype),
    );
    if (wrong >= 0)
      return fails(`the row says '${claims[wrong]!.derivative.kind}' of ${showAvalShort(call.ins[wrong]!)}`);
    const apply = applying(primitive, call);
    return withDefaultDevice(exact, () => {
      const plain = apply(...operands.map((x) => toTensor(x)));
      const refusals = expectRefused(primitive, row, { call, operands }, first);
      if (refusals._tag === 'Fails') return refusals;
      return every(
        subsets(activeOf(row, call)),
        (active) => {
          const { outs, tangents } = pushForward(apply, operands, first, active);
          const values = sameValues('the value beside the tangent', outs, plain);
          if (values._tag === 'Fails') return values;
          const moving = active.filter((i) => claims[i]!.derivative.kind !== 'zero');
          const differences = difference(
            numeric(apply, operands, moving),
            doubles(moving.map((i) => operands[i]!)),
            doubles(moving.map((i) => first[i]!)),
          );
          return every(range(outs.length), (i) => {
            const typed = expectTangentType(tangents[i]!, outs[i]!);
            if (typed._tag === 'Fails') return typed;
            if (!isFloat(outs[i]!.dtype))
              return expect(tangents[i] === null, () => `result ${i} is no float, but has a tangent`);
            const found = elements(tangents[i]!, outs[i]!);
            // Nothing moves where every derivative is zero by definition.
            if (moving.length === 0)
              return expect(
                found.every((x) => x === 0),
                () => `tangent ${i} is ${found}, expected 0`,
              );
            return againstDifference(`tangent ${i}`, found, differences[i]!);
          });
        },
        (active) => `with tangents of operands (${active})`,
      );
    });
  });
}

/** A tangent has the shape and dtype of what it belongs to. */
const expectTangentType = (tangent: Tangent, out: Value): Verdict =>
  expect(
    tangent === null || compatible(tangent.aval, out.aval),
    () => `a tangent is ${showAvalShort(tangent!.aval)}, its result ${showAvalShort(out.aval)}`,
  );

/** Elements beside difference quotients; undecided where the steps disagree and nothing else is wrong. */
function againstDifference(
  what: string,
  found: Float64Array,
  { value, conclusive }: ReturnType<typeof difference>[number],
): Verdict {
  let undecided: Verdict = holds;
  for (let k = 0; k < value.length; k++) {
    if (!conclusive[k]) undecided = inconclusive(`${what}: the steps disagree at element ${k}`);
    else if (!(Math.abs(found[k]! - value[k]!) <= 1e-5 * Math.max(1, Math.abs(value[k]!)))) {
      return fails(`${what}: element ${k} is ${found[k]}, differences say ${value[k]}`);
    }
  }
  return undecided;
}

const relativeRounding = 1e-11;

/** J(at + u) = aJt + Ju. */
export function linearityLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  return law(
    `${primitive.name}: jvp is linear in the tangent`,
    [differentiable(row), fc.integer({ min: -3, max: 3 })],
    ({ call, operands, first, second }, a) => {
      const apply = applying(primitive, call);
      const combined = first.map((t, i) => ({
        ...t,
        data: Array.from(t.data, (x, k) => a * x + second[i]!.data[k]!),
      }));
      return withDefaultDevice(exact, () =>
        every(subsets(activeOf(row, call)), (active) => {
          const push = (ts: readonly HostTensor[]) => pushForward(apply, operands, ts, active);
          const [jt, ju, whole] = [push(first), push(second), push(combined)];
          return every(range(whole.outs.length), (i) => {
            const out = whole.outs[i]!;
            const [t, u, w] = [jt, ju, whole].map((r) => elements(r.tangents[i]!, out));
            const sum = t!.map((x, k) => a * x + u![k]!);
            const scale = Math.max(1, ...Array.from(t!, Math.abs), ...Array.from(u!, Math.abs));
            const host = (data: Float64Array): HostTensor => hostTensor(out.shape, out.dtype, data);
            return close(`tangent ${i} for (${active})`, host(w!), host(sum), relativeRounding * 10, scale);
          });
        }),
      );
    },
  );
}

/** Running the rule now, or splitting it into a program for later, gives the same tangents. */
export function linearizeLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  return law(`${primitive.name}: linearize = jvp`, [differentiable(row)], ({ call, operands, first }) => {
    const apply = applying(primitive, call);
    return withDefaultDevice(exact, () =>
      every(subsets(activeOf(row, call)), (active) => {
        const direct = pushForward(apply, operands, first, active);
        const { outs, linear, nonzero } = linearizeFlat(
          apply,
          operands.map((x) => toTensor(x)),
          operands.map((_, i) => active.includes(i)),
        );
        const values = sameValues('the value of linearize', outs, direct.outs);
        if (values._tag === 'Fails') return values;
        const later = callJaxpr('law', constsAsInputs(linear.jaxpr), [
          ...linear.consts,
          ...active.map((i) => toTensor(first[i]!)),
        ]);
        let next = 0;
        return every(range(outs.length), (i) => {
          const found = nonzero[i] ? later[next++]! : null;
          const host = (t: Tangent): HostTensor => hostTensor(outs[i]!.shape, outs[i]!.dtype, elements(t, outs[i]!));
          return close(`tangent ${i} for (${active})`, host(found), host(direct.tangents[i]!), relativeRounding, 1);
        });
      }),
    );
  });
}

const isZero = (x: HostTensor): HostTensor => ({ ...x, data: Array.from(x.data, () => 0) });

const inner = (xs: readonly Float64Array[], ys: readonly ArrayLike<number>[]): readonly [number, number] => {
  let sum = 0;
  let scale = 1;
  xs.forEach((x, i) => {
    x.forEach((v, k) => {
      const term = v * ys[i]![k]!;
      sum += term;
      scale += Math.abs(term);
    });
  });
  return [sum, scale];
};

/** ⟨ct, L t⟩ = ⟨Lᵀ ct, t⟩ for every subset of the operands in which the call is linear. */
export function transposeLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  const calls = row.linearCalls ?? differentiableCalls(row);
  const arbitrary = cases(calls, (call, i) => row.operands(call)[i]!.domain).chain(({ call, operands }) =>
    fc
      .tuple(directions(row.results(call)), fc.nat({ max: 15 }))
      .map(([cts, absent]) => ({ call, operands, cts, absent })),
  );
  return law(`${primitive.name}: transpose is adjoint`, [arbitrary], ({ call, operands, cts, absent }) => {
    const { transpose } = primitive;
    const groups = row.linear(call);
    if (transpose === 'nonlinear')
      return expect(groups.length === 0, () => 'the row says linear, the record nonlinear');
    // At least one cotangent is there; those that are not are zero.
    const isAbsent = (i: number): boolean => i > 0 && ((absent >> i) & 1) === 1;
    return withDefaultDevice(exact, () =>
      every(groups, (group) =>
        every(
          subsets(group),
          (holes) => {
            // With the rest of the group at zero the call is linear in the holes alone.
            const at = operands.map((x, i) => (group.includes(i) && !holes.includes(i) ? isZero(x) : x));
            const outs = bind(
              primitive,
              at.map((x) => toTensor(x)),
              call.params,
            );
            const given = cts.map((ct, i) => (isAbsent(i) || !isFloat(ct.dtype) ? null : toTensor(ct)));
            if (given.every((ct) => ct === null)) return holds;
            const pulled = transpose(
              given,
              at.map((x, i): Value | Hole => (holes.includes(i) ? { linear: true, aval: call.ins[i]! } : toTensor(x))),
              call.params,
            );
            const typed = every(range(operands.length), (i) => {
              const ct = pulled[i] ?? null;
              if (!holes.includes(i)) return expect(ct === null, () => `operand ${i} is no hole, but has a cotangent`);
              return expect(
                ct === null || (!isHole(ct) && compatible(ct.aval, call.ins[i]!)),
                () =>
                  `the cotangent of operand ${i} is ${showAvalShort(ct!.aval)}, the operand ${showAvalShort(call.ins[i]!)}`,
              );
            });
            if (typed._tag === 'Fails') return typed;
            const [forward, scale] = inner(
              outs.map((y, i) => (given[i] ? Float64Array.from(y.dataSync()) : new Float64Array(y.size))),
              cts.map((ct) => ct.data),
            );
            const [backward] = inner(
              holes.map((i) => elements(pulled[i] ?? null, toTensor(at[i]!))),
              holes.map((i) => at[i]!.data),
            );
            return expect(
              Math.abs(forward - backward) <= relativeRounding * scale,
              () => `⟨ct, L t⟩ = ${forward}, ⟨Lᵀ ct, t⟩ = ${backward}`,
            );
          },
          (holes) => `transposed in operands (${holes})`,
        ),
      ),
    );
  });
}
