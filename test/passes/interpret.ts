/**
 * A program run as it is written, equation by equation, on the kernels of the reference device: no pass has touched it. What
 * devices compile has been optimized, so they cannot judge the passes.
 */

import { lowerings } from '../../backends/reference/lowering.ts';
import type { Aval } from '../../src/core/aval.ts';
import { allocate, type TypedArray } from '../../src/core/dtype.ts';
import { type Atom, isLiteral, type Jaxpr } from '../../src/core/jaxpr.ts';
import { stage } from '../../src/core/stage.ts';
import type { Value } from '../../src/core/value.ts';
import type { FirstOrderName } from '../../src/prim/registry.ts';

/** Whether float32 is rounded, or kept as doubles as the option `precision: 'float64'` does. */
export type Precision = 'dtype' | 'float64';

export const precisions: readonly Precision[] = ['dtype', 'float64'];

/** An array for an aval. */
export const arrayFor = ({ dtype, size }: Aval, precision: Precision): TypedArray =>
  allocate(dtype === 'float32' && precision === 'float64' ? 'float64' : dtype, size);

/** The outputs of a program without constants. */
export function interpret(jaxpr: Jaxpr, ins: readonly TypedArray[], precision: Precision): readonly TypedArray[] {
  const env = new Map<Atom, TypedArray>(jaxpr.ins.map((v, i) => [v, ins[i]!]));
  const read = (atom: Atom): TypedArray =>
    isLiteral(atom) ? arrayFor(atom.aval, precision).fill(atom.value) : env.get(atom)!;
  for (const { primitive, params, ins: operands, outs } of jaxpr.eqns) {
    const values = operands.map(read);
    const inner = primitive.higherOrder?.body?.(params);
    let results: readonly TypedArray[];
    if (inner) results = interpret(inner, values, precision);
    else {
      const lower = lowerings[primitive.name as FirstOrderName] as (typeof lowerings)['add'];
      const kernel = lower(
        operands.map((atom) => atom.aval),
        outs.map((v) => v.aval),
        params as never,
      );
      results = outs.map((v) => arrayFor(v.aval, precision));
      kernel(values, results);
    }
    outs.forEach((v, i) => env.set(v, results[i]!));
  }
  return jaxpr.outs.map(read);
}

/** The program of a function that captures no arrays. */
export function program(avals: readonly Aval[], f: (...args: readonly Value[]) => Value | readonly Value[]): Jaxpr {
  const { jaxpr } = stage('test', (...args) => [f(...args)].flat() as readonly Value[], avals);
  return jaxpr;
}

/** Elements with which rules go wrong, for each dtype. */
export const specials = {
  bool: [0, 1],
  int32: [0, 1, -1, 2, 7, -2147483648, 2147483647, -32, 16777217],
  uint32: [0, 1, 2, 31, 32, 4294967295, 2147483648, 16777217],
  float32: [0, -0, 1, -1, 0.5, -2.5, 3, NaN, Infinity, -Infinity, 1e-45, -1e-40, 3.4028234663852886e38, 16777216, 1e10],
  float64: [0, -0, 1, -1, 0.1, -2.5, NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308, 16777217, 1e300],
} as const;

/** Arrays of special values; `turn` varies which of them meet. */
export const specialInputs = (jaxpr: Jaxpr, turn: number, precision: Precision): readonly TypedArray[] =>
  jaxpr.ins.map(({ aval }, k) => {
    const values = specials[aval.dtype];
    return arrayFor(aval, precision).map((_, i) => values[(i * (turn + 1) + turn * (3 * k + 1) + k) % values.length]!);
  });

/** The number of turns after which every value has met every other in the same place. */
export const turns = 24;

/** The first difference in bits, NaN being one value; `null` if there is none. */
export function difference(a: readonly TypedArray[], b: readonly TypedArray[]): string | null {
  for (let k = 0; k < a.length; k++) {
    const [x, y] = [a[k]!, b[k]!];
    if (x.constructor !== y.constructor || x.length !== y.length) return `output ${k} has another type or length`;
    for (let i = 0; i < x.length; i++) {
      if (!Object.is(x[i], y[i])) return `output ${k}[${i}]: ${show(x[i]!)} became ${show(y[i]!)}`;
    }
  }
  return null;
}

const show = (x: number): string => (Object.is(x, -0) ? '-0' : String(x));
