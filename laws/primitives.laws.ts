/**
 * The laws of primitives: each rule of a record against what it is to mean.
 *
 * Laws take the record as an argument, so that broken copies of it can be judged (`mutants.ts`). Types, batching and staging
 * are judged on the default device, bit for bit where no sum is rounded; derivatives in float64 on the reference.
 */

import * as fc from 'fast-check';
import { type Aval, compatible, sameAval, showAvalShort } from '../src/core/aval.ts';
import { withDefaultDevice } from '../src/core/backend.ts';
import { allocate, isFloat } from '../src/core/dtype.ts';
import { constsAsInputs } from '../src/core/jaxpr.ts';
import { type Hole, isHole, type Primitive, type Tangent } from '../src/core/primitive.ts';
import { inserted, range } from '../src/core/shape.ts';
import { stage } from '../src/core/stage.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { scalar } from '../src/prim/compose.ts';
import { call as callJaxpr } from '../transforms/call.ts';
import { jvpFlat } from '../transforms/jvp.ts';
import { linearizeFlat } from '../transforms/linearize.ts';
import { type PrimitiveName, primitives } from '../transforms/registry.ts';
import { vmapFlat } from '../transforms/vmap.ts';
import { insertions, subsets } from './arbitrary/axes.ts';
import { type Domain, edgy, summable, within } from './arbitrary/elements.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { difference, exact, numeric } from './fd.ts';
import { type Call, floatsOf, type Row } from './generators/row.ts';
import { generators } from './generators.ts';
import {
  close,
  type HostTensor,
  hostTensor,
  laneOf,
  sameBits,
  sameValues,
  stackHost,
  toHost,
  toTensor,
} from './host.ts';
import { every, expect, fails, holds, inconclusive, type Law, law, type Suite, type Verdict } from './law.ts';

/** A call with its operands. */
interface Case<P> {
  readonly call: Call<P>;
  readonly operands: readonly HostTensor[];
}

/** An application of a record to values, under the current trace. */
const applying =
  <P>(primitive: Primitive<string, P>, { params }: Call<P>) =>
  (...operands: readonly Value[]): readonly Value[] =>
    bind(primitive, operands, params);

/** A call with operands from a domain for each. */
const cases = <P>(
  calls: fc.Arbitrary<Call<P>>,
  domainOf: (call: Call<P>, operand: number) => Domain,
): fc.Arbitrary<Case<P>> =>
  calls.chain((call) =>
    fc.tuple(...call.ins.map((aval, i) => tensorOf(aval, domainOf(call, i)))).map((operands) => ({ call, operands })),
  );

/** Tensors like these, for tangents and cotangents. */
const directions = (avals: readonly Aval[]): fc.Arbitrary<readonly HostTensor[]> =>
  fc.tuple(...avals.map((aval) => tensorOf(aval, within(-2, 2))));

/** Edge values, or such that can be summed in any order. */
const anyDomain = <P>(row: Row<P>) => (row.sums ? summable : edgy);

/** Float arrays of a list of operands. */
const doubles = (xs: readonly HostTensor[]): readonly Float64Array[] => xs.map((x) => Float64Array.from(x.data));

/** abstractEval says what the device returns: length, storage and dtype; and staging says the same. */
function abstractEvalLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  return law(
    `${primitive.name}: abstractEval = actual aval`,
    [cases(row.calls(row.takes), () => anyDomain(row))],
    ({ call, operands }) => {
      const said = primitive.abstractEval(call.ins, call.params);
      const outs = applying(primitive, call)(...operands.map((x) => toTensor(x)));
      const dtypes = row.results(call);
      if (said.length !== outs.length || said.length !== dtypes.length) {
        return fails(
          `abstractEval says ${said.length} results, the device returns ${outs.length}, not ${dtypes.length}`,
        );
      }
      const staged = stage('law', applying(primitive, call), call.ins).jaxpr.outs;
      return every(range(outs.length), (i) => {
        const aval = said[i]!;
        const data = outs[i]!.dataSync();
        const storage = allocate(aval.dtype, 0).constructor;
        if (aval.dtype !== dtypes[i]) return fails(`result ${i} is ${aval.dtype}, expected ${dtypes[i]}`);
        if (!sameAval(outs[i]!.aval, aval)) return fails(`result ${i} has aval ${showAvalShort(outs[i]!.aval)}`);
        if (!sameAval(staged[i]!.aval, aval)) return fails(`staged, result ${i} is ${showAvalShort(staged[i]!.aval)}`);
        if (data.length !== aval.size) return fails(`result ${i}, ${showAvalShort(aval)}, has ${data.length} elements`);
        if (data.constructor !== storage)
          return fails(`result ${i}, ${showAvalShort(aval)}, is a ${data.constructor.name}`);
        const bool = aval.dtype !== 'bool' || data.every((x: number) => x === 0 || x === 1);
        return expect(bool, () => `result ${i} is bool and holds ${data}`);
      });
    },
  );
}

/** On any subset of operands, mapped along any axes, the rule computes what one lane at a time does. */
function vmapLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  const arbitrary = fc
    .tuple(row.calls(row.takes), fc.integer({ min: 0, max: 3 }))
    .chain(([call, size]) =>
      fc
        .tuple(
          fc.tuple(...call.ins.map((aval) => fc.tuple(...range(size + 1).map(() => tensorOf(aval, anyDomain(row)))))),
          insertions(call.ins.map((aval) => aval.shape.length)),
        )
        .map(([lanes, axes]) => ({ call, size, lanes, axes })),
    );
  return law(`${primitive.name}: vmap = stack ∘ map`, [arbitrary], ({ call, size, lanes, axes }) => {
    const apply = applying(primitive, call);
    if (call.ins.length === 0) {
      const { outs, dims } = primitive.vmap(size, [], [], call.params);
      if (dims.some((dim) => dim !== null))
        return fails('without operands nothing is mapped, but a result has an axis');
      return sameValues('vmap without operands', outs, apply());
    }
    const judge = row.sums ? (what: string, a: HostTensor, b: HostTensor) => close(what, a, b, 1e-5, 100) : sameBits;
    return every(
      subsets(range(call.ins.length)),
      (mapped) => {
        const isMapped = (i: number): boolean => mapped.includes(i);
        const batched = lanes.map((xs, i) =>
          isMapped(i)
            ? stackHost(
                xs[0]!,
                xs.slice(1).map((x) => x.data),
                axes[i]!,
              )
            : xs[0]!,
        );
        const { outs, dims } = vmapFlat(
          apply,
          size,
          batched.map((x) => toTensor(x)),
          batched.map((_, i) => (isMapped(i) ? axes[i]! : null)),
        );
        const expected = primitive.abstractEval(call.ins, call.params);
        const wrong = outs.findIndex((x, i) => !sameAval(laneOfAval(x.aval, dims[i]!, size), expected[i]!));
        if (wrong >= 0) {
          return fails(
            `result ${wrong} is ${showAvalShort(outs[wrong]!.aval)} with the batch at ${dims[wrong]}, one lane is ` +
              showAvalShort(expected[wrong]!),
          );
        }
        return every(range(size), (k) => {
          const one = apply(...lanes.map((xs, i) => toTensor(isMapped(i) ? xs[k + 1]! : xs[0]!)));
          return every(range(outs.length), (i) => {
            const all = toHost(outs[i]!);
            const lane = dims[i] === null ? all : laneOf(all, dims[i]!, k);
            return judge(`lane ${k} of result ${i}`, lane, toHost(one[i]!));
          });
        });
      },
      (mapped) => `with operands (${mapped}) mapped along (${mapped.map((i) => axes[i])})`,
    );
  });
}

/** The aval without its batch axis, whose length must be `size`; else the aval itself, which then fits nothing. */
const laneOfAval = (aval: Aval, dim: number | null, size: number): Aval =>
  dim === null || aval.shape[dim] !== size
    ? dim === null
      ? aval
      : { ...aval, shape: inserted(aval.shape, 0, -1) }
    : { ...aval, shape: aval.shape.filter((_, axis) => axis !== dim) };

/** A captured operand: the literal that a scalar constant becomes, or the tensor. */
const constantOf = ({ shape, dtype, weak, data }: HostTensor, x: Value): Value =>
  shape.length === 0 ? scalar(data[0]!, dtype, weak) : x;

/** As an equation of a compiled program it computes the same bits, whichever operands are constants of it. */
function jitLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  return law(
    `${primitive.name}: jit = eager`,
    [cases(row.calls(row.takes), () => anyDomain(row)), fc.nat({ max: 15 })],
    ({ call, operands }, captured) => {
      const apply = applying(primitive, call);
      const values = operands.map((x) => toTensor(x));
      const eager = apply(...values);
      return every(
        [0, captured],
        (mask) => {
          const isCaptured = (i: number): boolean => ((mask >> i) & 1) === 1;
          const inputs = values.filter((_, i) => !isCaptured(i));
          const whole = (...args: readonly Value[]): readonly Value[] => {
            let next = 0;
            return apply(...values.map((x, i) => (isCaptured(i) ? constantOf(operands[i]!, x) : args[next++]!)));
          };
          const { jaxpr, consts } = stage(
            'law',
            whole,
            inputs.map((x) => x.aval),
          );
          return sameValues('compiled', callJaxpr('law', constsAsInputs(jaxpr), [...consts, ...inputs]), eager);
        },
        (mask) => (mask === 0 ? 'all operands as inputs' : `operands of the mask ${mask.toString(2)} as constants`),
      );
    },
  );
}

/** A differentiable call, two directions of its operands, and two numbers. */
const differentiable = <P>(row: Row<P>) =>
  cases(row.calls(floatsOf(row.takes)), (call, i) => row.operands(call)[i]!.domain).chain(({ call, operands }) =>
    fc.tuple(directions(call.ins), directions(call.ins)).map(([first, second]) => ({ call, operands, first, second })),
  );

/** The operands of a call that carry tangents, by the row's claims; those whose derivative is zero among them. */
const activeOf = <P>(row: Row<P>, call: Call<P>): readonly number[] =>
  row.operands(call).flatMap(({ derivative }, i) => (derivative.kind === 'undefined' ? [] : [i]));

/** The tangents of `apply` at `primals` for tangents of the operands `active` only. */
function pushForward(
  apply: (...operands: readonly Value[]) => readonly Value[],
  primals: readonly HostTensor[],
  tangents: readonly HostTensor[],
  active: readonly number[],
) {
  return jvpFlat(
    apply,
    primals.map((x) => toTensor(x)),
    tangents.map((x, i) => (active.includes(i) ? toTensor(x) : null)),
  );
}

/** The jvp rule is the derivative: central differences agree for every subset of the operands that carry tangents. */
function jvpLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
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

const elements = (tangent: Tangent, out: Value): Float64Array =>
  tangent ? Float64Array.from(tangent.dataSync()) : new Float64Array(out.size);

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
function linearityLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
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
function linearizeLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
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
function transposeLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  const calls = row.linearCalls ?? row.calls(floatsOf(row.takes));
  const arbitrary = cases(calls, (call, i) => row.operands(call)[i]!.domain).chain(({ call, operands }) =>
    fc
      .tuple(directions(primitive.abstractEval(call.ins, call.params)), fc.nat({ max: 15 }))
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

/** The laws of one primitive. Those of derivatives are left out for primitives that take no floats. */
export function lawsOf<P>(primitive: Primitive<string, P>, row: Row<P>): readonly Law[] {
  const carries = floatsOf(row.takes).length > 0;
  return [
    abstractEvalLaw(primitive, row),
    ...(carries ? [jvpLaw(primitive, row), linearityLaw(primitive, row), linearizeLaw(primitive, row)] : []),
    ...(carries ? [transposeLaw(primitive, row)] : []),
    vmapLaw(primitive, row),
    jitLaw(primitive, row),
  ];
}

/** The record and row of a primitive, with the type of its parameters forgotten. */
export const subject = (name: PrimitiveName): { readonly primitive: Primitive; readonly row: Row<unknown> } => ({
  primitive: primitives[name] as unknown as Primitive,
  row: generators[name] as unknown as Row<unknown>,
});

/** The names of all primitives. */
export const primitiveNames = Object.keys(primitives) as readonly PrimitiveName[];

/** The laws of every primitive of the registry, each under its name. */
export const primitiveLaws: Suite = {
  name: 'primitives',
  laws: primitiveNames.flatMap((name) => {
    const { primitive, row } = subject(name);
    return lawsOf(primitive, row);
  }),
};
