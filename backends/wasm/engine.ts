/** What the device asks of the engine: SIMD, relaxed SIMD if there is any, and now and then a collection of garbage. */

import { CompileError } from '../../src/core/errors.ts';
import { drop, f32x4, v128 } from './code/instructions.ts';
import { Module } from './code/module.ts';
import { webAssembly } from './webassembly.ts';

interface V8 {
  setFlagsFromString(flags: string): void;
}
interface Vm {
  runInNewContext(code: string): unknown;
}
interface Process {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly getBuiltinModule?: (name: string) => unknown;
}

/** Whether kernels are to be checked where nobody says: in this library's own tests, by `PULLBACK_CHECK`. */
export const checksByDefault = (): boolean =>
  (globalThis as { readonly process?: Process }).process?.env?.['PULLBACK_CHECK'] === '1';

/** Whether threads share every step that they can where nobody says: in tests, by `PULLBACK_SHARE_ALL`. */
export const sharesAllByDefault = (): boolean =>
  (globalThis as { readonly process?: Process }).process?.env?.['PULLBACK_SHARE_ALL'] === '1';

/** A module of Node; `null` elsewhere, and where `PULLBACK_V8_FLAGS` is `0` and no flag of V8 may be set. */
function builtin<M>(name: string): M | null {
  const { process } = globalThis as { readonly process?: Process };
  if (process?.env?.['PULLBACK_V8_FLAGS'] === '0') return null;
  return (process?.getBuiltinModule?.(name) as M | undefined) ?? null;
}

let usable = false;

/** @throws CompileError where the engine compiles no WebAssembly with SIMD: it is old, or a page's policy forbids it */
export function requireSimd(): void {
  if (usable) return;
  const why = refusal();
  if (why !== null) {
    throw new CompileError({
      op: 'wasmDevice',
      problem: `this machine compiles no WebAssembly with SIMD: ${why}`,
      remedy:
        "use a newer engine (on a page: allow 'wasm-unsafe-eval' in its policy), or the slower reference device: setDefaultDevice(referenceDevice()) before anything is computed, or the entry 'pullback/reference'",
    });
  }
  usable = true;
}

function refusal(): string | null {
  if ((webAssembly as unknown) === undefined) return 'there is no WebAssembly';
  const module = new Module({ shared: false, maximum: 1 });
  module.func([], []).body(drop(v128.constF32(0)));
  const bytes = module.encode();
  try {
    new webAssembly.Module(bytes);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

let known: boolean | null = null;

/**
 * Does the engine take relaxed SIMD? Node 20 does after a flag of V8 is set, which is done here, once, unless `PULLBACK_V8_FLAGS` is
 * `0`.
 */
export function hasRelaxedSimd(): boolean {
  if (known === null) {
    known = validates();
    const v8 = known ? null : builtin<V8>('node:v8');
    if (v8) {
      v8.setFlagsFromString('--experimental-wasm-relaxed-simd');
      known = validates();
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

type Collect = (options: { readonly type: 'minor' }) => void;
let collect: Collect | null | undefined;

/**
 * Collect young garbage, where the engine lets us ask for it. V8 does not see linear memory: tensors that are garbage are a few bytes
 * to it, which it may leave for long. Their blocks come back when the loop next yields, as finalizers run then.
 */
export function collectGarbage(): void {
  if (collect === undefined) {
    const [v8, vm] = [builtin<V8>('node:v8'), builtin<Vm>('node:vm')];
    v8?.setFlagsFromString('--expose-gc');
    collect = v8 && vm ? (vm.runInNewContext('gc') as Collect) : null;
  }
  collect?.({ type: 'minor' });
}
