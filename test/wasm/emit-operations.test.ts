import { describe, expect, it } from 'vitest';
import {
  apply,
  type Buffer,
  binaryFns,
  call,
  compareFns,
  constant,
  convert,
  type Expr,
  type Fn,
  index,
  int,
  load,
  size,
  unaryFns,
} from '../../backends/loop/ir/expr.ts';
import type { Kernel, LoopRole } from '../../backends/loop/ir/kernel.ts';
import { allocate, type DType, type TypedArray } from '../../src/core/dtype.ts';
import { evaluate } from './evaluator.ts';
import { compile } from './harness.ts';

const lengths = [0, 1, 3, 4, 5, 8, 17, 40];

const floats = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  3.7,
  -3.7,
  1e-45,
  -1e-40,
  1.1754943508222875e-38,
  3.4028234663852886e38,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
  2147483648,
  -2147483648,
  4294967296,
  8388607.5,
  1e10,
  -7,
];
const words = [
  0, 1, -1, 2, 3, -5, 7, 31, 32, 33, -33, 64, 255, 2147483647, -2147483648, 1234567, -1234567, 16777217, 65536,
];
const edges: Record<DType, readonly number[]> = {
  float32: floats,
  float64: [...floats, 5e-324, 1.7976931348623157e308, 0.1],
  int32: words,
  uint32: words.map((x) => x >>> 0),
  bool: [0, 1],
};

/** Edge values, so that the k-th operand meets each of the first ones. */
function operand(dtype: DType, length: number, k: number, shift: number): TypedArray {
  const values = edges[dtype];
  const stride = [1, values.length, 5][k]!;
  const array = allocate(dtype, length);
  for (let i = 0; i < length; i++)
    array[i] = values[Math.floor((i + shift) / stride + (k === 2 ? i : 0)) % values.length]!;
  return array;
}

const buffer = (name: string, dtype: DType): Buffer => ({ name, dtype, kind: 'operand', size: size(0) });

/** out[i] = of(x[i], …), for i < the size. */
function pointwise(
  name: string,
  from: readonly DType[],
  to: DType,
  role: LoopRole,
  of: (args: readonly Expr[]) => Expr,
): Kernel {
  const ins = from.map((dtype, k) => buffer(`x${k}`, dtype));
  const out = buffer('out', to);
  const i = { name: 'i', extent: size(0) };
  const value = of(ins.map((x) => load(x, index(i))));
  return {
    name,
    operands: [...ins, out],
    scratch: [],
    sizes: 1,
    body: [{ kind: 'loop', index: i, role, body: [{ kind: 'store', buffer: out, at: index(i), value }] }],
  };
}

function agrees(kernel: Kernel, from: readonly DType[], to: DType): void {
  const compiled = compile(kernel);
  for (const length of lengths) {
    for (let shift = 0; shift < (length === 40 ? edges[from[0]!].length ** Math.min(from.length, 2) : 1); shift += 40) {
      const arrays = [...from.map((dtype, k) => operand(dtype, length, k, shift)), allocate(to, length)];
      const expected = arrays.map((x) => x.slice()) as TypedArray[];
      evaluate(kernel, expected, [length]);
      const [...actual] = compiled.run(arrays, [length]);
      expect([...actual.at(-1)!], `${length} from ${shift}`).toEqual([...expected.at(-1)!]);
    }
  }
}

const isFloat = (dtype: DType): boolean => dtype === 'float32' || dtype === 'float64';
const bitwise = ['and', 'or', 'xor', 'not'];
const words32: readonly DType[] = ['int32', 'uint32'];

/** The dtypes that an operation takes. */
function domain(fn: Fn): readonly DType[] {
  if (['sqrt', 'floor', 'ceil', 'trunc', 'nearest', 'copysign'].includes(fn)) return ['float32', 'float64'];
  if (['clz', 'popcount', 'shift_left', 'shift_right_logical', 'shift_right_arithmetic'].includes(fn)) return words32;
  if (bitwise.includes(fn)) return [...words32, 'bool'];
  if (fn === 'quotient' || fn === 'remainder') return [];
  if ((compareFns as readonly string[]).includes(fn)) return ['float32', 'float64', ...words32, 'bool'];
  return ['float32', 'float64', ...words32];
}

const arity = (fn: Fn): number => ((unaryFns as readonly string[]).includes(fn) ? 1 : 2);

describe.each(['serial', 'vector'] as const)('operations in %s loops', (role) => {
  for (const fn of [...unaryFns, ...binaryFns, ...compareFns]) {
    for (const dtype of domain(fn)) {
      const to = (compareFns as readonly string[]).includes(fn) ? 'bool' : dtype;
      it(`${fn} of ${dtype}`, () => {
        const from = new Array<DType>(arity(fn)).fill(dtype);
        agrees(
          pointwise('f', from, to, role, (args) => apply(fn, to, ...args)),
          from,
          to,
        );
      });
    }
  }

  for (const from of ['float32', 'float64', 'int32', 'uint32', 'bool'] as const) {
    it.each(['float32', 'float64', 'int32', 'uint32', 'bool'] as const)(`convert ${from} to %s`, (to) => {
      agrees(
        pointwise('f', [from], to, role, ([x]) => convert(x!, to)),
        [from],
        to,
      );
    });
    it(`select and madd of ${from}`, () => {
      const types: DType[] = ['bool', from, from];
      agrees(
        pointwise('f', types, from, role, (args) => apply('select', from, ...args)),
        types,
        from,
      );
      if (from === 'bool') return;
      agrees(
        pointwise('f', [from, from, from], from, role, (args) => apply('madd', from, ...args)),
        [from, from, from],
        from,
      );
    });
  }

  it('bitcasts', () => {
    for (const [from, to] of [
      ['float32', 'int32'],
      ['float32', 'uint32'],
      ['int32', 'float32'],
      ['uint32', 'int32'],
      ['uint32', 'float32'],
    ] as const) {
      agrees(
        pointwise('f', [from], to, role, ([x]) => apply('bitcast', to, x!)),
        [from],
        to,
      );
    }
  });

  it('functions of the host', () => {
    agrees(
      pointwise('f', ['float64'], 'float64', role, ([x]) => call('exp', x!)),
      ['float64'],
      'float64',
    );
    const two: DType[] = ['float64', 'float64'];
    agrees(
      pointwise('f', two, 'float64', role, ([x, y]) => call('atan2', x!, y!)),
      two,
      'float64',
    );
  });

  it('by constants, the same in all lanes', () => {
    for (const fn of binaryFns) {
      if (fn === 'quotient' || fn === 'remainder') continue;
      for (const dtype of domain(fn)) {
        for (const value of edges[dtype].filter((_, k) => k < 5 || k % 4 === 1)) {
          agrees(
            pointwise('f', [dtype], dtype, role, ([x]) => apply(fn, dtype, x!, constant(value, dtype))),
            [dtype],
            dtype,
          );
        }
      }
    }
  });

  it('quotients and remainders of indices', () => {
    const out = buffer('out', 'int32');
    const by = buffer('by', 'int32');
    const i = { name: 'i', extent: size(0) };
    for (const fn of ['quotient', 'remainder'] as const) {
      for (const divisor of [int(1), int(3), int(8), int(1000003), load(by, index(i))]) {
        const x = apply('add', 'int32', apply('mul', 'int32', index(i), int(52377649)), int(17));
        const kernel: Kernel = {
          name: 'f',
          operands: [by, out],
          scratch: [],
          sizes: 1,
          body: [
            {
              kind: 'loop',
              index: i,
              role,
              body: [{ kind: 'store', buffer: out, at: index(i), value: apply(fn, 'int32', x, divisor) }],
            },
          ],
        };
        const arrays = [Int32Array.from({ length: 40 }, (_, i) => 1 + i ** 5), new Int32Array(40)];
        const expected = arrays.map((x) => x.slice());
        evaluate(kernel, expected, [40]);
        expect(compile(kernel).run(arrays, [40])[1]).toEqual(expected[1]);
      }
    }
  });
});

describe('float64 beside narrower types', () => {
  it('compares, chooses and converts in vectors of two', () => {
    const types: DType[] = ['float64', 'float32', 'bool', 'int32'];
    const kernel = pointwise('f', types, 'float64', 'vector', ([x, y, p, n]) => {
      const less = apply('lt', 'bool', x!, convert(y!, 'float64'));
      const either = apply('or', 'bool', less, apply('gt', 'bool', n!, int(3)));
      return apply(
        'select',
        'float64',
        apply('xor', 'bool', either, p!),
        x!,
        convert(apply('neg', 'int32', n!), 'float64'),
      );
    });
    for (const length of lengths) {
      const arrays = [...types.map((dtype, k) => operand(dtype, length, k % 3, k)), allocate('float64', length)];
      const expected = arrays.map((x) => x.slice()) as TypedArray[];
      evaluate(kernel, expected, [length]);
      expect(compile(kernel).run(arrays, [length]).at(-1)).toEqual(expected.at(-1));
    }
  });
});

it('covers every dtype of floats', () => {
  expect(domain('sqrt').every(isFloat)).toBe(true);
});
