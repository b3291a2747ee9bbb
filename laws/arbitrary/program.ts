/**
 * Arbitrary programs: well typed by construction, and shrinking by dropping equations and lengths.
 *
 * A program is decoded from *genes*, lists of small numbers: each gene chooses an operation among those that fit the values
 * there are, its operands among those values (0 is the latest) and its parameters. Any list of genes is a program, so
 * fast-check shrinks it by leaving genes out, and what remains is decoded anew.
 */

import * as fc from 'fast-check';
import type { Aval } from '../../src/core/aval.ts';
import { makeAval } from '../../src/core/aval.ts';
import type { DType } from '../../src/core/dtype.ts';
import { constsAsInputs, type Jaxpr } from '../../src/core/jaxpr.ts';
import { showJaxprInline } from '../../src/core/pretty.ts';
import type { Primitive } from '../../src/core/primitive.ts';
import { range } from '../../src/core/shape.ts';
import { stage } from '../../src/core/stage.ts';
import { bind } from '../../src/core/trace.ts';
import type { Value } from '../../src/core/value.ts';
import { scalar } from '../../src/prim/compose.ts';
import { broadcastInDimP } from '../../src/prim/structural.ts';
import { jitP } from '../../transforms/call.ts';
import { type HostTensor, hostTensor } from '../host.ts';
import { maxSize, type ShapeOptions, shape } from './shape.ts';

/** An operand: a value computed before, by number, or a scalar constant. */
export type Operand = number | HostTensor;

/** One application of a primitive. */
export interface Step {
  readonly primitive: Primitive;
  readonly params: unknown;
  readonly operands: readonly Operand[];
}

/** A function on values, as data. The values are numbered: inputs first, then the results of the steps in order. */
export interface Program {
  readonly ins: readonly Aval[];
  readonly steps: readonly Step[];
  readonly outs: readonly number[];
  /** Run it under the current trace. */
  readonly apply: (...args: readonly Value[]) => readonly Value[];
  readonly outAvals: readonly Aval[];
}

/** The numbers that one choice is made of. */
export interface Gene {
  readonly op: number;
  readonly picks: readonly number[];
  readonly numbers: readonly number[];
  readonly body: readonly Gene[];
}

/** An operation of random programs: adds steps to the draft, or none if nothing fits. */
export type Op = (draft: Draft) => void;

/** A program under construction, and the gene that is being decoded. */
export class Draft {
  readonly avals: Aval[];
  readonly steps: Step[] = [];
  private readonly ops: readonly Op[];
  /** How many of the values are inputs. */
  readonly inputs: number;
  private readonly hidden = new Set<number>();
  private gene: Gene = { op: 0, picks: [], numbers: [], body: [] };
  private picked = 0;
  private counted = 0;

  constructor(ins: readonly Aval[], ops: readonly Op[]) {
    this.avals = [...ins];
    this.inputs = ins.length;
    this.ops = ops;
  }

  decode(genes: readonly Gene[]): void {
    for (const gene of genes) {
      this.gene = gene;
      this.picked = 0;
      this.counted = 0;
      this.ops[gene.op % this.ops.length]!(this);
    }
  }

  /** A value that passes the test, or `null` if there is none. */
  pick(test: (aval: Aval) => boolean): number | null {
    const fitting = this.avals.flatMap((aval, i) => (test(aval) && !this.hidden.has(i) ? [i] : []));
    if (fitting.length === 0) return null;
    const choice = this.gene.picks[this.picked++ % this.gene.picks.length]! % fitting.length;
    return fitting[fitting.length - 1 - choice]!;
  }

  /** A value of the aval of `index`; possibly itself. */
  pickLike(index: number): number {
    const { shape: s, dtype } = this.avals[index]!;
    return this.pick((a) => a.dtype === dtype && a.shape.join() === s.join())!;
  }

  /** A number from 0 to `max`. */
  next(max: number): number {
    return this.gene.numbers[this.counted++ % this.gene.numbers.length]! % (max + 1);
  }

  /** Add an equation; returns the number of its first result. */
  emit<P>(primitive: Primitive<string, P>, operands: readonly Operand[], params: NoInfer<P>): number {
    const ins = operands.map((x) => (typeof x === 'number' ? this.avals[x]! : makeAval(x.shape, x.dtype, x.weak)));
    const outs = primitive.abstractEval(ins, params);
    this.steps.push({ primitive: primitive as Primitive, params, operands });
    return this.avals.push(...outs) - outs.length;
  }

  /** A scalar constant in the shape of `index`. */
  constantLike(index: number, value: number): Operand {
    const { shape: s, dtype } = this.avals[index]!;
    const constant = hostTensor([], dtype, [value]);
    if (s.length === 0) return constant;
    return this.hide(this.emit(broadcastInDimP, [constant], { shape: s, broadcastDimensions: [] }));
  }

  /** Take a value out of those that are picked: one that depends on no input. */
  hide(index: number): number {
    this.hidden.add(index);
    return index;
  }

  /** A call of the program that the gene's body encodes, on values of this one. */
  call(): void {
    const count = Math.min(this.avals.length, 1 + this.next(2));
    const operands = Array.from({ length: count }, () => this.pick(() => true)!);
    const inner = this.inside(operands.map((i) => this.avals[i]!));
    this.emit(jitP, operands, { name: 'inner', jaxpr: jaxprOf(inner.finish(this.next(1) + 1)) });
  }

  /** A program inside of this one, on inputs of these avals, decoded from the gene's body. */
  inside(ins: readonly Aval[], genes = this.gene.body): Draft {
    const inner = new Draft(ins, this.ops);
    inner.decode(genes);
    return inner;
  }

  /** Does a tensor of this shape belong into a law? */
  fits(size: number): boolean {
    return size <= maxSize;
  }

  /** The values that may be picked, the latest first. */
  visible(): readonly number[] {
    return range(this.avals.length)
      .filter((i) => !this.hidden.has(i))
      .reverse();
  }

  /** The program that returns the last `count` values. */
  finish(count: number): Program {
    return this.returning(this.visible().slice(0, count));
  }

  /** The program that returns these values. */
  returning(outs: readonly number[]): Program {
    return program(this.avals.slice(0, this.inputs), [...this.steps], outs, this.avals);
  }
}

function program(
  ins: readonly Aval[],
  steps: readonly Step[],
  outs: readonly number[],
  avals: readonly Aval[],
): Program {
  const apply = (...args: readonly Value[]): readonly Value[] => {
    const env = [...args];
    for (const { primitive, params, operands } of steps) {
      const values = operands.map((x) => (typeof x === 'number' ? env[x]! : scalar(x.data[0]!, x.dtype, x.weak)));
      env.push(...bind(primitive, values, params));
    }
    return outs.map((i) => env[i]!);
  };
  const self: Program = { ins, steps, outs, apply, outAvals: outs.map((i) => avals[i]!) };
  return Object.defineProperty(self, fc.toStringMethod, { value: () => showJaxprInline(jaxprOf(self)) });
}

/** The program as a jaxpr without constants. */
export function jaxprOf({ ins, apply }: Program): Jaxpr {
  const { jaxpr, consts } = stage('program', apply, ins);
  if (consts.length > 0) throw new Error('constants of random programs are scalars, which become literals');
  return constsAsInputs(jaxpr);
}

/** Which programs. */
export interface ProgramOptions {
  readonly ops: readonly Op[];
  /** The dtypes of the inputs. */
  readonly dtypes: readonly DType[];
  /** Genes at most; default 8. */
  readonly maxSteps?: number;
  readonly maxInputs?: number;
  /** The shapes of inputs; default: of at most three axes, none empty. */
  readonly shape?: ShapeOptions;
}

const small = fc.nat({ max: 63 });

/** Half of the operands are the latest value that fits, so that programs are deep. */
const pick = fc.oneof(fc.constant(0), small);

const simple: fc.Arbitrary<Gene> = fc.record({
  op: fc.nat({ max: 1023 }),
  picks: fc.array(pick, { minLength: 3, maxLength: 3 }),
  numbers: fc.array(small, { minLength: 8, maxLength: 8 }),
  body: fc.constant([]),
});

const gene: fc.Arbitrary<Gene> = fc.record({
  op: fc.nat({ max: 1023 }),
  picks: fc.array(pick, { minLength: 3, maxLength: 3 }),
  numbers: fc.array(small, { minLength: 8, maxLength: 8 }),
  body: fc.array(simple, { maxLength: 3, size: 'max' }),
});

/** The choices of a program of at most `maxSteps` operations. */
export const genes = (maxSteps: number): fc.Arbitrary<readonly Gene[]> =>
  fc.array(gene, { minLength: 1, maxLength: maxSteps, size: 'max' });

/** A program of these operations, of one to three results, the last value among them. */
export const programs = ({
  ops,
  dtypes,
  maxSteps = 8,
  maxInputs = 3,
  shape: lengths = { maxRank: 3, empty: false },
}: ProgramOptions): fc.Arbitrary<Program> =>
  fc
    .tuple(
      // Inputs share one shape more often than not, so that binary operations find partners.
      fc.array(fc.tuple(fc.nat({ max: 2 }), fc.constantFrom(...dtypes)), { minLength: 1, maxLength: maxInputs }),
      fc.array(shape(lengths), { minLength: 2, maxLength: 2 }),
      genes(maxSteps),
      fc.integer({ min: 1, max: 3 }),
    )
    .map(([inputs, shapes, genes, outs]) => {
      const draft = new Draft(
        inputs.map(([which, d]) => makeAval(shapes[which === 2 ? 1 : 0]!, d)),
        ops,
      );
      draft.decode(genes);
      return draft.finish(outs);
    });
