/** Attention layers: PyTorch's values and gradients, caches beside the whole, masks beside shorter sequences. */

import { DTypeError, grad, jit, nn, np, random, type Tensor, valueAndGrad, vmap } from 'pullback';
import { checkGrads } from 'pullback/laws';
import { describe, expect, it, test } from 'vitest';
import { message } from '../errors/message.ts';

onReference();

import fixture from '../fixtures/sequence/attention.json' with { type: 'json' };
import { type Described, expectNear, expectOnWasm, fill, flat, onReference, type Wide } from './sequence-fixtures.ts';

type Params = nn.MultiHeadParams<'float64'>;

const { attentionWeights, dotProductAttention } = nn.functional;
const normal = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);
const close = (a: Tensor<'float32' | 'float64'>, b: Tensor<'float32' | 'float64'>, tolerance = 1e-5): void => {
  expect(a.shape).toEqual(b.shape);
  expectNear(a, flat(b), tolerance);
};
const bools = (nested: readonly unknown[]): Tensor<'bool'> => np.array(nested as boolean[]) as Tensor<'bool'>;

/** PyTorch's parameters as the docstring says, from those of the module. */
function fromTorch(raw: Readonly<Record<string, Wide>>, size: number, heads: number): Params {
  const dim = size / heads;
  const part = (k: number, name: string) => {
    const w = raw['in_proj_weight']
      ? (np.index(raw['in_proj_weight'], [k * size, (k + 1) * size]) as Wide)
      : raw[`${name}_proj_weight`]!;
    const b = raw['in_proj_bias'];
    return {
      w: np.reshape(np.transpose(w), [w.shape[1]!, heads, dim]) as Wide,
      ...(b ? { b: np.reshape(np.index(b, [k * size, (k + 1) * size]), [heads, dim]) as Wide } : {}),
    };
  };
  const out = raw['out_proj.bias'];
  return {
    query: part(0, 'q'),
    key: part(1, 'k'),
    value: part(2, 'v'),
    out: {
      w: np.reshape(np.transpose(raw['out_proj.weight']!), [heads, dim, size]) as Wide,
      ...(out ? { b: out } : {}),
    },
  };
}

describe('nn.MultiheadAttention of PyTorch', () => {
  test.each([
    ['self', 6, 3, [[2, 3, 6]]],
    ['causal', 4, 2, [[2, 3, 4]]],
    [
      'cross',
      4,
      2,
      [
        [2, 2, 4],
        [2, 3, 3],
        [2, 3, 5],
      ],
    ],
  ] as const)('%s: values, weights, gradients', (name, size, heads, shapes) => {
    const c = fixture[name];
    const torch = c.params as unknown as Readonly<Record<string, Described>>;
    const raw = Object.fromEntries(Object.entries(torch).map(([n, p]) => [n, fill(p.shape, p.seed)]));
    const inputs = shapes.map((shape, k) => fill(shape, 100 + k));
    const seen = c.mask === null ? undefined : bools(c.mask);
    const there = c.padding === null ? undefined : np.reshape(bools(c.padding), [2, 1, 1, 3]);
    const mask = seen && there ? np.logicalAnd(seen, there) : undefined;
    const options = { isCausal: name === 'causal' };
    const call = (given: readonly Wide[]) => ({
      ...(given[1] && given[2] ? { keys: given[1], values: given[2] } : {}),
      ...(mask ? { mask } : {}),
    });
    const run = (from: typeof raw, given: readonly Wide[]): Wide =>
      nn.multiHeadAttention(fromTorch(from, size, heads), options)(given[0]!, call(given));
    for (const f of [run, jit(run)]) expectNear(f(raw, inputs), c.y, 1e-9);
    const { values, ...rest } = call(inputs);
    expectNear(nn.multiHeadAttention.weights(fromTorch(raw, size, heads), options)(inputs[0]!, rest), c.weights, 1e-9);
    if (seen && name === 'causal') {
      expectNear(nn.multiHeadAttention(fromTorch(raw, size, heads))(inputs[0]!, { mask: seen }), c.y, 1e-9);
    }
    const loss = (from: typeof raw, given: readonly Wide[]): Wide => {
      const y = run(from, given);
      return np.sum(np.mul(y, fill(y.shape, 300)));
    };
    const [p, xs] = grad(loss, { argnums: [0, 1] })(raw, inputs) as unknown as [typeof raw, readonly Wide[]];
    for (const [n, { grad: wanted }] of Object.entries(torch)) expectNear(p[n]!, wanted, 1e-8, n);
    xs.forEach((g, k) => {
      expectNear(g, c.grads[k]!, 1e-8);
    });
  });
});

describe('F.scaled_dot_product_attention of PyTorch', () => {
  test.each(fixture.scaled)('$heads heads, $keyHeads of keys', (c) => {
    const inputs = [fill([2, 3, c.heads, 4], 110), fill([2, 5, c.keyHeads, 4], 111), fill([2, 5, c.keyHeads, 3], 112)];
    const options = { isCausal: c.isCausal, ...(c.scale === null ? {} : { scale: c.scale }) };
    const f = (q: Wide, k: Wide, v: Wide): Wide => dotProductAttention(q, k, v, options);
    const [q, k, v] = inputs as [Wide, Wide, Wide];
    expectNear(f(q, k, v), c.y, 1e-9);
    const loss = (...args: [Wide, Wide, Wide]): Wide => np.sum(np.mul(f(...args), fill([2, 3, c.heads, 3], 300)));
    const grads = grad(loss, { argnums: [0, 1, 2] })(q, k, v) as unknown as Wide[];
    grads.forEach((g, i) => {
      expectNear(g, c.grads[i]!, 1e-8);
    });
    // The weights are what values are summed with.
    const weights = attentionWeights(q, k, options);
    const whole = np.take(v, np.astype(np.floor(np.div(np.arange(c.heads), c.heads / c.keyHeads)), 'int32'), 2);
    close(np.einsum('bhts,bshd->bthd', weights, whole), f(q, k, v), 1e-10);
  });

  it('dropout of weights: keyed, only with a key, rows scaled up', () => {
    const [q, v] = [normal(1, 1, 64, 1, 4), np.ones([1, 64, 1, 1])];
    close(dotProductAttention(q, q, v, { dropout: 0.5 }), np.ones([1, 64, 1, 1]));
    const some = dotProductAttention(q, q, v, { dropout: 0.5, dropoutKey: random.key(3) });
    const mean = np.mean(some).item();
    expect(mean).toBeGreaterThan(0.9);
    expect(mean).toBeLessThan(1.1);
    expect(flat(some).every((x) => Math.abs(x - 1) < 1e-6)).toBe(false);
    expect(() => dotProductAttention(q, q, v, { dropout: 1, dropoutKey: random.key(3) })).toThrow(DTypeError);
  });
});

describe('additive attention', () => {
  const params = { wq: fill([4, 5], 1), wk: fill([3, 5], 2), v: fill([5], 3) };
  const [s, h] = [fill([2, 2, 4], 100), fill([2, 3, 3], 101)];
  const mask = bools([[[true, true, false]], [[true, true, true]]]);
  const c = fixture.additive;

  it('is the formula of Bahdanau, values and gradients', () => {
    const f = (p: typeof params, q: Wide, k: Wide): Wide => nn.additiveAttention(p)(q, k, { mask });
    expectNear(f(params, s, h), c.y, 1e-9);
    expectNear(jit(f)(params, s, h), c.y, 1e-9);
    expectNear(nn.additiveAttention.weights(params)(s, h, { mask }), c.weights, 1e-9);
    const loss = (p: typeof params, q: Wide, k: Wide): Wide => np.sum(np.mul(f(p, q, k), fill([2, 2, 3], 300)));
    const [p, q, k] = grad(loss, { argnums: [0, 1, 2] })(params, s, h) as unknown as [typeof params, Wide, Wide];
    for (const name of ['wq', 'wk', 'v'] as const) expectNear(p[name], c.grads[name], 1e-8, name);
    expectNear(q, c.gradQuery, 1e-8);
    expectNear(k, c.gradKeys, 1e-8);
    close(
      vmap((a: Wide, b: Wide) => nn.additiveAttention(params)(a, b))(s, h),
      nn.additiveAttention(params)(s, h),
      1e-12,
    );
  });

  it('values beside keys; a query that sees nothing has their mean', () => {
    const values = fill([2, 3, 2], 7);
    const none = np.zeros([2, 2, 3], { dtype: 'bool' });
    close(
      nn.additiveAttention(params)(s, h, { values, mask: none }),
      np.broadcastTo(np.mean(values, 1, { keepdims: true }), [2, 2, 2]),
      1e-12,
    );
  });
});

describe('multi-head attention', () => {
  const x = normal(1, 2, 5, 8);
  const params = nn.multiHeadAttention.init(random.key(2), 8, 4, { keyHeads: 2 });

  test.each([
    ['plain', {}],
    ['rotary', { rotary: true }],
    ['rotary of neighbours', { rotary: { interleaved: true, base: 100 }, scale: 0.5 }],
  ] as const)('a cache is the causal whole: %s', (_, options) => {
    const whole = nn.multiHeadAttention(params, { ...options, isCausal: true })(x);
    const decode = jit((v: Tensor, c: nn.KvCache) => nn.multiHeadAttention.decode(params, options)(v, c));
    let cache = nn.multiHeadAttention.cache(params, 2, 6);
    const parts: Tensor[] = [];
    for (const [from, to] of [
      [0, 2],
      [2, 3],
      [3, 4],
      [4, 5],
    ] as const) {
      const [y, next] = decode(np.index(x, [], [from, to]) as Tensor, cache);
      parts.push(y);
      cache = next;
    }
    close(np.concatenate(parts, 1), whole);
    expect(cache.index.item()).toBe(5);
    expect(flat(decode(np.index(x, [], [0, 1]) as Tensor, cache)[0]).some(Number.isNaN)).toBe(false);
    // No room for two more.
    expect(flat(decode(np.index(x, [], [0, 2]) as Tensor, cache)[0]).every(Number.isNaN)).toBe(true);
  });

  it('masked keys are keys that are not there', () => {
    const lengths = np.array([5, 3], { dtype: 'int32' });
    const f = nn.multiHeadAttention(params);
    const padded = f(x, { mask: nn.paddingMask(lengths, 5) });
    close(np.index(padded, 1) as Tensor, f(np.index(x, 1) as Tensor, { keys: np.index(x, 1, [0, 3]) as Tensor }));
    close(np.index(padded, 0) as Tensor, np.index(f(x), 0) as Tensor);
    // Of a query that sees nothing the result is that of the mean value, and finite.
    const blind = f(x, { mask: np.zeros([5, 5], { dtype: 'bool' }) });
    close(np.index(blind, [], [0, 1]) as Tensor, np.index(blind, [], [4, 5]) as Tensor);
    expect(flat(blind).every(Number.isFinite)).toBe(true);
  });

  it('cross-attention from other features to others, with or without batch', () => {
    const cross = nn.multiHeadAttention.init(random.key(3), 8, 2, {
      keySize: 3,
      valueSize: 4,
      headSize: 5,
      valueHeadSize: 6,
      outSize: 7,
      bias: false,
    });
    expect(Object.keys(cross.query)).toEqual(['w']);
    const [keys, values] = [normal(4, 2, 9, 3), normal(5, 2, 9, 4)];
    const y = nn.multiHeadAttention(cross)(x, { keys, values });
    expect(y.shape).toEqual([2, 5, 7]);
    const one = (i: number) => [x, keys, values].map((v) => np.index(v, i)) as [Tensor, Tensor, Tensor];
    const [q, k, v] = one(1);
    close(nn.multiHeadAttention(cross)(q, { keys: k, values: v }), np.index(y, 1) as Tensor);
    close(
      vmap((a: Tensor, b: Tensor, c: Tensor) => nn.multiHeadAttention(cross)(a, { keys: b, values: c }))(
        x,
        keys,
        values,
      ),
      y,
    );
  });

  it('the course notes’ form: chunks of the input, an attention each, are weights of 0 elsewhere', () => {
    const [heads, dim] = [2, 4];
    const blocks = ['query', 'key', 'value'].map((_, k) => normal(10 + k, heads, dim, dim));
    const input = normal(20, 3, 8);
    // Each head by itself, on its chunk.
    const chunks = np.split(input, heads, -1).map((chunk, h) => {
      const [q, k, v] = blocks.map((w) => np.expandDims(np.matmul(chunk, np.index(w, h) as Tensor), 1)) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      return np.reshape(dotProductAttention(q, k, v), [3, dim]);
    });
    // Weights [size, heads, dim] with the block of head h at the features of chunk h.
    const heading = (w: Tensor) => ({
      w: np.reshape(np.einsum('hid,hg->higd', w, np.eye(heads)), [heads * dim, heads, dim]),
    });
    const [query, key, value] = blocks.map(heading) as [{ w: Tensor }, { w: Tensor }, { w: Tensor }];
    const out = { w: np.reshape(np.eye(8), [heads, dim, 8]) };
    close(nn.multiHeadAttention({ query, key, value, out })(input), np.concatenate(chunks, -1));
  });

  it('derivatives by differences, and the same on WebAssembly', () => {
    const small = nn.multiHeadAttention.init(random.key(6), 4, 2, { keyHeads: 1 });
    const f = (p: typeof small, v: Tensor): Tensor =>
      np.sum(np.square(nn.multiHeadAttention(p, { isCausal: true, rotary: true })(v)));
    checkGrads(f, [small, normal(7, 1, 3, 4)], { directions: 1 });
    expectOnWasm(() => {
      const p = nn.multiHeadAttention.init(random.key(6), 4, 2, { keyHeads: 1 });
      const [value, g] = jit(valueAndGrad(f))(p, normal(7, 1, 3, 4));
      return [value, g.query.w, g.value.w, g.out.w];
    });
  });

  it('says what does not fit', () => {
    const wrong: readonly (() => unknown)[] = [
      () => nn.multiHeadAttention.init(random.key(0), 512, 6),
      () => nn.multiHeadAttention.init(random.key(0), 8, 4, { keyHeads: 3 }),
      () => nn.multiHeadAttention(nn.dense.init(random.key(0), 3, 4) as unknown as nn.MultiHeadParams),
      () => nn.multiHeadAttention({ ...params, key: { w: np.zeros([8, 3, 2]) } }),
      () => nn.multiHeadAttention(params)(np.zeros([2, 5, 7])),
      () => nn.multiHeadAttention(params)(x, { keys: np.zeros([2, 5, 7]) }),
      () => nn.multiHeadAttention(params)(x, { mask: np.zeros([4, 5], { dtype: 'bool' }) }),
      () => nn.multiHeadAttention.decode(params)(np.zeros([2, 7, 8]), nn.multiHeadAttention.cache(params, 2, 6)),
      () => nn.multiHeadAttention(params, { causal: true } as never),
      () => nn.paddingMask(np.zeros([2, 2], { dtype: 'int32' }), 3),
      () => nn.additiveAttention({ wq: np.zeros([2, 3]), wk: np.zeros([2, 4]), v: np.zeros([3]) }),
      () => nn.additiveAttention(nn.additiveAttention.init(random.key(0), 4, 6, 8))(x, x),
      () => attentionWeights(np.zeros([2, 3, 4]), np.zeros([2, 2, 4])),
    ];
    expect(wrong.map(message).join('')).toMatchInlineSnapshot(`
      "
      ShapeError: nn.multiHeadAttention.init: 512 features do not divide into 6 heads
        remedy: use a multiple, or give { headSize }
        at test/nn/attention.test.ts:LINE

      ShapeError: nn.multiHeadAttention.init: 4 heads do not divide into 3 groups
        remedy: let keyHeads divide heads
        at test/nn/attention.test.ts:LINE

      TreeError: nn.multiHeadAttention: params.query.w is undefined, not a tensor of three axes
        remedy: make parameters with nn.multiHeadAttention.init(key, size, heads): { query, key, value, out }
        at test/nn/attention.test.ts:LINE

      ShapeError: nn.multiHeadAttention: query float32[8,4,2], key float32[8,3,2], value float32[8,2,2], out float32[4,2,8] do not make an attention
        remedy: make parameters with nn.multiHeadAttention.init(key, size, heads): { query, key, value, out }
        at test/nn/attention.test.ts:LINE

      ShapeError: nn.multiHeadAttention: queries float32[2,5,7] do not fit weights float32[8,4,2]
        remedy: give [..., length, 8]
        at test/nn/attention.test.ts:LINE

      ShapeError: nn.multiHeadAttention: keys float32[2,5,7] do not fit weights float32[8,2,2]
        remedy: give [..., length, 8]
        at test/nn/attention.test.ts:LINE

      ShapeError: nn.functional.dotProductAttention: shapes bool[2,4,5,5] and bool[4,5] do not broadcast: axis -2 has length 5 beside 4
        remedy: lengths of axes, aligned at the last one, must be equal or 1; np.reshape and np.expandDims insert axes
        at test/nn/attention.test.ts:LINE

      ShapeError: nn.multiHeadAttention.decode: float32[2,7,8] does not fit the cache float32[2,6,2,2]
        remedy: give [batch, time, size] with the batch of the cache and no more steps than it has room for
        at test/nn/attention.test.ts:LINE

      DTypeError: nn.multiHeadAttention: there is no option 'causal'
        remedy: the options are { isCausal, rotary, scale, dropout }
        at test/nn/attention.test.ts:LINE

      ShapeError: nn.paddingMask: lengths are int32[2,2]
        remedy: give int32[batch]
        at test/nn/attention.test.ts:LINE

      ShapeError: nn.additiveAttention: float32[2,3], float32[2,4], float32[3] do not make an attention
        remedy: make parameters with nn.additiveAttention.init(key, querySize, keySize, size): { wq, wk, v }
        at test/nn/attention.test.ts:LINE

      ShapeError: nn.additiveAttention: keys float32[2,5,8] do not fit wk float32[6,8]
        remedy: give [..., keys, 6]
        at test/nn/attention.test.ts:LINE

      ShapeError: nn.functional.attentionWeights: query float32[2,3,4] and key float32[2,2,4] do not fit
        remedy: give [batch, queries, heads, dim] and [batch, keys, keyHeads, dim], both with or both without batch
        at test/nn/attention.test.ts:LINE
      "
    `);
  });
});
