/**
 * JSON Lines: a record on each line, decoded by one codec.
 *
 * Every record that is wrong is reported by its line, as compilers do: `pets.jsonl:3: name: expected string, got 5`.
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import type * as t from 'io-ts';
import { corrupt, type DecodeError, type DecodeErrors, decodeAt, decodeErrors, type Reading } from './failure.ts';
import { readBytes } from './file.ts';
import { parseJson } from './json.ts';
import { decodeText } from './text.ts';

/** Errors that are told of one file; the rest are of the same kind, most likely. */
const toldAtMost = 20;

/**
 * Decode JSON Lines: the record of every line. No text makes it throw.
 *
 * Lines end with a line feed, with or without a carriage return; the last one may. A line that holds nothing is refused.
 *
 * @param record - the codec of a record
 * @param source - what the text came from, for the messages
 *
 * @example
 * ```ts
 * import * as E from 'fp-ts/lib/Either.js';
 * import * as t from 'io-ts';
 * import { decodeJsonLines, showFailure } from 'pullback/io';
 *
 * const pet = t.type({ name: t.string, legs: t.array(t.number) });
 * const decode = (text: string) => decodeJsonLines(pet)(text, 'pets.jsonl');
 * const right = decode('{"name":"Tom","legs":[4]}\n{"name":"Tweety","legs":[2]}\n');
 * console.log(E.isRight(right) && right.right.map(({ name }) => name)); // => [ 'Tom', 'Tweety' ]
 * const wrong = decode('{"name":"Tom","legs":[4]}\n{"name":"Rex","legs":["four"]}\n');
 * if (E.isLeft(wrong)) console.log(showFailure(wrong.left)); // => pets.jsonl:2: legs[0]: expected number, got "four"
 * ```
 */
export const decodeJsonLines =
  <A>(record: t.Decoder<unknown, A>) =>
  (text: string, source: string): E.Either<DecodeErrors, readonly A[]> => {
    const records: A[] = [];
    const errors: DecodeError[] = [];
    let line = 0;
    for (let from = 0; from < text.length && errors.length < toldAtMost; ) {
      const found = text.indexOf('\n', from);
      const end = found < 0 ? text.length : found;
      const written = text.slice(from, end).replace(/\r$/, '');
      from = end + 1;
      line++;
      const decoded = pipe(
        written.trim() === '' ? E.left(corrupt('the line is empty: a record is expected.')) : parseJson(written),
        E.mapLeft((error): readonly DecodeError[] => [error]),
        E.flatMap((value): E.Either<readonly DecodeError[], A> => decodeAt(record, '', value)),
      );
      if (E.isRight(decoded)) records.push(decoded.right);
      else for (const error of decoded.left) errors.push({ ...error, line } as DecodeError);
    }
    const [first, ...others] = errors;
    return first === undefined ? E.right(records) : E.left(decodeErrors(source, first, ...others));
  };

/** Read a file of JSON Lines (UTF-8); see {@link decodeJsonLines}. */
export const readJsonLines = <A>(path: string, record: t.Decoder<unknown, A>): Reading<readonly A[]> =>
  pipe(
    readBytes(path),
    TE.flatMapEither(
      (bytes): E.Either<DecodeErrors, readonly A[]> =>
        pipe(
          decodeText(bytes, path),
          E.flatMap((text) => decodeJsonLines(record)(text, path)),
        ),
    ),
  );
