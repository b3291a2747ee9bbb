/** Relaxed SIMD: multiplication and addition in one instruction, where the engine has it. */

import { drop, f32x4, v128 } from './code/instructions.ts';
import { Module } from './code/module.ts';
import { webAssembly } from './webassembly.ts';

interface V8 {
  setFlagsFromString(flags: string): void;
}
interface Process {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly getBuiltinModule?: (name: string) => unknown;
}

let known: boolean | null = null;

/**
 * Does the engine take relaxed SIMD? Node 20 does after a flag of V8 is set, which is done here, once, unless `PULLBACK_V8_FLAGS` is
 * `0`.
 */
export function hasRelaxedSimd(): boolean {
  if (known === null) {
    known = validates();
    const { process } = globalThis as { readonly process?: Process };
    if (!known && process?.env?.PULLBACK_V8_FLAGS !== '0') {
      const v8 = process?.getBuiltinModule?.('node:v8') as V8 | undefined;
      v8?.setFlagsFromString('--experimental-wasm-relaxed-simd');
      known = v8 !== undefined && validates();
    }
  }
  return known;
}

function validates(): boolean {
  const module = new Module({ shared: false, maximum: 1 });
  const zero = v128.constF32(0);
  module.func([], []).body(drop(f32x4.relaxedMadd(zero, zero, zero)));
  return webAssembly.validate(module.encode());
}
