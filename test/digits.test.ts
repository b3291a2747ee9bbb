/** The generated digits: the same bytes everywhere, every class, inside the frame. */
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import '../src/entry/device.ts';
import { digits, drawDigits, wordsPerDigit } from '../src/data/digits.ts';
import { key } from '../src/random/key.ts';

/** JAX's threefry bits by a second hand, so that this file judges the drawing alone. */
function bits(seed: number, count: number): Uint32Array {
  const keys = [0, seed, (seed ^ 0x1bd11bda) >>> 0];
  const rotations = [
    [13, 15, 26, 6],
    [17, 29, 16, 24],
  ];
  return Uint32Array.from({ length: count }, (_, i) => {
    let [a, b] = [keys[0]!, (i + keys[1]!) >>> 0];
    for (let round = 0; round < 5; round++) {
      for (const r of rotations[round % 2]!) {
        a = (a + b) >>> 0;
        b = (((b << r) | (b >>> (32 - r))) ^ a) >>> 0;
      }
      a = (a + keys[(round + 1) % 3]!) >>> 0;
      b = (b + keys[(round + 2) % 3]! + round + 1) >>> 0;
    }
    return (a ^ b) >>> 0;
  });
}

const set = drawDigits(bits(0, 2000 * wordsPerDigit));
const image = (i: number): Uint8Array => set.pixels.subarray(i * 784, (i + 1) * 784);

test('the bits are those of JAX', () => {
  expect([...bits(0, 3)]).toEqual([4070199207, 4202968722, 1427181096]);
});

test('the same bytes on every machine', () => {
  expect(createHash('sha256').update(set.pixels).update(set.labels).digest('hex')).toMatchInlineSnapshot(
    `"0ce9cb3c9f83ee1e14d62d4801bd7cda00235a98f4842bc24b24b2a678f7e1a0"`,
  );
});

test('digits(key, count) draws them from the bits of the key', async () => {
  expect(await digits(key(0), 5)).toEqual(drawDigits(bits(0, 5 * wordsPerDigit)));
});

test('a digit, as it looks', () => {
  const shades = ' .:-=+*#%@';
  const rows = Array.from({ length: 28 }, (_, y) =>
    Array.from(image(0).subarray(28 * y, 28 * y + 28), (p) => shades[Math.floor((p * 10) / 256)])
      .join('')
      .trimEnd(),
  );
  expect(set.labels[0]).toMatchInlineSnapshot(`9`);
  expect(`\n${rows.join('\n')}\n`).toMatchInlineSnapshot(`
    "



                :-
              =@@@@=
             =@@@@@@*
             @@@@@@@@*
            -@@@: =@@@+
            -@@@   :@@@
            .@@@:   @@@
             @@@*  -@@@
             +@@@+:#@@@
              @@@@@@@@%
              -@@@@@@@#
               .+%@%@@*
                   +@@-
                   %@@.
                  :@@@
                  #@@+
                 -@@@.
                 %@@*
                =@@@.
                @@@+
               +@@@
               @@@=
               @@@
               .=.

    "
  `);
});

test('every class is drawn, about equally often', () => {
  const counts = Array.from({ length: 10 }, (_, label) => set.labels.filter((l) => l === label).length);
  // 200 expected; five standard deviations of a binomial are 67.
  for (const count of counts) expect(Math.abs(count - 200)).toBeLessThan(67);
});

test('the ink is inside the frame, and there is enough of it', () => {
  let border = 0;
  let inner = 0;
  for (let i = 0; i < set.count; i++) {
    const pixels = image(i);
    let ink = 0;
    for (let y = 0; y < 28; y++) {
      for (let x = 0; x < 28; x++) {
        const dark = pixels[28 * y + x]! > 100 ? 1 : 0;
        ink += dark;
        if (Math.min(x, y, 27 - x, 27 - y) === 0) border += dark;
        else inner += dark;
      }
    }
    expect(ink, `image ${i}`).toBeGreaterThan(8);
  }
  expect(border / inner).toBeLessThan(0.003);
});

test('an image depends on its own words only, and no two are equal', () => {
  const words = bits(0, 3 * wordsPerDigit);
  expect(drawDigits(words.subarray(wordsPerDigit)).pixels).toEqual(set.pixels.slice(784, 3 * 784));
  const distinct = new Set(Array.from({ length: set.count }, (_, i) => image(i).join()));
  expect(distinct.size).toBe(set.count);
});
