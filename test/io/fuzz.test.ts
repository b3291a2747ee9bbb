/**
 * Damaged files of every format: cut at every byte, every bit flipped, headers overwritten with what attackers write.
 *
 * Whatever the bytes are, a decoder ends soon, throws nothing, keeps what it allocates in proportion to them, and if it refuses
 * says which file it is about. Where the format can notice every damage, it must.
 */
import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { pipe } from 'fp-ts/lib/function.js';
import * as t from 'io-ts';
import { describe, expect, test } from 'vitest';
import { grad, jit, makeJaxpr, np, type Tensor } from '../../src/index.ts';
import { csvNumber, decodeCsv } from '../../src/io/csv.ts';
import { type DecodeErrors, decodeErrors, showFailure } from '../../src/io/failure.ts';
import { decodeIdx } from '../../src/io/idx.ts';
import { encodeJaxpr } from '../../src/io/jaxpr.ts';
import { decodeClosedJaxpr } from '../../src/io/jaxpr-decode.ts';
import { decodeJson, textOf } from '../../src/io/json.ts';
import { decodeJsonLines } from '../../src/io/jsonl.ts';
import { decodeNpy } from '../../src/io/npy.ts';
import { decodeSafetensors } from '../../src/io/safetensors.ts';
import { decodeText } from '../../src/io/text.ts';
import { primitives } from '../../transforms/registry.ts';
import fixtures from '../fixtures/io/formats.json' with { type: 'json' };

const source = 'damaged.file';
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, 'base64'));
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

interface Format {
  readonly whole: Uint8Array;
  readonly decode: (bytes: Uint8Array) => E.Either<DecodeErrors, unknown>;
  /** Is every proper beginning of the file refused? */
  readonly noticesCuts: boolean;
  /** The bytes from here on are elements, in which any bit may be flipped; before, most flips must be noticed. */
  readonly elements: number;
}

const constant = np.array([1.5, Number.NaN]);
const closed = makeJaxpr(jit(grad((x: Tensor) => np.sum(np.sin(np.mul(x, constant))))))(np.zeros([2]));
const program = utf8(JSON.stringify(encodeJaxpr(closed)));
const npy = bytesOf(fixtures.npy['float32, Fortran order'].bytes);
const safetensors = bytesOf(fixtures.safetensors.bytes);

const formats: Readonly<Record<string, Format>> = {
  IDX: {
    whole: Uint8Array.of(0, 0, 11, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 1, 255, 254, 1, 44, 254, 112, 0, 5, 127, 255),
    decode: (bytes) => decodeIdx(bytes, source),
    noticesCuts: true,
    elements: 12,
  },
  NPY: { whole: npy, decode: (bytes) => decodeNpy(bytes, source), noticesCuts: true, elements: 128 },
  safetensors: {
    whole: safetensors,
    decode: (bytes) => decodeSafetensors(bytes, source),
    noticesCuts: true,
    elements: 8 + new DataView(safetensors.buffer, safetensors.byteOffset).getUint32(0, true),
  },
  CSV: {
    whole: utf8('name,x\r\n"a ""quoted"", one",1.5\r\nplain,-2e3\n"b\nc",NaN'),
    decode: (bytes) =>
      pipe(
        textOf(bytes),
        E.mapLeft((error) => decodeErrors(source, error)),
        E.flatMap((text) => decodeCsv({ name: t.string, x: csvNumber })(text, source)),
      ),
    // The beginning of a table may be a table.
    noticesCuts: false,
    elements: 0,
  },
  'JSON Lines': {
    whole: utf8('{"name":"é","x":[1,2.5]}\r\n{"name":"🙂\\n","x":[]}\n'),
    decode: (bytes) =>
      pipe(
        decodeText(bytes, source),
        E.flatMap((text) => decodeJsonLines(t.type({ name: t.string, x: t.array(t.number) }))(text, source)),
      ),
    // The beginning of a file of lines may be one.
    noticesCuts: false,
    elements: 0,
  },
  'a jaxpr as JSON': {
    whole: program,
    decode: (bytes) =>
      pipe(
        decodeJson(bytes, source),
        E.flatMap((json) => decodeClosedJaxpr(primitives)(json, source)),
      ),
    noticesCuts: true,
    elements: 0,
  },
};

/** Decoding it is an error that names the source, or a value; it takes no time to speak of. */
function judge({ decode }: Format, bytes: Uint8Array, what: string): boolean {
  const began = performance.now();
  const result = decode(bytes);
  const took = performance.now() - began;
  expect(took, `${what} took ${took} ms`).toBeLessThan(2000);
  if (E.isRight(result)) return true;
  expect(result.left._tag).toBe('DecodeErrors');
  const said = showFailure(result.left);
  expect(said, what).toMatch(/^damaged\.file(:\d+)?: /);
  expect(said.length, what).toBeLessThan(10_000);
  return false;
}

describe.each(Object.entries(formats))('%s', (_name, format) => {
  const { whole } = format;

  test('the file itself is right', () => {
    expect(judge(format, whole, 'the whole')).toBe(true);
  });

  test('cut at every byte', () => {
    for (let length = 0; length < whole.length; length++) {
      const accepted = judge(format, whole.subarray(0, length), `${length} bytes`);
      if (format.noticesCuts) expect(accepted, `${length} bytes`).toBe(false);
    }
  });

  test('every bit flipped', () => {
    let unnoticed = 0;
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const bytes = whole.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      if (judge(format, bytes, `bit ${bit}`) && bit < format.elements * 8) unnoticed++;
    }
    // In a header only blanks, free names and free text may change unnoticed.
    expect(unnoticed).toBeLessThanOrEqual(format.elements * 8 * 0.35);
  });

  test('bytes overwritten, dropped, doubled', () => {
    const spot = fc.nat({ max: whole.length - 1 });
    const odd = fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc.constantFrom(
        ...[
          '9'.repeat(30),
          '-1',
          '1e999',
          'null',
          '"',
          '\\',
          '{',
          '}',
          '[',
          ']',
          '(',
          ')',
          ',',
          '\0',
          '𝒳',
          '__proto__',
        ].map(utf8),
        new Uint8Array(8).fill(255),
        Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128),
      ),
    );
    fc.assert(
      fc.property(spot, fc.nat({ max: 16 }), odd, (at, dropped, inserted) => {
        const bytes = Uint8Array.from([...whole.subarray(0, at), ...inserted, ...whole.subarray(at + dropped)]);
        judge(format, bytes, `${inserted} at ${at} for ${dropped}`);
      }),
      { numRuns: 1500 },
    );
  });

  test('any bytes at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: 16 }), (bytes, kept) => {
        judge(format, bytes, 'bytes');
        judge(format, Uint8Array.from([...whole.subarray(0, kept), ...bytes]), 'bytes after the magic');
      }),
      { numRuns: 500 },
    );
  });
});

describe('headers that promise more than there is', () => {
  const allocated = (f: () => void): number => {
    globalThis.gc?.();
    const before = process.memoryUsage().arrayBuffers;
    f();
    return process.memoryUsage().arrayBuffers - before;
  };

  const withHeader = (text: string): Uint8Array => {
    const bytes = new Uint8Array(8 + text.length + 16);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(utf8(text), 8);
    return bytes;
  };
  const npyHeader = (text: string): Uint8Array =>
    Uint8Array.from([...npy.subarray(0, 8), text.length & 255, text.length >> 8, ...utf8(text), ...Array(16).fill(0)]);
  const promises: readonly (readonly [string, Uint8Array])[] = [
    ['IDX', Uint8Array.of(0, 0, 8, 1, 63, 255, 255, 240, 1)],
    ['IDX', Uint8Array.of(0, 0, 14, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255)],
    ['NPY', npyHeader("{'descr': '<f8', 'fortran_order': True, 'shape': (100000000,)}")],
    ['NPY', npyHeader(`{'descr': '<f8', 'fortran_order': True, 'shape': (${'99999,'.repeat(60)})}`)],
    ['NPY', Uint8Array.from([...npy.subarray(0, 6), 2, 0, 255, 255, 255, 255])],
    ['NPY', npyHeader(`{'descr': ${'['.repeat(9000)}`)],
    ['safetensors', withHeader('{"x":{"dtype":"F64","shape":[100000000],"data_offsets":[0,800000000]}}')],
    ['safetensors', withHeader('{"x":{"dtype":"F64","shape":[2],"data_offsets":[9007199254740975,9007199254740991]}}')],
    ['safetensors', withHeader('{"x":{"dtype":"F64","shape":[1e308,1e308],"data_offsets":[0,16]}}')],
    ['safetensors', withHeader(`{"x":${'['.repeat(50_000)}`)],
    ['safetensors', withHeader(`{"x":${'['.repeat(50_000)}${']'.repeat(50_000)}}`)],
    ['safetensors', withHeader(`{"__metadata__":{"a":"${'b'.repeat(100_000)}"},"x":1}`)],
    ['CSV', utf8(`name,x\n"${'""'.repeat(100_000)}`)],
    ['CSV', utf8(`name${',x'.repeat(100_000)}`)],
    ['JSON Lines', utf8('['.repeat(100_000))],
    ['JSON Lines', utf8('[]\n'.repeat(100_000))],
    ['a jaxpr as JSON', utf8('['.repeat(100_000))],
    ['a jaxpr as JSON', utf8(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)],
    [
      'a jaxpr as JSON',
      utf8(
        JSON.stringify({
          format: 'pullback.jaxpr',
          version: 1,
          programs: [{ consts: [{ dtype: 'float64', shape: [2 ** 50], weak: false }], ins: [], eqns: [], outs: [0] }],
          constants: [{ aval: { dtype: 'float64', shape: [2 ** 50], weak: false }, elements: [0] }],
        }),
      ),
    ],
  ];

  test.each(promises)('%s %#', (name, bytes) => {
    const format = formats[name]!;
    const grown = allocated(() => expect(judge(format, bytes, 'a promise')).toBe(false));
    expect(grown).toBeLessThan(2 ** 24);
  });
});
