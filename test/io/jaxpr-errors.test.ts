/** Files of programs that are wrong: each error with its path, and hostile files that end soon. */
import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import { describe, expect, test } from 'vitest';
import { grad, jit, makeJaxpr, np, type Tensor } from '../../src/index.ts';
import { showFailure } from '../../src/io/failure.ts';
import { encodeJaxpr, type JaxprJson } from '../../src/io/jaxpr.ts';
import { decodeJaxpr } from '../../src/io/jaxpr-decode.ts';
import { primitives } from '../../transforms/registry.ts';

const decode = decodeJaxpr(primitives);
const message = (json: unknown): string => {
  const result = decode(json, 'f.json');
  return E.isLeft(result) ? showFailure(result.left) : 'decoded';
};
/** Through text, as a file holds it. */
const reread = (program: Parameters<typeof encodeJaxpr>[0]): unknown =>
  JSON.parse(JSON.stringify(encodeJaxpr(program)));

/** A deep copy with the value at `path` replaced. */
function edited(json: unknown, path: readonly (string | number)[], value: unknown): unknown {
  if (path.length === 0) return value;
  const [key, ...rest] = path as [string | number, ...(string | number)[]];
  const copy = Array.isArray(json) ? [...json] : { ...(json as object) };
  const record = copy as Record<string | number, unknown>;
  record[key] = edited(record[key], rest, value);
  return copy;
}

const loss = (w: Tensor, x: Tensor) => np.mean(np.square(np.tanh(np.matmul(x, w))));
const gradient = makeJaxpr(jit(grad(loss)))(np.ones([3, 2]), np.ones([4, 3]));

describe('errors, verbatim', () => {
  const { jaxpr } = makeJaxpr((x: Tensor) => np.mul(np.sum(x), 2))(np.zeros([3]));
  const good = reread(jaxpr);
  const sum = ['programs', 0, 'eqns', 0] as const;
  const mul = ['programs', 0, 'eqns', 1] as const;

  test.each<readonly [string, readonly (string | number)[], unknown, string]>([
    ['another thing', [], 'text', 'expected a program as JSON, got "text"'],
    ['another format', ['format'], 'onnx', 'format: expected "pullback.jaxpr", got "onnx"'],
    ['a later version', ['version'], 2, 'version: expected 1, got 2'],
    ['no program', ['programs'], [], 'programs: expected at least one program, got none'],
    [
      'an unknown primitive',
      [...sum, 'primitive'],
      'sum',
      'programs[0].eqns[0].primitive: expected the name of a primitive, got "sum"',
    ],
    [
      'an inherited name',
      [...sum, 'primitive'],
      'constructor',
      'programs[0].eqns[0].primitive: expected the name of a primitive, got "constructor"',
    ],
    [
      '__proto__',
      [...sum, 'primitive'],
      '__proto__',
      'programs[0].eqns[0].primitive: expected the name of a primitive, got "__proto__"',
    ],
    [
      'a parameter of another type',
      [...sum, 'params', 'axes', 0],
      '0',
      'programs[0].eqns[0].params.axes[0]: expected integer, got "0"',
    ],
    [
      'a parameter that is missing',
      [...sum, 'params'],
      {},
      'programs[0].eqns[0].params.axes: expected integers, got nothing',
    ],
    [
      'a parameter too many',
      [...sum, 'params', 'keepdims'],
      true,
      'programs[0].eqns[0].params.keepdims: expected no parameter of reduce_sum, got true',
    ],
    [
      'an axis out of range',
      [...sum, 'params', 'axes', 0],
      1,
      'programs[0].eqns[0]: expected operands that fit reduce_sum, got reduce_sum: axis 1 is out of range for float32[3], which has 1 axes',
    ],
    [
      'no operand',
      [...sum, 'ins'],
      [],
      'programs[0].eqns[0]: expected operands that fit reduce_sum, got reduce_sum: takes 1 operands, got 0',
    ],
    [
      'a wrong output',
      [...sum, 'outs', 0, 'shape'],
      [3],
      'programs[0].eqns[0].outs[0]: expected float32[], got float32[3]',
    ],
    [
      'a wrong weakness',
      [...sum, 'outs', 0, 'weak'],
      true,
      'programs[0].eqns[0].outs[0]: expected float32[], got weak float32[]',
    ],
    [
      'an output too many',
      [...sum, 'outs', 1],
      { dtype: 'float32', shape: [], weak: false },
      'programs[0].eqns[0].outs: expected 1 outputs of reduce_sum, got 2',
    ],
    [
      'a variable bound later',
      [...sum, 'ins', 0],
      1,
      'programs[0].eqns[0].ins[0]: expected one of the 1 variables bound before, got 1',
    ],
    [
      'a variable that is no index',
      [...mul, 'ins', 0],
      0.5,
      'programs[0].eqns[1].ins[0]: expected one of the 2 variables bound before, got 0.5',
    ],
    [
      'an output that is not bound',
      ['programs', 0, 'outs', 0],
      3,
      'programs[0].outs[0]: expected one of the 3 variables bound before, got 3',
    ],
    [
      'a negative length',
      ['programs', 0, 'ins', 0, 'shape', 0],
      -3,
      'programs[0].ins[0].shape[0]: expected a non-negative integer, got -3',
    ],
    [
      'a huge shape',
      ['programs', 0, 'ins', 0, 'shape'],
      [2 ** 40, 2 ** 40],
      'programs[0].ins[0].shape: expected a shape whose elements can be counted, got [1099511627776,1099511627776]',
    ],
    [
      'a dtype that there is not',
      ['programs', 0, 'ins', 0, 'dtype'],
      'float8',
      'programs[0].ins[0].dtype: expected DType, got "float8"',
    ],
    [
      'a literal that is not scalar',
      [...mul, 'ins', 1, 'aval', 'shape'],
      [1],
      'programs[0].eqns[1].ins[1].aval: expected a scalar, got float32[1]',
    ],
    [
      'a literal out of range',
      [...mul, 'ins', 1, 'literal'],
      1e300,
      'programs[0].eqns[1].ins[1].literal: expected a number of float32, got 1e+300',
    ],
    [
      'a literal that is no number',
      [...mul, 'ins', 1, 'literal'],
      '2',
      'programs[0].eqns[1].ins[1].literal: expected a number, "NaN", "Infinity", "-Infinity" or "-0", got "2"',
    ],
    [
      'a number that JSON lacks, misspelled',
      [...sum, 'params', 'axes', 0],
      { $number: 'nan' },
      'programs[0].eqns[0].params.axes[0]: expected a number, "NaN", "Infinity", "-Infinity" or "-0", got "nan"',
    ],
    [
      'a program that is not there',
      [...sum, 'params', 'axes'],
      { $jaxpr: 0 },
      'programs[0].eqns[0].params.axes: expected one of the 0 programs before, got 0',
    ],
  ])('%s', (_, path, value, expected) => {
    expect(message(edited(good, path, value))).toBe(`f.json: ${expected}`);
  });

  test('a called program with constants, and one called with other operands', () => {
    const called = reread(gradient.jaxpr) as JaxprJson;
    const { consts, ins } = called.programs[0]!;
    const captured = edited(edited(called, ['programs', 0, 'consts'], ins), ['programs', 0, 'ins'], consts);
    expect(message(captured)).toMatch(/^f\.json: programs\[1\].*: expected operands that fit jit, got jit: /);
    expect(message(edited(called, ['programs', 1, 'ins', 0, 'shape'], [2, 2]))).toMatch(
      /^f\.json: programs\[1\]\.eqns\[0\]: expected operands that fit jit, got jit: .* was traced for float32\[3,2\]/,
    );
    const closed = makeJaxpr(jit((x: Tensor) => np.sin(x)))(np.zeros([1]));
    const withConst = edited(
      reread(closed.jaxpr),
      ['programs', 0, 'consts'],
      [{ dtype: 'float32', shape: [], weak: false }],
    );
    expect(message(edited(withConst, ['programs', 0, 'eqns', 0, 'ins', 0], 1))).toMatch(
      /holds a jaxpr with constants|variables/,
    );
  });
});

describe('hostile files', () => {
  const aval = { dtype: 'float32', shape: [], weak: false };
  const file = (...all: readonly unknown[]) => ({ format: 'pullback.jaxpr', version: 1, programs: all });
  const call = (place: number, times: number) => ({
    consts: [],
    ins: [aval],
    eqns: Array.from({ length: times }, (_, i) => ({
      primitive: 'jit',
      params: { name: 'f', jaxpr: { $jaxpr: place } },
      ins: [i],
      outs: [aval],
    })),
    outs: [times],
  });
  const sine = { consts: [], ins: [aval], eqns: [{ primitive: 'sin', params: {}, ins: [0], outs: [aval] }], outs: [1] };

  test('calls that expand exponentially, or nest without end', () => {
    const doubling = [sine, ...Array.from({ length: 40 }, (_, i) => call(i, 2))];
    expect(message(file(...doubling))).toMatch(/expected at most 4194304 equations, got more$/);
    const deep = [sine, ...Array.from({ length: 5000 }, (_, i) => call(i, 1))];
    expect(message(file(...deep))).toMatch(/expected calls at most 64 deep, got deeper ones$/);
    expect(message(file(sine, ...Array.from({ length: 60 }, (_, i) => call(i, 1))))).toBe('decoded');
  });

  test('deep, long and cyclic values', () => {
    const deep = JSON.parse('['.repeat(200_000) + ']'.repeat(200_000)) as unknown;
    const wide = Array(500_000).fill(0);
    const cyclic: unknown[] = [];
    cyclic.push(cyclic, cyclic, cyclic);
    const one = file(sine);
    for (const value of [deep, wide, cyclic]) {
      for (const path of [
        [],
        ['programs'],
        ['programs', 0],
        ['programs', 0, 'ins'],
        ['programs', 0, 'ins', 0, 'shape'],
      ]) {
        expect(message(edited(one, path, value)).length).toBeLessThan(2000);
      }
      for (const key of ['params', 'ins', 'outs', 'primitive']) {
        const said = message(edited(one, ['programs', 0, 'eqns', 0, key], value));
        expect(said).toMatch(/^f\.json: programs\[0\]\.eqns\[0\]/);
        expect(said.length).toBeLessThan(2000);
      }
      const buried = edited(one, ['programs', 0, 'eqns', 0, 'params'], { a: value });
      expect(message(buried)).toMatch(/^f\.json: programs\[0\]\.eqns\[0\]\.params\.a/);
    }
    const many = file({ consts: [], ins: Array(300_000).fill(aval), eqns: [], outs: [0] });
    expect(message(many)).toBe('decoded');
  });

  test('prototype keys are names like any other', () => {
    const polluting = JSON.parse(
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
    ) as object;
    expect(message(edited(file(sine), ['programs', 0, 'eqns', 0, 'params'], polluting))).toMatch(
      /^f\.json: programs\[0\]\.eqns\[0\]\.params\.__proto__: expected no parameter of sin/,
    );
    expect(message(edited(file(sine), ['programs', 0], polluting))).toMatch(/^f\.json: programs\[0\]\./);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('any part replaced by anything never throws', () => {
    const whole = reread(gradient.jaxpr);
    const paths: (string | number)[][] = [];
    const visit = (x: unknown, path: (string | number)[]): void => {
      paths.push(path);
      if (typeof x === 'object' && x !== null) {
        for (const [key, entry] of Object.entries(x)) visit(entry, [...path, Array.isArray(x) ? Number(key) : key]);
      }
    };
    visit(whole, []);
    let refused = 0;
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 3 }), (path, value) => {
        const result = decode(edited(whole, path, value), 'f.json');
        if (E.isRight(result)) return;
        refused++;
        expect(showFailure(result.left)).toMatch(/^f\.json: /);
      }),
      { numRuns: 2000 },
    );
    expect(refused).toBeGreaterThan(1500);
  });
});
