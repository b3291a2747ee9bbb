/**
 * The part of the `WebAssembly` global that the device uses, typed here: our declarations must not need `lib.dom`, which a
 * library would force on its users.
 */

/** A linear memory. Growing it detaches `buffer`, or makes it a longer one where the memory is shared. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer | SharedArrayBuffer;
  /** Grow by so many pages of 64 KiB; returns the pages before. @throws RangeError where the machine refuses */
  grow(pages: number): number;
}

/** Compiled code, not yet bound to a memory. */
export type WasmModule = object;

/** A module bound to its imports. */
export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

interface WebAssemblyGlobal {
  readonly Memory: new (options: {
    readonly initial: number;
    readonly maximum?: number;
    readonly shared?: boolean;
  }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (
    module: WasmModule,
    imports?: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => WasmInstance;
  validate(bytes: Uint8Array): boolean;
}

/** `WebAssembly`; where there is none, acquiring the device says so (`requireSimd`). */
export const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyGlobal }).WebAssembly;
