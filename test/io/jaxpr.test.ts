/** Programs as JSON: the round trip is the identity up to α, and what cannot be written says so. */
import fc from 'fast-check';
import * as E from 'fp-ts/lib/Either.js';
import * as t from 'io-ts';
import { describe, expect, test } from 'vitest';
import { jaxprOf, programs } from '../../laws/arbitrary/program.ts';
import { call, piecewise, smooth } from '../../laws/arbitrary/program-ops.ts';
import { makeAval } from '../../src/core/aval.ts';
import { NotSerializableError } from '../../src/core/errors.ts';
import { eqJaxpr, hashJaxpr } from '../../src/core/hash.ts';
import { countEqns, evalJaxpr, isObserved, type Jaxpr, makeLiteral, makeVar } from '../../src/core/jaxpr.ts';
import type { Primitive } from '../../src/core/primitive.ts';
import { grad, jit, makeJaxpr, np, random, type Tensor, vmap } from '../../src/index.ts';
import { showFailure } from '../../src/io/failure.ts';
import { encodeJaxpr, type JaxprJson } from '../../src/io/jaxpr.ts';
import { decodeClosedJaxpr, decodeJaxpr } from '../../src/io/jaxpr-decode.ts';
import { primitives } from '../../transforms/registry.ts';
import { right } from './fixture.ts';

const decode = decodeJaxpr(primitives);
const decodeClosed = decodeClosedJaxpr(primitives);

/** Through text, as a file holds it. */
const reread = (program: Parameters<typeof encodeJaxpr>[0]): unknown =>
  JSON.parse(JSON.stringify(encodeJaxpr(program)));

const loss = (w: Tensor, x: Tensor) => np.mean(np.square(np.tanh(np.matmul(x, w))));
const gradient = makeJaxpr(jit(grad(loss)))(np.ones([3, 2]), np.ones([4, 3]));

describe('decode ∘ encode', () => {
  test('is the identity on random programs, up to α, and they compute the same', () => {
    // A tap holds a function, which no file can.
    const program = programs({
      ops: [...smooth, ...piecewise, call, call, call],
      dtypes: ['float32', 'float64'],
    }).filter((p) => !isObserved(jaxprOf(p)));
    let calls = 0;
    fc.assert(
      fc.property(program, fc.array(fc.float({ noNaN: true, min: -3, max: 3 }), { minLength: 1 }), (p, numbers) => {
        const jaxpr = jaxprOf(p);
        const again = right(decode(reread(jaxpr)));
        expect(eqJaxpr.equals(again, jaxpr)).toBe(true);
        expect(hashJaxpr(again)).toBe(hashJaxpr(jaxpr));
        if (countEqns(jaxpr) > jaxpr.eqns.length) calls++;
        const args = p.ins.map((aval) =>
          np.reshape(
            np.array(
              Array.from({ length: aval.size }, (_, i) => numbers[i % numbers.length]!),
              { dtype: aval.dtype },
            ),
            aval.shape,
          ),
        );
        const [a, b] = [evalJaxpr(jaxpr, [], args), evalJaxpr(again, [], args)];
        expect(b.map((x) => x.dataSync())).toEqual(a.map((x) => x.dataSync()));
      }),
      { numRuns: 200 },
    );
    expect(calls).toBeGreaterThan(10);
  });

  test('is the identity on programs that transforms make', () => {
    for (const { jaxpr } of [
      gradient,
      makeJaxpr(vmap(jit((x: Tensor) => np.sum(np.exp(x)))))(np.ones([4, 3])),
      makeJaxpr((seed: Tensor<'uint32'>) => random.normal(seed, [3]))(random.key(0)),
    ]) {
      expect(eqJaxpr.equals(right(decode(reread(jaxpr))), jaxpr)).toBe(true);
    }
  });

  test('keeps the numbers that JSON lacks', () => {
    const numbers = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0.1, Math.fround(1e-45)];
    const x = makeVar(makeAval([], 'float64'));
    const jaxpr: Jaxpr = { consts: [], ins: [x], eqns: [], outs: numbers.map((n) => makeLiteral(x.aval, n)) };
    const { outs } = right(decode(reread(jaxpr)));
    expect(outs.map((atom) => ('value' in atom ? atom.value : 'variable'))).toEqual(numbers);
  });

  test('keeps the constants of a closed program', () => {
    const captured = np.array([1, Number.NaN, -0, Number.POSITIVE_INFINITY]);
    const closed = makeJaxpr((x: Tensor) => np.add(x, captured))(np.zeros([4]));
    const again = right(decodeClosed(reread(closed)));
    expect(eqJaxpr.equals(again.jaxpr, closed.jaxpr)).toBe(true);
    expect(again.consts.map((x) => x.dataSync())).toEqual([captured.dataSync()]);
    const bare = decodeClosed(reread(closed.jaxpr), 'f.json');
    expect(E.isLeft(bare) && showFailure(bare.left)).toBe('f.json: constants: expected 1 constants, got 0');
  });

  test('writes a shared program once', () => {
    const inner = jit((x: Tensor) => np.sin(x));
    const { jaxpr } = makeJaxpr((x: Tensor) => inner(inner(inner(x))))(np.zeros([2]));
    expect(encodeJaxpr(jaxpr).programs.length).toBe(2);
  });

  test('the format, as it looks', () => {
    const { jaxpr } = makeJaxpr((x: Tensor) => np.mul(np.sum(x), 2))(np.zeros([3]));
    expect(encodeJaxpr(jaxpr)).toEqual({
      format: 'pullback.jaxpr',
      version: 1,
      programs: [
        {
          consts: [],
          ins: [{ dtype: 'float32', shape: [3], weak: false }],
          eqns: [
            {
              primitive: 'reduce_sum',
              params: { axes: [0] },
              ins: [0],
              outs: [{ dtype: 'float32', shape: [], weak: false }],
            },
            {
              primitive: 'mul',
              params: {},
              ins: [1, { literal: 2, aval: { dtype: 'float32', shape: [], weak: false } }],
              outs: [{ dtype: 'float32', shape: [], weak: false }],
            },
          ],
          outs: [2],
        },
      ],
    } satisfies JaxprJson);
  });
});

describe('what cannot be written', () => {
  const params = t.strict({ rule: t.unknown });
  const custom: Primitive<'custom', t.TypeOf<typeof params>> = {
    name: 'custom',
    params,
    abstractEval: (ins) => ins,
    jvp: () => ({ outs: [], tangents: [] }),
    transpose: 'nonlinear',
    vmap: () => ({ outs: [], dims: [] }),
  };
  const holding = (rule: unknown): Jaxpr => {
    const x = makeVar(makeAval([], 'float32'));
    const y = makeVar(x.aval);
    return {
      consts: [],
      ins: [x],
      eqns: [{ primitive: custom, params: { rule }, ins: [x], outs: [y], source: null }],
      outs: [y],
    };
  };

  test('functions, symbols, tensors and reserved keys in parameters', () => {
    const refusal = (rule: unknown): string => {
      try {
        encodeJaxpr(holding(rule));
        return 'encoded';
      } catch (error) {
        expect(error).toBeInstanceOf(NotSerializableError);
        return (error as NotSerializableError).problem;
      }
    };
    expect(refusal([{ f: () => 1 }])).toBe('params.rule[0].f of custom is a function, which JSON cannot hold');
    expect(refusal(Symbol('s'))).toBe('params.rule of custom is a symbol, which JSON cannot hold');
    expect(refusal(undefined)).toBe('params.rule of custom is a undefined, which JSON cannot hold');
    expect(refusal(np.zeros([]))).toBe('params.rule of custom is an instance of Tensor, which JSON cannot hold');
    expect(refusal({ $jaxpr: 0 })).toBe(
      'params.rule.$jaxpr of custom is a key that begins with $, which JSON cannot hold',
    );
  });

  test('numbers and plain data in parameters are', () => {
    const rule = { a: [Number.NaN, -0, Number.NEGATIVE_INFINITY, 1.5, 'NaN', true, null] };
    const again = right(decodeJaxpr({ custom })(reread(holding(rule))));
    expect(again.eqns[0]!.params).toEqual({ rule });
  });

  test('a tracer among the constants', () => {
    let caught: unknown;
    grad((x: Tensor) => {
      const closed = makeJaxpr((y: Tensor) => np.add(np.array([1, 2]), np.mul(np.broadcastTo(x, [2]), y)))(
        np.zeros([2]),
      );
      try {
        encodeJaxpr(closed);
      } catch (error) {
        caught = error;
      }
      return x;
    })(1);
    expect(caught).toBeInstanceOf(NotSerializableError);
  });
});
