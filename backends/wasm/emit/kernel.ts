/**
 * A kernel of the Loop IR as a WebAssembly function.
 *
 * Its parameters are i32: the address of each operand, that of the scratch area, each size; and, if its body is one loop that is not
 * `serial`, which of its turns to run: from, to. Buffers are aligned to 64 bytes, and the 64 bytes on both sides of each may be read.
 */

import { byteSize } from '../../../src/core/dtype.ts';
import type { Buffer, Expr } from '../../loop/ir/expr.ts';
import type { Kernel } from '../../loop/ir/kernel.ts';
import { sequence } from '../code/control.ts';
import { type Code, get, i32, type ValueType } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';
import { visitExpressions } from './depends.ts';
import { type EmitOptions, Emitter, isFloatRemainder } from './evaluate.ts';
import type { Loop } from './plan.ts';
import { rowwise } from './rows.ts';
import { Scope } from './scope.ts';
import { Statements, type Turns } from './statements.ts';

export type { EmitOptions } from './evaluate.ts';

/**
 * The loop that is all of a kernel and whose turns have nothing to do with each other, so that the caller chooses which are run; `null` if
 * there is none.
 */
export function partitionOf({ body }: Kernel): Loop | null {
  const [only] = body;
  return body.length === 1 && only?.kind === 'loop' && only.role !== 'serial' ? only : null;
}

/** Add the function that runs the kernel to a module. */
export function emitKernel(module: Module, given: Kernel, options: EmitOptions): Func {
  const kernel = rowwise(given);
  const { operands, scratch, sizes, body } = kernel;
  const partition = partitionOf(given);
  const count = operands.length + 1 + sizes + (partition ? 2 : 0);
  const func = module.func(new Array<ValueType>(count).fill('i32'), [], kernel.name);
  const root = new Scope(func, null);
  const bases = new Map<Buffer, Code>(operands.map((buffer, i) => [buffer, get(i)]));
  const sizeOf = Array.from({ length: sizes }, (_, i) => get(operands.length + 1 + i));
  const emitter = new Emitter(func, root, options, bases, sizeOf);
  let next: Code = get(operands.length);
  for (const buffer of scratch) {
    const from = next;
    bases.set(buffer, from);
    const bytes = i32.mul(emitter.scalar(buffer.size), i32.const(byteSize(buffer.dtype)));
    const padded = i32.and(i32.add(bytes, i32.const(slack + alignment - 1)), i32.const(-alignment));
    next = root.put('i32', i32.add(from, padded));
  }
  const turns: Turns | null = partition && { of: partition.index, from: get(count - 2), to: get(count - 1) };
  new Statements(emitter, func, turns).all(body);
  return func.body(sequence(...root.code));
}

const alignment = 64;
const slack = 64;

/** Bytes of the scratch area for these sizes: each buffer aligned to 64 bytes, with 64 more behind it. */
export function scratchBytes(kernel: Kernel, sizes: readonly number[]): number {
  const { scratch } = rowwise(kernel);
  let bytes = 0;
  for (const { size, dtype } of scratch) {
    bytes += Math.ceil((evaluate(size, sizes) * byteSize(dtype) + slack) / alignment) * alignment;
  }
  return bytes;
}

/** A size: arithmetic on what the caller passes. */
function evaluate(x: Expr, sizes: readonly number[]): number {
  if (x.op === 'const') return x.value;
  if (x.op === 'size') return sizes[x.slot]!;
  if (x.op === 'apply') {
    const [a, b] = x.args.map((arg) => evaluate(arg, sizes)) as [number, number];
    if (x.fn === 'add') return a + b;
    if (x.fn === 'sub') return a - b;
    if (x.fn === 'mul') return a * b;
    if (x.fn === 'min') return Math.min(a, b);
    if (x.fn === 'max') return Math.max(a, b);
    if (x.fn === 'quotient') return Math.floor(a / b);
    if (x.fn === 'remainder') return a % b;
  }
  throw new Error('the size of a scratch buffer is made of sizes and constants');
}

/** A function of doubles that the host provides. */
export interface HostFunction {
  readonly name: string;
  readonly arity: number;
}

/** What a kernel calls; `rem` is `x % y`. */
export function callsOf({ body }: Kernel): readonly HostFunction[] {
  const found = new Map<string, HostFunction>();
  visitExpressions(body, (x) => {
    if (x.op === 'call') found.set(x.name, { name: x.name, arity: x.args.length });
    else if (isFloatRemainder(x)) found.set('rem', { name: 'rem', arity: 2 });
  });
  return [...found.values()];
}
