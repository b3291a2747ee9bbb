/**
 * Zeros between the elements of `lhs` are not multiplied with taps. They would contribute zeros, unless a tap is infinite or NaN: then
 * windows that have it over such a zero are NaN. So the taps are searched once for one that is not finite, and if there is one,
 * the results that it makes NaN are filled in.
 */

import { countUp, nothing, sequence, when } from '../code/control.ts';
import { type Code, f32, f64, get, i32, set } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';
import type { Arithmetic } from '../gemm/arithmetic.ts';
import type { ConvShape, Plain } from './shape.ts';

export interface Holes {
  /** (rhs) → whether a tap of any group is not finite. */
  readonly search: Func;
  /** For each part (rhs and out at their group, number of images). */
  readonly fill: readonly Func[];
}

interface Loop {
  readonly count: number;
  readonly stride: number;
}

/** Null where nothing is skipped, and for integers. */
export function emitHoles(module: Module, e: Arithmetic, x: ConvShape, parts: readonly Plain[]): Holes | null {
  const skips = (p: Plain): boolean => p.spatial.some(({ window }, i) => window < x.spatial[i]!.window);
  if (x.dtype === 'int32' || x.dtype === 'uint32' || !parts.some(skips)) return null;
  const float = x.dtype === 'float32' ? f32 : f64;
  const type = x.dtype === 'float32' ? 'f32' : 'f64';
  const zeroTimes = (address: Code): Code => float.mul(float.load(address), float.const(0));
  const taps = x.spatial.map(({ window }, i) => ({ count: window, stride: x.rhs.spatial[i]! }));
  const inputs = { count: parts[0]!.inputs, stride: x.rhs.feature };

  const search = module.func(['i32'], ['i32']);
  const all = search.local(type);
  search.body(
    sequence(
      set(all, float.const(0)),
      nest(search, e, 0, [{ count: x.outFeatures, stride: x.rhs.batch }, inputs, ...taps], () =>
        set(all, float.add(get(all), zeroTimes(get(0)))),
      ),
      float.ne(get(all), get(all)),
    ),
  );

  const fill = parts.map((p) => {
    const func = module.func(['i32', 'i32', 'i32']);
    const [rhs, out, images] = [0, 1, 2];
    if (!skips(p)) return func.body(nothing);
    const [output, image, at] = [func.local('i32'), func.local('i32'), func.local('i32')];
    const sum = func.local(type);
    const [tap, place] = [func.local('i32'), func.local('i32')];
    // A tap is met if it is one of the part's on each axis: (k − first) divisible by the step, and not before the first.
    const met = (counters: readonly number[]): Code =>
      p.taps.reduce<Code>((both, { first, step }, i) => {
        const from = i32.sub(get(counters[i + 1]!), i32.const(first));
        const one = i32.and(i32.geS(from, i32.const(0)), i32.eqz(i32.remS(from, i32.const(step))));
        return i32.and(both, p.spatial[i]!.window === 0 ? i32.const(0) : one);
      }, i32.const(1));
    const windows = p.spatial.map((axis, i) => ({ count: axis.out, stride: p.out.spatial[i]! }));
    return func.body(
      countUp(
        output,
        i32.const(0),
        i32.const(p.outputs),
        1,
        sequence(
          set(sum, float.const(0)),
          set(tap, i32.add(get(rhs), i32.mul(get(output), i32.const(x.rhs.batch * e.bytes)))),
          nest(func, e, tap, [inputs, ...taps], (counters) =>
            when(i32.eqz(met(counters)), set(sum, float.add(get(sum), zeroTimes(get(tap))))),
          ),
          when(
            float.ne(get(sum), get(sum)),
            countUp(
              image,
              i32.const(0),
              get(images),
              1,
              sequence(
                set(at, i32.add(get(out), i32.mul(get(image), i32.const(p.out.batch * e.bytes)))),
                set(at, i32.add(get(at), i32.mul(get(output), i32.const(p.out.feature * e.bytes)))),
                set(place, i32.add(get(at), i32.const(p.out.first * e.bytes))),
                nest(func, e, place, windows, () => float.store(get(place), get(sum))),
              ),
            ),
          ),
        ),
      ),
    );
  });
  return { search, fill };
}

/** Loops with a pointer that moves through the strides and is back at its place afterwards; the body sees the counters. */
function nest(
  func: Func,
  e: Arithmetic,
  pointer: number,
  [loop, ...rest]: readonly Loop[],
  body: (counters: readonly number[]) => Code,
  counters: readonly number[] = [],
): Code {
  if (!loop) return body(counters);
  const i = func.local('i32');
  const move = (elements: number): Code => set(pointer, i32.add(get(pointer), i32.const(elements * e.bytes)));
  return sequence(
    countUp(
      i,
      i32.const(0),
      i32.const(loop.count),
      1,
      sequence(nest(func, e, pointer, rest, body, [...counters, i]), move(loop.stride)),
    ),
    move(-loop.count * loop.stride),
  );
}
