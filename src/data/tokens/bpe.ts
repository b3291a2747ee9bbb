/**
 * Byte-pair encoding over bytes: tokens 0–255 are bytes, every further one is a pair of earlier tokens, merged in the order learned.
 *
 * A text is first split into pieces (words with the blank before them, numbers, marks), which merges never cross. As every byte is
 * a token, every text is encoded and comes back. P. Gage, "A new algorithm for data compression" (1994); R. Sennrich, B. Haddow,
 * A. Birch (2016); over bytes as in A. Radford et al., "Language models are unsupervised multitask learners" (2019).
 */

import * as t from 'io-ts';
import { ShapeError } from '../../core/errors.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { expectCount } from '../counts.ts';
import { learned } from './bpe-train.ts';
import { Heap } from './heap.ts';
import { expectToken, numbered, type Tokenizer } from './tokenizer.ts';
import { bytesOf, textOf } from './wtf8.ts';

/** GPT-2's pieces: contractions, words, numbers and marks, each with the blank before it, and other white space. */
export const gpt2Pattern = "'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

const merge = t.tuple([t.number, t.number], 'a pair of tokens');

/** Bytes that all tokens may have together: GPT-2's have a third of a million. A few dozen merges, each of the last token with itself, would fill any memory. */
const mostBytes = 2 ** 28;

/** Merge i makes token 256 + i of two tokens before it; no pair comes twice, and their bytes stay within bounds. */
const soundMerges = (merges: readonly (readonly [number, number])[]): boolean => {
  const seen = new Set<number>();
  const lengths = new Array<number>(256).fill(1);
  let total = 0;
  return merges.every(([a, b], i) => {
    const key = a * 2 ** 26 + b;
    const fresh = !seen.has(key);
    seen.add(key);
    const length = (lengths[a] ?? Number.NaN) + (lengths[b] ?? Number.NaN);
    lengths.push(length);
    total += length;
    return (
      fresh && total <= mostBytes && [a, b].every((token) => Number.isInteger(token) && token >= 0 && token < 256 + i)
    );
  });
};

const Merges: t.Type<readonly (readonly [number, number])[], unknown, unknown> = new t.Type<
  readonly (readonly [number, number])[],
  unknown,
  unknown
>(
  'pairs of earlier tokens, each once, of 256 MiB at most',
  (u): u is readonly (readonly [number, number])[] => t.array(merge).is(u) && u.length < 2 ** 25 && soundMerges(u),
  (u, c) => (Merges.is(u) ? t.success(u) : t.failure(u, c)),
  t.identity,
);

const Pattern: t.Type<string, unknown, unknown> = new t.Type<string, unknown, unknown>(
  'a regular expression',
  (u): u is string => typeof u === 'string' && patternOf(u) !== null,
  (u, c) => (Pattern.is(u) ? t.success(u) : t.failure(u, c)),
  t.identity,
);

function patternOf(text: string): RegExp | null {
  try {
    return new RegExp(text, 'gu');
  } catch {
    return null;
  }
}

/**
 * A byte-pair tokenizer as JSON; decode what a file holds with `decodeWith(bytePairsJson, path)`, and give it to {@link bytePairsOf}.
 * The pattern is a regular expression that will be run: read tokenizers from whom you trust.
 */
export const bytePairsJson = t.exact(
  t.type(
    {
      format: t.literal('pullback.byte-pairs'),
      version: t.literal(1),
      /** What splits a text into pieces. */
      pattern: Pattern,
      /** Merge i makes token 256 + i. */
      merges: Merges,
      specials: t.readonlyArray(t.string),
    },
    'a byte-pair tokenizer',
  ),
);

/** A byte-pair tokenizer as plain data. */
export type BytePairsJson = Readonly<t.TypeOf<typeof bytePairsJson>>;

/** A byte-pair tokenizer. */
export interface BytePairTokenizer extends Tokenizer {
  readonly json: BytePairsJson;
  /** The bytes of a token; of a special one, none. */
  bytes(token: number): Uint8Array;
}

/** Options of {@link trainBytePairs}. */
export interface TrainBytePairsOptions {
  /** Names of tokens that no text has. They are numbered last, after the merges. */
  readonly specials?: readonly string[];
  /** The source of the regular expression of pieces; default {@link gpt2Pattern}. What lies between its matches are pieces too. */
  readonly pattern?: string;
}

/**
 * Learn merges: again and again the pair of neighbours that is most frequent in the pieces of the texts becomes a token.
 *
 * Of pairs that are equally frequent the one with the smaller first token is taken, then with the smaller second: the same texts
 * give the same tokens, in any order. Where no pair comes twice it ends, with fewer merges.
 *
 * @param merges - how many, at most: the tokenizer has 256 tokens more, and the special ones
 * @throws ShapeError unless the count is a non-negative integer, for a pattern that is none, and for specials that come twice
 *
 * @example
 * ```ts
 * import { trainBytePairs } from 'pullback/data';
 * const tokenizer = trainBytePairs(['low lower lowest', 'new newer newest'], 8);
 * console.log(tokenizer.size, tokenizer.encode('newest').length < 6); // => 264 true
 * console.log(tokenizer.decode(tokenizer.encode('naïve 🙂'))); // => naïve 🙂
 * ```
 */
export function trainBytePairs(
  texts: Iterable<string>,
  merges: number,
  options: TrainBytePairsOptions = {},
): BytePairTokenizer {
  const op = 'trainBytePairs';
  expectCount(op, 'the number of merges', merges);
  expectOptions(op, options, 'specials', 'pattern');
  const { specials = [], pattern = gpt2Pattern } = options;
  const expression = expectPattern(op, pattern);
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const piece of piecesOf(text, expression)) counts.set(piece, (counts.get(piece) ?? 0) + 1);
  }
  const found = learned(
    Array.from(counts, ([piece, count]) => [bytesOf(piece), count] as const),
    merges,
  );
  return tokenizerOf(op, { format: 'pullback.byte-pairs', version: 1, pattern, merges: found, specials });
}

/**
 * The tokenizer that its JSON describes.
 *
 * @throws ShapeError for merges of tokens that there are not yet, a pattern that is none, or specials that come twice
 */
export function bytePairsOf(json: BytePairsJson): BytePairTokenizer {
  const op = 'bytePairsOf';
  if (Merges.is(json.merges)) return tokenizerOf(op, json);
  throw new ShapeError({
    op,
    problem: 'the merges are not pairs of earlier tokens, each once, of 256 MiB at most',
    remedy: 'decode what comes from a file with decodeWith(bytePairsJson, path)',
  });
}

function expectPattern(op: string, pattern: string): RegExp {
  const expression = typeof pattern === 'string' ? patternOf(pattern) : null;
  if (expression) return expression;
  throw new ShapeError({
    op,
    problem: `the pattern ${describe(pattern)} is not a regular expression`,
    remedy: "give the source of one that may have the flags 'gu'",
  });
}

/** What the expression matches, and what lies between. */
function* piecesOf(text: string, expression: RegExp): Generator<string, void> {
  let from = 0;
  for (const match of text.matchAll(expression)) {
    if (match.index > from) yield text.slice(from, match.index);
    if (match[0] !== '') yield match[0];
    from = match.index + match[0].length;
  }
  if (from < text.length) yield text.slice(from);
}

/** Pieces whose tokens are remembered: words come again and again. */
const remembered = 2 ** 16;

function tokenizerOf(op: string, json: BytePairsJson): BytePairTokenizer {
  const { merges } = json;
  const expression = expectPattern(op, json.pattern);
  const plain = 256 + merges.length;
  const specials = numbered(op, json.specials, plain);
  const size = plain + json.specials.length;
  const ranks = new Map(merges.map(([a, b], i) => [a * 2 ** 26 + b, i]));
  const bytes: Uint8Array[] = Array.from({ length: 256 }, (_, i) => Uint8Array.of(i));
  for (const [a, b] of merges) bytes.push(Uint8Array.from([...bytes[a]!, ...bytes[b]!]));
  const cache = new Map<string, readonly number[]>();
  const tokensOf = (piece: string): readonly number[] => {
    const known = cache.get(piece);
    if (known) return known;
    const tokens = merged(bytesOf(piece), ranks);
    if (cache.size >= remembered) cache.clear();
    if (piece.length < 64) cache.set(piece, tokens);
    return tokens;
  };
  return {
    json,
    size,
    specials,
    encode(text) {
      const tokens: number[] = [];
      for (const piece of piecesOf(text, expression)) for (const token of tokensOf(piece)) tokens.push(token);
      return Int32Array.from(tokens);
    },
    decode(tokens) {
      const parts: Uint8Array[] = [];
      let length = 0;
      for (let i = 0; i < tokens.length; i++) {
        const part = bytes[expectToken('bytePairs.decode', tokens[i], size)];
        if (!part) continue;
        parts.push(part);
        length += part.length;
      }
      const whole = new Uint8Array(length);
      let at = 0;
      for (const part of parts) {
        whole.set(part, at);
        at += part.length;
      }
      return textOf(whole);
    },
    bytes: (token) => bytes[expectToken('bytePairs.bytes', token, size)]?.slice() ?? new Uint8Array(0),
  };
}

/** The tokens of a piece: the earliest merge first, from the left, until none is left; O(n log n). */
function merged(piece: Uint8Array, ranks: ReadonlyMap<number, number>): readonly number[] {
  const n = piece.length;
  const tokens = Int32Array.from(piece);
  const next = Int32Array.from({ length: n }, (_, i) => i + 1);
  const before = Int32Array.from({ length: n }, (_, i) => i - 1);
  const heap = new Heap<number>((a, b) => a < b);
  const rankAt = (i: number): number | undefined =>
    next[i]! < n ? ranks.get(tokens[i]! * 2 ** 26 + tokens[next[i]!]!) : undefined;
  const offer = (i: number): void => {
    const rank = rankAt(i);
    if (rank !== undefined) heap.push(rank * 2 ** 28 + i);
  };
  for (let i = 0; i < n - 1; i++) offer(i);
  for (let found = heap.pop(); found !== undefined; found = heap.pop()) {
    const i = found % 2 ** 28;
    const rank = Math.floor(found / 2 ** 28);
    // A pair that has been merged into another by now.
    if (tokens[i]! < 0 || rankAt(i) !== rank) continue;
    const gone = next[i]!;
    tokens[i] = 256 + rank;
    tokens[gone] = -1;
    next[i] = next[gone]!;
    if (next[i]! < n) before[next[i]!] = i;
    if (before[i]! >= 0) offer(before[i]!);
    offer(i);
  }
  return Array.from(tokens).filter((token) => token >= 0);
}
