/**
 * Programs of layers for sequences. Attention: products, their biases and rows of softmax; nothing is transposed, copied or put
 * together. Recurrences: one product for all inputs, and in the loop a product and a kernel.
 */

import { jit, makeAval, nn, random, type Tensor, tree, wasmDevice, withDefaultDevice } from 'pullback';
import { expect, test } from 'vitest';
import { plan } from '../../backends/loop/plan/plan.ts';
import { printKernel } from '../../backends/loop/print.ts';
import { constsAsInputs } from '../../src/core/jaxpr.ts';
import { stage } from '../../src/core/stage.ts';
import type { Value } from '../../src/core/value.ts';
import { flatten, unflatten } from '../../src/tree/tree.ts';
import { optimize } from '../../transforms/passes/index.ts';

test.each([
  ['as many heads of keys', {}],
  ['grouped queries', { keyHeads: 2 }],
])('an attention head materialises no transpose: %s', (_, options) => {
  const { leaves, def } = flatten(nn.multiHeadAttention.init(random.key(0), 64, 4, options));
  const layer = (x: Value, ...params: readonly Value[]): readonly Value[] => [
    nn.multiHeadAttention(unflatten<nn.MultiHeadParams>(def, params), { isCausal: true })(x as Tensor),
  ];
  const { jaxpr } = stage('attention', layer, [makeAval([2, 16, 64], 'float32'), ...leaves.map((x) => x.aval)]);
  const { steps } = plan(optimize(constsAsInputs(jaxpr)), { buffers: 48 });
  // Queries, keys and values; scores; what is seen; the way back.
  expect(steps.filter(({ kind }) => kind === 'contract')).toHaveLength(6);
  const kindOf = (text: string): string => {
    if (text.includes('/ r1')) return 'softmax';
    if (text.includes('i >= j')) return 'mask';
    return text.startsWith('kernel epilogue') ? 'bias' : text;
  };
  // Biases are added while the products are computed.
  const epilogues = steps.flatMap((step) => ('epilogue' in step && step.epilogue ? [step.epilogue.kernel] : []));
  expect(epilogues.map(printKernel).map(kindOf).sort()).toEqual(['bias', 'bias', 'bias', 'bias']);
  const others = steps.flatMap((step) => (step.kind === 'kernel' ? [step.kernel] : []));
  expect(others.map(printKernel).map(kindOf).sort()).toEqual(['mask', 'softmax']);
  expect(steps).toHaveLength(8);
});

test.each([
  // What a vanilla cell does with its product is an epilogue of it.
  ['rnn', nn.rnn.init, nn.rnn, ['contract']],
  ['lstm', nn.lstm.init, nn.lstm, ['contract', 'nest']],
  ['gru', nn.gru.init, nn.gru, ['contract', 'nest']],
] as const)('a step of %s is a product and a kernel at most', (_, init, layer, steps) => {
  const params = init(random.key(0), 16, 32) as nn.GruLayers;
  const ys = (p: nn.GruLayers, x: Tensor): Tensor => (layer as typeof nn.gru)(p)(x)[1];
  const avals = tree.map((x) => x.aval, params);
  const program = withDefaultDevice(wasmDevice(), () =>
    jit(ys)
      .lower(avals as never, makeAval([4, 10, 16], 'float32'))
      .compile(),
  );
  const lines = program
    .text('plan')
    .split('\n')
    .filter((line) => /^ *\d+: /.test(line));
  const kinds = (within: boolean): string[] =>
    lines.filter((line) => line.startsWith(' ') === within).map((line) => /: ([a-z]+)/.exec(line)![1]!);
  expect(kinds(false).filter((kind) => kind === 'contract')).toHaveLength(1);
  expect(kinds(false)).toContain('repeat');
  const inside = kinds(true).filter((kind) => kind !== 'copy');
  expect(inside).toEqual(steps);
});
