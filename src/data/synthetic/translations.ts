/**
 * Sentences of a small grammar in English and Spanish: articles and adjectives agree in gender and number, adjectives follow their
 * nouns, verbs agree with their subjects, and a negation is one word for two.
 */

import type { Key } from '../../random/key.ts';
import type { Dataset } from '../dataset.ts';
import { type Chance, drawn } from './chance.ts';

/** A sentence in two languages, in lower case, its words divided by blanks. */
export interface SentencePair {
  readonly english: string;
  readonly spanish: string;
}

interface Noun {
  readonly english: readonly [one: string, many: string];
  readonly spanish: readonly [one: string, many: string];
  readonly feminine: boolean;
}

const noun = (english: string, spanish: string, feminine: boolean): Noun => {
  const [a, b = `${a}s`] = english.split('/') as [string, string?];
  const [c, d = `${c}s`] = spanish.split('/') as [string, string?];
  return { english: [a, b], spanish: [c, d], feminine };
};

/** Who does something. */
const doers = [
  noun('cat', 'gato', false),
  noun('dog', 'perro', false),
  noun('girl', 'niña', true),
  noun('boy', 'niño', false),
  noun('teacher', 'profesora', true),
  noun('doctor', 'médico', false),
  noun('woman/women', 'mujer/mujeres', true),
  noun('man/men', 'hombre', false),
];

/** What it is done to: things, which need no preposition in Spanish. */
const things = [
  noun('apple', 'manzana', true),
  noun('book', 'libro', false),
  noun('house', 'casa', true),
  noun('letter', 'carta', true),
  noun('tree', 'árbol/árboles', false),
  noun('table', 'mesa', true),
  noun('car', 'coche', false),
  noun('flower', 'flor/flores', true),
  noun('shoe', 'zapato', false),
];

/** Of the living. English, and Spanish for masculine and feminine; the plural adds s, or es after a consonant. */
const ofDoers = [
  ['small', 'pequeño', 'pequeña'],
  ['old', 'viejo', 'vieja'],
  ['tall', 'alto', 'alta'],
  ['tired', 'cansado', 'cansada'],
  ['happy', 'contento', 'contenta'],
] as const;

/** Of things, likewise. */
const ofThings = [
  ['red', 'rojo', 'roja'],
  ['black', 'negro', 'negra'],
  ['white', 'blanco', 'blanca'],
  ['small', 'pequeño', 'pequeña'],
  ['old', 'viejo', 'vieja'],
  ['new', 'nuevo', 'nueva'],
  ['blue', 'azul', 'azul'],
  ['green', 'verde', 'verde'],
] as const;

/** Forms for I, he or she, we, they. */
const verbs = [
  ['see', 'sees', 'veo', 've', 'vemos', 'ven'],
  ['buy', 'buys', 'compro', 'compra', 'compramos', 'compran'],
  ['paint', 'paints', 'pinto', 'pinta', 'pintamos', 'pintan'],
  ['want', 'wants', 'quiero', 'quiere', 'queremos', 'quieren'],
  ['carry', 'carries', 'llevo', 'lleva', 'llevamos', 'llevan'],
  ['find', 'finds', 'encuentro', 'encuentra', 'encontramos', 'encuentran'],
  ['sell', 'sells', 'vendo', 'vende', 'vendemos', 'venden'],
] as const;

/** English, Spanish, and the place of its form among those of verbs. */
const pronouns = [
  ['i', 'yo', 2],
  ['he', 'él', 3],
  ['she', 'ella', 3],
  ['we', 'nosotros', 4],
  ['they', 'ellos', 5],
] as const;

const plural = (word: string): string => (/[aeiou]$/.test(word) ? `${word}s` : `${word}es`);

const articles = {
  the: [
    ['el', 'los'],
    ['la', 'las'],
  ],
  a: [
    ['un', 'unos'],
    ['una', 'unas'],
  ],
} as const;

/** A noun with its article, and an adjective at times. */
function phrase(
  chance: Chance,
  nouns: readonly Noun[],
  adjectives: readonly (readonly [string, string, string])[],
): SentencePair & { readonly many: boolean } {
  const { english, spanish, feminine } = chance.pick(nouns);
  const many = chance.below(3) === 0;
  const definite = chance.below(2) === 0;
  const [adjective, masculine, feminineForm] = chance.pick(adjectives);
  const described = chance.below(2) === 0;
  const number = many ? 1 : 0;
  const agreed = feminine ? feminineForm : masculine;
  const before = described ? `${adjective} ` : '';
  const after = described ? ` ${many ? plural(agreed) : agreed}` : '';
  const indefinite = many ? 'some' : /^[aeiou]/.test(before + english[0]) ? 'an' : 'a';
  return {
    english: `${definite ? 'the' : indefinite} ${before}${english[number]}`,
    spanish: `${articles[definite ? 'the' : 'a'][feminine ? 1 : 0][number]} ${spanish[number]}${after}`,
    many,
  };
}

function sentence(chance: Chance): SentencePair {
  const verb = chance.pick(verbs);
  const negated = chance.below(4) === 0;
  const pronoun = chance.pick(pronouns);
  const personal = chance.below(3) === 0;
  const subject = phrase(chance, doers, ofDoers);
  const object = phrase(chance, things, ofThings);
  const form = personal ? pronoun[2] : subject.many ? 5 : 3;
  const third = form === 3;
  const acts = negated ? `${third ? 'does' : 'do'} not ${verb[0]}` : verb[third ? 1 : 0];
  return {
    english: `${personal ? pronoun[0] : subject.english} ${acts} ${object.english}`,
    spanish: `${personal ? pronoun[1] : subject.spanish} ${negated ? 'no ' : ''}${verb[form]} ${object.spanish}`,
  };
}

/**
 * `count` sentences in English and Spanish, of some sixty words in each.
 *
 * @example
 * ```ts
 * import { random } from 'pullback';
 * import { translations } from 'pullback/data';
 * console.log([...translations(random.key(0), 2)]);
 * // => [ { english: '…', spanish: '…' }, { english: '…', spanish: '…' } ]
 * ```
 */
export const translations = (key: Key, count: number): Dataset<SentencePair> =>
  drawn('translations', key, count, 14, sentence);
