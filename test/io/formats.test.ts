/** safetensors, NPY and CSV against files that the tools wrote which own the formats (`test/fixtures/io/generate.py`). */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import * as t from 'io-ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tree as hostTrees, mapHostTree } from '../../laws/arbitrary/tree.ts';
import { toTensor } from '../../laws/host.ts';
import { evalShape, grad, np, random, referenceDevice, type Tensor, tree, withDefaultDevice } from '../../src/index.ts';
import { csvInteger, csvLabel, csvNumber, decodeCsv, readCsv } from '../../src/io/csv.ts';
import { decodeWith, type Failure, showFailure } from '../../src/io/failure.ts';
import { writeBytes, writeText } from '../../src/io/file.ts';
import { decodeNpy, readNpy } from '../../src/io/npy.ts';
import { namedLeaves, paramsCodec } from '../../src/io/params.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  readParams,
  readSafetensors,
  writeParams,
} from '../../src/io/safetensors.ts';
import fixtures from '../fixtures/io/formats.json' with { type: 'json' };

interface Content {
  readonly dtype?: string;
  readonly shape?: readonly number[];
  readonly elements?: readonly (number | string)[];
}

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
const right = <A>(result: E.Either<Failure, A>): A => {
  if (E.isLeft(result)) throw new Error(showFailure(result.left));
  return result.right;
};
const message = (result: E.Either<Failure, unknown>): string =>
  E.isLeft(result) ? showFailure(result.left) : 'decoded';

/** The dtype that each of NumPy's is read as. */
const readAs: Readonly<Record<string, string>> = {
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

const expectContent = (x: Tensor | ReturnType<typeof np.zeros>, content: Content): void => {
  expect(x.dtype).toBe(readAs[content.dtype!] ?? content.dtype);
  expect(x.shape).toEqual(content.shape);
  expect(Array.from(x.dataSync())).toEqual(content.elements!.map(Number));
};

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'formats-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('NPY', () => {
  const refused: Readonly<Record<string, string>> = {
    'int64 out of range': 'corrupt: element 1 of int64 is 2147483648, which int32 cannot hold.',
    'uint64 out of range': 'corrupt: element 0 of uint64 is 4294967296, which uint32 cannot hold.',
    complex: "descr: expected one of f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8, b1 with its byte order, got '<c8'",
    text: "descr: expected one of f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8, b1 with its byte order, got '<U1'",
    record:
      'descr: expected one of f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8, b1 with its byte order, ' +
      "got [('x', '<f4'), ('y', '<i4')]",
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
    ["{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}", 'fortran_order: expected True or False, got 0'],
    [
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
      'shape: expected a tuple of non-negative integers, got (2)',
    ],
    [
      "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,)}",
      'shape: expected a tuple of non-negative integers, got (-2,)',
    ],
    ["{'descr': '|O', 'fortran_order': False, 'shape': (2,)}", 'descr: expected one of f2'],
    ["{'descr': '=f4', 'fortran_order': False, 'shape': (2,)}", 'descr: expected one of f2'],
    ["{'descr': '|f4', 'fortran_order': False, 'shape': (2,)}", 'descr: expected one of f2'],
    [
      "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999)}",
      'truncated: expected 3.99999999992e+22 bytes',
    ],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (0, 99999999999999999999)}", 'shape: expected a tuple of'],
    ["{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}", 'corrupt: it goes on after the'],
    [
      `{'descr': '<f4', 'fortran_order': False, 'shape': (${'1,'.repeat(65)})}`,
      'shape: expected at most 64 axes, got 65',
    ],
  ])('%s', (text, expected) => {
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

describe('safetensors', () => {
  const file = bytesOf(fixtures.safetensors.bytes);

  test('what the Python library writes is read, with its metadata', () => {
    const { tensors, metadata } = right(decodeSafetensors(file, 'f'));
    expect(metadata).toEqual(fixtures.safetensors.metadata);
    expect(Object.keys(tensors).sort()).toEqual(Object.keys(fixtures.safetensors.tensors).sort());
    for (const [name, content] of Object.entries(fixtures.safetensors.tensors)) {
      expectContent(tensors[name] as never, content);
    }
  });

  test('we write what the Python library writes, byte by byte', async () => {
    const { tensors, metadata } = right(decodeSafetensors(bytesOf(fixtures.written.bytes), 'f'));
    for (const [name, content] of Object.entries(fixtures.written.tensors)) {
      expectContent(tensors[name] as never, content);
    }
    expect(await encodeSafetensors({ tensors, metadata })()).toEqual(bytesOf(fixtures.written.bytes));
  });

  test('bfloat16 is the upper half of a float32', () => {
    const text = '{"x":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}';
    const bytes = Uint8Array.from([text.length, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from(text), 0x80, 0x3f, 0x49, 0xc0]);
    expect(right(decodeSafetensors(bytes, 'f')).tensors['x']!.toArray()).toEqual([1, -3.140625]);
  });

  test('every tree of tensors is read back, bit for bit', async () => {
    await fc.assert(
      fc.asyncProperty(hostTrees(), fc.dictionary(fc.string(), fc.string()), async (host, metadata) => {
        const params = mapHostTree(toTensor, host);
        const leaves = namedLeaves(params);
        const bytes = await encodeSafetensors({ tensors: leaves, metadata })();
        expect(new DataView(bytes.buffer).getUint32(0, true) % 8).toBe(0);
        const again = right(decodeSafetensors(bytes, 'f'));
        expect(again.metadata).toEqual(metadata);
        const back = right(decodeWith(paramsCodec(params), 'f')(again.tensors));
        expect(tree.structure(back).key).toBe(tree.structure(params).key);
        const bits = (x: unknown) =>
          tree.leaves(x).map((leaf) => [leaf.shape, leaf.dtype, Buffer.from(leaf.dataSync().buffer)]);
        expect(bits(back)).toEqual(bits(params));
      }),
    );
  });

  test('a device that keeps float32 in doubles writes float32', async () => {
    const exact = referenceDevice({ precision: 'float64' });
    const tensors = withDefaultDevice(exact, () => namedLeaves({ x: np.div(np.array([1, 2]), 3) }));
    const again = right(decodeSafetensors(await encodeSafetensors({ tensors, metadata: {} })(), 'f')).tensors['x']!;
    expect(again.dataSync()).toEqual(Float32Array.of(1 / 3, 2 / 3));
  });

  /** A file with this header and so many bytes of elements. */
  const withHeader = (header: unknown, rest: number): Uint8Array => {
    const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
    const bytes = new Uint8Array(8 + text.length + rest);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    return bytes;
  };
  const entry = (dtype: string, shape: readonly unknown[], ...data_offsets: readonly unknown[]) => ({
    dtype,
    shape,
    data_offsets,
  });

  test.each<readonly [string, unknown, number, string]>([
    ['no JSON', '{"x":', 0, 'corrupt: it is not JSON: '],
    ['no object', '[]', 0, 'expected UnknownRecord, got []'],
    [
      'a dtype that there is not',
      { w: entry('F8_E4M3', [1], 0, 1) },
      1,
      'w.dtype: expected one of F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL, got "F8_E4M3"',
    ],
    ['a negative length', { w: entry('F32', [-1], 0, 4) }, 4, 'w.shape[0]: expected a non-negative integer, got -1'],
    [
      'too many axes',
      { w: entry('F32', Array(65).fill(1), 0, 4) },
      4,
      'w.shape: expected a shape of at most 64 axes, got [1,1,1,1,1,1,…]',
    ],
    [
      'a shape beyond all numbers',
      { w: entry('F32', [2 ** 52, 2 ** 52], 0, 4) },
      4,
      'w.shape: expected a shape whose elements can be counted, got [4503599627370496,4503599627370496]',
    ],
    [
      'too few offsets',
      { w: entry('F32', [1], 0) },
      4,
      'w.data_offsets[1]: expected a non-negative integer, got nothing',
    ],
    [
      'offsets of another size',
      { w: entry('F32', [2], 0, 4) },
      4,
      'w.data_offsets: expected 8 bytes for F32[2], got 4',
    ],
    ['offsets backwards', { w: entry('F32', [1], 4, 0) }, 4, 'w.data_offsets: expected 4 bytes for F32[1], got -4'],
    [
      'an overlap',
      { a: entry('F32', [2], 0, 8), b: entry('F32', [1], 4, 8) },
      8,
      'corrupt: the elements of b begin at 4, before those of another tensor end (8).',
    ],
    [
      'a gap',
      { a: entry('F32', [1], 0, 4), b: entry('F32', [1], 8, 12) },
      12,
      'corrupt: the bytes 4 to 8, before the elements of b, belong to no tensor.',
    ],
    [
      'a tensor beyond the end',
      { a: entry('F32', [100], 0, 400) },
      4,
      'truncated: expected 400 bytes, got 4. Fetch the file again.',
    ],
    [
      'bytes after the end',
      { a: entry('F32', [1], 0, 4) },
      5,
      'corrupt: it goes on for 1 bytes after the last tensor.',
    ],
    [
      'a name twice',
      `{"a":${JSON.stringify(entry('F32', [0], 0, 0))}, "\\u0061" : {}}`,
      0,
      'corrupt: the header names "\\u0061" twice.',
    ],
    ['metadata that is no text', { __metadata__: { a: 1 } }, 0, '__metadata__.a: expected string, got 1'],
  ])('%s', (_, header, rest, expected) => {
    const said = message(decodeSafetensors(withHeader(header, rest), 'm.safetensors'));
    expect(said).toMatch(/^m\.safetensors: /);
    expect(said.slice('m.safetensors: '.length, 'm.safetensors: '.length + expected.length)).toBe(expected);
  });

  test('a header that claims to be long', () => {
    const claim = (length: bigint): Uint8Array => {
      const bytes = new Uint8Array(16);
      new DataView(bytes.buffer).setBigUint64(0, length, true);
      return bytes;
    };
    expect(message(decodeSafetensors(claim(2n ** 64n - 1n), 'f'))).toBe(
      'f: corrupt: not a safetensors file: its header would be 18446744073709551615 bytes long, beyond 100000000.',
    );
    expect(message(decodeSafetensors(claim(99_999_999n), 'f'))).toBe(
      'f: truncated: expected 100000007 bytes, got 16. Fetch the file again.',
    );
  });

  test('bool is 0 or 1; int64 must fit', () => {
    const bytes = withHeader({ m: entry('BOOL', [2], 0, 2) }, 2);
    bytes[bytes.length - 1] = 2;
    expect(message(decodeSafetensors(bytes, 'f'))).toBe(
      'f: corrupt: m: element 1 of bool is the byte 2, neither 0 nor 1.',
    );
    const wide = withHeader({ n: entry('I64', [1], 0, 8) }, 8);
    wide[wide.length - 1] = 1;
    expect(message(decodeSafetensors(wide, 'f'))).toBe(
      'f: corrupt: n: element 0 of int64 is 72057594037927940, which int32 cannot hold.',
    );
  });

  test('names are names, whatever they are', async () => {
    const x = np.array([1]);
    const odd = Object.fromEntries(['__proto__', 'constructor', '', '7', 'a\nb', '"'].map((name) => [name, x]));
    const again = right(decodeSafetensors(await encodeSafetensors({ tensors: odd as never, metadata: {} })(), 'f'));
    expect(Object.keys(again.tensors).sort()).toEqual(Object.keys(odd).sort());
    expect(() => encodeSafetensors({ tensors: { __metadata__: x } as never, metadata: {} })).toThrow(
      /keeps for itself/,
    );
  });
});

describe('paramsCodec', () => {
  const init = (key: Tensor<'uint32'>) => ({
    layers: [{ w: random.normal(key, [128, 10]), b: np.zeros([10]) }],
    steps: np.array(0, { dtype: 'int32' }),
    name: 'net',
  });
  const codec = paramsCodec(evalShape(init, random.key(0)));

  test('params → file → params, statics kept', async () => {
    const path = join(folder, 'deep', 'params.safetensors');
    const params = init(random.key(1));
    expect(right((await writeParams(path, params, { note: 'hello' })()) as E.Either<Failure, string>)).toBe(path);
    const again = right(await readParams(path, codec)());
    expect(again.name).toBe('net');
    expect(again.layers[0]!.w.dataSync()).toEqual(params.layers[0]!.w.dataSync());
    expect(np.add(again.steps, 1).dtype).toBe('int32');
    expect(codec.is(again)).toBe(true);
    expect(codec.is({ ...again, name: 'other' })).toBe(false);
    expect(right(await readSafetensors(path)()).metadata).toEqual({ note: 'hello' });
  });

  test('a wrong file says what is wrong, leaf by leaf', async () => {
    const path = join(folder, 'params.safetensors');
    await writeParams(path, { layers: [{ w: np.zeros([10, 128]), bias: np.zeros([10]) }], steps: np.zeros([]) })();
    expect(message(await readParams(path, codec)()).replaceAll(`${path}: `, '')).toBe(
      [
        'layers[0].b: expected float32[10], got nothing',
        'layers[0].w: expected float32[128,10], got float32[10,128]',
        'steps: expected int32[], got float32[]',
        'layers[0].bias: expected no tensor of this name, got float32[10]',
      ].join('\n'),
    );
    expect(message(decodeWith(codec, 'f')([1]))).toBe('f: expected named tensors, got [1]');
    expect(message(decodeWith(codec, 'f')({}))).toMatch(/^f: layers\[0\]\.b: expected float32\[10\], got nothing/);
  });

  test('a tracer has no elements to write', () => {
    expect(() =>
      grad((x: Tensor) => {
        namedLeaves({ x });
        return x;
      })(1),
    ).toThrow(/x is not a tensor but stands for float32\[\]: it has no elements/);
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
    for (const text of ['', ' ', '1,5', '0x10', '1e', '--1', '1_000', 'one', '١'])
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
