/**
 * Fusion: a program becomes clusters, and equations that stand alone, in an order in which they can run.
 *
 * Every root begins as a cluster of its own. A cluster then takes in, from the nearest on, those that it reads, where the two can be one
 * pass over one space and nothing that is computed elsewhere lies between them; at last those of equal spaces that read the same memory
 * are joined. Whether two clusters fit is not predicted: their expressions are built, and what reads a member at another place than
 * where it is computed does not fit.
 */

import { type Eqn, isLiteral, type Jaxpr, type Var } from '../../../src/core/jaxpr.ts';
import { sameShape, sizeOf } from '../../../src/core/shape.ts';
import { type Body, bodyOf, type Cluster, Misaligned, rowsOf, type Space } from './cluster.ts';
import { type Dataflow, dataflow, isFusible, longest, termsOf } from './dataflow.ts';

/** What runs at once. */
export type Unit =
  | { readonly kind: 'cluster'; readonly body: Body; readonly stored: readonly Var[] }
  | { readonly kind: 'equation'; readonly eqn: Eqn };

/** What a machine can take. */
export interface Limits {
  /** Buffers that a kernel reads and writes. */
  readonly buffers: number;
  /** Whether products of matrices are left to kernels of the machine, as they are by default, or are loops. */
  readonly products?: boolean;
  /** Whether a long sum is two kernels, as it is by default, so that its blocks can be computed at once; one compiles for all lengths. */
  readonly apart?: boolean;
  /** Whether every value has a buffer of its own, of elements of four bytes. */
  readonly apiece?: boolean;
  /** Elements of scratch memory that a kernel may keep of a row, if few. */
  readonly scratch?: number;
}

/** A cluster, and its expressions once somebody has asked for them: most are taken in by another before. */
interface Forming {
  readonly kind: 'cluster';
  cluster: Cluster;
  body: Body | null;
}

interface Node {
  unit: Forming | { readonly kind: 'equation'; readonly eqn: Eqn };
  /** Nodes whose results this one reads. */
  readonly before: Set<Node>;
  order: number;
}

export interface Fused {
  readonly flow: Dataflow;
  readonly units: readonly Unit[];
}

export function fuse(jaxpr: Jaxpr, limits: Limits): Fused {
  const flow = dataflow(jaxpr, limits.buffers - 1);
  const fusion = new Fusion(flow, limits);
  return { flow, units: fusion.units() };
}

/** Primitives of whose operands some elements, or all, may not be read. */
const partial = new Set(['concatenate', 'pad', 'slice', 'gather', 'select_n', 'split']);

class Fusion {
  private readonly flow: Dataflow;
  private readonly limits: Limits;
  private readonly nodes = new Set<Node>();
  /** Which node computes a root. */
  private readonly home = new Map<Var, Node>();

  constructor(flow: Dataflow, limits: Limits) {
    this.flow = flow;
    this.limits = limits;
    for (const eqn of flow.jaxpr.eqns) this.begin(eqn);
  }

  private begin(eqn: Eqn): void {
    const { flow } = this;
    const order = flow.position.get(eqn)!;
    if (!isFusible(eqn)) {
      const node: Node = { unit: { kind: 'equation', eqn }, before: new Set(), order };
      for (const x of eqn.ins) this.reads(node, x as Var);
      for (const v of eqn.outs) this.home.set(v, node);
      this.nodes.add(node);
      return;
    }
    for (const v of eqn.outs) {
      if (!flow.roots.has(v)) continue;
      const terms = termsOf(eqn);
      const space: Space = terms
        ? { shape: terms.space, reduced: terms.reduced }
        : { shape: v.aval.shape, reduced: [] };
      const unit: Forming = { kind: 'cluster', cluster: { space, members: [v] }, body: null };
      const node: Node = { unit, before: new Set(), order };
      this.home.set(v, node);
      this.nodes.add(node);
      const read = this.readBy(eqn);
      if (read) for (const x of read) this.reads(node, x);
      else this.link(node);
      this.absorb(node);
    }
  }

  private reads(node: Node, v: Var): void {
    const other = this.home.get(v);
    if (other && other !== node) node.before.add(other);
  }

  private bodyOf(unit: Forming): Body {
    unit.body ??= bodyOf(unit.cluster, this.flow);
    return unit.body;
  }

  /** The roots that an equation's results are computed from; `null` where that depends on which of their elements are. */
  private readBy(eqn: Eqn): ReadonlySet<Var> | null {
    const { flow } = this;
    const found = new Set<Var>();
    const seen = new Set<Eqn>();
    const go = (of: Eqn): boolean => {
      if (seen.has(of)) return true;
      seen.add(of);
      if (partial.has(of.primitive.name)) return false;
      return of.ins.every((x) => {
        if (isLiteral(x)) return true;
        const producer = flow.roots.has(x) ? undefined : flow.producer.get(x);
        if (!producer) found.add(x);
        return !producer || go(producer);
      });
    };
    return go(eqn) ? found : null;
  }

  /** Note what a cluster reads. */
  private link(node: Node): void {
    if (node.unit.kind !== 'cluster') return;
    node.before.clear();
    for (const buffer of this.bodyOf(node.unit).loads) this.reads(node, this.flow.valueOf(buffer));
  }

  /**
   * Take in what this cluster reads as long as something fits: all of it at once, which mostly does, or else the nearest first. Each try
   * writes the expressions of the whole cluster.
   */
  private absorb(node: Node): void {
    for (;;) {
      const near = [...node.before].filter((x) => x.unit.kind === 'cluster').sort((a, b) => b.order - a.order);
      if (near.length > 1 && this.join(near, node)) continue;
      if (!near.some((other) => this.join([other], node))) return;
    }
  }

  /** Make `others`, the nearest first, part of `node` if they fit, all of them. */
  private join(others: readonly Node[], node: Node): boolean {
    if (node.unit.kind !== 'cluster' || this.between(others, node)) return false;
    let space: Space | null = node.unit.cluster.space;
    let cost = this.cost(node.unit.cluster);
    let contractions = this.contractions(node.unit.cluster);
    const members = [...node.unit.cluster.members];
    for (const { unit } of others) {
      if (unit.kind !== 'cluster') return false;
      cost += this.cost(unit.cluster);
      contractions += this.contractions(unit.cluster);
      space = this.common(unit.cluster.space, space);
      if (!space || cost > longest || contractions > 1) return false;
      members.push(...unit.cluster.members);
    }
    members.sort((x, y) => this.positionOf(x) - this.positionOf(y));
    const body = this.attempt({ space, members });
    if (!body || body.loads.size + members.length > this.limits.buffers) return false;
    node.unit.body = body;
    node.unit.cluster = body.cluster;
    for (const v of members) this.home.set(v, node);
    for (const other of others) {
      this.nodes.delete(other);
      for (const x of this.nodes) if (x !== node && x.before.delete(other)) x.before.add(node);
    }
    this.link(node);
    return true;
  }

  private positionOf(v: Var): number {
    return this.flow.position.get(this.flow.producer.get(v)!)!;
  }

  private cost({ members }: Cluster): number {
    return members.reduce((sum, v) => sum + (this.flow.cost.get(v) ?? 0), 0);
  }

  private contractions(cluster: Cluster): number {
    return cluster.members.filter((v) => {
      const name = this.flow.producer.get(v)!.primitive.name;
      return name === 'dot_general' || name === 'conv_general_dilated';
    }).length;
  }

  /** Is there a way from one of `from` to another or to `to` that leads through a node that is none of them? */
  private between(from: readonly Node[], to: Node): boolean {
    const ends = new Set(from);
    const seen = new Set<Node>();
    const reaches = (x: Node): boolean => {
      if (ends.has(x)) return true;
      if (seen.has(x)) return false;
      seen.add(x);
      return [...x.before].some(reaches);
    };
    return [to, ...from].some(({ before }) => [...before].some((x) => !ends.has(x) && reaches(x)));
  }

  /** The space of both. */
  private common(a: Space, b: Space): Space | null {
    if (a.reduced.length > 0 && b.reduced.length > 0) {
      return sameShape(a.shape, b.shape) && sameShape(a.reduced, b.reduced) ? b : null;
    }
    const [wide, plain] = a.reduced.length > 0 ? [a, b] : [b, a];
    const size = sizeOf(plain.shape);
    const fits = size === sizeOf(wide.shape) || (wide.reduced.length > 0 && size === sizeOf(rowsOf(wide)));
    return fits ? wide : null;
  }

  private attempt(cluster: Cluster): Body | null {
    try {
      return bodyOf(cluster, this.flow);
    } catch (error) {
      if (error instanceof Misaligned) return null;
      throw error;
    }
  }

  /** Join clusters of one space that read the same memory. */
  private siblings(): void {
    const bySpace = new Map<string, Node[]>();
    for (const node of [...this.nodes].sort((a, b) => a.order - b.order)) {
      if (node.unit.kind !== 'cluster') continue;
      const { space } = node.unit.cluster;
      if (this.contractions(node.unit.cluster) > 0) continue;
      const key = `${space.shape.join()};${space.reduced.join()}`;
      const group = bySpace.get(key) ?? [];
      bySpace.set(key, group);
      const match = group.find((x) => this.shares(x, node) && !this.connected(x, node));
      if (!match || !this.pair(match, node)) group.push(node);
    }
  }

  private shares(a: Node, b: Node): boolean {
    if (a.unit.kind !== 'cluster' || b.unit.kind !== 'cluster') return false;
    const { loads } = this.bodyOf(b.unit);
    return [...this.bodyOf(a.unit).loads].some((x) => loads.has(x) && x.size.op === 'const' && x.size.value > 1);
  }

  private connected(a: Node, b: Node): boolean {
    return b.before.has(a) || a.before.has(b) || this.between([a], b) || this.between([b], a);
  }

  /** Put `b` into `a`, which does not depend on it nor the other way round. */
  private pair(a: Node, b: Node): boolean {
    if (a.unit.kind !== 'cluster' || b.unit.kind !== 'cluster') return false;
    const members = [...a.unit.cluster.members, ...b.unit.cluster.members];
    const body = this.attempt({ space: a.unit.cluster.space, members });
    if (!body || body.loads.size + members.length > this.limits.buffers) return false;
    a.unit.body = body;
    a.unit.cluster = body.cluster;
    for (const v of b.unit.cluster.members) this.home.set(v, a);
    this.nodes.delete(b);
    for (const x of this.nodes) if (x !== a && x.before.delete(b)) x.before.add(a);
    this.link(a);
    return true;
  }

  /** All nodes, after those that they read. */
  private sorted(): readonly Node[] {
    const done = new Set<Node>();
    const out: Node[] = [];
    const go = (node: Node): void => {
      if (done.has(node)) return;
      done.add(node);
      for (const x of [...node.before].sort((a, b) => a.order - b.order)) go(x);
      out.push(node);
    };
    for (const node of [...this.nodes].sort((a, b) => a.order - b.order)) go(node);
    return out;
  }

  units(): readonly Unit[] {
    this.siblings();
    const nodes = this.sorted();
    const elsewhere = new Set<Var>();
    for (const node of nodes) {
      if (node.unit.kind !== 'cluster') continue;
      for (const buffer of this.bodyOf(node.unit).loads) elsewhere.add(this.flow.valueOf(buffer));
    }
    return nodes.flatMap(({ unit }): Unit[] => {
      if (unit.kind === 'equation') return [unit];
      const body = this.bodyOf(unit);
      const stored = unit.cluster.members.filter((v) => this.flow.needed.has(v) || elsewhere.has(v));
      return stored.length === 0 ? [] : [{ kind: 'cluster', body, stored }];
    });
  }
}
