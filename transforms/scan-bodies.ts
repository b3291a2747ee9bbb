/**
 * The bodies that the rules of `scan` make of a body: each is traced once and remembered on it.
 *
 * A derivative (or a batch axis) of a carry spreads until it is closed: what comes out of a step with a tangent must go into the
 * next with one. What is always zero is neither carried nor stacked.
 */

import * as t from 'io-ts';
import { type Aval, makeAval } from '../src/core/aval.ts';
import {
  type Atom,
  constsAsInputs,
  type Eqn,
  evalJaxpr,
  hasEffect,
  inAvals,
  isLiteral,
  type Jaxpr,
  makeVar,
  outAvals,
  type Var,
} from '../src/core/jaxpr.ts';
import { int } from '../src/core/params.ts';
import type { Hole, Tangent } from '../src/core/primitive.ts';
import { stage } from '../src/core/stage.ts';
import type { Value } from '../src/core/value.ts';
import { addTangents, batchAt, instantiate } from '../src/prim/define.ts';
import { closure, count, derive, isPresent, present, reader, where } from './bodies.ts';
import { asFunction, constantPart, type Derived, jaxprCodec, mask, remember, spread, withPrologue } from './call.ts';
import { jvpFlat } from './jvp.ts';
import { linearizeFlat } from './linearize.ts';
import { backwardPass } from './transpose.ts';
import { vmapFlat } from './vmap.ts';

export const scanParams = t.readonly(
  t.strict({ jaxpr: jaxprCodec, consts: int, carry: int, length: int, reverse: t.boolean }),
);

/** What a scan says: the body, how many of its inputs are constants and carry, how many steps, and from which end. */
export type ScanParams = t.TypeOf<typeof scanParams>;

/** A body that carries values: what loops of all kinds have. */
export type Body = Pick<ScanParams, 'jaxpr' | 'consts' | 'carry'>;

/** What belongs to the constants, the carry and the sliced inputs. */
export type Parts<A> = readonly [consts: readonly A[], carry: readonly A[], xs: readonly A[]];

export const partsOf = <A>(all: readonly A[], { consts, carry }: Body): Parts<A> => [
  all.slice(0, consts),
  all.slice(consts, consts + carry),
  all.slice(consts + carry),
];

/** Flags of all inputs of the body, those of the carry grown by `found`, flags of its results. */
const withCarry = (flags: readonly boolean[], found: readonly boolean[], { consts, carry }: Body) =>
  flags.map((flag, i) => flag || (i >= consts && i < consts + carry && found[i - consts]!));

/** Remember a transform of the body: the same body may be the body of different scans. */
export const rememberBody = <A>(name: string, params: Body, key: string, make: () => A): A =>
  remember(params.jaxpr, `scan ${name} ${params.consts} ${params.carry} ${key}`, make);

/** The tangents of what is `active`, with zeros of the types of `like` where they are zero. */
export const filled = (
  tangents: readonly Tangent[],
  active: readonly boolean[],
  like: readonly { readonly aval: Aval }[],
): readonly Value[] => active.flatMap((flag, i) => (flag ? [instantiate(tangents[i]!, like[i]!)] : []));

/** [consts, their tangents | carry, its tangents | xs, their tangents] → [carry, its tangents | ys, their tangents]. */
export function jvpBody(params: Body, given: readonly boolean[]) {
  const { jaxpr, carry } = params;
  return rememberBody('jvp', params, mask(given), () => {
    const parts = partsOf(inAvals(jaxpr), params);
    const { flags, made } = closure(given, (active) => {
      const activeParts = partsOf(active, params);
      let nonzero: readonly boolean[] = [];
      const body = derive(
        'scan',
        (...args) => {
          const take = reader(args);
          const primals: Value[] = [];
          const tangents: Tangent[] = [];
          activeParts.forEach((part) => {
            primals.push(...take(part.length));
            tangents.push(...spread(part, take(count(part))));
          });
          const result = jvpFlat(asFunction(jaxpr), primals, tangents);
          nonzero = isPresent(result.tangents);
          return [
            ...result.outs.slice(0, carry),
            ...filled(result.tangents, activeParts[1], result.outs),
            ...result.outs.slice(carry),
            ...present(result.tangents.slice(carry)),
          ];
        },
        activeParts.flatMap((part, i) => [...parts[i]!, ...where(parts[i]!, part)]),
      );
      return { flags: withCarry(active, nonzero, params), made: { body, nonzero } };
    });
    return { body: made.body, active: partsOf(flags, params), ys: made.nonzero.slice(carry) };
  });
}

/** Where the linear scan finds a residual. */
type ResidualSource =
  /** The same at every step: an operand, or an equation on such that was taken out of the loop. */
  | { readonly kind: 'operand' | 'hoisted'; readonly at: number }
  /** One at each step: a sliced operand, one of the outputs, or a further output. */
  | { readonly kind: 'x' | 'y' | 'extra'; readonly at: number };

export const isInvariant = ({ kind }: ResidualSource): boolean => kind === 'operand' || kind === 'hoisted';

/**
 * The forward body returns residuals as further outputs, which the scan stacks. What is an input or output already is not
 * stacked again; what is the same at every step is computed once, before the loop; what depends on nothing is computed again.
 */
export function linearizeBody(params: Body, given: readonly boolean[]) {
  const { jaxpr, carry } = params;
  return rememberBody('linearize', params, mask(given), () => {
    const { flags, made } = closure(given, (active) => {
      let linear!: Jaxpr;
      let nonzero: readonly boolean[] = [];
      const forward = stage(
        'scan',
        (...args) => {
          const result = linearizeFlat(asFunction(jaxpr), args, active);
          linear = result.linear.jaxpr;
          nonzero = result.nonzero;
          return [...result.outs, ...result.linear.consts];
        },
        inAvals(jaxpr),
      );
      return { flags: withCarry(active, nonzero, params), made: { forward, linear, nonzero } };
    });
    const { forward, linear, nonzero } = made;
    const active = partsOf(flags, params);
    const whole = constsAsInputs(forward.jaxpr);
    const consts = forward.consts.length + params.consts;
    const outs = jaxpr.outs.length;
    const invariant = invariantPart(whole, consts, carry);
    const { eqns: constant, vars } = constantPart(whole);
    const inAt = new Map<Atom, number>(whole.ins.map((v, i) => [v, i]));
    const yAt = new Map<Atom, number>(whole.outs.slice(carry, outs).map((atom, i) => [atom, i]));
    const hoistedAt = new Map<Var, number>();
    const extraAt = new Map<Var, number>();
    const numbered = (places: Map<Var, number>, v: Var): number => {
      if (!places.has(v)) places.set(v, places.size);
      return places.get(v)!;
    };
    const sourceOf = (v: Var): ResidualSource => {
      const at = inAt.get(v);
      if (invariant.has(v)) {
        return at === undefined ? { kind: 'hoisted', at: numbered(hoistedAt, v) } : { kind: 'operand', at };
      }
      if (at !== undefined && at >= consts + carry) return { kind: 'x', at: at - consts - carry };
      const y = yAt.get(v);
      return y === undefined ? { kind: 'extra', at: numbered(extraAt, v) } : { kind: 'y', at: y };
    };
    const prologue = new Map<Var, Atom>();
    const found: (readonly [target: Var, source: ResidualSource])[] = [];
    whole.outs.slice(outs).forEach((atom, i) => {
      const target = linear.consts[i]!;
      if (isLiteral(atom) || vars.has(atom)) prologue.set(target, atom);
      else found.push([target, sourceOf(atom)]);
    });
    const [fixed, sliced] = [found.filter(([, s]) => isInvariant(s)), found.filter(([, s]) => !isInvariant(s))];
    const residuals = [...fixed, ...sliced];
    const program = withPrologue(
      linear,
      residuals.map(([target]) => target),
      constant,
      prologue,
    );
    return {
      hoist: hoistedAt.size === 0 ? null : withoutDead({ ...whole, outs: [...hoistedAt.keys()] }, false),
      forward: { jaxpr: forwardBody(whole, consts, outs, [...hoistedAt.keys()], extraAt), consts: forward.consts },
      sources: residuals.map(([, source]) => source),
      linear: linearBody(program, fixed.length, sliced.length, active, params, nonzero),
      active,
      ys: nonzero.slice(carry),
    };
  });
}

/** What is the same at every step: constants, carries that are handed on unchanged, and what is computed of these alone. */
function invariantPart(body: Jaxpr, consts: number, carry: number): ReadonlySet<Atom> {
  const vars = new Set<Atom>(
    body.ins.filter((v, i) => i < consts + carry && (i < consts || body.outs[i - consts] === v)),
  );
  for (const eqn of body.eqns) {
    if (hasEffect(eqn) || !eqn.ins.every((atom) => isLiteral(atom) || vars.has(atom))) continue;
    for (const v of eqn.outs) vars.add(v);
  }
  return vars;
}

/** The body with `hoisted` as further constants, and further outputs. */
function forwardBody(
  whole: Jaxpr,
  consts: number,
  outs: number,
  hoisted: readonly Var[],
  extra: ReadonlyMap<Var, number>,
): Jaxpr {
  const renamed = new Map<Atom, Var>(hoisted.map((v) => [v, makeVar(v.aval)]));
  const rename = (atom: Atom): Atom => renamed.get(atom) ?? atom;
  return withoutDead({
    consts: [],
    ins: [...whole.ins.slice(0, consts), ...renamed.values(), ...whole.ins.slice(consts)],
    eqns: whole.eqns.map((eqn) => (renamed.size === 0 ? eqn : { ...eqn, ins: eqn.ins.map(rename) })),
    outs: [...whole.outs.slice(0, outs), ...extra.keys()].map(rename),
  });
}

/** The program without equations of which nothing is used, unless somebody watches. */
export function withoutDead(jaxpr: Jaxpr, watched = true): Jaxpr {
  const needed = new Set<Atom>(jaxpr.outs);
  const eqns: Eqn[] = [];
  for (let i = jaxpr.eqns.length - 1; i >= 0; i--) {
    const eqn = jaxpr.eqns[i]!;
    if (!(watched && hasEffect(eqn)) && !eqn.outs.some((v) => needed.has(v))) continue;
    for (const atom of eqn.ins) needed.add(atom);
    eqns.push(eqn);
  }
  return { ...jaxpr, eqns: eqns.reverse() };
}

/** [residuals, tangents of consts | of the carry | residuals of the step, tangents of xs] → [of the carry | of ys]. */
function linearBody(
  program: Jaxpr,
  fixed: number,
  sliced: number,
  [dconsts, dcarry, dxs]: Parts<boolean>,
  params: Body,
  nonzero: readonly boolean[],
): Derived {
  const { jaxpr, carry } = params;
  const [consts, carries, xs] = partsOf(inAvals(jaxpr), params);
  const residuals = inAvals(program);
  return derive(
    'scan',
    (...args) => {
      const take = reader(args);
      const [r, dc, dk, rs, dx] = [fixed, count(dconsts), count(dcarry), sliced, count(dxs)].map(take);
      const results = evalJaxpr(program, [], [...r!, ...rs!, ...dc!, ...dk!, ...dx!]);
      const tangents = spread(nonzero, results);
      return [...filled(tangents, dcarry, jaxpr.outs), ...present(tangents.slice(carry))];
    },
    [
      ...residuals.slice(0, fixed),
      ...where(consts, dconsts),
      ...where(carries, dcarry),
      ...residuals.slice(fixed, fixed + sliced),
      ...where(xs, dxs),
    ],
  );
}

/** Which results of a program depend on the inputs that are flagged. */
function dependents(jaxpr: Jaxpr, flags: readonly boolean[]): readonly boolean[] {
  const vars = new Set<Atom>(where(jaxpr.ins, flags));
  for (const eqn of jaxpr.eqns) {
    if (eqn.ins.some((atom) => vars.has(atom))) for (const v of eqn.outs) vars.add(v);
  }
  return jaxpr.outs.map((atom) => vars.has(atom));
}

/** The carries that have cotangents: those in which the scan is linear, and those that such things flow into. */
export const linearCarries = (params: Body, holes: readonly boolean[]): readonly boolean[] =>
  rememberBody('linear', params, mask(holes), () => {
    const step = (flags: readonly boolean[]) => {
      const found = dependents(params.jaxpr, flags);
      return { flags: withCarry(flags, found, params), made: null };
    };
    return partsOf(closure(holes, step).flags, params)[1];
  });

/**
 * [known consts | sums of cotangents of consts, cotangents of the carry | known carry, known xs, cotangents of ys]
 * → [the sums, of the carry | of xs].
 */
export function transposeBody(params: Body, holes: readonly boolean[], given: readonly boolean[]) {
  const { jaxpr, consts, carry } = params;
  return rememberBody('transpose', params, `${mask(holes)} ${mask(given)}`, () => {
    const isLinear = [...holes];
    linearCarries(params, holes).forEach((flag, i) => {
      isLinear[consts + i] = flag;
    });
    const [lc, lk, lx] = partsOf(isLinear, params);
    const known = (flags: readonly boolean[]): readonly boolean[] => flags.map((flag) => !flag);
    const [ac, ak, ax] = partsOf(inAvals(jaxpr), params);
    const carryIns = partsOf(jaxpr.ins, params)[1];
    const ays = outAvals(jaxpr).slice(carry);
    const presentYs = given.slice(carry);
    // The cotangents of the carry that are not zero at some step, and the constants whose sums are not.
    const start = [...lc.map(() => false), ...given.slice(0, carry).map((flag, i) => flag && lk[i]!)];
    const { flags, made } = closure(start, (active) => {
      const [summed, alive] = [active.slice(0, consts), active.slice(consts)];
      let nonzero: readonly boolean[] = [];
      const body = derive(
        'scan',
        (...args) => {
          const take = reader(args);
          const kc = take(count(known(lc)));
          const sums = spread(summed, take(count(summed)));
          const after = spread(alive, take(count(alive)));
          const values = [kc, take(count(known(lk))), take(count(known(lx)))].flat();
          const ys = spread(presentYs, take(count(presentYs)));
          const next = reader(values);
          const operands = jaxpr.ins.map(({ aval }, i): Value | Hole =>
            isLinear[i] ? { linear: true, aval } : next(1)[0]!,
          );
          const cts = backwardPass(jaxpr, [], operands, [...after, ...ys]);
          nonzero = isPresent(cts);
          const [dc, dk, dx] = partsOf(cts, params);
          return [
            ...where(sums.map((sum, i) => addTangents(sum, dc[i]!)) as readonly Value[], summed),
            ...filled(dk, alive, carryIns),
            ...present(dx),
          ];
        },
        [
          ...where(ac, known(lc)),
          ...where(ac, summed),
          ...where(ak, alive),
          ...where(ak, known(lk)),
          ...where(ax, known(lx)),
          ...where(ays, presentYs),
        ],
      );
      return { flags: nonzero.slice(0, consts + carry), made: { body, nonzero } };
    });
    const [summed, alive] = [flags.slice(0, consts), flags.slice(consts)];
    return { body: made.body, summed, alive, xs: made.nonzero.slice(consts + carry) };
  });
}

export function vmapBody(params: Body, size: number, dims: readonly (number | null)[], avals: readonly Aval[]) {
  const { jaxpr, consts, carry } = params;
  const key = `${size} ${dims.join()} ${avals.map((aval) => aval.id).join()}`;
  return rememberBody('vmap', params, key, () => {
    const [, , xs] = partsOf(avals, params);
    const carries = inAvals(jaxpr).slice(consts, consts + carry);
    const batched = ({ shape, dtype, weak }: Aval): Aval => makeAval([size, ...shape], dtype, weak);
    const start = dims.slice(consts, consts + carry).map((dim) => dim !== null);
    const { flags, made } = closure(start, (active) => {
      let outDims: readonly (number | null)[] = [];
      // Constants have their batch where the operands have it, everything else at the front.
      const inner = dims.map((dim, i) => {
        if (i < consts) return dim;
        return (i < consts + carry ? active[i - consts]! : dim !== null) ? 0 : null;
      });
      const body = derive(
        'scan',
        (...args) => {
          const result = vmapFlat(asFunction(jaxpr), size, args, inner);
          outDims = result.dims;
          return result.outs.map((x, i) => (active[i] ? batchAt(size, x, outDims[i]!, 0) : x));
        },
        [...avals.slice(0, consts), ...carries.map((aval, i) => (active[i] ? batched(aval) : aval)), ...xs],
      );
      return { flags: outDims.slice(0, carry).map((dim) => dim !== null), made: { body, outDims } };
    });
    return { body: made.body, active: flags, ys: made.outDims.slice(carry) };
  });
}
