/** IDX and MNIST: what decodes, and what every way of being wrong says. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import * as t from 'io-ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeWith, type Failure, showFailure } from '../src/io/failure.ts';
import { gunzip } from '../src/io/gzip.ts';
import { decodeGzippedIdx, decodeIdx, type Idx, type IdxDType, idxLimit } from '../src/io/idx.ts';
import { holdOutTenth, type LabelledImages, readMnist, type Split } from '../src/io/mnist.ts';

const elements = {
  uint8: { code: 0x08, bytes: 1, write: (v: DataView, at: number, x: number) => v.setUint8(at, x) },
  int8: { code: 0x09, bytes: 1, write: (v: DataView, at: number, x: number) => v.setInt8(at, x) },
  int16: { code: 0x0b, bytes: 2, write: (v: DataView, at: number, x: number) => v.setInt16(at, x) },
  int32: { code: 0x0c, bytes: 4, write: (v: DataView, at: number, x: number) => v.setInt32(at, x) },
  float32: { code: 0x0d, bytes: 4, write: (v: DataView, at: number, x: number) => v.setFloat32(at, x) },
  float64: { code: 0x0e, bytes: 8, write: (v: DataView, at: number, x: number) => v.setFloat64(at, x) },
} as const;

/** An IDX file, written by a second hand: what the decoder is judged by. */
function encode(dtype: IdxDType, shape: readonly number[], values: ArrayLike<number>): Uint8Array {
  const { code, bytes, write } = elements[dtype];
  const view = new DataView(new ArrayBuffer(4 + 4 * shape.length + values.length * bytes));
  view.setUint8(2, code);
  view.setUint8(3, shape.length);
  for (const [axis, length] of shape.entries()) view.setUint32(4 + 4 * axis, length);
  for (let i = 0; i < values.length; i++) write(view, 4 + 4 * shape.length + i * bytes, values[i]!);
  return new Uint8Array(view.buffer);
}

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = new Uint8Array(bytes);
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
};

const message = (result: E.Either<Failure, unknown>): string =>
  E.isLeft(result) ? showFailure(result.left) : 'decoded';
const right = <A>(result: E.Either<Failure, A>): A => {
  if (E.isLeft(result)) throw new Error(showFailure(result.left));
  return result.right;
};

const small = encode('int16', [2, 3], [1, -2, 300, -400, 5, 32767]);

describe('decodeIdx', () => {
  test('every type of element, big-endian', () => {
    expect(right(decodeIdx(small, 'f'))).toEqual({
      shape: [2, 3],
      dtype: 'int16',
      data: Int16Array.of(1, -2, 300, -400, 5, 32767),
    });
    const values = fc.record({
      uint8: fc.uint8Array(),
      int8: fc.int8Array(),
      int16: fc.int16Array(),
      int32: fc.int32Array(),
      float32: fc.float32Array(),
      float64: fc.float64Array(),
    });
    fc.assert(
      fc.property(values, (arrays) => {
        for (const dtype of Object.keys(elements) as IdxDType[]) {
          const data = arrays[dtype];
          const decoded: Idx = right(decodeIdx(encode(dtype, [data.length, 1], data), 'f'));
          expect(decoded).toEqual({ shape: [data.length, 1], dtype, data });
        }
      }),
    );
  });

  test('no axes is a scalar; an empty axis is empty, whatever the others claim within reason', () => {
    expect(right(decodeIdx(encode('uint8', [], [7]), 'f'))).toEqual({
      shape: [],
      dtype: 'uint8',
      data: Uint8Array.of(7),
    });
    const shape = [2 ** 31 - 1, 0, 2 ** 31 - 1];
    expect(right(decodeIdx(encode('float64', shape, []), 'f')).shape).toEqual(shape);
    expect(message(decodeIdx(encode('float64', [0, 2 ** 31], []), 'f'))).toBe(
      'f: shape[1]: expected at most 2147483647 elements along an axis, got 2147483648',
    );
  });

  test('the result is not a view of the bytes', () => {
    const bytes = encode('uint8', [2], [1, 2]);
    const { data } = right(decodeIdx(bytes, 'f'));
    bytes.fill(9);
    expect(data).toEqual(Uint8Array.of(1, 2));
  });

  test('messages, verbatim', () => {
    const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d);
    const giant = encode('float64', [2 ** 32 - 1, 2 ** 32 - 1], []);
    const overflowing = encode('uint8', Array(255).fill(2 ** 32 - 1), []);
    const longer = Uint8Array.from([...small, 0]);
    expect(message(decodeIdx(small.subarray(0, 20), 'a.idx'))).toBe(
      'a.idx: truncated: expected 24 bytes, got 20. Fetch the file again.',
    );
    expect(message(decodeIdx(small.subarray(0, 3), 'a.idx'))).toBe(
      'a.idx: truncated: expected 4 bytes, got 3. Fetch the file again.',
    );
    expect(message(decodeIdx(encode('uint8', [60000, 28, 28], []), 'a.idx'))).toBe(
      'a.idx: truncated: expected 47040016 bytes, got 16. Fetch the file again.',
    );
    expect(message(decodeIdx(png, 'a.png'))).toBe(
      'a.png: corrupt: not an IDX file: it begins with 89 50 4e 47, not with 00 00.',
    );
    expect(message(decodeIdx(Uint8Array.of(0, 0, 10, 1), 'a.idx'))).toBe(
      'a.idx: corrupt: not an IDX file: it begins with 00 00 0a 01; byte 2 should be 08, 09, 0b, 0c, 0d or 0e.',
    );
    expect(message(decodeIdx(giant, 'a.idx'))).toBe(
      `a.idx: corrupt: the header promises float64[4294967295,4294967295], which exceeds the limit of ${idxLimit} bytes.`,
    );
    expect(message(decodeIdx(overflowing, 'a.idx'))).toMatch(/^a.idx: corrupt: the header promises uint8\[4294967295,/);
    expect(message(decodeIdx(longer, 'a.idx'))).toBe(
      'a.idx: corrupt: it goes on after the 24 bytes that its header promises (25 in all).',
    );
  });

  test('cut anywhere it is truncated, and no bit of the header can be flipped unnoticed', () => {
    for (let length = 0; length < small.length; length++) {
      expect(decodeIdx(small.subarray(0, length), 'f')).toMatchObject({ left: { errors: [{ _tag: 'Truncated' }] } });
    }
    for (let bit = 0; bit < 12 * 8; bit++)
      expect(E.isLeft(decodeIdx(flipped(small, bit), 'f')), `bit ${bit}`).toBe(true);
  });

  test('arbitrary bytes never throw', () => {
    const header = fc.tuple(fc.constantFrom(8, 9, 11, 12, 13, 14, 15), fc.integer({ min: 0, max: 4 }));
    fc.assert(
      fc.property(header, fc.uint8Array({ maxLength: 40 }), ([code, axes], rest) => {
        decodeIdx(Uint8Array.from([0, 0, code, axes, ...rest]), 'f');
        decodeIdx(rest, 'f');
      }),
    );
  });
});

describe('decodeGzippedIdx', () => {
  const gzipped = new Uint8Array(gzipSync(small));

  test('decodes as the plain bytes do', async () => {
    expect(await decodeGzippedIdx(gzipped, 'f')).toEqual(decodeIdx(small, 'f'));
  });

  test('cut anywhere it is a Left', async () => {
    for (let length = 2; length < gzipped.length; length++) {
      expect(E.isLeft(await decodeGzippedIdx(gzipped.subarray(0, length), 'f')), `${length} bytes`).toBe(true);
    }
  });

  test('a flipped bit never throws and never changes what is decoded', async () => {
    let noticed = 0;
    for (let bit = 0; bit < gzipped.length * 8; bit++) {
      const result = await decodeGzippedIdx(flipped(gzipped, bit), 'f');
      if (E.isLeft(result)) noticed++;
      else expect(result, `bit ${bit}`).toEqual(decodeIdx(small, 'f'));
    }
    // What may pass are the fields of the gzip header that mean nothing here: time, system, level, text flag.
    expect(noticed).toBeGreaterThanOrEqual((gzipped.length - 8) * 8);
  });

  test('a bomb is dropped at the size that its header promises', async () => {
    const zeros = Buffer.alloc(1 << 26);
    const bomb = new Uint8Array(gzipSync(Buffer.concat([encode('uint8', [4], [1, 2, 3, 4]), zeros])));
    expect(message(await decodeGzippedIdx(bomb, 'bomb.gz'))).toBe(
      'bomb.gz: corrupt: it goes on after the 12 bytes that its header promises.',
    );
    expect(message(await decodeGzippedIdx(new Uint8Array(gzipSync(zeros)), 'zeros.gz'))).toBe(
      'zeros.gz: corrupt: not an IDX file: it begins with 00 00 00 00; byte 2 should be 08, 09, 0b, 0c, 0d or 0e.',
    );
    const { bytes, end } = await gunzip(bomb, 12);
    expect(end).toBe('dropped');
    expect(bytes.length).toBeLessThan(1 << 20);
  });

  test('messages, verbatim', async () => {
    const long = encode(
      'uint8',
      [20000],
      Uint8Array.from({ length: 20000 }, (_, i) => (i * i) >> 5),
    );
    const cut = new Uint8Array(gzipSync(long)).subarray(0, 2000);
    expect(message(await decodeGzippedIdx(cut, 'a.gz'))).toMatch(
      /^a\.gz: truncated: expected 20008 bytes, got \d+\. Fetch the file again\.$/,
    );
    expect(message(await decodeGzippedIdx(flipped(gzipped, 8 * 14), 'a.gz'))).toBe(
      'a.gz: corrupt: the gzip stream is damaged. Fetch the file again.',
    );
    expect(message(await decodeGzippedIdx(gzipped.subarray(0, -2), 'a.gz'))).toBe(
      'a.gz: corrupt: the gzip stream lacks its checksum.',
    );
  });
});

describe('readMnist', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mnist-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const images = (count: number) =>
    encode(
      'uint8',
      [count, 28, 28],
      Uint8Array.from({ length: count * 784 }, (_, i) => i / 784),
    );
  const labels = (count: number) =>
    encode(
      'uint8',
      [count],
      Uint8Array.from({ length: count }, (_, i) => i % 10),
    );
  const put = (files: Record<string, Uint8Array>) =>
    Promise.all(Object.entries(files).map(([name, bytes]) => writeFile(join(folder, name), bytes)));
  const read = async () => message(await readMnist(folder)()).replaceAll(folder, 'DIR');
  const firstPixels = ({ pixels, count }: LabelledImages) => Array.from({ length: count }, (_, i) => pixels[i * 784]);

  const splitOf = async (): Promise<Split> => right(await readMnist(folder)());

  test('t10k alone, one file gzipped: every tenth is held out', async () => {
    await put({ 't10k-images-idx3-ubyte.gz': gzipSync(images(25)), 't10k-labels-idx1-ubyte': labels(25) });
    const { train, test: held } = await splitOf();
    expect(firstPixels(held)).toEqual([9, 19]);
    expect([...held.labels]).toEqual([9, 9]);
    expect(firstPixels(train)).toEqual([...Array(25).keys()].filter((i) => i % 10 !== 9));
    expect([...train.labels]).toEqual(firstPixels(train).map((i) => i! % 10));
    expect([train.rows, train.columns, train.pixels.length]).toEqual([28, 28, 23 * 784]);
  });

  test('train alone is split likewise; with both the split is that of the files', async () => {
    await put({ 'train-images-idx3-ubyte': images(30), 'train-labels-idx1-ubyte.gz': gzipSync(labels(30)) });
    expect(await splitOf().then(({ train, test: held }) => [train.count, held.count])).toEqual([27, 3]);
    await put({ 't10k-images-idx3-ubyte': images(5), 't10k-labels-idx1-ubyte': labels(5) });
    expect(await splitOf().then(({ train, test: held }) => [train.count, held.count])).toEqual([30, 5]);
  });

  test('holdOutTenth loses nothing', async () => {
    await put({ 'train-images-idx3-ubyte': images(30), 'train-labels-idx1-ubyte': labels(30) });
    const { train } = await splitOf();
    const { train: kept, test: held } = holdOutTenth(train);
    expect([...firstPixels(kept), ...firstPixels(held)].sort()).toEqual(firstPixels(train).sort());
  });

  test('mislabelled, verbatim', async () => {
    const wrong = labels(10);
    wrong[8 + 3] = 17;
    await put({ 't10k-images-idx3-ubyte': images(10), 't10k-labels-idx1-ubyte': wrong });
    expect(await read()).toBe('DIR/t10k-labels-idx1-ubyte: mislabelled: label 3 is 17, not a digit 0–9.');
    await put({ 't10k-labels-idx1-ubyte': labels(9) });
    expect(await read()).toBe(
      'DIR/t10k-labels-idx1-ubyte: mislabelled: 9 labels for the 10 images of DIR/t10k-images-idx3-ubyte.',
    );
    await put({ 't10k-labels-idx1-ubyte': images(10) });
    expect(await read()).toBe(
      'DIR/t10k-labels-idx1-ubyte: mislabelled: expected labels uint8[n], found uint8[10,28,28].',
    );
    await put({ 't10k-images-idx3-ubyte': labels(10) });
    expect(await read()).toBe(
      'DIR/t10k-images-idx3-ubyte: mislabelled: expected images uint8[n,28,28], found uint8[10].',
    );
  });

  test('truncated, missing and empty, verbatim', async () => {
    expect(await read()).toBe(
      'DIR: cannot be read: it holds neither train-images-idx3-ubyte nor t10k-images-idx3-ubyte, nor either as .gz',
    );
    await put({ 't10k-images-idx3-ubyte': images(10).subarray(0, 5000) });
    expect(await read()).toBe(
      'DIR/t10k-images-idx3-ubyte: truncated: expected 7856 bytes, got 5000. Fetch the file again.',
    );
    await put({ 't10k-images-idx3-ubyte': images(10) });
    expect(await read()).toBe('DIR/t10k-labels-idx1-ubyte.gz: cannot be read: no such file or folder');
    expect(message(await readMnist(`${folder}/absent`)()).replaceAll(folder, 'DIR')).toBe(
      'DIR/absent: cannot be read: no such file or folder',
    );
  });
});

test('decodeWith says where in the value it is wrong', () => {
  const codec = t.type({ layers: t.array(t.type({ width: t.number })) });
  const decode = decodeWith(codec, 'model.json');
  expect(message(decode({ layers: [{ width: 3 }, { width: 'wide' }, {}] }))).toBe(
    'model.json: layers[1].width: expected number, got "wide"\nmodel.json: layers[2].width: expected number, got nothing',
  );
  expect(right(decode({ layers: [] }))).toEqual({ layers: [] });
});
