/** Text to learn from, character by character: a file, or sentences that are generated; and the windows that models read. */

import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import { np, random, type Tensor } from 'pullback';
import { type CharacterTokenizer, characters, translations } from 'pullback/data';
import { type Failure, type Reading, readText } from 'pullback/io';

/** A text as symbols: nine tenths to learn from, the last tenth to be judged on. */
export interface Corpus {
  readonly letters: CharacterTokenizer;
  readonly seen: Int32Array;
  readonly unseen: Int32Array;
}

/** Characters of which a tenth is enough to be judged on. */
const leastText = 40_000;

/** The text of a file, or English sentences. */
export const corpusOf = (path: string | null, key: random.Key, sentences: number): Reading<Corpus> =>
  pipe(
    path === null
      ? TE.fromIO(() => `${[...translations(key, sentences)].map(({ english }) => english).join('\n')}\n`)
      : readText(path),
    TE.filterOrElse(
      (text) => text.length >= leastText && new Set(text).size > 1,
      (text): Failure => ({
        _tag: 'ReadError',
        path: path ?? 'generated sentences',
        reason: `a text to learn from has at least ${leastText} characters, and not one alone; this one has ${text.length}`,
      }),
    ),
    TE.map((text) => {
      const letters = characters(text);
      const all = letters.encode(text);
      const cut = Math.floor(0.9 * all.length);
      return { letters, seen: all.slice(0, cut), unseen: all.slice(cut) };
    }),
  );

/** Windows of a text, int32[batch, length], and the symbol behind each of theirs. */
export interface Windows {
  readonly x: Tensor<'int32'>;
  readonly y: Tensor<'int32'>;
}

/** The windows that begin at these places. */
export function windowsAt(text: Int32Array, starts: ArrayLike<number>, length: number): Windows {
  const read = (from: number): Tensor<'int32'> => {
    const data = new Int32Array(starts.length * length);
    for (let i = 0; i < starts.length; i++)
      data.set(text.subarray(starts[i]! + from, starts[i]! + from + length), i * length);
    return np.reshape(np.array(data), [starts.length, length]);
  };
  return { x: read(0), y: read(1) };
}

/** So many batches of windows from anywhere in the text, the same for the same key. */
export function* randomWindows(
  key: random.Key,
  text: Int32Array,
  steps: number,
  batch: number,
  length: number,
): Generator<Windows> {
  for (let i = 0; i < steps; i++) {
    const starts = random.randint(random.foldIn(key, i), [batch], 0, text.length - length);
    yield windowsAt(text, starts.dataSync(), length);
  }
}

/** Windows one after the other, in batches; at most so many batches, evenly from all. */
export function allWindows(text: Int32Array, batch: number, length: number, most: number): readonly Windows[] {
  const count = Math.floor((text.length - 1) / length / batch);
  const chosen = Math.min(count, most);
  return Array.from({ length: chosen }, (_, i) => {
    const first = Math.floor((i * count) / chosen) * batch;
    return windowsAt(
      text,
      Array.from({ length: batch }, (_, k) => (first + k) * length),
      length,
    );
  });
}
