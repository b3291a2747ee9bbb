/**
 * Why not symbolic differentiation (§2.2.3): the size of an expression and of its derivative, against the size of a trace.
 *
 * f₀ = x, fₙ₊₁ = fₙ·sin fₙ. As an expression it doubles at each step, and the product rule makes its derivative larger still. A
 * trace names what it has computed: it grows by two equations a step, and its derivative by a constant factor.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { countEqns, grad, makeJaxpr, np, optimize, type Tensor } from 'pullback';
import { lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

/** An expression, as algebra on paper has it. */
type Expression =
  | { readonly kind: 'x' | 'one' }
  | { readonly kind: 'sin' | 'cos'; readonly of: Expression }
  | { readonly kind: 'times' | 'plus'; readonly left: Expression; readonly right: Expression };

const times = (left: Expression, right: Expression): Expression => ({ kind: 'times', left, right });

/** The derivative by the rules of calculus. */
function derivative(e: Expression): Expression {
  switch (e.kind) {
    case 'x':
      return { kind: 'one' };
    case 'sin':
      return times({ kind: 'cos', of: e.of }, derivative(e.of));
    case 'times':
      return { kind: 'plus', left: times(derivative(e.left), e.right), right: times(e.left, derivative(e.right)) };
    default:
      throw new Error(`no rule is needed here for ${e.kind}`);
  }
}

/** Nodes of the expression, written out. Equal parts are counted each time: shared in memory, they are not on paper. */
function size(e: Expression, known = new Map<Expression, number>()): number {
  let found = known.get(e);
  if (found === undefined) {
    const parts = 'of' in e ? [e.of] : 'left' in e ? [e.left, e.right] : [];
    found = 1 + parts.reduce((sum, part) => sum + size(part, known), 0);
    known.set(e, found);
  }
  return found;
}

const expression = (n: number): Expression => {
  const before: Expression = n === 0 ? { kind: 'x' } : expression(n - 1);
  return n === 0 ? before : times(before, { kind: 'sin', of: before });
};

const f =
  (n: number) =>
  (x: Tensor): Tensor =>
    Array.from({ length: n }).reduce<Tensor>((y) => np.mul(y, np.sin(y)), x);

const options = { ...cli.commonOptions('symbolic'), depth: cli.countIn(12, 'steps', [2, 22]) };

export const example: cli.Example<typeof options> = {
  name: 'symbolic',
  about: 'the derivative as an expression blows up; as a trace it stays a few times the program.',
  options,
  body: ({ depth }) => {
    const depths = Array.from({ length: depth }, (_, i) => i + 1);
    const equations = (g: (x: Tensor) => Tensor): number => countEqns(optimize(makeJaxpr(g)(np.array(1)).jaxpr));
    const rows = depths.map((n) => ({
      n,
      written: size(expression(n)),
      symbolic: size(derivative(expression(n))),
      trace: equations(f(n)),
      gradient: equations(grad(f(n))),
    }));
    for (const { n, symbolic, gradient } of rows) console.log(`${n} steps: ${symbolic} symbols, ${gradient} equations`);
    const last = rows.at(-1)!;
    const series = (name: string, of: (row: (typeof rows)[number]) => number) => ({
      name,
      points: rows.map((row) => [row.n, of(row)] as const),
    });
    return TE.of({
      numbers: { symbols: last.symbolic, equations: last.gradient },
      claims: [
        cli.atMost('equations of the gradient, to those of the program', last.gradient / last.trace, 4),
        cli.atLeast('growth of the symbolic derivative at the last step', last.symbolic / rows.at(-2)!.symbolic, 2),
        cli.atLeast('symbols to equations', last.symbolic / last.gradient, depth > 8 ? 1000 : 10),
      ],
      files: {
        'sizes.svg': lineChart({
          title: 'The size of a derivative',
          xLabel: 'steps',
          yLabel: 'symbols, or equations',
          yScale: 'log',
          series: [
            series('expression', (r) => r.written),
            series('its derivative', (r) => r.symbolic),
            series('trace', (r) => r.trace),
            series('trace of the gradient', (r) => r.gradient),
          ],
        }),
      },
    });
  },
};
