/**
 * What every example shares as a program: options decoded by io-ts, `--help`, one way to end.
 *
 * An example is a value, {@link Example}: its options are a table, from which argv is parsed, decoded and explained, and its body
 * is a `TaskEither` that ends in an {@link Outcome}: numbers, files, and claims that its numbers must meet. {@link runExample} is
 * the only place that touches the process. Exit codes: 0 done, 1 the world failed (a file, a folder), 2 the options were wrong, 3 a
 * claim does not hold. A bug throws.
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import * as t from 'io-ts';
import { defaultDevice, type Tensor } from 'pullback';
import {
  type DecodeErrors,
  decodeErrors,
  decodeWith,
  type Failure,
  invalid,
  makeFolder,
  showFailure,
  type WriteError,
  writeText,
} from 'pullback/io';

/** An option: what its text must decode to, what it is when absent, and a line of help. A flag takes no value. */
export interface Option<A> {
  readonly codec: t.Decoder<unknown, A>;
  /** What the usage calls its value; `null` for a flag. */
  readonly value: string | null;
  readonly fallback: A;
  /** What it is instead when absent from a short run. */
  readonly short?: A;
  readonly help: string;
}

/** Options by their names, without the dashes. */
export type Options = Readonly<Record<string, Option<unknown>>>;

/** What a table of options decodes to. */
export type Values<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer A> ? A : never };

/** What an example ends with: the fields of its JSON line after `example` and `device`. */
export type Summary = Readonly<Record<string, string | number | boolean | null | readonly number[]>>;

/** What must hold of a number that came out. */
export interface Claim {
  readonly claim: string;
  readonly value: number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** What an example ends with. */
export interface Outcome {
  /** The numbers of its JSON line and of `numbers.json`. */
  readonly numbers: Summary;
  readonly claims?: readonly Claim[];
  /** Pictures (`.svg`, `.html`) and texts, by the names under which they are written to the folder of `--out`. */
  readonly files?: Readonly<Record<string, string>>;
}

/** An example as a value. */
export interface Example<O extends Options> {
  readonly name: string;
  /** What it shows, in a sentence. */
  readonly about: string;
  readonly options: O;
  readonly body: (values: Values<O>) => TE.TaskEither<Failure | WriteError, Outcome>;
}

/** A claim: the number that came out is not under a bound. */
export const atLeast = (claim: string, value: number, bound: number): Claim => ({ claim, value, atLeast: bound });

/** A claim: the number that came out is not over a bound. */
export const atMost = (claim: string, value: number, bound: number): Claim => ({ claim, value, atMost: bound });

/** Whether a claim holds; no claim about NaN does. */
export const holds = ({
  value,
  atLeast = Number.NEGATIVE_INFINITY,
  atMost = Number.POSITIVE_INFINITY,
}: Claim): boolean => value >= atLeast && value <= atMost;

const digits = (x: number): string => (Number.isInteger(x) ? String(x) : String(Number(x.toPrecision(5))));

/** A claim with its number and its bound, for people. */
export function showClaim(claim: Claim): string {
  const { atLeast, atMost } = claim;
  const bounds = [atLeast !== undefined && `≥ ${digits(atLeast)}`, atMost !== undefined && `≤ ${digits(atMost)}`];
  const wanted = bounds.filter((bound) => bound !== false).join(' and ');
  return `${holds(claim) ? 'holds' : 'FAILS'}: ${claim.claim}: ${digits(claim.value)}, wanted ${wanted}`;
}

/** An `onStep` of `train.fold` that prints the loss of every so many steps. */
export const everySteps =
  (what: string, every: number) =>
  (loss: Tensor, index: number): void => {
    if ((index + 1) % every === 0) console.log(`${what}, step ${index + 1}: ${loss.item().toPrecision(4)}`);
  };

/** A codec of text: `parse` gives `undefined` for what it refuses. */
const textCodec = <A>(name: string, is: t.Is<A>, parse: (text: string) => A | undefined): t.Type<A, string, unknown> =>
  new t.Type<A, string, unknown>(
    name,
    is,
    (input, context) => {
      const parsed = typeof input === 'string' ? parse(input) : undefined;
      return parsed === undefined ? t.failure(input, context) : t.success(parsed);
    },
    String,
  );

const isNumber = (u: unknown): u is number => typeof u === 'number';

const whole = (name: string, least: number, greatest: number): t.Type<number, string, unknown> =>
  textCodec(name, isNumber, (text) => {
    const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    return number >= least && number <= greatest ? number : undefined;
  });

const Count = whole('a whole number from 1 to 1000000', 1, 1_000_000);
const Seed = whole('a whole number from 0 to 4294967295', 0, 2 ** 32 - 1);
const Positive = textCodec('a positive number', isNumber, (text) => {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  return number > 0 && number < Number.POSITIVE_INFINITY ? number : undefined;
});
const Probability = textCodec('a number from 0 to 1', isNumber, (text) => {
  const number = text.trim() === '' ? Number.NaN : Number(text);
  return number >= 0 && number <= 1 ? number : undefined;
});
const File = textCodec('a file', t.string.is, (text) => (text === '' ? undefined : text));
const Folder = textCodec('a folder', t.string.is, (text) => (text === '' ? undefined : text));

/** A positive whole number. */
export const count = (fallback: number, help: string, short = fallback): Option<number> => ({
  codec: Count,
  value: 'N',
  fallback,
  short,
  help,
});

/** A whole number within bounds, which what is done with it needs. */
export const countIn = (
  fallback: number,
  help: string,
  [least, most]: readonly [number, number],
  short = fallback,
): Option<number> => ({
  codec: whole(`a whole number from ${least} to ${most}`, least, most),
  value: 'N',
  fallback,
  short,
  help,
});

/** The seed of a random key. */
export const seed = (fallback: number, help: string): Option<number> => ({
  codec: Seed,
  value: 'N',
  fallback,
  help,
});

/** A positive number. */
export const positive = (fallback: number, help: string, short = fallback): Option<number> => ({
  codec: Positive,
  value: 'X',
  fallback,
  short,
  help,
});

/** A number from 0 to 1. */
export const probability = (fallback: number, help: string, short = fallback): Option<number> => ({
  codec: Probability,
  value: 'P',
  fallback,
  short,
  help,
});

/** A folder that may be left out. */
export const optionalFolder = (help: string): Option<string | null> => ({
  codec: Folder,
  value: 'DIR',
  fallback: null,
  help,
});

/** A file that may be left out. */
export const optionalFile = (help: string): Option<string | null> => ({
  codec: File,
  value: 'FILE',
  fallback: null,
  help,
});

/** An option without a value. */
export const flag = (help: string): Option<boolean> => ({ codec: t.boolean, value: null, fallback: false, help });

const folder = (fallback: string, help: string): Option<string> => ({
  codec: Folder,
  value: 'DIR',
  fallback,
  help,
});

/** The options that every example has. */
export const commonOptions = (name: string) =>
  ({
    seed: seed(0, 'seed of all that is random'),
    short: flag('a few seconds only, with weaker claims'),
    out: folder(`examples/out/${name}`, 'where files are written'),
    json: flag('end with one line of JSON'),
    help: flag('print this and end'),
  }) satisfies Options;

/**
 * Decode `--name value`, `--name=value` and `--flag`.
 *
 * Everything wrong is reported at once, each error at its option; of a repeated option the last counts.
 */
export function decodeOptions<O extends Options>(
  options: O,
  argv: readonly string[],
): E.Either<DecodeErrors, Values<O>> {
  const given = new Map<string, unknown>();
  const unknown: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const [, name = '', inline] = /^--([^=]*)(?:=(.*))?$/s.exec(argv[i]!) ?? [];
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) unknown.push(argv[i]!);
    else if (option.value === null) given.set(name, inline ?? true);
    else if (inline !== undefined) given.set(name, inline);
    else given.set(name, argv[i + 1]?.startsWith('--') ? undefined : argv[++i]);
  }
  const known = Object.keys(options).map((name) => `--${name}`);
  const [first, ...others] = unknown.map((text) => invalid(text, `one of ${known.join(', ')}`, 'an unknown option'));
  if (first !== undefined) return E.left(decodeErrors('options', first, ...others));
  const present = Object.entries(options).filter(([name]) => given.has(name));
  const codec = t.type(Object.fromEntries(present.map(([name, { codec }]) => [`--${name}`, codec as t.Mixed])));
  return pipe(
    Object.fromEntries([...given].map(([name, value]) => [`--${name}`, value])),
    decodeWith(codec, 'options'),
    E.map(
      (decoded) =>
        Object.fromEntries(
          Object.entries(options).map(([name, { fallback, short = fallback }]) => [
            name,
            given.has(name) ? decoded[`--${name}`] : given.has('short') ? short : fallback,
          ]),
        ) as Values<O>,
    ),
  );
}

/** The names among options, and the rest: an option that takes a value is followed by it. */
export function separated(
  options: Options,
  argv: readonly string[],
): readonly [names: readonly string[], rest: readonly string[]] {
  const names: string[] = [];
  const rest: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const text = argv[i]!;
    if (!text.startsWith('--')) names.push(text);
    else {
      rest.push(text);
      const option = text.slice(2);
      const takesValue = Object.hasOwn(options, option) && options[option]!.value !== null;
      if (takesValue && argv[i + 1] !== undefined) rest.push(argv[++i]!);
    }
  }
  return [names, rest];
}

/** The help of an example: what it shows and a line for each option. */
export function usage({ name, about, options }: Pick<Example<Options>, 'name' | 'about' | 'options'>): string {
  const rows = Object.entries(options).map(([key, { value, fallback, short = fallback, help }]) => {
    const left = `  --${key}${value === null ? '' : ` ${value}`}`;
    const unless =
      value === null || fallback === null ? '' : ` (${fallback}${short === fallback ? '' : `; short: ${short}`})`;
    return `${left.padEnd(18)}${help}${unless}`;
  });
  return `${name}: ${about}\n\n${rows.join('\n')}`;
}

/**
 * Decode argv, make the folder for what is written, run the body, write its files and numbers, print how it ended and set the
 * exit code.
 *
 * The folder comes first: an hour of training is not lost to a typing error.
 */
export async function runExample<O extends Options & ReturnType<typeof commonOptions>>(
  example: Example<O>,
  argv: readonly string[],
): Promise<void> {
  const decoded = decodeOptions(example.options, argv);
  if (E.isLeft(decoded)) return fail(`${showFailure(decoded.left)}\n\n${usage(example)}`, 2);
  const values = decoded.right;
  const { help, json, out, seed, short } = values as Values<ReturnType<typeof commonOptions>>;
  if (help) return console.log(usage(example));
  const about = { example: example.name, device: defaultDevice().name };
  const end = await pipe(
    makeFolder(out),
    TE.flatMap(() => example.body(values)),
    TE.tap(({ files = {} }) =>
      TE.traverseSeqArray(([name, text]: readonly [string, string]) => writeText(`${out}/${name}`, text))(
        Object.entries(files),
      ),
    ),
    TE.tap(({ numbers, claims = [] }) =>
      writeText(`${out}/numbers.json`, `${JSON.stringify({ ...about, seed, short, numbers, claims }, null, 2)}\n`),
    ),
  )();
  if (E.isLeft(end)) return fail(showFailure(end.left), 1);
  const { numbers, claims = [], files = {} } = end.right;
  const names = Object.keys(files);
  if (names.length > 0) console.log(`written: ${names.map((name) => `${out}/${name}`).join(', ')}`);
  // Claims are about the numbers that the example chooses: who trains for one epoch only is told, not refused.
  const asChosen = Object.entries(example.options).every(
    ([name, { fallback, short: brief = fallback }]) =>
      name === 'seed' || typeof fallback !== 'number' || values[name as keyof O] === (short ? brief : fallback),
  );
  for (const claim of claims) if (holds(claim) || !asChosen) console.log(showClaim(claim));
  if (json) console.log(JSON.stringify({ ...about, ...numbers }));
  const broken = claims.filter((claim) => asChosen && !holds(claim));
  if (broken.length > 0) fail(broken.map(showClaim).join('\n'), 3);
}

// The code is set, not exited with, so that what was printed to a pipe arrives.
function fail(message: string, code: number): void {
  console.error(message);
  process.exitCode = code;
}
