/**
 * How this process reaches WebGPU: a page's own, or in Node the npm package `webgpu` (Dawn).
 *
 * Dawn in Node has no thread for callbacks. While an operation is pending, it asks for `setImmediate`, looked up at the call, and what it
 * gives processes its events and asks again. Who sees these calls can make them, so that a program waits without returning to the event
 * loop; and the inspector, which any code may ask of its own thread, says what a promise has come to.
 */

import { CompileError, PullbackError } from '../../src/core/errors.ts';

/** What a wait is for: a promise, and, where its result is seen in another way and does not matter, whether it is over. */
export interface Wait<A> {
  readonly promise: Promise<A>;
  readonly over?: () => boolean;
}

/** WebGPU of this process. */
export interface Host {
  readonly gpu: GPU;
  /** Waiting without returning to the event loop; `null` on pages. */
  readonly sync: Sync | null;
}

export interface Sync {
  /** Starts an operation of Dawn. */
  start<A>(operation: () => Promise<A>): Promise<A>;
  /** Its result. @throws what it was rejected with */
  wait<A>(wait: Wait<A>): A;
  /** Returns when the operation is over, with whatever result. */
  until(over: () => boolean): void;
}

/** What must outlive pending work: without it Dawn crashes when the process ends. */
const kept = new Set<unknown>();

/** Keep something reachable, until it is let go or the process ends. */
export const keep = (thing: unknown): void => {
  kept.add(thing);
};

export const letGo = (thing: unknown): void => {
  kept.delete(thing);
};

type Immediate = typeof setImmediate;

class Pump implements Sync {
  private pending: (() => void) | null = null;
  private scheduled = false;
  private readonly real: Immediate = globalThis.setImmediate;
  private readonly bed = new Int32Array(new SharedArrayBuffer(4));

  start<A>(operation: () => Promise<A>): Promise<A> {
    const promise = this.watched(operation);
    // Whoever waits for it sees the rejection.
    promise.catch(() => undefined);
    return promise;
  }

  wait<A>({ promise, over }: Wait<A>): A {
    if (over) {
      this.until(over);
      return undefined as A;
    }
    let found = settled(promise);
    for (let turns = 1; found.state === 'pending'; turns = Math.min(2 * turns, 64)) {
      if (!this.pending) throw stuck();
      for (let i = 0; i < turns && this.pending; i++) this.step(i);
      found = settled(promise);
    }
    if (found.state === 'rejected') throw found.value;
    return found.value as A;
  }

  until(over: () => boolean): void {
    for (let turns = 0; !over(); turns++) {
      if (!this.pending) throw stuck();
      this.step(turns);
    }
  }

  /** One turn of Dawn's events; after some in vain, with a nap. */
  private step(turns: number): void {
    this.tick();
    if (turns > 64) Atomics.wait(this.bed, 0, 0, turns > 2000 ? 1 : 0.05);
  }

  private watched<A>(operation: () => A): A {
    const saved = globalThis.setImmediate;
    globalThis.setImmediate = ((callback: () => void) => {
      this.pending = callback;
      this.schedule();
    }) as unknown as Immediate;
    try {
      return operation();
    } finally {
      globalThis.setImmediate = saved;
    }
  }

  /** Have Dawn's events processed once the event loop turns: one call of it for all that is pending, as a loop that never yields makes many. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    this.real(() => {
      this.scheduled = false;
      this.tick();
    });
  }

  private tick(): void {
    const { pending } = this;
    this.pending = null;
    if (pending) this.watched(pending);
  }
}

const stuck = (): CompileError =>
  new CompileError({
    op: 'webgpu',
    problem: 'nothing is pending, and yet a result is waited for',
    remedy: 'this is a bug, or another version of the package webgpu than 0.6.2; please report it',
  });

interface Settled {
  readonly state: 'pending' | 'fulfilled' | 'rejected';
  readonly value: unknown;
}

interface RemoteObject {
  readonly objectId?: string;
  readonly value?: unknown;
}
interface Property {
  readonly name: string;
  readonly value?: RemoteObject;
}

const handed = Symbol.for('pullback.webgpu.handed');
const reach = "globalThis[Symbol.for('pullback.webgpu.handed')]";

/** What a promise has come to, now. */
function settled(promise: Promise<unknown>): Settled {
  const { Session } = process.getBuiltinModule('node:inspector');
  const session = new Session();
  const scope = globalThis as { [handed]?: unknown };
  session.connect();
  try {
    scope[handed] = promise;
    const asked = post<{ result: RemoteObject }>(session, 'Runtime.evaluate', { expression: reach });
    const { internalProperties } = post<{ internalProperties: readonly Property[] }>(session, 'Runtime.getProperties', {
      objectId: asked.result.objectId,
      ownProperties: true,
    });
    const named = (name: string): RemoteObject => internalProperties.find((x) => x.name === name)?.value ?? {};
    const state = named('[[PromiseState]]').value as Settled['state'];
    const result = named('[[PromiseResult]]');
    if (result.objectId === undefined) return { state, value: result.value };
    post(session, 'Runtime.callFunctionOn', {
      objectId: result.objectId,
      functionDeclaration: `function () { ${reach} = this; }`,
    });
    return { state, value: scope[handed] };
  } finally {
    delete scope[handed];
    session.disconnect();
  }
}

interface InspectorSession {
  post(method: string, params: object, answer: (error: Error | null, result: unknown) => void): void;
}

function post<A>(session: InspectorSession, method: string, params: object): A {
  let answer: unknown;
  session.post(method, params, (error, result) => {
    answer = result;
    if (error) answer = error;
  });
  if (answer instanceof Error) throw answer;
  return answer as A;
}

/** Drivers of machines without a GPU, tried where the environment names none: SwiftShader of Chromium's package. */
const swiftShader = '/usr/lib/chromium/vk_swiftshader_icd.json';

/** What to do where there is no device. */
export const howToInstall = `in Node it needs the npm package webgpu (0.6.2) and a Vulkan, Metal or D3D12 driver; on a Linux machine without a GPU:
    npm install webgpu@0.6.2
    apt-get install --no-install-recommends chromium libvulkan1
  (Chromium's package has SwiftShader, which is used if it is at ${swiftShader}; for another driver set VK_DRIVER_FILES and VK_ICD_FILENAMES)`;

/** What the package `webgpu` exports. */
interface DawnPackage {
  create(flags: readonly string[]): GPU;
  readonly globals: object;
}

let host: Host | string | null = null;

/** WebGPU of this process, or why there is none. */
export function openHost(): Host | string {
  host ??= isNode() ? openNode() : openPage();
  return host;
}

const isNode = (): boolean => typeof process !== 'undefined' && process.versions?.node !== undefined;

function openPage(): Host | string {
  const { gpu } = (globalThis as { readonly navigator?: { readonly gpu?: GPU } }).navigator ?? {};
  return gpu ? { gpu, sync: null } : 'this browser has no WebGPU (navigator.gpu is not there)';
}

function openNode(): Host | string {
  const builtin = process.getBuiltinModule;
  const { existsSync } = builtin('node:fs');
  const { env } = process;
  // Read by the driver's loader when `webgpu` is loaded. Old loaders know only the second name.
  if (!env['VK_DRIVER_FILES'] && !env['VK_ICD_FILENAMES'] && existsSync(swiftShader)) {
    env['VK_DRIVER_FILES'] = env['VK_ICD_FILENAMES'] = swiftShader;
  }
  // Mesa's layer that chooses devices only prints that there is no display.
  env['NODEVICE_SELECT'] ??= '1';
  try {
    const load = builtin('node:module').createRequire(import.meta.url);
    const { create, globals } = load('webgpu') as DawnPackage;
    Object.assign(globalThis, globals);
    const gpu = create([]);
    keep(gpu);
    return { gpu, sync: new Pump() };
  } catch (error) {
    if (error instanceof PullbackError) throw error;
    return `the npm package webgpu cannot be loaded: ${(error as Error).message.split('\n')[0]}; ${howToInstall}`;
  }
}
