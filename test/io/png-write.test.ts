/** Images written, and read again. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { jit, np, random, type Tensor } from 'pullback';
import { decodeImage, encodePng, imageTensor, readImage, writePng } from 'pullback/io';
import { expect, test } from 'vitest';

test.each([[[5, 7]], [[5, 7, 1]], [[4, 3, 2]], [[4, 3, 3]], [[1, 1, 4]]])(
  '%j comes back, to a 255th',
  async (shape) => {
    const image = random.uniform(random.key(0), shape);
    const read = await decodeImage(await encodePng(image), 'image.png');
    if (E.isLeft(read)) throw new Error('not read');
    const back = imageTensor(read.right);
    expect(back.shape).toEqual([...shape, 1].slice(0, 3));
    expect(np.max(np.abs(np.sub(np.ravel(back), np.ravel(image)))).item()).toBeLessThanOrEqual(0.5 / 255 + 1e-6);
  },
);

test('what lies outside is clipped, and NaN is black', async () => {
  const read = await decodeImage(await encodePng(np.array([[-1, 2, Number.NaN, 0.5]])), 'image.png');
  expect(E.isRight(read) && [...read.right.data]).toEqual([0, 255, 0, 128]);
});

test('into a folder that there is not yet', async () => {
  const root = mkdtempSync(join(tmpdir(), 'pullback-png-'));
  const written = await writePng(`${root}/a/b.png`, np.ones([2, 2]))();
  expect(E.isRight(written)).toBe(true);
  const read = await readImage(`${root}/a/b.png`)();
  expect(E.isRight(read) && read.right.width).toBe(2);
  rmSync(root, { recursive: true });
});

test('what is no image', async () => {
  await expect(encodePng(np.ones([3]))).rejects.toThrow('io.encodePng: float32[3] is no image');
  await expect(encodePng(np.ones([2, 2, 5]))).rejects.toThrow('float32[2,2,5] is no image');
  let traced: Promise<unknown> = Promise.resolve();
  jit((x: Tensor): Tensor => {
    traced = encodePng(x);
    traced.catch(() => undefined);
    return x;
  })(np.ones([2, 2]));
  await expect(traced).rejects.toThrow('is no image, but a tracer');
});
