/**
 * The laws of control flow on random bodies: a loop computes what the loop in JavaScript computes, and a choice what `if` does,
 * under every transform, also where one stands inside the other.
 *
 * A case is a body, a form (loops and choices around it) and a transform. The form is written once, for any {@link Control}: that
 * of the library, and that of JavaScript, which is written out and decided by values.
 */

import * as fc from 'fast-check';
import { type Aval, makeAval } from '../src/core/aval.ts';
import { withDefaultDevice } from '../src/core/backend.ts';
import { range } from '../src/core/shape.ts';
import type { Value } from '../src/core/value.ts';
import { add, convertElementType, mul } from '../src/prim/arithmetic.ts';
import { gt, lt } from '../src/prim/compare.ts';
import { fullLike, scalar, zeros } from '../src/prim/compose.ts';
import { dynamicSlice, dynamicUpdateSlice } from '../src/prim/dynamic.ts';
import { cos } from '../src/prim/math.ts';
import { reduceSum } from '../src/prim/reduce.ts';
import { concatenate, iota, reshape, sliceAxis } from '../src/prim/structural.ts';
import { grad, jvp } from '../transforms/autodiff.ts';
import { cond } from '../transforms/branches.ts';
import { hessian } from '../transforms/derived.ts';
import { jit } from '../transforms/jit.ts';
import { scan } from '../transforms/loops.ts';
import { vmap } from '../transforms/vmap.ts';
import { whileLoop } from '../transforms/while.ts';
import { insertions } from './arbitrary/axes.ts';
import { type Body, bodies, sineOfAll } from './arbitrary/body.ts';
import { within } from './arbitrary/elements.ts';
import { smooth } from './arbitrary/program-ops.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { laneLaws } from './control-lanes.ts';
import { exact } from './fd.ts';
import { close, type HostTensor, stackHost, toHost, toTensor } from './host.ts';
import { every, type Law, law, type Suite, type Verdict } from './law.ts';

type Values = readonly Value[];
type Flat = (...args: Values) => Values;
/** From a carry and slices to the next carry and what is stacked. */
type Step = (carry: Values, slices: Values) => readonly [Values, Values];

interface LoopOptions {
  readonly length: number;
  readonly reverse: boolean;
}

/** A way to say loops and choices. */
interface Control {
  loop(step: Step, carry: Values, xs: Values, options: LoopOptions): readonly [Values, Values];
  choose(pred: Value, onTrue: Flat, onFalse: Flat, operands: Values): Values;
}

/** The slice of `x` at a step. */
const at = (x: Value, i: number): Value => reshape(sliceAxis(x, 0, i, i + 1), x.shape.slice(1));
const stacked = (rows: Values): Value =>
  concatenate(
    rows.map((x) => reshape(x, [1, ...x.shape])),
    0,
  );

/** JavaScript's own: loops are written out, and `if` looks at the value. */
const written: Control = {
  loop(step, init, xs, { length, reverse }) {
    let carry = init;
    const rows: Values[] = [];
    for (const i of reverse ? range(length).reverse() : range(length)) {
      const [next, ys] = step(
        carry,
        xs.map((x) => at(x, i)),
      );
      carry = next;
      rows[i] = ys;
    }
    return [carry, rows[0]!.map((_, j) => stacked(rows.map((row) => row[j]!)))];
  },
  choose: (pred, onTrue, onFalse, operands) => (pred.item() ? onTrue : onFalse)(...operands),
};

/** `scan` and `cond`. */
const scanned: Control = {
  loop: (step, carry, xs, options) => scan<Values, Values, Values>(step, carry, xs, options),
  choose: (pred, onTrue, onFalse, operands) =>
    cond<Value[], Values>(pred as Value<'bool'>, onTrue, onFalse, ...operands),
};

/** `while` with a counter, slices by index, and results written into a buffer. */
const counted: Control = {
  ...scanned,
  loop(step, init, xs, { length, reverse }) {
    const [one, n] = [scalar(1, 'int32'), scalar(length, 'int32')];
    const start = (x: Value, i: Value): Values => [i, ...x.shape.slice(1).map(() => scalar(0, 'int32'))];
    const [, ys] = step(
      init,
      xs.map((x) => at(x, 0)),
    );
    const buffers = ys.map((y) => zeros(makeAval([length, ...y.shape], y.dtype)));
    const place = (i: Value): Value => (reverse ? add(scalar(length - 1, 'int32'), mul(i, scalar(-1, 'int32'))) : i);
    type State = readonly [Value, Values, Values];
    const [, carry, results] = whileLoop<State>(
      ([i]) => lt(i, n) as Value<'bool'>,
      ([i, values, rows]) => {
        const k = place(i);
        const slices = xs.map((x) => reshape(dynamicSlice(x, start(x, k), [1, ...x.shape.slice(1)]), x.shape.slice(1)));
        const [next, outs] = step(values, slices);
        const filled = outs.map((y, j) =>
          dynamicUpdateSlice(rows[j]!, reshape(y, [1, ...y.shape]), start(rows[j]!, k)),
        );
        return [add(i, one), next, filled] as never;
      },
      [scalar(0, 'int32'), init, buffers],
    );
    return [carry, results];
  },
};

/** A body, with the operands of a loop over it: a point, and two directions. */
interface Case {
  readonly body: Body;
  readonly options: LoopOptions;
  readonly points: readonly (readonly HostTensor[])[];
  /** Where a batch axis goes. */
  readonly axes: readonly number[];
}

const cases: fc.Arbitrary<Case> = fc
  .record({
    body: bodies({ ops: smooth, dtypes: ['float32'], settle: sineOfAll, maxSteps: 3 }),
    options: fc.record({ length: fc.integer({ min: 1, max: 3 }), reverse: fc.boolean() }),
  })
  .chain(({ body, options }) => {
    const { program, consts, carry } = body;
    const ins = program.ins.map((aval, i): Aval => {
      return i < consts + carry ? aval : makeAval([options.length, ...aval.shape], aval.dtype);
    });
    const point = fc.tuple(...ins.map((aval) => tensorOf(aval, within(-1, 1))));
    return fc
      .record({ points: fc.tuple(point, point, point), axes: insertions(ins.map((aval) => aval.shape.length)) })
      .map((rest) => ({ body, options, ...rest }));
  });

/** Loops and choices around a body: a function of its constants, its carry and what is sliced. */
type Form = (control: Control, c: Case) => Flat;

const stepOf =
  ({ program, carry }: Body, consts: Values): Step =>
  (values, slices) => {
    const outs = program.apply(...consts, ...values, ...slices);
    return [outs.slice(0, carry), outs.slice(carry)];
  };

const halves: Flat = (...xs) => xs.map((x) => mul(x, fullLike(x, 0.5)));
const total = (xs: Values): Value => xs.reduce((sum, x) => add(sum, reduceSum(x, range(x.ndim))), scalar(0, 'float32'));
/** A predicate of data; no sum of multiples of 1/256 is equal to 0.1. */
const predicate = (xs: Values): Value => gt(total(xs), scalar(0.1, 'float32'));

/** The form of a loop over the step that `around` makes of that of the body. */
const looping =
  (around: (control: Control, step: Step) => Step): Form =>
  (control, { body, options }) =>
  (...args) => {
    const [consts, rest] = [args.slice(0, body.consts), args.slice(body.consts)];
    const step = around(control, stepOf(body, consts));
    return control.loop(step, rest.slice(0, body.carry), rest.slice(body.carry), options).flat();
  };

const scanForm = looping((_, step) => step);

const forms: Readonly<Record<string, Form>> = {
  scan: scanForm,
  'scan of scan': looping((control, step) => (carry, slices) => {
    const twice = slices.map((x) => stacked([x, mul(x, fullLike(x, 0.5))]));
    return control.loop(step, carry, twice, { length: 2, reverse: true });
  }),
  'scan of cond': looping((control, step) => (carry, slices) => {
    const both: Flat = (...xs) => step(xs.slice(0, carry.length), xs.slice(carry.length)).flat();
    const outs = control.choose(predicate(carry), both, (...xs) => halves(...both(...halves(...xs))), [
      ...carry,
      ...slices,
    ]);
    return [outs.slice(0, carry.length), outs.slice(carry.length)];
  }),
  'cond of scan':
    (control, c) =>
    (...args) => {
      const whole = scanForm(control, c);
      return control.choose(predicate(args), whole, (...xs) => halves(...whole(...xs)), args);
    },
};

/** Σᵢ cos(i)·yᵢ over all results. */
const weighted = (outs: Values): Value =>
  total(
    outs.map((y) => {
      const flat = convertElementType(reshape(y, [y.size]), 'float32');
      return mul(flat, cos(iota([y.size], 0, 'float32')));
    }),
  );

type Scalar = (...args: Values) => Value;
const everyArgument = (args: Values): number[] => range(args.length);
const gradient =
  (f: Scalar): Flat =>
  (...args) =>
    grad(f as (...xs: Value[]) => Value<'float32'>, { argnums: everyArgument(args) })(...args) as Values;
const along = (f: Flat, args: Values, directions: Values): Values =>
  jvp(f as never, args as never, directions as never)[1] as Values;

/** A function under transforms, at a point and in a direction. */
type Transform = (f: Scalar, at: Values, direction: Values) => Values;

const transforms: Readonly<Record<string, Transform>> = {
  value: (f, xs) => [f(...xs)],
  jit: (f, xs) => [jit(f)(...xs)],
  jvp: (f, xs, ts) => along((...ys) => [f(...ys)], xs, ts),
  grad: (f, xs) => gradient(f)(...xs),
  'grad ∘ jit': (f, xs) => gradient(jit(f))(...xs),
  'jit ∘ grad': (f, xs) => jit(gradient(f))(...xs),
  'jvp ∘ grad': (f, xs, ts) => along(gradient(f), xs, ts),
  'grad ∘ jvp': (f, xs, ts) => gradient((...ys) => along((...zs) => [f(...zs)], ys, ts)[0]!)(...xs),
  'jit ∘ hessian': (f, xs) => [jit(hessian(f as never) as Flat)(...xs) as unknown as Value],
};
/** What JavaScript's `if` looks at has no value while it is staged. */
const staging = ['jit', 'grad ∘ jit', 'jit ∘ grad', 'jit ∘ hessian'];
const eagerly: Readonly<Record<string, Transform>> = {
  ...transforms,
  jit: transforms['value']!,
  'grad ∘ jit': transforms['grad']!,
  'jit ∘ grad': transforms['grad']!,
  'jit ∘ hessian': (f, xs) => [hessian(f as never)(...(xs as never[])) as unknown as Value],
};
const forwardOnly = ['value', 'jit', 'jvp'];

const tensors = (xs: readonly HostTensor[]): Values => xs.map((x) => toTensor(x));

const closeAll = (what: string, found: Values, wanted: Values): Verdict =>
  every(range(wanted.length), (i) => {
    const b = toHost(wanted[i]!);
    return close(`${what} ${i}`, toHost(found[i]!), b, 1e-9, Math.max(1, ...Array.from(b.data, Math.abs)));
  });

const unrounded =
  <A extends readonly unknown[]>(property: (...args: A) => Verdict) =>
  (...args: A): Verdict =>
    withDefaultDevice(exact, () => property(...args));

const formNames = fc.constantFrom(...Object.keys(forms));

const transformLaws: readonly Law[] = [
  law(
    'loops and choices = those of JavaScript, under every transform',
    [formNames, fc.constantFrom(...Object.keys(transforms)), cases],
    unrounded((form, name, c) => {
      const [point, direction] = [tensors(c.points[0]!), tensors(c.points[1]!)];
      const f =
        (control: Control): Scalar =>
        (...xs) =>
          weighted(forms[form]!(control, c)(...xs));
      const reference = staging.includes(name) ? eagerly[name]! : transforms[name]!;
      return closeAll(
        `${name} of ${form}`,
        transforms[name]!(f(scanned), point, direction),
        reference(f(written), point, direction),
      );
    }),
  ),
  law(
    'while = scan, forwards and in batches',
    [fc.constantFrom('scan', 'scan of cond'), fc.constantFrom(...forwardOnly), cases, fc.boolean()],
    unrounded((form, name, c, batched) => {
      const [point, direction] = [tensors(c.points[0]!), tensors(c.points[1]!)];
      const f =
        (control: Control): Scalar =>
        (...xs) =>
          weighted(forms[form]!(control, c)(...xs));
      const apply = (control: Control): Values => {
        if (!batched) return transforms[name]!(f(control), point, direction);
        const lanes = (...xs: Values): Values => transforms[name]!(f(control), xs, direction);
        return vmap(lanes as (...xs: Value[]) => Values)(...point.map((x) => stacked([x, mul(x, fullLike(x, 0.5))])));
      };
      return closeAll(`${name} of ${form}`, apply(counted), apply(scanned));
    }),
  ),
];

/** A transform of functions of one lane, mapped over lanes. */
const mapped: Readonly<Record<string, (f: Scalar) => Flat>> = {
  vmap:
    (f) =>
    (...xs) => [f(...xs)],
  'vmap ∘ grad': gradient,
  'vmap ∘ grad ∘ jit': (f) => gradient(jit(f)),
  'vmap ∘ jvp':
    (f) =>
    (...xs) =>
      along((...ys) => [f(...ys)], xs, xs),
  'jit ∘ vmap ∘ grad': (f) => jit(gradient(f)),
};

const batchLaws: readonly Law[] = [
  law(
    'vmap = stack ∘ map, lanes in step and apart, in and out of any axis',
    [formNames, fc.constantFrom(...Object.keys(mapped)), cases, fc.nat({ max: 15 }), fc.boolean()],
    unrounded((form, name, c, shared, last) => {
      const isShared = (i: number): boolean => i > 0 && ((shared >> i) & 1) === 1;
      const lanes = c.points.map((point) => point.map((x, i) => (isShared(i) ? c.points[0]![i]! : x)));
      const batched = c.points[0]!.map((x, i) =>
        isShared(i)
          ? x
          : stackHost(
              x,
              c.points.map((point) => point[i]!.data),
              c.axes[i]!,
            ),
      );
      const f =
        (control: Control): Scalar =>
        (...xs) =>
          weighted(forms[form]!(control, c)(...xs));
      const inAxes = c.axes.map((axis, i) => (isShared(i) ? null : axis));
      const all = vmap(mapped[name]!(f(scanned)) as (...xs: Value[]) => Values, inAxes, last ? -1 : 0);
      const found = all(...tensors(batched));
      const plain = mapped[name.replace(/^jit ∘ /, '').replace(/ ∘ jit$/, '')]!(f(written));
      return every(range(lanes.length), (k) => {
        const one = plain(...tensors(lanes[k]!));
        const lane = found.map((x) => {
          const axis = last ? x.ndim - 1 : 0;
          return reshape(
            sliceAxis(x, axis, k, k + 1),
            x.shape.filter((_, i) => i !== axis),
          );
        });
        return closeAll(`lane ${k} of ${name} of ${form}, result`, lane, one);
      });
    }),
  ),
  law(
    'grad ∘ vmap = Σ of the gradients of lanes',
    [formNames, cases],
    unrounded((form, c) => {
      const f =
        (control: Control): Scalar =>
        (...xs) =>
          weighted(forms[form]!(control, c)(...xs));
      const batched = c.points[0]!.map((x, i) =>
        toTensor(
          stackHost(
            x,
            c.points.map((point) => point[i]!.data),
            0,
          ),
        ),
      );
      const sum: Scalar = (...xs) => total([vmap(f(scanned) as (...ys: Value[]) => Value)(...xs)]);
      const found = gradient(sum)(...batched);
      const wanted = c.points.map((point) => gradient(f(written))(...tensors(point)));
      return closeAll(
        `grad ∘ vmap of ${form}`,
        found,
        found.map((_, i) => stacked(wanted.map((one) => one[i]!))),
      );
    }),
  ),
];

/** The laws of loops and choices. */
export const controlLaws: Suite = { name: 'control', laws: [...transformLaws, ...batchLaws, ...laneLaws] };
