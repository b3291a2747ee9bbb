/** The passes as printed programs, before and after. */

import { grad, jit, makeJaxpr, nn, np, type Tensor, vmap } from 'pullback';
import { describe, expect, test } from 'vitest';
import { makeAval } from '../../src/core/aval.ts';
import { checkJaxpr } from '../../src/core/check.ts';
import { type Jaxpr, outAvals } from '../../src/core/jaxpr.ts';
import { showJaxpr } from '../../src/core/pretty.ts';
import { add, mul } from '../../src/prim/arithmetic.ts';
import { lt, select } from '../../src/prim/compare.ts';
import { scalar } from '../../src/prim/compose.ts';
import { optimizationBarrier } from '../../src/prim/identity.ts';
import { exp, sin } from '../../src/prim/math.ts';
import { reduceSum } from '../../src/prim/reduce.ts';
import { iota, transpose } from '../../src/prim/structural.ts';
import { call } from '../../transforms/call.ts';
import { cse, dce, inline, optimize } from '../../transforms/passes/index.ts';
import { program } from './interpret.ts';

const show = (jaxpr: Jaxpr): string => {
  checkJaxpr(jaxpr);
  return `\n${showJaxpr(jaxpr)}\n`;
};
const scalarAval = makeAval([], 'float32');
const vector = makeAval([3], 'float32');
const matrix = makeAval([2, 3], 'float32');

describe('inline', () => {
  const double = program([vector], (x) => add(x!, x!));
  const quadruple = program([vector], (x) => call('double', double, call('double', double, [x!])));

  test('at any depth, each copy with its own variables', () => {
    const jaxpr = program([vector], (x) => call('quadruple', quadruple, [x!]));
    expect(show(inline(jaxpr))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32[3]. let
        b:f32[3] = add a a
        c:f32[3] = add b b
      in (c,) }
      "
    `);
  });

  test('keeps the sources of the body', () => {
    const [eqn] = inline(program([vector], (x) => call('double', double, [x!]))).eqns;
    expect(eqn!.source).toBe(double.eqns[0]!.source);
  });

  test('a program without calls is itself', () => {
    expect(inline(double)).toBe(double);
  });

  test('a body traced for another weakness', () => {
    const weak = makeAval([3], 'float32', true);
    const jaxpr = program([weak], (x) => call('double', double, [x!]));
    expect(show(inline(jaxpr))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32*[3]. let
        b:f32[3] = convert_element_type[dtype=float32 weak=false] a
        c:f32[3] = add b b
      in (c,) }
      "
    `);
    const body = program([scalarAval], (x) => add(x!, x!));
    const literal = program([], () => call('f', body, [scalar(2, 'float32', true)]));
    expect(show(inline(literal))).toMatchInlineSnapshot(`
      "
      { lambda ; . let
        a:f32[] = add 2:f32[] 2:f32[]
      in (a,) }
      "
    `);
  });

  test('a body that returns its input and a literal', () => {
    const body = program([scalarAval], (x) => [x!, scalar(1, 'float32')]);
    const jaxpr = program([scalarAval], (x) => call('f', body, [x!]));
    expect(show(inline(jaxpr))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32[]. let
      in (a, 1:f32[]) }
      "
    `);
  });
});

describe('dce', () => {
  const body = program([vector, vector, vector], (x, y, z) => [sin(x!), mul(y!, y!), exp(z!)]);

  test('dead outputs and unused inputs of a call go', () => {
    const jaxpr = program([vector, vector, vector], (x, y, z) => {
      const outs = call('f', body, [x!, exp(y!), z!]);
      return add(outs[0]!, outs[2]!);
    });
    expect(show(dce(jaxpr))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32[3] b:f32[3] c:f32[3]. let
        d:f32[3] e:f32[3] = jit[name=f jaxpr={ lambda ; a:f32[3] b:f32[3]. let
          c:f32[3] = sin a
          d:f32[3] = exp b
        in (c, d) }] a c
        f:f32[3] = add d e
      in (f,) }
      "
    `);
  });

  test('inside of calls of calls', () => {
    const outer = program([vector, vector, vector], (...args) => call('f', body, args));
    const jaxpr = program([vector, vector, vector], (...args) => call('g', outer, args)[1]!);
    expect(show(dce(jaxpr))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32[3] b:f32[3] c:f32[3]. let
        d:f32[3] = jit[name=g jaxpr={ lambda ; a:f32[3]. let
          b:f32[3] = jit[name=f jaxpr={ lambda ; a:f32[3]. let
            b:f32[3] = mul a a
          in (b,) }] a
        in (b,) }] b
      in (d,) }
      "
    `);
  });

  test('two calls of one body share what is left of it', () => {
    const jaxpr = program([vector, vector], (x, y) => {
      const first = call('f', body, [x!, y!, y!])[0]!;
      return call('f', body, [first, y!, y!])[0]!;
    });
    const [one, two] = dce(jaxpr).eqns;
    expect((one!.params as { readonly jaxpr: Jaxpr }).jaxpr).toBe((two!.params as { readonly jaxpr: Jaxpr }).jaxpr);
  });

  test('a call that is needed whole is itself', () => {
    const jaxpr = program([vector, vector, vector], (...args) => call('f', body, args));
    expect(dce(jaxpr)).toBe(jaxpr);
  });

  test('inputs of the program stay', () => {
    const jaxpr = program([vector, vector], (x) => sin(x!));
    expect(dce(jaxpr).ins).toHaveLength(2);
  });

  test('a barrier stays whole, or goes', () => {
    const half = program([vector, vector], (x, y) => optimizationBarrier([sin(x!), exp(y!)])[0]!);
    expect(dce(half)).toBe(half);
    const one = program([vector], (x) => sin(x!));
    const extra = program([vector], (x) => optimizationBarrier([exp(x!)]));
    const dead: Jaxpr = {
      ...one,
      eqns: [
        ...extra.eqns.map((eqn) => ({ ...eqn, ins: eqn.ins.map((v) => (v === extra.ins[0] ? one.ins[0]! : v)) })),
        ...one.eqns,
      ],
    };
    expect(show(dce(dead))).toBe(show(one));
  });
});

describe('cse', () => {
  test('chains merge, literals compare by bits and type', () => {
    const jaxpr = program([scalarAval], (x) => [
      mul(sin(x!), scalar(2, 'float32')),
      mul(sin(x!), scalar(2, 'float32')),
      mul(x!, scalar(0, 'float32')),
      mul(x!, scalar(-0, 'float32')),
      mul(x!, scalar(0, 'float32', true)),
    ]);
    expect(show(dce(cse(jaxpr)))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32[]. let
        b:f32[] = sin a
        c:f32[] = mul b 2:f32[]
        d:f32[] = mul a 0:f32[]
        e:f32[] = mul a -0:f32[]
        f:f32[] = mul a 0:f32*[]
      in (c, c, d, e, f) }
      "
    `);
  });

  test('parameters compare by structure', () => {
    const jaxpr = program([matrix], (x) => [
      transpose(x!, [1, 0]),
      transpose(x!, [1, 0]),
      reduceSum(x!, [0]),
      reduceSum(x!, [1]),
      iota([2], 0, 'int32'),
      iota([2], 0, 'int32'),
      iota([2], 0, 'float32'),
    ]);
    expect(show(cse(jaxpr))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32[2,3]. let
        b:f32[3,2] = transpose[permutation=(1,0)] a
        c:f32[3] = reduce_sum[axes=(0)] a
        d:f32[2] = reduce_sum[axes=(1)] a
        e:i32[2] = iota[dimension=0 dtype=int32 shape=(2)]
        f:f32[2] = iota[dimension=0 dtype=float32 shape=(2)]
      in (b, b, c, d, e, e, f) }
      "
    `);
  });

  test('calls merge if their bodies are the same up to names', () => {
    const body = (): Jaxpr => program([vector], (x) => sin(x!));
    const other = program([vector], (x) => exp(x!));
    const jaxpr = program([vector], (x) => [
      ...call('f', body(), [x!]),
      ...call('f', body(), [x!]),
      ...call('f', other, [x!]),
    ]);
    expect(show(cse(jaxpr))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32[3]. let
        b:f32[3] = jit[name=f jaxpr={ lambda ; a:f32[3]. let
          b:f32[3] = sin a
        in (b,) }] a
        c:f32[3] = jit[name=f jaxpr={ lambda ; a:f32[3]. let
          b:f32[3] = exp a
        in (b,) }] a
      in (b, b, c) }
      "
    `);
  });

  test('barriers do not merge, nor what is computed behind them', () => {
    const jaxpr = program([vector], (x) => {
      const again = (): ReturnType<typeof sin> => sin(optimizationBarrier([x!])[0]!);
      return [sin(x!), again(), again()];
    });
    expect(cse(jaxpr)).toBe(jaxpr);
    expect(optimize(jaxpr)).toBe(jaxpr);
  });

  test('two outputs are merged together', () => {
    const body = program([vector], (x) => [sin(x!), exp(x!)]);
    const jaxpr = program([vector], (x) => [...call('f', body, [x!]), ...call('f', body, [x!])]);
    const { eqns, outs } = cse(jaxpr);
    expect(eqns).toHaveLength(1);
    expect(outs).toEqual([...eqns[0]!.outs, ...eqns[0]!.outs]);
  });
});

describe('optimize', () => {
  const print = (g: (x: Tensor) => unknown, x: Tensor): string => show(optimize(makeJaxpr(g)(x).jaxpr));

  test('is remembered, and done', () => {
    const { jaxpr } = makeJaxpr(grad(jit((x: Tensor) => np.sum(np.sin(x)))))(np.zeros([3]));
    expect(optimize(jaxpr)).toBe(optimize(jaxpr));
    expect(optimize(optimize(jaxpr))).toBe(optimize(jaxpr));
  });

  test('the calls of grad(jit(f)) meet', () => {
    expect(print(grad(jit((x: Tensor) => np.sum(np.mul(np.sin(x), x)))), np.zeros([3]))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32[3]. let
        b:f32[3] = sin a
        c:f32[3] = cos a
        d:f32[3] = mul a c
        e:f32[3] = add b d
      in (e,) }
      "
    `);
  });

  test('softmax under vmap and grad', () => {
    const loss = (x: Tensor): Tensor => np.sum(np.mul(nn.softmax(x), 2));
    expect(print(vmap(grad(loss)), np.zeros([2, 3]))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32[2,3]. let
        b:f32[2] = reduce_max[axes=(1)] a
        c:f32[2,3] = broadcast_in_dim[broadcastDimensions=(0) shape=(2,3)] b
        d:f32[2,3] = sub a c
        e:f32[2,3] = exp d
        f:f32[2] = reduce_sum[axes=(1)] e
        g:f32[2,3] = broadcast_in_dim[broadcastDimensions=(0) shape=(2,3)] f
        h:f32[2,3] = div e g
        i:f32[2,3] = div h g
        j:f32[2,3] = broadcast_in_dim[broadcastDimensions=() shape=(2,3)] 2:f32[]
        k:f32[2,3] = div j g
        l:f32[2,3] = broadcast_in_dim[broadcastDimensions=() shape=(2,3)] -2:f32[]
        m:f32[2,3] = mul l i
        n:f32[2] = reduce_sum[axes=(1)] m
        o:f32[2,3] = broadcast_in_dim[broadcastDimensions=(0) shape=(2,3)] n
        p:f32[2,3] = add k o
        q:f32[2,3] = mul p e
      in (q,) }
      "
    `);
  });

  test('selects of one predicate, merged by cse, simplify in the next round', () => {
    const jaxpr = program([vector, vector], (x, y) => select(lt(x!, y!), select(lt(x!, y!), sin(x!), y!), y!));
    expect(show(optimize(jaxpr))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32[3] b:f32[3]. let
        c:bool[3] = lt a b
        d:f32[3] = sin a
        e:f32[3] = select c d b
      in (e,) }
      "
    `);
  });

  test('weakness of the outputs is kept', () => {
    const weak = makeAval([], 'float32', true);
    const jaxpr = program([weak], (x) => [mul(x!, scalar(1, 'float32')), mul(x!, scalar(1, 'float32', true))]);
    expect(outAvals(optimize(jaxpr))).toEqual(outAvals(jaxpr));
    expect(show(optimize(jaxpr))).toMatchInlineSnapshot(`
      "
      { lambda ; a:f32*[]. let
        b:f32[] = mul a 1:f32[]
      in (b, a) }
      "
    `);
  });
});
