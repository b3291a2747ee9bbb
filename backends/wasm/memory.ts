/**
 * The linear memory of a device, as a cache over immutable tensors.
 *
 * Results stay where kernels left them. When the budget is used up, the bytes used least recently are *evicted*: copied to a
 * host buffer that their storage owns. If the tensor is garbage by then, so is that buffer, and V8 frees it: nothing leaks in
 * a loop that never yields, where no finalizer runs, and nothing is lost.
 *
 * When the loop does yield, finalizers free blocks early. A storage is given to the registry at the end of the job that made
 * it, not when it is made, because that costs as much as a small kernel (1–1.5 µs with its share of garbage collection), and
 * in a job that never ends the records would pile up without ever being of use. Until then the table of blocks may hold the
 * storage itself: in this job only an eviction could free its block, and an eviction lets it go.
 *
 * A program *holds* what it needs, all of it or nothing ({@link LinearMemory.hold}). What lies scattered when it is pinned one
 * after the other may leave no hole for the rest although the bytes are there: then memory is laid out anew, and only a program
 * whose bytes are more than there are is refused.
 */

import { DeviceMemoryError } from '../../src/core/errors.ts';
import { defaultBudget, largestBudget } from '../budget.ts';
import { aligned, alignment, type Block, Blocks } from './blocks.ts';
import { collectGarbage } from './engine.ts';
import { type Ground, Nursery, slack, smallBytes } from './nursery.ts';
import { Recency } from './recency.ts';
import { budgetError, freedError, fullError, noMemoryError } from './refusals.ts';
import { cheapestRun, lowestRun, pinnedIn } from './runs.ts';
import { LargeBytes, Lease, SmallBytes, WasmStorage } from './storage.ts';
import { type WasmMemory, webAssembly } from './webassembly.ts';

export { WasmStorage } from './storage.ts';

const pageBytes = 2 ** 16;
/** Bytes after which the engine is told to look for garbage: a fresh page costs more than a thousand times its share of that. */
const collectAfter = 2 ** 26;

export interface MemoryOptions {
  /**
   * The most bytes of linear memory, rounded up to pages of 64 KiB; by default a quarter of what the machine has, at most
   * 2 GiB (512 MiB where a browser does not say).
   */
  readonly budget?: number;
  /** Whether threads can share the memory; by default wherever the platform lets them. */
  readonly shared?: boolean;
}

/** What the memory holds. */
export interface MemoryUse {
  /** Bytes of tensors with a block of their own, and the number of these tensors. */
  readonly resident: number;
  readonly blocks: number;
  /** Bytes in the cells where small tensors take turns. */
  readonly nursery: number;
  /** Bytes of constants. */
  readonly reserved: number;
  /** Bytes moved to the host so far, and the number of tensors, small ones included. */
  readonly evicted: number;
  readonly evictions: number;
  /** How often memory was laid out anew for a program. */
  readonly layouts: number;
  /** Blocks that finalizers gave back so far. */
  readonly collected: number;
  /** Bytes of the linear memory itself, which only grows. */
  readonly committed: number;
}

/** Whether a memory can be shared with threads here: in browsers, on pages that are isolated across origins. */
const canShare = (): boolean =>
  typeof SharedArrayBuffer !== 'undefined' &&
  (globalThis as { readonly crossOriginIsolated?: boolean }).crossOriginIsolated !== false;

/**
 * One `WebAssembly.Memory` within a budget, and which tensor is where in it.
 *
 * Addresses are multiples of 64, and the 64 bytes after a tensor belong to it: kernels may read whole vectors. Code
 * that runs must have pinned what it uses, and must hold the storages as long.
 */
export class LinearMemory implements Ground {
  readonly memory: WasmMemory;
  /** The most bytes that `memory` will have. */
  readonly budget: number;
  /** All of `memory`; other arrays after it has grown. */
  bytes: Uint8Array;
  words: Int32Array;
  readonly #blocks = new Blocks<LargeBytes>(alignment);
  readonly #nursery: Nursery;
  readonly #recency = new Recency();
  /** Bytes with a block whose storage no finalizer watches yet. */
  readonly #young: LargeBytes[] = [];
  #watching = false;
  readonly #registry = new FinalizationRegistry<Lease>((lease) => this.#collect(lease));
  /** The pages that `memory` may have: fewer than the budget once the machine refused more. */
  #pages: number;
  /** What is no tensor: constants and the cells of small tensors, by address. */
  readonly #lent = new Map<number, Block<LargeBytes>>();
  #lentBytes = 0;
  #layouts = 0;
  #evicted = 0;
  #evictions = 0;
  #collected = 0;
  #resident = 0;
  /** Bytes given out since garbage was last collected on their account. */
  #unseen = 0;

  /** @throws DeviceMemoryError where not even the addresses can be had */
  constructor(options: MemoryOptions = {}) {
    const wanted = options.budget ?? defaultBudget();
    if (!(wanted > 0)) throw budgetError(wanted);
    this.budget = Math.min(Math.ceil(wanted / pageBytes) * pageBytes, largestBudget);
    this.#pages = this.budget / pageBytes;
    this.memory = makeMemory(this.#pages, options.shared ?? canShare());
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
    this.#blocks.extend(this.bytes.length);
    this.#nursery = new Nursery(this);
  }

  /** What is held now. */
  get live(): MemoryUse {
    return {
      resident: this.#resident,
      blocks: this.#recency.size,
      nursery: this.#nursery.bytes,
      reserved: this.#lentBytes - this.#nursery.bytes,
      evicted: this.#evicted + this.#nursery.evicted,
      evictions: this.#evictions + this.#nursery.evictions,
      layouts: this.#layouts,
      collected: this.#collected,
      committed: this.bytes.length,
    };
  }

  /** The address of bytes that stay until {@link giveBack}. @throws DeviceMemoryError */
  lend(bytes: number): number {
    const size = blockSize(bytes);
    return this.#lend(this.#claim(size, bytes));
  }

  /**
   * As {@link lend}, for long: as low as possible, where they part no hole of tensors. What lies there is moved out.
   * @throws DeviceMemoryError
   */
  reserve(bytes: number): number {
    const size = blockSize(bytes);
    this.#nursery.clear();
    const run = lowestRun(this.#blocks, size);
    if (!run) return this.lend(bytes);
    // Each eviction lengthens the hole that begins with the run.
    let hole = run[0]!;
    for (const block of run) if (block.tenant) hole = this.#evict(block.tenant);
    return this.#lend(this.#blocks.cut(hole, size));
  }

  giveBack(address: number): void {
    const block = this.#lent.get(address)!;
    this.#lent.delete(address);
    this.#lentBytes -= block.size;
    this.#blocks.give(block);
  }

  #lend(block: Block<LargeBytes>): number {
    this.#lent.set(block.address, block);
    this.#lentBytes += block.size;
    return block.address;
  }

  /**
   * Pin storages and make new ones, pinned too; `addresses` gets where they are, in this order. All or nothing.
   * @throws DeviceMemoryError if they are more bytes than others leave, DonatedTensorError if one of them was freed
   */
  hold(storages: readonly WasmStorage[], sizes: readonly number[], addresses: number[]): WasmStorage[] {
    const made = new Array<WasmStorage>(sizes.length);
    const count = storages.length;
    let [pinned, given] = [0, 0];
    try {
      for (; pinned < count; pinned++) addresses[pinned] = this.pin(storages[pinned]!);
      for (; given < sizes.length; given++) {
        made[given] = this.allocate(sizes[given]!);
        addresses[count + given] = this.pin(made[given]!);
      }
      return made;
    } catch (error) {
      for (let i = 0; i < pinned; i++) this.unpin(storages[i]!);
      for (let i = 0; i < given; i++) this.#drop(made[i]!);
      if (!(error instanceof DeviceMemoryError) || !this.#couldHold(storages, sizes)) throw error;
    }
    try {
      return this.#layOut(storages, sizes, addresses);
    } catch (error) {
      if (!(error instanceof DeviceMemoryError)) throw error;
      // What is left over in rings of cells may be what is missing.
      this.#nursery.frugal = true;
      return this.#layOut(storages, sizes, addresses);
    } finally {
      this.#nursery.frugal = false;
    }
  }

  /** Undo {@link hold}, but for what it made, which stays. */
  letGo(storages: readonly WasmStorage[], made: readonly WasmStorage[]): void {
    for (let i = 0; i < storages.length; i++) this.unpin(storages[i]!);
    for (let i = 0; i < made.length; i++) this.unpin(made[i]!);
  }

  #drop(storage: WasmStorage): void {
    this.unpin(storage);
    this.free(storage);
  }

  /** Whether so much could be held if nothing else were in memory but what cannot move. */
  #couldHold(storages: readonly WasmStorage[], sizes: readonly number[]): boolean {
    let wanted = [...new Set(storages)].reduce((sum, { byteLength }) => sum + blockSize(byteLength), 0);
    for (const bytes of sizes) wanted += blockSize(bytes);
    return wanted <= this.#pages * pageBytes - alignment - (this.#lentBytes - this.#nursery.bytes);
  }

  /** {@link hold} after everything else has left: large ones first, one behind the other, so that no bytes are lost between them. */
  #layOut(storages: readonly WasmStorage[], sizes: readonly number[], addresses: number[]): WasmStorage[] {
    this.#layouts++;
    for (let large = this.#recency.oldest; large; ) {
      const { newer } = large;
      if (large.pins === 0) this.#evict(large);
      large = newer;
    }
    this.#nursery.clear();
    const made = new Array<WasmStorage>(sizes.length);
    const pinned: WasmStorage[] = [];
    try {
      for (const small of [false, true]) {
        storages.forEach((storage, i) => {
          if ((storage.small !== null) !== small) return;
          addresses[i] = this.pin(storage);
          pinned.push(storage);
        });
        sizes.forEach((bytes, i) => {
          if (bytes <= smallBytes !== small) return;
          made[i] = this.allocate(bytes);
          addresses[storages.length + i] = this.pin(made[i]!);
        });
      }
      return made;
    } catch (error) {
      for (const storage of pinned) this.unpin(storage);
      for (const storage of made) if (storage) this.#drop(storage);
      throw error;
    }
  }

  /** A storage in linear memory, with whatever was there. @throws DeviceMemoryError if what is pinned leaves no room */
  allocate(bytes: number): WasmStorage {
    if (bytes <= smallBytes) {
      const small = new SmallBytes(bytes);
      this.#nursery.place(small);
      return new WasmStorage(bytes, small, null);
    }
    const large = new LargeBytes(bytes);
    const storage = new WasmStorage(bytes, null, large);
    this.#settle(storage, large);
    return storage;
  }

  /** A storage of what is in `host`, which is its own from now on; it enters linear memory when it is pinned. */
  adopt(host: ArrayBuffer): WasmStorage {
    const { byteLength } = host;
    if (byteLength <= smallBytes) {
      const small = new SmallBytes(byteLength);
      small.host = wordsOf(host);
      return new WasmStorage(byteLength, small, null);
    }
    const large = new LargeBytes(byteLength);
    large.host = host;
    return new WasmStorage(byteLength, null, large);
  }

  /**
   * The address of a storage, where it stays until {@link unpin} was called as often as this.
   * @throws DeviceMemoryError if what is pinned already leaves no room, DonatedTensorError if it was freed
   */
  pin(storage: WasmStorage): number {
    const { small } = storage;
    if (small !== null) {
      if (small.address === 0) {
        if (small.freed) throw freedError();
        this.#nursery.place(small);
      }
      small.used = true;
      small.pins++;
      return small.address;
    }
    const large = storage.large!;
    if (large.address === 0) {
      if (large.freed) throw freedError();
      this.#settle(storage, large);
      this.bytes.set(new Uint8Array(large.host!), large.address);
      large.host = null;
    } else this.#recency.touch(large);
    large.pins++;
    return large.address;
  }

  /** Let a storage move again. */
  unpin(storage: WasmStorage): void {
    const bytes = storage.small ?? storage.large!;
    if (bytes.pins === 0) throw new Error('unpin: the storage is not pinned');
    bytes.pins--;
  }

  /** A copy of the bytes. @throws DonatedTensorError if they were freed */
  read(storage: WasmStorage): ArrayBuffer {
    const { small, large, byteLength } = storage;
    const { address, freed } = small ?? large!;
    if (freed) throw freedError();
    if (address !== 0) return copyOf(this.bytes, address, byteLength);
    return small ? copyOf(new Uint8Array(small.host!.buffer), 4 * small.from, byteLength) : large!.host!.slice(0);
  }

  /** Give the bytes up: the program that a tensor was donated to needs them no more. Freeing twice changes nothing. */
  free(storage: WasmStorage): void {
    const { small, large } = storage;
    const bytes = small ?? large!;
    if (bytes.pins > 0) throw new Error('free: the storage is pinned');
    bytes.freed = true;
    bytes.host = null;
    if (bytes.address === 0) return;
    if (small) this.#nursery.vacate(small);
    else this.#leave(large!);
  }

  /**
   * A new storage in the block of one that was donated and is pinned once, by whoever has written over it: that one is freed.
   * @throws Error unless it has a block
   */
  inherit({ byteLength, large }: WasmStorage): WasmStorage {
    if (!large?.block || large.pins !== 1)
      throw new Error('inherit: a storage that is pinned once in a block of its own');
    const block = this.#detach(large);
    large.pins = 0;
    large.freed = true;
    const heir = new LargeBytes(byteLength);
    const storage = new WasmStorage(byteLength, null, heir);
    this.#attach(storage, heir, block);
    return storage;
  }

  /** Give `large` a block. */
  #settle(storage: WasmStorage, large: LargeBytes): void {
    this.#attach(storage, large, this.#roomFor(large.byteLength));
    this.#unseen += large.byteLength;
    if (this.#unseen > collectAfter) {
      this.#unseen = 0;
      collectGarbage();
    }
  }

  #attach(storage: WasmStorage, large: LargeBytes, block: Block<LargeBytes>): void {
    block.tenant = large;
    large.block = block;
    large.address = block.address;
    large.owner = storage;
    large.youngAt = this.#young.push(large) - 1;
    this.#recency.add(large);
    this.#resident += large.byteLength;
    if (this.#watching) return;
    this.#watching = true;
    queueMicrotask(() => this.#watch());
  }

  /** Take the block of `large` back; returns the hole where it was. */
  #leave(large: LargeBytes): Block<LargeBytes> {
    return this.#blocks.give(this.#detach(large));
  }

  #detach(large: LargeBytes): Block<LargeBytes> {
    const { block, lease } = large;
    if (large.youngAt >= 0) {
      const last = this.#young.pop()!;
      if (last !== large) {
        this.#young[large.youngAt] = last;
        last.youngAt = large.youngAt;
      }
      large.youngAt = -1;
      large.owner = null;
    }
    if (lease) {
      this.#registry.unregister(lease);
      lease.bytes = null;
      large.lease = null;
    }
    large.block = null;
    large.address = 0;
    this.#recency.remove(large);
    this.#resident -= large.byteLength;
    return block!;
  }

  /** At the end of a job: let finalizers watch what it made and has not lost since. */
  #watch(): void {
    this.#watching = false;
    for (const large of this.#young) {
      const lease = new Lease(large);
      this.#registry.register(large.owner!, lease, lease);
      large.lease = lease;
      large.owner = null;
      large.youngAt = -1;
    }
    this.#young.length = 0;
  }

  /** A storage is garbage. */
  #collect({ bytes }: Lease): void {
    // Pinned garbage would be a kernel at work whose caller forgot to hold its operands: its block is not for others.
    if (!bytes || bytes.pins > 0) return;
    this.#collected++;
    this.#leave(bytes);
  }

  /** A block for a tensor; if there is none, small tensors leave their cells, which may lie between holes. */
  #roomFor(bytes: number): Block<LargeBytes> {
    const size = blockSize(bytes);
    try {
      return this.#claim(size, bytes);
    } catch (error) {
      this.#nursery.clear();
      if (size > this.#blocks.free + this.#resident) throw error;
      return this.#claim(size, bytes);
    }
  }

  /** A block of `size` bytes: from a hole, or else from new pages, or else from what was used least recently. */
  #claim(size: number, bytes: number): Block<LargeBytes> {
    return (
      this.#blocks.take(size) ?? (this.#grow(size) ? this.#blocks.take(size) : null) ?? this.#makeRoom(size, bytes)
    );
  }

  /** New pages, so that a hole of `size` bytes ends the memory; false at the limit. */
  #grow(size: number): boolean {
    const now = this.bytes.length / pageBytes;
    const least = Math.ceil((size - this.#blocks.tail) / pageBytes);
    if (now + least > this.#pages) return false;
    // A quarter more: each growth makes new views, and pages cost nothing before they are touched.
    const generous = Math.min(Math.max(least, now >> 2), this.#pages - now);
    if (!this.#growBy(generous) && !this.#growBy(least)) {
      this.#pages = now;
      return false;
    }
    this.bytes = new Uint8Array(this.memory.buffer);
    this.words = new Int32Array(this.memory.buffer);
    this.#blocks.extend(this.bytes.length);
    return true;
  }

  #growBy(pages: number): boolean {
    try {
      this.memory.grow(pages);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Evict in the order of last use until a hole is large enough. Where holes stay apart because of what lies between them,
   * four times the bytes are spent on that order, and then the neighbours go that are fewest bytes.
   */
  #makeRoom(size: number, bytes: number): Block<LargeBytes> {
    let spent = 0;
    for (let large = this.#recency.oldest; large && spent < 4 * size; ) {
      const { newer } = large;
      if (large.pins === 0) {
        spent += large.block!.size;
        if (this.#evict(large).size >= size) return this.#blocks.take(size)!;
      }
      large = newer;
    }
    const run = cheapestRun(this.#blocks, size);
    if (!run) {
      const limit = this.#pages * pageBytes;
      throw fullError(bytes, { limit, budget: this.budget, lent: this.#lentBytes }, pinnedIn(this.#blocks));
    }
    for (const block of run) if (block.tenant) this.#evict(block.tenant);
    return this.#blocks.take(size)!;
  }

  #evict(large: LargeBytes): Block<LargeBytes> {
    large.host = copyOf(this.bytes, large.address, large.byteLength);
    this.#evictions++;
    this.#evicted += large.byteLength;
    return this.#leave(large);
  }
}

/** What `bytes` take, with the slack behind them. */
const blockSize = (bytes: number): number => aligned(bytes + slack);

function makeMemory(maximum: number, shared: boolean): WasmMemory {
  try {
    return new webAssembly.Memory({ initial: Math.min(maximum, 16), maximum, shared });
  } catch (error) {
    throw noMemoryError(maximum * pageBytes, error as Error);
  }
}

/** A copy that is not shared, as `slice` of a view of shared memory would not be either. */
const copyOf = (bytes: Uint8Array, start: number, length: number): ArrayBuffer =>
  bytes.slice(start, start + length).buffer as ArrayBuffer;

/** The words of a small array, padded if it does not end with one. */
function wordsOf(host: ArrayBuffer): Int32Array {
  if (host.byteLength % 4 === 0) return new Int32Array(host);
  const padded = new Int32Array((host.byteLength + 3) >> 2);
  new Uint8Array(padded.buffer).set(new Uint8Array(host));
  return padded;
}
