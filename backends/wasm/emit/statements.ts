/**
 * Statements to code. A vector loop is computed in three parts, each moving the same pointers: `fold` vectors at once, single vectors,
 * and what is left in one vector of which some lanes count. All use the same instructions, so an element has the same bits wherever the
 * loop begins and ends.
 */

import type { DType } from '../../../src/core/dtype.ts';
import type { Expr, Index, Local } from '../../loop/ir/expr.ts';
import type { Combiner, Stmt } from '../../loop/ir/kernel.ts';
import { doWhile, sequence, when } from '../code/control.ts';
import { type Code, get, i32, i32x4, select, set, v128 } from '../code/instructions.ts';
import type { Func } from '../code/module.ts';
import { scalarStore } from './address.ts';
import { effects } from './depends.ts';
import { type Emitter, lane, wordOf } from './evaluate.ts';
import { vectorStore } from './memory.ts';
import { extremes, identityOf, sums } from './partials.ts';
import { isVector, type Loop, type Plan, planOf, squareOf } from './plan.ts';
import { branchesOf } from './rare.ts';
import { scalarOp, scalarType } from './scalar.ts';
import { type Lanes, type LoopState, type Partial, Scope } from './scope.ts';
import { vectorCombine } from './vector.ts';

/** The turns that a call runs of the loops with an index, which are not inside of each other. */
export interface Turns {
  readonly of: Index;
  readonly from: Code;
  readonly to: Code;
}

export class Statements {
  private readonly emitter: Emitter;
  private readonly func: Func;
  private readonly turns: Turns | null;

  constructor(emitter: Emitter, func: Func, turns: Turns | null) {
    this.emitter = emitter;
    this.func = func;
    this.turns = turns;
  }

  all(body: readonly Stmt[]): void {
    for (const stmt of body) this.one(stmt);
  }

  private one(stmt: Stmt): void {
    const { emitter } = this;
    const { scope } = emitter;
    emitter.branches = branchesOf(stmt);
    switch (stmt.kind) {
      case 'loop':
        if (!scope.lanes && isVector(stmt)) this.vectorLoop(stmt);
        else this.plainLoop(stmt);
        return;
      case 'local':
        this.declare(stmt.local, stmt.value);
        return;
      case 'assign':
        this.assign(stmt.local, stmt.value);
        return;
      case 'accumulate':
        this.accumulate(stmt);
        return;
      case 'store':
        if (!scope.lanes) scalarStore(emitter, stmt.buffer, stmt.at, emitter.scalar(stmt.value));
        else vectorStore(emitter, stmt.buffer, stmt.at, emitter.vector(stmt.value));
        scope.forget({ locals: new Set(), buffers: new Set([stmt.buffer]) });
        return;
      case 'if': {
        const condition = emitter.scalar(stmt.condition);
        const changes = effects(stmt.body);
        const inside = this.within(new Scope(this.func, scope, { conditional: true, changes }), () =>
          this.all(stmt.body),
        );
        scope.code.push(when(condition, inside));
        scope.forget(changes);
      }
    }
  }

  /** Build a block inside the present one; its code, to be put into that one before it takes another register. */
  private within(block: Scope, build: () => void): Code {
    const outer = this.emitter.scope;
    this.emitter.scope = block;
    build();
    this.emitter.scope = outer;
    block.close();
    return sequence(...block.code);
  }

  private declare(local: Local, value: Expr): void {
    const { scope } = this.emitter;
    const codes = scope.lanes ? this.emitter.vector(value) : [this.emitter.scalar(value)];
    const type = scope.lanes ? 'v128' : scalarType(local.dtype);
    const registers = codes.map(() => scope.register(type));
    codes.forEach((code, u) => {
      scope.code.push(set(registers[u]!, code));
    });
    scope.locals.set(local, registers);
    // In another turn of the loop around, or another part of it, the name has another value.
    scope.forget({ locals: new Set([local]), buffers: new Set() });
  }

  private assign(local: Local, value: Expr): void {
    const { scope } = this.emitter;
    const codes = scope.lanes ? this.emitter.vector(value) : [this.emitter.scalar(value)];
    const registers = scope.registers(local);
    codes.forEach((code, u) => {
      scope.code.push(set(registers[u]!, code));
    });
    scope.forget({ locals: new Set([local]), buffers: new Set() });
  }

  private accumulate({ local, combiner, value }: Extract<Stmt, { kind: 'accumulate' }>): void {
    const { emitter } = this;
    const { scope } = emitter;
    const { dtype } = local;
    const { lanes } = scope;
    if (!lanes) {
      const code = emitter.scalar(value);
      const [register] = scope.registers(local) as readonly [number];
      scope.code.push(set(register, scalarOp(combiner, dtype, dtype, [get(register), code])));
    } else {
      const own = lanes.locals.has(local);
      const registers = own ? scope.registers(local) : [];
      const { tail } = lanes;
      const identity = tail && !own ? this.splat(identityOf(combiner, dtype), dtype) : null;
      emitter.vector(value).forEach((code, u) => {
        const mask =
          identity && (dtype === 'float64' ? v128.shuffle32(tail!.mask, tail!.mask, [0, 0, 1, 1]) : tail!.mask);
        const counted = mask ? scope.put('v128', v128.bitselect(code, identity!, mask)) : code;
        scope.code.push(
          own
            ? set(registers[u]!, vectorCombine(combiner, dtype, get(registers[u]!), counted))
            : lanes.partials.get(local)!.take(counted, u),
        );
      });
    }
    scope.forget({ locals: new Set([local]), buffers: new Set() });
  }

  private splat(value: number, dtype: DType): Code {
    return dtype === 'float64' ? this.emitter.double(value) : this.emitter.word(wordOf(value, dtype));
  }

  /** Which of a loop's turns a call runs; `null`: all. */
  private turnsOf({ index }: Loop): Turns | null {
    return this.turns?.of === index ? this.turns : null;
  }

  private plainLoop(loop: Loop): void {
    const { emitter, func } = this;
    const outer = emitter.scope;
    const turns = this.turnsOf(loop);
    const { extent } = loop.index;
    if (!turns && extent.op === 'const' && extent.value <= 0) return;
    const changes = effects(loop.body);
    outer.forget(changes);
    const certain = !turns && extent.op === 'const';
    const end = turns ? turns.to : emitter.scalar(extent);
    const before = new Scope(func, outer, { conditional: !certain });
    const from = turns ? turns.from : i32.const(0);
    const code = this.within(before, () => {
      const counter = before.register('i32');
      before.code.push(set(counter, from));
      const crossing = outer.lanes ? null : squareOf(loop);
      if (crossing) this.squares(loop, crossing, before, counter, end);
      const state: LoopState = { index: loop.index, counter, fromZero: !turns && !crossing, pointers: [] };
      const body = new Scope(func, before, { loop: state, changes });
      const goes = i32.ltS(get(counter), end);
      const turn = this.within(body, () => this.all(loop.body));
      const all = doWhile(sequence(turn, advance(state, 1)), goes);
      before.code.push(crossing ? when(goes, all) : all);
    });
    outer.code.push(certain ? code : when(i32.ltS(from, end), code));
    outer.forget(changes);
  }

  /**
   * Four turns of a loop at a time beside four of the vector loop in it, as far as they go. Sixteen turns are done before the next ones of
   * the vector loop, so that whole cache lines are used while they are there.
   */
  private squares(loop: Loop, inner: Loop, before: Scope, counter: number, end: Code): void {
    const { emitter, func } = this;
    const changes = effects(loop.body);
    const { extent } = inner.index;
    const length = extent.op === 'const' ? extent.value : null;
    if (length === 0) return;
    const count = emitter.scalar(extent);
    const last = before.put('i32', i32.sub(end, i32.const(3)));
    const goes = i32.ltS(get(counter), last);
    const band = new Scope(func, before, { conditional: true, changes });
    const turns = this.within(band, () => {
      const start = band.put('i32', get(counter));
      const far = band.put('i32', i32.add(start, i32.const(16)));
      const stop = band.put('i32', select(far, last, i32.ltS(far, last)));
      const across = band.register('i32');
      band.code.push(set(across, i32.const(0)));
      const column: LoopState = { index: inner.index, counter: across, fromZero: false, pointers: [] };
      const part = (tail: Lanes['tail']): Code => {
        const { locals } = planOf(inner, length);
        const lanes: Lanes = {
          index: inner.index,
          lanes: 4,
          fold: 4,
          rows: loop.index,
          locals,
          partials: new Map(),
          tail,
        };
        const row: LoopState = { index: loop.index, counter, fromZero: false, pointers: [] };
        const body = new Scope(func, band, { loop: column, lanes, changes });
        const down = new Scope(func, body);
        const code = this.within(body, () => {
          const rows = this.within(down, () => {
            down.code.push(set(counter, start));
            const square = new Scope(func, down, { loop: row, changes });
            const code = this.within(square, () => this.all(inner.body));
            down.code.push(doWhile(sequence(code, advance(row, 4)), i32.ltS(get(counter), stop)));
          });
          body.code.push(rows);
        });
        return sequence(code, advance(column, 4));
      };
      const whole = i32.leS(
        get(across),
        length === null ? band.put('i32', i32.sub(count, i32.const(4))) : i32.const(length - 4),
      );
      const code = part(null);
      band.code.push(when(whole, doWhile(code, whole)));
      if (length !== null && length % 4 === 0) return;
      const left = length === null ? band.put('i32', i32.sub(count, get(across))) : length % 4;
      this.tail(band, left, part);
    });
    // Of no columns, nothing would count the turns.
    before.code.push(when(i32.and(goes, i32.gtS(count, i32.const(0))), doWhile(turns, goes)));
  }

  /** The last vector, of which this many lanes count. */
  private tail(before: Scope, left: number | Code, part: (tail: Lanes['tail']) => Code): void {
    if (typeof left === 'number') {
      const [x, y, z, w] = [0, 1, 2, 3].map((l) => (l < left ? -1 : 0)) as [number, number, number, number];
      before.code.push(part({ count: left, mask: v128.constI32(x, y, z, w) }));
      return;
    }
    const mask = before.put('v128', i32x4.ltS(v128.constI32(0, 1, 2, 3), i32x4.splat(left)));
    before.code.push(when(i32.gtS(left, i32.const(0)), part({ count: left, mask })));
  }

  private vectorLoop(loop: Loop): void {
    const { emitter, func } = this;
    const outer = emitter.scope;
    const { extent } = loop.index;
    const turns = this.turnsOf(loop);
    const whole = extent.op === 'const' ? extent.value : null;
    if (whole !== null && whole <= 0) return;
    const length = turns ? null : whole;
    const changes = effects(loop.body);
    outer.forget(changes);
    const from = turns?.from ?? i32.const(0);
    const end = turns?.to ?? emitter.scalar(extent);
    const plan = planOf(loop, whole);
    const before = new Scope(func, outer, { conditional: length === null });
    const code = this.within(before, () => this.parts(loop, before, [from, end], length, plan));
    outer.code.push(length === null ? when(i32.gtS(end, from), code) : code);
    outer.forget(changes);
  }

  /** @param length - of the loop, if it begins at 0 and its end is known */
  private parts(
    loop: Loop,
    before: Scope,
    [from, end]: readonly [Code, Code],
    length: number | null,
    plan: Plan,
  ): void {
    const { emitter, func } = this;
    const { lanes, fold, locals } = plan;
    const full = lanes * fold;
    const counter = before.register('i32');
    before.code.push(set(counter, from));
    // Pointers that are met later begin where the counter stands.
    const state: LoopState = { index: loop.index, counter, fromZero: false, pointers: [] };
    const partials = new Map<Local, Partial>();
    for (const [local, combiner] of plan.shared) {
      const { dtype } = local;
      const identity = this.splat(identityOf(combiner, dtype), dtype);
      const many = length === null || length >= 8 * lanes;
      const tracked = dtype === 'float32' && (combiner === 'min' || combiner === 'max') && many;
      const partial = tracked ? extremes(before, combiner, identity) : sums(before, combiner, dtype, identity, fold);
      partials.set(local, partial);
    }
    const changes = effects(loop.body);
    const turn = (fold: number, tail: Lanes['tail']): Code => {
      const shape: Lanes = { index: loop.index, lanes, fold, rows: null, locals, partials, tail };
      const body = new Scope(func, before, { loop: state, lanes: shape, changes });
      const code = this.within(body, () => this.all(loop.body));
      return sequence(code, advance(state, fold * lanes));
    };
    const repeated = (fold: number): void => {
      const step = fold * lanes;
      // As a difference: the sum of counter and step could overflow.
      const last = length === null ? before.put('i32', i32.sub(end, i32.const(step))) : i32.const(length - step);
      const goes = i32.leS(get(counter), last);
      const code = turn(fold, null);
      if (length === null) {
        before.code.push(when(goes, doWhile(code, goes)));
      } else if ((fold === plan.fold ? length : length % full) >= 2 * step) {
        before.code.push(doWhile(code, goes));
      } else before.code.push(code);
    };
    if (length === null || length >= full) repeated(fold);
    if (fold > 1 && (length === null || length % full >= lanes)) repeated(1);
    const rest = length === null ? null : length % lanes;
    if (rest !== 0) {
      const left = rest ?? before.put('i32', i32.sub(end, get(counter)));
      this.tail(before, left, (tail) => turn(1, tail));
    }
    for (const [local, combiner] of plan.shared)
      this.combine(before, local, combiner, partials.get(local)!.whole(before), lanes);
    emitter.scope = before;
  }

  /** The lanes, by halves, into the local. */
  private combine(at: Scope, local: Local, combiner: Combiner, partial: Code, lanes: 2 | 4): void {
    const { dtype } = local;
    const merged = (a: Code, b: Code): Code => at.put('v128', vectorCombine(combiner, dtype, a, b));
    let all = partial;
    if (lanes === 4 || dtype === 'float64') all = merged(all, v128.shuffle32(all, all, [2, 3, 0, 1]));
    if (dtype !== 'float64') all = merged(all, v128.shuffle32(all, all, [1, 0, 3, 2]));
    const [register] = at.registers(local) as readonly [number];
    const one = at.put(scalarType(dtype), lane(all, dtype, 0));
    at.code.push(set(register, scalarOp(combiner, dtype, dtype, [get(register), one])));
  }
}

/** Count, and move the pointers, by a number of steps. */
function advance({ counter, pointers }: LoopState, steps: number): Code {
  const step = (register: number, by: number): Code => set(register, i32.add(get(register), i32.const(by)));
  return sequence(...pointers.map(({ register, unit }) => step(register, unit * steps)), step(counter, steps));
}
