/** Loops and branches in random programs: their bodies are decoded from the gene's body. */

import { type Aval, makeAval } from '../../src/core/aval.ts';
import { isFloat } from '../../src/core/dtype.ts';
import { noParams } from '../../src/core/primitive.ts';
import { firstOrder as p } from '../../src/prim/registry.ts';
import { condP } from '../../transforms/cond.ts';
import { scanP } from '../../transforms/scan.ts';
import { whileP } from '../../transforms/while.ts';
import { hostTensor } from '../host.ts';
import { type Draft, jaxprOf, type Op, type Operand } from './program.ts';

const int = (value: number): Operand => hostTensor([], 'int32', [value]);

const alike = (a: Aval, b: Aval): boolean => a.dtype === b.dtype && a.shape.join() === b.shape.join();

/** The latest value of a type. */
const latest = (draft: Draft, like: Aval): number => draft.visible().find((i) => alike(draft.avals[i]!, like))!;

/** Something that stays moderate however often it is done: the sine, or the value itself where programs are linear or exact. */
type Settle = (draft: Draft, x: number) => number;

const itself: Settle = (_, x) => x;
const sine: Settle = (draft, x) => (isFloat(draft.avals[x]!.dtype) ? draft.hide(draft.emit(p.sin, [x], noParams)) : x);

/** A loop that carries one value, captures another, and takes slices of a third if there is one to slice. */
const scanning =
  (settle: Settle): Op =>
  (d) => {
    const carry = d.pick(() => true)!;
    const captured = d.pick(() => true)!;
    const sliced = d.pick(({ shape, size }) => shape.length > 0 && size > 0 && shape[0]! <= 3);
    const length = sliced === null ? d.next(2) : d.avals[sliced]!.shape[0]!;
    const operands = sliced === null ? [captured, carry] : [captured, carry, sliced];
    const ins = operands.map((x, i) => {
      const { shape, dtype, weak } = d.avals[x]!;
      return i === 2 ? makeAval(shape.slice(1), dtype, weak) : d.avals[x]!;
    });
    const body = d.inside(ins);
    const next = settle(body, latest(body, ins[1]!));
    const [top] = body.visible();
    const jaxpr = jaxprOf(body.returning(d.fits(3 * body.avals[top!]!.size) ? [next, top!] : [next]));
    d.emit(scanP, operands, { jaxpr, consts: 1, carry: 1, length, reverse: d.next(1) === 1 });
  };

/** A choice between a body and its first operand. */
const choosing: Op = (d) => {
  const x = d.pick(() => true)!;
  const other = d.pick(() => true)!;
  const ins = [d.avals[x]!, d.avals[other]!];
  const [taken, skipped] = [d.inside(ins), d.inside(ins, [])];
  const branches = [skipped.returning([0]), taken.returning([latest(taken, ins[0]!)])].map(jaxprOf);
  d.emit(condP, [d.pick(({ dtype, shape }) => dtype === 'int32' && shape.length === 0) ?? int(d.next(2)), x, other], {
    branches,
  });
};

/** A loop with a counter and a bound. */
const repeating: Op = (d) => {
  const x = d.pick(() => true)!;
  const counter = makeAval([], 'int32');
  const ins = [counter, d.avals[x]!];
  const body = d.inside(ins);
  const next = body.hide(body.emit(p.add, [0, int(1)], noParams));
  const test = d.inside(ins, []);
  const holds = test.hide(test.emit(p.lt, [0, int(d.next(2))], noParams));
  d.emit(whileP, [int(0), x], {
    cond: jaxprOf(test.returning([holds])),
    body: jaxprOf(body.returning([next, latest(body, ins[1]!)])),
    condConsts: 0,
    bodyConsts: 0,
  });
};

/** Control flow in smooth programs. */
export const smoothControl: readonly Op[] = [scanning(sine), choosing];
/** In linear ones. */
export const linearControl: readonly Op[] = [scanning(itself), choosing];
/** In any. */
export const exactControl: readonly Op[] = [scanning(itself), choosing, repeating];
