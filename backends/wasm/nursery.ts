/**
 * Where small tensors live: rings of cells, one for each octave of sizes, in which they take turns.
 *
 * A block, a place in the order of use and a finalizer would cost a tensor of eight numbers more than its arithmetic: about
 * 1.3 µs for the finalizer alone, and in a loop that never yields its record stays for ever. So small bytes have none. A new
 * one takes the cell that the hand of its ring points at; what is there is copied to the host, where it is garbage if its
 * tensor is. Up to 64 bytes that is 35 ns, as V8 allocates such arrays like objects. A longer buffer costs 1 µs and more to
 * allocate and to free, so larger tensors go eight at a time, in one buffer: whoever keeps one of them keeps eight at worst.
 * What was used since the hand came by gets another turn (the clock algorithm), so that what a loop uses stays.
 *
 * A ring whose cells are all pinned gets more cells. It keeps them until memory is laid out anew, and then begins with none.
 */

import { DeviceMemoryError } from '../../src/core/errors.ts';
import { alignment } from './blocks.ts';
import type { SmallBytes } from './storage.ts';

/** The largest tensor that lives here, in bytes. */
export const smallBytes = 4096;

/** The bytes behind a tensor that kernels may read, as they take whole vectors. */
export const slack = 64;

/** How many tensors of more than 64 bytes are moved out together. */
const groupSize = 8;

/** How much a ring takes at first, at most. */
const ringBytes = 2 ** 18;

/** What a nursery needs of the linear memory. */
export interface Ground {
  readonly budget: number;
  /** All of it as words; another array after it has grown. */
  readonly words: Int32Array;
  /** Bytes until they are given back. @throws DeviceMemoryError */
  lend(bytes: number): number;
  giveBack(address: number): void;
}

/** The cells of one size. */
class Ring {
  readonly room: number;
  readonly addresses: number[] = [];
  readonly tenants: (SmallBytes | null)[] = [];
  /** Cells whose tenant was freed. */
  readonly vacant: number[] = [];
  /** Where the pieces of memory begin that its cells are in. */
  readonly pieces: number[] = [];
  hand = 0;

  constructor(room: number) {
    this.room = room;
  }

  /** The end of the cells from `cell` on, in one piece of memory, whose tenants can leave as that of `cell` can. */
  endOfGroup(cell: number): number {
    const { tenants, addresses, room } = this;
    const limit = Math.min(cell + groupSize, tenants.length);
    let end = cell + 1;
    while (end < limit && addresses[end] === addresses[end - 1]! + room + slack) {
      const { pins, used } = tenants[end]!;
      if (pins > 0 || used) break;
      end++;
    }
    return end;
  }
}

/** All rings of a linear memory. */
export class Nursery {
  readonly #ground: Ground;
  readonly #rings: readonly Ring[];
  /** Whether rings get one cell at a time, as where every byte counts. */
  frugal = false;
  /** Bytes in cells, used or not. */
  bytes = 0;
  /** How many small tensors were moved out. */
  evictions = 0;
  /** And how many bytes of them. */
  evicted = 0;

  constructor(ground: Ground) {
    this.#ground = ground;
    const rooms: number[] = [];
    for (let room = alignment; room <= smallBytes; room *= 2) rooms.push(room);
    this.#rings = rooms.map((room) => new Ring(room));
  }

  /** Give `small` a cell, and its words back if it was moved out. @throws DeviceMemoryError */
  place(small: SmallBytes): void {
    const ring = this.#ringOf(small.byteLength);
    const cell = ring.vacant.pop() ?? this.#turn(ring);
    ring.tenants[cell] = small;
    small.cell = cell;
    small.address = ring.addresses[cell]!;
    if (small.host !== null) {
      copyIn(this.#ground.words, small.address >>> 2, small.host, small.from, small.words);
      small.host = null;
    }
  }

  /** Take the cell of `small` back. */
  vacate(small: SmallBytes): void {
    const ring = this.#ringOf(small.byteLength);
    ring.tenants[small.cell] = null;
    ring.vacant.push(small.cell);
    small.address = 0;
  }

  /** Move everything out and give the memory back, but for rings in which something is pinned. */
  clear(): void {
    for (const ring of this.#rings) {
      if (ring.tenants.some((tenant) => tenant !== null && tenant.pins > 0)) continue;
      for (const tenant of ring.tenants) {
        if (tenant) this.#departed(tenant, copyOut(this.#ground.words, tenant.address >>> 2, tenant.words), 0);
      }
      for (const piece of ring.pieces) this.#ground.giveBack(piece);
      this.bytes -= ring.tenants.length * (ring.room + slack);
      for (const list of [ring.addresses, ring.tenants, ring.vacant, ring.pieces]) list.length = 0;
      ring.hand = 0;
    }
  }

  #ringOf(byteLength: number): Ring {
    return this.#rings[byteLength <= alignment ? 0 : 26 - Math.clz32(byteLength - 1)]!;
  }

  /** The next cell of a ring whose tenant is not pinned nor was used since the last round; its tenant is moved out. */
  #turn(ring: Ring): number {
    const { tenants } = ring;
    // The first round may find that all have been used; the second then finds who is not pinned.
    for (let left = 2 * tenants.length; left > 0; left--) {
      const cell = ring.hand;
      ring.hand = cell + 1 === tenants.length ? 0 : cell + 1;
      const tenant = tenants[cell]!;
      if (tenant.pins > 0) continue;
      if (tenant.used) {
        tenant.used = false;
        continue;
      }
      this.#moveOut(ring, cell, tenant);
      return cell;
    }
    return this.#enlarge(ring);
  }

  /** Copy the tenant of `cell` to the host, and with a large one those behind it whose turn is over too. */
  #moveOut(ring: Ring, cell: number, tenant: SmallBytes): void {
    const { words } = this.#ground;
    const first = tenant.address >>> 2;
    if (ring.room <= loopWords * 4) {
      this.#departed(tenant, copyOut(words, first, tenant.words), 0);
      return;
    }
    const end = ring.endOfGroup(cell);
    const last = ring.tenants[end - 1]!;
    const host = words.slice(first, (last.address >>> 2) + last.words);
    for (let other = cell; other < end; other++) {
      const leaving = ring.tenants[other]!;
      this.#departed(leaving, host, (leaving.address >>> 2) - first);
      if (other === cell) continue;
      ring.tenants[other] = null;
      ring.vacant.push(other);
    }
    ring.hand = end === ring.tenants.length ? 0 : end;
  }

  #departed(tenant: SmallBytes, host: Int32Array, from: number): void {
    tenant.host = host;
    tenant.from = from;
    tenant.address = 0;
    this.evictions++;
    this.evicted += tenant.byteLength;
  }

  /** Double a ring, or add a single cell where there is no room for that; returns a new cell. */
  #enlarge(ring: Ring): number {
    const stride = ring.room + slack;
    const cells = ring.addresses.length;
    const wanted = this.frugal
      ? 1
      : cells || Math.max(1, Math.floor(Math.min(ringBytes, this.#ground.budget / 128) / stride));
    const [address, count] = this.#borrow(stride, wanted);
    ring.pieces.push(address);
    this.bytes += count * stride;
    for (let i = count - 1; i >= 0; i--) {
      ring.addresses[cells + i] = address + i * stride;
      ring.tenants[cells + i] = null;
      if (i > 0) ring.vacant.push(cells + i);
    }
    return cells;
  }

  /** The address of so many cells, or of one, and how many they are. */
  #borrow(stride: number, count: number): readonly [number, number] {
    // The slack of the last cell is what the ground keeps behind everything.
    const bytes = (n: number): number => n * stride - slack;
    try {
      return [this.#ground.lend(bytes(count)), count];
    } catch (error) {
      if (count === 1 || !(error instanceof DeviceMemoryError)) throw error;
      return [this.#ground.lend(bytes(1)), 1];
    }
  }
}

/** V8 allocates arrays of up to 64 bytes like objects; a loop over them is faster than a call. */
const loopWords = 16;

function copyOut(words: Int32Array, at: number, count: number): Int32Array {
  const host = new Int32Array(count);
  for (let i = 0; i < count; i++) host[i] = words[at + i]!;
  return host;
}

function copyIn(words: Int32Array, at: number, host: Int32Array, from: number, count: number): void {
  if (count > loopWords) words.set(host.subarray(from, from + count), at);
  else for (let i = 0; i < count; i++) words[at + i] = host[from + i]!;
}
