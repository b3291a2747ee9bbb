/** The files that the tools wrote which own the formats (`test/fixtures/io/generate.py`), and what they hold. */
import * as E from 'fp-ts/lib/Either.js';
import { expect } from 'vitest';
import '../../src/entry/device.ts';
import type { np, Tensor } from '../../src/index.ts';
import { type Failure, showFailure } from '../../src/io/failure.ts';

export interface Content {
  readonly dtype?: string;
  readonly shape?: readonly number[];
  readonly elements?: readonly (number | string)[];
}

export const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
export const right = <A>(result: E.Either<Failure, A>): A => {
  if (E.isLeft(result)) throw new Error(showFailure(result.left));
  return result.right;
};
export const message = (result: E.Either<Failure, unknown>): string =>
  E.isLeft(result) ? showFailure(result.left) : 'decoded';

/** The dtype that each of NumPy's is read as. */
export const readAs: Readonly<Record<string, string>> = {
  '>f4': 'float32',
  '>f8': 'float64',
  '>f2': 'float32',
  '>i4': 'int32',
  '>u2': 'uint32',
  float16: 'float32',
  int8: 'int32',
  int16: 'int32',
  int64: 'int32',
  uint8: 'uint32',
  uint16: 'uint32',
  uint64: 'uint32',
};

export const expectContent = (x: Tensor | ReturnType<typeof np.zeros>, content: Content): void => {
  expect(x.dtype).toBe(readAs[content.dtype!] ?? content.dtype);
  expect(x.shape).toEqual(content.shape);
  expect(Array.from(x.dataSync())).toEqual(content.elements!.map(Number));
};
