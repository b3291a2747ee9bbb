/** The laws of immutability: what goes in or comes out may be overwritten by its owner, and no tensor changes. */

import * as fc from 'fast-check';
import { allocate, type DType, isFloat, type TypedArray } from '../src/core/dtype.ts';
import { NotDifferentiableError } from '../src/core/errors.ts';
import { constsAsInputs } from '../src/core/jaxpr.ts';
import { range, sizeOf } from '../src/core/shape.ts';
import { stage } from '../src/core/stage.ts';
import { bind } from '../src/core/trace.ts';
import type { NestedArray, Value } from '../src/core/value.ts';
import * as np from '../src/ops/np.ts';
import { call } from '../transforms/call.ts';
import { jvpFlat } from '../transforms/jvp.ts';
import { linearizeFlat } from '../transforms/linearize.ts';
import { backwardPass, holesOf } from '../transforms/transpose.ts';
import { vmapFlat } from '../transforms/vmap.ts';
import { tensor, tensorOf } from './arbitrary/tensor.ts';
import { type HostTensor, hostTensor, sameBits, sameValues, toHost, toTensor } from './host.ts';
import { every, expect, type Law, law, type Suite, type Verdict } from './law.ts';
import { anyDomain } from './primitive-case.ts';
import { primitiveNames, subject } from './primitives.laws.ts';

const unchanged = (what: string, x: Value, before: HostTensor): Verdict =>
  sameBits(`${what} has changed`, toHost(x), before);

const snapshot = (x: Value): HostTensor => hostTensor(x.shape, x.dtype, Array.from(x.dataSync()), x.aval.weak);

/** Overwrite every element of a nested array. */
function scribble(nested: NestedArray): void {
  if (!Array.isArray(nested)) return;
  const array = nested as NestedArray[];
  array.forEach((child, i) => {
    if (Array.isArray(child)) scribble(child);
    else array[i] = typeof child === 'boolean' ? !child : 42;
  });
}

const owned: readonly DType[] = ['float32', 'float64', 'int32', 'uint32'];

const hostLaws: readonly Law[] = [
  law(
    'np.array copies a typed array, whole or part of a buffer',
    [tensor({ dtypes: owned, minRank: 1, maxRank: 1 }), fc.nat({ max: 3 })],
    (x, offset) => {
      const buffer = allocate(x.dtype, x.data.length + offset);
      const host = buffer.subarray(offset) as TypedArray;
      host.set(x.data as ArrayLike<number> & TypedArray);
      const made = np.array(host as Float32Array);
      const before = snapshot(made);
      buffer.fill(42);
      return unchanged('the tensor', made, before);
    },
  ),
  law('np.array copies nested arrays', [tensor({ dtypes: ['float32', 'bool'], maxRank: 3, empty: false })], (x) => {
    const nested = toTensor(x).toArray();
    const made = np.array(nested);
    const before = snapshot(made);
    scribble(nested);
    return unchanged('the tensor', made, before);
  }),
  law('dataSync, toArray and toJSON return copies', [tensor()], (x) => {
    const made = toTensor(x);
    const before = snapshot(made);
    made.dataSync().fill(1);
    scribble(made.toArray());
    scribble(made.toJSON());
    return unchanged('the tensor', made, before);
  }),
  law(
    'what operations share no owner can reach: a result is overwritten, its operand stays',
    [tensor({ minRank: 1 })],
    (x) => {
      const made = toTensor(x);
      const before = snapshot(made);
      const same = [
        np.reshape(made, [sizeOf(x.shape)]),
        np.astype(made, x.dtype),
        np.array(made),
        np.broadcastTo(made, x.shape),
      ];
      for (const y of same) y.dataSync().fill(1);
      return every([made, ...same.slice(1)], (y) => unchanged('an operand', y, before));
    },
  ),
  law('shape and params are frozen', [tensor()], (x) => {
    const made = toTensor(x);
    return expect(Object.isFrozen(made.shape) && Object.isFrozen(made.aval), () => 'a shape can be overwritten');
  }),
];

/** A name and a call with its operands. */
const calls = fc.constantFrom(...primitiveNames).chain((name) => {
  const { row } = subject(name);
  return row
    .calls(row.takes)
    .chain((c) =>
      fc
        .tuple(...c.ins.map((aval, i) => tensorOf(aval, anyDomain(row)(c, i))))
        .map((operands) => ({ name, call: c, operands })),
    );
});

const transformLaws: readonly Law[] = [
  law('operations and transforms leave their operands untouched', [calls], ({ name, call: { params }, operands }) => {
    const { primitive } = subject(name);
    const apply = (...xs: readonly Value[]): readonly Value[] => bind(primitive, xs, params);
    const values = operands.map((x) => toTensor(x));
    const before = values.map(snapshot);
    const avals = values.map((x) => x.aval);
    const floats = values.map((x) => isFloat(x.dtype));
    const tangents = values.map((x, i) => (floats[i] ? x : null));

    const outs = apply(...values);
    const kept = outs.map(snapshot);
    const { jaxpr, consts } = stage('law', apply, avals);
    call('law', constsAsInputs(jaxpr), [...consts, ...values]);
    if (floats.some(Boolean)) {
      whereDifferentiable(() => {
        jvpFlat(apply, values, tangents);
        const { linear, outs: primals, nonzero } = linearizeFlat(apply, values, floats);
        const cts = primals.filter((_, i) => nonzero[i]);
        if (cts.length > 0) backwardPass(linear.jaxpr, linear.consts, holesOf(linear.jaxpr), cts);
      });
    }
    const mapped = values.map((x) => (x.ndim > 0 ? 0 : null));
    const sizes = new Set(values.flatMap((x) => (x.ndim > 0 ? [x.shape[0]!] : [])));
    // The lanes of these operands are operands again only where the primitive works on each element alone.
    if (
      sizes.size === 1 &&
      elementwise(
        avals.map((a) => a.shape),
        params,
      )
    )
      vmapFlat(apply, [...sizes][0]!, values, mapped);

    const operandsKept = every(range(values.length), (i) =>
      unchanged(`operand ${i} of ${name}`, values[i]!, before[i]!),
    );
    if (operandsKept._tag === 'Fails') return operandsKept;
    return every(range(outs.length), (i) => unchanged(`result ${i} of ${name}`, outs[i]!, kept[i]!));
  }),
  law('applying an operation twice gives the same', [calls], ({ name, call: { params }, operands }) => {
    const { primitive } = subject(name);
    const values = operands.map((x) => toTensor(x));
    return sameValues(name, bind(primitive, values, params), bind(primitive, values, params));
  }),
];

/** Some calls have no derivative and say so, as the full factors of a matrix that is not square. */
function whereDifferentiable(f: () => void): void {
  try {
    f();
  } catch (error) {
    if (!(error instanceof NotDifferentiableError)) throw error;
  }
}

/** Equal shapes and no parameters. */
const elementwise = (shapes: readonly (readonly number[])[], params: unknown): boolean =>
  Object.keys(params as object).length === 0 && shapes.every((s) => s.join() === shapes[0]!.join());

/** The laws of immutability. */
export const immutabilityLaws: Suite = { name: 'immutability', laws: [...hostLaws, ...transformLaws] };
