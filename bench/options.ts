/** What `npm run bench` is told: options as the examples decode them, and names of workloads. */

import { availableParallelism } from 'node:os';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as t from 'io-ts';
import { type DecodeErrors, decodeErrors, invalid } from 'pullback/io';
import {
  commonOptions,
  count,
  decodeOptions,
  type Option,
  optionalFile,
  separated,
  usage,
  type Values,
} from '../examples/cli.ts';
import { type PeerName, peerNames } from './contenders.ts';
import { type WorkloadName, workloadNames, workloads } from './workloads.ts';

/** A choice from `names`, separated by commas; `none` chooses nothing. */
const namesFrom = <N extends string>(names: readonly N[]): t.Type<readonly N[], string, unknown> => {
  const isName = (text: string): text is N => names.includes(text as N);
  const isNames = (u: unknown): u is readonly N[] => Array.isArray(u) && u.every(isName);
  return new t.Type(
    `names among ${names.join(', ')}, separated by commas, or none`,
    isNames,
    (input, context) => {
      const given = typeof input === 'string' ? (input === 'none' ? [] : input.split(',')) : [''];
      return isNames(given) ? t.success(given) : t.failure(input, context);
    },
    (given) => given.join(','),
  );
};

const peers: Option<readonly PeerName[] | null> = {
  codec: namesFrom(peerNames),
  value: 'A,B',
  fallback: null,
  help: `which peers: ${peerNames.join(', ')}; none`,
};

const device: Option<'wasm' | 'webgpu' | 'reference' | null> = {
  codec: t.keyof({ wasm: null, webgpu: null, reference: null }),
  value: 'NAME',
  fallback: null,
  help: 'the device of ours: wasm, webgpu, reference; by default what PULLBACK_DEVICE says, or wasm',
};

const { help, json } = commonOptions('bench');

/** The options of `npm run bench`. */
export const options = {
  device,
  peers,
  threads: count(availableParallelism(), 'threads of ours, by default as many as cores'),
  quick: { codec: t.boolean, value: null, fallback: false, help: 'one warm-up and three short rounds' },
  seconds: count(8, 'seconds for each library and workload, beyond the least number of samples (2 with --quick)'),
  out: optionalFile('where the table is written (bench/RESULTS.md)'),
  json: { ...json, help: 'a line of JSON for each workload instead of the table' },
  help,
};

/** What was asked for. */
export interface Asked extends Values<typeof options> {
  /** In the order of the table. */
  readonly workloads: readonly WorkloadName[];
}

const isWorkload = (name: string): name is WorkloadName => Object.hasOwn(workloads, name);

/** Decode argv: names of workloads among options; all workloads when none is named. Everything wrong is said at once. */
export function decodeAsked(argv: readonly string[]): E.Either<DecodeErrors, Asked> {
  const [names, rest] = separated(options, argv);
  const values = decodeOptions(options, rest);
  const unknown = names.filter((name) => !isWorkload(name));
  const errors = [
    ...(E.isLeft(values) ? values.left.errors : []),
    ...unknown.map((name) => invalid(name, `one of ${workloadNames.join(', ')}`, 'an unknown workload')),
  ];
  const [first, ...others] = errors;
  if (first !== undefined) return E.left(decodeErrors('options', first, ...others));
  const quickSeconds = (seconds: number): number => (rest.some((text) => /^--seconds(=|$)/.test(text)) ? seconds : 2);
  return pipe(
    values,
    E.map((given) => ({
      ...given,
      seconds: given.quick ? quickSeconds(given.seconds) : given.seconds,
      workloads: workloadNames.filter((name) => names.length === 0 || names.includes(name)),
    })),
  );
}

/** The help. */
export const helpText = (): string => usage({ name: 'bench', about: `times ${workloadNames.join(' ')}`, options });
