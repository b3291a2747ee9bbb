/**
 * Arbitrary expressions of the Loop IR, as plain data that shrinks, and what they mean among given indices, buffers and locals.
 *
 * An address is drawn as a sum of multiples and brought into its buffer in one of four ways: by a guard, between bounds, modulo the
 * size, or by looking it up in other data first.
 */

import * as fc from 'fast-check';
import {
  apply,
  type Buffer,
  binaryFns,
  bitcast,
  call,
  compare,
  compareFns,
  constant,
  convert,
  type Expr,
  type Fn,
  type Index,
  index,
  int,
  type Local,
  load,
  read,
  select,
  unaryFns,
} from '../../backends/loop/ir/expr.ts';
import { plus, quotient, range, remainder, times, within } from '../../backends/loop/ir/integer.ts';
import { applies, hostFunctions } from '../../backends/loop/scalar.ts';
import { type DType, dtypes, isFloat } from '../../src/core/dtype.ts';
import { edges } from './elements.ts';

/** What expressions may be made of where they stand. */
export interface Environment {
  readonly indices: readonly Index[];
  readonly locals: readonly Local[];
  /** A buffer to load from, of this dtype: one of few, chosen by `pick`. */
  readonly source: (dtype: DType, pick: number) => Buffer;
  /** Rows of scratch that are filled. */
  readonly rows: readonly Buffer[];
}

/** Where a load reads: Σ factors·indices + offset, brought into the buffer somehow. */
export interface Address {
  readonly factors: readonly number[];
  readonly offset: number;
  readonly fit: 'guard' | 'clamp' | 'wrap' | 'gather';
}

/** An expression, without what it refers to. */
export type Term =
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'load'; readonly pick: number; readonly address: Address }
  | { readonly kind: 'local'; readonly pick: number }
  | { readonly kind: 'index'; readonly pick: number; readonly by: number }
  | { readonly kind: 'apply'; readonly fn: Fn; readonly args: readonly Term[] }
  | { readonly kind: 'convert' | 'bitcast'; readonly from: DType; readonly x: Term }
  | {
      readonly kind: 'compare';
      readonly fn: (typeof compareFns)[number];
      readonly of: DType;
      readonly x: Term;
      readonly y: Term;
    }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Term[] };

const addresses: fc.Arbitrary<Address> = fc.record({
  factors: fc.array(fc.constantFrom(1, 0, 1, 2, 3, 4, -1), { minLength: 3, maxLength: 3 }),
  offset: fc.integer({ min: -3, max: 5 }),
  fit: fc.constantFrom('clamp', 'guard', 'wrap', 'gather'),
});

const constants = (dtype: DType): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(0, 1), fc.constantFrom(...edges[dtype]));

/** Two operands of any dtype with a result of it, other than what only indices need. */
const dataBinary = binaryFns.filter((fn) => fn !== 'quotient' && fn !== 'remainder');

/** What results have that depends on how a machine rounds. */
const rounding: ReadonlySet<Fn> = new Set(['madd']);

/** Terms of a dtype, of at most three operations one inside of another. */
export function terms(
  dtype: DType,
  { exact, float64 }: { readonly exact: boolean; readonly float64: boolean },
): fc.Arbitrary<Term> {
  const used = float64 ? dtypes : dtypes.filter((d) => d !== 'float64');
  const { [dtype]: root } = fc.letrec<Record<DType, Term>>((tie) => {
    const of = (d: DType): fc.Arbitrary<Term> => tie(d);
    const made = (d: DType): fc.Arbitrary<Term> => {
      const loads = fc.record({ kind: fc.constant('load' as const), pick: fc.nat(5), address: addresses });
      const leaves: fc.Arbitrary<Term>[] = [
        loads,
        fc.record({ kind: fc.constant('constant' as const), value: constants(d) }),
        fc.record({ kind: fc.constant('local' as const), pick: fc.nat(3) }),
      ];
      if (d === 'int32')
        leaves.push(
          fc.record({ kind: fc.constant('index' as const), pick: fc.nat(2), by: fc.integer({ min: 1, max: 4 }) }),
        );
      const applied = (fns: readonly Fn[], count: number): fc.Arbitrary<Term>[] => {
        const fit = fns.filter(
          (fn) => applies(fn, d) && !compareFns.includes(fn as 'eq') && !(exact && rounding.has(fn)),
        );
        if (fit.length === 0) return [];
        return [
          fc.record({
            kind: fc.constant('apply' as const),
            fn: fc.constantFrom(...fit),
            args: fc.tuple(...Array.from({ length: count }, () => of(d))),
          }),
        ];
      };
      const others = used.filter((from) => from !== d);
      const nodes: fc.Arbitrary<Term>[] = [
        ...applied(unaryFns, 1),
        ...applied(dataBinary, 2),
        fc.record({
          kind: fc.constant('apply' as const),
          fn: fc.constant('select' as const),
          args: fc.tuple(of('bool'), of(d), of(d)),
        }),
        fc
          .constantFrom(...others)
          .chain((from) => fc.record({ kind: fc.constant('convert' as const), from: fc.constant(from), x: of(from) })),
      ];
      if (isFloat(d) && !exact)
        nodes.push(
          fc.record({
            kind: fc.constant('apply' as const),
            fn: fc.constant('madd' as const),
            args: fc.tuple(of(d), of(d), of(d)),
          }),
        );
      if (d !== 'bool' && d !== 'float64') {
        const words = (['int32', 'uint32', 'float32'] as const).filter((from) => from !== d);
        nodes.push(
          fc
            .constantFrom(...words)
            .chain((from) =>
              fc.record({ kind: fc.constant('bitcast' as const), from: fc.constant<DType>(from), x: of(from) }),
            ),
        );
      }
      if (d === 'bool') {
        nodes.push(
          fc.constantFrom(...used).chain((operand) =>
            fc.record({
              kind: fc.constant('compare' as const),
              fn: fc.constantFrom(...compareFns),
              of: fc.constant(operand),
              x: of(operand),
              y: of(operand),
            }),
          ),
        );
      }
      if (d === 'float64') {
        nodes.push(
          fc.constantFrom(...Object.entries(hostFunctions)).chain(([name, { arity }]) =>
            fc.record({
              kind: fc.constant('call' as const),
              name: fc.constant(name),
              args: fc.tuple(...Array.from({ length: arity }, () => of(d))),
            }),
          ),
        );
      }
      return fc.oneof({ maxDepth: 3, depthIdentifier: 'term' }, fc.oneof(...leaves), ...nodes);
    };
    return Object.fromEntries(dtypes.map((d) => [d, made(d)])) as { [D in DType]: fc.Arbitrary<Term> };
  });
  return root;
}

const at = <A>(list: readonly A[], pick: number): A => list[pick % list.length]!;

/** The expression of a term of this dtype. */
export function build(term: Term, dtype: DType, env: Environment): Expr {
  switch (term.kind) {
    case 'constant':
      return constant(term.value, dtype);
    case 'load':
      return loaded(dtype, term.pick, term.address, env);
    case 'local': {
      const found = env.locals.filter((local) => local.dtype === dtype);
      return found.length > 0 ? read(at(found, term.pick)) : constant(0, dtype);
    }
    case 'index':
      return env.indices.length > 0 ? ofIndex(index(at(env.indices, term.pick)), term.by) : int(term.by);
    case 'apply':
      return applied(term.fn, dtype, term.args, env);
    case 'convert':
      return convert(build(term.x, term.from, env), dtype);
    case 'bitcast':
      return bitcast(withBits(build(term.x, term.from, env)), dtype);
    case 'compare':
      return compare(term.fn, build(term.x, term.of, env), build(term.y, term.of, env));
    case 'call':
      return call(term.name, ...term.args.map((x) => build(x, 'float64', env)));
  }
}

/** i div n + i mod n, or i where that says nothing. */
const ofIndex = (i: Expr, by: number): Expr => plus(times(quotient(i, int(by)), int(by)), remainder(i, int(by)));

function applied(fn: Fn, dtype: DType, args: readonly Term[], env: Environment): Expr {
  if (fn === 'select') {
    const [condition, then, otherwise] = args as readonly [Term, Term, Term];
    return select(build(condition, 'bool', env), build(then, dtype, env), build(otherwise, dtype, env));
  }
  const built = args.map((x) => build(x, dtype, env));
  if (fn === 'copysign') return apply(fn, dtype, built[0]!, withBits(built[1]!));
  return apply(fn, dtype, ...built);
}

/** The sign and the bits of a NaN are not part of its value: 0 instead. */
const withBits = (x: Expr): Expr => (isFloat(x.dtype) ? select(compare('eq', x, x), x, constant(0, x.dtype)) : x);

function loaded(dtype: DType, pick: number, { factors, offset, fit }: Address, env: Environment): Expr {
  const rows = env.rows.filter((row) => row.dtype === dtype);
  const row = pick > 3 && rows.length > 0 ? at(rows, pick) : null;
  const buffer = row ?? env.source(dtype, pick);
  const count = (buffer.size as { readonly value: number }).value;
  let sum: Expr = int(offset);
  env.indices.forEach((i, place) => {
    sum = plus(sum, times(index(i), int(factors[place % factors.length]!)));
  });
  if (fit === 'gather') {
    const from = env.source('int32', pick);
    return load(buffer, clamped(load(from, clamped(sum, (from.size as { readonly value: number }).value)), count));
  }
  if (fit === 'clamp') return load(buffer, clamped(sum, count));
  if (fit === 'guard') return load(buffer, sum, within(sum, 0, count));
  const { low } = range(sum);
  const shift = low < 0 ? Math.ceil(-low / count) * count : 0;
  return load(buffer, remainder(plus(sum, int(shift)), int(count)));
}

/** Between 0 and `count` − 1. */
function clamped(x: Expr, count: number): Expr {
  const { low, high } = range(x);
  const above = low >= 0 ? x : apply('max', 'int32', x, int(0));
  return high < count ? above : apply('min', 'int32', above, int(count - 1));
}
