/** NPY and CSV against files that the tools wrote which own the formats; files are written whole. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import * as t from 'io-ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DTypeError } from '../../src/core/errors.ts';
import { type CsvOptions, csvInteger, csvLabel, csvNumber, decodeCsv, readCsv } from '../../src/io/csv.ts';
import { writeBytes, writeText } from '../../src/io/file.ts';
import { decodeNpy, readNpy } from '../../src/io/npy.ts';
import fixtures from '../fixtures/io/formats.json' with { type: 'json' };
import { bytesOf, type Content, expectContent, message, right } from './fixture.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'formats-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('NPY', () => {
  const refused: Readonly<Record<string, string>> = {
    'int64 out of range': 'corrupt: element 1 of int64 is 2147483648, which int32 cannot hold.',
    'uint64 out of range': 'corrupt: element 0 of uint64 is 4294967296, which uint32 cannot hold.',
    complex: 'descr: expected one of f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8, b1 with its byte order, got "\'<c8\'"',
    text: 'descr: expected one of f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8, b1 with its byte order, got "\'<U1\'"',
    record:
      'descr: expected one of f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8, b1 with its byte order, ' +
      "got \"[('x', '<f4'), ('y', '<i4')]\"",
  };

  test.each(Object.entries(fixtures.npy))('%s', (name, file: Content & { readonly bytes: string }) => {
    const result = decodeNpy(bytesOf(file.bytes), 'a.npy');
    if (Object.hasOwn(refused, name)) expect(message(result)).toBe(`a.npy: ${refused[name]}`);
    else expectContent(right(result) as never, file);
  });

  const header = (text: string, rest = 0): Uint8Array =>
    Uint8Array.from([
      0x93,
      ...Buffer.from('NUMPY'),
      1,
      0,
      text.length & 255,
      text.length >> 8,
      ...Buffer.from(text),
      ...Array(rest).fill(0),
    ]);

  test('other spellings of the same literal', () => {
    for (const text of [
      "{'descr':'<f4','fortran_order':False,'shape':(2,)}",
      '{ \'shape\' : ( 1 , 2L , ) , "descr" : "<f4" , \'fortran_order\' : True , } \n',
    ]) {
      expect(right(decodeNpy(header(text, 8), 'f')).size).toBe(2);
    }
  });

  test.each([
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}", 'its header is not a dictionary'],
    ["{'descr': '<f4', 'fortran_order': False}", 'its header is not a dictionary'],
    ["{'descr': '<f4', 'descr': '<f4', 'shape': (2,)}", 'its header is not a dictionary'],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (2,)", 'its header is not a dictionary'],
    ["{'descr': '<f4' 'fortran_order': False, 'shape': (2,)}", 'its header is not a dictionary'],
    ["__import__('os').system('true')", 'its header is not a dictionary'],
    ["{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", 'fortran_order: expected True or False, got "0"'],
    [
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
      'shape: expected a tuple of non-negative integers, got "(2)"',
    ],
    [
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
      'shape: expected a tuple of non-negative integers, got "(-2,)"',
    ],
    ["{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", 'descr: expected one of f2'],
    ["{'descr': '=f4', 'fortran_order': False, 'shape': (2,)}", 'descr: expected one of f2'],
    ["{'descr': '|f4', 'fortran_order': False, 'shape': (2,)}", 'descr: expected one of f2'],
    [
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2147483647, 2147483647)}",
      'truncated: expected 18446744056529682000 bytes',
    ],
    [
      "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 99999999999999)}",
      'shape[1]: expected at most 2147483647 elements along an axis, got 99999999999999',
    ],
    [
      `{'descr': '${'\n'.repeat(99)}', 'fortran_order': False, 'shape': (0,)}`,
      `with its byte order, got "'${'\\n'.repeat(59)}…"`,
    ],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (0, 99999999999999999999)}", 'shape: expected a tuple of'],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 'corrupt: it goes on after the'],
    [
      `{'descr': '<f4', 'fortran_order': False, 'shape': (${'1,'.repeat(65)})}`,
      'shape: expected at most 64 axes, got 65',
    ],
  ])('%j', (text, expected) => {
    const said = message(decodeNpy(header(text, 8), 'a.npy'));
    expect(said).toMatch(/^a\.npy: /);
    expect(said).toContain(expected);
  });

  test('messages, verbatim', async () => {
    const whole = bytesOf(fixtures.npy.float64.bytes);
    await writeFile(join(folder, 'a.npy'), whole.subarray(0, 150));
    expect(message(await readNpy(join(folder, 'a.npy'))())).toBe(
      `${folder}/a.npy: truncated: expected 192 bytes, got 150. Fetch the file again.`,
    );
    expect(message(await readNpy(join(folder, 'b.npy'))())).toBe(
      `${folder}/b.npy: cannot be read: no such file or folder`,
    );
    expect(message(decodeNpy(Uint8Array.of(0x50, 0x4b, 3, 4), 'a.npz'))).toBe(
      'a.npz: corrupt: not an NPY file: it does not begin with 93 4e 55 4d 50 59.',
    );
    const later = whole.slice();
    later[6] = 4;
    expect(message(decodeNpy(later, 'a.npy'))).toBe('a.npy: corrupt: NPY version 4.0 is not known.');
  });
});

describe('CSV', () => {
  const columns = { name: t.string, kind: csvLabel(['a', 'b']) };

  test('what Python writes is read', () => {
    const [, ...rows] = fixtures.csv.rows;
    expect(right(decodeCsv(columns)(fixtures.csv.text, 'f'))).toEqual(
      rows.map(([name, , kind]) => ({ name, kind: kind === 'a' ? 0 : 1 })),
    );
  });

  test('any table, with either line break and any separator', () => {
    const field = fc.oneof(fc.string(), fc.constantFrom('', 'a,b', '"', '""', 'x\ny', '\r\n', ';', ' "q" '));
    const table = fc
      .integer({ min: 1, max: 4 })
      .chain((width) => fc.array(fc.array(field, { minLength: width, maxLength: width }), { maxLength: 6 }));
    fc.assert(
      fc.property(
        table,
        fc.constantFrom('\n', '\r\n'),
        fc.constantFrom(',', ';', '\t'),
        fc.boolean(),
        (rows, end, separator, last) => {
          const width = rows[0]?.length ?? 1;
          const names = Array.from({ length: width }, (_, i) => `column ${i}`);
          const quoted = (text: string) => (/["\r\n,;\t]|^$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
          const lines = [names, ...rows].map((row) => row.map(quoted).join(separator));
          const text = lines.join(end) + (last ? end : '');
          const all = Object.fromEntries(names.map((name) => [name, t.string]));
          expect(right(decodeCsv(all, { separator })(text, 'f'))).toEqual(
            rows.map((row) => Object.fromEntries(row.map((value, i) => [names[i]!, value]))),
          );
        },
      ),
    );
  });

  test('numbers', () => {
    const numbers = (text: string) => message(decodeCsv({ x: csvNumber })(`x\n${text}\n`, 'f'));
    for (const text of ['1', '-1.5', '+.5', '2.', '1e-3', ' 7 ', 'NaN', '-inf', 'Infinity'])
      expect(numbers(text)).toBe('decoded');
    for (const text of ['', ' ', '1,5', '0x10', '1e', '--1', '1_000', 'one', '١', '1e999', '-1e999'])
      expect(numbers(`"${text}"`)).toMatch(/expected a number/);
    const whole = (text: string) => message(decodeCsv({ x: csvInteger })(`x\n${text}\n`, 'f'));
    expect(['12', '-3', '+0'].map(whole)).toEqual(['decoded', 'decoded', 'decoded']);
    expect(['1.0', '9007199254740993', '""'].map(whole).every((said) => said.includes('an integer'))).toBe(true);
  });

  test.each([
    ['', 'corrupt: it is empty: the first row should name the columns.'],
    ['name\nx', 'column "kind": expected one column of this name, got ["name"]'],
    ['name,kind,kind\nx,a,b', 'column "kind": expected one column of this name, got 2'],
    ['name,kind\nx,a\ny\n', 'row 3: expected 2 fields, got 1'],
    ['name,kind\nx,a\n\ny,b', 'row 3: expected 2 fields, got 1'],
    [
      'name,kind\nx,c\ny,a\nz,d',
      'row 2, column "kind": expected one of "a", "b", got "c"\nf.csv: row 4, column "kind": expected one of "a", "b", got "d"',
    ],
    ['name,kind\nx,"a', 'corrupt: row 2, field 2: a quotation mark is never closed.'],
    ['name,kind\nx,a"b', 'corrupt: row 2, field 2: a quotation mark inside an unquoted field.'],
    ['name,kind\n"x"y,a', 'corrupt: row 2, field 1: text after a closing quotation mark.'],
  ])('%j', (text, expected) => {
    expect(message(decodeCsv(columns)(text, 'f.csv'))).toBe(`f.csv: ${expected}`);
  });

  test('text: a byte order mark is dropped', () => {
    expect(right(decodeCsv(columns)('\uFEFF"name",kind\nx,a', 'f'))).toEqual([{ name: 'x', kind: 0 }]);
  });

  test('options that there are not, separators that are none', () => {
    const misspelt = { delimeter: ';' } as CsvOptions;
    expect(() => decodeCsv(columns, misspelt)).toThrow(DTypeError);
    expect(() => decodeCsv(columns, misspelt)).toThrow(
      "io.decodeCsv: there is no option 'delimeter'\n  remedy: the options are { separator }",
    );
    expect(() => readCsv('f', columns, misspelt)).toThrow("io.readCsv: there is no option 'delimeter'");
    for (const separator of ['', ';;', '😀', '"', '\n', '\r', 7 as never, null as never]) {
      expect(() => decodeCsv(columns, { separator })).toThrow(DTypeError);
    }
    expect(() => readCsv('f', columns, { separator: ';;' })).toThrow(
      'io.readCsv: ";;" cannot separate fields\n  remedy: a separator is one character, ' +
        "neither a quotation mark nor a line break, like ';'",
    );
  });

  test('a file: a byte order mark is dropped, another encoding refused; errors are told up to a number', async () => {
    const path = join(folder, 'a.csv');
    await writeText(path, '\uFEFFname,kind\r\nx,a\r\n')();
    expect(right(await readCsv(path, columns)())).toEqual([{ name: 'x', kind: 0 }]);
    await writeFile(path, Buffer.from('name,kind\nna\xefve,a', 'latin1'));
    expect(message(await readCsv(path, columns)())).toBe(`${path}: corrupt: it is not UTF-8 text.`);
    const many = `name,kind\n${'x,c\n'.repeat(1000)}`;
    expect(message(decodeCsv(columns)(many, 'f')).split('\n').length).toBe(20);
  });
});

describe('writing', () => {
  test('a file is replaced whole, and nothing else is left', async () => {
    const path = join(folder, 'new', 'file');
    const wrote = await writeBytes(path, Uint8Array.of(1, 2, 3))();
    expect(wrote).toEqual(E.right(path));
    await writeText(path, 'text ✓')();
    expect(await readFile(path, 'utf8')).toBe('text ✓');
    expect(await readdir(join(folder, 'new'))).toEqual(['file']);
  });

  test('a failure leaves what was there, and no part of the new', async () => {
    await writeText(join(folder, 'file'), 'old')();
    expect(message((await writeText(join(folder, 'file', 'below'), 'new')()) as never)).toMatch(/cannot be written/);
    await writeText(join(folder, 'taken', 'x'), 'old')();
    expect(message((await writeText(join(folder, 'taken'), 'new')()) as never)).toMatch(/taken: cannot be written/);
    expect((await readdir(folder)).sort()).toEqual(['file', 'taken']);
    expect(await readFile(join(folder, 'file'), 'utf8')).toBe('old');
  });
});
