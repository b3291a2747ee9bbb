/**
 * Depthwise convolutions of images whose channels are side by side: every channel has taps of its own, so vectors lie along the channels,
 * and a result is the sum over taps of a vector of the image times a vector of taps. (Where the places are side by side, the
 * general way does well: a tile of one row.)
 */

import { block, breakIf, countUp, doWhile, nothing, sequence } from '../code/control.ts';
import { type Code, call, get, i32, set, tee } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';
import { type Arithmetic, loadPart, storePart } from '../gemm/arithmetic.ts';
import { planCopy } from './copy.ts';
import { isInside, type Plain } from './shape.ts';

/** Taps that are written out one after the other. */
const mostTaps = 64;

const tapsOf = (p: Plain): number => p.spatial.reduce((n, { window }) => n * window, 1);

/** Whether each group is one channel, with channels side by side in images and results. */
export const isChannelwise = (e: Arithmetic, p: Plain): boolean =>
  p.groups >= e.lanes &&
  p.inputs === 1 &&
  p.outputs === 1 &&
  p.lhs.group === 1 &&
  p.out.group === 1 &&
  p.spatial.length > 0 &&
  tapsOf(p) <= mostTaps;

/** All channels as the output features of one group. */
export const folded = (p: Plain): Plain => ({ ...p, groups: 1, outputs: p.groups });

/** The images of all channels. */
const allChannels = (p: Plain): Plain => ({ ...p, inputs: p.outputs, lhs: { ...p.lhs, feature: 1 } });

/** Elements of images with their zeros. */
export const copySize = (p: Plain): number => planCopy(allChannels(p), 1).size;

/** Offsets of the taps in an image, from the last axis to the first. */
const tapOffsets = (p: Plain, strides: readonly number[]): number[] =>
  p.spatial.reduce<number[]>(
    (all, { window, rhsDilation }, i) =>
      all.flatMap((at) => Array.from({ length: window }, (_, k) => at + k * rhsDilation * strides[i]!)),
    [0],
  );

/**
 * The function (image, taps, out, windows): a row of windows, of so many channels. A way out after each tap that is never taken keeps V8 from
 * moving all loads to the beginning (see `gemm/kernel.ts`).
 */
function emitRow(
  module: Module,
  e: Arithmetic,
  p: Plain,
  strides: readonly number[],
  vectors: number,
  last: number,
): Func {
  const func = module.func(['i32', 'i32', 'i32', 'i32']);
  const [image, taps, out, n] = [0, 1, 2, 3];
  const sums = Array.from({ length: vectors }, () => func.local('v128'));
  const lanes = (j: number): number => (j === vectors - 1 ? last : e.lanes);
  const axis = p.spatial.length - 1;
  const step = (offset: number, tap: number): Code =>
    sequence(
      ...sums.map((sum, j) =>
        set(
          sum,
          e.multiplyAdd(
            loadPart(e, get(image), lanes(j), offset * e.bytes + j * 16),
            loadPart(e, get(taps), lanes(j), tap * p.outputs * e.bytes + j * 16),
            get(sum),
          ),
        ),
      ),
      breakIf(i32.eqz(get(n)), 1),
    );
  return func.body(
    block(
      doWhile(
        sequence(
          ...sums.map((sum) => set(sum, e.zero)),
          ...tapOffsets(p, strides).map(step),
          ...sums.flatMap((sum, j) => storePart(e, get(out), get(sum), lanes(j), j * 16)),
          set(image, i32.add(get(image), i32.const(p.spatial[axis]!.stride * strides[axis]! * e.bytes))),
          set(out, i32.add(get(out), i32.const(p.out.spatial[axis]! * e.bytes))),
        ),
        tee(n, i32.sub(get(n), i32.const(1))),
      ),
    ),
  );
}

/** Statements: the taps of all channels at `to`, tap after tap. */
function copyTaps(func: Func, e: Arithmetic, p: Plain, rhs: number, to: Code): Code {
  const [channel, pointer, from] = [func.local('i32'), func.local('i32'), func.local('i32')];
  const zeroBased = { ...p, spatial: p.spatial.map((axis) => ({ ...axis, rhsDilation: 1 })) };
  return sequence(
    set(pointer, to),
    ...tapOffsets(zeroBased, p.rhs.spatial).map((offset) =>
      sequence(
        set(from, i32.add(get(rhs), i32.const((p.rhs.first + offset) * e.bytes))),
        countUp(
          channel,
          i32.const(0),
          i32.const(p.outputs),
          1,
          sequence(
            e.copy(get(pointer), get(from)),
            set(pointer, i32.add(get(pointer), i32.const(e.bytes))),
            set(from, i32.add(get(from), i32.const(p.rhs.batch * e.bytes))),
          ),
        ),
      ),
    ),
  );
}

/** Vectors of channels that are summed at once. */
const together = 4;
const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Some images of all channels: the function (lhs, rhs, out, scratch). @param p - folded */
export function emitChannelwise(
  module: Module,
  e: Arithmetic,
  p: Plain,
  images: number,
): { func: Func; scratchBytes: number } {
  const copy = isInside(p) ? null : planCopy(allChannels(p), images);
  const strides = copy?.strides ?? p.lhs;
  const func = module.func(['i32', 'i32', 'i32', 'i32']);
  const [lhs, rhs, out, scratch] = [0, 1, 2, 3];
  const copyBytes = aligned((copy?.size ?? 0) * e.bytes);
  const taps = func.local('i32');
  const first = p.spatial.reduce((sum, { padLow }, i) => sum - padLow * p.lhs.spatial[i]!, 0);
  // Channels in stretches of some vectors, then of one, then what remains.
  const wide = e.lanes * together;
  const stretches: { channel: number; row: Func }[] = [];
  const rows = new Map<number, Func>();
  for (let channel = 0; channel < p.outputs; ) {
    const left = p.outputs - channel;
    const width = left >= wide ? wide : Math.min(left, e.lanes);
    const vectors = Math.ceil(width / e.lanes);
    const row = rows.get(width) ?? emitRow(module, e, p, strides.spatial, vectors, width - (vectors - 1) * e.lanes);
    rows.set(width, row);
    stretches.push({ channel, row });
    channel += width;
  }
  const [image, target] = [func.local('i32'), func.local('i32')];
  const axis = p.spatial.length - 1;
  const moved = (local: number, elements: number): Code => i32.add(get(local), i32.const(elements * e.bytes));
  const inner = sequence(
    ...stretches.map(({ channel, row }) =>
      call(
        row.index,
        moved(image, channel),
        moved(taps, channel),
        moved(target, channel),
        i32.const(p.spatial[axis]!.out),
      ),
    ),
  );
  const axes = [
    { extent: images, from: strides.batch, to: p.out.batch },
    ...p.spatial
      .slice(0, -1)
      .map(({ out: extent, stride }, i) => ({ extent, from: strides.spatial[i]! * stride, to: p.out.spatial[i]! })),
  ];
  const loops = axes.reduceRight<Code>((body, { extent, from, to }) => {
    const i = func.local('i32');
    return sequence(
      countUp(
        i,
        i32.const(0),
        i32.const(extent),
        1,
        sequence(body, set(image, moved(image, from)), set(target, moved(target, to))),
      ),
      set(image, moved(image, -extent * from)),
      set(target, moved(target, -extent * to)),
    );
  }, inner);
  func.body(
    sequence(
      set(taps, i32.add(get(scratch), i32.const(copyBytes))),
      copyTaps(func, e, p, rhs, get(taps)),
      copy ? call(copy.emit(module, e).index, get(lhs), get(scratch)) : nothing,
      set(image, copy ? get(scratch) : moved(lhs, first)),
      set(target, moved(out, p.out.first)),
      loops,
    ),
  );
  return { func, scratchBytes: copyBytes + aligned(tapsOf(p) * p.outputs * e.bytes) };
}
