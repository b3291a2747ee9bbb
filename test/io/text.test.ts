/** Text and JSON Lines: where bytes are not UTF-8, and which record of which line is wrong. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import * as t from 'io-ts';
import { decodeJsonLines, decodeText, readJsonLines, readText } from 'pullback/io';
import { describe, expect, test } from 'vitest';
import { message, right } from './fixture.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('text', () => {
  test('what is UTF-8 is read, whatever it says', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), (text) => {
        expect(right(decodeText(utf8(text), 'a.txt'))).toBe(text.replace(/^\uFEFF/, ''));
      }),
    );
  });

  test('what is not is refused where the system’s decoder begins to replace', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 30 }),
        fc.uint8Array({ minLength: 1, maxLength: 6 }),
        (text, odd) => {
          const before = utf8(text);
          const bytes = Uint8Array.from([...before, ...odd]);
          const result = decodeText(bytes, 'a.txt');
          if (E.isRight(result)) return;
          const at = Number(/byte (\d+)/.exec(message(result))?.[1]);
          // All before it is text, and nothing that begins there is.
          const strict = new TextDecoder('utf-8', { fatal: true });
          expect(() => strict.decode(bytes.subarray(0, at))).not.toThrow();
          for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
            expect(() => strict.decode(bytes.subarray(at, at + length))).toThrow();
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  test.each<readonly [readonly number[], string]>([
    [[0x61, 0xff], 'a.txt:1: corrupt: byte 1 (ff) is not UTF-8.'],
    [[0x0a, 0x0a, 0xe2, 0x82], 'a.txt:3: corrupt: byte 2 (e2) is not UTF-8.'],
    [[0xc0, 0x80], 'a.txt:1: corrupt: byte 0 (c0) is not UTF-8.'],
    [[0xed, 0xa0, 0x80], 'a.txt:1: corrupt: byte 0 (ed) is not UTF-8.'],
    [[0xf4, 0x90, 0x80, 0x80], 'a.txt:1: corrupt: byte 0 (f4) is not UTF-8.'],
  ])('%j', (bytes, said) => {
    expect(message(decodeText(Uint8Array.from(bytes), 'a.txt'))).toBe(said);
  });
});

describe('JSON Lines', () => {
  const record = t.type({ name: t.string, at: t.type({ x: t.number }) });
  const decode = (text: string) => decodeJsonLines(record)(text, 'a.jsonl');

  test('any records come back', () => {
    const one = fc.record({ name: fc.string({ unit: 'binary', maxLength: 30 }), at: fc.record({ x: fc.integer() }) });
    fc.assert(
      fc.property(fc.array(one), fc.constantFrom('\n', '\r\n'), fc.boolean(), (records, end, last) => {
        const text = records.map((r) => JSON.stringify(r)).join(end) + (last && records.length > 0 ? end : '');
        expect(right(decode(text))).toEqual(records);
      }),
    );
  });

  test('every line that is wrong is named', () => {
    const text = '{"name":"a","at":{"x":1}}\n{"name":5,"at":{"x":"2"}}\n{"name":\n\n{"name":"b","at":{"x":1}}\n';
    expect(message(decode(text))).toMatch(
      new RegExp(
        [
          'a\\.jsonl:2: name: expected string, got 5',
          'a\\.jsonl:2: at\\.x: expected number, got "2"',
          'a\\.jsonl:3: corrupt: it is not JSON: .*',
          'a\\.jsonl:4: corrupt: the line is empty: a record is expected\\.',
        ].join('\n'),
      ),
    );
  });

  test('a file of nothing but mistakes is told of briefly', () => {
    expect(message(decode('1\n'.repeat(1000))).split('\n').length).toBe(20);
  });

  test('files', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'text-'));
    try {
      const path = join(folder, 'a.jsonl');
      await writeFile(path, '{"name":"é","at":{"x":1}}\n');
      expect(right(await readJsonLines(path, record)())).toEqual([{ name: 'é', at: { x: 1 } }]);
      expect(right(await readText(path)())).toBe('{"name":"é","at":{"x":1}}\n');
      await writeFile(path, Uint8Array.of(0x22, 0xe9, 0x22));
      expect(message(await readJsonLines(path, record)())).toBe(`${path}:1: corrupt: byte 1 (e9) is not UTF-8.`);
      expect(message(await readText(join(folder, 'none'))())).toBe(
        `${folder}/none: cannot be read: no such file or folder`,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
