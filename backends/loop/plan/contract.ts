/** Clusters around a product of matrices or a convolution: the product as the machine's own kernel, and what is done with it as a nest. */

import type { Atom, Eqn, Var } from '../../../src/core/jaxpr.ts';
import { isLiteral } from '../../../src/core/jaxpr.ts';
import { sizeOf } from '../../../src/core/shape.ts';
import type { FirstOrderParams } from '../../../src/prim/registry.ts';
import { type Body, rowsOf } from '../fuse/cluster.ts';
import type { Dataflow } from '../fuse/dataflow.ts';
import { type Buffer, type Expr, type Index, index, int, type Load, type Local } from '../ir/expr.ts';
import { linear, plus, times, unflat } from '../ir/integer.ts';
import { substitution } from '../ir/rewrite.ts';
import { Elements } from '../lower/elements.ts';
import type { Lines } from '../nest/epilogue.ts';
import type { ContractedAxis, Contraction, Convolution } from './program.ts';

/** An operand: a buffer, and the element of it that is first. */
interface Operand {
  readonly buffer: Buffer;
  readonly offset: number;
}

export type ProductKind =
  | { readonly kind: 'contract'; readonly contraction: Contraction }
  | { readonly kind: 'convolve'; readonly convolution: Convolution };

export interface Product {
  /** The product itself, and the register that stands for it in the cluster. */
  readonly value: Var;
  readonly local: Local;
  readonly how: ProductKind;
  readonly a: Operand;
  readonly b: Operand;
  /** How lines and columns of the product are the axes of the cluster; `null` if they cannot be told. */
  readonly lines: Lines | null;
  /** The result in whose memory the product is computed, and whether it is the product itself; `null` if none is fit. */
  readonly home: { readonly value: Var; readonly exact: boolean } | null;
}

/** Fewer multiplications than this are a nest. */
const least = 512;

/** The product that a cluster is built around; `null` if there is none that is worth a kernel. */
export function productOf(body: Body, stored: readonly Var[], flow: Dataflow): Product | null {
  const { space } = body.cluster;
  if (body.held.size !== 1 || sizeOf(space.shape) < least) return null;
  const [value, { local, term }] = [...body.held][0]!;
  if (value.aval.dtype === 'bool') return null;
  // What is stored all along the terms, as x − (x·v) v is, is no epilogue: that has a place for each element of the product.
  const products = sizeOf(rowsOf(space));
  if (stored.some((v) => sizeOf(v.aval.shape) !== products)) return null;
  const own = body.values.get(value)!;
  const exact = stored.find((v) => body.values.get(v)!.value === own.value);
  const other = stored.find((v) => v.aval.dtype === value.aval.dtype && body.values.get(v)!.address === own.address);
  const home = exact ? { value: exact, exact: true } : other ? { value: other, exact: false } : null;
  const { address } = body.values.get(exact ?? value)!;
  const eqn = flow.producer.get(value)!;
  const found =
    eqn.primitive.name === 'dot_general'
      ? contraction(body, value, term, address)
      : eqn.primitive.name === 'conv_general_dilated'
        ? convolution(body, eqn, flow, address)
        : null;
  return found && { value, local, home, ...found };
}

type Found = Pick<Product, 'how' | 'a' | 'b' | 'lines'>;

const extents = (axes: readonly Index[]): number[] => axes.map(({ extent }) => (extent as { value: number }).value);

/** These axes as one line after the other, and columns in them. */
function linesOf(down: readonly Index[], along: readonly Index[], across: boolean): Lines & { readonly column: Index } {
  const [line, column] = [down, along].map(
    (axes, i): Index => ({
      name: i === 0 ? 'i' : 'j',
      extent: int(sizeOf(extents(axes))),
    }),
  ) as [Index, Index];
  const places = new Map<Expr, Expr>();
  for (const [axes, of] of [
    [down, line],
    [along, column],
  ] as const) {
    unflat(index(of), extents(axes)).forEach((x, i) => places.set(index(axes[i]!), x));
  }
  return { line, column, across, by: substitution(places) };
}

/** Images, one after the other. */
const imagesOf = (images: Index): Lines => ({ line: images, column: null, across: false, by: (x) => x });

/** An axis of the space of a product. */
interface Axis {
  readonly index: Index;
  readonly extent: number;
  readonly reduced: boolean;
}

function contraction(body: Body, value: Var, term: Expr, address: Expr): Found | null {
  if (term.op !== 'apply' || term.fn !== 'mul' || term.args.some((x) => x.op !== 'load')) return null;
  const { space } = body.cluster;
  const whole = space.shape.flatMap((extent, axis): Axis[] => {
    const of = body.indices[axis];
    return of ? [{ index: of, extent, reduced: space.reduced.includes(axis) }] : [];
  });
  const own = whole.map((axis) => index(axis.index));
  const { axes, walks } = takenApart(whole, [...(term.args as readonly Load[]), address, ...own]);
  const [a, b] = walks.slice(0, 2).map(viewOf) as [View | null, View | null];
  const c = linear(walks[2]!);
  if (!a || !b || [...c.terms.keys()].some((atom) => atom.op !== 'index')) return null;
  const kinds: Record<'batch' | 'm' | 'n' | 'k', ContractedAxis[]> = { batch: [], m: [], n: [], k: [] };
  const leaves: Record<keyof typeof kinds, Index[]> = { batch: [], m: [], n: [], k: [] };
  for (const { index: of, extent, reduced } of axes) {
    const [x, y, z] = [a, b, c].map(({ terms }) => terms.get(index(of)) ?? 0) as [number, number, number];
    if (x < 0 || y < 0) return null;
    const kind = reduced ? 'k' : x !== 0 && y !== 0 ? 'batch' : y !== 0 ? 'n' : x !== 0 ? 'm' : 'batch';
    kinds[kind].push({ extent, a: x, b: y, c: z });
    leaves[kind].push(of);
  }
  const across = kinds.n.at(-1)?.c !== 1 && kinds.m.at(-1)?.c === 1;
  const lines = linesOf([...leaves.batch, ...leaves[across ? 'n' : 'm']], leaves[across ? 'm' : 'n'], across);
  const named = new Map(own.map((x, i) => [x, lines.by(walks[i + 3]!)]));
  return {
    how: { kind: 'contract', contraction: { dtype: value.aval.dtype as 'float32', ...kinds } },
    a,
    b,
    lines: { ...lines, by: substitution(named) },
  };
}

/** Axes of which an address needs quotients and remainders, as heads are taken out of features, become two. */
function takenApart(axes: readonly Axis[], walks: readonly Expr[]): { axes: readonly Axis[]; walks: readonly Expr[] } {
  for (const [i, { index: of, extent, reduced }] of axes.entries()) {
    const divisor = walks.map((x) => divisorOf(x.op === 'load' ? x.at : x, index(of))).find((n) => n !== null);
    if (!divisor || extent % divisor !== 0) continue;
    const outer: Index = { name: `${of.name}1`, extent: int(extent / divisor) };
    const inner: Index = { name: `${of.name}0`, extent: int(divisor) };
    const by = substitution(new Map([[index(of), plus(times(index(outer), int(divisor)), index(inner))]]));
    const halves = [
      { index: outer, extent: extent / divisor, reduced },
      { index: inner, extent: divisor, reduced },
    ];
    return takenApart([...axes.slice(0, i), ...halves, ...axes.slice(i + 1)], walks.map(by));
  }
  return { axes, walks };
}

/** What an index is divided by in an address, if it is. */
function divisorOf(address: Expr, of: Expr): number | null {
  for (const atom of linear(address).terms.keys()) {
    if (atom.op !== 'apply' || (atom.fn !== 'quotient' && atom.fn !== 'remainder')) continue;
    const [x, divisor] = atom.args as readonly [Expr, Expr];
    if (x === of && divisor.op === 'const') return divisor.value;
  }
  return null;
}

function convolution(body: Body, eqn: Eqn, flow: Dataflow, address: Expr): Found | null {
  const { terms } = linear(address);
  if ([...terms.keys()].some((atom) => atom.op !== 'index')) return null;
  const strideOf = (of: Index | null): number => (of ? (terms.get(index(of)) ?? 0) : 0);
  const p = eqn.params as FirstOrderParams<'conv_general_dilated'>;
  const [lhs, rhs] = eqn.ins.map((x) => layoutOf(x, flow));
  if (!lhs || !rhs) return null;
  const [x, w] = eqn.ins.map(({ aval }) => aval.shape) as [readonly number[], readonly number[]];
  const strides = ([batch, feature, ...spatial]: readonly number[], of: readonly number[]) => ({
    batch: of[batch!]!,
    feature: of[feature!]!,
    spatial: spatial.map((axis) => of[axis]!),
  });
  const out = eqn.outs[0]!.aval;
  const outStrides = out.shape.map((_, axis) => strideOf(body.indices[axis]!));
  const convolution: Convolution = {
    dtype: out.dtype as 'float32',
    batch: x[p.lhsSpec[0]!]!,
    inFeatures: x[p.lhsSpec[1]!]!,
    outFeatures: w[p.rhsSpec[0]!]!,
    groups: p.featureGroupCount,
    batchGroups: p.batchGroupCount,
    spatial: p.windowStrides.map((stride, i) => ({
      in: x[p.lhsSpec[i + 2]!]!,
      out: out.shape[p.outSpec[i + 2]!]!,
      window: w[p.rhsSpec[i + 2]!]!,
      stride,
      padLow: p.paddingLow[i]!,
      lhsDilation: p.lhsDilation[i]!,
      rhsDilation: p.rhsDilation[i]!,
    })),
    lhs: strides(p.lhsSpec, lhs.strides),
    rhs: strides(p.rhsSpec, rhs.strides),
    out: strides(p.outSpec, outStrides),
  };
  const images = body.indices[p.outSpec[0]!]!;
  const whole = p.featureGroupCount === 1 && p.batchGroupCount === 1 && images;
  return { how: { kind: 'convolve', convolution }, a: lhs, b: rhs, lines: whole ? imagesOf(images) : null };
}

interface View extends Operand {
  readonly terms: ReadonlyMap<Expr, number>;
}

/** A load whose address is a sum of multiples of indices. */
function viewOf(x: Expr): View | null {
  if (x.op !== 'load' || x.guard) return null;
  const { terms, constant } = linear(x.at);
  if (constant < 0 || [...terms.keys()].some((atom) => atom.op !== 'index')) return null;
  return { buffer: x.buffer, offset: constant, terms };
}

/** The buffer behind an operand, and how its axes walk through it; `null` if they do not. */
function layoutOf(x: Atom, flow: Dataflow): (Operand & { readonly strides: readonly number[] }) | null {
  if (isLiteral(x)) return null;
  const indices = x.aval.shape.map((n, axis) => (n === 1 ? null : { name: `x${axis}`, extent: int(n) }));
  const elements = new Elements({
    producer: (v) => flow.producer.get(v) ?? null,
    buffer: (v) => (flow.roots.has(v) || !flow.producer.has(v) ? flow.buffer(v) : null),
    held: () => undefined,
  });
  const view = viewOf(
    elements.element(
      x,
      indices.map((of) => (of ? index(of) : int(0))),
    ),
  );
  if (!view) return null;
  const strides = indices.map((of) => (of ? (view.terms.get(index(of)) ?? 0) : 0));
  return strides.some((stride) => stride < 0) ? null : { buffer: view.buffer, offset: view.offset, strides };
}
