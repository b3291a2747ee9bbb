/** The part of WebAssembly's interface that is used here; the types of Node do not have it. */
interface WebAssemblyApi {
  readonly validate: (bytes: Uint8Array) => boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, (n: number) => number>> };
}

/** WebAssembly, as a value with types. */
export const webAssembly = Reflect.get(globalThis, 'WebAssembly') as WebAssemblyApi;
