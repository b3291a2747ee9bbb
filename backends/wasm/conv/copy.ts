/**
 * Images with their zeros: what the windows of a convolution see of some images of a group, copied to scratch memory in the order of
 * `lhs`, so that every place exists and the gathering of windows knows no edges.
 */

import { countUp, doWhile, memoryFill, nothing, sequence } from '../code/control.ts';
import { type Code, get, i32, set, v128 } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';
import type { Arithmetic } from '../gemm/arithmetic.ts';
import { type ConvStrides, extentOf, type Plain } from './shape.ts';

/** An axis of the copy: elements copied, and from one to the next in `lhs` and in the copy. */
interface Step {
  readonly count: number;
  readonly from: number;
  readonly to: number;
}

export interface Copy {
  /** Elements. */
  readonly size: number;
  readonly strides: ConvStrides;
  /** Emits the function (lhs at the first image, copy). */
  emit(module: Module, e: Arithmetic): Func;
}

/** The elements of each axis that windows see: the first, and how many. */
const seen = (p: Plain): { first: number; count: number }[] =>
  p.spatial.map((axis) => {
    const first = Math.max(0, -axis.padLow);
    return { first, count: Math.max(0, Math.min(axis.in, extentOf(axis) - axis.padLow) - first) };
  });

/** How many images are copied at once, and how. */
export function planCopy(p: Plain, images: number): Copy {
  const inside = seen(p);
  const axes = [
    { extent: images, count: images, from: p.lhs.batch },
    { extent: p.inputs, count: p.inputs, from: p.lhs.feature },
    ...p.spatial.map((axis, i) => ({ extent: extentOf(axis), count: inside[i]!.count, from: p.lhs.spatial[i]! })),
  ];
  // The innermost in `lhs` is the innermost in the copy; where an axis of one element lies says nothing.
  const rank = (i: number): number => (axes[i]!.count === 1 ? Number.POSITIVE_INFINITY : axes[i]!.from);
  const order = axes.map((_, i) => i).sort((i, j) => (rank(i) === rank(j) ? i - j : rank(j) - rank(i)));
  const to = new Array<number>(axes.length);
  let size = 1;
  for (const i of [...order].reverse()) {
    to[i] = size;
    size *= axes[i]!.extent;
  }
  const [batch, feature, ...spatial] = to as [number, number, ...number[]];
  return {
    size,
    strides: { batch, feature, spatial },
    emit(module, e) {
      const func = module.func(['i32', 'i32']);
      const [lhs, copy] = [0, 1];
      const nest = joined(order.map((i) => ({ count: axes[i]!.count, from: axes[i]!.from, to: to[i]! })));
      const bytes = (own: readonly number[], at: (i: number) => number): Code =>
        i32.const(own.reduce((sum, stride, i) => sum + stride * at(i), 0) * e.bytes);
      const whole = axes.every(({ extent, count }) => count === extent);
      const some = axes.every(({ count }) => count > 0);
      return func.body(
        sequence(
          whole ? nothing : memoryFill(get(copy), i32.const(0), i32.const(size * e.bytes)),
          set(
            lhs,
            i32.add(
              get(lhs),
              bytes(p.lhs.spatial, (i) => inside[i]!.first),
            ),
          ),
          set(
            copy,
            i32.add(
              get(copy),
              bytes(spatial, (i) => inside[i]!.first + p.spatial[i]!.padLow),
            ),
          ),
          some ? copyNest(func, e, nest, lhs, copy) : nothing,
        ),
      );
    },
  };
}

/** Steps that follow each other on both sides as one. */
function joined(steps: readonly Step[]): Step[] {
  const all: Step[] = [];
  for (const step of steps) {
    if (step.count === 1) continue;
    const last = all.at(-1);
    if (last && last.from === step.count * step.from && last.to === step.count * step.to) {
      all[all.length - 1] = { ...step, count: last.count * step.count };
    } else all.push(step);
  }
  return all.length === 0 ? [{ count: 1, from: 1, to: 1 }] : all;
}

/** Loops over all steps but the last, which is a row; `source` and `target` are moved. */
function copyNest(func: Func, e: Arithmetic, [step, ...rest]: readonly Step[], source: number, target: number): Code {
  const { count, from, to } = step!;
  if (rest.length === 0) return copyRow(func, e, step!, source, target);
  const [i, s, t] = [func.local('i32'), func.local('i32'), func.local('i32')];
  return sequence(
    set(s, get(source)),
    set(t, get(target)),
    countUp(
      i,
      i32.const(0),
      i32.const(count),
      1,
      sequence(
        set(source, get(s)),
        set(target, get(t)),
        copyNest(func, e, rest, source, target),
        set(s, i32.add(get(s), i32.const(from * e.bytes))),
        set(t, i32.add(get(t), i32.const(to * e.bytes))),
      ),
    ),
  );
}

/** One row, by vectors where both sides are contiguous: rows are often of some dozen elements, and `memory.copy` is a call. */
function copyRow(func: Func, e: Arithmetic, { count, from, to }: Step, source: number, target: number): Code {
  const end = func.local('i32');
  const turns = (elements: number, each: number, body: Code): Code =>
    elements === 0
      ? nothing
      : sequence(
          set(end, i32.add(get(target), i32.const(elements * to * e.bytes))),
          doWhile(
            sequence(
              body,
              set(source, i32.add(get(source), i32.const(each * from * e.bytes))),
              set(target, i32.add(get(target), i32.const(each * to * e.bytes))),
            ),
            i32.ne(get(target), get(end)),
          ),
        );
  const vectors = from === 1 && to === 1 ? count - (count % e.lanes) : 0;
  return sequence(
    turns(vectors, e.lanes, v128.store(get(target), v128.load(get(source)))),
    turns(count - vectors, 1, e.copy(get(target), get(source))),
  );
}
