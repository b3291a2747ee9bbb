/**
 * Products of matrices and convolutions: a workgroup makes a tile of the result. Panels of both factors go through workgroup memory, and
 * each invocation multiplies a block of them in registers. A convolution is the product of windows, gathered as they are loaded, and
 * filters.
 *
 * Where the result has few tiles and many terms, the terms are divided, and the parts added by another kernel, in their order.
 */

import { type Buffer, constant, type Expr, type Index, index, int, type Local, load, read } from '../loop/ir/expr.ts';
import { both, flat, plus, times, unflat } from '../loop/ir/integer.ts';
import type { Kernel, Stmt } from '../loop/ir/kernel.ts';
import { placed as inDilated } from '../loop/lower/reductions.ts';
import type { ContractedAxis, Contraction, Convolution, Place, Step } from '../loop/plan/program.ts';
import type { AdapterFacts } from './connection.ts';
import { Operands } from './operands.ts';
import { bare, expressionsOf, parameter, refusal, type Scope, typeOf } from './wgsl/expr.ts';
import { indent, type Pass, split } from './wgsl/kernel.ts';
import { Names } from './wgsl/names.ts';
import { type PreludeName, prelude } from './wgsl/prelude.ts';

type ProductStep = Extract<Step, { kind: 'contract' | 'convolve' }>;

/** A product as sums over k of elements a(z, i, k)·b(z, k, j), with the address of each result. */
interface Sums {
  readonly extents: { readonly z: number; readonly i: number; readonly j: number; readonly k: number };
  readonly a: (z: Expr, i: Expr, k: Expr) => { readonly at: Expr; readonly guard: Expr | null };
  readonly b: (z: Expr, k: Expr, j: Expr) => { readonly at: Expr; readonly guard: Expr | null };
  readonly c: (z: Expr, i: Expr, j: Expr) => Expr;
  /** Whether neighbours in memory are neighbours along k, rather than along the lines of a or the columns of b. */
  readonly along: { readonly a: boolean; readonly b: boolean };
}

const product = (list: readonly number[]): number => list.reduce((n, x) => n * x, 1);

function sumsOf(step: ProductStep): Sums {
  return step.kind === 'contract' ? contracted(step.contraction) : convolved(step.convolution);
}

function contracted({ batch, m, n, k }: Contraction): Sums {
  const extents = (axes: readonly ContractedAxis[]): number[] => axes.map((x) => x.extent);
  const walk = (of: 'a' | 'b' | 'c', ...parts: readonly (readonly [readonly ContractedAxis[], Expr])[]): Expr =>
    parts.reduce(
      (sum, [axes, at]) => unflat(at, extents(axes)).reduce((s, x, i) => plus(s, times(x, int(axes[i]![of]))), sum),
      int(0) as Expr,
    );
  const size = (axes: readonly ContractedAxis[]): number => product(extents(axes));
  return {
    extents: { z: size(batch), i: size(m), j: size(n), k: size(k) },
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

/** A product in WGSL, and the kernel after it that adds the parts, where its terms are divided. */
export interface TiledProduct {
  readonly code: string;
  readonly pass: Pass;
  readonly operands: Operands;
  readonly rest: { readonly kernel: Kernel; readonly places: readonly Place[] } | null;
}

/** Invocations of a workgroup, along each axis of a tile. */
const side = 16;
const width = side * side;

interface Tile {
  /** Lines and columns of an invocation. */
  readonly rows: number;
  readonly columns: number;
  /** Terms of a panel. */
  readonly depth: number;
  /** Parts that the terms are divided into, and terms of each. */
  readonly parts: number;
  readonly terms: number;
}

/** Tiles below this number leave a GPU idle. */
const busy = 64;
/** Terms of a part at least. */
const leastTerms = 256;

function tileOf({ z, i, j, k }: Sums['extents'], facts: AdapterFacts): Tile {
  const fit = (extent: number, most: number): number => {
    let n = 1;
    while (n < most && side * n < extent) n *= 2;
    return n;
  };
  const tiles = (rows: number, columns: number): number =>
    Math.ceil(i / (side * rows)) * Math.ceil(j / (side * columns)) * z;
  const most = tiles(8, 8) >= 2 * busy ? 8 : 4;
  const [rows, columns] = [fit(i, most), fit(j, most)];
  const depth = most === 8 && facts.workgroupBytes < 32768 ? 8 : 16;
  const wanted = Math.min(Math.floor(k / leastTerms), Math.ceil(busy / tiles(rows, columns)));
  const terms = wanted > 1 ? Math.ceil(k / wanted / depth) * depth : k;
  return { rows, columns, depth, parts: Math.max(1, Math.ceil(k / terms)), terms };
}

const axis = (name: string, extent: number): Index => ({ name, extent: int(extent) });

/** @param room - a place for so many elements, as long as the product is made */
export function tiledProduct(
  step: ProductStep,
  name: string,
  facts: AdapterFacts,
  room: (elements: number) => Place,
): TiledProduct {
  const { dtype } = step.kind === 'contract' ? step.contraction : step.convolution;
  const sums = sumsOf(step);
  const tile = tileOf(sums.extents, facts);
  const { z, i, j } = sums.extents;
  const buffer = (of: string): Buffer => ({ name: of, dtype, kind: 'operand', size: int(0) });
  const [a, b, c] = [buffer('a'), buffer('b'), buffer('c')];
  const elements = tile.parts * z * i * j;
  const parts = tile.parts > 1 ? { buffer: buffer('parts'), place: room(elements) } : null;
  const operands = new Operands([a, b, parts?.buffer ?? c], [step.a, step.b, parts?.place ?? step.c]);
  const { code, workgroups } = new Writer(name, sums, tile, operands, a, b, parts?.buffer ?? c).program(facts);
  return {
    code,
    pass: { entry: 'main', workgroups },
    operands,
    rest: parts && {
      kernel: added(`${name}_sum`, sums, tile.parts, parts.buffer, c),
      places: [parts.place, step.c],
    },
  };
}

/** Adds the parts of every element. */
function added(name: string, { extents, c: address }: Sums, count: number, parts: Buffer, c: Buffer): Kernel {
  const lengths = [extents.z, extents.i, extents.j];
  const axes = [axis('z', extents.z), axis('i', extents.i), axis('j', extents.j)];
  const at = axes.map(index) as [Expr, Expr, Expr];
  const part = axis('s', count);
  const sum: Local = { name: 'sum', dtype: c.dtype };
  const term = load(parts, plus(times(index(part), int(product(lengths))), flat(at, lengths)));
  const body: readonly Stmt[] = [
    { kind: 'local', local: sum, value: constant(0, c.dtype) },
    {
      kind: 'loop',
      index: part,
      role: 'serial',
      body: [{ kind: 'accumulate', local: sum, combiner: 'add', value: term }],
    },
    { kind: 'store', buffer: c, at: address(...at), value: read(sum) },
  ];
  const nest = axes.reduceRight(
    (inner: readonly Stmt[], of): readonly Stmt[] => [{ kind: 'loop', index: of, role: 'parallel', body: inner }],
    body,
  );
  return { name, operands: [parts, c], scratch: [], sizes: 0, body: nest };
}

/** Writes the kernel of a product. */
class Writer implements Scope {
  private readonly sums: Sums;
  private readonly tile: Tile;
  private readonly operands: Operands;
  private readonly a: Buffer;
  private readonly b: Buffer;
  private readonly c: Buffer;
  private readonly names = new Names();
  private readonly used = new Set<PreludeName>();
  readonly fail: (problem: string) => never;

  constructor(name: string, sums: Sums, tile: Tile, operands: Operands, a: Buffer, b: Buffer, c: Buffer) {
    this.sums = sums;
    this.tile = tile;
    this.operands = operands;
    this.a = a;
    this.b = b;
    this.c = c;
    this.fail = refusal(name);
  }

  readonly name = (thing: { readonly name: string }): string => this.names.of(thing);
  readonly temporary = (): string => this.names.fresh('t');
  readonly use = (name: PreludeName): string => {
    this.used.add(name);
    return name;
  };

  program(facts: AdapterFacts): { readonly code: string; readonly workgroups: readonly [number, number] } {
    const { operands, tile, sums } = this;
    const { z, i, j } = sums.extents;
    const { rows, columns, depth, parts } = tile;
    const type = typeOf(this.c.dtype, this);
    const [tall, broad] = [side * rows, side * columns];
    const [down, across] = [Math.ceil(i / tall), Math.ceil(j / broad)];
    const count = down * across * z * parts;
    const workgroups = split(count, facts.workgroupsPerDimension);
    const stored = operands.buffer(this.c);
    const body = this.body(down, across, type);
    const head = [
      ...operands.buffers.map(
        (buffer, binding) =>
          `@group(0) @binding(${binding}) var<storage, ${buffer === stored ? 'read_write' : 'read'}> ${this.name(buffer)}: array<${type}>;`,
      ),
      ...operands.counters.map((_, slot) => `@group(1) @binding(${slot}) var<uniform> ${parameter(slot)}: i32;`),
      `var<workgroup> as_: array<${type}, ${depth * tall}>;`,
      `var<workgroup> bs_: array<${type}, ${depth * broad}>;`,
      ...prelude(this.used).map(({ text }) => text),
    ];
    const id = workgroups[1] > 1 ? `i32(w.x + w.y * ${workgroups[0]}u)` : 'i32(w.x)';
    const entry = [
      `@compute @workgroup_size(${width})`,
      'fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) lane: u32) {',
      `  let id = ${id};`,
      `  if (id < ${count}i) {`,
      ...indent(indent(body)),
      '  }',
      '}',
      '',
    ];
    return { code: [head.join('\n'), entry.join('\n')].join('\n\n'), workgroups };
  }

  private body(down: number, across: number, type: string): readonly string[] {
    const { rows, columns, depth, parts, terms } = this.tile;
    const { k } = this.sums.extents;
    const [tall, broad] = [side * rows, side * columns];
    const each = (f: (r: number, c: number) => string): string[] =>
      Array.from({ length: rows * columns }, (_, n) => f(Math.floor(n / columns), n % columns));
    const last = parts > 1 ? `min(${k}i, from_ + ${terms}i)` : `${k}i`;
    const float = type === 'f32';
    return [
      `let col0_ = (id % ${across}i) * ${broad}i;`,
      `let row0_ = ((id / ${across}i) % ${down}i) * ${tall}i;`,
      ...(parts > 1
        ? [
            `let part_ = (id / ${across * down}i) % ${parts}i;`,
            `let z_ = id / ${across * down * parts}i;`,
            `let from_ = part_ * ${terms}i;`,
          ]
        : [`let z_ = id / ${across * down}i;`]),
      `let tx_ = i32(lane) % ${side}i;`,
      `let ty_ = i32(lane) / ${side}i;`,
      ...each((r, c) => `var c${r}_${c}_ = ${type}();`),
      `let last_ = ${last};`,
      `for (var k0_ = ${parts > 1 ? 'from_' : '0i'}; k0_ < last_; k0_ += ${depth}i) {`,
      ...indent(this.panel('as_', tall, this.sums.along.a, 'row0_')),
      ...indent(this.panel('bs_', broad, this.sums.along.b, 'col0_')),
      '  workgroupBarrier();',
      `  for (var q_ = 0i; q_ < ${depth}i; q_++) {`,
      ...Array.from({ length: rows }, (_, r) => `    let a${r}_ = as_[q_ * ${tall}i + ty_ + ${side * r}i];`),
      ...Array.from({ length: columns }, (_, c) => `    let b${c}_ = bs_[q_ * ${broad}i + tx_ + ${side * c}i];`),
      ...each((r, c) =>
        float
          ? `    c${r}_${c}_ = fma(a${r}_, b${c}_, c${r}_${c}_);`
          : `    c${r}_${c}_ = c${r}_${c}_ + a${r}_ * b${c}_;`,
      ),
      '  }',
      '  workgroupBarrier();',
      '}',
      ...each((r, c) => this.store(r, c)),
    ];
  }

  /** The invocations load a panel of a factor, neighbours in memory by neighbours. */
  private panel(into: string, length: number, along: boolean, first: string): readonly string[] {
    const { extents, a: elementA, b: elementB } = this.sums;
    const isA = into === 'as_';
    const { depth } = this.tile;
    const ends = isA ? extents.i : extents.j;
    const [zi, li, ki] = [axis('z', extents.z), axis(isA ? 'i' : 'j', ends), axis('k', extents.k)];
    const [z, l, t] = [index(zi), index(li), index(ki)];
    const { at, guard } = isA ? elementA(z, l, t) : elementB(z, t, l);
    const buffer = isA ? this.a : this.b;
    const lines: string[] = [];
    const element = load(this.operands.buffer(buffer), this.operands.address(buffer, at), guard);
    const text = expressionsOf([element], lines, this)(element);
    const [line, term] = along ? [`e_ / ${depth}i`, `e_ % ${depth}i`] : [`e_ % ${length}i`, `e_ / ${length}i`];
    return [
      `for (var e_ = i32(lane); e_ < ${length * depth}i; e_ += ${width}i) {`,
      `  let l_ = ${line};`,
      `  let d_ = ${term};`,
      `  let ${this.name(zi)} = z_;`,
      `  let ${this.name(li)} = ${first} + l_;`,
      `  let ${this.name(ki)} = k0_ + d_;`,
      `  var x_ = ${typeOf(buffer.dtype, this)}();`,
      `  if (${this.name(ki)} < last_ && ${this.name(li)} < ${ends}i) {`,
      ...indent(indent([...lines, `x_ = ${bare(text)};`])),
      '  }',
      `  ${into}[d_ * ${length}i + l_] = x_;`,
      '}',
    ];
  }

  private store(r: number, c: number): string {
    const { parts } = this.tile;
    const { extents } = this.sums;
    const [zi, ii, ji] = [axis('z', extents.z), axis('i', extents.i), axis('j', extents.j)];
    const at = [index(zi), index(ii), index(ji)] as const;
    const whole = flat(at, [extents.z, extents.i, extents.j]);
    const lines: string[] = [];
    const address = parts > 1 ? whole : this.operands.address(this.c, this.sums.c(...at));
    const text = bare(expressionsOf([address], lines, this)(address));
    const offset = parts > 1 ? `part_ * ${product([extents.z, extents.i, extents.j])}i + ` : '';
    const [row, column] = [`row0_ + ty_ + ${side * r}i`, `col0_ + tx_ + ${side * c}i`];
    return [
      '{',
      `  let ${this.name(ii)} = ${row};`,
      `  let ${this.name(ji)} = ${column};`,
      `  if (${this.name(ii)} < ${extents.i}i && ${this.name(ji)} < ${extents.j}i) {`,
      `    let ${this.name(zi)} = z_;`,
      ...indent(indent(lines)),
      `    ${this.name(this.operands.buffer(this.c))}[${offset}${text}] = c${r}_${c}_;`,
      '  }',
      '}',
    ].join('\n');
  }
}
