/** Codecs of parameters: what the record of a primitive says of its static data. */

import * as t from 'io-ts';

/** The codec of a primitive without parameters. */
export const none = t.strict({});

/** Parameters of a primitive without any. */
export type None = t.TypeOf<typeof none>;

/** An integer. */
export const int: t.Type<number> = new t.Type<number>(
  'integer',
  (u): u is number => Number.isSafeInteger(u),
  (u, context) => (Number.isSafeInteger(u) ? t.success(u as number) : t.failure(u, context)),
  t.identity,
);

/** A tuple of integers. */
export const ints = t.readonlyArray(int, 'integers');

/** The name of a dtype. */
export const dtypeCodec = t.keyof({ bool: null, uint32: null, int32: null, float32: null, float64: null }, 'DType');
