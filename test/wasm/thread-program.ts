/** Trains for some steps (`steps N`), or ends in the middle of it (`exit STATUS`); prints what came out, as `thread-processes.test.ts` reads it. */

import { defaultDevice, grad, jit, nn, np, random, type Tensor } from 'pullback';

const [what, value] = process.argv.slice(2);

const p = { w: random.normal(random.key(1), [200, 300]), v: random.normal(random.key(2), [300, 10]) };
const x = random.normal(random.key(3), [128, 200]);
const truth = np.remainder(np.arange(128), 10) as Tensor<'int32'>;
const loss = (q: typeof p): Tensor => nn.crossEntropy(np.matmul(np.tanh(np.matmul(x, q.w)), q.v), truth);
const step = jit((q: typeof p) => {
  const g = grad(loss)(q);
  return { w: np.sub(q.w, np.mul(g.w, 0.1)), v: np.sub(q.v, np.mul(g.v, 0.1)) };
});

let state = p;
const steps = what === 'exit' ? 20 : Number(value);
for (let i = 0; i < steps; i++) state = step(state);
if (what === 'exit') process.exit(Number(value));
const words = new Uint32Array(state.w.dataSync().slice().buffer);
const team = (defaultDevice() as unknown as { readonly team: { readonly calls: number } | null }).team;
console.log(
  JSON.stringify({ bits: words.reduce((sum, word) => (sum * 31 + word) >>> 0, 7), shared: (team?.calls ?? 0) > 0 }),
);
