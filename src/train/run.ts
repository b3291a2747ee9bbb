/**
 * A run of training as a value: everything that the next step depends on, and what the steps before it have told.
 *
 * Saved, it is one safetensors file. Its tensors are the carry, the key and the best carry so far, under the paths of their
 * leaves, so that any reader of the format finds the parameters; its metadata is a manifest with the counts, the history, what is
 * static in the carry and a digest of each tensor. The file is written whole or not at all, and read only if every bit of it is what was written.
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as TE from 'fp-ts/lib/TaskEither.js';
import * as t from 'io-ts';
import { makeAval, showAval } from '../core/aval.ts';
import { byteSize } from '../core/dtype.ts';
import type { Tensor, Value } from '../core/value.ts';
import { lengthCodec } from '../io/aval.ts';
import { writeElements } from '../io/elements.ts';
import {
  corrupt,
  type DecodeErrors,
  decodeErrors,
  decodeWith,
  type Failure,
  invalid,
  type Reading,
  type WriteError,
} from '../io/failure.ts';
import { fileExists, readBytes, writeBytes } from '../io/file.ts';
import { parseJson } from '../io/json.ts';
import { type NamedTensors, namedLeaves, paramsCodec, type ValuesOf } from '../io/params.ts';
import { decodeSafetensors, encodeSafetensors, type Metadata } from '../io/safetensors.ts';
import { expectKey, type Key } from '../random/key.ts';
import { staticLeaves } from '../tree/def.ts';
import { flatten, type Leaf } from '../tree/tree.ts';

/** Numbers by their names: what is told of a step, an epoch or a validation. */
export type Measures = Readonly<Record<string, number>>;

/** What is known of an epoch after its end. */
export interface EpochRecord {
  /** The number of the epoch, from 0. */
  readonly epoch: number;
  /** Means of what the steps returned beside the carry. */
  readonly training: Measures;
  /** What `validate` returned; empty without it. */
  readonly validation: Measures;
}

/** A run of training between two steps. */
export interface Run<C> {
  /** What a step takes and makes anew: parameters, the state of the optimizer, running statistics. */
  readonly carry: C;
  /** The key from which every step has its own. */
  readonly key: Key;
  /** Epochs that are done. */
  readonly epoch: number;
  /** Steps that are done of the epoch under way: the position in its data. */
  readonly step: number;
  /** Sums over those steps of what they returned beside the carry. */
  readonly sums: Measures;
  /** A record of each epoch that is done. */
  readonly history: readonly EpochRecord[];
  /** The carry after the best epoch so far, if the run keeps it. */
  readonly best: Best<C> | null;
}

/** The carry after an epoch that was better than all before it. */
export interface Best<C> {
  readonly epoch: number;
  /** The measure by which it was the best. */
  readonly value: number;
  readonly carry: C;
}

/**
 * A run that has not begun.
 *
 * @param carry - what a step takes and makes anew
 * @param key - the key from which every step has its own
 * @throws DTypeError or ShapeError unless `key` is one
 */
export function startRun<C>(carry: C, key: Key): Run<C> {
  expectKey('train.startRun', key);
  return { carry, key, epoch: 0, step: 0, sums: {}, history: [], best: null };
}

/** The one version of the format that there is. */
const version = 1;
const manifestKey = 'pullback.run';
const digestKey = 'pullback.run.sha256';

/** JSON has no word for these, and a loss may become one of them. */
const oddNumbers: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  '-Infinity': Number.NEGATIVE_INFINITY,
};

const measureCodec: t.Type<number, number | string, unknown> = new t.Type(
  'a number',
  t.number.is,
  (u, c) => {
    if (typeof u === 'number') return t.success(u);
    return typeof u === 'string' && Object.hasOwn(oddNumbers, u) ? t.success(oddNumbers[u]!) : t.failure(u, c);
  },
  (x) => (Number.isFinite(x) ? x : String(x)),
);

const measuresCodec = t.record(t.string, measureCodec);

const manifestCodec = t.strict({
  version: t.literal(version),
  epoch: lengthCodec,
  step: lengthCodec,
  sums: measuresCodec,
  history: t.array(t.strict({ epoch: lengthCodec, training: measuresCodec, validation: measuresCodec })),
  best: t.union([t.null, t.strict({ epoch: lengthCodec, value: measureCodec })]),
  statics: t.record(t.string, t.string),
  digests: t.record(t.string, t.string),
});

type Manifest = t.TypeOf<typeof manifestCodec>;

/** What a run has of tensors, as one tree; a best carry that there is not has no leaves. */
const tensorsOf = <C>({ carry, key, best }: Run<C>) => ({ best: best === null ? null : best.carry, carry, key });

/**
 * Write a run as a file, whole or not at all; gives back its path. What was there before is intact until then.
 *
 * Law: {@link readRun} gives the same run, bit by bit.
 *
 * @throws NotSerializableError for a tracer in the carry
 */
export const writeRun = <C>(path: string, run: Run<C>): TE.TaskEither<WriteError, string> =>
  pipe(
    TE.fromTask(() => encodeRun(run)),
    TE.flatMap((bytes) => writeBytes(path, bytes)),
  );

async function encodeRun<C>(run: Run<C>): Promise<Uint8Array> {
  const tensors = namedLeaves(tensorsOf(run));
  const { epoch, step, sums, history, best } = run;
  const manifest = JSON.stringify(
    manifestCodec.encode({
      version,
      epoch,
      step,
      sums,
      history: [...history],
      best: best === null ? null : { epoch: best.epoch, value: best.value },
      statics: staticsOf(run.carry),
      digests: await digestsOf(tensors),
    }),
  );
  const metadata = { [manifestKey]: manifest, [digestKey]: await sha256(new TextEncoder().encode(manifest)) };
  return encodeSafetensors({ tensors, metadata })();
}

/**
 * Read a run that {@link writeRun} has written.
 *
 * A file that is cut short, of which a bit has changed, or whose carry is another than `like` is refused; the error names the
 * first tensor, or what is static, that differs. Functions and symbols are of their process, and are not compared.
 *
 * @param like - the tree of avals (or tensors) of the carry, as `evalShape(() => init(key))` makes it; what is static in the
 *   carry is taken from it
 *
 * @example
 * ```ts
 * import { pipe } from 'fp-ts/lib/function.js';
 * import * as TE from 'fp-ts/lib/TaskEither.js';
 * import { np, random, train } from 'pullback';
 *
 * const run = train.startRun({ w: np.array([1, 2]) }, random.key(0));
 * const read = await pipe(
 *   train.writeRun('examples/out/run.safetensors', run),
 *   TE.flatMap((path) => train.readRun(path, run.carry)),
 *   TE.map(({ carry }) => carry.w.toArray()),
 * )();
 * console.log(read); // => { _tag: 'Right', right: [ 1, 2 ] }
 * ```
 */
export const readRun = <T>(path: string, like: T): Reading<Run<ValuesOf<T>>> =>
  pipe(
    readBytes(path),
    TE.flatMap(
      (bytes): Reading<Run<ValuesOf<T>>> =>
        () =>
          decodeRun(bytes, path, like),
    ),
  );

/**
 * The run that is saved at `path`, or `fresh` where there is no such file: how a program begins that may have been interrupted.
 *
 * A file that is there and is not such a run is an error: nothing is trained anew, and nothing overwritten, by mistake.
 */
export const openRun = <C>(path: string, fresh: Run<C>): TE.TaskEither<Failure, Run<C>> =>
  pipe(
    fileExists(path),
    TE.flatMap(
      (exists): Reading<Run<C>> => (exists ? (readRun(path, fresh.carry) as Reading<Run<C>>) : TE.right(fresh)),
    ),
  );

async function decodeRun<T>(
  bytes: Uint8Array,
  path: string,
  like: T,
): Promise<E.Either<DecodeErrors, Run<ValuesOf<T>>>> {
  const file = decodeSafetensors(bytes, path);
  if (E.isLeft(file)) return file;
  const { tensors, metadata } = file.right;
  const manifest = await decodeManifest(metadata, path);
  if (E.isLeft(manifest)) return manifest;
  const { epoch, step, sums, history, best, statics, digests } = manifest.right;
  const schema = paramsCodec({
    best: best === null ? null : like,
    carry: like,
    key: makeAval([2], 'uint32'),
  });
  const decoded = pipe(tensors, decodeWith(schema, path));
  if (E.isLeft(decoded)) return decoded;
  const other = differentStatic(statics, staticsOf(like), path);
  if (other !== null) return E.left(other);
  const found = await digestsOf(tensors);
  const changed = Object.keys(found).find((name) => found[name] !== digests[name]);
  if (changed !== undefined) {
    const of = (digest: string | undefined) =>
      digest === undefined ? 'none' : `elements with the digest ${digest.slice(0, 12)}…`;
    return E.left(decodeErrors(path, invalid(changed, of(digests[changed]), of(found[changed]))));
  }
  const read = decoded.right as { best: ValuesOf<T> | null; carry: ValuesOf<T>; key: Value<'uint32'> };
  return E.right({
    carry: read.carry,
    key: read.key,
    epoch,
    step,
    sums,
    history,
    best: best === null ? null : { ...best, carry: read.best as ValuesOf<T> },
  });
}

/** The manifest, if it is the one that was written. */
async function decodeManifest(metadata: Metadata, path: string): Promise<E.Either<DecodeErrors, Manifest>> {
  const text = Object.hasOwn(metadata, manifestKey) ? metadata[manifestKey]! : null;
  if (text === null) return E.left(decodeErrors(path, corrupt(`it is no saved run: it has no ${manifestKey}.`)));
  if ((await sha256(new TextEncoder().encode(text))) !== metadata[digestKey]) {
    return E.left(decodeErrors(path, corrupt(`${manifestKey} is not what was written: its digest differs.`)));
  }
  const parsed = parseJson(text);
  if (E.isLeft(parsed)) return E.left(decodeErrors(path, parsed.left));
  return pipe(
    parsed.right,
    // First of all: of another version nothing else is known.
    decodeWith(t.type({ version: t.literal(version) }), path),
    E.flatMap(() => pipe(parsed.right, decodeWith(manifestCodec, path))),
  );
}

/** What is static in a carry, by its paths, as text; but for functions and symbols, which a file cannot name. */
function staticsOf(carry: unknown): Readonly<Record<string, string>> {
  const { def } = flatten<Leaf>(carry, 'train.run', 'carry');
  return Object.fromEntries(Array.from(staticLeaves(def, 'carry')).filter(([, key]) => !/^[fs]#/.test(key)));
}

/** The first path at which the file and the carry that is wanted have other statics; `null` if there is none. */
function differentStatic(
  found: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>>,
  path: string,
): DecodeErrors | null {
  const at = (statics: Readonly<Record<string, string>>, name: string): string =>
    Object.hasOwn(statics, name) ? statics[name]! : 'nothing static';
  const name = [...Object.keys(wanted), ...Object.keys(found)].find((n) => at(wanted, n) !== at(found, n));
  return name === undefined ? null : decodeErrors(path, invalid(name, at(wanted, name), at(found, name)));
}

/** A digest of each tensor: of its type and of its elements, as the file holds them. */
async function digestsOf(tensors: NamedTensors): Promise<Record<string, string>> {
  const digests: [string, string][] = [];
  for (const [name, x] of Object.entries(tensors)) digests.push([name, await digestOf(x)]);
  return Object.fromEntries(digests);
}

async function digestOf(x: Tensor): Promise<string> {
  const type = new TextEncoder().encode(showAval(makeAval(x.shape, x.dtype)));
  const bytes = new Uint8Array(type.length + x.size * byteSize(x.dtype));
  bytes.set(type);
  writeElements(bytes, type.length, await x.data(), x.dtype);
  return sha256(bytes);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
