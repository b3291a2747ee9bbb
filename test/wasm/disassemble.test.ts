/** Modules as text: every instruction that we can write is read back under its own name. */

import { jit, nn, np, type Tensor, wasmDevice, withDefaultDevice } from 'pullback';
import { expect, test } from 'vitest';
import { disassemble } from '../../backends/wasm/code/disassemble.ts';
import * as code from '../../backends/wasm/code/instructions.ts';
import { Module } from '../../backends/wasm/code/module.ts';

/** What the specification puts elsewhere than we do. */
const elsewhere: Readonly<Record<string, string>> = {
  'i32x4.trunc_sat_zero_f64x2_s': 'i32x4.trunc_sat_f64x2_s_zero',
  'i32x4.trunc_sat_zero_f64x2_u': 'i32x4.trunc_sat_f64x2_u_zero',
  'f32x4.demote_zero_f64x2': 'f32x4.demote_f64x2_zero',
  'v128.const_f32': 'v128.const',
  'v128.const_f64': 'v128.const',
  'v128.const_i32': 'v128.const',
  'v128.shuffle32': 'i8x16.shuffle',
  'v128.shuffle64': 'i8x16.shuffle',
  'v128.shuffle8': 'i8x16.shuffle',
};

/** `truncSatF32x4S` is `trunc_sat_f32x4_s`. */
const named = (type: string, name: string): string => {
  const own = `${type}.${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`;
  return elsewhere[own] ?? own;
};

const { i32, i64, f32, f64, v128, i8x16, i16x8, i32x4, i64x2, f32x4, f64x2 } = code;
const types = { i32, i64, f32, f64, v128, i8x16, i16x8, i32x4, i64x2, f32x4, f64x2 };

test('every instruction by its name', () => {
  let count = 0;
  for (const [type, instructions] of Object.entries(types)) {
    for (const [name, make] of Object.entries(instructions)) {
      // Operands are left out; what is no operand is a number that all of them take.
      const immediates = name.startsWith('const') ? [type === 'i64' ? 1n : 1] : [];
      const operand: code.Code = () => {};
      const args = immediates.length > 0 ? immediates : [operand, ...operandsOf(name)];
      const module = new Module({ shared: false, maximum: 1 });
      module.func([], [], 'f').body((make as (...args: unknown[]) => code.Code)(...args));
      const line = disassemble(module.encode()).split('\n').at(-1)!.trim().replace(/\)+$/, '');
      expect(line.split(' ')[0], `${type}.${name}`).toBe(named(type, name));
      count += 1;
    }
  }
  expect(count).toBeGreaterThan(200);
});

/** Arguments after the first operand. */
function operandsOf(name: string): readonly unknown[] {
  const operand: code.Code = () => {};
  if (name === 'shuffle32') return [operand, [0, 1, 2, 3]];
  if (name === 'shuffle64') return [operand, [0, 1]];
  if (name.startsWith('shuffle')) return [operand, Array.from({ length: 16 }, (_, i) => i)];
  if (name === 'replaceLane' || /^extractLane/.test(name)) return [0, operand];
  if (/^(load|store)\d+Lane$/.test(name)) return [operand, 0, 0];
  if (name.startsWith('load')) return [0];
  if (name.startsWith('store')) return [operand, 0];
  return [operand, operand];
}

test('a module, with everything around instructions', () => {
  const module = new Module({ shared: true, maximum: 16 });
  const log = module.import('log', ['f64'], ['f64']);
  const f = module.func(['i32', 'f64'], ['f64'], 'scale');
  const total = f.local('f64');
  f.local('f64');
  f.local('v128');
  f.body((out) => {
    code.set(total, code.call(log, code.get(1)))(out);
    code.set(total, code.f64.mul(code.get(total), code.f64.load(code.get(0), 16)))(out);
    code.get(total)(out);
  });
  module.func([], []).body(code.drop(code.f32.const(Number.NaN)));
  expect(disassemble(module.encode())).toMatchInlineSnapshot(`
    "(module
      (import "env" "log" (func $log (param f64) (result f64)))
      (import "env" "memory" (memory 0 16 shared))
      (func $scale (export "scale") (param i32 f64) (result f64)
        (local f64 f64 v128)
        local.get 1
        call $log
        local.set 2
        local.get 2
        local.get 0
        f64.load offset=16 align=8
        f64.mul
        local.set 2
        local.get 2)
      (func $2
        f32.const nan
        drop))"
  `);
});

test('the code of a small program', () => {
  const text = withDefaultDevice(wasmDevice({ relaxed: false }), () => {
    const x = np.zeros([1000]);
    return jit((v: Tensor) => nn.relu(v))
      .lower(x)
      .compile()
      .text('wat');
  });
  // After the import of the memory, whose limit is the machine's.
  expect(text.split('\n').slice(2, 12).join('\n')).toMatchInlineSnapshot(`
    "  (func $nest0 (export "nest0") (export "run") (param i32 i32 i32 i32 i32 i32 i32 i32)
        (local i32 i32 i32 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 v128 i32 i32 i32)
        i32.const 64
        v128.load32_splat align=4
        local.set 15
        local.get 7
        local.get 6
        i32.gt_s
        if
          local.get 6"
  `);
  expect(text).toContain('v128.andnot');
});

test('what it does not know is refused', () => {
  const module = new Module({ shared: false, maximum: 1 });
  module.func([], [], 'f').body((out) => {
    out.u8(0x06);
  });
  expect(() => disassemble(module.encode())).toThrow('unknown instruction 0x6 at byte');
});
