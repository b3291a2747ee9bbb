/** Clusters around a product of matrices: the product as the machine's own kernel, and what is done with it as a nest. */

import type { Var } from '../../../src/core/jaxpr.ts';
import { sizeOf } from '../../../src/core/shape.ts';
import type { Body } from '../fuse/cluster.ts';
import type { Dataflow } from '../fuse/dataflow.ts';
import { type Buffer, type Expr, index, type Local } from '../ir/expr.ts';
import { linear } from '../ir/integer.ts';
import type { ContractedAxis, Contraction } from './program.ts';

/** An operand: a buffer, and the element of it that is first. */
interface Operand {
  readonly buffer: Buffer;
  readonly offset: number;
}

export interface Product {
  /** The product itself, and the register that stands for it in the cluster. */
  readonly value: Var;
  readonly local: Local;
  readonly contraction: Contraction;
  readonly a: Operand;
  readonly b: Operand;
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
  if (flow.producer.get(value)!.primitive.name !== 'dot_general' || value.aval.dtype === 'bool') return null;
  if (term.op !== 'apply' || term.fn !== 'mul') return null;
  const [a, b] = term.args.map((x) => operandOf(x)) as [ReturnType<typeof operandOf>, ReturnType<typeof operandOf>];
  if (!a || !b) return null;
  const own = body.values.get(value)!;
  const exact = stored.find((v) => body.values.get(v)!.value === own.value);
  const other = stored.find((v) => v.aval.dtype === value.aval.dtype && body.values.get(v)!.address === own.address);
  const address = linear(body.values.get(exact ?? value)!.address);
  if ([...address.terms.keys()].some((atom) => atom.op !== 'index')) return null;
  const kinds: Record<'batch' | 'm' | 'n' | 'k', ContractedAxis[]> = { batch: [], m: [], n: [], k: [] };
  for (const [axis, extent] of space.shape.entries()) {
    const of = body.indices[axis];
    if (!of) continue;
    const [x, y] = [a, b].map(({ terms }) => terms.get(index(of)) ?? 0) as [number, number];
    if (x < 0 || y < 0) return null;
    const reduced = space.reduced.includes(axis);
    const kind = reduced ? 'k' : x !== 0 && y !== 0 ? 'batch' : y !== 0 ? 'n' : x !== 0 ? 'm' : 'batch';
    kinds[kind].push({ extent, a: x, b: y, c: address.terms.get(index(of)) ?? 0 });
  }
  const home = exact ? { value: exact, exact: true } : other ? { value: other, exact: false } : null;
  return { value, local, contraction: { dtype: value.aval.dtype, ...kinds }, a, b, home };
}

/** A load whose address is a sum of multiples of indices. */
function operandOf(x: Expr): (Operand & { readonly terms: ReadonlyMap<Expr, number> }) | null {
  if (x.op !== 'load' || x.guard) return null;
  const { terms, constant } = linear(x.at);
  if (constant < 0 || [...terms.keys()].some((atom) => atom.op !== 'index')) return null;
  return { buffer: x.buffer, offset: constant, terms };
}
