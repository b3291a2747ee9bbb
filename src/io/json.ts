/**
 * JSON as a source: bytes → UTF-8 → a plain value, each step failing as a value.
 *
 * `JSON.parse` neither recurses on the stack nor touches prototypes (a key `__proto__` becomes an own property), so that
 * what comes out of it is merely unknown; the decoders that follow say what it should be.
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { corrupt, type DecodeError, type DecodeErrors, decodeErrors, type Reading } from './failure.ts';
import { readBytes } from './file.ts';

/** Bytes as text. `Corrupt` unless they are UTF-8; a byte order mark is dropped. */
export function textOf(bytes: Uint8Array): E.Either<DecodeError, string> {
  try {
    return E.right(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return E.left(corrupt('it is not UTF-8 text.'));
  }
}

/** The value that a JSON text denotes. */
export function parseJson(text: string): E.Either<DecodeError, unknown> {
  try {
    return E.right(JSON.parse(text) as unknown);
  } catch (error) {
    return E.left(corrupt(`it is not JSON: ${(error as Error).message}.`));
  }
}

/**
 * Decode the bytes of a JSON file. It never throws.
 *
 * @param source - what the bytes came from, for the messages
 */
export const decodeJson = (bytes: Uint8Array, source: string): E.Either<DecodeErrors, unknown> =>
  pipe(
    textOf(bytes),
    E.flatMap(parseJson),
    E.mapLeft((error) => decodeErrors(source, error)),
  );

/** Read a JSON file; decode what it holds with `decodeWith`. */
export const readJson = (path: string): Reading<unknown> =>
  pipe(
    readBytes(path),
    TE.flatMapEither((bytes): E.Either<DecodeErrors, unknown> => decodeJson(bytes, path)),
  );

/** A key that an object has twice. */
export interface RepeatedKey {
  readonly key: string;
  /** The key as the text writes it the second time. */
  readonly written: string;
  /** The key of the outermost object under which it is repeated; `null` if it is one of those itself. */
  readonly under: string | null;
}

/**
 * A key that a JSON object has twice, or `null`; `JSON.parse` silently keeps the last.
 *
 * Only the outermost object and those directly in it are looked at.
 *
 * @param text - valid JSON
 */
export function repeatedKey(text: string): RepeatedKey | null {
  const outer = new Set<string>();
  const inner = new Set<string>();
  let under = '';
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const sign = text[i]!;
    if (sign === '{' || sign === '[') {
      if (++depth === 2) inner.clear();
    } else if (sign === '}' || sign === ']') depth--;
    else if (sign === '"') {
      const from = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
      if (depth > 2 || !isKey(text, i + 1)) continue;
      const written = text.slice(from, i + 1);
      const key = JSON.parse(written) as string;
      const seen = depth === 1 ? outer : inner;
      if (seen.has(key)) return { key, written, under: depth === 1 ? null : under };
      seen.add(key);
      if (depth === 1) under = key;
    }
  }
  return null;
}

/** Is the string that ends before `after` followed by a colon? */
function isKey(text: string, after: number): boolean {
  let at = after;
  while (/\s/.test(text[at] ?? '')) at++;
  return text[at] === ':';
}
