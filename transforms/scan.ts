/**
 * `scan`: a loop of known length that carries values from step to step, takes a slice of its inputs at each, and stacks what the
 * steps return. Its body is one program, so the size of a program does not depend on the length of its loops.
 *
 * Operands, and the inputs of the body, come in three parts: constants of the loop, the carry, and the inputs that are sliced.
 * Each rule is the same loop over a transformed body (`scan-bodies.ts`): with tangents beside values; with residuals among what
 * is stacked; backwards, with cotangents for a carry and sums of the cotangents of constants beside them; with a batch axis.
 */

import { type Aval, compatible, makeAval, showAval } from '../src/core/aval.ts';
import { isFloat } from '../src/core/dtype.ts';
import { CheckError } from '../src/core/errors.ts';
import { type Atom, evalJaxpr, inAvals, outAvals } from '../src/core/jaxpr.ts';
import { type Hole, isHole, type Primitive } from '../src/core/primitive.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { zeros } from '../src/prim/compose.ts';
import { batchAt } from '../src/prim/define.ts';
import { moveAxis } from '../src/prim/structural.ts';
import { count, isPresent, present, reader, where } from './bodies.ts';
import { type Derived, mask, spread } from './call.ts';
import {
  filled,
  isInvariant,
  jvpBody,
  linearCarries,
  linearizeBody,
  type Parts,
  partsOf,
  rememberBody,
  type ScanParams,
  scanParams,
  transposeBody,
  vmapBody,
  withoutDead,
} from './scan-bodies.ts';

export type { ScanParams } from './scan-bodies.ts';

/** A scan over a body that a rule has made. */
export const scanOver = (
  { jaxpr, consts: captured }: Derived,
  [consts, carry, xs]: Parts<Value>,
  { length, reverse }: { readonly length: number; readonly reverse: boolean },
): readonly Value[] =>
  bind(scanP, [...captured, ...consts, ...carry, ...xs], {
    jaxpr,
    consts: captured.length + consts.length,
    carry: carry.length,
    length,
    reverse,
  });

/** A scan that returns, for each step, what is known of the carry at its beginning. */
function knownCarries(params: ScanParams, isKnown: readonly boolean[], operands: readonly (Value | Hole)[]) {
  const { jaxpr, consts } = params;
  const { body, takes } = rememberBody('known', params, mask(isKnown), () => {
    const before = where(jaxpr.ins.slice(consts, consts + params.carry), isKnown);
    const after = where(jaxpr.outs.slice(0, params.carry), isKnown);
    const pruned = withoutDead({ ...jaxpr, outs: [...after, ...before] }, false);
    const read = new Set<Atom>([...pruned.outs, ...pruned.eqns.flatMap((eqn) => eqn.ins)]);
    const keeps = jaxpr.ins.map((v, i) => read.has(v) || (i >= consts && isKnown[i - consts] === true));
    return { body: { jaxpr: { ...pruned, ins: where(pruned.ins, keeps) }, consts: [] }, takes: keeps };
  });
  const [c, k, xs] = partsOf(takes, params).map((flags, i) => where(partsOf(operands, params)[i]!, flags) as Value[]);
  return scanOver(body, [c!, k!, xs!], params).slice(count(isKnown));
}

const misfit = (problem: string): CheckError => new CheckError({ op: 'scan', problem });

/** One step of `aval`, whose first axis is that of the steps. */
export const stepOf = ({ shape, dtype, weak }: Aval): Aval => makeAval(shape.slice(1), dtype, weak);

export const scanP: Primitive<'scan', ScanParams> = {
  name: 'scan',
  params: scanParams,
  abstractEval(ins, params) {
    const { jaxpr, consts, carry, length } = params;
    const [before, after] = [inAvals(jaxpr), outAvals(jaxpr)];
    if (length < 0 || consts < 0 || carry < 0 || consts + carry > before.length || carry > after.length) {
      throw misfit(`the body does not have ${consts} constants and ${carry} carries, or ${length} is no length`);
    }
    if (ins.length !== before.length) throw misfit(`the body takes ${before.length} operands, got ${ins.length}`);
    const [, carries] = partsOf(before, params);
    ins.forEach((aval, i) => {
      const isSliced = i >= consts + carry;
      if (isSliced && aval.shape[0] !== length) throw misfit(`${showAval(aval)} does not have ${length} steps`);
      if (compatible(isSliced ? stepOf(aval) : aval, before[i]!)) return;
      throw misfit(`operand ${i} is ${showAval(aval)}, the body takes ${showAval(before[i]!)}`);
    });
    carries.forEach((aval, i) => {
      if (!compatible(aval, after[i]!)) {
        throw misfit(`carry ${i} is ${showAval(aval)} before a step and ${showAval(after[i]!)} after it`);
      }
    });
    return after.map(({ shape, dtype, weak }, i) =>
      i < carry ? makeAval(shape, dtype, weak && carries[i]!.weak) : makeAval([length, ...shape], dtype, weak),
    );
  },
  jvp(primals, tangents, params) {
    const { body, active, ys } = jvpBody(params, isPresent(tangents));
    const [pc, pk, px] = partsOf(primals, params);
    const [tc, tk, tx] = partsOf(tangents, params);
    const results = scanOver(
      body,
      [
        [...pc, ...present(tc)],
        [...pk, ...filled(tk, active[1], pk)],
        [...px, ...present(tx)],
      ],
      params,
    );
    const take = reader(results);
    const carry = take(params.carry);
    const carryTangents = spread(active[1], take(count(active[1])));
    return {
      outs: [...carry, ...take(ys.length)],
      tangents: [...carryTangents, ...spread(ys, take(count(ys)))],
    };
  },
  transpose(cotangents, operands, params) {
    const holes = operands.map(isHole);
    const linear = linearCarries(params, holes);
    const given = cotangents.map((ct, i) => ct !== null && (i >= params.carry || linear[i]!));
    const isKnown = linear.map((flag) => !flag);
    const sequence = isKnown.includes(true) ? knownCarries(params, isKnown, operands) : [];
    const { body, summed, alive, xs } = transposeBody(params, holes, given);
    const values = (part: readonly (Value | Hole)[]): readonly Value[] => part.filter((x): x is Value => !isHole(x));
    const [oc, ok, ox] = partsOf(operands, params);
    const results = scanOver(
      body,
      [
        values(oc),
        [...where(oc, summed).map((x) => zeros(x.aval)), ...filled(cotangents, alive, ok)],
        [...sequence, ...values(ox), ...present(cotangents.slice(params.carry))],
      ],
      { length: params.length, reverse: !params.reverse },
    );
    const take = reader(results);
    const dc = spread(summed, take(count(summed)));
    const dk = spread(alive, take(count(alive)));
    const dx = spread(xs, take(count(xs)));
    return [...dc, ...dk, ...dx].map((ct, i) => (holes[i] ? ct : null));
  },
  vmap(size, operands, dims, params) {
    const { consts, carry } = params;
    // The batch of what is sliced stands behind the axis of the steps.
    const placed = operands.map((x, i) => (i < consts + carry || dims[i] === null ? x : moveAxis(x, dims[i]!, 1)));
    const avals = placed.map((x, i) => (i < consts + carry ? x.aval : stepOf(x.aval)));
    const { body, active, ys } = vmapBody(params, size, dims, avals);
    const [pc, pk, px] = partsOf(placed, params);
    const carries = pk.map((x, i) => (active[i] ? batchAt(size, x, dims[consts + i]!, 0) : x));
    const outs = scanOver(body, [pc, carries, px], params);
    return {
      outs,
      dims: [...active.map((flag) => (flag ? 0 : null)), ...ys.map((dim) => (dim === null ? null : dim + 1))],
    };
  },
  higherOrder: {
    jaxprs: ({ jaxpr }) => [jaxpr],
    linearize(primals, given, params) {
      const floats = given.map((flag, i) => flag && isFloat(primals[i]!.dtype));
      const { hoist, forward, sources, linear, active, ys } = linearizeBody(params, floats);
      const operands = [...forward.consts, ...primals];
      const hoisted = hoist ? evalJaxpr(hoist, [], operands) : [];
      const [pc, pk, px] = partsOf(primals, params);
      const results = scanOver(forward, [[...pc, ...hoisted], pk, px], params);
      const outs = results.slice(0, params.jaxpr.outs.length);
      const places = {
        operand: operands,
        hoisted,
        x: px,
        y: outs.slice(params.carry),
        extra: results.slice(outs.length),
      };
      const fixed = sources.filter(isInvariant).length;
      return {
        outs,
        residuals: sources.map(({ kind, at }) => places[kind][at]!),
        linear: (residuals, tangents) => {
          const [tc, tk, tx] = partsOf(tangents, params);
          if (linear.jaxpr.outs.length === 0) return [...tk.map(() => null), ...ys.map(() => null)];
          const found = scanOver(
            linear,
            [
              [...residuals.slice(0, fixed), ...present(where(tc, active[0]))],
              filled(tk, active[1], pk),
              [...residuals.slice(fixed), ...present(where(tx, active[2]))],
            ],
            params,
          );
          const take = reader(found);
          return [...spread(active[1], take(count(active[1]))), ...spread(ys, take(count(ys)))];
        },
      };
    },
  },
};
