/**
 * Products of matrices and convolutions: a workgroup makes a tile of the result. Panels of both factors go through workgroup memory, and
 * each invocation multiplies a block of them in registers. A convolution is the product of windows, gathered as they are loaded, and
 * filters.
 *
 * Where the result has few tiles and many terms, the terms are divided, and the parts added by another kernel, in their order.
 */

import {
  type Buffer,
  type Expr,
  type Index,
  index,
  int,
  type Load,
  type Local,
  load,
  op,
  operands as operandsOf,
  read,
  size,
} from '../loop/ir/expr.ts';
import { plus, range, times } from '../loop/ir/integer.ts';
import type { Kernel, Stmt } from '../loop/ir/kernel.ts';
import { substitution } from '../loop/ir/rewrite.ts';
import type { Epilogue, Place } from '../loop/plan/program.ts';
import type { AdapterFacts } from './connection.ts';
import { Operands } from './operands.ts';
import { type ProductStep, type Sums, sumsOf } from './sums.ts';
import { bare, expressionsOf, parameter, refusal, type Scope, storedType, typeOf } from './wgsl/expr.ts';
import { indent, type Pass, split } from './wgsl/kernel.ts';
import { Names } from './wgsl/names.ts';
import { type PreludeName, prelude } from './wgsl/prelude.ts';

/** A product in WGSL, and the kernels after it: what adds the parts, where its terms are divided, and an epilogue that is not in it. */
export interface TiledProduct {
  readonly code: string;
  readonly pass: Pass;
  readonly operands: Operands;
  /** What it writes. */
  readonly stored: ReadonlySet<Buffer>;
  readonly rest: readonly { readonly kernel: Kernel; readonly places: readonly Place[] }[];
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
/** Terms of a part at least, and how many parts at most. */
const leastTerms = 256;
const mostParts = 16;

function tileOf({ z, i, j, k }: Sums['extents'], facts: AdapterFacts): Tile {
  const multiple = (extent: number, most: number): number => {
    let n = 1;
    while (n < most && side * n < extent) n *= 2;
    return n;
  };
  const tiles = (rows: number, columns: number): number =>
    Math.ceil(i / (side * rows)) * Math.ceil(j / (side * columns)) * z;
  const most = tiles(8, 8) >= 2 * busy ? 8 : 4;
  const [rows, columns] = [multiple(i, most), multiple(j, most)];
  const depth = most === 8 && facts.workgroupBytes < 32768 ? 8 : 16;
  const wanted = Math.min(Math.floor(k / leastTerms), Math.ceil(busy / tiles(rows, columns)), mostParts);
  const terms = wanted > 1 ? Math.ceil(k / wanted / depth) * depth : k;
  return { rows, columns, depth, parts: Math.max(1, Math.ceil(k / terms)), terms };
}

const axis = (name: string, extent: number): Index => ({ name, extent: int(extent) });

/** What is done with an element (z, i, j) of the product, which is `x`. */
interface Finish {
  readonly indices: readonly [Index, Index, Index];
  readonly x: Local;
  readonly stores: readonly { readonly buffer: Buffer; readonly at: Expr; readonly value: Expr }[];
  readonly operands: readonly Buffer[];
  readonly places: readonly Place[];
}

/** The product alone: it is stored. */
function storing(indices: Finish['indices'], c: Buffer, place: Place, at: Expr): Finish {
  const x: Local = { name: 'x', dtype: c.dtype };
  return { indices, x, stores: [{ buffer: c, at, value: read(x) }], operands: [c], places: [place] };
}

/** The epilogue of a product of matrices, element by element; `null` if it is not of that kind. */
function finishing(step: ProductStep, indices: Finish['indices'], alone: Finish): Finish | null {
  const { epilogue } = step;
  if (step.kind !== 'contract' || !epilogue) return null;
  const { kernel, places, across } = epilogue.tile;
  const [outer] = kernel.body;
  const inner = outer?.kind === 'loop' ? outer.body[0] : undefined;
  if (outer?.kind !== 'loop' || inner?.kind !== 'loop' || kernel.sizes !== 2) return null;
  const [z, i, j] = indices.map(index) as [Expr, Expr, Expr];
  const [line, column, lines] = across ? [j, i, indices[2]] : [i, j, indices[1]];
  const x: Local = { name: 'x', dtype: alone.x.dtype };
  const by = new Map<Expr, Expr>([
    [index(outer.index), plus(times(z, lines.extent), line)],
    [index(inner.index), column],
    [size(0), int(0)],
  ]);
  const stores = inner.body.flatMap((stmt) => (stmt.kind === 'store' ? [stmt] : []));
  for (const { value } of stores) for (const y of loadsOf(value, epilogue.product)) by.set(y, read(x));
  const moved = substitution(by);
  const own = stores.map(({ buffer, at, value }) => ({ buffer, at: moved(at), value: moved(value) }));
  const kept = epilogue.keeps ? [{ ...alone.stores[0]!, value: read(x) }] : [];
  const isStored = stores.some(({ buffer }) => buffer === epilogue.product);
  const used = kernel.operands.map((buffer) => buffer !== epilogue.product || isStored);
  return {
    indices,
    x,
    stores: [...kept, ...own],
    operands: [...(epilogue.keeps ? alone.operands : []), ...kernel.operands.filter((_, at) => used[at])],
    places: [...(epilogue.keeps ? alone.places : []), ...places.filter((_, at) => used[at])],
  };
}

function loadsOf(x: Expr, buffer: Buffer): readonly Expr[] {
  const found: Expr[] = [];
  const seen = new Set<Expr>();
  const visit = (y: Expr): void => {
    if (seen.has(y)) return;
    seen.add(y);
    if (y.op === 'load' && y.buffer === buffer) found.push(y);
    operandsOf(y).forEach(visit);
  };
  visit(x);
  return found;
}

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
  const { epilogue } = step;
  const indices = [axis('z', z), axis('i', i), axis('j', j)] as const;
  const address = sums.c(...(indices.map(index) as [Expr, Expr, Expr]));
  const whole = storing(indices, c, step.c, address);
  const inside = finishing(step, indices, whole);
  let finish = whole;
  let rest: TiledProduct['rest'] = epilogue ? [epilogue] : [];
  if (tile.parts > 1) {
    // Parts lie as the result does, one after the other.
    const span = range(address).high + 1;
    const [parts, place] = [buffer('parts'), room(tile.parts * span)];
    const part = plus(times(size(partSlot), int(span)), address);
    finish = storing(indices, parts, place, part);
    const total = (at: Expr): Expr =>
      Array.from({ length: tile.parts }, (_, s) => load(parts, plus(at, int(s * span)))).reduce((x, y) =>
        op('add', x, y),
      );
    const adds = { kernel: added(`${name}_sum`, whole, total), places: [place, step.c] };
    rest = [adds, ...rest];
    if (epilogue && !epilogue.keeps) rest = [summing(epilogue, parts, place, total)];
  } else if (inside && inside.operands.length + 2 <= facts.buffers) {
    finish = inside;
    rest = [];
  }
  const operands = new Operands([a, b, ...finish.operands], [step.a, step.b, ...finish.places]);
  const { code, workgroups } = new Writer(name, sums, tile, operands, a, b, finish).program(facts);
  const stored = new Set(finish.stores.map((put) => operands.buffer(put.buffer)));
  return { code, pass: { entry: 'main', workgroups }, operands, stored, rest };
}

/** The parameter that says which part of the terms a workgroup sums. */
const partSlot = 100;

/** Adds the parts of every element of the product, which it stores. */
function added(name: string, { indices, stores: [put] }: Finish, total: (at: Expr) => Expr): Kernel {
  const { buffer, at } = put!;
  const value = total(at);
  const [parts] = loadedIn(value);
  const store: Stmt = { kind: 'store', buffer, at, value };
  const body = indices.reduceRight(
    (inner: readonly Stmt[], of): readonly Stmt[] => [{ kind: 'loop', index: of, role: 'parallel', body: inner }],
    [store],
  );
  return { name, operands: [parts!, buffer], scratch: [], sizes: 0, body };
}

const loadedIn = (x: Expr): readonly Buffer[] =>
  x.op === 'load' ? [x.buffer] : [...new Set(operandsOf(x).flatMap(loadedIn))];

/** The epilogue, with the sum of the parts where it reads the product. */
function summing({ kernel, product: of, places }: Epilogue, parts: Buffer, place: Place, total: (at: Expr) => Expr) {
  const stored = new Set<Buffer>();
  const stmt = (x: Stmt): Stmt => {
    if (x.kind === 'loop') return { ...x, body: x.body.map(stmt) };
    if (x.kind !== 'store') return x;
    stored.add(x.buffer);
    const by = new Map(loadsOf(x.value, of).map((y) => [y, total((y as Load).at)]));
    return { ...x, value: substitution(by)(x.value) };
  };
  const body = kernel.body.map(stmt);
  const used = kernel.operands.map((buffer) => buffer !== of || stored.has(buffer));
  return {
    kernel: { ...kernel, operands: [parts, ...kernel.operands.filter((_, at) => used[at])], body },
    places: [place, ...places.filter((_, at) => used[at])],
  };
}

/** Writes the kernel of a product. */
class Writer implements Scope {
  private readonly sums: Sums;
  private readonly tile: Tile;
  private readonly operands: Operands;
  private readonly a: Buffer;
  private readonly b: Buffer;
  private readonly finish: Finish;
  private readonly names = new Names();
  private readonly used = new Set<PreludeName>();
  readonly fail: (problem: string) => never;

  constructor(name: string, sums: Sums, tile: Tile, operands: Operands, a: Buffer, b: Buffer, finish: Finish) {
    this.sums = sums;
    this.tile = tile;
    this.operands = operands;
    this.a = a;
    this.b = b;
    this.finish = finish;
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
    const type = typeOf(this.finish.x.dtype, this);
    const [tall, broad] = [side * rows, side * columns];
    const [down, across] = [Math.ceil(i / tall), Math.ceil(j / broad)];
    const count = down * across * z * parts;
    const workgroups = split(count, facts.workgroupsPerDimension);
    const stored = new Set(this.finish.stores.map(({ buffer }) => operands.buffer(buffer)));
    const body = this.body(down, across, type);
    const finish = this.finisher(type);
    const head = [
      ...operands.buffers.map(
        (buffer, binding) =>
          `@group(0) @binding(${binding}) var<storage, ${stored.has(buffer) ? 'read_write' : 'read'}> ${this.name(buffer)}: array<${storedType(buffer.dtype, this)}>;`,
      ),
      ...operands.counters.map((_, slot) => `@group(1) @binding(${slot}) var<uniform> ${parameter(slot)}: i32;`),
      `var<workgroup> as_: array<${type}, ${depth * tall}>;`,
      `var<workgroup> bs_: array<${type}, ${depth * broad}>;`,
      ...prelude(this.used).map(({ text }) => text),
      ...finish,
    ];
    const zero = prelude(this.used).some(({ name }) => name === 'zero');
    const [extra, first] = zero ? [', @builtin(num_workgroups) n: vec3u', ['  zero = u32(n.x == 0u);']] : ['', []];
    const id = workgroups[1] > 1 ? `i32(w.x + w.y * ${workgroups[0]}u)` : 'i32(w.x)';
    const entry = [
      `@compute @workgroup_size(${width})`,
      `fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) lane: u32${extra}) {`,
      ...first,
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
    const { i, j } = this.sums.extents;
    const [row, column] = [`row0_ + ty_ + ${side * r}i`, `col0_ + tx_ + ${side * c}i`];
    const part = this.tile.parts > 1 ? ', part_' : '';
    return `if (${row} < ${i}i && ${column} < ${j}i) { finish_(z_, ${row}, ${column}, c${r}_${c}_${part}); }`;
  }

  /** A function that does with an element of the product what is to be done with it. */
  private finisher(type: string): readonly string[] {
    const { indices, x, stores } = this.finish;
    const names = indices.map(this.name);
    const part = this.tile.parts > 1 ? `, ${parameter(partSlot)}: i32` : '';
    const lines = stores.flatMap(({ buffer, at, value }): string[] => {
      const before: string[] = [];
      const [address, element] = [this.operands.address(buffer, this.operands.moved(at)), this.operands.moved(value)];
      const show = expressionsOf([address, element], before, this);
      const [place, text] = [bare(show(address)), bare(show(element))];
      const word = buffer.dtype === 'bool' ? `u32(${text})` : text;
      return [...before, `${this.name(this.operands.buffer(buffer))}[${place}] = ${word};`];
    });
    return [
      `fn finish_(${names.map((name) => `${name}: i32`).join(', ')}, ${this.name(x)}: ${type}${part}) {`,
      ...indent(lines),
      '}',
    ];
  }
}
