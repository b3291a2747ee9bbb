/**
 * Packing: rows of an operand (rows of A, columns of B) side by side, `to[k · rows + row]`, as the micro-kernel reads them. Whatever
 * the strides, this is where transposes, views and gathered windows are paid for, once for each element of a panel.
 *
 * There are three ways. Where neighbouring rows are neighbours in memory, vectors along the rows; where the terms (k) are, vectors along
 * them and transposes of 4 × 4; else one element at a time. Rows that a panel lacks repeat the last one: their results are not stored.
 */

import { countUp, sequence, when, whileDo } from '../code/control.ts';
import { type Code, get, i32, select, set, v128 } from '../code/instructions.ts';
import type { Func, Module } from '../code/module.ts';
import type { Arithmetic } from './arithmetic.ts';
import { type Axis, count, offset, run } from './axes.ts';

export interface Panel {
  readonly operand: 'a' | 'b';
  /** Axes of the index of rows and of terms. */
  readonly rows: readonly Axis[];
  readonly terms: readonly Axis[];
  /** Rows of a panel, and of a group of panels, which none of them leaves. */
  readonly height: number;
  readonly group: number;
  /** Whether some panels lack rows. */
  readonly partial: boolean;
  /** Whether a vector may be read that is partly before or after the operand. */
  readonly slack: boolean;
}

/** Whether an operand runs through all terms with one stride. */
export const isStraight = (terms: readonly Axis[], operand: 'a' | 'b'): boolean =>
  count(terms) === run(terms, operand).extent;

/** How an operand is packed, of the three ways. */
interface Way {
  /** Vectors along the rows, where a panel has all of them. */
  readonly alongRows: boolean;
  /** Vectors along the terms, where there are none along the rows. */
  readonly alongTerms: boolean;
  /** Whether vectors along the rows may have to be put together of two. */
  readonly crossing: boolean;
}

function wayOf(e: Arithmetic, { rows, terms, operand, height, group, slack }: Panel): Way {
  if (height % e.lanes !== 0) return { alongRows: false, alongTerms: false, crossing: false };
  const [across, along] = [run(rows, operand), run(terms, operand)];
  // Of group and run one divides the other, as both are of the last axes.
  const crossing = across.extent % group !== 0 && across.extent % e.lanes !== 0;
  const alongTerms = along.stride === 1 && along.extent >= e.lanes;
  const possible = across.stride === 1 && across.extent >= e.lanes && (!crossing || slack);
  return { alongRows: possible && !(crossing && alongTerms), alongTerms, crossing };
}

/**
 * Whether packing reads the offsets of the terms from a table: where they run through several axes, and are not taken in stretches,
 * at whose beginnings their offset is computed.
 */
export function needsTable(e: Arithmetic, panel: Panel): boolean {
  const { alongRows, alongTerms } = wayOf(e, panel);
  return !isStraight(panel.terms, panel.operand) && (alongRows || !alongTerms);
}

/** Statements: the offsets of all terms, in bytes, at `to`. */
export function writeTable(func: Func, terms: readonly Axis[], operand: 'a' | 'b', bytes: number, to: Code): Code {
  const k = func.local('i32');
  const at = i32.add(to, i32.shl(get(k), i32.const(2)));
  return countUp(k, i32.const(0), i32.const(count(terms)), 1, i32.store(at, offset(terms, operand, get(k), bytes)));
}

const smaller = (x: Code, y: Code): Code => select(x, y, i32.ltS(x, y));
const advance = (local: number, by: number | Code): Code =>
  set(local, i32.add(get(local), typeof by === 'number' ? i32.const(by) : by));

/** How a packing function steps through its terms. */
interface Terms {
  readonly k: number;
  readonly end: number;
  readonly to: number;
  /** A local with the offset of the present term, and what sets it from k. */
  readonly at: number;
  readonly begin: Code;
  /** Statements that go on by one term; `at` follows. */
  readonly next: Code;
}

/** The function (operand, first row, last row there is, to, first term, end of terms, table of offsets). */
export function emitPack(module: Module, e: Arithmetic, panel: Panel): Func {
  const func = module.func(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32']);
  const [first, last, to, k, end, table] = [1, 2, 3, 4, 5, 6];
  const at = func.local('i32');
  const { extent, stride } = run(panel.terms, panel.operand);
  const size = panel.height * e.bytes;
  const tabled = needsTable(e, panel);
  const begin = tabled
    ? set(at, i32.load(i32.add(get(table), i32.shl(get(k), i32.const(2)))))
    : set(at, i32.mul(get(k), i32.const(stride * e.bytes)));
  // After the last term this reads one entry further than the table has: there is room.
  const next = tabled
    ? sequence(advance(k, 1), advance(to, size), begin)
    : sequence(advance(k, 1), advance(to, size), advance(at, stride * e.bytes));
  const terms: Terms = { k, end, to, at, begin, next };
  const { alongRows, alongTerms, crossing } = wayOf(e, panel);
  const general = alongTerms
    ? packAlongTerms(func, e, panel, terms, extent)
    : packSingly(e, terms, pointers(func, e, panel));
  if (!alongRows) return func.body(general);
  const stretch = crossing ? run(panel.rows, panel.operand).extent : 0;
  const whole = packAlongRows(func, e, panel, terms, stretch, tabled ? null : stride * e.bytes);
  const full = i32.ltS(i32.add(get(first), i32.const(panel.height - 1)), i32.add(get(last), i32.const(1)));
  return func.body(panel.partial ? when(full, whole, general) : whole);
}

interface Pointers {
  readonly locals: readonly number[];
  readonly begin: Code;
}

/** A pointer to each row of the panel. */
function pointers(func: Func, e: Arithmetic, panel: Panel): Pointers {
  const [base, first, last] = [0, 1, 2];
  const index = func.local('i32');
  const locals = Array.from({ length: panel.height }, () => func.local('i32'));
  const begin = locals.map((p, r) =>
    sequence(
      set(index, smaller(i32.add(get(first), i32.const(r)), get(last))),
      set(p, i32.add(get(base), offset(panel.rows, panel.operand, get(index), e.bytes))),
    ),
  );
  return { locals, begin: sequence(...begin) };
}

/** One term of all rows, element by element. */
const single = (e: Arithmetic, t: Terms, rows: readonly number[]): Code =>
  sequence(...rows.map((p, r) => e.copy(i32.add(get(t.to), i32.const(r * e.bytes)), i32.add(get(p), get(t.at)))));

const packSingly = (e: Arithmetic, t: Terms, rows: Pointers): Code =>
  sequence(rows.begin, t.begin, whileDo(i32.ltS(get(t.k), get(t.end)), sequence(single(e, t, rows.locals), t.next)));

/** Vectors of consecutive terms, transposed; `extent` terms follow each other in memory, then those of the next run do. */
function packAlongTerms(func: Func, e: Arithmetic, panel: Panel, t: Terms, extent: number): Code {
  const rows = pointers(func, e, panel);
  const stop = func.local('i32');
  const vectors = Array.from({ length: e.lanes }, () => func.local('v128'));
  const spare = Array.from({ length: e.lanes }, () => func.local('v128'));
  const square = (group: number): Code =>
    sequence(
      ...vectors.map((v, i) => set(v, v128.load(i32.add(get(rows.locals[group * e.lanes + i]!), get(t.at))))),
      ...e.transpose(vectors, spare),
      ...vectors.map((v, i) => v128.store(get(t.to), get(v), i * panel.height * e.bytes + group * e.lanes * e.bytes)),
    );
  const squares = Array.from({ length: panel.height / e.lanes }, (_, group) => square(group));
  const ordinary = sequence(advance(t.k, 1), advance(t.to, panel.height * e.bytes), advance(t.at, e.bytes));
  const wide = i32.leS(get(t.k), i32.sub(get(stop), i32.const(e.lanes)));
  const stretch = sequence(
    set(t.at, offset(panel.terms, panel.operand, get(t.k), e.bytes)),
    whileDo(
      wide,
      sequence(
        ...squares,
        advance(t.k, e.lanes),
        advance(t.to, e.lanes * panel.height * e.bytes),
        advance(t.at, e.lanes * e.bytes),
      ),
    ),
    whileDo(i32.ltS(get(t.k), get(stop)), sequence(single(e, t, rows.locals), ordinary)),
  );
  if (isStraight(panel.terms, panel.operand)) return sequence(rows.begin, set(stop, get(t.end)), stretch);
  const left = i32.sub(i32.const(extent), i32.remU(get(t.k), i32.const(extent)));
  return sequence(
    rows.begin,
    whileDo(
      i32.ltS(get(t.k), get(t.end)),
      sequence(set(stop, i32.add(get(t.k), left)), set(stop, smaller(get(stop), get(t.end))), stretch),
    ),
  );
}

/**
 * Vectors of consecutive rows. Where rows of `extent` follow each other (0: all do), a vector may begin in one stretch and end in the next:
 * it is put together of two, one that is right in its first lanes and one that is right in its last.
 */
function packAlongRows(func: Func, e: Arithmetic, panel: Panel, t: Terms, extent: number, step: number | null): Code {
  const [base, first] = [0, 1];
  const index = func.local('i32');
  const groups = Array.from({ length: panel.height / e.lanes }, (_, group) => {
    const low = func.local('i32');
    const high = extent > 0 ? func.local('i32') : low;
    const mask = extent > 0 ? func.local('v128') : low;
    const at = i32.add(get(base), offset(panel.rows, panel.operand, get(index), e.bytes));
    const begin = [
      set(index, i32.add(get(first), i32.const(group * e.lanes))),
      set(low, at),
      ...(extent > 0
        ? [
            set(mask, e.below(i32.sub(i32.const(extent), i32.remU(get(index), i32.const(extent))))),
            advance(index, e.lanes - 1),
            set(high, i32.sub(at, i32.const((e.lanes - 1) * e.bytes))),
          ]
        : []),
    ];
    const load = (o: number): Code => {
      const vector = v128.load(i32.add(get(low), get(t.at)), o);
      if (extent === 0) return vector;
      return v128.bitselect(vector, v128.load(i32.add(get(high), get(t.at)), o), get(mask));
    };
    return { begin: sequence(...begin), load };
  });
  const size = panel.height * e.bytes;
  const term = (u: number): Code =>
    sequence(
      ...groups.map(({ load }, group) =>
        v128.store(get(t.to), load(u * (step ?? 0)), u * size + group * e.lanes * e.bytes),
      ),
    );
  // Four terms a turn where their distance is known and can be part of an instruction.
  const four =
    step !== null && step >= 0
      ? whileDo(
          i32.leS(get(t.k), i32.sub(get(t.end), i32.const(4))),
          sequence(
            term(0),
            term(1),
            term(2),
            term(3),
            advance(t.k, 4),
            advance(t.to, 4 * size),
            advance(t.at, 4 * step),
          ),
        )
      : () => {};
  return sequence(
    ...groups.map(({ begin }) => begin),
    t.begin,
    four,
    whileDo(i32.ltS(get(t.k), get(t.end)), sequence(term(0), t.next)),
  );
}
