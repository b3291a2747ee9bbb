/**
 * What a primitive computes: that types, batching and staging agree with the device. Judged on the default device, bit for bit
 * where no sum is rounded.
 */

import * as fc from 'fast-check';
import { type Aval, sameAval, showAvalShort } from '../src/core/aval.ts';
import { allocate } from '../src/core/dtype.ts';
import { constsAsInputs } from '../src/core/jaxpr.ts';
import type { Primitive } from '../src/core/primitive.ts';
import { inserted, range } from '../src/core/shape.ts';
import { stage } from '../src/core/stage.ts';
import type { Value } from '../src/core/value.ts';
import { scalar } from '../src/prim/compose.ts';
import { call as callJaxpr } from '../transforms/call.ts';
import { vmapFlat } from '../transforms/vmap.ts';
import { insertions, subsets } from './arbitrary/axes.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import type { Row } from './generators/row.ts';
import { close, type HostTensor, laneOf, sameBits, sameValues, stackHost, toHost, toTensor } from './host.ts';
import { every, expect, fails, type Law, law } from './law.ts';
import { anyDomain, applying, cases } from './primitive-case.ts';

/** abstractEval says what the device returns: length, storage and dtype; and staging says the same. */
export function abstractEvalLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
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
export function vmapLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
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
export function jitLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
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
