/**
 * The laws of a device: it computes what the reference device computes, within the bounds of `device-agreement.ts`.
 *
 * Each primitive is applied as it is called, and in a program: to views of its operands, with a view of each result, in a batch that
 * fills vectors. Random programs are run as one, and so are their derivatives. On the reference device itself all of it holds trivially.
 */

import * as fc from 'fast-check';
import { isDecomposed } from '../backends/loop/decompose/index.ts';
import { referenceDevice } from '../backends/reference/device.ts';
import { withDefaultDevice } from '../src/core/backend.ts';
import { isFloat } from '../src/core/dtype.ts';
import type { Primitive } from '../src/core/primitive.ts';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { type FirstOrderName, firstOrder } from '../src/prim/registry.ts';
import { broadcastInDim, moveAxis } from '../src/prim/structural.ts';
import { jit } from '../transforms/jit.ts';
import { vmapFlat } from '../transforms/vmap.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { type ViewChoice, viewChoice, viewOf } from './arbitrary/views.ts';
import { domainOf } from './decompositions.laws.ts';
import { type Agreement, agreements } from './device-agreement.ts';
import { asOnDevice, isDeviceDtype, programLaws } from './device-programs.laws.ts';
import { isFactored } from './factors.laws.ts';
import { exact } from './fd.ts';
import type { Call, Row } from './generators/row.ts';
import { type HostTensor, laneOf, stackHost, toHost, toTensor } from './host.ts';
import { every, type Law, law, type Suite, type Verdict } from './law.ts';
import { applying } from './primitive-case.ts';
import { subject } from './primitives.laws.ts';

/** What other devices are held to. */
const reference = referenceDevice();

type Apply = (...operands: readonly Value[]) => readonly Value[];

const run = (apply: Apply, operands: readonly HostTensor[]): readonly HostTensor[] =>
  apply(...operands.map((x) => toTensor(x))).map(toHost);

const referenced = (apply: Apply, operands: readonly HostTensor[]): readonly HostTensor[] =>
  withDefaultDevice(reference, () => run(apply, operands));

/** A program around a call. */
interface Setting {
  /** Of operands, and of results; the last one serves those that follow. */
  readonly before: readonly ViewChoice[];
  readonly after: readonly ViewChoice[];
  /** How many lanes of a batch; 0 is no batch. */
  readonly lanes: number;
}

interface Case {
  readonly call: Call<unknown>;
  /** The operands of several lanes. */
  readonly sets: readonly (readonly HostTensor[])[];
  readonly setting: Setting;
}

const someViews = fc.array(viewChoice, { minLength: 1, maxLength: 3 });

const settings: fc.Arbitrary<Setting> = fc.record({
  before: someViews,
  after: someViews,
  lanes: fc.constantFrom(0, 0, 1, 5, 37),
});

/** Has the device the dtypes of a call? */
const isOnDevice = ({ ins, params }: Call<unknown>): boolean =>
  ins.every(({ dtype }) => isDeviceDtype(dtype)) &&
  Object.values(params as object).every((x) => x !== 'float64' || isDeviceDtype(x));

const casesOf = (name: FirstOrderName, row: Row<unknown>): fc.Arbitrary<Case> =>
  row
    .calls(row.takes)
    .filter(isOnDevice)
    .chain((call) => {
      const domain = domainOf(name, row);
      const set = fc.tuple(...call.ins.map((aval, i) => tensorOf(aval, domain(call, i))));
      return fc.tuple(fc.array(set, { minLength: 2, maxLength: 2 }), settings).map(([sets, setting]) => ({
        call,
        sets: sets.map((set) => set.map((x) => asOnDevice(x, isDecomposed(name)))),
        setting,
      }));
    });

const chosen = (choices: readonly ViewChoice[], i: number): ViewChoice => choices[Math.min(i, choices.length - 1)]!;

/** Σ|terms| of each element: what sums and products are of the absolute values, in double precision. */
const magnitudes = (apply: Apply, operands: readonly HostTensor[]): readonly ArrayLike<number>[] =>
  withDefaultDevice(exact, () =>
    run(
      apply,
      operands.map((x) => (isFloat(x.dtype) ? { ...x, data: Array.from(x.data, Math.abs) } : x)),
    ).map((y) => y.data),
  );

/** Where each element is one of its own, an axis may be made constant: matrices would be singular, and places would meet. */
const mayRepeat = (name: FirstOrderName, row: Row<unknown>, aval: { readonly dtype: string }): boolean =>
  !isFactored(name) && row.values === undefined && isFloat(aval.dtype as 'float32');

/** A device applies the primitive as the reference device does, alone and in programs. */
export function agreementLaw(name: FirstOrderName, agreement: Agreement = agreements[name]): Law {
  const { primitive, row } = subject(name) as { primitive: Primitive; row: Row<unknown> };
  return law(`${name}: device = reference`, [casesOf(name, row)], ({ call, sets, setting }) => {
    const apply = applying(primitive, call);
    const judge = (found: readonly HostTensor[], operands: readonly HostTensor[]): Verdict =>
      agreement({
        found,
        wanted: referenced(apply, operands),
        truth: withDefaultDevice(exact, () => run(apply, operands)),
        call,
        operands,
        terms: row.terms?.(call) ?? 1,
        magnitudes: () => magnitudes(apply, operands),
      });
    return every(
      ['alone', 'in a program'] as const,
      (where) => {
        if (where === 'alone') return judge(run(apply, sets[0]!), sets[0]!);
        return inProgram(apply, call, sets, setting, (aval) => mayRepeat(name, row, aval), judge);
      },
      (where) => where,
    );
  });
}

function inProgram(
  apply: Apply,
  call: Call<unknown>,
  sets: readonly (readonly HostTensor[])[],
  { before, after, lanes }: Setting,
  lossy: (aval: { readonly dtype: string }) => boolean,
  judge: (found: readonly HostTensor[], operands: readonly HostTensor[]) => Verdict,
): Verdict {
  const count = Math.max(lanes, 1);
  const batched = lanes > 0 && call.ins.length > 0;
  const whole: Apply = (...operands) => {
    if (!batched) return apply(...operands);
    const { outs, dims } = vmapFlat(
      apply,
      count,
      operands,
      operands.map(() => 0),
    );
    return outs.map((y, i) => {
      const dim = dims[i] ?? null;
      return dim === null
        ? broadcastInDim(
            y,
            [count, ...y.shape],
            range(y.ndim).map((axis) => axis + 1),
          )
        : moveAxis(y, dim, 0);
    });
  };
  // What the device is given are the operands as views show them.
  const given = call.ins.map((aval, i) => {
    const stacked = batched
      ? stackHost(
          sets[0]![i]!,
          range(count).map((k) => sets[k % sets.length]![i]!.data),
          0,
        )
      : sets[0]![i]!;
    const view = viewOf(chosen(before, i), stacked.shape, lossy(aval));
    const [source] = referenced((x) => [view.there(x!)], [stacked]);
    const [operand] = referenced((x) => [view.back(x!)], [source!]);
    return { view, source: source!, operand: operand! };
  });
  const program = jit((...sources: readonly Value[]): readonly Value[] =>
    whole(...sources.map((x, i) => given[i]!.view.back(x))).map((y, i) => viewOf(chosen(after, i), y.shape).there(y)),
  );
  const shapes = referenced(
    whole,
    given.map(({ operand }) => operand),
  ).map(({ shape }) => shape);
  const shown = run(
    program,
    given.map(({ source }) => source),
  );
  const found = shown.map((y, i) => referenced((x) => [viewOf(chosen(after, i), shapes[i]!).back(x!)], [y])[0]!);
  if (!batched)
    return judge(
      found,
      given.map(({ operand }) => operand),
    );
  return every(
    range(count),
    (k) =>
      judge(
        found.map((y) => laneOf(y, 0, k)),
        given.map(({ operand }) => laneOf(operand, 0, k)),
      ),
    (k) => `lane ${k}`,
  );
}

/** The laws of the default device. */
export const deviceLaws: Suite = {
  name: 'device',
  laws: [...(Object.keys(firstOrder) as readonly FirstOrderName[]).map((name) => agreementLaw(name)), ...programLaws],
};
