/** The figures of the page, each from something that is computed here. */

import { pipe } from 'fp-ts/lib/function.js';
import { grad, makeJaxpr, nn, np, optim, random, type Tensor, train, valueAndGrad, vmap } from 'pullback';
import { captionedShapes, dataset, twoMoons } from 'pullback/data';
import * as viz from 'pullback/viz';

/** A long valley: its sides are twenty times as steep as its floor, so that plain descent must go slowly. */
const valley = (p: Tensor): Tensor => np.sum(np.mul(np.square(p), np.array([0.5, 10])));

/** Where an optimizer comes by in so many steps. */
function path(optimizer: optim.GradientTransformation, start: readonly [number, number], steps: number) {
  const x = np.array([...start]);
  const step = ({ x, state }: { readonly x: Tensor; readonly state: optim.OptState }) => {
    const [updates, next] = optimizer.update(grad(valley)(x), state, x);
    return [{ x: optim.applyUpdates(x, updates), state: next }, x] as const;
  };
  const nothing = Array.from({ length: steps }, () => null);
  const [end, before] = train.fold(step, { x, state: optimizer.init(x) }, nothing);
  return [...before, end.x].map((p) => p.toArray() as [number, number]);
}

const optimizers = {
  'gradient descent': optim.sgd(0.09),
  momentum: optim.sgd(0.02, { momentum: 0.85 }),
  adam: optim.adam(0.3),
};

export const paths = (): string =>
  viz.contourPlot({
    title: 'Three ways down a valley',
    f: vmap(valley),
    x: [-4.5, 2],
    y: [-1.6, 1.6],
    xLabel: 'x',
    yLabel: 'y',
    paths: Object.entries(optimizers).map(([name, optimizer]) => ({ name, points: path(optimizer, [-4, 1], 40) })),
  });

/** A network that tells two moons apart, and the loss of each of its steps. */
export function moons() {
  const { x, label } = twoMoons(random.key(0), 200, { noise: 0.15 });
  const network = nn.serial(
    nn.dense.layer(2, 16),
    nn.lift(np.tanh),
    nn.dense.layer(16, 16),
    nn.lift(np.tanh),
    nn.dense.layer(16, 2),
  );
  const params = network.init(random.key(1));
  const adam = optim.adam(0.02);
  type Carry = { readonly params: typeof params; readonly state: optim.OptState };
  const step = ({ params, state }: Carry) => {
    const [loss, gradient] = valueAndGrad((p: typeof params) => nn.crossEntropy(network.apply(p)(x), label))(params);
    const [updates, next] = adam.update(gradient, state, params);
    return [{ params: optim.applyUpdates(params, updates), state: next }, loss] as const;
  };
  const nothing = Array.from({ length: 400 }, () => null);
  const [end, losses] = train.fold(step, { params, state: adam.init(params) }, nothing);
  const boundary = viz.decisionBoundary({
    title: 'Two moons, told apart',
    scores: (points) => network.apply(end.params)(points),
    points: x,
    labels: Array.from(label.dataSync()),
  });
  return { boundary, losses: losses.map((loss) => loss.item()) };
}

export function shapes() {
  const pictures = captionedShapes(random.key(2), 10, { size: 32 });
  const images = pipe(
    pictures,
    dataset.map(({ image }) => image),
    dataset.batch(10),
  ).at(0);
  const captions = [...pictures].map(({ caption }) => caption);
  const { shapes: drawn, caption } = pictures.at(0);
  // An eye that looks at the middle of each shape, and then at all: attention as bells around the centres.
  const side = 8;
  const bell = (cx: number, cy: number) =>
    Array.from({ length: side }, (_, row) =>
      Array.from({ length: side }, (_, column) => {
        const [dx, dy] = [(column + 0.5) / side - cx, (row + 0.5) / side - cy];
        return Math.exp(-(dx * dx + dy * dy) / 0.03);
      }),
    );
  return {
    grid: viz.imageGrid({
      title: 'Shapes and what is said of them',
      images,
      range: [0, 1],
      captions,
      columns: 5,
      scale: 3.5,
    }),
    looking: viz.attentionOverImage({
      title: `Where one looks for “${caption}”`,
      image: np.index(images, 0),
      weights: drawn.map(({ x, y }) => bell(x, y)),
      words: drawn.map(({ colour, kind }) => `${colour} ${kind}`),
    }),
  };
}

/** Scaled dot products between a few words whose vectors are given: who acts looks for who is acted on. */
export function attention(): string {
  const words = ['the', 'cat', 'chased', 'the', 'mouse'];
  const meaning = [
    [1, 0, 0, 0],
    [0, 2, 1, 0],
    [0, 1, 2, 1],
    [1, 0, 0, 0.2],
    [0, 0, 1, 2],
  ];
  const vectors = np.reshape(np.array(meaning), [1, words.length, 1, 4]);
  const weights = nn.functional.attentionWeights(vectors, vectors);
  return viz.attentionOverWords({
    title: 'Attention over words',
    weights: np.index(weights, 0, 0) as Tensor,
    queries: words,
    keys: words,
  });
}

export function initializers(): string {
  const { lecunNormal, heNormal, glorotUniform, orthogonal } = nn.initializers;
  const made = { lecunNormal, heNormal, glorotUniform, orthogonal };
  return viz.histogram({
    title: 'Weights of a layer from 128 to 128, as they begin',
    xLabel: 'weight',
    groups: Object.entries(made).map(([name, init]) => ({
      name,
      values: Array.from(init(random.key(3), [128, 128]).dataSync()),
    })),
    bins: 40,
  });
}

/** σ(w₀x₀ + w₁x₁ + w₂), the example of §2.3.5 of the notes. */
export function neuron(): { readonly svg: string; readonly derivatives: readonly number[] } {
  const f = (w0: Tensor, x0: Tensor, w1: Tensor, x1: Tensor, w2: Tensor): Tensor =>
    np.div(1, np.add(1, np.exp(np.neg(np.add(np.add(np.mul(w0, x0), np.mul(w1, x1)), w2)))));
  const at = [2, -1, -3, -2, -3] as const;
  const args = at.map((x) => np.array(x)) as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const names = ['w0', 'x0', 'w1', 'x1', 'w2'];
  const svg = viz.graph(makeJaxpr(f)(...args), { title: 'σ(w0·x0 + w1·x1 + w2)', at, names });
  const derivatives = grad(f, { argnums: [0, 1, 2, 3, 4] })(...args);
  return { svg, derivatives: derivatives.map((x) => x.item()) };
}
