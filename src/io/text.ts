/** Text: bytes that are UTF-8, all of them, or a failure that says where they are not. */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { corrupt, type DecodeErrors, decodeErrors, type Reading } from './failure.ts';
import { readBytes } from './file.ts';
import { textOf } from './json.ts';

/**
 * Decode UTF-8, strictly: no byte is replaced, overlong forms and surrogates are refused. A byte order mark is dropped.
 *
 * @param source - what the bytes came from, for the messages
 *
 * @example
 * ```ts
 * import * as E from 'fp-ts/lib/Either.js';
 * import { decodeText, showFailure } from 'pullback/io';
 * console.log(decodeText(Uint8Array.of(0xc3, 0xa9), 'a.txt')); // => { _tag: 'Right', right: 'é' }
 * const wrong = decodeText(Uint8Array.of(0x61, 0x0a, 0x62, 0xe9), 'a.txt');
 * if (E.isLeft(wrong)) console.log(showFailure(wrong.left));
 * // => a.txt:2: corrupt: byte 3 (e9) is not UTF-8.
 * ```
 */
export const decodeText = (bytes: Uint8Array, source: string): E.Either<DecodeErrors, string> =>
  pipe(
    textOf(bytes),
    E.mapLeft(() => {
      const at = firstInvalid(bytes);
      const line = bytes.subarray(0, at).reduce((count, byte) => count + (byte === 0x0a ? 1 : 0), 1);
      const found = bytes[at]!.toString(16).padStart(2, '0');
      return decodeErrors(source, { ...corrupt(`byte ${at} (${found}) is not UTF-8.`), line });
    }),
  );

/** Read a text file (UTF-8); see {@link decodeText}. */
export const readText = (path: string): Reading<string> =>
  pipe(
    readBytes(path),
    TE.flatMapEither((bytes): E.Either<DecodeErrors, string> => decodeText(bytes, path)),
  );

/**
 * Where the first character begins that is not one, in bytes that are known to have one.
 *
 * Table 3-7 of the Unicode standard: after the first byte, the second has a range of its own, and the others are 80–bf.
 */
function firstInvalid(bytes: Uint8Array): number {
  let at = 0;
  while (at < bytes.length) {
    const byte = bytes[at]!;
    const count = byte < 0x80 ? 1 : byte < 0xc2 ? 0 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : byte < 0xf5 ? 4 : 0;
    if (count === 0) return at;
    const low = byte === 0xe0 ? 0xa0 : byte === 0xf0 ? 0x90 : 0x80;
    const high = byte === 0xed ? 0x9f : byte === 0xf4 ? 0x8f : 0xbf;
    for (let k = 1; k < count; k++) {
      const next = bytes[at + k];
      if (next === undefined || next < (k === 1 ? low : 0x80) || next > (k === 1 ? high : 0xbf)) return at;
    }
    at += count;
  }
  return bytes.length - 1;
}
