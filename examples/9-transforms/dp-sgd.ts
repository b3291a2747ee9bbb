/**
 * Gradients of each example, by `vmap(grad)`, and what they are for: learning that no single example can change much.
 *
 * DP-SGD clips the gradient of every example to one length, sums them and adds noise in proportion to it. M. Abadi et al., "Deep
 * learning with differential privacy" (2016), algorithm 1. An image with a wrong label pulls on plain training with all its weight;
 * here it cannot.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { grad, jit, nn, np, optim, random, type Tensor, train, tree, vmap } from 'pullback';
import { blobs } from 'pullback/data';
import { histogram, lineChart } from 'pullback/viz';
import * as cli from '../cli.ts';

const network = nn.serial(nn.dense.layer(2, 16), nn.lift(np.tanh), nn.dense.layer(16, 3));
type Params = nn.ParamsOf<typeof network>;

/** The loss of one example: float32[2] and int32[]. */
const lossOf = (params: Params, x: Tensor, label: Tensor<'int32'>): Tensor =>
  nn.crossEntropy(network.apply(params)(np.expandDims(x, 0)), np.expandDims(label, 0));

/** A tree whose leaves have an axis of examples before: the gradient of each. */
const gradients = vmap(grad(lossOf), [null, 0, 0]);

/** The length of each gradient, over all leaves: float32[batch]. */
const lengths = (each: Params): Tensor =>
  np.sqrt(
    tree
      .leaves(each)
      .map((g) => np.sum(np.square(np.reshape(g, [g.shape[0]!, -1])), 1))
      .reduce((a, b) => np.add(a, b)),
  ) as Tensor;

/** The mean of clipped gradients with noise: what one example changes in it is at most 2·clip/batch, beside noise of deviation noise·clip/batch. */
function privately(each: Params, key: random.Key, clip: number, noise: number): Params {
  const batch = tree.leaves(each)[0]!.shape[0]!;
  const factors = np.minimum(1, np.div(clip, np.maximum(lengths(each), 1e-12)));
  return tree.mapKeys(
    key,
    (k, g) => {
      const sum = np.tensordot(factors, g as Tensor, 1);
      return np.div(np.add(sum, np.mul(noise * clip, random.normal(k, sum.shape))), batch);
    },
    each,
  ) as Params;
}

const options = {
  ...cli.commonOptions('dp-sgd'),
  steps: cli.count(400, 'steps', 100),
  clip: cli.positive(0.5, 'length to which gradients are clipped'),
  noise: cli.positive(1, 'deviation of the noise, in clipping lengths'),
};

export const example: cli.Example<typeof options> = {
  name: 'dp-sgd',
  about: 'per-example gradients by vmap(grad), and learning with differential privacy from them.',
  options,
  body: ({ clip, noise, seed, short, steps }) => {
    const [dataKey, initKey, orderKey, noiseKey] = random.split(random.key(seed), 4);
    const { x, label } = blobs(dataKey!, 600, { noise: 0.35 });
    const start = network.init(initKey!);

    // One by one in a loop: the same gradients, one program for each.
    const some = (n: number) => [np.index(x, [0, n]) as Tensor, np.index(label, [0, n]) as Tensor<'int32'>] as const;
    const each = jit(gradients)(start, ...some(8));
    const alone = Array.from({ length: 8 }, (_, i) =>
      jit(grad(lossOf))(start, np.index(x, i) as Tensor, np.index(label, i) as Tensor<'int32'>),
    );
    const together = lengths(each).toArray() as number[];
    const oneByOne = alone.map((g) =>
      Math.sqrt(tree.reduce((sum, leaf) => sum + np.sum(np.square(leaf as Tensor)).item(), 0, g)),
    );
    const apart = Math.max(...together.map((length, i) => Math.abs(length - oneByOne[i]!) / length));

    const sgd = optim.sgd(0.5);
    const batch = 200;
    type Carry = { readonly params: Params; readonly state: optim.OptState };
    const stepWith =
      (clipped: boolean) =>
      ({ params, state }: Carry, i: Tensor<'int32'>) => {
        const chosen = random.choice(random.foldIn(orderKey!, i), x.shape[0]!, [batch], { replace: false });
        const [xs, labels] = [np.take(x, chosen, 0), np.take(label, chosen, 0)];
        const each = gradients(params, xs, labels);
        const gradient = clipped
          ? privately(each, random.foldIn(noiseKey!, i), clip, noise)
          : tree.map((g) => np.mean(g as Tensor, 0), each);
        const [updates, next] = sgd.update(gradient, state, params);
        const hits = np.equal(np.argmax(network.apply(params)(x), 1), label);
        return [
          { params: optim.applyUpdates(params, updates), state: next },
          np.mean(np.astype(hits, 'float32')),
        ] as const;
      };
    const numbers = Array.from({ length: steps }, (_, i) => np.array(i, { dtype: 'int32' }));
    const learn = (clipped: boolean) =>
      train.fold(stepWith(clipped), { params: start, state: sgd.init(start) }, numbers);
    const [[plain, plainCurve], [, privateCurve]] = [learn(false), learn(true)];
    const accuracy = (curve: readonly Tensor[]): number => curve.at(-1)!.item();
    console.log(`read rightly: ${accuracy(plainCurve)} by plain steps, ${accuracy(privateCurve)} by private ones`);

    // How far the update moves if one example is taken for another class.
    const wrong = np.at(label, 0).set(np.mod(np.add(np.index(label, 0), 1), 3));
    const moved = (update: (labels: Tensor<'int32'>) => Params): number => {
      const space = tree.vectorSpace<Params>();
      const difference = space.add(update(wrong as Tensor<'int32'>), space.scale(-1, update(label)));
      return Number(np.sqrt(space.inner(difference, difference)).item());
    };
    const byMean = moved((labels) => tree.map((g) => np.mean(g as Tensor, 0), gradients(plain.params, x, labels)));
    const byClipping = moved((labels) => privately(gradients(plain.params, x, labels), noiseKey!, clip, noise));
    const line = (name: string, curve: readonly Tensor[]) => ({
      name,
      points: curve.map((v, i) => [i + 1, v.item()] as const),
    });
    return TE.of({
      numbers: { apart, plain: accuracy(plainCurve), private: accuracy(privateCurve), byMean, byClipping },
      claims: [
        cli.atMost('gradients of a batch against those of one at a time, relative', apart, 1e-5),
        cli.atMost('what one wrong label changes, in 2·clip/n', byClipping / ((2 * clip) / x.shape[0]!), 1.0001),
        cli.atLeast('what it changes in plain training, to that', byMean / byClipping, 2),
        cli.atLeast('accuracy by private steps', accuracy(privateCurve), short ? 0.85 : 0.9),
      ],
      files: {
        'lengths.svg': histogram({
          title: 'The lengths of the gradients of examples, once trained',
          xLabel: '‖gradient‖',
          groups: [
            { name: 'one for each example', values: lengths(gradients(plain.params, x, label)).toArray() as number[] },
          ],
        }),
        'accuracy.svg': lineChart({
          title: 'Learning with and without privacy',
          xLabel: 'step',
          yLabel: 'read rightly',
          xScale: 'log',
          series: [line('plain', plainCurve), line('private', privateCurve)],
        }),
      },
    });
  },
};
