/** What the printer of WGSL does with long nests, sequences of loops, numbers and names, and what it refuses. */

import { describe, expect, it } from 'vitest';
import {
  type Buffer,
  call,
  constant,
  convert,
  type Expr,
  type Index,
  index,
  int,
  load,
  op,
} from '../../backends/loop/ir/expr.ts';
import type { Kernel } from '../../backends/loop/ir/kernel.ts';
import { wgsl } from '../../backends/webgpu/wgsl/kernel.ts';
import { softmax } from './samples.ts';

const buffer = (name: string, length: number, dtype: Buffer['dtype'] = 'float32'): Buffer => ({
  name,
  dtype,
  kind: 'operand',
  size: int(length),
});

/** A kernel that maps x to out. */
function mapped(length: number, value: (x: Expr) => Expr, dtype: Buffer['dtype'] = 'float32'): Kernel {
  const [x, out] = [buffer('x', length, dtype), buffer('out', length, dtype)];
  const i: Index = { name: 'i', extent: int(length) };
  const stmt = { kind: 'store', buffer: out, at: index(i), value: value(load(x, index(i))) } as const;
  return {
    name: 'k',
    operands: [x, out],
    scratch: [],
    sizes: 0,
    body: [{ kind: 'loop', index: i, role: 'vector', body: [stmt] }],
  };
}

describe('the printer of WGSL', () => {
  it('dispatches in two dimensions what is too long for one', () => {
    const { code, passes } = wgsl(mapped(5_000_000, (x) => op('neg', x)));
    expect(passes).toEqual([{ entry: 'main', workgroups: [65535, 2] }]);
    expect(code).toContain('let id = i32(g.x + g.y * 4194240u);');
    expect(code).toContain('if (id < 5000000i) {');
  });

  it('dispatches loops that follow one another one by one, and none without turns', () => {
    const kernel = mapped(8, (x) => op('abs', x));
    const { code, passes } = wgsl({ ...kernel, body: [...kernel.body, ...kernel.body] });
    expect(passes.map(({ entry }) => entry)).toEqual(['main_0', 'main_1']);
    expect(code.match(/fn main_\d/g)).toEqual(['fn main_0', 'fn main_1']);
    expect(wgsl(mapped(0, (x) => x)).passes).toEqual([]);
  });

  it('writes no literal that WGSL refuses, and no zero that a driver would drop', () => {
    const f32 = (x: number): Expr => constant(Math.fround(x), 'float32');
    const text = (x: Expr): string => /out_\[i\] = (.*);/.exec(wgsl(mapped(4, (y) => op('min', x, y))).code)![1]!;
    expect(text(f32(Number.POSITIVE_INFINITY))).toBe('min_f32(special(0x7f800000u), x[i])');
    expect(text(f32(Number.NaN))).toBe('min_f32(special(0x7fc00000u), x[i])');
    expect(text(f32(-0))).toBe('min_f32(special(0x80000000u), x[i])');
    expect(text(f32(3.4028234663852886e38))).toBe('min_f32(special(0x7f7fffffu), x[i])');
    expect(text(f32(1e-45))).toBe('min_f32(special(0x00000001u), x[i])');
    expect(text(f32(-1.5))).toBe('min_f32(-1.5f, x[i])');
    expect(text(op('mul', f32(2), f32(1e38)))).toBe('min_f32((opaque_f32(2.0f) * 1e+38f), x[i])');
    const plus0 = wgsl(mapped(4, (x) => op('add', x, f32(0)))).code;
    expect(plus0).toContain('out_[i] = x[i] + special(0x00000000u);');
    const magic = f32(12582912);
    const rounded = wgsl(mapped(4, (x) => op('sub', op('add', x, magic), magic))).code;
    expect(rounded).toContain('out_[i] = opaque_f32(x[i] + 12582912.0f) - 12582912.0f;');
    const least = wgsl(mapped(4, (x) => op('max', x, int(-2147483648)), 'int32')).code;
    expect(least).toContain('max(x[i], bitcast<i32>(0x80000000u))');
  });

  it('has names that are no words of the language', () => {
    const [x, out] = [buffer('loop', 4), buffer('return', 4)];
    const i: Index = { name: 'vec2', extent: int(4) };
    const stmt = { kind: 'store', buffer: out, at: index(i), value: load(x, index(i)) } as const;
    const kernel: Kernel = {
      name: 'k',
      operands: [x, out],
      scratch: [],
      sizes: 0,
      body: [{ kind: 'loop', index: i, role: 'vector', body: [stmt] }],
    };
    expect(wgsl(kernel).code).toContain('return_[vec2_] = loop_[vec2_];');
  });

  it('refuses what WebGPU has not', () => {
    const f64 = mapped(4, (x) => call('exp', x), 'float64');
    expect(() => wgsl(f64)).toThrowErrorMatchingInlineSnapshot(`[CompileError: k: WGSL has no float64]`);
    expect(() =>
      wgsl(mapped(4, (x) => convert(call('exp', constant(1, 'float64')), x.dtype))),
    ).toThrowErrorMatchingInlineSnapshot(`[CompileError: k: WGSL has no float64, and no math.exp]`);
    const many = Array.from({ length: 9 }, (_, i) => buffer(`x${i}`, 1));
    expect(() => wgsl({ ...mapped(4, (x) => x), operands: many })).toThrowErrorMatchingInlineSnapshot(
      `[CompileError: k: binds 9 buffers, of at most 8]`,
    );
    expect(() => wgsl(softmax(4, 5000))).toThrowErrorMatchingInlineSnapshot(
      `[CompileError: softmax: needs 20000 bytes of scratch, and an invocation has 8192]`,
    );
  });
});
