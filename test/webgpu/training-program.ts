/** A process that trains a small network on the GPU, and ends in the way that its argument names: `end`, `leave`, `exit`, `forever`. */

import { jit, nn, np, setDefaultDevice, type Tensor, valueAndGrad, webgpuDevice } from '../../src/index.ts';

const how = process.argv[2];
setDefaultDevice(webgpuDevice());

interface Params {
  readonly w: Tensor;
  readonly b: Tensor;
}

const x = np.reshape(np.linspace(-1, 1, 32 * 8), [32, 8]);
const y = np.sum(np.square(x), 1, { keepdims: true });
const loss = ({ w, b }: Params, v: Tensor): Tensor =>
  np.mean(np.square(np.sub(np.add(np.matmul(nn.relu(v), w), b), y)));
const step = jit(
  (params: Params, v: Tensor) => {
    const [value, gradient] = valueAndGrad(loss)(params, v);
    const next = (p: Tensor, g: Tensor): Tensor => np.sub(p, np.mul(g, 0.05));
    return [value, { w: next(params.w, gradient.w), b: next(params.b, gradient.b) }] as const;
  },
  { donateArgnums: 0 },
);

let params: Params = { w: np.zeros([8, 1]), b: np.zeros([1]) };
let last = step(params, x);
for (let i = 0; how === 'forever' || i < 30; i++) {
  params = last[1];
  last = step(params, x);
  if (i % 10 === 0) console.log(`step ${i}: ${last[0].item()}`);
}
if (how === 'end') console.log(`loss ${await last[0].data()}`);
if (how === 'exit') {
  // Some of it is recorded, some under way, and somebody waits.
  void last[0].data();
  last = step(last[1], x);
  process.exit(0);
}
