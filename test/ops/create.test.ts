/** Creation: what dtype and shape data gets, that it is copied, and what is refused. */

import fc from 'fast-check';
import { jit, makeJaxpr, type NestedArray, np, type Tensor } from 'pullback';
import { describe, expect, it } from 'vitest';
import { arrays, dense, shapes } from './oracle.ts';

describe('np.array', () => {
  it('inverts toArray, for every shape that nested arrays can say', () => {
    fc.assert(
      fc.property(arrays(shapes()), (x) => {
        const nest = (shape: readonly number[], data: readonly number[]): NestedArray =>
          shape.length === 0
            ? data[0]!
            : Array.from({ length: shape[0]! }, (_, i) => {
                const step = data.length / shape[0]!;
                return nest(shape.slice(1), data.slice(i * step, (i + 1) * step));
              });
        const nested = nest(x.shape, x.data);
        const made = np.array(nested) as Tensor;
        expect(made.toArray()).toEqual(nested);
        const empty = x.shape.indexOf(0);
        expect(made.shape).toEqual(empty < 0 ? x.shape : x.shape.slice(0, empty + 1));
      }),
    );
  });

  it('numbers are float32, booleans bool, a mixture float32', () => {
    expect(np.array([1, 2]).dtype).toBe('float32');
    expect(np.array([[true], [false]]).toArray()).toEqual([[true], [false]]);
    expect(np.array([2, true]).toArray()).toEqual([2, 1]);
    expect(np.array(true).item()).toBe(true);
    expect([np.array([]).dtype, np.array([[], []]).shape]).toEqual(['float32', [2, 0]]);
  });

  it('typed arrays keep their dtype, and are converted to the one asked for', () => {
    expect(np.array(Float64Array.of(0.1)).item()).toBe(0.1);
    expect(np.array(Uint32Array.of(4294967295)).item()).toBe(4294967295);
    expect(np.array(Float32Array.of(1.5, -1.5, Number.NaN), { dtype: 'int32' }).toArray()).toEqual([1, -1, 0]);
    expect(np.array(Uint8Array.of(0, 2, 255), { dtype: 'float32' }).toArray()).toEqual([0, 2, 255]);
    expect(np.array(Uint8Array.of(0, 2), { dtype: 'bool' }).toArray()).toEqual([false, true]);
    expect(np.array(Int8Array.of(-1), { dtype: 'int32' }).item()).toBe(-1);
    expect(() => np.array(Int8Array.of(-1), { dtype: 'uint32' })).toThrow(
      'the number -1 is out of the range of uint32',
    );
  });

  it('copies: what happens to the array afterwards is not seen', () => {
    const host = Float32Array.of(1, 2);
    const kept = np.array(host);
    const converted = np.array(host, { dtype: 'int32' });
    host[0] = 9;
    expect([kept.toArray(), converted.toArray()]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    const part = np.array(new Float32Array(new SharedArrayBuffer(8)));
    expect((part.dataSync().buffer as unknown) instanceof SharedArrayBuffer).toBe(false);
  });

  it('a tensor is itself, or cast', () => {
    const x = np.array([1.5]);
    expect(np.array(x)).toBe(x);
    expect(np.array(x, { dtype: 'int32' }).toArray()).toEqual([1]);
    const traced = jit((v: Tensor) => np.array(v, { dtype: 'int32' }));
    expect(traced(x).toArray()).toEqual([1]);
  });

  it('names the place of what does not fit', () => {
    const bad = (data: unknown, options?: unknown) => () => np.array(data as number[], options as { dtype: 'float32' });
    expect(bad([[1, 2], [3]])).toThrow('np.array: ragged: [1] has length 1 where [0] has length 2');
    expect(bad([[1], 2])).toThrow('np.array: ragged: [1] is 2 where [0] has length 1');
    expect(bad([1, [2]])).toThrow('np.array: ragged: [1] is an array where [0] is an element');
    expect(
      bad([
        [[1], [2]],
        [[3], [4, 5]],
      ]),
    ).toThrow('ragged: [1][1] has length 2 where [0][0] has length 1');
    expect(bad([[1, null]])).toThrow('np.array: [0][1] is null, neither a number nor a boolean');
    expect(bad('text')).toThrow('np.array: the data is "text", neither a number nor a boolean');
    expect(bad([np.array(1)])).toThrow('[0] is the tensor float32[], neither a number nor a boolean');
    expect(bad([np.array(1)])).toThrow('put tensors together with np.stack');
    expect(bad(Uint8Array.of(1))).toThrow('np.array: a Uint8Array has no dtype of its own here');
    expect(bad(BigInt64Array.of(1n), { dtype: 'int32' })).toThrow('convert it to an Int32Array');
    expect(bad([1, 2.5], { dtype: 'int32' })).toThrow('the number 2.5 is not an integer');
  });
});

describe('constants', () => {
  it('have the shape, value and dtype asked for', () => {
    for (const dtype of ['bool', 'uint32', 'int32', 'float32', 'float64'] as const) {
      const one = dtype === 'bool' ? true : 1;
      expect(np.ones([2, 0], { dtype }).shape).toEqual([2, 0]);
      expect([np.ones(2, { dtype }).toArray(), np.ones(2, { dtype }).dtype]).toEqual([[one, one], dtype]);
      expect(np.zeros([], { dtype }).item()).toBe(dtype === 'bool' ? false : 0);
    }
    expect([np.zeros(3).dtype, np.full([1], true).dtype, np.full([1], 1).dtype]).toEqual([
      'float32',
      'bool',
      'float32',
    ]);
    expect(np.full([2, 2], np.array([1, 2], { dtype: 'int32' })).toArray()).toEqual([
      [1, 2],
      [1, 2],
    ]);
    expect(np.full([2], 3, { dtype: 'bool' }).toArray()).toEqual([true, true]);
    expect(() => np.full([2], np.zeros([3]))).toThrow('np.full: float32[3] does not broadcast to [2]');
    expect(() => np.zeros([2, -1])).toThrow('np.zeros: [2,-1] is not a shape');
  });

  it('like another', () => {
    const x = np.array([1, 2], { dtype: 'int32' });
    expect([np.zerosLike(x).toArray(), np.zerosLike(x).dtype]).toEqual([[0, 0], 'int32']);
    expect([np.onesLike(x, { dtype: 'float64' }).toArray(), np.onesLike(x, { dtype: 'float64' }).dtype]).toEqual([
      [1, 1],
      'float64',
    ]);
    expect(np.fullLike(x, 7).toArray()).toEqual([7, 7]);
    expect(() => np.fullLike(x, 0.5)).toThrow('np.fullLike: the number 0.5 is not an integer');
    expect(np.zerosLike(3).item()).toBe(0);
  });

  it('are no constants of a program, however big', () => {
    const program = makeJaxpr(() => [np.zeros([1000]), np.arange(1000), np.eye(100)])();
    expect(program.consts).toEqual([]);
  });
});

describe('arange and linspace', () => {
  it('counts as a loop does', () => {
    const bound = fc.integer({ min: -20, max: 20 });
    fc.assert(
      fc.property(
        bound,
        bound,
        bound.filter((s) => s !== 0),
        fc.boolean(),
        (start, stop, step, half) => {
          const scale = half ? 0.5 : 1;
          const expected: number[] = [];
          for (let i = 0; step > 0 ? start + i * step < stop : start + i * step > stop; i++) {
            expected.push((start + i * step) * scale);
          }
          const made = np.arange(start * scale, stop * scale, step * scale);
          expect([...made.dataSync()].map((v) => v + 0)).toEqual(expected.map((v) => v + 0));
          if (!half) expect(made.dtype).toBe('int32');
        },
      ),
    );
  });

  it('reaches the ends of its dtype', () => {
    expect(np.arange(-2147483648, 2147483647, 2147483647).toArray()).toEqual([-2147483648, -1, 2147483646]);
    expect(np.arange(-2147483648, 2147483648, 4294967295).toArray()).toEqual([-2147483648, 2147483647]);
    expect(np.arange(4294967295, -1, -2147483648, { dtype: 'uint32' }).toArray()).toEqual([4294967295, 2147483647]);
    expect(np.arange(3, { dtype: 'float64' })).toMatchObject({ dtype: 'float64', shape: [3] });
    expect(() => np.arange(0, 3e9, 1e9)).not.toThrow();
    expect(() => np.arange(0, 4e9, 1e9)).toThrow('np.arange: the number 3000000000 is out of the range of int32');
    expect(() => np.arange(0, 1, 0)).toThrow('np.arange: there is no range from 0 to 1 by 0');
    expect(() => np.arange(0, Number.POSITIVE_INFINITY)).toThrow('there is no range from 0 to Infinity by 1');
    expect(() => np.arange(0, 1, 0.5, { dtype: 'int32' })).toThrow('the number 0.5 is not an integer');
  });

  it('linspace includes its ends exactly, unless told not to', () => {
    expect(np.linspace(0, 0.3, 4, { dtype: 'float64' }).toArray()).toEqual([
      0, 0.09999999999999999, 0.19999999999999998, 0.3,
    ]);
    expect(np.linspace(0, 1, 4, { endpoint: false }).toArray()).toEqual([0, 0.25, 0.5, 0.75]);
    expect([np.linspace(2, 3, 1).toArray(), np.linspace(2, 3, 0).toArray(), np.linspace(0, 1).size]).toEqual([
      [2],
      [],
      50,
    ]);
    expect(() => np.linspace(0, 1, 1.5)).toThrow('np.linspace: [1.5] is not a shape');
  });

  it('eye', () => {
    expect(np.eye(2, 3, { k: 1, dtype: 'int32' }).toArray()).toEqual([
      [0, 1, 0],
      [0, 0, 1],
    ]);
    expect(np.eye(3, 2, { k: -1, dtype: 'bool' }).toArray()).toEqual([
      [false, false],
      [true, false],
      [false, true],
    ]);
    expect(dense(np.eye(0)).shape).toEqual([0, 0]);
  });
});
