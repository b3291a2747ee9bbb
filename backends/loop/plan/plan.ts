/**
 * Planning: units of a fused program become steps, and every value a place. Values live in the arena from the step that makes them to the
 * last that reads them, results where the caller wants them; a value that dies in the step that makes another of the same form, place by
 * place, lends it its memory. Inputs lend theirs to results if a run is given them for good (`donors.ts`).
 */

import { type Aval, makeAval } from '../../../src/core/aval.ts';
import { byteSize } from '../../../src/core/dtype.ts';
import { CompileError } from '../../../src/core/errors.ts';
import { type Atom, type Eqn, isLiteral, type Jaxpr, type Var } from '../../../src/core/jaxpr.ts';
import type { PrimitiveParams } from '../../../transforms/registry.ts';
import { type Fused, fuse, type Limits, type Unit } from '../fuse/fuse.ts';
import { type Buffer, forgetExpressions, load } from '../ir/expr.ts';
import type { Kernel } from '../ir/kernel.ts';
import { filled, standalone } from '../kernels/kernel.ts';
import { writers } from '../kernels/table.ts';
import { loweringOf } from '../lower/table.ts';
import { apart } from '../nest/apart.ts';
import { epilogueOf, tileOf } from '../nest/epilogue.ts';
import { nestOf } from '../nest/nest.ts';
import { Arena, Buffers, Largest } from './arena.ts';
import { type Product, productOf } from './contract.ts';
import { Donors } from './donors.ts';
import { inPlaceOfAll, inPlaceOperands } from './inplace.ts';
import { narrowed } from './narrow.ts';
import { type Counter, moved, type Place, type Program, type Step, samePlace } from './program.ts';

export const bytesOf = (aval: Aval): number => aval.size * byteSize(aval.dtype);

export function plan(jaxpr: Jaxpr, limits: Limits): Program {
  // Not in the midst of a program: what is known of its loops is found by its expressions.
  forgetExpressions();
  const planner = new Planner(limits);
  const given = (base: 'input' | 'output', count: number): Place[] =>
    Array.from({ length: count }, (_, position) => ({ base, position, offset: 0, steps: [] }));
  const donors = new Donors(jaxpr);
  const steps = planner.program(jaxpr, given('input', jaxpr.ins.length), given('output', jaxpr.outs.length), donors);
  return {
    ins: jaxpr.ins.map((v) => v.aval),
    outs: jaxpr.outs.map((x) => x.aval),
    donors: donors.of,
    steps,
    arena: planner.memory.size,
    buffers: planner.memory instanceof Buffers ? planner.memory.sizes : [],
    largest: planner.largest.values,
  };
}

/** A range of the arena, and how many values lie in it. */
interface Slot {
  readonly place: Place;
  readonly bytes: number;
  /** Whether it is given back when nobody needs it; what callers give is not. */
  readonly owned: boolean;
  users: number;
}

class Planner {
  readonly memory: Arena | Buffers;
  readonly largest = new Largest();
  readonly limits: Limits;
  private count = 0;

  constructor(limits: Limits) {
    this.limits = limits;
    this.memory = limits.apiece ? new Buffers() : new Arena();
  }

  /** The steps of a program whose inputs lie at `ins`, and whose outputs are to lie at `outs`. */
  program(jaxpr: Jaxpr, ins: readonly Place[], outs: readonly Place[], donors: Donors | null = null): readonly Step[] {
    const program = narrowed(jaxpr, this.limits.buffers);
    return new Scope(this, program, ins, outs, fuse(program, this.limits), donors).steps();
  }

  slot(aval: Aval, changes = false): Slot {
    const { memory } = this;
    const bytes = this.limits.apiece ? 4 * aval.size : bytesOf(aval);
    const found = changes && memory instanceof Buffers ? memory.takeFixed(bytes) : memory.take(bytes);
    const [position, offset] = this.limits.apiece ? [found, 0] : [0, found];
    this.largest.note(aval, bytes);
    return { place: { base: 'arena', position, offset, steps: [] }, bytes, owned: true, users: 0 };
  }

  release(slot: Slot): void {
    if (slot.owned) this.memory.free(this.limits.apiece ? slot.place.position : slot.place.offset, slot.bytes);
  }

  name(prefix: string): string {
    return `${prefix}${this.count++}`;
  }
}

/** A place that a caller gives. */
const notOwned = (place: Place, { aval }: Var): Slot => ({ place, bytes: bytesOf(aval), owned: false, users: 0 });

/** One jaxpr: the program, or the body of a loop or branch. */
class Scope {
  private readonly planner: Planner;
  private readonly jaxpr: Jaxpr;
  private readonly outs: readonly Place[];
  private readonly fused: Fused;
  private readonly slots = new Map<Var, Slot>();
  /** The output that a value is to be written to directly. */
  private readonly wanted = new Map<Var, Place>();
  private readonly lastUse = new Map<Var, number>();
  private readonly made: Step[] = [];
  /** Notes which inputs results may take the memory of; `null` in the body of a loop or branch, whose inputs are not the caller's. */
  private readonly donors: Donors | null;

  constructor(
    planner: Planner,
    jaxpr: Jaxpr,
    ins: readonly Place[],
    outs: readonly Place[],
    fused: Fused,
    donors: Donors | null,
  ) {
    this.donors = donors;
    this.planner = planner;
    this.jaxpr = jaxpr;
    this.outs = outs;
    this.fused = fused;
    jaxpr.ins.forEach((v, i) => {
      this.put(v, notOwned(ins[i]!, v));
    });
    jaxpr.outs.forEach((x, i) => {
      if (!isLiteral(x) && !this.slots.has(x) && !this.wanted.has(x)) this.wanted.set(x, outs[i]!);
    });
    fused.units.forEach((unit, i) => {
      for (const v of this.readsOf(unit)) this.lastUse.set(v, i);
    });
    for (const x of jaxpr.outs) if (!isLiteral(x)) this.lastUse.set(x, Number.POSITIVE_INFINITY);
  }

  private readsOf(unit: Unit): readonly Var[] {
    if (unit.kind === 'equation') return unit.eqn.ins.filter((x): x is Var => !isLiteral(x));
    return [...unit.body.loads].map((buffer) => this.fused.flow.valueOf(buffer));
  }

  private writesOf(unit: Unit): readonly Var[] {
    return unit.kind === 'equation' ? unit.eqn.outs : unit.stored;
  }

  steps(): readonly Step[] {
    this.fused.units.forEach((unit, i) => {
      if (unit.kind === 'cluster') this.cluster(unit, i);
      else this.equation(unit.eqn, i);
      this.noteDead(this.writesOf(unit), i);
      for (const v of new Set([...this.readsOf(unit), ...this.writesOf(unit)])) {
        if ((this.lastUse.get(v) ?? i) <= i) this.drop(v);
      }
    });
    this.finish();
    return this.made;
  }

  private drop(v: Var): void {
    const slot = this.slots.get(v);
    if (!slot) return;
    this.slots.delete(v);
    slot.users -= 1;
    if (slot.users === 0) this.planner.release(slot);
  }

  private place(v: Var): Place {
    const slot = this.slots.get(v);
    if (slot) return slot.place;
    throw new CompileError({
      op: 'plan',
      problem: `a value of ${v.aval.dtype}[${v.aval.shape.join()}] is read before it is made`,
      remedy: 'this is a bug in the planner; please report it',
    });
  }

  /** A place for a new value. */
  private make(v: Var, changes = false): Place {
    const place = this.wanted.get(v);
    const slot = place ? notOwned(place, v) : this.planner.slot(v.aval, changes);
    this.put(v, slot);
    return slot.place;
  }

  private put(v: Var, slot: Slot): void {
    slot.users += 1;
    this.slots.set(v, slot);
  }

  private dies(v: Var, at: number): boolean {
    const slot = this.slots.get(v);
    return slot?.owned === true && slot.users === 1 && this.lastUse.get(v) === at;
  }

  /** The input in whose memory `v` lies, if nobody reads that after the step `at`. */
  private donor(v: Var, at: number): number | null {
    const slot = this.slots.get(v);
    return slot?.place.base === 'input' && slot.users === 1 && this.lastUse.get(v) === at ? slot.place.position : null;
  }

  /** `kernels` write `v` once what `x` is read for is done, element by element. */
  private noteInPlace(kernels: readonly Kernel[], v: Var, at: number, exceptions: readonly Buffer[] = []): void {
    const place = this.wanted.get(v);
    if (!this.donors || !place) return;
    const { flow } = this.fused;
    for (const x of inPlaceOfAll(kernels, flow.buffer(v), exceptions)) {
      this.donors.note(place, this.donor(flow.valueOf(x), at));
    }
  }

  /** What the step `at` writes may lie where inputs were that no step from it on reads. */
  private noteDead(written: readonly Var[], at: number): void {
    if (!this.donors) return;
    const alive = [...this.slots].filter(([v]) => (this.lastUse.get(v) ?? -1) >= at).map(([, { place }]) => place);
    const results = written.map((v) => this.wanted.get(v)).filter((x) => x !== undefined);
    this.donors.noteDead(results, alive);
  }

  private cluster(unit: Unit & { readonly kind: 'cluster' }, at: number): void {
    const { flow } = this.fused;
    if (unit.stored.every((v) => v.aval.size === 0)) {
      for (const v of unit.stored) this.make(v);
      return;
    }
    const product = this.planner.limits.products === false ? null : productOf(unit.body, unit.stored, flow);
    // Where one factor is empty nothing is loaded, of the other neither: neither need have been made.
    if (product && unit.body.loads.has(product.a.buffer) && unit.body.loads.has(product.b.buffer)) {
      this.product(unit, product, at);
      return;
    }
    const kernel = nestOf(this.planner.name('nest'), unit.body, unit.stored, flow, this.planner.limits.scratch);
    const lent = new Set<Var>();
    for (const v of unit.stored) {
      const fits = (x: Var): boolean => this.dies(x, at) && !lent.has(x) && bytesOf(x.aval) === bytesOf(v.aval);
      const offered = this.wanted.has(v) ? [] : inPlaceOperands(kernel, flow.buffer(v));
      const donor = offered.map((buffer) => flow.valueOf(buffer)).find(fits);
      if (donor) {
        lent.add(donor);
        this.put(v, this.slots.get(donor)!);
      } else this.make(v);
      this.noteInPlace([kernel], v, at);
    }
    this.inParts(kernel, (buffer) => this.place(flow.valueOf(buffer)));
  }

  /** A kernel, a long sum as two. */
  private inParts(kernel: Kernel, placeOf: (buffer: Buffer) => Place): void {
    const two = this.planner.limits.apart === false ? null : apart(kernel);
    const places = new Map(two?.sums.map((x) => [x, this.temporary(makeAval([two.count], x.dtype))]));
    for (const part of two ? [two.blocks, two.rest] : [kernel]) this.run(part, (x) => places.get(x) ?? placeOf(x));
    this.settle();
  }

  /**
   * A product of matrices, and what is done with it in the memory of a result, where it fits: part by part while the product is computed, or
   * after it.
   */
  private product({ body, stored }: Unit & { readonly kind: 'cluster' }, product: Product, at: number): void {
    const { flow } = this.fused;
    const { value, local, how, home, lines } = product;
    for (const v of stored) this.make(v);
    // What takes the product's place is stored last: until then it is read.
    const others = stored.filter((v) => v !== home?.value);
    const rest = home && !home.exact ? [...others, home.value] : others;
    const c = home ? this.place(home.value) : this.temporary(value.aval);
    const operand = ({ buffer, offset }: Product['a']): Place => {
      const place = this.place(flow.valueOf(buffer));
      return { ...place, offset: place.offset + offset * byteSize(buffer.dtype) };
    };
    const multiplied = { ...how, a: operand(product.a), b: operand(product.b), c };
    if (rest.length === 0) this.made.push({ ...multiplied, epilogue: null });
    else {
      const buffer: Buffer = home ? flow.buffer(home.value) : { ...flow.buffer(value) };
      const element = load(buffer, body.values.get(home?.value ?? value)!.address);
      const name = this.planner.name('epilogue');
      const kernel = epilogueOf(name, body, rest, flow, local, element);
      const placeOf = (x: Buffer): Place => (x === buffer && !home ? c : this.place(flow.valueOf(x)));
      const tile = lines && tileOf(name, body, rest, flow, local, element, lines, this.planner.limits.apiece);
      // Of its own operands other parts of the product are made yet, and what takes its place was written before they are read.
      for (const v of others) {
        this.noteInPlace(tile ? [kernel, tile] : [kernel], v, at, [product.a.buffer, product.b.buffer]);
      }
      if (tile) {
        const places = kernel.operands.map(placeOf);
        const epilogue = {
          kernel,
          product: buffer,
          keeps: home?.exact ?? false,
          places,
          tile: { kernel: tile, places: tile.operands.map(placeOf), across: lines.across },
        };
        this.made.push({ ...multiplied, epilogue });
      } else {
        this.made.push({ ...multiplied, epilogue: null });
        this.run(kernel, placeOf);
      }
    }
    this.settle();
  }

  private readonly run = (kernel: Kernel, placeOf: (buffer: Buffer) => Place): unknown =>
    this.made.push({ kind: 'kernel', kernel, places: kernel.operands.map(placeOf) });

  private equation(eqn: Eqn, at: number): void {
    const { name } = eqn.primitive;
    switch (name) {
      case 'scan':
        this.scan(eqn, eqn.params as PrimitiveParams<'scan'>, at);
        return;
      case 'while':
        this.while(eqn, eqn.params as PrimitiveParams<'while'>, at);
        return;
      case 'cond':
        this.cond(eqn, eqn.params as PrimitiveParams<'cond'>);
        return;
    }
    const kind = loweringOf(name)?.kind;
    if (kind === 'alias') {
      this.alias(eqn);
      return;
    }
    const write = kind === 'kernel' ? writers[name as keyof typeof writers] : undefined;
    if (!write) {
      throw new CompileError({
        op: name,
        problem: 'there are no loops for this primitive',
        remedy: 'it should have been decomposed or inlined before; please report it',
      });
    }
    const out = eqn.outs[0]!;
    if (out.aval.size === 0) {
      for (const v of eqn.outs) this.make(v);
      return;
    }
    const { flow } = this.fused;
    const { limits } = this.planner;
    const own = (x: Atom): Buffer => flow.buffer(x as Var);
    const { kernel, inPlace } = standalone(this.planner.name(name), eqn, own, write as never, limits.apiece);
    const operand = inPlace === null ? null : (eqn.ins[inPlace.operand] as Var);
    const alone = operand !== null && eqn.ins.filter((x) => x === operand).length === 1;
    if (inPlace && operand && alone && !this.wanted.has(out) && this.dies(operand, at)) {
      this.put(out, this.slots.get(operand)!);
      this.run(inPlace.kernel, (buffer) => this.place(flow.valueOf(buffer)));
      return;
    }
    for (const v of eqn.outs) this.make(v);
    this.run(kernel, (buffer) => this.place(flow.valueOf(buffer)));
  }

  /** Results that are operands, in their memory. */
  private alias(eqn: Eqn): void {
    eqn.outs.forEach((v, i) => {
      const x = eqn.ins[i]!;
      if (isLiteral(x) || this.wanted.has(v)) this.copyTo(x, this.make(v));
      else this.put(v, this.slots.get(x)!);
    });
  }

  /** Bring the value of an atom to a place. */
  private copyTo(x: Atom, to: Place): void {
    if (x.aval.size === 0) return;
    if (isLiteral(x)) {
      this.run(filled(this.planner.name('literal'), x.aval, x.value), () => to);
      return;
    }
    const from = this.place(x);
    if (!samePlace(from, to)) this.made.push({ kind: 'copy', from, to, bytes: bytesOf(x.aval), dtype: x.aval.dtype });
  }

  /** Outputs that no step wrote where they are wanted. */
  private finish(): void {
    this.jaxpr.outs.forEach((x, i) => {
      const place = isLiteral(x) ? undefined : this.slots.get(x)?.place;
      if (place?.base === 'input') this.donors?.note(this.outs[i]!, place.position);
    });
    this.jaxpr.outs.forEach((x, i) => this.copyTo(x, this.outs[i]!));
    for (const v of [...this.slots.keys()]) this.drop(v);
  }

  /** A place of its own for an operand of a loop; literals are written down. */
  private operand(x: Atom): Place {
    if (!isLiteral(x)) return this.place(x);
    const slot = this.planner.slot(x.aval);
    this.copyTo(x, slot.place);
    this.borrowed.push(slot);
    return slot.place;
  }

  private readonly borrowed: Slot[] = [];

  /** Give back what the step just planned needed besides its operands and results. */
  private settle(): void {
    for (const slot of this.borrowed.splice(0)) this.planner.release(slot);
  }

  private temporary(aval: Aval, changes = false): Place {
    const slot = this.planner.slot(aval, changes);
    this.borrowed.push(slot);
    return slot.place;
  }

  /** The state of a loop: at the places of its results, holding what it starts with. */
  private carried(eqn: Eqn, inits: readonly Atom[], outs: readonly Var[], at: number): readonly Place[] {
    return inits.map((x, i) => {
      const place = this.make(outs[i]!, true);
      const alone = !isLiteral(x) && eqn.ins.filter((other) => other === x).length === 1;
      if (alone && this.wanted.has(outs[i]!)) this.donors?.note(place, this.donor(x, at));
      this.copyTo(x, place);
      return place;
    });
  }

  /** A body that turns the state at `state` into the next one, by way of memory of its own. */
  private turn(
    jaxpr: Jaxpr,
    ins: readonly Place[],
    state: readonly Place[],
    stateIns: readonly Var[],
    rest: readonly Place[],
  ): readonly Step[] {
    const same = (i: number): boolean => jaxpr.outs[i] === stateIns[i];
    const next = state.map((place, i) => (same(i) ? place : this.temporary(jaxpr.outs[i]!.aval, true)));
    const steps = [...this.planner.program(jaxpr, ins, [...next, ...rest])];
    state.forEach((to, i) => {
      const { aval } = jaxpr.outs[i]!;
      if (same(i) || aval.size === 0) return;
      steps.push({ kind: 'copy', from: next[i]!, to, bytes: bytesOf(aval), dtype: aval.dtype, last: true });
    });
    return steps;
  }

  private scan(eqn: Eqn, { jaxpr, consts, carry, length, reverse }: PrimitiveParams<'scan'>, at: number): void {
    const fixed = eqn.ins.slice(0, consts).map((x) => this.operand(x));
    const xs = eqn.ins.slice(consts + carry).map((x) => this.operand(x));
    const state = this.carried(eqn, eqn.ins.slice(consts, consts + carry), eqn.outs.slice(0, carry), at);
    const ys = eqn.outs.slice(carry).map((v) => this.make(v));
    const counter: Counter = { name: this.planner.name('t'), length, reverse };
    if (length === 0) {
      this.settle();
      return;
    }
    const slice = (place: Place, aval: Aval): Place => moved(place, counter, bytesOf(aval));
    const body = this.turn(
      jaxpr,
      [...fixed, ...state, ...xs.map((place, i) => slice(place, jaxpr.ins[consts + carry + i]!.aval))],
      state,
      jaxpr.ins.slice(consts, consts + carry),
      ys.map((place, i) => slice(place, jaxpr.outs[carry + i]!.aval)),
    );
    this.made.push({ kind: 'repeat', counter, body });
    this.settle();
  }

  private while(eqn: Eqn, { cond, body, condConsts, bodyConsts }: PrimitiveParams<'while'>, at: number): void {
    const fixed = eqn.ins.slice(0, condConsts).map((x) => this.operand(x));
    const captured = eqn.ins.slice(condConsts, condConsts + bodyConsts).map((x) => this.operand(x));
    const state = this.carried(eqn, eqn.ins.slice(condConsts + bodyConsts), eqn.outs, at);
    const flag = this.temporary(cond.outs[0]!.aval);
    const condition = this.planner.program(cond, [...fixed, ...state], [flag]);
    const turn = this.turn(body, [...captured, ...state], state, body.ins.slice(bodyConsts), []);
    this.made.push({ kind: 'while', condition, flag, body: turn });
    this.settle();
  }

  private cond(eqn: Eqn, { branches }: PrimitiveParams<'cond'>): void {
    const [index, ...operands] = eqn.ins.map((x) => this.operand(x));
    const outs = eqn.outs.map((v) => this.make(v));
    this.made.push({
      kind: 'branch',
      index: index!,
      branches: branches.map((branch) => this.planner.program(branch, operands, outs)),
    });
    this.settle();
  }
}
