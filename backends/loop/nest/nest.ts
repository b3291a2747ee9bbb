/**
 * A cluster as a kernel: loops over the rows, and in each as many passes along it as sums depend on sums.
 *
 * What is worth keeping from one pass to the next is written to a row of scratch memory, which stays in the nearest cache, or is read
 * back from where it was stored anyway. Long sums of floats are sums of sums of blocks, as errors grow with the number of terms.
 */

import { isFloat } from '../../../src/core/dtype.ts';
import type { Var } from '../../../src/core/jaxpr.ts';
import { range, sizeOf } from '../../../src/core/shape.ts';
import { type Body, visit } from '../fuse/cluster.ts';
import type { Dataflow } from '../fuse/dataflow.ts';
import {
  type Buffer,
  constant,
  type Expr,
  type Index,
  index,
  int,
  type Local,
  load,
  operands,
  read,
} from '../ir/expr.ts';
import { flat, plus, times } from '../ir/integer.ts';
import type { Combiner, Kernel, LoopRole, Stmt } from '../ir/kernel.ts';
import { substitution } from '../ir/rewrite.ts';
import { identity } from '../scalar.ts';
import { accessesOf, extentOf, mergeable, vectorScore } from './axes.ts';

export interface Sum {
  readonly local: Local;
  readonly combiner: Combiner;
  readonly value: Expr;
}

export interface Put {
  readonly buffer: Buffer;
  readonly at: Expr;
  readonly value: Expr;
}

/** A nest before its loops are written. */
export interface Draft {
  kept: readonly Index[];
  reduced: readonly Index[];
  sums: readonly Sum[];
  /** At every place, and for every row. */
  places: readonly Put[];
  rows: readonly Put[];
}

/** Rows of scratch memory are at most this long: two of them fit into the second cache. */
const longestRow = 1 << 16;
/** Worth keeping: this many operations. */
const keepFrom = 8;
/** Terms of a sum that are added one after the other. */
const block = 4096;

/** @param room - elements of scratch memory that it may have, if few */
export function nestOf(
  name: string,
  body: Body,
  stored: readonly Var[],
  flow: Dataflow,
  room = Number.POSITIVE_INFINITY,
): Kernel {
  const draft = simplified(draftOf(body, stored, flow));
  const scratch: Buffer[] = [];
  const statements = new Nest(draft, scratch, room).statements();
  const outputs = stored.map((v) => flow.buffer(v));
  const inputs = [...body.loads].filter((x) => !outputs.includes(x));
  return { name, operands: [...inputs, ...outputs], scratch, sizes: 0, body: statements };
}

/** The nest of what a cluster stores. */
export function draftOf({ cluster, indices, values, held }: Body, stored: readonly Var[], flow: Dataflow): Draft {
  const { reduced } = cluster.space;
  const puts = (level: 'place' | 'row'): Put[] =>
    stored.flatMap((v) => {
      const member = values.get(v)!;
      return member.level === level ? [{ buffer: flow.buffer(v), at: member.address, value: member.value }] : [];
    });
  const axes = (want: boolean): Index[] =>
    indices.filter((x, axis) => x !== null && reduced.includes(axis) === want) as Index[];
  return {
    kept: axes(false),
    reduced: axes(true),
    sums: [...held.values()].map(({ local, terms, term }) => ({ local, combiner: terms.combiner, value: term })),
    places: puts('place'),
    rows: puts('row'),
  };
}

/** Neighbouring axes that are one walk become one. */
export function simplified(given: Draft): Draft {
  let draft = given;
  for (;;) {
    const { kept, reduced, sums, places, rows } = draft;
    const accesses = accessesOf(
      [...sums, ...places, ...rows].map(({ value }) => value),
      [...places, ...rows].map(({ at }) => at),
    );
    const k = mergeable(kept, accesses);
    const r = k ? null : mergeable(reduced, accesses);
    const found = k ?? r;
    if (!found) return draft;
    const { by } = found;
    const moved = (put: Put): Put => ({ ...put, at: by(put.at), value: by(put.value) });
    draft = {
      kept: k ? k.axes : kept,
      reduced: r ? r.axes : reduced,
      sums: sums.map((x) => ({ ...x, value: by(x.value) })),
      places: places.map(moved),
      rows: rows.map(moved),
    };
  }
}

/** Writes the loops of a nest; `scratch` are the buffers that it needs for them. */
export class Nest {
  private readonly draft: Draft;
  private readonly scratch: Buffer[];
  private readonly levels = new Map<Expr, number>();
  /** The pass after which a local is there. */
  private readonly passes = new Map<Local, number>();
  private readonly room: number;

  constructor(draft: Draft, scratch: Buffer[], room = Number.POSITIVE_INFINITY) {
    this.draft = draft;
    this.scratch = scratch;
    this.room = room;
  }

  /** The pass in which an expression can be computed: one more than that of any sum in it. */
  private level(x: Expr): number {
    let found = this.levels.get(x);
    if (found === undefined) {
      if (x.op === 'local') found = this.passOf(x.local) + 1;
      else found = Math.max(0, ...operands(x).map((y) => this.level(y)));
      this.levels.set(x, found);
    }
    return found;
  }

  private passOf(local: Local): number {
    let found = this.passes.get(local);
    if (found === undefined) {
      found = this.level(this.draft.sums.find((x) => x.local === local)!.value);
      this.passes.set(local, found);
    }
    return found;
  }

  statements(): readonly Stmt[] {
    const { kept, reduced, sums, places, rows } = this.draft;
    const accesses = accessesOf(
      [...sums, ...places, ...rows].map(({ value }) => value),
      [...places, ...rows].map(({ at }) => at),
    );
    const best = [...reduced, ...kept].reduce<Index | null>(
      (a, b) => (a === null || vectorScore(b, accesses) > vectorScore(a, accesses) ? b : a),
      null,
    );
    const along = best !== null && reduced.includes(best);
    const inner = this.passesOf(along ? best : null, best !== null && !along);
    const vectorRow = best !== null && !along ? best : null;
    const outer = kept.filter((x) => x !== vectorRow);
    let body: readonly Stmt[] = inner;
    if (vectorRow) body = [{ kind: 'loop', index: vectorRow, role: 'vector', body }];
    for (const x of [...outer].reverse()) body = [{ kind: 'loop', index: x, role: 'parallel', body }];
    return body;
  }

  /** The passes over one row. */
  private passesOf(vector: Index | null, lanes: boolean): readonly Stmt[] {
    const { sums, places, rows, reduced } = this.draft;
    const statements: Stmt[] = sums.map(({ local, combiner }) => ({
      kind: 'local',
      local,
      value: constant(identity(combiner, local.dtype), local.dtype),
    }));
    const last = Math.max(-1, ...sums.map((x) => this.passOf(x.local)), ...places.map((x) => this.level(x.value)));
    const passes = range(last + 1).map((pass) => ({
      sums: sums.filter((x) => this.passOf(x.local) === pass),
      puts: places.filter((x) => this.level(x.value) === pass),
    }));
    if (passes.length > 1 && !lanes && reduced.length > 0) this.keep(passes);
    const store = ({ buffer, at, value }: Put): Stmt => ({ kind: 'store', buffer, at, value });
    for (let pass = 0; pass <= last + 1; pass++) {
      statements.push(...rows.filter((x) => this.level(x.value) === pass).map(store));
      if (pass <= last) statements.push(...this.loops(passes[pass]!, vector));
    }
    return statements;
  }

  /** Put what later passes would compute again into memory. */
  private keep(passes: { sums: readonly Sum[]; puts: readonly Put[] }[]): void {
    const { reduced } = this.draft;
    const lengths = reduced.map(extentOf);
    if (sizeOf(lengths) > longestRow) return;
    const at = flat(reduced.map(index), lengths);
    const along = new Set(reduced.map(index));
    const rootsOf = (pass: { sums: readonly Sum[]; puts: readonly Put[] }): Expr[] => [
      ...pass.sums.map((x) => x.value),
      ...pass.puts.map((x) => x.value),
    ];
    for (let t = 1; t < passes.length; t++) {
      const earlier = new Map<Expr, number>();
      for (let s = t - 1; s >= 0; s--) visit(rootsOf(passes[s]!), (x) => earlier.set(x, s));
      const taken = new Set<Expr>();
      const seen = new Set<Expr>();
      const look = (x: Expr): void => {
        if (seen.has(x)) return;
        seen.add(x);
        if (earlier.has(x) && x.op === 'apply' && dependsOn(x, along) && costOf(x) >= keepFrom) taken.add(x);
        else for (const y of operands(x)) look(y);
      };
      for (const root of rootsOf(passes[t]!)) look(root);
      const by = new Map<Expr, Expr>();
      for (const x of taken) {
        const s = earlier.get(x)!;
        const put = passes[s]!.puts.find((p) => p.value === x);
        if (put) by.set(x, load(put.buffer, put.at));
        else if ((this.scratch.length + 1) * sizeOf(lengths) <= this.room) {
          const row: Buffer = {
            name: `row${this.scratch.length}`,
            dtype: x.dtype,
            kind: 'scratch',
            size: int(sizeOf(lengths)),
          };
          this.scratch.push(row);
          passes[s] = { ...passes[s]!, puts: [...passes[s]!.puts, { buffer: row, at, value: x }] };
          by.set(x, load(row, at));
        }
      }
      if (by.size === 0) continue;
      const from = substitution(by);
      for (let u = t; u < passes.length; u++) {
        passes[u] = {
          sums: passes[u]!.sums.map((x) => ({ ...x, value: from(x.value) })),
          puts: passes[u]!.puts.map((x) => ({ ...x, value: from(x.value) })),
        };
      }
    }
  }

  /** One pass: its loops. */
  private loops(
    { sums, puts }: { readonly sums: readonly Sum[]; readonly puts: readonly Put[] },
    vector: Index | null,
  ): readonly Stmt[] {
    if (sums.length === 0 && puts.length === 0) return [];
    const { reduced } = this.draft;
    const body = (locals: ReadonlyMap<Local, Local>, by: (x: Expr) => Expr): readonly Stmt[] => [
      ...sums.map(
        ({ local, combiner, value }): Stmt => ({
          kind: 'accumulate',
          local: locals.get(local) ?? local,
          combiner,
          value: by(value),
        }),
      ),
      ...puts.map(({ buffer, at, value }): Stmt => ({ kind: 'store', buffer, at: by(at), value: by(value) })),
    ];
    const same = (x: Expr): Expr => x;
    const order = [...reduced.filter((x) => x !== vector), ...(vector ? [vector] : [])];
    const [first, ...others] = order;
    const each = others.reduce((size, x) => size * extentOf(x), 1);
    // Of floats, as errors grow with the number of terms; and where there is one row, whose blocks are all that can be done at once.
    const alone = this.draft.kept.length === 0;
    const exact = !sums.some((x) => x.combiner === 'add' && isFloat(x.local.dtype));
    const worth = sums.length > 0 && (alone || (others.length === 0 && !exact));
    const around = (inside: readonly Index[], statements: readonly Stmt[]): readonly Stmt[] =>
      [...inside]
        .reverse()
        .reduce<readonly Stmt[]>(
          (body, x) => [{ kind: 'loop', index: x, role: x === vector ? 'vector' : 'serial', body }],
          statements,
        );
    if (first && worth && extentOf(first) * each > 2 * block) {
      const rows = Math.max(1, Math.floor(block / each));
      const role = first === vector ? 'vector' : 'serial';
      if (rows < extentOf(first)) return this.blocks(first, rows, role, sums, (...of) => around(others, body(...of)));
    }
    return around(order, body(new Map(), same));
  }

  /** A long pass in blocks of so many turns, each of which has sums of its own. */
  private blocks(
    axis: Index,
    size: number,
    role: LoopRole,
    sums: readonly Sum[],
    body: (locals: ReadonlyMap<Local, Local>, by: (x: Expr) => Expr) => readonly Stmt[],
  ): readonly Stmt[] {
    const length = extentOf(axis);
    const count = Math.floor(length / size);
    const own = new Map(sums.map(({ local }) => [local, { ...local, name: `${local.name}b` }]));
    const part = (extent: number, base: (x: Expr) => Expr): readonly Stmt[] => {
      const inner: Index = { name: `${axis.name}b`, extent: int(extent) };
      const by = substitution(new Map([[index(axis), base(extent === 1 ? int(0) : index(inner))]]));
      const turn = body(own, by);
      return [
        ...sums.map(
          ({ local, combiner }): Stmt => ({
            kind: 'local',
            local: own.get(local)!,
            value: constant(identity(combiner, local.dtype), local.dtype),
          }),
        ),
        ...(extent === 1 ? turn : [{ kind: 'loop', index: inner, role, body: turn } as const]),
        ...sums.map(
          ({ local, combiner }): Stmt => ({
            kind: 'accumulate',
            local,
            combiner,
            value: read(own.get(local)!),
          }),
        ),
      ];
    };
    const blocks: Index = { name: `${axis.name}a`, extent: int(count) };
    const rest = length - count * size;
    const main: Stmt = {
      kind: 'loop',
      index: blocks,
      role: 'serial',
      body: part(size, (x) => plus(times(index(blocks), int(size)), x)),
    };
    // A block of its own, so that its registers are too.
    const once: Index = { name: `${axis.name}c`, extent: int(1) };
    return rest === 0
      ? [main]
      : [main, { kind: 'loop', index: once, role: 'serial', body: part(rest, (x) => plus(x, int(count * size))) }];
  }
}

/** Does an expression depend on one of these? */
export function dependsOn(x: Expr, on: ReadonlySet<Expr>): boolean {
  let found = false;
  visit([x], (y) => {
    if (on.has(y)) found = true;
  });
  return found;
}

/** Operations below an expression. */
function costOf(x: Expr): number {
  let cost = 0;
  visit([x], (y) => {
    if (y.op === 'call') cost += 20;
    else if (y.op === 'apply' && y.dtype !== 'int32') cost += y.fn === 'div' || y.fn === 'sqrt' ? 4 : 1;
  });
  return cost;
}
