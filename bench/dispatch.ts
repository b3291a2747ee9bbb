/**
 * What the library costs besides the arithmetic: dispatch of one eager operation, and tracing, differentiating and checking
 * a program of 2,700 equations.
 *
 * Prints one JSON line for each measurement, with its target. Timings are medians; run on an idle machine.
 */

import { grad, makeJaxpr, np, type Tensor } from 'pullback';
import { lowerings } from '../backends/reference/lowering.ts';
import { makeAval } from '../src/core/aval.ts';
import { checkJaxpr } from '../src/core/check.ts';
import { countEqns } from '../src/core/jaxpr.ts';
import type { Value } from '../src/core/value.ts';
import { add, mul, sub } from '../src/prim/arithmetic.ts';
import { sin } from '../src/prim/math.ts';

const batch = 1000;

/** The median over 1,000 batches of 1,000 calls, in µs a call, after as many for warm-up. */
function microseconds(f: () => unknown): number {
  const times: number[] = [];
  for (let i = -1000; i < 1000; i++) {
    const start = performance.now();
    for (let k = 0; k < batch; k++) f();
    if (i >= 0) times.push((performance.now() - start) / batch);
  }
  return median(times) * 1000;
}

/** The median in ms of 20 runs after 5. */
function milliseconds(f: () => unknown): number {
  const times: number[] = [];
  for (let i = -5; i < 20; i++) {
    const start = performance.now();
    f();
    if (i >= 0) times.push(performance.now() - start);
  }
  return median(times);
}

const median = (xs: readonly number[]): number => [...xs].sort((a, b) => a - b)[xs.length >> 1]!;

function report(name: string, value: number, unit: string, target: number): void {
  const rounded = Number(value.toPrecision(3));
  console.log(JSON.stringify({ bench: name, value: rounded, unit, target, met: value <= target }));
}

const x = np.array(2);
const y = np.array(3);
const aval = makeAval([], 'float32');
const kernel = lowerings.add([aval, aval], [aval], {});
const [a, b] = [Float32Array.of(2), Float32Array.of(3)];
const direct = microseconds(() => kernel([a, b], [new Float32Array(1)]));
const bound = microseconds(() => add(x, y));
report('bind(add) of two f32[] minus its lowering', bound - direct, 'µs', 0.5);
report(
  'np.add of two f32[]',
  microseconds(() => np.add(x, y)),
  'µs',
  1.5,
);
report(
  'np.add of f32[] and a number',
  microseconds(() => np.add(x, 1)),
  'µs',
  1.5,
);

/** A chain whose gradient program has about 2,700 equations. */
function chain(v: Value): Value {
  let out = v;
  for (let i = 0; i < 170; i++) out = sub(mul(sin(out), v), add(out, mul(v, out)));
  return out;
}
const program = (): ReturnType<ReturnType<typeof makeJaxpr>> => makeJaxpr(grad((v: Tensor) => chain(v) as Tensor))(x);
const { jaxpr } = program();
const equations = countEqns(jaxpr);
report(`trace + grad + check of ${equations} equations`, milliseconds(program), 'ms', 30);
report(
  `check of ${equations} equations`,
  milliseconds(() => checkJaxpr(jaxpr)),
  'ms',
  5,
);
