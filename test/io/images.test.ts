/** PNG and JPEG against files of every kind; damaged ones are refused; folders of them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as E from 'fp-ts/lib/Either.js';
import { decodeImage, imageTensor, listImageFolder, type Pixels, readImage, readImageFolder } from 'pullback/io';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import fixtures from '../fixtures/io/images.json' with { type: 'json' };
import { bytesOf, message, right } from './fixture.ts';

interface File {
  readonly bytes: string;
  readonly shape: readonly number[];
  readonly bits: number;
  /** Whether the format says what the pixels are, to the last bit. */
  readonly exact: boolean;
  /** Samples, of 16 bits with the lower byte first. */
  readonly pixels: string;
}
const files = fixtures.files as Readonly<Record<string, File>>;
const samplesOf = ({ bits, pixels }: File): number[] => {
  const bytes = bytesOf(pixels);
  if (bits === 8) return Array.from(bytes);
  return Array.from({ length: bytes.length / 2 }, (_, i) => bytes[2 * i]! + 256 * bytes[2 * i + 1]!);
};
const shapeOf = ({ height, width, channels }: Pixels) => [height, width, channels];

describe('whole files', () => {
  test.each(Object.entries(files).filter(([, file]) => file.exact))('PNG: %s', async (_, file) => {
    const pixels = right(await decodeImage(bytesOf(file.bytes), 'a.png'));
    expect(shapeOf(pixels)).toEqual(file.shape);
    expect(pixels.data).toBeInstanceOf(file.bits === 8 ? Uint8Array : Uint16Array);
    expect(Array.from(pixels.data)).toEqual(samplesOf(file));
  });

  test.each(Object.entries(files).filter(([, file]) => !file.exact))('%s', async (name, file) => {
    const pixels = right(await decodeImage(bytesOf(file.bytes), 'a.jpg'));
    expect(shapeOf(pixels)).toEqual(file.shape);
    const expected = samplesOf(file);
    const differences = Array.from(pixels.data, (sample, i) => Math.abs(sample - expected[i]!));
    // Decoders may differ by a unit or two in the transform; repeated chroma differs from smoothed.
    const [most, mean] = name.includes('fewer') ? [30, 4] : [3, 0.7];
    expect(Math.max(...differences)).toBeLessThanOrEqual(most);
    expect(differences.reduce((a, b) => a + b) / differences.length).toBeLessThan(mean);
  });

  test('as many channels as are wanted', async () => {
    const rgba = samplesOf(files['RGBA, 8 bits']!);
    const as = async (channels: 1 | 2 | 3 | 4, name = 'RGBA, 8 bits') => {
      const pixels = right(await decodeImage(bytesOf(files[name]!.bytes), 'a.png', { channels }));
      expect(pixels.channels).toBe(channels);
      return Array.from(pixels.data);
    };
    const [r, g, b, a] = rgba;
    const grey = Math.round(0.299 * r! + 0.587 * g! + 0.114 * b!);
    expect((await as(1))[0]).toBe(grey);
    expect((await as(2)).slice(0, 2)).toEqual([grey, a]);
    expect((await as(3)).slice(0, 3)).toEqual([r, g, b]);
    expect(await as(4)).toEqual(rgba);
    const [v] = samplesOf(files['grey, 16 bits']!);
    expect((await as(4, 'grey, 16 bits')).slice(0, 4)).toEqual([v, v, v, 65535]);
    const [w, t] = samplesOf(files['grey and alpha, 8 bits']!);
    expect((await as(4, 'grey and alpha, 8 bits')).slice(0, 4)).toEqual([w, w, w, t]);
    expect((await as(1, 'grey and alpha, 8 bits'))[0]).toBe(w);
  });

  test('tensors are from 0 to 1', async () => {
    const pixels = right(await decodeImage(bytesOf(files['RGB, 16 bits']!.bytes), 'a.png'));
    const x = imageTensor(pixels);
    expect(x.shape).toEqual([6, 5, 3]);
    expect(Array.from(x.dataSync())).toEqual(Array.from(pixels.data, (sample) => Math.fround(sample / 65535)));
  });
});

describe('what is not whole', () => {
  const judged = async (bytes: Uint8Array, what: string): Promise<boolean> => {
    const began = performance.now();
    const result = await decodeImage(bytes, 'damaged');
    expect(performance.now() - began, what).toBeLessThan(2000);
    if (E.isRight(result)) return true;
    expect(message(result), what).toMatch(/^damaged: (corrupt|truncated): /);
    return false;
  };
  const names = [
    'RGB, 8 bits',
    'RGBA, 16 bits, interlaced',
    'palette with alpha',
    'JPEG, baseline',
    'JPEG, progressive',
  ];

  test.each(names)('%s, cut at every byte', async (name) => {
    const whole = bytesOf(files[name]!.bytes);
    for (let length = 0; length < whole.length; length++) {
      expect(await judged(whole.subarray(0, length), `${length} bytes`), `${length} bytes`).toBe(false);
    }
  });

  test.each(names)('%s, bits flipped', async (name) => {
    const whole = bytesOf(files[name]!.bytes);
    let unnoticed = 0;
    for (let at = 0; at < whole.length; at += name.startsWith('JPEG') ? 3 : 1) {
      const bytes = whole.slice();
      bytes[at]! ^= 1 << (at % 8);
      if (await judged(bytes, `byte ${at}`)) unnoticed++;
    }
    // PNG has checksums, and only its text is not looked at; JPEG has none, and says what any bits say.
    if (!name.startsWith('JPEG')) expect(unnoticed).toBeLessThan(40);
  });

  test.each(['RGB, 8 bits', 'JPEG, baseline'])('%s, bytes overwritten', async (name) => {
    const whole = bytesOf(files[name]!.bytes);
    for (let at = 0; at < whole.length; at += 3) {
      const bytes = whole.slice();
      bytes.fill(255, at, at + 4);
      await judged(bytes, `bytes from ${at}`);
    }
  });

  const crc = (bytes: Uint8Array): number => {
    let c = 0xffffffff;
    for (const byte of bytes) {
      c ^= byte;
      for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1;
    }
    return (c ^ 0xffffffff) >>> 0;
  };
  /** A PNG that says it is as large. */
  const saying = (width: number, height: number): Uint8Array => {
    const bytes = bytesOf(files['RGB, 8 bits']!.bytes);
    const view = new DataView(bytes.buffer);
    view.setUint32(16, width);
    view.setUint32(20, height);
    view.setUint32(29, crc(bytes.subarray(12, 29)));
    return bytes;
  };

  test('sizes that are declared take no memory', async () => {
    const jpeg = bytesOf(files['JPEG, baseline']!.bytes);
    const frame = jpeg.findIndex((byte, i) => byte === 0xff && jpeg[i + 1] === 0xc0);
    new DataView(jpeg.buffer).setUint32(frame + 5, 0xffffffff);
    globalThis.gc?.();
    const before = process.memoryUsage().arrayBuffers;
    expect(message(await decodeImage(jpeg, 'a.jpg'))).toBe(
      'a.jpg: corrupt: 65535 × 65535 pixels are more than the 67108864 that maxPixels allows.',
    );
    expect(message(await decodeImage(jpeg, 'a.jpg', { maxPixels: 2 ** 40 }))).toMatch(
      /^a\.jpg: corrupt: 65535 × 65535 pixels are 67108864 blocks, more than \d+ bytes have bits\.$/,
    );
    expect(message(await decodeImage(saying(2 ** 31 - 1, 2 ** 31 - 1), 'a.png'))).toContain('more than the 67108864');
    expect(message(await decodeImage(saying(8000, 8000), 'a.png'))).toMatch(
      /^a\.png: corrupt: its data are \d+ bytes when decompressed, and 8000 × 8000 pixels take 192008000\.$/,
    );
    expect(message(await decodeImage(saying(5, 5), 'a.png'))).toMatch(/its data are \d+ bytes when decompressed/);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 24);
  });

  test('data that inflate without end are dropped', async () => {
    const { deflateSync } = await import('node:zlib');
    const bomb = deflateSync(new Uint8Array(2 ** 26));
    const part = (type: string, data: Uint8Array): Uint8Array => {
      const body = Buffer.concat([Buffer.from(type), data]);
      const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
      length.writeUInt32BE(data.length);
      sum.writeUInt32BE(crc(body));
      return Buffer.concat([length, body, sum]);
    };
    const header = saying(5, 6).subarray(16, 29);
    const profile = Buffer.concat([Buffer.from('p\0\0'), bomb]);
    const file = (...parts: Uint8Array[]): Uint8Array =>
      new Uint8Array(Buffer.concat([saying(5, 6).subarray(0, 8), ...parts, part('IEND', new Uint8Array(0))]));
    const before = process.memoryUsage().rss;
    const raw = deflateSync(new Uint8Array(6 * 16));
    expect(message(await decodeImage(file(part('IHDR', header), part('IDAT', bomb)), 'a.png'))).toMatch(
      /^a\.png: corrupt: its data are \d+ bytes when decompressed, and 5 × 6 pixels take 96\.$/,
    );
    const ignored = await decodeImage(file(part('IHDR', header), part('iCCP', profile), part('IDAT', raw)), 'a.png');
    expect(shapeOf(right(ignored))).toEqual([6, 5, 3]);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 26);
  });

  test.each<readonly [string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'x: corrupt: neither a PNG nor a JPEG file: it begins with nothing.'],
    [
      'GIF',
      Uint8Array.from(Buffer.from('GIF89a')),
      'x: corrupt: neither a PNG nor a JPEG file: it begins with 47 49 46 38 39 61.',
    ],
    [
      'CMYK',
      bytesOf(fixtures.cmyk),
      'x: corrupt: it has 4 components: only grey and colour images are decoded, not CMYK.',
    ],
    [
      'arithmetic',
      Uint8Array.of(255, 216, 255, 201, 0, 2),
      'x: corrupt: it is arithmetically coded, and only baseline and progressive JPEG are decoded.',
    ],
    ['no frame', Uint8Array.of(255, 216, 255, 217), 'x: corrupt: it ends without an image.'],
  ])('%s', async (_, bytes, said) => {
    expect(message(await decodeImage(bytes, 'x'))).toBe(said);
  });

  test('options', () => {
    expect(() => readImage('a', { channels: 5 } as never)).toThrow(
      'io.readImage: channels is 5\n  remedy: use 1, 2, 3 or 4',
    );
    expect(() => readImageFolder('a', { maxPixels: 0 })).toThrow('io.readImageFolder: maxPixels is 0');
    expect(() => decodeImage(new Uint8Array(0), 'a', { size: 3 } as never)).toThrow(
      "io.decodeImage: there is no option 'size'",
    );
  });
});

describe('folders', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'images-'));
    for (const name of ['dog', 'cat', 'empty', '.git']) await mkdir(join(folder, name));
    const write = (path: string, name: string) => writeFile(join(folder, path), bytesOf(files[name]!.bytes));
    await write('dog/b.PNG', 'RGB, 8 bits');
    await write('dog/a.jpeg', 'JPEG, grey');
    await write('cat/z.jpg', 'JPEG, baseline');
    await write('cat/.hidden.png', 'one pixel');
    await write('beside.png', 'one pixel');
    await writeFile(join(folder, 'cat/notes.txt'), 'x');
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('classes are the sub-folders, sorted', async () => {
    expect(right(await listImageFolder(folder)())).toEqual({
      classes: ['cat', 'dog', 'empty'],
      images: [
        { path: `${folder}/cat/z.jpg`, label: 0 },
        { path: `${folder}/dog/a.jpeg`, label: 1 },
        { path: `${folder}/dog/b.PNG`, label: 1 },
      ],
    });
  });

  test('all images, decoded alike', async () => {
    const { images } = right(await readImageFolder(folder, { channels: 3 })());
    expect(images.map(({ label, pixels }) => [label, ...shapeOf(pixels)])).toEqual([
      [0, 17, 21, 3],
      [1, 17, 21, 3],
      [1, 6, 5, 3],
    ]);
  });

  test('what is wrong is named by its path', async () => {
    await writeFile(join(folder, 'dog/broken.png'), bytesOf(files['RGB, 8 bits']!.bytes).subarray(0, 60));
    expect(message(await readImageFolder(folder)())).toMatch(new RegExp(`^${folder}/dog/broken\\.png: truncated: `));
    expect(message(await listImageFolder(`${folder}/none`)())).toBe(
      `${folder}/none: cannot be read: no such file or folder`,
    );
    expect(message(await listImageFolder(`${folder}/cat`)())).toBe(
      `${folder}/cat: cannot be read: no sub-folder of it holds a .png, .jpg or .jpeg file`,
    );
    expect(message(await readImage(`${folder}/dog/none.png`)())).toBe(
      `${folder}/dog/none.png: cannot be read: no such file or folder`,
    );
  });
});
