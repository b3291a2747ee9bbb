/**
 * Codecs of shapes and avals, as every format that names them needs them.
 *
 * They look at no more than a tensor can have: a shape that claims a million axes is refused at its length, so that neither
 * time nor the number of errors follows what a hostile file claims.
 */

import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as t from 'io-ts';
import { type Aval, makeAval } from '../core/aval.ts';
import { dtypeCodec } from '../core/params.ts';
import type { Shape } from '../core/shape.ts';
import { type Invalid, invalid } from './failure.ts';

/** Axes that a tensor from outside may have. */
export const maxRank = 64;

/** Elements that a file's tensor may have along an axis: an empty one needs no bytes that would bear out its other axes. */
const maxLength = 2 ** 31 - 1;

/** The first axis of a shape that is longer than that, as an error; `null` if none is. */
export function absurdAxis(at: string, shape: Shape): Invalid | null {
  const axis = shape.findIndex((length) => length > maxLength);
  return axis < 0 ? null : invalid(`${at}[${axis}]`, `at most ${maxLength} elements along an axis`, `${shape[axis]}`);
}

const isLength = (u: unknown): u is number => Number.isSafeInteger(u) && (u as number) >= 0;

/** A count: of elements, of bytes. */
export const lengthCodec: t.Type<number, number, unknown> = new t.Type(
  'a non-negative integer',
  isLength,
  (u, c) => (isLength(u) ? t.success(u) : t.failure(u, c)),
  t.identity,
);

/** The elements of a shape, `Infinity` where a double overflows; a zero makes it 0 whatever the other lengths say. */
export const elementCount = (shape: Shape): number =>
  shape.includes(0) ? 0 : shape.reduce((product, length) => product * length, 1);

/** A shape of at most {@link maxRank} axes whose elements can be counted. */
export const shapeCodec: t.Type<Shape, Shape, unknown> = new t.Type<Shape, Shape, unknown>(
  `a shape of at most ${maxRank} axes`,
  (u): u is Shape => Array.isArray(u) && u.every(isLength),
  (u, c) => {
    if (!Array.isArray(u) || u.length > maxRank) return t.failure(u, c);
    const wrong = u.findIndex((length) => !isLength(length));
    if (wrong >= 0) return t.failure(u[wrong], t.appendContext(c, String(wrong), lengthCodec));
    return elementCount(u) <= Number.MAX_SAFE_INTEGER
      ? t.success(Object.freeze([...(u as number[])]))
      : t.failure(u, c, 'a shape whose elements can be counted');
  },
  t.identity,
);

const plainAval = t.strict({ dtype: dtypeCodec, shape: shapeCodec, weak: t.boolean }, 'an aval');

/** An aval as plain data: `{ "dtype": "float32", "shape": [3], "weak": false }`. */
export const avalCodec: t.Type<Aval, t.OutputOf<typeof plainAval>, unknown> = new t.Type(
  'an aval',
  (u): u is Aval => typeof u === 'object' && u !== null && (u as Partial<Aval>)._tag === 'Aval',
  (u, c) =>
    pipe(
      plainAval.validate(u, c),
      E.map(({ dtype, shape, weak }) => makeAval(shape, dtype, weak)),
    ),
  ({ dtype, shape, weak }) => ({ dtype, shape, weak }),
);
