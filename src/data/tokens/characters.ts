/** Tokens that are characters: code points, so that an emoji is one. */

import * as t from 'io-ts';
import { ShapeError } from '../../core/errors.ts';
import { describe, expectOptions } from '../../ops/untyped.ts';
import { expectToken, numbered, type Tokenizer } from './tokenizer.ts';

/** A character tokenizer as JSON; decode what a file holds with `decodeWith(charactersJson, path)`. */
export const charactersJson = t.readonly(
  t.exact(
    t.type(
      {
        format: t.literal('pullback.characters'),
        version: t.literal(1),
        characters: t.readonlyArray(t.string),
        specials: t.readonlyArray(t.string),
        unknown: t.union([t.string, t.null]),
      },
      'a character tokenizer',
    ),
  ),
);

/** A character tokenizer as plain data. */
export type CharactersJson = t.TypeOf<typeof charactersJson>;

/** A tokenizer of characters. */
export interface CharacterTokenizer extends Tokenizer {
  readonly json: CharactersJson;
}

/** Options of {@link characters}. */
export interface CharactersOptions {
  /** Names of tokens that no text has: padding, beginning, end. They are numbered first, from 0. */
  readonly specials?: readonly string[];
  /**
   * What encodes a character that is not known: a special token, which is decoded to U+FFFD. By default it is refused.
   */
  readonly unknown?: string;
}

/**
 * The tokenizer of the characters of a text, sorted by code point.
 *
 * Law: texts of these characters come back.
 *
 * @throws ShapeError if `unknown` is not among the specials, or a special comes twice; `encode` throws for a character that is
 *   not known if there is no `unknown`
 *
 * @example
 * ```ts
 * import { characters } from 'pullback/data';
 * const letters = characters('hello', { specials: ['<pad>'] });
 * console.log(letters.encode('hole')); // => Int32Array(4) [ 2, 4, 3, 1 ]
 * console.log(letters.decode([2, 1, 3, 3, 4, 0, 0])); // => hello
 * letters.encode('help'); // throws ShapeError: characters.encode: "p" (U+0070) at 3 is not a known character…
 * ```
 */
export function characters(text: string, options: CharactersOptions = {}): CharacterTokenizer {
  const op = 'characters';
  expectOptions(op, options, 'specials', 'unknown');
  const { specials = [], unknown } = options;
  const known = [...new Set(text)].sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
  return tokenizerOf(op, {
    format: 'pullback.characters',
    version: 1,
    characters: known,
    specials,
    unknown: unknown ?? null,
  });
}

/** The tokenizer that its JSON describes. @throws ShapeError for characters that are none, or come twice, and as {@link characters} */
export const charactersOf = (json: CharactersJson): CharacterTokenizer => tokenizerOf('charactersOf', json);

function tokenizerOf(op: string, json: CharactersJson): CharacterTokenizer {
  const specials = numbered(op, json.specials, 0);
  const first = json.specials.length;
  const size = first + json.characters.length;
  const numbers = new Map(json.characters.map((character, i) => [character, first + i]));
  const wrong = json.characters.find((character) => [...character].length !== 1);
  if (wrong !== undefined || numbers.size !== json.characters.length) {
    throw new ShapeError({
      op,
      problem: wrong === undefined ? 'a character comes twice' : `${describe(wrong)} is not one character`,
      remedy: 'list each character once',
    });
  }
  if (json.unknown !== null && !Object.hasOwn(specials, json.unknown)) {
    throw new ShapeError({
      op,
      problem: `unknown is ${describe(json.unknown)}, which is not among the special tokens`,
      remedy: `name it in specials too: { specials: [${JSON.stringify(json.unknown)}] }`,
    });
  }
  const unknown = json.unknown === null ? null : specials[json.unknown]!;
  return {
    json,
    size,
    specials,
    encode(text) {
      const tokens: number[] = [];
      for (const character of text) {
        const token = numbers.get(character) ?? unknown;
        if (token === null) throw notKnown(character, tokens.length);
        tokens.push(token);
      }
      return Int32Array.from(tokens);
    },
    decode(tokens) {
      let text = '';
      for (let i = 0; i < tokens.length; i++) {
        const token = expectToken('characters.decode', tokens[i], size);
        if (token >= first) text += json.characters[token - first]!;
        else if (token === unknown) text += '\uFFFD';
      }
      return text;
    },
  };
}

function notKnown(character: string, at: number): ShapeError {
  const point = character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0');
  return new ShapeError({
    op: 'characters.encode',
    problem: `${JSON.stringify(character)} (U+${point}) at ${at} is not a known character`,
    remedy:
      "make the tokenizer of a text that has it, or say what stands for it: { specials: ['<?>'], unknown: '<?>' }",
  });
}
