/**
 * The laws of a device on random programs, each run as one: those whose results are rounded once everywhere give the bits of the
 * reference device, edge values included; those of smooth functions, and their derivatives, are within eight times what float32 itself
 * costs, and the bounds of the functions.
 */

import * as fc from 'fast-check';
import { referenceDevice } from '../backends/reference/device.ts';
import { defaultDevice, withDefaultDevice } from '../src/core/backend.ts';
import { type DType, isFloat } from '../src/core/dtype.ts';
import { innerJaxprs, type Jaxpr } from '../src/core/jaxpr.ts';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { cos } from '../src/prim/math.ts';
import { jvp, vjp } from '../transforms/autodiff.ts';
import { jit } from '../transforms/jit.ts';
import { vmap } from '../transforms/vmap.ts';
import { type Domain, edgy, within } from './arbitrary/elements.ts';
import { jaxprOf, type Program, type ProgramOptions, programs } from './arbitrary/program.ts';
import { settled, smooth } from './arbitrary/program-ops.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { bitsOnDevice, leastNormal } from './device-agreement.ts';
import { exact } from './fd.ts';
import { type HostTensor, indexText, sameBits, sameType, stackHost, toHost, toTensor } from './host.ts';
import { every, expect, inconclusive, type Law, law, type Verdict } from './law.ts';

const reference = referenceDevice();

type Apply = (...args: readonly Value[]) => readonly Value[];

interface Case {
  readonly program: Program;
  readonly points: readonly (readonly HostTensor[])[];
}

/** Has the default device this dtype? */
export function isDeviceDtype(dtype: DType): boolean {
  const { dtypes } = defaultDevice();
  return dtypes === undefined || dtypes.includes(dtype);
}

/**
 * Operands as the default device sees them: where it flushes them, subnormal numbers are 0, and for functions with many steps also what is so
 * small that steps may come to such numbers.
 */
export function asOnDevice(x: HostTensor, long = false): HostTensor {
  if (!defaultDevice().flushesSubnormals || x.dtype !== 'float32') return x;
  const least = long ? 2 ** -60 : leastNormal;
  return { ...x, data: Array.from(x.data, (y) => (Math.abs(y) < least ? 0 * y : y)) };
}

const isOnDevice = (program: Program): boolean => {
  const { ins, eqns } = jaxprOf(program);
  return [...ins, ...eqns.flatMap(({ outs }) => outs)].every(({ aval }) => isDeviceDtype(aval.dtype));
};

const casesOf = (options: ProgramOptions, domain: Domain): fc.Arbitrary<Case> =>
  programs(options)
    .filter((program) => defaultDevice().dtypes === undefined || isOnDevice(program))
    .chain((program) =>
      fc
        .tuple(...range(2).map(() => fc.tuple(...program.ins.map((aval) => tensorOf(aval, domain)))))
        .map((points) => ({ program, points: points.map((point) => point.map((x) => asOnDevice(x))) })),
    );

const settledCases = casesOf({ ops: settled, dtypes: ['float32', 'int32', 'uint32', 'bool', 'float64'] }, edgy);
const smoothCases = casesOf({ ops: smooth, dtypes: ['float32'] }, within(-1, 1));
/** Their derivatives are programs of several times as many equations. */
const shortCases = casesOf({ ops: smooth, dtypes: ['float32'], maxSteps: 5, maxInputs: 2 }, within(-1, 1));

const run = (apply: Apply, args: readonly HostTensor[]): readonly HostTensor[] =>
  apply(...args.map((x) => toTensor(x))).map(toHost);

/** Equations, those of inner programs as well. */
const length = (jaxpr: Jaxpr): number =>
  jaxpr.eqns.reduce((n, eqn) => n + 1 + innerJaxprs(eqn).reduce((m, inner) => m + length(inner), 0), 0);

const largest = (x: HostTensor): number => Array.from(x.data, Math.abs).reduce((a, b) => Math.max(a, b), 0);

/**
 * Within eight times what the reference device loses by float32, and for each operation four units in the last place of the largest
 * element; where elements have grown beyond all digits nothing is decided.
 */
function near(apply: Apply, args: readonly HostTensor[], operations: number): Verdict {
  const found = run(jit(apply), args);
  const rounded = withDefaultDevice(reference, () => run(apply, args));
  const truth = withDefaultDevice(exact, () => run(apply, args));
  if (!truth.every((y) => !isFloat(y.dtype) || largest(y) < 1e6)) return inconclusive('values beyond 1e6');
  return every(range(truth.length), (i) => {
    const [x, y, z] = [found[i]!, rounded[i]!, truth[i]!];
    const types = sameType(`result ${i}`, x, y);
    if (types._tag === 'Fails' || !isFloat(y.dtype))
      return types._tag === 'Fails' ? types : sameBits(`result ${i}`, x, y);
    const lost = range(y.data.length).reduce((most, k) => Math.max(most, Math.abs(y.data[k]! - z.data[k]!)), 0);
    const bound = 8 * lost + 4 * (1 + operations) * 2 ** -23 * Math.max(1, largest(z));
    return every(range(z.data.length), (k) =>
      expect(
        Object.is(x.data[k], y.data[k]) || Math.abs(x.data[k]! - z.data[k]!) <= bound,
        () => `result ${i}: element ${indexText(z.shape, k)} is ${x.data[k]}, expected ${z.data[k]} ± ${bound}`,
      ),
    );
  });
}

const floatsOf =
  (apply: Apply): Apply =>
  (...args) =>
    apply(...args).filter((y) => isFloat(y.dtype));

/** Laws of programs, as `device.laws.ts` has those of primitives. */
export const programLaws: readonly Law[] = [
  law('programs that are rounded once: device = reference', [settledCases], ({ program, points }) => {
    const found = run(jit(program.apply), points[0]!);
    const wanted = withDefaultDevice(reference, () => run(program.apply, points[0]!));
    return every(range(wanted.length), (i) => bitsOnDevice(`result ${i}`, found[i]!, wanted[i]!));
  }),
  law('programs: device = reference', [smoothCases], ({ program, points }) =>
    near(program.apply, points[0]!, length(jaxprOf(program))),
  ),
  law('jvp of programs: device = reference', [shortCases], ({ program, points }) => {
    const f = floatsOf(program.apply);
    const apply: Apply = (...args) => {
      const n = program.ins.length;
      const [outs, tangents] = jvp(f, args.slice(0, n), args.slice(n));
      return [...outs, ...tangents];
    };
    return near(apply, [...points[0]!, ...points[1]!], 3 * length(jaxprOf(program)));
  }),
  law('vjp of programs: device = reference', [shortCases], ({ program, points }) => {
    const f = floatsOf(program.apply);
    const apply: Apply = (...args) => {
      const [outs, pullback] = vjp(f, args);
      return pullback(outs.map((y) => cos(y)));
    };
    return near(apply, points[0]!, 3 * length(jaxprOf(program)));
  }),
  law('vmap of programs: device = reference', [smoothCases], ({ program, points }) => {
    const lanes = points[0]!.map((x, i) => stackHost(x, [x.data, points[1]![i]!.data, x.data], 0));
    return near((...args) => vmap(program.apply)(...args), lanes, length(jaxprOf(program)));
  }),
];
