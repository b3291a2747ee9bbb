/**
 * Convolution as a contraction of windows and taps, in which the windows are not written down: a place of a window is the offset of the
 * window plus the offset of the tap, so windows are packed like the rows of a matrix, a panel at a time, from the images themselves
 * or from a copy with their zeros.
 *
 * Backward passes are convolutions too (`src/prim/conv.ts`): that of `lhs` has zeros between elements, which are not multiplied; in
 * that of `rhs` the windows are few and the taps many, and the panels are packed along the taps.
 */

import { countUp, nothing, sequence, when } from '../code/control.ts';
import { type Code, call, get, i32, select, set } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';
import { type Arithmetic, arithmetic } from '../gemm/arithmetic.ts';
import type { Axis } from '../gemm/axes.ts';
import { emitContraction } from '../gemm/gemm.ts';
import type { Product } from '../gemm/outer.ts';
import { type Contraction, parametersOf } from '../gemm/plan.ts';
import { copySize, emitChannelwise, folded, isChannelwise } from './channelwise.ts';
import { emitTaps, isOfTaps } from './channelwise-taps.ts';
import { planCopy } from './copy.ts';
import { emitHoles } from './holes.ts';
import { type ConvShape, type ConvStrides, isInside, type Plain, plainParts } from './shape.ts';

/** Bytes around a copy of images: a vector may begin before it, or end after it. */
const margin = 64;

const product = (list: readonly number[]): number => list.reduce((n, x) => n * x, 1);
const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;
const outermostFirst = (axes: readonly Axis[], operand: 'a' | 'c'): Axis[] =>
  axes.filter(({ extent }) => extent !== 1).sort((x, y) => y[operand] - x[operand]);

/** Windows of some images times taps: rows are windows, columns output features. */
function contraction(p: Plain, images: number, lhs: ConvStrides, slack: boolean): Contraction {
  const windows = p.spatial.map(({ out, stride }, i): Axis => {
    return { extent: out, a: lhs.spatial[i]! * stride, b: 0, c: p.out.spatial[i]! };
  });
  const taps = p.spatial.map(({ window, rhsDilation }, i): Axis => {
    return { extent: window, a: lhs.spatial[i]! * rhsDilation, b: p.rhs.spatial[i]!, c: 0 };
  });
  return {
    dtype: p.dtype,
    relaxed: p.relaxed,
    batch: [],
    m: outermostFirst([{ extent: images, a: lhs.batch, b: 0, c: p.out.batch }, ...windows], 'c'),
    n: [{ extent: p.outputs, a: 0, b: p.rhs.batch, c: p.out.feature }],
    k: outermostFirst([{ extent: p.inputs, a: lhs.feature, b: p.rhs.feature, c: 0 }, ...taps], 'a'),
    slack: { a: slack, b: false },
    epilogue: null,
  };
}

/** Whether windows can be packed by vectors from `lhs` as it lies, without reading beyond it. */
function isReadable(e: Arithmetic, p: Plain): boolean {
  if (!isInside(p)) return false;
  const last = p.spatial.length - 1;
  const { lhs, spatial } = p;
  if (lhs.feature === 1 && p.inputs >= e.lanes) return true;
  if (lhs.batch === 1 && p.images % e.lanes === 0) return true;
  if (last < 0 || lhs.spatial[last] !== 1) return false;
  const { window, out, stride, rhsDilation } = spatial[last]!;
  return (rhsDilation === 1 && window >= e.lanes) || (stride === 1 && out % e.lanes === 0);
}

/** Elements of a copy that stays in the second-level cache, and those that a copy has at most. */
const copyTarget = 1 << 16;
const copyLimit = 1 << 22;
/** Windows for which packing the taps once more is worth while. */
const enoughWindows = 256;

/** How many images are computed together. */
function imagesTogether(parts: readonly Plain[], sizeOf: (p: Plain) => number): number {
  const { images } = parts[0]!;
  const size = Math.max(1, ...parts.map(sizeOf));
  const windows = Math.max(1, ...parts.map(({ spatial }) => product(spatial.map(({ out }) => out))));
  const wanted = Math.max(Math.ceil(enoughWindows / windows), Math.floor(copyTarget / size));
  const most = Math.max(1, Math.min(Math.floor(copyLimit / size), Math.ceil(images / 4)));
  const together = Math.min(images, Math.max(1, Math.min(wanted, most)));
  for (let n = together; n > together / 2; n--) if (images % n === 0) return n;
  return together;
}

/** One part of a convolution on so many images: the function (lhs, rhs, out, scratch), of the group's first elements. */
function emitPart(module: Module, e: Arithmetic, p: Plain, images: number): { func: Func; scratchBytes: number } {
  const direct = isReadable(e, p);
  const copy = direct ? null : planCopy(p, images);
  const inner = emitContraction(module, contraction(p, images, copy?.strides ?? p.lhs, copy !== null));
  const func = module.func(['i32', 'i32', 'i32', 'i32']);
  const [lhs, rhs, out, scratch] = [0, 1, 2, 3];
  const moved = (local: number, elements: number): Code => i32.add(get(local), i32.const(elements * e.bytes));
  const first = p.spatial.reduce((sum, { padLow }, i) => sum - padLow * p.lhs.spatial[i]!, 0);
  const copyAt = i32.add(get(scratch), i32.const(margin));
  const copyBytes = copy ? 2 * margin + aligned(copy.size * e.bytes) : 0;
  func.body(
    sequence(
      copy ? call(copy.emit(module, e).index, get(lhs), copyAt) : nothing,
      call(
        inner.func.index,
        copy ? copyAt : moved(lhs, first),
        moved(rhs, p.rhs.first),
        moved(out, p.out.first),
        i32.add(get(scratch), i32.const(copyBytes)),
        i32.const(0),
        i32.const(inner.blocks),
      ),
    ),
  );
  return { func, scratchBytes: copyBytes + inner.scratchBytes };
}

/**
 * Adds to the module a function (lhs, rhs, out, scratch, from, to) that computes a convolution; a block is some images of a group. Calls with
 * parts of the blocks, in any order, give the same bits as one call.
 */
export function emitConv(module: Module, x: ConvShape): Product {
  const e = arithmetic(x.dtype, x.relaxed);
  const all = plainParts(x).filter(({ spatial }) => spatial.every(({ out }) => out > 0));
  const channelwise = all.every((p) => isChannelwise(e, p));
  const parts = channelwise ? all.map(folded) : all;
  const lone = x.spatial.every(({ lhsDilation }) => lhsDilation === 1) && !x.epilogue ? all[0] : undefined;
  if (lone && !channelwise && isOfTaps(e, lone)) return { ...emitTaps(module, e, lone), unit: 1, packing: null };
  const func = module.func(parametersOf(x.epilogue));
  if (parts.length === 0 || parts[0]!.images * parts[0]!.outputs === 0) {
    return { func: func.body(nothing), scratchBytes: 0, blocks: 0, unit: 1, packing: null };
  }
  const { images, groups, outputs, lhs: lhsStrides, rhs: rhsStrides, out: outStrides } = parts[0]!;
  const together = imagesTogether(parts, channelwise ? copySize : (p) => planCopy(p, 1).size);
  const rest = images % together;
  const perGroup = Math.ceil(images / together);
  const [lhs, rhs, out, scratch, from, to] = [0, 1, 2, 3, 4, 5];
  const [unit, group, image, l, r, o] = Array.from({ length: 6 }, () => func.local('i32')) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const times = (local: number, elements: number): Code => i32.mul(get(local), i32.const(elements * e.bytes));
  const atEnd = i32.eq(get(image), i32.const(images - rest));
  const count = rest === 0 ? i32.const(together) : select(i32.const(rest), i32.const(together), atEnd);
  let scratchBytes = 0;
  const compute = (p: Plain, n: number): Code => {
    const part = (channelwise ? emitChannelwise : emitPart)(module, e, p, n);
    scratchBytes = Math.max(scratchBytes, part.scratchBytes);
    return call(part.func.index, get(l), get(r), get(o), get(scratch));
  };
  const holes = emitHoles(module, e, x, parts);
  const found = func.local('i32');
  const body = parts.map((p, i) =>
    sequence(
      rest === 0 ? compute(p, together) : when(atEnd, compute(p, rest), compute(p, together)),
      holes ? when(get(found), call(holes.fill[i]!.index, get(r), get(o), count)) : nothing,
    ),
  );
  const block = {
    imageFrom: get(image),
    imageTo: i32.add(get(image), count),
    featureFrom: i32.mul(get(group), i32.const(outputs)),
    featureTo: i32.mul(i32.add(get(group), i32.const(1)), i32.const(outputs)),
  };
  func.body(
    sequence(
      holes ? set(found, call(holes.search.index, get(rhs))) : nothing,
      countUp(
        unit,
        get(from),
        get(to),
        1,
        sequence(
          set(group, i32.divU(get(unit), i32.const(perGroup))),
          set(image, i32.mul(i32.remU(get(unit), i32.const(perGroup)), i32.const(together))),
          set(l, i32.add(get(lhs), i32.add(times(group, lhsStrides.group), times(image, lhsStrides.batch)))),
          set(r, i32.add(get(rhs), times(group, rhsStrides.group))),
          set(o, i32.add(get(out), i32.add(times(group, outStrides.group), times(image, outStrides.batch)))),
          ...body,
          x.epilogue ? x.epilogue.code(block) : nothing,
        ),
      ),
    ),
  );
  return { func, scratchBytes, blocks: groups * perGroup, unit: 1, packing: null };
}
