/**
 * Expressions to code: a value that is the same in all lanes is a number, another a vector for each of the `fold` that are computed at
 * once. Every operation is emitted for all of these before the next one, which hides the latency of long chains.
 */

import type { DType } from '../../../src/core/dtype.ts';
import { type Apply, apply, type Buffer, type Expr, op } from '../../loop/ir/expr.ts';
import { sequence, when } from '../code/control.ts';
import { type Code, call, f32, f32x4, f64, f64x2, get, i32, i32x4, select, set, v128 } from '../code/instructions.ts';
import type { Func } from '../code/module.ts';
import { type Evaluator, scalarLoad, splatLoad } from './address.ts';
import { type Dependence, dependence, together } from './depends.ts';
import { vectorLoad } from './memory.ts';
import type { ConstantPool } from './pool.ts';
import type { Branch, Branches } from './rare.ts';
import { scalarConstant, scalarOp, scalarType } from './scalar.ts';
import { Scope } from './scope.ts';
import { vectorOp } from './vector.ts';

export interface EmitOptions {
  /** May products and sums be fused? */
  readonly relaxed: boolean;
  readonly constants: ConstantPool;
  /** The number of the imported function of doubles. */
  readonly calls: (name: string, arity: number) => number;
}

const nothing: Dependence = together([]);
const bits = new DataView(new ArrayBuffer(4));

/** The word that holds a constant; of `true`, a mask. */
export function wordOf(value: number, dtype: DType): number {
  if (dtype === 'bool') return value === 0 ? 0 : -1;
  if (dtype !== 'float32') return value | 0;
  bits.setFloat32(0, value);
  return bits.getInt32(0);
}

/** A remainder of floats, which no instruction computes: `x % y` of the host. */
export const isFloatRemainder = (x: Expr): boolean =>
  x.op === 'apply' && x.fn === 'rem' && (x.dtype === 'float32' || x.dtype === 'float64');

export class Emitter implements Evaluator {
  scope: Scope;
  /** In the value of the present statement. */
  branches: Branches = new Map();
  /** Branches that are being computed: where one needs another that needs it, the values are computed where they are needed. */
  private readonly begun = new Set<Branch>();
  private readonly func: Func;
  private readonly root: Scope;
  private readonly options: EmitOptions;
  private readonly bases: ReadonlyMap<Buffer, Code>;
  private readonly sizes: readonly Code[];

  constructor(func: Func, root: Scope, options: EmitOptions, bases: ReadonlyMap<Buffer, Code>, sizes: readonly Code[]) {
    this.scope = root;
    this.func = func;
    this.root = root;
    this.options = options;
    this.bases = bases;
    this.sizes = sizes;
  }

  name(buffer: Buffer): number {
    return [...this.bases.keys()].indexOf(buffer);
  }

  base(buffer: Buffer): Code {
    const found = this.bases.get(buffer);
    if (!found) throw new Error(`buffer ${buffer.name} is not of this kernel`);
    return found;
  }

  word(value: number): Code {
    const address = (): Code => v128.load32Splat(i32.const(this.options.constants.word(value)));
    return this.root.once(`k${value | 0}`, nothing, () => [this.root.put('v128', address())])[0]!;
  }

  double(value: number): Code {
    const address = (): Code => v128.load64Splat(i32.const(this.options.constants.double(value)));
    const key = Object.is(value, -0) ? '-0' : value;
    return this.root.once(`d${key}`, nothing, () => [this.root.put('v128', address())])[0]!;
  }

  varies(x: Expr): boolean {
    const { lanes } = this.scope;
    if (!lanes) return false;
    const { indices, locals } = dependence(x);
    if (indices.has(lanes.index) || (lanes.rows && indices.has(lanes.rows))) return true;
    for (const local of locals) if (lanes.locals.has(local)) return true;
    return false;
  }

  /** A value that is the same in all lanes. */
  scalar(x: Expr): Code {
    switch (x.op) {
      case 'const':
        return scalarConstant(x.value, x.dtype);
      case 'index':
        return get(this.scope.counter(x.index));
      case 'size':
        return this.sizes[x.slot]!;
      case 'local':
        return get(this.scope.registers(x.local)[0]!);
    }
    const of = dependence(x);
    const home = this.scope.home(of, `s${x.id}`);
    return home.once(`s${x.id}`, of, () => [this.scalarValue(x, home)])[0]!;
  }

  private scalarValue(x: Exclude<Expr, { op: 'const' | 'index' | 'size' | 'local' }>, home: Scope): Code {
    if (x.op === 'load') return scalarLoad(this, x, home);
    const args = x.args.map((arg, i) => {
      const branch = this.branches.get(x)?.get(i);
      return branch && !this.begun.has(branch) ? this.rarely(branch, arg, false)[0]! : this.scalar(arg);
    });
    return home.put(scalarType(x.dtype), x.op === 'call' ? this.called(x.name, args) : this.applied(x, args));
  }

  private called(name: string, args: readonly Code[]): Code {
    return call(this.options.calls(name, args.length), ...args);
  }

  private applied(x: Apply, args: readonly Code[]): Code {
    if (!isFloatRemainder(x)) {
      const by = x.args[1];
      // Integers by a constant: the compiler multiplies, and nothing can trap.
      if (by?.op === 'const' && by.value > 0) {
        const [a, b] = args as readonly [Code, Code];
        if (x.fn === 'quotient') return i32.divU(a, b);
        if (x.fn === 'remainder') return i32.remU(a, b);
      }
      return scalarOp(x.fn, x.dtype, x.args[0]!.dtype, args, this.options.relaxed);
    }
    if (x.dtype === 'float64') return this.called('rem', args);
    return f32.demoteF64(this.called('rem', args.map(f64.promoteF32)));
  }

  /** The vectors of a value. */
  vector(x: Expr): readonly Code[] {
    const { fold } = this.scope.lanes!;
    if (!this.varies(x)) return new Array<Code>(fold).fill(this.splat(x));
    if (x.op === 'local') return this.scope.registers(x.local).map(get);
    const of = dependence(x);
    const home = this.scope.home(of, `v${x.id}`);
    return home.once(`v${x.id}`, of, () => this.vectorValue(x, home));
  }

  /** The same value in all lanes. */
  private splat(x: Expr): Code {
    if (x.op === 'const') return x.dtype === 'float64' ? this.double(x.value) : this.word(wordOf(x.value, x.dtype));
    const of = dependence(x);
    const home = this.scope.home(of, `p${x.id}`);
    return home.once(`p${x.id}`, of, () => {
      if (x.op === 'load' && !x.guard && x.dtype !== 'bool') return [home.put('v128', splatLoad(this, x))];
      const value = this.scalar(x);
      const { dtype } = x;
      if (dtype === 'float32') return [home.put('v128', f32x4.splat(value))];
      if (dtype === 'float64') return [home.put('v128', f64x2.splat(value))];
      return [home.put('v128', i32x4.splat(dtype === 'bool' ? i32.sub(i32.const(0), value) : value))];
    })[0]!;
  }

  private vectorValue(x: Expr, home: Scope): readonly Code[] {
    const { lanes, fold, rows } = home.lanes!;
    if (x.op === 'index') {
      const first = i32x4.splat(get(this.scope.counter(x.index)));
      if (rows === x.index) {
        return Array.from({ length: fold }, (_, u) => home.put('v128', i32x4.add(first, i32x4.splat(i32.const(u)))));
      }
      if (rows) {
        return new Array<Code>(fold).fill(home.put('v128', i32x4.add(first, v128.constI32(0, 1, 2, 3))));
      }
      return Array.from({ length: fold }, (_, u) => {
        const from = u * lanes;
        return home.put('v128', i32x4.add(first, v128.constI32(from, from + 1, from + 2, from + 3)));
      });
    }
    if (x.op === 'load') return vectorLoad(this, x, home);
    if (x.op === 'call') return this.laneByLane(x.args, 'float64', home, (args) => this.called(x.name, args));
    if (x.op !== 'apply') throw new Error(`${x.op} is the same in all lanes`);
    return this.vectorApplied(x, home);
  }

  private vectorApplied(x: Apply, home: Scope): readonly Code[] {
    const [a, b] = x.args as readonly [Expr, Expr];
    if (isFloatRemainder(x) || x.fn === 'clz') {
      return this.laneByLane(x.args, x.dtype, home, (args) => this.applied(x, args));
    }
    if (x.fn === 'rem' || x.fn === 'remainder') {
      const whole = apply(x.fn === 'rem' ? 'div' : 'quotient', x.dtype, a, b);
      return this.vector(op('sub', a, op('mul', whole, b)));
    }
    if (x.fn === 'shift_left' || x.fn === 'shift_right_logical' || x.fn === 'shift_right_arithmetic') {
      if (this.varies(b)) return this.laneByLane(x.args, x.dtype, home, (args) => this.applied(x, args));
      return this.shifted(x, this.vector(a), home);
    }
    const args = x.args.map((arg, i) => {
      const branch = this.branches.get(x)?.get(i);
      const varies =
        branch && !this.begun.has(branch) && [branch.condition, ...branch.values].some((y) => this.varies(y));
      return varies ? this.rarely(branch, arg, true) : this.vector(arg);
    });
    const context = {
      lanes: home.lanes!.lanes,
      relaxed: this.options.relaxed,
      word: (value: number) => this.word(value),
      double: (value: number) => this.double(value),
    };
    // A conversion that changes nothing makes no copy.
    const made: Code[] = [];
    for (let u = 0; u < home.lanes!.fold; u++) {
      const own = args.map((codes) => codes[u]!);
      const code = vectorOp(x, own, context);
      if (!code) throw new Error(`no vector code of ${x.fn} of ${a.dtype}`);
      made.push(code === own[0] ? code : home.put('v128', code));
    }
    return made;
  }

  /** One of the values of a branch, which are computed together, if they are wanted: by any lane if there are lanes. */
  private rarely(branch: Branch, value: Expr, lanes: boolean): readonly Code[] {
    const { condition, wanted, values, shared } = branch;
    const of = together([condition, ...values].map(dependence));
    const key = `${lanes ? 'b' : 'c'}${wanted}${condition.id}:${values.map((x) => x.id).join()}`;
    const home = this.scope.home(of, key);
    const compute = (x: Expr): readonly Code[] => (lanes ? this.vector(x) : [this.scalar(x)]);
    const all = home.once(key, of, () => {
      this.begun.add(branch);
      const test = this.test(condition, wanted, lanes);
      for (const x of shared) if (x.op !== 'const' && (!lanes || this.varies(x))) compute(x);
      const fold = lanes ? home.lanes!.fold : 1;
      const type = (x: Expr) => (lanes ? 'v128' : scalarType(x.dtype));
      const registers = values.map((x) => Array.from({ length: fold }, () => home.register(type(x))));
      const block = new Scope(this.func, home, { branch: true });
      const outer = this.scope;
      this.scope = block;
      values.forEach((x, i) => {
        compute(x).forEach((code, u) => {
          block.code.push(set(registers[i]![u]!, code));
        });
      });
      this.scope = outer;
      block.close();
      this.begun.delete(branch);
      home.code.push(when(test, sequence(...block.code)));
      return registers.flat().map(get);
    });
    const fold = all.length / values.length;
    return all.slice(values.indexOf(value) * fold, (values.indexOf(value) + 1) * fold);
  }

  /** Is the condition as it is wanted, in any lane? Lanes beside those that count may say so too. */
  private test(condition: Expr, wanted: boolean, lanes: boolean): Code {
    if (!lanes || !this.varies(condition)) {
      const one = this.scalar(condition);
      return wanted ? one : i32.eqz(one);
    }
    const masks = this.vector(condition);
    return wanted ? v128.anyTrue(masks.reduce(v128.or)) : i32.eqz(i32x4.allTrue(masks.reduce(v128.and)));
  }

  /** By a count that is the same in all lanes. */
  private shifted(x: Apply, values: readonly Code[], home: Scope): readonly Code[] {
    const by = x.args[1]!;
    const count = this.scalar(by);
    const fits = i32.ltU(count, i32.const(32));
    if (x.fn === 'shift_right_arithmetic') {
      const bounded = by.op === 'const' ? i32.const(Math.min(by.value >>> 0, 31)) : select(count, i32.const(31), fits);
      return values.map((value) => home.put('v128', i32x4.shrS(value, bounded)));
    }
    const shift = x.fn === 'shift_left' ? i32x4.shl : i32x4.shrU;
    if (by.op === 'const') {
      const out = by.value >>> 0 > 31;
      return values.map((value) => (out ? this.word(0) : home.put('v128', shift(value, i32.const(by.value)))));
    }
    const kept = home.put('v128', i32x4.splat(i32.sub(i32.const(0), fits)));
    return values.map((value) => home.put('v128', v128.and(shift(value, count), kept)));
  }

  /** What no vector instruction does. */
  private laneByLane(
    xs: readonly Expr[],
    dtype: DType,
    home: Scope,
    of: (args: readonly Code[]) => Code,
  ): readonly Code[] {
    const { lanes, fold } = home.lanes!;
    const operands = xs.map((x) => (this.varies(x) ? this.vector(x) : this.scalar(x)));
    return Array.from({ length: fold }, (_, u) => {
      const results = Array.from({ length: lanes }, (_, l) => {
        const args = operands.map((operand, i) => {
          const { dtype } = xs[i]!;
          return typeof operand === 'function' ? operand : home.put(scalarType(dtype), lane(operand[u]!, dtype, l));
        });
        return home.put(scalarType(dtype), of(args));
      });
      return home.put('v128', assembled(results, dtype));
    });
  }
}

/** An element of a vector. */
export function lane(vector: Code, dtype: DType, l: number): Code {
  if (dtype === 'float64') return f64x2.extractLane(vector, l);
  if (dtype === 'float32') return f32x4.extractLane(vector, l);
  const word = i32x4.extractLane(vector, l);
  return dtype === 'bool' ? i32.and(word, i32.const(1)) : word;
}

function assembled(elements: readonly Code[], dtype: DType): Code {
  const type = dtype === 'float64' ? f64x2 : dtype === 'float32' ? f32x4 : i32x4;
  const [first, ...others] = elements as readonly [Code, ...Code[]];
  const vector = others.reduce((v, x, l) => type.replaceLane(v, l + 1, x), type.splat(first));
  return dtype === 'bool' ? i32x4.neg(vector) : vector;
}
