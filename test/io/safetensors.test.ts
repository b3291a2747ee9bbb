/** safetensors and codecs of parameters: files of the Python library, trees of all kinds, and what every wrong file says. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import type * as E from 'fp-ts/lib/Either.js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { tree as hostTrees, mapHostTree } from '../../laws/arbitrary/tree.ts';
import { toTensor } from '../../laws/host.ts';
import { evalShape, grad, np, random, referenceDevice, type Tensor, tree, withDefaultDevice } from '../../src/index.ts';
import { decodeWith, type Failure } from '../../src/io/failure.ts';
import { namedLeaves, paramsCodec } from '../../src/io/params.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  readParams,
  readSafetensors,
  writeParams,
} from '../../src/io/safetensors.ts';
import fixtures from '../fixtures/io/formats.json' with { type: 'json' };
import { bytesOf, expectContent, message, right } from './fixture.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'formats-'));
});
afterEach(() => rm(folder, { recursive: true }));

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
    ['no object', '[]', 0, 'corrupt: its header does not begin with {.'],
    ['no header', '', 1, 'corrupt: its header does not begin with {.'],
    ['a byte order mark before the header', '\uFEFF{}', 0, 'corrupt: its header does not begin with {.'],
    ['a blank before the header', ' {}', 0, 'corrupt: its header does not begin with {.'],
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
      'too many offsets',
      { w: entry('F32', [1], 0, 4, 9) },
      4,
      'w.data_offsets: expected exactly two integers, got [0,4,9]',
    ],
    [
      'a key that there is not',
      { w: { ...entry('F32', [1], 0, 4), strides: [1] } },
      4,
      'w.strides: expected no key of this name, got [1]',
    ],
    [
      'a key twice',
      '{"v":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"w":{"dtype":"F32","shape":[1],"dtype":"I32","data_offsets":[0,4]}}',
      4,
      'w.dtype: expected one value of this key, got another',
    ],
    [
      'a key of the metadata twice',
      '{"__metadata__":{"a":"1","\\u0061":"2"}}',
      0,
      '__metadata__.a: expected one value of this key, got another',
    ],
    [
      'an empty tensor with an absurd axis',
      { w: entry('F32', [99999999999999, 0], 0, 0) },
      0,
      'w.shape[0]: expected at most 2147483647 elements along an axis, got 99999999999999',
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
    const absurd = np.zeros([2 ** 31, 0]);
    expect(() => encodeSafetensors({ tensors: { w: absurd } as never, metadata: {} })).toThrow(
      'io.encodeSafetensors: w.shape[0] is 2147483648, and a file holds at most 2147483647 elements along an axis',
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

  test('hostile names neither break the line of an error nor write to the terminal', () => {
    const name = 'w\n\u001b[31m\u202ex\u2028\ud800';
    const header = new TextEncoder().encode(
      JSON.stringify({ [name]: { dtype: 'F32', shape: [2], data_offsets: [0, 4] } }),
    );
    const bytes = new Uint8Array(8 + header.length + 4);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
    bytes.set(header, 8);
    expect(message(decodeSafetensors(bytes, 'f'))).toBe(
      'f: w\\u000a\\u001b[31m\\u202ex\\u2028\\ud800.data_offsets: expected 8 bytes for F32[2], got 4',
    );
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
