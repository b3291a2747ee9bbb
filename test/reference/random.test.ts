import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Lower, lowerings } from '../../backends/reference/lowering.ts';
import type { DType } from '../../src/core/dtype.ts';
import { element, expectElements, host, run, run1 } from './oracle.ts';

const word = fc.integer({ min: 0, max: 4294967295 });

const encrypt = (rows: readonly (readonly number[])[]): number[][] => {
  const ins = [0, 1, 2, 3].map((i) =>
    host(
      'uint32',
      [rows.length],
      rows.map((row) => row[i]!),
    ),
  );
  const out = { shape: [rows.length], dtype: 'uint32' } as const;
  const [a, b] = run(lowerings.threefry2x32, ins, [out, out], {});
  return rows.map((_, i) => [a![i]!, b![i]!]);
};

describe('threefry2x32', () => {
  it('gives the known answers of Random123', () => {
    const all = 0xffffffff;
    expect(
      encrypt([
        [0, 0, 0, 0],
        [all, all, all, all],
        [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3],
      ]),
    ).toEqual([
      [1797259609, 2579123966],
      [481924860, 3137350631],
      [0xc4923a9c, 0x483df7a0],
    ]);
  });

  it('agrees with the definition round by round', () => {
    const mask = 0xffffffffn;
    const rotations = [13n, 15n, 26n, 6n, 17n, 29n, 16n, 24n];
    const reference = (row: readonly number[]): number[] => {
      const [k1, k2, x1, x2] = row.map(BigInt) as [bigint, bigint, bigint, bigint];
      const keys = [k1, k2, k1 ^ k2 ^ 0x1bd11bdan];
      let [x, y] = [(x1 + k1) & mask, (x2 + k2) & mask];
      for (let round = 0; round < 20; round++) {
        const by = rotations[round % 8]!;
        x = (x + y) & mask;
        y = (((y << by) | (y >> (32n - by))) & mask) ^ x;
        if (round % 4 === 3) {
          const group = (round + 1) / 4;
          x = (x + keys[group % 3]!) & mask;
          y = (y + keys[(group + 1) % 3]! + BigInt(group)) & mask;
        }
      }
      return [Number(x), Number(y)];
    };
    fc.assert(
      fc.property(fc.array(fc.tuple(word, word, word, word), { maxLength: 9 }), (rows) => {
        expect(encrypt(rows)).toEqual(rows.map(reference));
      }),
    );
  });
});

const integers = ['int32', 'uint32'] as const;

/** A primitive of two operands agrees with a function of their 32 unsigned bits. */
const agrees = (lower: Lower<unknown>, oracle: (x: bigint, y: bigint) => bigint): void => {
  for (const dtype of integers) {
    const rows = fc.array(fc.tuple(element(dtype), element(dtype)), { maxLength: 12 });
    fc.assert(
      fc.property(rows, (rows) => {
        const shape = [rows.length];
        const ins = [0, 1].map((i) =>
          host(
            dtype,
            shape,
            rows.map((row) => row[i]!),
          ),
        );
        const unsigned = (i: number, at: number) => BigInt.asUintN(32, BigInt(ins[i]!.data[at]!));
        const wrap = dtype === 'int32' ? BigInt.asIntN : BigInt.asUintN;
        expectElements(run1(lower, ins, shape, dtype, {}), shape, ([i]) =>
          Number(wrap(32, oracle(unsigned(0, i!), unsigned(1, i!)))),
        );
      }),
    );
  }
};

describe('bits', () => {
  it('logic works bit by bit', () => {
    agrees(lowerings.and, (x, y) => x & y);
    agrees(lowerings.or, (x, y) => x | y);
    agrees(lowerings.xor, (x, y) => x ^ y);
    for (const dtype of integers) {
      fc.assert(
        fc.property(element(dtype), (x) => {
          const wrap = dtype === 'int32' ? BigInt.asIntN : BigInt.asUintN;
          expect(run1(lowerings.not, [host(dtype, [], [x])], [], dtype, {})[0]).toBe(Number(wrap(32, -1n - BigInt(x))));
        }),
      );
    }
  });

  it('logic on bool', () => {
    const x = host('bool', [4], [0, 0, 1, 1]);
    const y = host('bool', [4], [0, 1, 0, 1]);
    const table = (lower: Lower<unknown>) => [...run1(lower, [x, y], [4], 'bool', {})];
    expect(table(lowerings.and)).toEqual([0, 0, 0, 1]);
    expect(table(lowerings.or)).toEqual([0, 1, 1, 1]);
    expect(table(lowerings.xor)).toEqual([0, 1, 1, 0]);
    expect([...run1(lowerings.not, [x], [4], 'bool', {})]).toEqual([1, 1, 0, 0]);
  });

  it('shifts by 32 and more shift everything out', () => {
    agrees(lowerings.shift_left, (x, y) => (y < 32n ? x << y : 0n));
    agrees(lowerings.shift_right_logical, (x, y) => (y < 32n ? x >> y : 0n));
    agrees(lowerings.shift_right_arithmetic, (x, y) => BigInt.asIntN(32, x) >> (y < 32n ? y : 31n));
  });
});

describe('counting bits', () => {
  it.each(['int32', 'uint32'] as const)('of %s: the ones, and the zeros before the first', (dtype) => {
    fc.assert(
      fc.property(element(dtype), (value) => {
        const digits = BigInt.asUintN(32, BigInt(value)).toString(2);
        const x = host(dtype, [], [value]);
        const ones = [...digits].filter((digit) => digit === '1').length;
        expect(run1(lowerings.population_count, [x], [], dtype, {})[0]).toBe(ones);
        expect(run1(lowerings.clz, [x], [], dtype, {})[0]).toBe(value === 0 ? 32 : 32 - digits.length);
      }),
    );
  });
});

describe('bitcast_convert_type', () => {
  const view = new DataView(new ArrayBuffer(4));
  const write = { float32: 'setFloat32', int32: 'setInt32', uint32: 'setUint32' } as const;
  const read = { float32: 'getFloat32', int32: 'getInt32', uint32: 'getUint32' } as const;
  const kinds = ['float32', 'int32', 'uint32'] as const;

  it('reads the same bits, those of the nearest float32 where it is stored in double', () => {
    for (const precision of ['rounded', 'float64'] as const) {
      for (const from of kinds) {
        for (const to of kinds) {
          fc.assert(
            fc.property(fc.array(element(from), { maxLength: 6 }), (values) => {
              const x = host(from, [values.length], values, precision);
              const out = run1(lowerings.bitcast_convert_type, [x], x.shape, to, {}, precision);
              expectElements(out, x.shape, ([i]) => {
                // To its own dtype it is the identity, and takes no bits.
                if (from === to) return x.data[i!]!;
                view[write[from]](0, x.data[i!]!);
                return view[read[to]](0);
              });
            }),
          );
        }
      }
    }
  });

  it('rounds first', () => {
    const x = host('float32', [2], [1 / 3, 1 + 2 ** -40], 'float64');
    const out = run1(lowerings.bitcast_convert_type, [x], [2], 'uint32', {}, 'float64');
    expect([...out]).toEqual([0x3eaaaaab, 0x3f800000]);
  });

  it('keeps the payload of a NaN', () => {
    const cast = (data: Uint32Array | Float32Array, from: DType, to: DType) =>
      run1(lowerings.bitcast_convert_type, [{ shape: [1], dtype: from, data }], [1], to, {});
    const nan = cast(new Uint32Array([0xffc12345]), 'uint32', 'float32') as Float32Array;
    expect([...cast(nan, 'float32', 'uint32')]).toEqual([0xffc12345]);
  });
});
