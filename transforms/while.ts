/**
 * `while`: a loop whose length is found as it runs. It has a forward derivative; reverse mode would need what every step has
 * computed, for a number of steps that no program can state in advance.
 *
 * Operands come in three parts: constants of the predicate, constants of the body, and the carry. In a batch whose lanes stop at
 * different steps the loop runs until all have stopped. A lane that has stopped keeps its carry, and what is computed for it is
 * computed from the operands of a lane that still runs, so that it stays finite in value and derivative.
 */

import * as t from 'io-ts';
import { compatible, makeAval, showAval } from '../src/core/aval.ts';
import { unobserved } from '../src/core/eager.ts';
import { CheckError, DTypeError } from '../src/core/errors.ts';
import { identityOf } from '../src/core/identity.ts';
import { inAvals, isObserved, type Jaxpr, makeVar, outAvals } from '../src/core/jaxpr.ts';
import { int } from '../src/core/params.ts';
import type { BatchDim, Primitive } from '../src/core/primitive.ts';
import { bind } from '../src/core/trace.ts';
import type { Value } from '../src/core/value.ts';
import { convertElementType } from '../src/prim/arithmetic.ts';
import { select } from '../src/prim/compare.ts';
import { scalar } from '../src/prim/compose.ts';
import { batchAt } from '../src/prim/define.ts';
import { dynamicSlice } from '../src/prim/dynamic.ts';
import { argmax, reduceOr } from '../src/prim/reduce.ts';
import { broadcastInDim } from '../src/prim/structural.ts';
import { unflatten } from '../src/tree/tree.ts';
import {
  type AsTuple,
  count,
  derive,
  flattenScalars,
  isPresent,
  present,
  reader,
  traceCarrying,
  type Weakly,
} from './bodies.ts';
import { asFunction, type Derived, jaxprCodec, remember, spread } from './call.ts';
import { type Body, filled, jvpBody, vmapBody } from './scan-bodies.ts';
import { vmapFlat } from './vmap.ts';

const whileParams = t.readonly(t.strict({ cond: jaxprCodec, body: jaxprCodec, condConsts: int, bodyConsts: int }));

/** What a loop says: the predicate, the body, and how many inputs of each are its constants. */
export type WhileParams = t.TypeOf<typeof whileParams>;

/** What belongs to the constants of the predicate, those of the body, and the carry. */
export const partsOfWhile = <A>(all: readonly A[], { condConsts, bodyConsts }: WhileParams) =>
  [
    all.slice(0, condConsts),
    all.slice(condConsts, condConsts + bodyConsts),
    all.slice(condConsts + bodyConsts),
  ] as const;

/** A loop over a predicate and a body, each with what it captures before its constants. */
export const whileOver = (
  cond: Derived,
  body: Derived,
  [condConsts, bodyConsts, carry]: readonly (readonly Value[])[],
): readonly Value[] =>
  bind(whileP, [...cond.consts, ...condConsts!, ...body.consts, ...bodyConsts!, ...carry!], {
    cond: cond.jaxpr,
    body: body.jaxpr,
    condConsts: cond.consts.length + condConsts!.length,
    bodyConsts: body.consts.length + bodyConsts!.length,
  });

/** The body of the loop, as loops of all kinds have one. */
const bodyOf = ({ body, bodyConsts }: WhileParams): Body => ({
  jaxpr: body,
  consts: bodyConsts,
  carry: body.outs.length,
});

/** The predicate, which does not look at the tangents of the carry behind it. */
const ignoring = (cond: Jaxpr, tangents: readonly Value[]): Jaxpr =>
  remember(cond, `while ignoring ${tangents.map((x) => x.aval.id).join()}`, () => ({
    ...cond,
    ins: [...cond.ins, ...tangents.map((x) => makeVar(x.aval))],
  }));

/** A predicate of each lane in the shape of what has its batch at `dim`. */
const spreadOver = (lanes: Value, x: Value, dim: number): Value => broadcastInDim(lanes, x.shape, [dim]);

/** `x` with the lanes that are not `taken` replaced by one that is, the first; some lane must be. */
export function lanesTaken(taken: Value, x: Value, dim: BatchDim): Value {
  if (dim === null) return x;
  const first = argmax(convertElementType(taken, 'int32'), 0);
  const starts = x.shape.map((_, axis) => (axis === dim ? first : scalar(0, 'int32')));
  const lane = dynamicSlice(
    x,
    starts,
    x.shape.map((n, axis) => (axis === dim ? 1 : n)),
  );
  const axes = x.shape.map((_, axis) => axis);
  return select(spreadOver(taken, x, dim), x, broadcastInDim(lane, x.shape, axes));
}

/** Which carries a batched loop has batched, and its body if the predicate is the same for all lanes. */
function batchOf(size: number, operands: readonly Value[], dims: readonly BatchDim[], params: WhileParams) {
  const [pc, pb, pk] = partsOfWhile(operands, params);
  const [dc, db, dk] = partsOfWhile(dims, params);
  const avals = [...pb, ...pk].map((x) => x.aval);
  const { body, active } = vmapBody(bodyOf(params), size, [...db, ...dk], avals);
  const key = `while vmap ${size} ${dc.join()} ${active.map(Number).join('')} ${pc.map((x) => x.aval.id).join()}`;
  const cond = remember(params.cond, key, () => {
    let dim: BatchDim = null;
    const carries = inAvals(body.jaxpr).slice(inAvals(body.jaxpr).length - active.length);
    const program = derive(
      'while',
      (...args) => {
        const result = vmapFlat(asFunction(params.cond), size, args, [
          ...dc,
          ...active.map((flag) => (flag ? 0 : null)),
        ]);
        dim = result.dims[0]!;
        return result.outs;
      },
      [...pc.map((x) => x.aval), ...carries],
    );
    return { program, dim: dim as BatchDim };
  });
  return { body, active, cond };
}

/** The loop for lanes that stop at different steps: it carries the predicate of each beside the carries of all. */
function lanesApart(size: number, operands: readonly Value[], dims: readonly BatchDim[], params: WhileParams) {
  const { body } = params;
  // What is watched is shown where the loop asks whether any lane runs, and nowhere else.
  const cond = unobserved(params.cond);
  const [pc, pb, pk] = partsOfWhile(operands, params);
  const [dc, db, dk] = partsOfWhile(dims, params);
  // A carry that is handed on unchanged is the same whether a lane runs or not.
  const isFixed = body.outs.map((atom, i) => atom === body.ins[params.bodyConsts + i] && dk[i] === null);
  const batched = isFixed.map((flag) => (flag ? null : 0));
  const carries = pk.map((x, i) => (isFixed[i] ? x : batchAt(size, x, dk[i]!, 0)));
  if (size === 0) return { outs: carries, dims: batched };
  const predicate = (consts: readonly Value[], carry: readonly Value[]): Value => {
    const { outs, dims: at } = vmapFlat(asFunction(cond), size, [...consts, ...carry], [...dc, ...batched]);
    return batchAt(size, outs[0]!, at[0]!, 0);
  };
  const start = predicate(pc, carries);
  const avals = [...pb, ...pc, start, ...carries].map((x) => x.aval);
  const key = `while lanes ${size} ${dims.join()} ${params.bodyConsts} ${avals.map((aval) => aval.id).join()}`;
  const step = remember(body, `${key} ${identityOf(cond)}`, () =>
    derive(
      'while',
      (...args) => {
        const take = reader(args);
        const [consts, condConsts, [runs], carry] = [pb.length, pc.length, 1, pk.length].map(take) as [
          readonly Value[],
          readonly Value[],
          readonly [Value],
          readonly Value[],
        ];
        const safe = [...consts, ...carry].map((x, i) => lanesTaken(runs, x, [...db, ...batched][i]!));
        const stepped = vmapFlat(asFunction(body), size, safe, [...db, ...batched]);
        const next = carry.map((x, i) => {
          if (isFixed[i]) return x;
          return select(spreadOver(runs, x, 0), batchAt(size, stepped.outs[i]!, stepped.dims[i]!, 0), x);
        });
        // A lane that has stopped keeps its carry, of which the predicate says again that it stops.
        return [predicate(condConsts, next), ...next];
      },
      avals,
    ),
  );
  const watched = isObserved(params.cond) ? pc : [];
  const anyRuns = derive(
    'while',
    (...args) => {
      const [runs, ...carry] = args.slice(watched.length);
      if (isObserved(params.cond)) {
        vmapFlat(asFunction(params.cond), size, [...args.slice(0, watched.length), ...carry], [...dc, ...batched]);
      }
      return [reduceOr(runs!, [0])];
    },
    [...watched, start, ...carries].map((x) => x.aval),
  );
  const outs = whileOver(anyRuns, step, [watched, [...pb, ...pc], [start, ...carries]]);
  return { outs: outs.slice(1), dims: batched };
}

const misfit = (problem: string): CheckError => new CheckError({ op: 'while', problem });

export const whileP: Primitive<'while', WhileParams> = {
  name: 'while',
  params: whileParams,
  abstractEval(ins, params) {
    const { cond, body } = params;
    const [pc, pb, pk] = partsOfWhile(ins, params);
    const [before, after] = [inAvals(body), outAvals(body)];
    for (const [name, taken, given] of [
      ['predicate', inAvals(cond), [...pc, ...pk]],
      ['body', before, [...pb, ...pk]],
      ['carry', after, pk],
    ] as const) {
      if (taken.length === given.length && taken.every((aval, i) => compatible(aval, given[i]!))) continue;
      throw misfit(`the ${name} has ${taken.map(showAval).join(', ')}, got ${given.map(showAval).join(', ')}`);
    }
    const [predicate] = outAvals(cond);
    if (cond.outs.length !== 1 || predicate!.dtype !== 'bool' || predicate!.shape.length > 0) {
      throw misfit(`the predicate must return bool[], it returns ${outAvals(cond).map(showAval).join(', ')}`);
    }
    return after.map(({ shape, dtype, weak }, i) =>
      makeAval(shape, dtype, weak && before[params.bodyConsts + i]!.weak),
    );
  },
  jvp(primals, tangents, params) {
    const [pc, pb, pk] = partsOfWhile(primals, params);
    const [, tb, tk] = partsOfWhile(tangents, params);
    const given = isPresent([...tb, ...tk]);
    if (!given.includes(true)) return { outs: bind(whileP, primals, params), tangents: pk.map(() => null) };
    const { body, active } = jvpBody(bodyOf(params), given);
    const dcarry = filled(tk, active[1], pk);
    const cond = { jaxpr: ignoring(params.cond, dcarry), consts: [] };
    const take = reader(whileOver(cond, body, [pc, [...pb, ...present(tb)], [...pk, ...dcarry]]));
    return { outs: take(pk.length), tangents: spread(active[1], take(count(active[1]))) };
  },
  transpose: 'nonlinear',
  irreversible: {
    op: 'whileLoop',
    problem:
      'has no reverse-mode derivative: it would need what every step has computed, and how many steps there are is known only ' +
      'when they have run',
    remedy:
      'use scan, or foriLoop with JS numbers for bounds, if the number of steps is known; else jvp or jacfwd, or stopGradient ' +
      'of what goes in',
  },
  vmap(size, operands, dims, params) {
    const { body, active, cond } = batchOf(size, operands, dims, params);
    if (cond.dim !== null) return lanesApart(size, operands, dims, params);
    const [pc, pb, pk] = partsOfWhile(operands, params);
    const [, , dk] = partsOfWhile(dims, params);
    const carries = pk.map((x, i) => (active[i] ? batchAt(size, x, dk[i]!, 0) : x));
    return { outs: whileOver(cond.program, body, [pc, pb, carries]), dims: active.map((flag) => (flag ? 0 : null)) };
  },
  higherOrder: {
    jaxprs: ({ cond, body }) => [cond, body],
    // The linear program runs the loop again, with tangents: there is no other way to know how often.
    linearize: (primals, _active, params) => ({
      outs: bind(whileP, primals, params),
      residuals: primals,
      linear: (residuals, tangents) => {
        const [, tb, tk] = partsOfWhile(tangents, params);
        if ([...tb, ...tk].every((x) => x === null)) return tk.map(() => null);
        const again = { ...params, cond: unobserved(params.cond), body: unobserved(params.body) };
        return whileP.jvp(residuals, tangents, again).tangents;
      },
    }),
  },
};

/**
 * Repeat `body` as long as `cond` holds: `while (cond(carry)) carry = body(carry)` as one equation.
 *
 * The carry is a tree; a JS number in `init` is a scalar of the dtype that `body` gives it, for which `body` is traced once more:
 * loops in loops that each start from numbers are traced 2ᵈ times at depth d, and from tensors once. It has a forward derivative (`jvp`,
 * `jacfwd`) but none in reverse, as the number of steps is not known before it has run. Under `vmap`, each lane stops when its
 * own predicate is false, and keeps its carry while others go on.
 *
 * @param cond - from the carry to a scalar of dtype bool
 * @throws DTypeError if `cond` returns anything else; TreeError, ShapeError or DTypeError if the carry changes its type
 * @throws NotDifferentiableError in reverse mode
 *
 * @example
 * ```ts
 * import { np, type Tensor, whileLoop } from 'pullback';
 * const root = whileLoop(
 *   (x: Tensor) => np.greater(np.abs(np.sub(np.mul(x, x), 2)), 1e-6),
 *   (x: Tensor) => np.mul(0.5, np.add(x, np.div(2, x))),
 *   1,
 * );
 * console.log(root.item().toFixed(5)); // => 1.41421
 * ```
 */
export function whileLoop<C extends AsTuple>(
  cond: (carry: C) => Value<'bool'> | boolean,
  body: (carry: C) => NoInfer<C>,
  init: C,
): C;
export function whileLoop<C extends AsTuple>(
  cond: (carry: C) => Value<'bool'> | boolean,
  body: (carry: C) => Weakly<NoInfer<C>>,
  init: Weakly<NoInfer<C>>,
): C;
export function whileLoop<C>(
  cond: (carry: C) => Value<'bool'> | boolean,
  body: (carry: C) => unknown,
  init: unknown,
): C {
  return whileFor('whileLoop', cond, body, init);
}

/** {@link whileLoop} for the function `op`, under whose name errors are reported. */
export function whileFor<C>(op: string, cond: (carry: C) => unknown, body: (carry: C) => unknown, init: unknown): C {
  const traced = traceCarrying(op, flattenScalars(init, op, 'init'), [], (carry) => ({
    carry: body(carry as C),
    rest: null,
  }));
  const predicate = derive(
    op,
    (...leaves) => {
      const { leaves: outs } = flattenScalars(cond(unflatten<C>(traced.carryDef, leaves)), op, 'the predicate');
      expectPredicate(op, outs);
      return outs;
    },
    traced.carry.map((_, i) => traced.jaxpr.ins[traced.consts.length + i]!.aval),
  );
  return unflatten<C>(traced.carryDef, whileOver(predicate, traced, [[], [], traced.carry]));
}

/** @throws DTypeError unless this is one scalar of dtype bool */
export function expectPredicate(op: string, outs: readonly Value[]): void {
  const [first] = outs;
  if (outs.length === 1 && first!.dtype === 'bool' && first!.ndim === 0) return;
  const got = outs.length === 1 ? showAval(first!.aval) : `${outs.length} tensors`;
  throw new DTypeError({
    op,
    problem: `the predicate must be a scalar of dtype bool, got ${got}`,
    remedy: 'compare first (np.greater(x, 0), np.notEqual(x, 0)), and reduce with np.all or np.any',
  });
}
