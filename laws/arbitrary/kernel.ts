/**
 * Arbitrary kernels of the Loop IR, with operands to run them on.
 *
 * A kernel is a nest of loops around *phases*: a local, a reduction, scratch that is filled and read, a value carried through a serial
 * loop, stores of a result. Their expressions meet every operation, dtype and edge value; addresses are affine, guarded, clamped,
 * wrapped or gathered. All of it is drawn as plain data first, so that counterexamples shrink to a few statements.
 *
 * With `exact`, what a kernel computes does not depend on choices that machines have (the order of a vector loop's sum, one or two
 * roundings of `madd`, the bits of a NaN): results are the same to the last bit.
 */

import * as fc from 'fast-check';
import {
  type Buffer,
  constant,
  type Expr,
  type Index,
  index,
  int,
  type Local,
  read,
} from '../../backends/loop/ir/expr.ts';
import { flat } from '../../backends/loop/ir/integer.ts';
import type { Combiner, Kernel, LoopRole, Stmt } from '../../backends/loop/ir/kernel.ts';
import { printKernel } from '../../backends/loop/print.ts';
import { identity } from '../../backends/loop/scalar.ts';
import { combines } from '../../backends/loop/types.ts';
import { allocate, type DType, dtypes, isFloat, shortName, type TypedArray } from '../../src/core/dtype.ts';
import { edgy } from './elements.ts';
import { build, type Environment, type Term, terms } from './kernel-terms.ts';

/** A kernel, and fresh operands for it: inputs with edge values among them, outputs of zeros. */
export interface KernelCase {
  readonly kernel: Kernel;
  readonly operands: () => readonly TypedArray[];
}

/** Which kernels. */
export interface KernelOptions {
  /** Leave out what machines may round in their own way; default true. */
  readonly exact?: boolean;
  /** Include float64 and its functions; default true. */
  readonly float64?: boolean;
}

/** A loop inside of the nest, or none. */
interface Inner {
  readonly extent: number;
  readonly role: 'vector' | 'serial';
}

type Phase =
  | { readonly kind: 'local'; readonly dtype: DType; readonly term: Term }
  | {
      readonly kind: 'reduce';
      readonly dtype: DType;
      readonly combiner: Combiner;
      readonly inner: Inner;
      readonly term: Term;
      readonly where: Term | null;
    }
  | { readonly kind: 'fill'; readonly dtype: DType; readonly inner: Inner; readonly term: Term }
  | {
      readonly kind: 'carry';
      readonly dtype: DType;
      readonly extent: number;
      readonly first: Term;
      readonly term: Term;
    }
  | {
      readonly kind: 'store';
      readonly dtype: DType;
      readonly inner: Inner | null;
      readonly term: Term;
      readonly where: Term | null;
      readonly transposed: boolean;
    };

interface Recipe {
  readonly nest: readonly { readonly extent: number; readonly role: LoopRole }[];
  readonly phases: readonly Phase[];
  /** The sizes of the buffers that are loaded from. */
  readonly sources: readonly number[];
}

const extents = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 7 }) },
  { weight: 1, arbitrary: fc.constant(0) },
);

const inners: fc.Arbitrary<Inner> = fc.record({ extent: extents, role: fc.constantFrom('vector', 'serial') });

function phases(dtype: DType, options: Required<KernelOptions>): fc.Arbitrary<Phase> {
  const term = terms(dtype, options);
  const where = fc.option(terms('bool', options), { freq: 2 });
  const of = fc.constant(dtype);
  const combiners = (['add', 'mul', 'min', 'max', 'and', 'or'] as const).filter((c) => combines(c, dtype));
  return fc.oneof(
    fc.record({
      kind: fc.constant('store' as const),
      dtype: of,
      inner: fc.option(inners),
      term,
      where,
      transposed: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('local' as const), dtype: of, term }),
    fc.constantFrom<Combiner>(...combiners).chain((combiner) =>
      fc.record({
        kind: fc.constant('reduce' as const),
        dtype: of,
        combiner: fc.constant(combiner),
        // The order of a serial loop is its order.
        inner:
          options.exact && isFloat(dtype) && (combiner === 'add' || combiner === 'mul')
            ? inners.map(({ extent }): Inner => ({ extent, role: 'serial' }))
            : inners,
        term,
        where,
      }),
    ),
    fc.record({ kind: fc.constant('fill' as const), dtype: of, inner: inners, term }),
    fc.record({ kind: fc.constant('carry' as const), dtype: of, extent: extents, first: term, term }),
  );
}

const nests = fc
  .tuple(
    fc.array(fc.record({ extent: extents, role: fc.constantFrom<LoopRole>('parallel', 'serial') }), { maxLength: 2 }),
    fc.option(extents, { freq: 3 }),
  )
  .map(([outer, vector]) => (vector === null ? outer : [...outer, { extent: vector, role: 'vector' as const }]));

function recipes(options: Required<KernelOptions>): fc.Arbitrary<Recipe> {
  const used = options.float64 ? dtypes : dtypes.filter((d) => d !== 'float64');
  const phase = fc.constantFrom(...used).chain((dtype) => phases(dtype, options));
  return fc.record({
    nest: nests,
    phases: fc.array(phase, { minLength: 1, maxLength: 4 }),
    sources: fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 2 }),
  });
}

/** Kernels with their operands; every one is accepted by `checkKernel`. */
export function kernels({ exact = true, float64 = true }: KernelOptions = {}): fc.Arbitrary<KernelCase> {
  return recipes({ exact, float64 })
    .map((recipe) => new Building(recipe).kernel())
    .chain(({ kernel, inputs }) =>
      fc.tuple(...inputs.map((buffer) => edgy(buffer.dtype, sizeOf(buffer)))).map((values) => {
        const operands = (): readonly TypedArray[] =>
          kernel.operands.map((buffer) => {
            const array = allocate(buffer.dtype, sizeOf(buffer));
            array.set(values[inputs.indexOf(buffer)] ?? []);
            return array;
          });
        return {
          kernel,
          operands,
          [fc.toStringMethod]: () =>
            [printKernel(kernel), ...inputs.map((buffer, i) => `${buffer.name} = ${fc.stringify(values[i])}`)].join(
              '\n',
            ),
        };
      }),
    );
}

const sizeOf = (buffer: Buffer): number => (buffer.size as { readonly value: number }).value;

/** A kernel in the making: buffers are made when something refers to them. */
class Building {
  private readonly recipe: Recipe;
  private readonly inputs = new Map<string, Buffer>();
  private readonly outputs: Buffer[] = [];
  private readonly scratch: Buffer[] = [];
  private readonly locals: Local[] = [];

  constructor(recipe: Recipe) {
    this.recipe = recipe;
  }

  kernel(): { readonly kernel: Kernel; readonly inputs: readonly Buffer[] } {
    const nest = this.recipe.nest.map(({ extent, role }, i) => ({
      index: { name: 'ijk'[i]!, extent: int(extent) },
      role,
    }));
    const indices = nest.map(({ index }) => index);
    // Turns of a vector loop share scratch.
    const vector = nest.some(({ role }) => role === 'vector');
    const body = this.recipe.phases
      .filter(({ kind }) => !(vector && kind === 'fill'))
      .flatMap((phase) => this.phase(phase, indices, vector));
    const inputs = [...this.inputs.values()];
    const kernel: Kernel = {
      name: 'k',
      operands: [...inputs, ...this.outputs],
      scratch: this.scratch,
      sizes: 0,
      body: nest.reduceRight<readonly Stmt[]>((body, { index, role }) => [{ kind: 'loop', index, role, body }], body),
    };
    return { kernel, inputs };
  }

  private readonly source = (dtype: DType, pick: number): Buffer => {
    const { sources } = this.recipe;
    const place = pick % sources.length;
    const name = `${'xy'[place]}_${shortName(dtype)}`;
    let found = this.inputs.get(name);
    if (!found) {
      found = { name, dtype, kind: 'operand', size: int(sources[place]!) };
      this.inputs.set(name, found);
    }
    return found;
  };

  private expr(term: Term, dtype: DType, indices: readonly Index[], locals = this.locals): Expr {
    const env: Environment = { indices, locals, source: this.source, rows: this.scratch };
    return build(term, dtype, env);
  }

  private local(dtype: DType): Local {
    return { name: `v${this.locals.length}`, dtype };
  }

  private output(dtype: DType, shape: readonly Index[]): Buffer {
    const size = shape.reduce((n, { extent }) => n * (extent as { readonly value: number }).value, 1);
    const buffer: Buffer = { name: `out${this.outputs.length}`, dtype, kind: 'operand', size: int(size) };
    this.outputs.push(buffer);
    return buffer;
  }

  private phase(phase: Phase, nest: readonly Index[], vector: boolean): readonly Stmt[] {
    const { dtype } = phase;
    switch (phase.kind) {
      case 'local': {
        const value = this.expr(phase.term, dtype, nest);
        const local = this.local(dtype);
        this.locals.push(local);
        return [{ kind: 'local', local, value }];
      }
      case 'reduce': {
        const local = this.local(dtype);
        const { index, wrap } = this.inner(phase.inner, vector);
        const value = this.expr(phase.term, dtype, [...nest, index]);
        const stmt: Stmt = { kind: 'accumulate', local, combiner: phase.combiner, value };
        const body = this.where(phase.where, stmt, [...nest, index]);
        this.locals.push(local);
        return [{ kind: 'local', local, value: constant(identity(phase.combiner, dtype), dtype) }, wrap([body])];
      }
      case 'fill': {
        // Loads from a row go to the nearest element there is, so that there must be one.
        const { index: j, wrap } = this.inner({ ...phase.inner, extent: Math.max(1, phase.inner.extent) }, vector);
        const value = this.expr(phase.term, dtype, [...nest, j]);
        const buffer: Buffer = { name: `row${this.scratch.length}`, dtype, kind: 'scratch', size: j.extent };
        this.scratch.push(buffer);
        return [wrap([{ kind: 'store', buffer, at: index(j), value }])];
      }
      case 'carry': {
        const local = this.local(dtype);
        const j: Index = { name: 'j', extent: int(phase.extent) };
        const first = this.expr(phase.first, dtype, nest);
        const value = this.expr(phase.term, dtype, [...nest, j], [...this.locals, local]);
        const all = [...nest, j];
        const buffer = this.output(dtype, all);
        const body: readonly Stmt[] = [
          { kind: 'assign', local, value },
          { kind: 'store', buffer, at: addressOf(all), value: read(local) },
        ];
        this.locals.push(local);
        return [
          { kind: 'local', local, value: first },
          { kind: 'loop', index: j, role: 'serial', body },
        ];
      }
      case 'store': {
        const { index, wrap } = phase.inner ? this.inner(phase.inner, vector) : { index: null, wrap: null };
        const all = index ? [...nest, index] : nest;
        const value = this.expr(phase.term, dtype, all);
        const order = phase.transposed ? [...all].reverse() : all;
        const stmt: Stmt = { kind: 'store', buffer: this.output(dtype, order), at: addressOf(order), value };
        const guarded = this.where(phase.where, stmt, all);
        return [wrap ? wrap([guarded]) : guarded];
      }
    }
  }

  private where(term: Term | null, stmt: Stmt, indices: readonly Index[]): Stmt {
    return term ? { kind: 'if', condition: this.expr(term, 'bool', indices), body: [stmt] } : stmt;
  }

  /** A loop over a new index; inside of a vector loop it is serial. */
  private inner(
    { extent, role }: Inner,
    vector: boolean,
  ): { readonly index: Index; readonly wrap: (body: readonly Stmt[]) => Stmt } {
    const index: Index = { name: 'j', extent: int(extent) };
    return { index, wrap: (body) => ({ kind: 'loop', index, role: vector ? 'serial' : role, body }) };
  }
}

/** The row-major address of these indices. */
const addressOf = (indices: readonly Index[]): Expr =>
  flat(
    indices.map((i) => index(i)),
    indices.map(({ extent }) => (extent as { readonly value: number }).value),
  );
