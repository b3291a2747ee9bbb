/** Recurrent layers: PyTorch's values and gradients, loops in JavaScript over cells, layers and directions one by one. */

import { grad, jit, makeJaxpr, nn, np, random, type Tensor, valueAndGrad, vmap } from 'pullback';
import { checkGrads } from 'pullback/laws';
import { describe, expect, it } from 'vitest';
import { message } from '../errors/message.ts';

onReference();

import fixture from '../fixtures/sequence/recurrent.json' with { type: 'json' };
import { type Described, expectNear, expectOnWasm, fill, flat, onReference, type Wide } from './sequence-fixtures.ts';

type Cell = { wx: Wide; wh: Wide; b: Wide; bn?: Wide };
type Layer = { forward: Cell; backward?: Cell };
/** A carry of any kind. */
type Carry = Wide | { readonly c: Wide; readonly h: Wide };
type Apply = (
  params: readonly Layer[],
  options?: object,
) => (x: Wide, options?: object) => readonly [readonly { forward: Carry; backward?: Carry }[], Wide];

const kinds = {
  RNN: nn.rnn as unknown as Apply,
  LSTM: nn.lstm as unknown as Apply,
  GRU: nn.gru as unknown as Apply,
};

const normal = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);
const close = (a: Tensor<'float32' | 'float64'>, b: Tensor<'float32' | 'float64'>, tolerance = 1e-5): void => {
  expect(a.shape).toEqual(b.shape);
  expectNear(a, flat(b), tolerance);
};

describe.each(fixture.cases.map((c, i) => ({ ...c, name: `${c.kind} ${i}` })))('$name as PyTorch', (c) => {
  const torch = c.params as unknown as Readonly<Record<string, Described>>;
  const raw = Object.fromEntries(Object.entries(torch).map(([name, p]) => [name, fill(p.shape, p.seed)]));
  /** The conversion that the docstrings tell of. */
  const cell = (from: Readonly<Record<string, Wide>>, suffix: string): Cell => {
    const [ih, hh] = [from[`bias_ih_${suffix}`]!, from[`bias_hh_${suffix}`]!];
    const weights = { wx: np.transpose(from[`weight_ih_${suffix}`]!), wh: np.transpose(from[`weight_hh_${suffix}`]!) };
    if (c.kind !== 'GRU') return { ...weights, b: np.add(ih, hh) };
    const inside = np.array([1, 1, 1, 1, 0, 0], { dtype: 'float64' });
    return { ...weights, b: np.add(ih, np.mul(hh, inside)), bn: np.index(hh, [4, 6]) as Wide };
  };
  const layers = (from: Readonly<Record<string, Wide>>): Layer[] =>
    Array.from({ length: c.layers }, (_, i) => ({
      forward: cell(from, `l${i}`),
      ...(c.bidirectional ? { backward: cell(from, `l${i}_reverse`) } : {}),
    }));
  const directions = c.bidirectional ? 2 : 1;
  const starts = c.gradStart.map((_, k) => fill([c.layers * directions, 2, 2], 200 + k));
  const carries = (from: readonly Wide[]) =>
    Array.from({ length: c.layers }, (_, i) => {
      const one = (d: number): Carry => {
        const [h, cell] = from.map((s) => np.index(s, i * directions + d) as Wide);
        return c.kind === 'LSTM' ? { h: h!, c: cell! } : h!;
      };
      return { forward: one(0), ...(directions === 2 ? { backward: one(1) } : {}) };
    });
  const options = 'nonlinearity' in c.options ? { activation: c.options.nonlinearity } : {};
  const call = {
    ...(c.lengths ? { lengths: np.array(c.lengths, { dtype: 'int32' }) } : {}),
  };
  const run = (from: Readonly<Record<string, Wide>>, x: Wide, start: readonly Wide[]): { y: Wide; last: Wide[] } => {
    const [last, y] = kinds[c.kind as keyof typeof kinds](layers(from), options)(x, { ...call, carry: carries(start) });
    const inOrder = last.flatMap(({ forward, backward }) => (backward ? [forward, backward] : [forward]));
    const parts = inOrder.map((carry) => ('c' in carry ? [carry.h, carry.c] : [carry]));
    return { y, last: parts[0]!.map((_, k) => np.stack(parts.map((p) => p[k]!))) };
  };
  const x = fill([2, 4, 3], 100);

  it('values', () => {
    for (const f of [run, jit(run)]) {
      const { y, last } = f(raw, x, starts);
      expectNear(y, c.y, 1e-9);
      last.forEach((l, k) => {
        expectNear(l, c.last[k]!, 1e-9);
      });
    }
  });

  it('gradients', () => {
    const loss = (from: typeof raw, v: Wide, start: readonly Wide[]): Wide => {
      const { y, last } = run(from, v, start);
      return last.reduce(
        (sum, l, k) => np.add(sum, np.sum(np.mul(l, fill(l.shape, 400 + k)))),
        np.sum(np.mul(y, fill(y.shape, 300))),
      );
    };
    const [p, v, s] = grad(loss, { argnums: [0, 1, 2] })(raw, x, starts) as unknown as [typeof raw, Wide, Wide[]];
    for (const [name, { grad: wanted }] of Object.entries(torch)) expectNear(p[name]!, wanted, 1e-8, name);
    expectNear(v, c.gradX, 1e-8);
    s.forEach((g, k) => {
      expectNear(g, c.gradStart[k]!, 1e-8);
    });
  });
});

describe('layers are their plain forms', () => {
  const x = normal(1, 2, 5, 3);

  it('a layer is a loop over its cell, unrolled or not, backwards too', () => {
    const params = nn.lstm.init(random.key(2), 3, 4);
    const cell = nn.lstmCell(params[0]!.forward);
    for (const reverse of [false, true]) {
      let carry = nn.lstmCell.carry(params[0]!.forward, [2]);
      const ys: Tensor[] = [];
      for (const t of reverse ? [4, 3, 2, 1, 0] : [0, 1, 2, 3, 4]) {
        const [next, y] = cell(carry, np.index(x, [], t) as Tensor);
        carry = next;
        ys.push(y);
      }
      if (reverse) ys.reverse();
      for (const unroll of [1, 2, true]) {
        const [last, all] = nn.lstm(params, { reverse, unroll })(x);
        close(all, np.stack(ys, 1));
        close(last[0]!.forward.c, carry.c);
      }
      const [last, all] = nn.recurrence(cell, nn.lstmCell.carry(params[0]!.forward, [2]), x, { reverse });
      close(all, np.stack(ys, 1));
      close(last.h, carry.h);
    }
  });

  it('several layers in both directions are single layers, composed', () => {
    const params = nn.gru.init(random.key(3), 3, 4, { layers: 2, bidirectional: true });
    const [carry, ys] = nn.gru(params)(x);
    let y = x;
    params.forEach(({ forward, backward }, i) => {
      const [[f], right] = nn.gru([{ forward }])(y);
      const [[b], left] = nn.gru([{ forward: backward! }], { reverse: true })(y);
      close(carry[i]!.forward, f!.forward);
      close(carry[i]!.backward!, b!.forward);
      y = np.concatenate([right, left], -1);
    });
    close(ys, y);
  });

  it('lengths: each sequence by itself; a mask says the same', () => {
    const params = nn.gru.init(random.key(4), 3, 4, { layers: 2, bidirectional: true });
    const lengths = np.array([5, 2], { dtype: 'int32' });
    const [carry, ys] = nn.gru(params)(x, { lengths });
    const short = np.index(x, [1, 2], [0, 2]) as Tensor;
    const [alone, its] = nn.gru(params)(short);
    close(np.index(ys, [1, 2], [0, 2]) as Tensor, its);
    expect(flat(np.index(ys, 1, [2, 5]) as Tensor).every((v) => v === 0)).toBe(true);
    close(np.index(carry[1]!.backward!, [1, 2]) as Tensor, alone[1]!.backward!);
    const mask = np.less(np.arange(5), np.expandDims(lengths, 1));
    close(nn.gru(params)(x, { mask })[1], ys, 0);
    // NaN behind the end reaches nothing, not even a gradient.
    const poisoned = np.where(np.expandDims(mask, -1), x, Number.NaN);
    close(nn.gru(params)(poisoned, { lengths })[1], ys, 0);
    const energy = (v: Tensor) => (p: typeof params) => np.sum(np.square(nn.gru(p)(v, { lengths })[1]));
    const [bad, good] = [grad(energy(poisoned))(params), grad(energy(x))(params)];
    close(bad[0]!.forward.wx, good[0]!.forward.wx, 0);
    const cell = nn.gruCell(params[0]!.forward);
    const over = (v: Tensor) => (p: Tensor) =>
      np.sum(nn.recurrence((h: Tensor, u: Tensor) => cell(h, np.mul(u, p)), np.zeros([2, 4]), v, { lengths })[0]);
    close(grad(over(poisoned))(np.ones([3])), grad(over(x))(np.ones([3])), 0);
  });

  it('Cho’s GRU resets before the product', () => {
    const p = nn.gruCell.init(random.key(5), 3, 2);
    const [v, h] = [normal(6, 3), normal(7, 2)];
    const [wx, wh] = [flat(p.wx), flat(p.wh)];
    const [vs, hs] = [flat(v), flat(h)];
    const dot = (k: number, state: readonly number[]): number =>
      vs.reduce((s, a, i) => s + a * wx[i * 6 + k]!, 0) + state.reduce((s, a, i) => s + a * wh[i * 6 + k]!, 0);
    const sigma = (t: number): number => 1 / (1 + Math.exp(-t));
    const r = [0, 1].map((k) => sigma(dot(k, hs)));
    const z = [2, 3].map((k) => sigma(dot(k, hs)));
    const n = [4, 5].map((k) => Math.tanh(dot(k, [r[0]! * hs[0]!, r[1]! * hs[1]!])));
    const wanted = n.map((m, i) => (1 - z[i]!) * m + z[i]! * hs[i]!);
    expectNear(nn.gruCell(p, { resetAfter: false })(h, v)[0], wanted, 1e-6);
  });

  it('dropout between layers: keyed, nothing without a key, expectation kept', () => {
    const params = nn.rnn.init(random.key(8), 3, 4, { layers: 2 });
    const layer = nn.rnn(params, { dropout: 0.5 });
    const [, plain] = layer(x);
    close(plain, nn.rnn(params)(x)[1], 0);
    const [, once] = layer(x, { key: random.key(1) });
    close(layer(x, { key: random.key(1) })[1], once, 0);
    expect(flat(once)).not.toEqual(flat(plain));
    // The first layer is untouched.
    close(layer(x, { key: random.key(1) })[0][0]!.forward, nn.rnn(params)(x)[0][0]!.forward, 0);
  });

  it('under vmap, on WebAssembly, and derivatives by differences', () => {
    const params = nn.lstm.init(random.key(9), 3, 4, { layers: 2, bidirectional: true });
    const f = (v: Tensor): Tensor => nn.lstm(params)(v)[1];
    const xs = normal(10, 3, 2, 5, 3);
    const each = vmap(f)(xs);
    for (const i of [0, 1, 2]) close(np.index(each, i) as Tensor, f(np.index(xs, i) as Tensor));
    expectOnWasm(() => {
      const p = nn.lstm.init(random.key(9), 3, 4, { layers: 2, bidirectional: true });
      const [value, g] = jit(valueAndGrad((q: typeof p, v: Tensor) => np.sum(np.square(nn.lstm(q)(v)[1]))))(
        p,
        normal(1, 2, 5, 3),
      );
      return [value, g[0]!.forward.wx, g[1]!.backward!.wh];
    });
    const small = nn.gru.init(random.key(11), 2, 2, { bidirectional: true });
    checkGrads((p: typeof small, v: Tensor) => np.sum(np.square(nn.gru(p)(v)[1])), [small, normal(12, 1, 3, 2)], {
      directions: 1,
    });
  });

  it('initializers: orthogonal blocks, forget bias', () => {
    const { wh, b } = nn.lstmCell.init(random.key(13), 3, 4);
    expect(flat(b)).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(flat(nn.lstmCell.init(random.key(13), 3, 4, { forgetBias: 0 }).b).every((v) => v === 0)).toBe(true);
    for (const k of [0, 1, 2, 3]) {
      const block = np.index(wh, [], [4 * k, 4 * k + 4]) as Tensor;
      close(np.matmul(block, np.transpose(block)), np.eye(4));
    }
  });
});

it('says what does not fit', () => {
  const params = nn.lstm.init(random.key(0), 3, 4);
  const wrong: readonly (() => unknown)[] = [
    () => nn.lstm(params)(np.zeros([2, 5, 2])),
    () => nn.lstm(params)(np.zeros([5, 3])),
    () => nn.gru(params as unknown as nn.GruLayers),
    () => nn.gru.init(random.key(0), 3, 4, { layers: 0 }),
    () => nn.rnn(nn.gru.init(random.key(0), 3, 4)),
    () => nn.lstm(params[0]!.forward as unknown as nn.RecurrentLayers),
    () => nn.lstm(params)(np.zeros([2, 5, 3]), { lengths: np.array([1], { dtype: 'int32' }) }),
    () => nn.lstm(params)(np.zeros([2, 5, 3]), { carry: [] }),
    () => nn.rnnCell(nn.rnnCell.init(random.key(0), 3, 4))(np.zeros([3]), np.zeros([3])),
    () => nn.lstm(params, { dropOut: 0.5 } as never),
    () => nn.lstm(params, { dropout: 1 }),
    () => nn.recurrence((c: Tensor, v: Tensor) => [c, v], np.zeros([1]), np.zeros([3])),
  ];
  expect(wrong.map(message).join('')).toMatchInlineSnapshot(`
    "
    ShapeError: nn.lstm: input float32[5,2,2] does not fit wx float32[3,16]
      remedy: the last axis of the input must have length 3
      at test/nn/recurrent.test.ts:LINE

    ShapeError: nn.lstm: input float32[5,3] is not [batch, time, features]
      remedy: give one sequence as a batch of one: np.expandDims(x, 0)
      at test/nn/recurrent.test.ts:LINE

    TreeError: nn.gru: params.bn is undefined, not a tensor
      remedy: make parameters with nn.gruCell.init(key, inSize, hiddenSize): { wx, wh, b, bn }
      at test/nn/recurrent.test.ts:LINE

    ShapeError: nn.gru.init: layers is 0
      remedy: give a positive integer
      at test/nn/recurrent.test.ts:LINE

    ShapeError: nn.rnn: wx float32[3,12], wh float32[4,12], b float32[12] do not make a cell
      remedy: make parameters with nn.rnnCell.init(key, inSize, hiddenSize): { wx, wh, b }
      at test/nn/recurrent.test.ts:LINE

    TreeError: nn.lstm: params are { wx, wh, b }, not an array of { forward, backward? }
      remedy: make parameters with nn.lstm.init(key, inSize, hiddenSize, { layers, bidirectional }); use nn.recurrence for one cell
      at test/nn/recurrent.test.ts:LINE

    ShapeError: nn.lstm: lengths is the tensor int32[1]
      remedy: give int32[2]
      at test/nn/recurrent.test.ts:LINE

    TreeError: nn.lstm: 0 carries for 1 layers
      remedy: give the carries that a call returned, or none
      at test/nn/recurrent.test.ts:LINE

    ShapeError: nn.rnnCell: the carry is the tensor float32[3], expected float[4]
      remedy: begin with zeros: the cell’s \`carry(params, batchShape)\`
      at test/nn/recurrent.test.ts:LINE

    DTypeError: nn.lstm: there is no option 'dropOut'
      remedy: the options are { reverse, dropout, unroll }
      at test/nn/recurrent.test.ts:LINE

    DTypeError: nn.lstm: dropout is 1
      remedy: give a probability in [0, 1)
      at test/nn/recurrent.test.ts:LINE

    ShapeError: nn.recurrence: xs are float32[3]
      remedy: give tensors [batch, time, …] of equal batch and time
      at test/nn/recurrent.test.ts:LINE
    "
  `);
});

it('the program of a layer is one loop, whatever its length', () => {
  const params = nn.gru.init(random.key(0), 3, 4);
  const text = (time: number): string => `${makeJaxpr((v: Tensor) => nn.gru(params)(v)[1])(np.zeros([2, time, 3]))}`;
  expect(text(3).split('scan[')).toHaveLength(2);
  expect(text(7).split('\n')).toHaveLength(text(3).split('\n').length);
});
