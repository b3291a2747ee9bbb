/**
 * Where one is in a sequence: plain data, which JSON can hold, so that a run that was saved goes on as if it had not stopped.
 */

import * as t from 'io-ts';
import { showValue } from '../io/failure.ts';

/** A place in a stream. Its form is the stream's own affair; `stream.position` is its codec. */
export type Position = null | number | readonly Position[] | { readonly [key: string]: Position };

/** The codec of the positions of one stream. */
export type PositionCodec = t.Type<Position, unknown, unknown>;

/** A codec of positions that are what `is` says. */
export const positions = (name: string, is: (u: unknown) => boolean): PositionCodec => {
  const guard = (u: unknown): u is Position => is(u);
  return new t.Type(name, guard, (u, c) => (guard(u) ? t.success(u) : t.failure(u, c)), t.identity);
};

/** Whole numbers from 0 to `most`. */
export const counts = (most: number): PositionCodec =>
  positions(
    most === Number.POSITIVE_INFINITY ? 'a whole number' : `a whole number from 0 to ${most}`,
    (u) => Number.isSafeInteger(u) && (u as number) >= 0 && (u as number) <= most,
  );

/** An object with exactly these keys, each with a codec; errors name the key. */
export function fields(codecs: Readonly<Record<string, PositionCodec>>): PositionCodec {
  const names = Object.keys(codecs);
  const exact = t.exact(t.type(codecs as t.Props), `{ ${names.join(', ')} }`);
  return exact as unknown as PositionCodec;
}

/** A position as messages quote it. */
export const showPosition = (position: unknown): string => showValue(position);
