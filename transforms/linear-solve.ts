/**
 * `customLinearSolve`: the solution of a linear system, whose derivative is another solution and not that of the algorithm.
 *
 * From A x = b follows A dx = db − dA x, so a tangent is the solution for another right-hand side, and a cotangent one of the
 * transposed system. The equation is a call of the solver. All its programs take the same operands: what they close over, then
 * a vector.
 */

import * as t from 'io-ts';
import { type Aval, compatible, showAval } from '../src/core/aval.ts';
import { isFloat } from '../src/core/dtype.ts';
import { NotDifferentiableError, TreeError } from '../src/core/errors.ts';
import { evalJaxpr, inAvals, type Jaxpr, outAvals } from '../src/core/jaxpr.ts';
import { int } from '../src/core/params.ts';
import { type Hole, isHole, type Primitive, type Tangent } from '../src/core/primitive.ts';
import { stage } from '../src/core/stage.ts';
import { bind } from '../src/core/trace.ts';
import { expectOptions } from '../src/core/untyped.ts';
import type { Value } from '../src/core/value.ts';
import { neg, sub } from '../src/prim/arithmetic.ts';
import { zeros } from '../src/prim/compose.ts';
import { batchAt, instantiate } from '../src/prim/define.ts';
import { difference } from '../src/tree/def.ts';
import { type Flat, flatten, unflatten } from '../src/tree/tree.ts';
import { expectFloats } from './args.ts';
import {
  asFunction,
  callDerived,
  calledAvals,
  callLinearized,
  derive,
  jaxprCodec,
  jvpOf,
  linearizedCall,
  mask,
  remember,
  spread,
  vmapAtFront,
  withAval,
} from './call.ts';
import { linearizeFlat } from './linearize.ts';
import { padded, withOperands } from './rule.ts';
import { backwardPass } from './transpose.ts';

const params = t.readonly(
  t.strict({
    /** How many operands come before the right-hand side. */
    consts: int,
    matvec: jaxprCodec,
    solve: jaxprCodec,
    /** Solves the transposed system; empty if nobody has said how. */
    transposeSolve: t.readonlyArray(jaxprCodec),
  }),
);

/** The parameters of `custom_linear_solve`. */
export type LinearSolveParams = t.TypeOf<typeof params>;

/** The program v ↦ Aᵀ v, of the same operands. */
const transposed = (matvec: Jaxpr, consts: number): Jaxpr =>
  remember(matvec, `transposed ${consts}`, () => {
    const vector = inAvals(matvec).slice(consts);
    const { jaxpr } = derive(
      (...args) => vecmat(matvec, args.slice(0, consts), vector, args.slice(consts)),
      [...inAvals(matvec).slice(0, consts), ...outAvals(matvec)],
    );
    return jaxpr;
  });

function vecmat(matvec: Jaxpr, consts: readonly Value[], vector: readonly Aval[], ct: readonly Value[]) {
  const holes = vector.map((aval): Hole => ({ linear: true, aval }));
  const result = backwardPass(matvec, [], [...consts, ...holes], ct).slice(consts.length);
  return result.map((x, i) => (x ? withAval(x, vector[i]!) : zeros(vector[i]!)));
}

const solveAgain = (called: LinearSolveParams, consts: readonly Value[], b: readonly Value[]): readonly Value[] =>
  bind(customLinearSolveP, [...consts, ...b], called);

/** The solution for db − dA x, where something of it is not zero. */
function solveTangent(
  called: LinearSolveParams,
  consts: readonly Value[],
  db: readonly Tangent[],
  dAx: readonly Tangent[],
): readonly Tangent[] {
  const vector = outAvals(called.matvec);
  const rhs = db.map((x, i) => {
    const y = dAx[i] ?? null;
    return x && y ? sub(x, y) : (x ?? (y && neg(y)));
  });
  if (rhs.every((x) => x === null)) return rhs;
  return solveAgain(
    called,
    consts,
    rhs.map((x, i) => instantiate(x, { aval: vector[i]! })),
  );
}

export const customLinearSolveP: Primitive<'custom_linear_solve', LinearSolveParams> = {
  name: 'custom_linear_solve',
  params,
  abstractEval: (ins, { solve }) => calledAvals('custom_linear_solve', ins, { name: 'solve', jaxpr: solve }),
  jvp(primals, tangents, called) {
    const consts = primals.slice(0, called.consts);
    const x = solveAgain(called, consts, primals.slice(called.consts));
    const moving = tangents.map((dx, i) => i < called.consts && dx !== null);
    let dAx: readonly Tangent[] = x.map(() => null);
    if (moving.includes(true)) {
      const { program, nonzero } = jvpOf(called.matvec, moving);
      const given = tangents.filter((dx, i): dx is Value => moving[i] === true && dx !== null);
      dAx = spread(nonzero, callDerived('matvec', program, [...consts, ...x, ...given]).slice(x.length));
    }
    return { outs: x, tangents: solveTangent(called, consts, tangents.slice(called.consts), dAx) };
  },
  transpose(cotangents, operands, { consts, matvec, solve, transposeSolve }) {
    const known = operands.slice(0, consts);
    if (known.some(isHole)) {
      throw new NotDifferentiableError({
        op: 'customLinearSolve',
        problem: 'is linear in the right-hand side, not in what its matvec closes over',
        remedy: 'transpose it in the right-hand side only; for a derivative use vjp or grad, which linearize first',
      });
    }
    const [back] = transposeSolve;
    if (!back) {
      throw new NotDifferentiableError({
        op: 'customLinearSolve',
        problem: 'reverse mode solves the transposed system, and has not been told how',
        remedy: 'give it transposeSolve, or symmetric: true if the system is',
      });
    }
    const flipped = { consts, matvec: transposed(matvec, consts), solve: back, transposeSolve: [solve] };
    const ct = cotangents.map((x, i) => instantiate(x, { aval: outAvals(solve)[i]! }));
    const results = solveAgain(flipped, known as readonly Value[], ct);
    return operands.map((x, i): Tangent => (isHole(x) ? results[i - consts]! : null));
  },
  vmap(size, operands, dims, { consts, matvec, solve, transposeSolve }) {
    // A lane of its own for every vector, as each may have a system of its own.
    const inDims = dims.map((dim, i) => (i < consts ? dim : 0));
    const batched = [solve, matvec, ...transposeSolve].map((jaxpr) => vmapAtFront(jaxpr, size, inDims));
    const captured = batched.flatMap((program) => program.consts);
    // Each takes what the others have captured, too.
    const programs = batched.map((program, i) => {
      const before = batched.slice(0, i).flatMap((other) => other.consts);
      const after = batched.slice(i + 1).flatMap((other) => other.consts);
      const { jaxpr } = padded({ jaxpr: program.jaxpr, consts: program.consts }, after);
      return padded({ jaxpr, consts: [] }, before).jaxpr;
    });
    const [first, second, ...others] = programs;
    const called = { consts: captured.length + consts, matvec: second!, solve: first!, transposeSolve: others };
    const lanes = operands.map((x, i) => (i < consts ? x : batchAt(size, x, dims[i]!, 0)));
    const outs = solveAgain(called, [...captured, ...lanes.slice(0, consts)], lanes.slice(consts));
    return { outs, dims: outs.map(() => 0) };
  },
  higherOrder: {
    jaxprs: ({ solve, matvec, transposeSolve }) => [solve, matvec, ...transposeSolve],
    body: ({ solve }) => solve,
    linearize(primals, active, called) {
      const floats = active.map((isActive, i) => isActive && isFloat(primals[i]!.dtype));
      const consts = primals.slice(0, called.consts);
      const x = solveAgain(called, consts, primals.slice(called.consts));
      const moving = floats.map((isActive, i) => isActive && i < called.consts);
      const { matvec } = called;
      const product = moving.includes(true)
        ? callLinearized(
            'matvec',
            remember(matvec, `linearize ${mask(moving)}`, () =>
              linearizedCall((...args) => linearizeFlat(asFunction(matvec), args, moving), inAvals(matvec)),
            ),
            [...consts, ...x],
            moving,
          )
        : null;
      return {
        outs: x,
        residuals: [...consts, ...(product?.residuals ?? [])],
        linear(residuals, tangents) {
          const filled = tangents.map((dx, i) => (floats[i] ? instantiate(dx, primals[i]!) : null));
          const dAx = product?.linear(residuals.slice(called.consts), filled) ?? x.map(() => null);
          return solveTangent(called, residuals.slice(0, called.consts), filled.slice(called.consts), dAx);
        },
      };
    },
  },
};

/** A linear map on vectors of the structure `B`. */
export type LinearMap<B> = (x: B) => B;

/** Options of {@link customLinearSolve}. */
export interface LinearSolveOptions<B> {
  /** Solves Aᵀ x = b, given x ↦ Aᵀ x: what reverse mode needs. */
  readonly transposeSolve?: (vecmat: LinearMap<B>, b: B) => B;
  /** True if A is its own transpose, so that `solve` solves that system as well. */
  readonly symmetric?: boolean;
}

/**
 * The solution x of A x = b by an algorithm of yours, with the derivative of the solution: that of the algorithm is never asked for.
 *
 * So `solve` may be anything that converges, also a `whileLoop`. Derivatives of all orders and modes are solutions of systems with
 * A or its transpose, at the same cost; they reach what `matvec` closes over, and `b`. Programs are traced at every call: put it
 * into a `jit`.
 *
 * @param matvec - x ↦ A x, linear; what it closes over may be differentiated
 * @param b - the right-hand side, a tree of float tensors; x has its structure
 * @param solve - from `matvec` and `b` to x
 * @returns x; law: its derivative is dx = A⁻¹(db − dA x)
 * @throws TreeError if `matvec` or a solver returns another structure than `b`, or other shapes
 * @throws NotDifferentiableError in reverse mode, if neither `transposeSolve` nor `symmetric` is given
 *
 * @example
 * ```ts
 * import { customLinearSolve, grad, np, type Tensor } from 'pullback';
 * const diagonal = (d: Tensor, b: Tensor) =>
 *   customLinearSolve((x: Tensor) => np.mul(d, x), b, (_, y) => np.div(y, d), { symmetric: true });
 * const f = (d: Tensor) => np.sum(diagonal(d, np.array([6, 6])));
 * console.log(grad(f)(np.array([1, 2])).toArray()); // => [ -6, -1.5 ]
 * ```
 */
export function customLinearSolve<B>(
  matvec: LinearMap<NoInfer<B>>,
  b: B,
  solve: (matvec: LinearMap<NoInfer<B>>, b: NoInfer<B>) => NoInfer<B>,
  options: LinearSolveOptions<NoInfer<B>> = {},
): B {
  const op = 'customLinearSolve';
  expectOptions(op, options, 'transposeSolve', 'symmetric');
  const { transposeSolve, symmetric = false } = options;
  const { leaves, def } = flatten(b, op, 'b');
  expectFloats(op, { leaves, def, paths: leaves.map((_, i) => `leaf ${i} of b`) });
  const vector = leaves.map((x) => x.aval);
  const staged = (who: string, f: (x: B) => unknown) =>
    stage(op, (...xs) => sameVector(op, who, f(unflatten<B>(def, xs)), { leaves, def }), vector);
  const product = staged('matvec', matvec);
  const forwards: LinearMap<B> = (x) =>
    unflatten<B>(def, evalJaxpr(product.jaxpr, product.consts, flatten(x, op, 'x').leaves));
  const backwards: LinearMap<B> = (y) => {
    const { jaxpr, consts } = withOperands(product, []);
    return unflatten<B>(def, vecmat(jaxpr, consts, vector, flatten(y, op, 'y').leaves));
  };
  const solver = staged('solve', (y) => solve(forwards, y));
  const back = transposeSolve
    ? [staged('transposeSolve', (y) => transposeSolve(backwards, y))]
    : symmetric
      ? [solver]
      : [];
  const captured = [...new Set([product, solver, ...back].flatMap(({ consts }) => consts))];
  const called = {
    consts: captured.length,
    matvec: withOperands(product, captured).jaxpr,
    solve: withOperands(solver, captured).jaxpr,
    transposeSolve: back.map((program) => withOperands(program, captured).jaxpr),
  };
  return unflatten<B>(def, solveAgain(called, captured, leaves));
}

/** What `who` returns, as a vector like `b`. */
function sameVector(op: string, who: string, tree: unknown, b: Flat): readonly Value[] {
  const { leaves, def } = flatten(tree, op, who);
  const remedy = `let ${who} return a vector of the structure of b`;
  const found = difference(b.def, def, 'b');
  if (found) throw new TreeError({ op, problem: `${who} returns another structure than b: ${found}`, remedy });
  return leaves.map((x, i) => {
    const { aval } = b.leaves[i]!;
    if (compatible(x.aval, aval)) return withAval(x, aval);
    throw new TreeError({ op, problem: `${who} returns ${showAval(x.aval)} where b is ${showAval(aval)}`, remedy });
  });
}
