/**
 * The incomplete gamma and beta functions.
 *
 * Every partial derivative of such a function, whatever its orders, is an application of one other primitive, which computes
 * it to its last digits: products of logarithms, powers and gamma functions, which would say the same of derivatives in x on
 * paper, lose all of them where the parameters are large.
 */

import * as t from 'io-ts';
import { type Aval, makeAval } from '../core/aval.ts';
import { ShapeError } from '../core/errors.ts';
import { ints } from '../core/params.ts';
import { noParams, type Primitive, type Tangent } from '../core/primitive.ts';
import { bind1 } from '../core/trace.ts';
import type { Value } from '../core/value.ts';
import { add, div, mul, neg, sub } from './arithmetic.ts';
import { fullLike } from './compose.ts';
import { addTangents, allWeak, elementwise, expectCount, expectKind, expectSame, vmapElementwise } from './define.ts';
import { log } from './math.ts';
import { digamma } from './special.ts';

const gradParams = t.readonly(t.strict({ orders: ints }));
type GradParams = t.TypeOf<typeof gradParams>;

type Partial = (operands: readonly Value[], orders: readonly number[]) => Value;

/** The tangent of what has been differentiated `orders` times, in all directions. */
const totalTangent = (
  partial: Partial,
  operands: readonly Value[],
  tangents: readonly Tangent[],
  orders: readonly number[],
): Tangent =>
  tangents
    .map((tangent, i) =>
      tangent
        ? mul(
            tangent,
            partial(
              operands,
              orders.map((n, k) => (k === i ? n + 1 : n)),
            ),
          )
        : null,
    )
    .reduce(addTangents, null);

/** The partial derivatives of a function of `count` operands. */
function partials<Name extends string>(name: Name, count: number): Primitive<Name, GradParams> {
  const partial: Partial = (operands, orders) => bind1(self, operands, { orders });
  const self: Primitive<Name, GradParams> = {
    name,
    params: gradParams,
    abstractEval(ins: readonly Aval[], { orders }) {
      expectCount(name, count, ins);
      expectKind(name, 'float', ins[0]!);
      expectSame(name, ins);
      if (orders.length !== count || orders.some((n) => n < 0) || orders.every((n) => n === 0)) {
        throw new ShapeError({
          op: name,
          problem: `(${orders.join()}) are not the orders of a derivative in ${count} operands`,
          remedy: `give ${count} numbers of derivatives, not all 0`,
        });
      }
      return [makeAval(ins[0]!.shape, ins[0]!.dtype, allWeak(ins))];
    },
    jvp: (operands, tangents, { orders }) => ({
      outs: [partial(operands, orders)],
      tangents: [totalTangent(partial, operands, tangents, orders)],
    }),
    transpose: 'nonlinear',
    vmap: vmapElementwise((operands, { orders }) => [partial(operands, orders)]),
  };
  return self;
}

export const igammaGradP = partials('igamma_grad', 2);
export const betaincGradP = partials('regularized_incomplete_beta_grad', 3);

/** P(a, x) = ∫₀ˣ tᵃ⁻¹e⁻ᵗ dt / Γ(a). */
export const igammaP = elementwise('igamma', {
  count: 2,
  kind: 'float',
  jvp: ([a, x], tangents) => ({
    outs: [igamma(a!, x!)],
    tangents: [totalTangent(gammaPartial, [a!, x!], tangents, [0, 0])],
  }),
});

/** Q(a, x) = 1 − P(a, x). */
export const igammacP = elementwise('igammac', {
  count: 2,
  kind: 'float',
  jvp: ([a, x], tangents) => ({
    outs: [igammac(a!, x!)],
    tangents: [neg(totalTangent(gammaPartial, [a!, x!], tangents, [0, 0])!)],
  }),
});

/**
 * g = −(∂P/∂a)/p, with the density p = ∂P/∂x: how a gamma sample x moves with its shape a.
 *
 * With s = log x − ψ(a) = ∂ log p/∂a: ∂g/∂a = −(∂²P/∂a²)/p − g·s, and ∂g/∂x = −s − g·((a − 1)/x − 1).
 */
export const randomGammaGradP = elementwise('random_gamma_grad', {
  count: 2,
  kind: 'float',
  jvp([a, x], [da, dx]) {
    const out = randomGammaGrad(a!, x!);
    const one = fullLike(x!, 1);
    const score = sub(log(x!), digamma(a!));
    const inShape = (tangent: Value): Value => {
      const curvature = div(igammaGrad(a!, x!, [2, 0]), igammaGrad(a!, x!, [0, 1]));
      return neg(mul(tangent, add(mul(out, score), curvature)));
    };
    const inSample = (tangent: Value): Value =>
      neg(mul(tangent, add(score, mul(out, sub(div(sub(a!, one), x!), one)))));
    return { outs: [out], tangents: [addTangents(da ? inShape(da) : null, dx ? inSample(dx) : null)] };
  },
});

/** Iₓ(a, b) = ∫₀ˣ tᵃ⁻¹(1 − t)ᵇ⁻¹ dt / B(a, b); operands (a, b, x). */
export const betaincP = elementwise('regularized_incomplete_beta', {
  count: 3,
  kind: 'float',
  jvp: ([a, b, x], tangents) => ({
    outs: [betainc(a!, b!, x!)],
    tangents: [totalTangent(betaPartial, [a!, b!, x!], tangents, [0, 0, 0])],
  }),
});

const gammaPartial: Partial = ([a, x], orders) => igammaGrad(a!, x!, orders);
const betaPartial: Partial = ([a, b, x], orders) => betaincGrad(a!, b!, x!, orders);

/** The lower incomplete gamma function, regularized. */
export const igamma = (a: Value, x: Value): Value => bind1(igammaP, [a, x], noParams);
/** The upper incomplete gamma function, regularized. */
export const igammac = (a: Value, x: Value): Value => bind1(igammacP, [a, x], noParams);
/** A partial derivative of {@link igamma}, of these orders in a and x. */
export const igammaGrad = (a: Value, x: Value, orders: readonly number[]): Value =>
  bind1(igammaGradP, [a, x], { orders });
/** The derivative of a gamma sample in its shape. */
export const randomGammaGrad = (a: Value, x: Value): Value => bind1(randomGammaGradP, [a, x], noParams);
/** The incomplete beta function, regularized. */
export const betainc = (a: Value, b: Value, x: Value): Value => bind1(betaincP, [a, b, x], noParams);
/** A partial derivative of {@link betainc}, of these orders in a, b and x. */
export const betaincGrad = (a: Value, b: Value, x: Value, orders: readonly number[]): Value =>
  bind1(betaincGradP, [a, b, x], { orders });
