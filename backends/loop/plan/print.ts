/** Planned programs as text, for people and snapshots: where values lie (`text('plan')`), and what is computed (`text('loops')`). */

import { showAvalShort } from '../../../src/core/aval.ts';
import { byteSize, shortName } from '../../../src/core/dtype.ts';
import type { Buffer, Expr } from '../ir/expr.ts';
import type { Kernel } from '../ir/kernel.ts';
import { printKernel } from '../print.ts';
import { countKernel } from './cost.ts';
import { bytesOf } from './plan.ts';
import type { ContractedAxis, Contraction, Convolution, Place, Program, Step } from './program.ts';

/** How a step is called. */
export function nameOf(step: Step): string {
  switch (step.kind) {
    case 'kernel':
      return step.kernel.name;
    case 'contract':
      return `contract ${contractionText(step.contraction)}${epilogueText(step)}`;
    case 'convolve':
      return `convolve ${convolutionText(step.convolution)}${epilogueText(step)}`;
    case 'copy':
      return `copy ${step.bytes} bytes`;
    case 'repeat':
      return `repeat ${step.counter.name} < ${step.counter.length}${step.counter.reverse ? ', backwards' : ''}`;
    case 'while':
      return 'while';
    case 'branch':
      return `branch of ${step.branches.length}`;
  }
}

const epilogueText = ({ epilogue }: Step & { readonly kind: 'contract' | 'convolve' }): string =>
  epilogue ? `, ${epilogue.kernel.name}` : '';

/** `f32[64,32]·[32,10]`: batch, rows and columns. */
function contractionText({ dtype, batch, m, n, k }: Contraction): string {
  const whole = (axes: readonly ContractedAxis[]): number => axes.reduce((size, { extent }) => size * extent, 1);
  const b = batch.length > 0 ? `${whole(batch)}×` : '';
  return `${shortName(dtype)} ${b}[${whole(m)},${whole(k)}]·[${whole(k)},${whole(n)}]`;
}

function convolutionText(x: Convolution): string {
  const along = (axis: 'in' | 'out' | 'window' | 'stride'): string => x.spatial.map((s) => s[axis]).join('×') || '1';
  const groups = x.groups * x.batchGroups > 1 ? `, ${x.groups * x.batchGroups} groups` : '';
  const { dtype, batch, inFeatures, outFeatures } = x;
  return (
    `${shortName(dtype)} ${batch} images of ${inFeatures}×${along('in')} by ${outFeatures} windows of ${along('window')} ` +
    `stride ${along('stride')} to ${along('out')}${groups}`
  );
}

/** `in0`, `arena[64:192]`: bytes of a place, and how it moves with the loops around it. */
function placeText(place: Place, bytes: number): string {
  const { base, position, offset, steps } = place;
  const name = base === 'arena' ? 'arena' : `${base === 'input' ? 'in' : 'out'}${position}`;
  const moves = steps.map(({ counter, bytes: by }) => ` + ${by}·${counter.name}`).join('');
  return `${name}[${offset}:${offset + bytes}]${moves}`;
}

/** Steps inside a step, each list under a heading or none. */
function bodies(step: Step): readonly (readonly [heading: string | null, steps: readonly Step[]])[] {
  switch (step.kind) {
    case 'repeat':
      return [[null, step.body]];
    case 'while':
      return [
        ['condition', step.condition],
        ['body', step.body],
      ];
    case 'branch':
      return step.branches.map((steps, i) => [`case ${i}`, steps] as const);
    default:
      return [];
  }
}

/** Steps as lines, numbered as they are in a profile. */
function listed(
  steps: readonly Step[],
  lines: (step: Step) => readonly string[],
  indent = '',
  from = { next: 0 },
): string[] {
  return steps.flatMap((step) => {
    const number = `${from.next++}`;
    const [first = '', ...rest] = lines(step);
    const margin = indent + ' '.repeat(number.length + 2);
    return [
      `${indent}${number}: ${first}`,
      ...rest.map((line) => margin + line),
      ...bodies(step).flatMap(([heading, inner]) => [
        ...(heading === null ? [] : [`${margin}${heading}`]),
        ...listed(inner, lines, heading === null ? margin : `${margin}  `, from),
      ]),
    ];
  });
}

const extent = (size: Expr): number => (size.op === 'const' ? size.value : 0);

/** Where a kernel reads, and where it writes. */
function operandsText(kernel: Kernel, at: readonly Place[]) {
  const counted = countKernel(kernel);
  const of = (map: ReadonlyMap<Buffer, number>): readonly string[] =>
    kernel.operands.flatMap((buffer, i) =>
      map.has(buffer) ? [placeText(at[i]!, extent(buffer.size) * byteSize(buffer.dtype))] : [],
    );
  return { loads: of(counted.loads), stores: of(counted.stores) };
}

/** What a step reads and writes, and where. */
function placesText(step: Step): string {
  switch (step.kind) {
    case 'kernel': {
      const { loads, stores } = operandsText(step.kernel, step.places);
      return `${loads.join(', ')} -> ${stores.join(', ')}`.trimStart();
    }
    case 'contract':
    case 'convolve': {
      const [a, b, c] = sizesOf(step);
      const { epilogue } = step;
      const { loads, stores } = epilogue ? operandsText(epilogue.kernel, epilogue.places) : { loads: [], stores: [] };
      const product = placeText(step.c, c);
      const read = [placeText(step.a, a), placeText(step.b, b), ...loads.filter((text) => text !== product)];
      return `${read.join(', ')} -> ${[product, ...stores.filter((text) => text !== product)].join(', ')}`;
    }
    case 'copy':
      return `${placeText(step.from, step.bytes)} -> ${placeText(step.to, step.bytes)}`;
    case 'while':
      return `flag ${placeText(step.flag, 1)}`;
    case 'branch':
      return `by ${placeText(step.index, 4)}`;
    case 'repeat':
      return '';
  }
}

/** Bytes from the first element of each operand of a product to its last. */
function sizesOf(step: Step & { readonly kind: 'contract' | 'convolve' }): readonly [number, number, number] {
  if (step.kind === 'contract') {
    const { dtype, batch, m, n, k } = step.contraction;
    const span = (operand: 'a' | 'b' | 'c'): number =>
      [...batch, ...m, ...n, ...k].reduce((last, axis) => last + (axis.extent - 1) * axis[operand], 1) *
      byteSize(dtype);
    return [span('a'), span('b'), span('c')];
  }
  const x = step.convolution;
  const span = (
    { batch, feature, spatial }: Convolution['lhs'],
    [b, f, s]: readonly [number, number, readonly number[]],
  ): number =>
    spatial.reduce((last, stride, i) => last + (s[i]! - 1) * stride, 1 + (b - 1) * batch + (f - 1) * feature) *
    byteSize(x.dtype);
  const along = (axis: 'in' | 'out' | 'window'): readonly number[] => x.spatial.map((s) => s[axis]);
  return [
    span(x.lhs, [x.batch, x.inFeatures, along('in')]),
    span(x.rhs, [x.outFeatures, x.inFeatures / x.groups, along('window')]),
    span(x.out, [x.batch / x.batchGroups, x.outFeatures, along('out')]),
  ];
}

/**
 * Steps with the places that they read and write, in bytes.
 *
 * @param consts - how many of the inputs, the first ones, are constants of the program
 */
export function printPlan(program: Program, consts: number): string {
  const head = [
    ...program.ins.map(
      (aval, i) => `in${i}: ${showAvalShort(aval)}, ${bytesOf(aval)} bytes${i < consts ? ', constant' : ''}`,
    ),
    ...program.outs.map((aval, i) => `out${i}: ${showAvalShort(aval)}, ${bytesOf(aval)} bytes`),
    `arena: ${program.arena} bytes`,
  ];
  return [
    ...head,
    ...listed(program.steps, (step) => [[nameOf(step), placesText(step)].filter(Boolean).join('  ')]),
  ].join('\n');
}

const epilogueLines = (step: Step): readonly string[] =>
  'epilogue' in step && step.epilogue ? printKernel(step.epilogue.kernel).split('\n') : [];

/** Kernels as loops, and the other steps in words. */
export const printLoops = (program: Program): string =>
  listed(program.steps, (step) =>
    step.kind === 'kernel' ? printKernel(step.kernel).split('\n') : [nameOf(step), ...epilogueLines(step)],
  ).join('\n');
