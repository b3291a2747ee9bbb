/** A sequence model as one loop: its size does not depend on its length. */

import { countEqns, grad, jit, makeJaxpr, np, random, scan, type Tensor } from 'pullback';
import { expect, test } from 'vitest';
import { optimize } from '../../transforms/passes/index.ts';

const [batch, features, hidden] = [4, 3, 5];

const init = (key: Tensor<'uint32'>) => {
  const [kx, kh, ko] = random.split(key, 3);
  return {
    wx: np.mul(random.normal(kx!, [features, 4 * hidden]), 0.3),
    wh: np.mul(random.normal(kh!, [hidden, 4 * hidden]), 0.3),
    b: np.zeros([4 * hidden]),
    wo: random.normal(ko!, [hidden, 1]),
  };
};
type Params = ReturnType<typeof init>;
interface State {
  readonly h: Tensor;
  readonly c: Tensor;
}

const sigmoid = (x: Tensor): Tensor => np.div(1, np.add(1, np.exp(np.neg(x))));

const cell =
  (p: Params) =>
  ({ h, c }: State, x: Tensor): readonly [State, Tensor] => {
    const gates = np.add(np.add(np.matmul(x, p.wx), np.matmul(h, p.wh)), p.b) as Tensor;
    const [i, f, g, o] = np.split(gates, 4, 1) as [Tensor, Tensor, Tensor, Tensor];
    const next = np.add(np.mul(sigmoid(f), c), np.mul(sigmoid(i), np.tanh(g)));
    const out = np.mul(sigmoid(o), np.tanh(next));
    return [{ h: out, c: next }, out];
  };

const zero: State = { h: np.zeros([batch, hidden]), c: np.zeros([batch, hidden]) };

const loss = (p: Params, xs: Tensor): Tensor => {
  const [, hs] = scan(cell(p), zero, xs);
  return np.mean(np.square(np.matmul(hs, p.wo)));
};

const written = (p: Params, xs: Tensor): Tensor => {
  const rows: Tensor[] = [];
  let state = zero;
  for (let t = 0; t < xs.shape[0]!; t++) {
    const [next, out] = cell(p)(state, np.index(xs, t) as Tensor);
    state = next;
    rows.push(out);
  }
  return np.mean(np.square(np.matmul(np.stack(rows) as Tensor, p.wo)));
};

test('an LSTM over 64 steps: forward and backward are fewer than 150 equations, bodies included', () => {
  const params = init(random.key(0));
  const size = (steps: number): number => {
    const { jaxpr } = makeJaxpr((p: Params, xs: Tensor) => grad(loss)(p, xs))(
      params,
      np.zeros([steps, batch, features]),
    );
    return countEqns(jaxpr);
  };
  expect(size(64)).toBeLessThan(150);
  expect(size(64)).toBe(size(8));
  const { jaxpr } = makeJaxpr((p: Params, xs: Tensor) => grad(loss)(p, xs))(params, np.zeros([64, batch, features]));
  const after = countEqns(optimize(jaxpr));
  console.log(`LSTM, forward and backward: ${size(64)} equations as traced, ${after} after all passes`);
  expect(after).toBeLessThan(size(64));
});

test('its gradient is that of the steps written out', () => {
  const params = init(random.key(1));
  const xs = random.normal(random.key(2), [6, batch, features]);
  const [found, wanted] = [jit(grad(loss))(params, xs), grad(written)(params, xs)];
  for (const name of ['wx', 'wh', 'b', 'wo'] as const) {
    const all = wanted[name].dataSync();
    found[name].dataSync().forEach((v, i) => expect(v).toBeCloseTo(all[i]!, 5));
  }
});
