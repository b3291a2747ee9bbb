/**
 * What a primitive computes: that types, batching and staging agree with the device. Judged on the default device, bit for bit
 * where no sum is rounded. What the type of a result should be is said by the generator table, not by the record.
 */

import * as fc from 'fast-check';
import { type Aval, sameAval, showAvalShort } from '../src/core/aval.ts';
import { defaultDevice, withDefaultDevice } from '../src/core/backend.ts';
import { allocate, isFloat } from '../src/core/dtype.ts';
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
import { exact } from './fd.ts';
import type { Row } from './generators/row.ts';
import { close, closeSum, type HostTensor, laneOf, sameBits, sameValues, stackHost, toHost, toTensor } from './host.ts';
import { every, expect, fails, type Law, law, type Verdict } from './law.ts';
import { anyDomain, applying, cases } from './primitive-case.ts';

/** As many avals, each of the same shape, dtype and weakness. */
const sameAvals = (what: string, found: readonly Aval[], wanted: readonly Aval[]): Verdict =>
  found.length === wanted.length
    ? every(range(wanted.length), (i) =>
        expect(
          sameAval(found[i]!, wanted[i]!),
          () => `${what} ${i} is ${showAvalShort(found[i]!)}, expected ${showAvalShort(wanted[i]!)}`,
        ),
      )
    : fails(`${found.length} ${what}s, expected ${wanted.length}`);

/**
 * abstractEval says what the row does: shape, dtype and weakness. What the device returns has this length and storage, and
 * staging says the same.
 */
export function abstractEvalLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  return law(
    `${primitive.name}: abstractEval = actual aval`,
    [cases(row.calls(row.takes), anyDomain(row))],
    ({ call, operands }) => {
      const said = primitive.abstractEval(call.ins, call.params);
      const wanted = row.results(call);
      const claimed = sameAvals('result', said, wanted);
      if (claimed._tag === 'Fails') return claimed;
      const outs = applying(primitive, call)(...operands.map((x) => toTensor(x)));
      if (outs.length !== wanted.length) return fails(`${wanted.length} results, the device returns ${outs.length}`);
      const staged = stage('law', applying(primitive, call), call.ins).jaxpr.outs;
      return every(range(outs.length), (i) => {
        const aval = wanted[i]!;
        const data = outs[i]!.dataSync();
        const storage = allocate(aval.dtype, 0).constructor;
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

/**
 * On any subset of operands, mapped along any axes, the rule computes what one lane at a time does: bit for bit, but for what
 * the order of a float sum leaves open, or on other devices than the reference that of a sum within a program.
 */
export function vmapLaw<P>(primitive: Primitive<string, P>, row: Row<P>): Law {
  const arbitrary = fc
    .tuple(row.calls(row.takes), fc.integer({ min: 0, max: 3 }))
    .chain(([call, size]) =>
      fc
        .tuple(
          fc.tuple(
            ...call.ins.map((aval, i) =>
              fc.tuple(...range(size + 1).map(() => tensorOf(aval, anyDomain(row)(call, i)))),
            ),
          ),
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
    const { terms, reordered } = row;
    const rounds = reordered !== undefined && defaultDevice().name !== 'reference';
    const judge = (
      what: string,
      found: HostTensor,
      wanted: HostTensor,
      i: number,
      lane: readonly HostTensor[],
    ): Verdict =>
      terms
        ? closeSum(what, found, wanted, terms(call), () => magnitudes(apply, lane)[i]!)
        : rounds && isFloat(wanted.dtype)
          ? close(what, found, wanted, reordered * (wanted.dtype === 'float32' ? 2 ** -24 : 2 ** -53))
          : sameBits(what, found, wanted);
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
        const expected = row.results(call);
        const wrong = outs.findIndex((x, i) => !sameAval(laneOfAval(x.aval, dims[i]!, size), expected[i]!));
        if (wrong >= 0) {
          return fails(
            `result ${wrong} is ${showAvalShort(outs[wrong]!.aval)} with the batch at ${dims[wrong]}, one lane is ` +
              showAvalShort(expected[wrong]!),
          );
        }
        return every(range(size), (k) => {
          const operands = lanes.map((xs, i) => (isMapped(i) ? xs[k + 1]! : xs[0]!));
          const one = apply(...operands.map((x) => toTensor(x)));
          return every(range(outs.length), (i) => {
            const all = toHost(outs[i]!);
            const lane = dims[i] === null ? all : laneOf(all, dims[i]!, k);
            return judge(`lane ${k} of result ${i}`, lane, toHost(one[i]!), i, operands);
          });
        });
      },
      (mapped) => `with operands (${mapped}) mapped along (${mapped.map((i) => axes[i])})`,
    );
  });
}

/** Σ|terms| of each element of each result of a sum of products: what it is of the absolute values, in double precision. */
const magnitudes = (
  apply: (...operands: readonly Value[]) => readonly Value[],
  operands: readonly HostTensor[],
): readonly ArrayLike<number>[] =>
  withDefaultDevice(exact, () =>
    apply(...operands.map((x) => toTensor(isFloat(x.dtype) ? { ...x, data: Array.from(x.data, Math.abs) } : x))).map(
      (y) => y.dataSync(),
    ),
  );

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
    [cases(row.calls(row.takes), anyDomain(row)), fc.nat({ max: 15 })],
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
