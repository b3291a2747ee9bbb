/** Products of matrices and convolutions as sums of products, with the addresses of their elements. */

import { type Expr, int } from '../loop/ir/expr.ts';
import { both, plus, times, unflat } from '../loop/ir/integer.ts';
import { placed as inDilated } from '../loop/lower/reductions.ts';
import type { ContractedAxis, Contraction, Convolution, Step } from '../loop/plan/program.ts';

export type ProductStep = Extract<Step, { kind: 'contract' | 'convolve' }>;

/** A product as sums over k of elements a(z, i, k)·b(z, k, j), with the address of each result. */
export interface Sums {
  readonly extents: { readonly z: number; readonly i: number; readonly j: number; readonly k: number };
  readonly a: (z: Expr, i: Expr, k: Expr) => { readonly at: Expr; readonly guard: Expr | null };
  readonly b: (z: Expr, k: Expr, j: Expr) => { readonly at: Expr; readonly guard: Expr | null };
  readonly c: (z: Expr, i: Expr, j: Expr) => Expr;
  /** Whether neighbours in memory are neighbours along k, rather than along the lines of a or the columns of b. */
  readonly along: { readonly a: boolean; readonly b: boolean };
}

const product = (list: readonly number[]): number => list.reduce((n, x) => n * x, 1);

export function sumsOf(step: ProductStep): Sums {
  return step.kind === 'contract' ? contracted(step.contraction) : convolved(step.convolution);
}

function contracted({ batch, m, n, k }: Contraction): Sums {
  const extents = (axes: readonly ContractedAxis[]): number[] => axes.map((x) => x.extent);
  const walk = (of: 'a' | 'b' | 'c', ...parts: readonly (readonly [readonly ContractedAxis[], Expr])[]): Expr =>
    parts.reduce(
      (sum, [axes, at]) => unflat(at, extents(axes)).reduce((s, x, i) => plus(s, times(x, int(axes[i]![of]))), sum),
      int(0) as Expr,
    );
  const lengthOf = (axes: readonly ContractedAxis[]): number => product(extents(axes));
  return {
    extents: { z: lengthOf(batch), i: lengthOf(m), j: lengthOf(n), k: lengthOf(k) },
    a: (z, i, t) => ({ at: walk('a', [batch, z], [m, i], [k, t]), guard: null }),
    b: (z, t, j) => ({ at: walk('b', [batch, z], [n, j], [k, t]), guard: null }),
    c: (z, i, j) => walk('c', [batch, z], [m, i], [n, j]),
    along: { a: k.at(-1)?.a === 1, b: k.at(-1)?.b === 1 },
  };
}

function convolved(p: Convolution): Sums {
  const groups = Math.max(p.groups, p.batchGroups);
  const [images, inputs, outputs] = [p.batch / p.batchGroups, p.inFeatures / p.groups, p.outFeatures / groups];
  const places = [images, ...p.spatial.map((s) => s.out)];
  const taps = [inputs, ...p.spatial.map((s) => s.window)];
  const walk = (strides: Convolution['lhs'], batch: Expr, feature: Expr, spatial: readonly Expr[]): Expr =>
    spatial.reduce(
      (sum, x, i) => plus(sum, times(x, int(strides.spatial[i]!))),
      plus(times(batch, int(strides.batch)), times(feature, int(strides.feature))),
    );
  return {
    extents: { z: groups, i: product(places), j: outputs, k: product(taps) },
    a(z, i, t) {
      const [image, ...out] = unflat(i, places) as [Expr, ...Expr[]];
      const [input, ...tap] = unflat(t, taps) as [Expr, ...Expr[]];
      let guard: Expr | null = null;
      const spatial = p.spatial.map((s, axis) => {
        const at = plus(times(out[axis]!, int(s.stride)), times(tap[axis]!, int(s.rhsDilation)));
        const [x, inside] = inDilated(at, s.padLow, s.in, s.lhsDilation);
        guard = both(guard, inside);
        return x;
      });
      const batch = p.batchGroups > 1 ? plus(image, times(z, int(images))) : image;
      const feature = p.groups > 1 ? plus(input, times(z, int(inputs))) : input;
      return { at: walk(p.lhs, batch, feature, spatial), guard };
    },
    b(z, t, j) {
      const [input, ...tap] = unflat(t, taps) as [Expr, ...Expr[]];
      return { at: walk(p.rhs, plus(j, times(z, int(outputs))), input, tap), guard: null };
    },
    c(z, i, j) {
      const [image, ...out] = unflat(i, places) as [Expr, ...Expr[]];
      return walk(p.out, image, plus(j, times(z, int(outputs))), out);
    },
    along: { a: p.spatial.length === 0, b: p.rhs.spatial.at(-1) === 1 || p.spatial.length === 0 },
  };
}
