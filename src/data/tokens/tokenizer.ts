/** What tokenizers are: text to numbers and back. */

import { ShapeError } from '../../core/errors.ts';

/** Text as numbers below `size`, and back. Law: `decode(encode(text))` is the text, for each text that the tokenizer knows. */
export interface Tokenizer {
  /** How many tokens there are. */
  readonly size: number;
  /** The numbers of special tokens, by their names. No text is encoded as one of them, and they are decoded to nothing. */
  readonly specials: Readonly<Record<string, number>>;
  encode(text: string): Int32Array;
  /** @throws ShapeError for a number that is no token */
  decode(tokens: ArrayLike<number>): string;
}

/** @throws ShapeError for a number that is no token */
export function expectToken(op: string, token: number | undefined, size: number): number {
  if (Number.isInteger(token) && token! >= 0 && token! < size) return token!;
  throw new ShapeError({
    op,
    problem: `${token} is not a token: there are ${size}`,
    remedy: `decode whole numbers below ${size}`,
  });
}

/** Numbers of special tokens, from `first` on. @throws ShapeError for a name that comes twice */
export function numbered(op: string, names: readonly string[], first: number): Readonly<Record<string, number>> {
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new ShapeError({
      op,
      problem: `the special token ${JSON.stringify(twice)} comes twice`,
      remedy: 'name each once',
    });
  }
  return Object.fromEntries(names.map((name, i) => [name, first + i]));
}
