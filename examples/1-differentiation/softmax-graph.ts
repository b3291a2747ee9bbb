/**
 * The computational graph of L(softmax(Wx + b), y), as Fig. 2.2 of the notes draws it: found by tracing the function.
 *
 * What one writes are functions; the graph is their jaxpr. Its gradient is another such program, drawn too, and it is the one on
 * paper: ∂L/∂z = softmax(z) − y, ∂L/∂W = (softmax(z) − y) xᵀ.
 */

import * as TE from 'fp-ts/lib/TaskEither.js';
import { countEqns, grad, jit, makeJaxpr, nn, np, optimize, random, type Tensor } from 'pullback';
import { graph } from 'pullback/viz';
import * as cli from '../cli.ts';

// Under `jit` a function is one equation of those that call it: the blocks of the figure.
const softmax = jit(function softmax(z: Tensor): Tensor {
  return nn.softmax(z);
});
const crossEntropy = jit(function crossEntropy(p: Tensor, y: Tensor): Tensor {
  return np.neg(np.sum(np.mul(y, np.log(p))));
});

/** The cross entropy of one example: W float32[3, 2], b float32[3], x float32[2], y float32[3], which is 1 at its class. */
const loss = (w: Tensor, b: Tensor, x: Tensor, y: Tensor): Tensor =>
  crossEntropy(softmax(np.add(np.matmul(w, x), b)), y);

const options = cli.commonOptions('softmax-graph');

export const example: cli.Example<typeof options> = {
  name: 'softmax-graph',
  about: 'draws the computational graph of L(softmax(Wx + b), y), and that of its gradient.',
  options,
  body: ({ seed }) => {
    const [forW, forX] = random.split(random.key(seed));
    const args = [random.normal(forW, [3, 2]), np.zeros([3]), random.normal(forX, [2]), np.array([0, 1, 0])] as const;
    const names = ['W', 'b', 'x', 'y'];
    const forward = makeJaxpr(loss)(...args);
    const backward = makeJaxpr(grad(loss))(...args);
    console.log(`${forward}\n\n${backward}`);

    const [w, b, x, y] = args;
    const error = np.sub(nn.softmax(np.add(np.matmul(w, x), b)), y);
    const onPaper = np.outer(error, x);
    const apart = np.max(np.abs(np.sub(grad(loss)(...args), onPaper))).item();
    const [ahead, back] = [forward, backward].map(({ jaxpr }) => countEqns(optimize(jaxpr)));
    return TE.of({
      numbers: { apart, forward: ahead!, backward: back! },
      claims: [
        cli.atMost('∂L/∂W against (softmax(z) − y) xᵀ', apart, 1e-6),
        cli.atMost('equations of the gradient, to those of the loss', back! / ahead!, 4),
      ],
      files: {
        'forward.svg': graph(forward, { title: 'L(softmax(Wx + b), y)', names }),
        'backward.svg': graph(backward, { title: '∂L/∂W', names }),
      },
    });
  },
};
