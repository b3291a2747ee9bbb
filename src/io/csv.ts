/**
 * CSV as RFC 4180 has it: records of fields, quoted where they hold separators, quotes or line breaks.
 *
 * The first record names the columns. A table of codecs says which columns are wanted and what their text means; columns that
 * it does not name are passed over. Every field that is wrong is reported by its row, counted as an editor of tables does
 * (the names are row 1), and its column.
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import * as t from 'io-ts';
import { DTypeError } from '../core/errors.ts';
import { describe, expectOptions } from '../ops/untyped.ts';
import {
  corrupt,
  type DecodeError,
  type DecodeErrors,
  decodeAt,
  decodeErrors,
  invalid,
  type Reading,
  showValue,
} from './failure.ts';
import { readBytes } from './file.ts';
import { textOf } from './json.ts';

/** What the text of each wanted column means, by the column's name: codecs of text. */
export type Columns = Readonly<Record<string, t.Decoder<unknown, unknown>>>;

/** A record, decoded. */
export type Row<C extends Columns> = { readonly [K in keyof C]: C[K] extends t.Decoder<unknown, infer A> ? A : never };

/** Options of reading CSV. */
export interface CsvOptions {
  /** One character between fields; default a comma. */
  readonly separator?: string;
}

const decimal = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

const textCodec = <A>(name: string, is: t.Is<A>, parse: (text: string) => A | undefined): t.Type<A, string, unknown> =>
  new t.Type<A, string, unknown>(
    name,
    is,
    (u, c) => {
      const parsed = typeof u === 'string' ? parse(u) : undefined;
      return parsed === undefined ? t.failure(u, c) : t.success(parsed);
    },
    String,
  );

const spelled: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  infinity: Number.POSITIVE_INFINITY,
  '-infinity': Number.NEGATIVE_INFINITY,
};

/**
 * A number in decimal notation, blanks around it allowed; `NaN`, `inf` and `-inf` in any case.
 *
 * An empty field is none, and neither is one beyond all doubles, `1e999`: infinity is written as such.
 */
export const csvNumber: t.Type<number, string, unknown> = textCodec('a number', t.number.is, (text) => {
  const bare = text.trim();
  if (decimal.test(bare)) {
    const number = Number(bare);
    return Number.isFinite(number) ? number : undefined;
  }
  return Object.hasOwn(spelled, bare.toLowerCase()) ? spelled[bare.toLowerCase()] : undefined;
});

/** An integer that a double holds exactly. */
export const csvInteger: t.Type<number, string, unknown> = textCodec('an integer', t.number.is, (text) => {
  const bare = text.trim();
  return /^[+-]?\d+$/.test(bare) && Number.isSafeInteger(Number(bare)) ? Number(bare) : undefined;
});

/** The place of a label in a list, for classification: `csvLabel(['setosa', 'virginica'])`. */
export const csvLabel = (labels: readonly string[]): t.Type<number, string, unknown> =>
  new t.Type(
    `one of ${labels.map((label) => showValue(label)).join(', ')}`,
    (u): u is number => Number.isInteger(u) && labels[u as number] !== undefined,
    (u, c) => (labels.includes(u as string) ? t.success(labels.indexOf(u as string)) : t.failure(u, c)),
    (i) => labels[i]!,
  );

/** The fields of each record. A line break at the very end ends the last record; it does not begin another. */
function* recordsOf(text: string, separator: string): Generator<E.Either<DecodeError, readonly string[]>> {
  let fields: string[] = [];
  let row = 1;
  let i = 0;
  const wrong = (what: string) => E.left(corrupt(`row ${row}, field ${fields.length + 1}: ${what}.`));
  while (i < text.length) {
    let end: number;
    if (text[i] === '"') {
      let field = '';
      for (let from = i + 1; ; from = end + 1) {
        end = text.indexOf('"', from);
        if (end < 0) return yield wrong('a quotation mark is never closed');
        field += text.slice(from, ++end);
        if (text[end] !== '"') break;
      }
      fields.push(field.slice(0, -1));
    } else {
      end = i;
      while (end < text.length && text[end] !== separator && text[end] !== '\n' && text[end] !== '\r') {
        if (text[end] === '"') return yield wrong('a quotation mark inside an unquoted field');
        end++;
      }
      fields.push(text.slice(i, end));
    }
    if (text[end] === separator) {
      i = end + 1;
      // A separator at the end of the text is followed by an empty field.
      if (i < text.length) continue;
      fields.push('');
      end = i;
    }
    if (end < text.length && text[end] !== '\n' && text[end] !== '\r') {
      fields.pop();
      return yield wrong('text after a closing quotation mark');
    }
    yield E.right(fields);
    fields = [];
    row++;
    i = end + (text[end] === '\r' && text[end + 1] === '\n' ? 2 : 1);
  }
}

const separatorIn = (op: string, options: CsvOptions): string => {
  expectOptions(op, options, 'separator');
  const { separator = ',' } = options;
  if (typeof separator === 'string' && separator.length === 1 && !/["\r\n]/.test(separator)) return separator;
  throw new DTypeError({
    op,
    problem: `${describe(separator)} cannot separate fields`,
    remedy: "a separator is one character, neither a quotation mark nor a line break, like ';'",
  });
};

/** Errors that are told of one file; the rest are of the same kind, most likely. */
const toldAtMost = 20;

/**
 * Decode CSV text: the wanted columns of every record; a byte order mark is dropped. No text makes it throw.
 *
 * @param columns - for each wanted column, the codec of its text: {@link csvNumber}, {@link csvInteger}, {@link csvLabel},
 *   `t.string` or any other
 * @param source - what the text came from, for the messages
 * @throws DTypeError for options that there are not, or a separator that is not one character, before any text is read
 *
 * @example
 * ```ts
 * import { csvLabel, csvNumber, decodeCsv, showFailure } from 'pullback/io';
 * import * as E from 'fp-ts/lib/Either.js';
 *
 * const columns = { height: csvNumber, kind: csvLabel(['cat', 'dog']) };
 * const decode = (text: string) => decodeCsv(columns)(text, 'pets.csv');
 * console.log(decode('name,height,kind\nTom,31.5,cat\nRex,"60",dog\n'));
 * // => { _tag: 'Right', right: [ { height: 31.5, kind: 0 }, { height: 60, kind: 1 } ] }
 * const wrong = decode('height,kind\ntall,cat\n');
 * if (E.isLeft(wrong)) console.log(showFailure(wrong.left));
 * // => pets.csv: row 2, column "height": expected a number, got "tall"
 * ```
 */
export const decodeCsv = <C extends Columns>(
  columns: C,
  options: CsvOptions = {},
): ((text: string, source: string) => E.Either<DecodeErrors, readonly Row<C>[]>) =>
  decoderOf(columns, separatorIn('io.decodeCsv', options));

const decoderOf =
  <C extends Columns>(columns: C, separator: string) =>
  (text: string, source: string): E.Either<DecodeErrors, readonly Row<C>[]> => {
    const failed = (...[first, ...others]: readonly [DecodeError, ...DecodeError[]]) =>
      E.left(decodeErrors(source, first, ...others));
    const records = recordsOf(text.replace(/^\uFEFF/, ''), separator);
    const head = records.next();
    if (head.done) return failed(corrupt('it is empty: the first row should name the columns.'));
    if (E.isLeft(head.value)) return failed(head.value.left);
    const names = head.value.right;
    const places = findColumns(names, Object.keys(columns));
    if (E.isLeft(places)) return failed(...places.left);

    const rows: Row<C>[] = [];
    const errors: DecodeError[] = [];
    let number = 1;
    for (const record of records) {
      number++;
      if (E.isLeft(record)) {
        errors.push(record.left);
        break;
      }
      const fields = record.right;
      if (fields.length !== names.length) {
        errors.push(invalid(`row ${number}`, `${names.length} fields`, `${fields.length}`));
      } else {
        const row: [string, unknown][] = [];
        for (const [name, place] of places.right) {
          const decoded = decodeAt(columns[name]!, `row ${number}, column ${JSON.stringify(name)}`, fields[place]);
          if (E.isLeft(decoded)) errors.push(...decoded.left);
          else row.push([name, decoded.right]);
        }
        rows.push(Object.fromEntries(row) as Row<C>);
      }
      if (errors.length >= toldAtMost) break;
    }
    const [first, ...others] = errors;
    return first === undefined ? E.right(rows) : failed(first, ...others);
  };

/** Where each wanted column is. */
function findColumns(
  names: readonly string[],
  wanted: readonly string[],
): E.Either<readonly [DecodeError, ...DecodeError[]], readonly (readonly [string, number])[]> {
  const errors = wanted.flatMap((name): DecodeError[] => {
    const count = names.filter((candidate) => candidate === name).length;
    const at = `column ${JSON.stringify(name)}`;
    return count === 1 ? [] : [invalid(at, 'one column of this name', count === 0 ? showValue(names) : `${count}`)];
  });
  const [first, ...others] = errors;
  return first === undefined ? E.right(wanted.map((name) => [name, names.indexOf(name)])) : E.left([first, ...others]);
}

/**
 * Read a CSV file (UTF-8): the wanted columns of every record; see {@link decodeCsv}.
 *
 * @throws DTypeError as {@link decodeCsv}, at once and not in the task
 */
export const readCsv = <C extends Columns>(
  path: string,
  columns: C,
  options: CsvOptions = {},
): Reading<readonly Row<C>[]> => {
  const decode = decoderOf(columns, separatorIn('io.readCsv', options));
  return pipe(
    readBytes(path),
    TE.flatMapEither(
      (bytes): E.Either<DecodeErrors, readonly Row<C>[]> =>
        pipe(
          textOf(bytes),
          E.mapLeft((error) => decodeErrors(path, error)),
          E.flatMap((text) => decode(text, path)),
        ),
    ),
  );
};
