/** What JavaScript and configuration files pass where TypeScript would have refused it: a typed error that says what was meant. */

import { DTypeError, lax, np, ShapeError, type Tensor, tree } from 'pullback';
import { describe, expect, it } from 'vitest';

const x = np.ones([2, 3]);

/** `np` and `lax` as untyped code sees them. */
type Untyped = Readonly<Record<string, (...args: readonly unknown[]) => Tensor>>;
const js = np as unknown as Untyped;
const jsLax = lax as unknown as Untyped;

type Row = readonly [call: string, f: () => unknown, error: typeof ShapeError | typeof DTypeError, text: string];

const cyclic: unknown[] = [];
cyclic.push(cyclic);

const rows: readonly Row[] = [
  [
    'zeros dtype',
    () => js.zeros!([2], { dtype: 'float16' }),
    DTypeError,
    `np.zeros: "float16" is not a dtype here\n  remedy: use one of 'bool', 'uint32', 'int32', 'float32', 'float64'\n`,
  ],
  ['zerosLike dtype', () => js.onesLike!(x, { dtype: 'f32' }), DTypeError, 'np.onesLike: "f32" is not a dtype here'],
  ['full dtype', () => js.full!([2], 1, { dtype: 'int64' }), DTypeError, 'np.full: "int64" is not a dtype here'],
  ['array dtype', () => js.array!([1], { dtype: null }), DTypeError, 'np.array: null is not a dtype here'],
  ['eye dtype', () => js.eye!(2, 2, { dtype: 'int8' }), DTypeError, 'np.eye: "int8" is not a dtype here'],
  ['astype', () => js.astype!(x, 'float16'), DTypeError, 'np.astype: "float16" is not a dtype here'],
  [
    'lax cast',
    () => jsLax.convertElementType!(x, 'half'),
    DTypeError,
    'lax.convertElementType: "half" is not a dtype here',
  ],
  [
    'lax bits',
    () => jsLax.bitcastConvertType!(x, 'int16'),
    DTypeError,
    'lax.bitcastConvertType: "int16" is not a dtype',
  ],
  ['lax iota', () => jsLax.iota!('int64', 3), DTypeError, 'lax.iota: "int64" is not a dtype here'],
  [
    'dtype for options',
    () => js.zeros!([2], 'int32'),
    DTypeError,
    `np.zeros: "int32" stands where options are expected\n  remedy: options are an object, { dtype: 'int32' }\n`,
  ],
  [
    'length for options',
    () => js.zeros!(2, 3),
    DTypeError,
    'np.zeros: 3 stands where options are expected\n  remedy: options are an object, { dtype }; a shape of several axes is one array, [2, 3]\n',
  ],
  ['null for options', () => js.array!([1], null), DTypeError, 'np.array: null stands where options are expected'],
  ['tensor for options', () => js.ones!([2], x), DTypeError, 'np.ones: the tensor float32[2,3] stands where options'],
  ['arange dtype', () => js.arange!(3, 'int32'), DTypeError, `np.arange: "int32" stands where options are expected`],
  ['arange tensor', () => js.arange!(x, 3), DTypeError, 'np.arange: the tensor float32[2,3] is not a JS number'],
  ['tri dtype', () => js.tri!(2, 2, { dtype: 'int8' }), DTypeError, 'np.tri: "int8" is not a dtype here'],
  ['var option', () => js.var!(x, 0, { correction: 1 }), DTypeError, `np.var: there is no option 'correction'`],
  ['std flag', () => js.std!(x, 0, 1), DTypeError, 'np.std: 1 stands where options are expected'],
  ['prod option', () => js.prod!(x, 0, { keepDims: true }), DTypeError, `np.prod: there is no option 'keepDims'`],
  ['isclose option', () => js.isclose!(x, x, { tol: 1 }), DTypeError, `np.isclose: there is no option 'tol'`],
  [
    'keepDims',
    () => js.sum!(x, 0, { keepDims: true }),
    DTypeError,
    `np.sum: there is no option 'keepDims'\n  remedy: the options are { keepdims }\n`,
  ],
  [
    'positional flag',
    () => js.argmax!(x, 0, true),
    DTypeError,
    'np.argmax: true stands where options are expected\n  remedy: options are an object, { keepdims }\n',
  ],
  [
    'options for the axis',
    () => js.sum!(x, { keepdims: true }),
    ShapeError,
    'np.sum: { keepdims } stands where an axis is expected\n  remedy: options come after the axis: np.sum(x, null, { keepdims }) is over all axes\n',
  ],
  [
    'options for one axis',
    () => js.argmax!(x, { keepdims: true }),
    ShapeError,
    'np.argmax: { keepdims } stands where an axis',
  ],
  [
    'text for the axis',
    () => js.max!(x, '0'),
    ShapeError,
    'np.max: "0" stands where an axis is expected\n  remedy: an axis is an integer\n',
  ],
  ['an axis in a list', () => js.mean!(x, [0, null]), ShapeError, 'np.mean: null stands where an axis is expected'],
  [
    'too large',
    () => np.zeros([1e10]),
    ShapeError,
    'np.zeros: [10000000000] is too large: it has 10000000000 elements, a tensor at most 4294967295',
  ],
  ['too large by far', () => np.eye(1e6), ShapeError, 'np.eye: [1000000,1000000] is too large'],
  [
    'too large a range',
    () => np.arange(1e10, { dtype: 'float32' }),
    ShapeError,
    'np.arange: [10000000000] is too large',
  ],
  ['lengths unknown', () => js.zeros!([undefined, 2, '3']), ShapeError, 'np.zeros: [undefined,2,"3"] is not a shape'],
  ['no shape', () => js.ones!(), ShapeError, 'np.ones: undefined is not a shape'],
  ['text for a shape', () => js.broadcastTo!(x, '3'), ShapeError, 'np.broadcastTo: "3" is not a shape'],
  ['text to reshape to', () => js.reshape!(x, 'flat'), ShapeError, 'np.reshape: "flat" is not a shape'],
  [
    'a cycle',
    () => js.array!(cyclic),
    ShapeError,
    'np.array: the data nest deeper than 64 levels: do they contain themselves?',
  ],
  [
    'NaN as an integer',
    () => np.array([1, Number.NaN], { dtype: 'int32' }),
    DTypeError,
    "np.array: the number NaN is not an integer, as int32 needs\n  remedy: convert the number first, or ask for another dtype: { dtype: 'float32' }\n",
  ],
  [
    'too large an integer',
    () => np.full([2], 3e9, { dtype: 'int32' }),
    DTypeError,
    'np.full: the number 3000000000 is out of the range of int32: int32 holds -2147483648 to 2147483647\n  remedy: convert the number first',
  ],
  ['no operand', () => js.add!(x, undefined), DTypeError, 'np.add: an operand is undefined, which is not a tensor'],
  [
    'a host array',
    () => js.add!(x, new Float32Array(3)),
    DTypeError,
    'np.add: an operand is an instance of Float32Array, which is not a tensor\n  remedy: wrap it with np.array(…)\n',
  ],
];

describe('arguments that TypeScript refuses', () => {
  it.each(rows)('%s', (_, f, error, text) => {
    expect(f).toThrow(error);
    expect(f).toThrow(text);
  });
});

it('options that are there, in plain objects of any prototype', () => {
  const bare = Object.assign(Object.create(null) as object, { dtype: 'int32' }) as { readonly dtype: 'int32' };
  expect(np.zeros([2], bare).dtype).toBe('int32');
  expect(np.zeros([2], { dtype: undefined } as object).dtype).toBe('float32');
  expect(np.sum(x, null, { keepdims: true }).shape).toEqual([1, 1]);
  expect(np.arange(0, 4, 2, { dtype: 'float32' }).toArray()).toEqual([0, 2]);
});

it('an index is no mistake where functions are mapped', () => {
  const zeros = tree.map(np.zerosLike, { a: x, b: np.arange(2), c: [x] });
  expect([zeros.a.dtype, zeros.b.toArray(), zeros.c[0]!.shape]).toEqual(['float32', [0, 0], [2, 3]]);
});

it('a place is found in data of several axes', () => {
  const data = [
    [
      [1, 2],
      [3, 4],
    ],
    [
      [5, 6],
      [7, 'x'],
    ],
  ];
  expect(() => js.array!(data)).toThrow('np.array: [1][1][1] is "x", neither a number nor a boolean');
  expect(() =>
    js.array!([
      [[1], [2]],
      [[3], 4],
    ]),
  ).toThrow('np.array: ragged: [1][1] is 4 where [0][0] has length 1');
});

it("NumPy's names are those of the primitives", () => {
  expect([np.subtract, np.multiply, np.divide, np.negative]).toEqual([np.sub, np.mul, np.div, np.neg]);
  expect(np.divide(np.subtract(5, 1), np.negative(2)).item()).toBe(-2);
});
