/**
 * How the world fails: as a value, never as an exception.
 *
 * A file that cannot be read is a {@link ReadError}; bytes or options that do not mean what they should are
 * {@link DecodeErrors}, one or more. Both are plain tagged data, so that a caller can `match` on them, and
 * {@link showFailure} is the one place where they become prose.
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import type { NonEmptyArray } from 'fp-ts/lib/NonEmptyArray.js';
import type { TaskEither } from 'fp-ts/lib/TaskEither.js';
import type * as t from 'io-ts';
import { isAval, showAval } from '../core/aval.ts';
import { Value } from '../core/value.ts';

/** A file or folder that could not be read at all. */
export interface ReadError {
  readonly _tag: 'ReadError';
  readonly path: string;
  /** What the system said, or what was looked for. */
  readonly reason: string;
}

/** A file that could not be written. */
export interface WriteError {
  readonly _tag: 'WriteError';
  readonly path: string;
  readonly reason: string;
}

/** Fewer bytes than the format promises. */
export interface Truncated {
  readonly _tag: 'Truncated';
  readonly expectedBytes: number;
  readonly actualBytes: number;
}

/** Bytes that no writer of the format produces. */
export interface Corrupt {
  readonly _tag: 'Corrupt';
  readonly reason: string;
  /** The line it is about, of text that is read line by line; the first is 1. */
  readonly line?: number;
}

/** A well-formed file of the wrong thing: labels where images belong, or a label that is no class. */
export interface Mislabelled {
  readonly _tag: 'Mislabelled';
  readonly reason: string;
}

/** A value that its codec refuses; `at` is the path to it inside the source, `''` for the whole. */
export interface Invalid {
  readonly _tag: 'Invalid';
  readonly at: string;
  readonly expected: string;
  readonly actual: string;
  /** As in {@link Corrupt}. */
  readonly line?: number;
}

/** One thing that is wrong with what was decoded. */
export type DecodeError = Truncated | Corrupt | Mislabelled | Invalid;

/** All that is wrong with one source: a file's path, `argv`, … */
export interface DecodeErrors {
  readonly _tag: 'DecodeErrors';
  readonly source: string;
  readonly errors: Readonly<NonEmptyArray<DecodeError>>;
}

/** What reading and decoding can fail with. */
export type Failure = ReadError | DecodeErrors;

/** A computation that reads: it resolves to a {@link Failure} or to the value, and never rejects. */
export type Reading<A> = TaskEither<Failure, A>;

/** The file at `path` could not be read. */
export const readError = (path: string, reason: string): ReadError => ({ _tag: 'ReadError', path, reason });

/** The file at `path` could not be written. */
export const writeError = (path: string, reason: string): WriteError => ({ _tag: 'WriteError', path, reason });

/** What `source` holds is not what it should be. */
export const decodeErrors = (source: string, first: DecodeError, ...others: readonly DecodeError[]): DecodeErrors => ({
  _tag: 'DecodeErrors',
  source,
  errors: [first, ...others],
});

/** {@link Truncated}, from the two counts. */
export const truncated = (expectedBytes: number, actualBytes: number): Truncated => ({
  _tag: 'Truncated',
  expectedBytes,
  actualBytes,
});

/** {@link Corrupt}, with its reason. */
export const corrupt = (reason: string): Corrupt => ({ _tag: 'Corrupt', reason });

/** {@link Mislabelled}, with its reason. */
export const mislabelled = (reason: string): Mislabelled => ({ _tag: 'Mislabelled', reason });

/** {@link Invalid}, with the path inside the source. */
export const invalid = (at: string, expected: string, actual: string): Invalid => ({
  _tag: 'Invalid',
  at,
  expected,
  actual,
});

/** Controls of terminals, line breaks, and marks that turn the direction of writing or are half a character. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Names in a message are what a file says: none of them breaks its line, colours it or hides in it. */
const printable = (text: string): string =>
  text.replaceAll(unprintable, (character) => {
    const point = character.codePointAt(0)!;
    return point < 2 ** 16 ? `\\u${point.toString(16).padStart(4, '0')}` : `\\u{${point.toString(16)}}`;
  });

/** One error as a sentence, with its remedy where there is a general one. */
export function showDecodeError(error: DecodeError): string {
  switch (error._tag) {
    case 'Truncated':
      return `truncated: expected ${error.expectedBytes} bytes, got ${error.actualBytes}. Fetch the file again.`;
    case 'Corrupt':
      return `corrupt: ${printable(error.reason)}`;
    case 'Mislabelled':
      return `mislabelled: ${printable(error.reason)}`;
    case 'Invalid':
      return printable(`${error.at === '' ? '' : `${error.at}: `}expected ${error.expected}, got ${error.actual}`);
  }
}

/**
 * A failure as lines of text, each beginning with the path or source that it is about.
 *
 * @example
 * ```ts
 * import { readError, showFailure } from 'pullback/io';
 * console.log(showFailure(readError('digits.idx', 'no such file'))); // => digits.idx: cannot be read: no such file
 * ```
 */
export function showFailure(failure: Failure | WriteError): string {
  switch (failure._tag) {
    case 'ReadError':
      return `${failure.path}: cannot be read: ${failure.reason}`;
    case 'WriteError':
      return `${failure.path}: cannot be written: ${failure.reason}`;
    case 'DecodeErrors':
      return failure.errors.map((error) => `${failure.source}${lineOf(error)}: ${showDecodeError(error)}`).join('\n');
  }
}

const lineOf = (error: DecodeError): string => ('line' in error ? `:${error.line}` : '');

/** Errors told of one value: who mends a file reads the first few. */
const toldAtMost = 20;

/**
 * Decode with an io-ts codec, each error carrying the path to the offending value (`layers[2].w`).
 *
 * @param source - what the value came from, for the message
 */
export const decodeWith =
  <A>(codec: t.Decoder<unknown, A>, source: string) =>
  (value: unknown): E.Either<DecodeErrors, A> =>
    pipe(
      decodeAt(codec, '', value),
      E.mapLeft(([first, ...others]) => decodeErrors(source, first, ...others)),
    );

/** {@link decodeWith} of a part of what is decoded: `at` is the path to it. */
export const decodeAt = <A>(
  codec: t.Decoder<unknown, A>,
  at: string,
  value: unknown,
): E.Either<readonly [Invalid, ...Invalid[]], A> =>
  pipe(
    codec.decode(value),
    E.mapLeft((errors) => {
      const told = errors.slice(0, toldAtMost).map((error) => invalidOf(at, error));
      const [first = invalid(at, codec.name, showValue(value)), ...others] = told;
      return [first, ...others] as const;
    }),
  );

const invalidOf = (root: string, error: t.ValidationError): Invalid => {
  const last = error.context.at(-1);
  const at = error.context.reduce((path, { key }, i) => {
    // Under a union or an intersection the key counts the alternatives: it is no place in the value.
    const parent = error.context[i - 1]?.type as { readonly _tag?: string } | undefined;
    const alternative = parent?._tag === 'UnionType' || parent?._tag === 'IntersectionType';
    return alternative ? path : path + step(key, path === '');
  }, root);
  return invalid(at, error.message ?? last?.type.name ?? 'a valid value', showValue(error.value));
};

const step = (key: string, first: boolean): string =>
  key === '' ? '' : /^\d+$/.test(key) ? `[${key}]` : first ? key : `.${key}`;

/** A message quotes this much of what it complains of: what is decoded may be long, deep or cyclic. */
const quoted = { characters: 60, entries: 6, depth: 2 } as const;

/** A value as messages quote it: as JSON does, cut short; a tensor as its type. */
export function showValue(value: unknown, depth: number = quoted.depth): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') {
    return JSON.stringify(value.length > quoted.characters ? `${value.slice(0, quoted.characters)}…` : value);
  }
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (value instanceof Value) return showAval(value.aval);
  if (isAval(value)) return showAval(value);
  if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) {
    if (depth === 0) return '[…]';
    const list = value as ArrayLike<unknown>;
    const count = Math.min(list.length, quoted.entries);
    const entries = Array.from({ length: count }, (_, i) => showValue(list[i], depth - 1));
    return `[${[...entries, ...(list.length > count ? ['…'] : [])].join(',')}]`;
  }
  if (depth === 0) return '{…}';
  const entries: string[] = [];
  for (const key in value) {
    if (entries.length === quoted.entries) {
      entries.push('…');
      break;
    }
    entries.push(`${showValue(key)}:${showValue((value as Readonly<Record<string, unknown>>)[key], depth - 1)}`);
  }
  return `{${entries.join(',')}}`;
}
