/** What the spec of the Loop IR refuses, in the words that a writer of passes reads. */

import { describe, expect, it } from 'vitest';
import { checkKernel } from '../../backends/loop/check.ts';
import {
  apply,
  type Buffer,
  call,
  compare,
  constant,
  type Expr,
  type Index,
  index,
  int,
  type Local,
  load,
  op,
  read,
  size,
} from '../../backends/loop/ir/expr.ts';
import { plus, times } from '../../backends/loop/ir/integer.ts';
import type { Kernel, LoopRole, Stmt } from '../../backends/loop/ir/kernel.ts';
import { samples } from './samples.ts';

const x: Buffer = { name: 'x', dtype: 'float32', kind: 'operand', size: int(12) };
const out: Buffer = { name: 'out', dtype: 'float32', kind: 'operand', size: int(12) };
const row: Buffer = { name: 'row', dtype: 'float32', kind: 'scratch', size: int(4) };
const i: Index = { name: 'i', extent: int(3) };
const j: Index = { name: 'j', extent: int(4) };
const [atI, atJ] = [index(i), index(j)];
const acc: Local = { name: 'acc', dtype: 'float32' };
const one = constant(1, 'float32');
const zero = constant(0, 'float32');

const loop = (role: LoopRole, of: Index, ...body: readonly Stmt[]): Stmt => ({ kind: 'loop', index: of, role, body });
const store = (to: Buffer, at: Expr, value: Expr): Stmt => ({ kind: 'store', buffer: to, at, value });
const local = (value: Expr): Stmt => ({ kind: 'local', local: acc, value });
const add = (value: Expr): Stmt => ({ kind: 'accumulate', local: acc, combiner: 'add', value });
const assign = (value: Expr): Stmt => ({ kind: 'assign', local: acc, value });

function refused(...body: readonly Stmt[]): string {
  const kernel: Kernel = { name: 'k', operands: [x, out], scratch: [row], sizes: 1, body };
  try {
    checkKernel(kernel);
  } catch (error) {
    return (error as Error).message;
  }
  return 'accepted';
}
const value = (v: Expr): string => refused(loop('parallel', i, store(out, atI, v)));

describe('checkKernel', () => {
  it('accepts the samples', () => {
    for (const sample of Object.values(samples)) checkKernel(sample());
  });

  it('refuses operations on dtypes that they are not defined for', () => {
    expect(value(apply('add', 'float32', one, int(1)))).toMatchInlineSnapshot(`
      "k: add of float32, int32 gives no float32
        in: out[i] = 1.0 + 1"
    `);
    expect(value(apply('and', 'float32', one, one))).toMatchInlineSnapshot(`
      "k: and of float32, float32 gives no float32
        in: out[i] = 1.0 & 1.0"
    `);
    expect(value(apply('select', 'float32', one, one, one))).toMatchInlineSnapshot(`
      "k: select of float32, float32, float32 gives no float32
        in: out[i] = 1.0 ? 1.0 : 1.0"
    `);
    expect(value(op('madd', int(1), int(1), int(1)))).toMatchInlineSnapshot(`
      "k: madd of int32, int32, int32 gives no int32
        in: out[i] = madd(1, 1, 1)"
    `);
    expect(value(apply('bitcast', 'float32', constant(1, 'float64')))).toMatchInlineSnapshot(`
      "k: bitcast of float64 gives no float32
        in: out[i] = bits_f32(1.0)"
    `);
    expect(value(call('exp', one))).toMatchInlineSnapshot(`
      "k: math.exp is of float64
        in: out[i] = math.exp(1.0)"
    `);
    expect(value(call('gamma', one))).toMatchInlineSnapshot(`
      "k: the host has no function gamma
        in: out[i] = math.gamma(1.0)"
    `);
    expect(value(constant(0.1, 'float32'))).toMatchInlineSnapshot(`
      "k: float32 does not hold 0.1
        in: out[i] = 0.1"
    `);
    expect(value(int(2 ** 31))).toMatchInlineSnapshot(`
      "k: int32 does not hold 2147483648
        in: out[i] = 2147483648"
    `);
    expect(value(load(x, one))).toMatchInlineSnapshot(`
      "k: an address is int32, not float32
        in: out[i] = x[1.0]"
    `);
    expect(value(load(x, atI, atI))).toMatchInlineSnapshot(`
      "k: a guard is bool, not int32
        in: out[i] = x[i if i]"
    `);
    expect(value(compare('lt', one, one))).toMatchInlineSnapshot(`
      "k: out holds float32, not bool
        in: out[i] = 1.0 < 1.0"
    `);
    expect(refused({ kind: 'if', condition: one, body: [] })).toMatchInlineSnapshot(`
      "k: a condition is bool, not float32
        in: if 1.0"
    `);
  });

  it('refuses what is not in scope', () => {
    expect(value(apply('convert', 'float32', atJ))).toMatchInlineSnapshot(`
      "k: j is not the index of a loop around
        in: out[i] = f32(j)"
    `);
    expect(value(read(acc))).toMatchInlineSnapshot(`
      "k: acc is not declared here
        in: out[i] = acc"
    `);
    expect(value(load({ ...x, name: 'y' }, atI))).toMatchInlineSnapshot(`
      "k: y is no buffer of this kernel
        in: out[i] = y[i]"
    `);
    expect(value(apply('convert', 'float32', size(1)))).toMatchInlineSnapshot(`
      "k: $1 is none of the 1 sizes
        in: out[i] = f32($1)"
    `);
    expect(refused(loop('serial', i, local(zero)), store(out, int(0), read(acc)))).toMatchInlineSnapshot(`
      "k: acc is not declared here
        in: out[0] = acc"
    `);
    expect(refused(local(zero), local(one))).toMatchInlineSnapshot(`
      "k: acc is declared twice
        in: local acc: f32 = 1.0"
    `);
    expect(refused(loop('serial', i, loop('serial', i)))).toMatchInlineSnapshot(`
      "k: i is already the index of a loop around
        in: serial i < 3"
    `);
  });

  it('refuses turns that share what they must not', () => {
    expect(refused(local(zero), loop('parallel', i, add(one)))).toMatchInlineSnapshot(`
      "k: turns of the parallel loop over i accumulate the same acc
        in: acc += 1.0"
    `);
    expect(refused(local(zero), loop('vector', i, assign(one)))).toMatchInlineSnapshot(`
      "k: turns of the vector loop over i assign the same acc
        in: acc = 1.0"
    `);
    expect(refused(loop('vector', i, store(out, int(0), one)))).toMatchInlineSnapshot(`
      "k: turns of the vector loop over i store to the same out[0]
        in: out[0] = 1.0"
    `);
    expect(refused(loop('parallel', i, store(row, int(0), one)))).toBe('accepted');
    expect(refused(loop('parallel', i, loop('vector', j, store(row, atI, one))))).toMatchInlineSnapshot(`
      "k: turns of the vector loop over j store to the same row[i]
        in: row[i] = 1.0"
    `);
    expect(refused(loop('parallel', i, loop('serial', j, store(out, plus(atI, atJ), one))))).toMatchInlineSnapshot(`
      "k: turns of the parallel loop over i store to the same out[i + j] for different j
        in: out[i + j] = 1.0"
    `);
    expect(refused(loop('parallel', i, loop('serial', j, store(out, plus(times(atI, int(4)), atJ), one))))).toBe(
      'accepted',
    );
    expect(refused(loop('serial', j, loop('parallel', i, store(out, plus(atI, atJ), one))))).toBe('accepted');
    const first: Stmt = { kind: 'if', condition: compare('eq', atI, int(0)), body: [store(out, int(0), one)] };
    expect(refused(loop('parallel', i, first))).toBe('accepted');
    expect(refused(loop('vector', i, loop('vector', j)))).toMatchInlineSnapshot(`
      "k: a vector loop in a vector loop
        in: vector j < 4"
    `);
    expect(refused(loop('vector', i, loop('serial', { name: 'l', extent: plus(atI, int(1)) })))).toMatchInlineSnapshot(`
      "k: the extent of l is not the same in all turns of the vector loop
        in: serial l < i + 1"
    `);
  });

  it('refuses accumulations that a machine could not split', () => {
    expect(refused(local(one), loop('vector', i, add(one)))).toMatchInlineSnapshot(`
      "k: acc starts as 1.0, and the identity of add is 0
        in: acc += 1.0"
    `);
    expect(refused(local(zero), loop('vector', i, add(one), store(out, atI, read(acc))))).toMatchInlineSnapshot(`
      "k: acc is read in the loop that accumulates it
        in: out[i] = acc"
    `);
    expect(refused(local(zero), loop('vector', i, add(read(acc))))).toMatchInlineSnapshot(`
      "k: acc is read in the loop that accumulates it
        in: acc += acc"
    `);
    expect(
      refused(local(zero), loop('vector', i, add(one)), loop('vector', j, { ...add(one), combiner: 'mul' } as Stmt)),
    ).toMatchInlineSnapshot(`
      "k: acc is combined by add as well as by mul
        in: acc *= 1.0"
    `);
    expect(refused(local(zero), loop('vector', i, add(one)), assign(one))).toMatchInlineSnapshot(`
      "k: acc is accumulated as well as assigned
        in: acc = 1.0"
    `);
    expect(
      refused(local(zero), { kind: 'accumulate', local: acc, combiner: 'and', value: one }),
    ).toMatchInlineSnapshot(`
      "k: and does not combine float32
        in: acc &= 1.0"
    `);
  });

  it('refuses accesses that are provably out of range', () => {
    expect(value(load(x, plus(times(atI, int(6)), int(1))))).toMatchInlineSnapshot(`
      "k: load of x[i * 6 + 1], which is 1 to 13, is out of range: it holds 12
        in: out[i] = x[i * 6 + 1]"
    `);
    expect(value(load(x, plus(atI, int(-1))))).toMatchInlineSnapshot(`
      "k: load of x[i - 1], which is -1 to 1, is out of range: it holds 12
        in: out[i] = x[i - 1]"
    `);
    expect(value(load(x, plus(times(atI, int(6)), int(1)), compare('lt', atI, int(1))))).toBe('accepted');
    expect(refused(loop('vector', i, store(out, times(atI, int(6)), one)))).toMatchInlineSnapshot(`
      "k: store to out[i * 6], which is 0 to 12, is out of range: it holds 12
        in: out[i * 6] = 1.0"
    `);
    expect(refused(loop('serial', { name: 'l', extent: int(-1) }))).toMatchInlineSnapshot(`
      "k: l has -1 turns
        in: serial l < -1"
    `);
  });

  it('refuses buffers that are none', () => {
    const check = (kernel: Partial<Kernel>) => () =>
      checkKernel({ name: 'k', operands: [x], scratch: [], sizes: 0, body: [], ...kernel });
    expect(check({ operands: [x, x] })).toThrowErrorMatchingInlineSnapshot(`[CheckError: k: a buffer is passed twice]`);
    expect(check({ scratch: [out] })).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: out is operand, but listed as scratch]`,
    );
    expect(check({ operands: [{ ...x, size: size(0) }] })).toThrowErrorMatchingInlineSnapshot(
      `[CheckError: k: the size of x is a constant or a size of the kernel, not $0]`,
    );
  });
});
