/**
 * What depthwise convolutions ask of their taps, of images whose channels are side by side: as many sums as there are taps, each over all
 * places of all images, so that what is a window here is an image. Vectors lie along the channels; the sums of some channels stay in
 * registers along a row of places, and in memory from row to row.
 */

import { block, breakIf, countUp, doWhile, memoryFill, nothing, sequence, when } from '../code/control.ts';
import { type Code, call, get, i32, set, tee, v128 } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';
import { type Arithmetic, loadPart } from '../gemm/arithmetic.ts';
import { planCopy } from './copy.ts';
import { isInside, type Plain } from './shape.ts';

/** Sums of a row: with a vector of the image and one of the result's gradient they fit into the registers. */
const together = 12;
/** Results of a channel, above which the general way does well. */
const most = 64;
/** Vectors of channels of a block. */
const wide = 4;

const product = (list: readonly number[]): number => list.reduce((n, x) => n * x, 1);
const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Whether each group is one image and one result, with channels side by side in both operands. */
export const isOfTaps = (e: Arithmetic, p: Plain): boolean =>
  p.groups >= e.lanes &&
  p.images === 1 &&
  p.outputs === 1 &&
  p.inputs > 0 &&
  p.lhs.group === 1 &&
  p.rhs.group === 1 &&
  p.spatial.length > 0 &&
  product(p.spatial.map(({ out }) => out)) <= most &&
  product(p.spatial.map(({ window }) => window)) >= 16;

/** Offsets of all results, in steps of these lengths along each axis. */
const offsets = (p: Plain, step: (axis: number) => number): number[] =>
  p.spatial.reduce<number[]>(
    (all, { out }, axis) => all.flatMap((at) => Array.from({ length: out }, (_, o) => at + o * step(axis))),
    [0],
  );

/**
 * The function (image, gradient, sums, places): adds the products of a row of places to the sums of so many channels, one sum for each offset. A
 * way out that is never taken keeps V8 from moving all loads to the beginning (see `gemm/kernel.ts`).
 */
function emitRow(
  module: Module,
  e: Arithmetic,
  p: Plain,
  strides: readonly number[],
  lanes: number,
  at: number[],
): Func {
  const func = module.func(['i32', 'i32', 'i32', 'i32']);
  const [image, gradient, memory, n] = [0, 1, 2, 3];
  const sums = at.map(() => func.local('v128'));
  const own = func.local('v128');
  const axis = p.spatial.length - 1;
  const { rhsDilation } = p.spatial[axis]!;
  const moved = (local: number, elements: number): Code =>
    set(local, i32.add(get(local), i32.const(elements * e.bytes)));
  return func.body(
    sequence(
      ...sums.map((sum, i) => set(sum, v128.load(get(memory), i * 16))),
      block(
        doWhile(
          sequence(
            set(own, loadPart(e, get(gradient), lanes)),
            ...sums.map((sum, i) =>
              sequence(
                set(sum, e.multiplyAdd(loadPart(e, get(image), lanes, at[i]! * e.bytes), get(own), get(sum))),
                breakIf(i32.eqz(get(n)), 1),
              ),
            ),
            moved(image, strides[axis]! * rhsDilation),
            moved(gradient, p.rhs.spatial[axis]!),
          ),
          tee(n, i32.sub(get(n), i32.const(1))),
        ),
      ),
      ...sums.map((sum, i) => v128.store(get(memory), get(sum), i * 16)),
    ),
  );
}

/** Some channels: the function (lhs, rhs, out, scratch), of the first of them. */
function emitChannels(module: Module, e: Arithmetic, p: Plain, channels: number): { func: Func; scratchBytes: number } {
  // As one group that has the channels for features, and the images again for images.
  const images: Plain = { ...p, inputs: channels, lhs: { ...p.lhs, batch: p.lhs.feature, feature: 1 } };
  const copy = isInside(p) ? null : planCopy(images, 1);
  const strides = copy?.strides.spatial ?? p.lhs.spatial;
  const places = offsets(p, (axis) => p.spatial[axis]!.stride * strides[axis]!);
  const targets = offsets(p, (axis) => p.out.spatial[axis]!);
  const vectors = Math.ceil(channels / e.lanes);
  const lanesOf = (v: number): number => Math.min(e.lanes, channels - v * e.lanes);
  const rows = new Map<string, Func>();
  const rowOf = (lanes: number, from: number): Func => {
    const key = `${lanes} ${from}`;
    const found = rows.get(key) ?? emitRow(module, e, p, strides, lanes, places.slice(from, from + together));
    rows.set(key, found);
    return found;
  };
  const chunks = Array.from({ length: Math.ceil(places.length / together) }, (_, i) => i * together);
  const func = module.func(['i32', 'i32', 'i32', 'i32']);
  const [lhs, rhs, out, scratch] = [0, 1, 2, 3];
  const [image, gradient, picture, turn] = Array.from({ length: 4 }, () => func.local('i32')) as [
    number,
    number,
    number,
    number,
  ];
  const sumBytes = aligned(vectors * places.length * 16);
  const sumAt = (v: number, i: number): number => (v * places.length + i) * 16;
  const copyAt = i32.add(get(scratch), i32.const(sumBytes));
  const moved = (local: number, elements: number): Code => i32.add(get(local), i32.const(elements * e.bytes));
  const axis = p.spatial.length - 1;
  const first = p.spatial.reduce((sum, { padLow }, i) => sum - padLow * p.lhs.spatial[i]!, 0);
  const row = sequence(
    ...Array.from({ length: vectors }, (_, v) =>
      sequence(
        ...chunks.map((from) =>
          call(
            rowOf(lanesOf(v), from).index,
            moved(image, v * e.lanes),
            moved(gradient, v * e.lanes),
            i32.add(get(scratch), i32.const(sumAt(v, from))),
            i32.const(p.spatial[axis]!.window),
          ),
        ),
      ),
    ),
  );
  const all = p.spatial.slice(0, -1).reduceRight<Code>((body, { window, rhsDilation }, i) => {
    const k = func.local('i32');
    const [from, to] = [strides[i]! * rhsDilation, p.rhs.spatial[i]!];
    return sequence(
      countUp(
        k,
        i32.const(0),
        i32.const(window),
        1,
        sequence(body, set(image, moved(image, from)), set(gradient, moved(gradient, to))),
      ),
      set(image, moved(image, -window * from)),
      set(gradient, moved(gradient, -window * to)),
    );
  }, row);
  const stores = Array.from({ length: vectors }, (_, v) =>
    targets.flatMap((target, i) => {
      const sum = v128.load(get(scratch), sumAt(v, i));
      return Array.from({ length: lanesOf(v) }, (_, lane) =>
        e.storeLane(get(out), sum, lane, (target + (v * e.lanes + lane) * p.out.group) * e.bytes),
      );
    }),
  ).flat();
  func.body(
    sequence(
      memoryFill(get(scratch), i32.const(0), i32.const(sumBytes)),
      set(picture, get(lhs)),
      set(gradient, moved(rhs, p.rhs.first)),
      countUp(
        turn,
        i32.const(0),
        i32.const(p.inputs),
        1,
        sequence(
          copy ? call(copy.emit(module, e).index, get(picture), copyAt) : nothing,
          set(image, copy ? copyAt : moved(picture, first)),
          all,
          set(picture, moved(picture, p.lhs.feature)),
          set(gradient, moved(gradient, p.rhs.feature)),
        ),
      ),
      set(out, moved(out, p.out.first)),
      ...stores,
    ),
  );
  return { func, scratchBytes: sumBytes + aligned((copy?.size ?? 0) * e.bytes) + 64 };
}

/** All channels: the function (lhs, rhs, out, scratch, from, to); a block is some channels. */
export function emitTaps(
  module: Module,
  e: Arithmetic,
  p: Plain,
): { func: Func; scratchBytes: number; blocks: number } {
  const size = Math.min(p.groups, wide * e.lanes);
  const rest = p.groups % size;
  const blocks = Math.ceil(p.groups / size);
  const whole = emitChannels(module, e, p, size);
  const last = rest === 0 ? whole : emitChannels(module, e, p, rest);
  const func = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [lhs, rhs, out, scratch, from, to] = [0, 1, 2, 3, 4, 5];
  const unit = func.local('i32');
  const at = (local: number, group: number): Code =>
    i32.add(get(local), i32.mul(get(unit), i32.const(size * group * e.bytes)));
  const run = ({ index }: Func): Code =>
    call(index, at(lhs, p.lhs.group), at(rhs, p.rhs.group), at(out, p.out.group), get(scratch));
  const chosen =
    rest === 0 ? run(whole.func) : when(i32.eq(get(unit), i32.const(blocks - 1)), run(last.func), run(whole.func));
  func.body(countUp(unit, get(from), get(to), 1, chosen));
  return { func, scratchBytes: Math.max(whole.scratchBytes, last.scratchBytes), blocks };
}
