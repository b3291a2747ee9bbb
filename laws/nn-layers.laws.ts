/** The laws of layers and of their composition. */

import * as fc from 'fast-check';
import { makeAval } from '../src/core/aval.ts';
import * as nn from '../src/nn/index.ts';
import type { Tensor } from '../src/ops/types.ts';
import * as random from '../src/random/index.ts';
import { within } from './arbitrary/elements.ts';
import { tensorOf } from './arbitrary/tensor.ts';
import { sameValues, toTensor } from './host.ts';
import { type Law, law } from './law.ts';

const seeds = fc.nat({ max: 2 ** 31 - 1 });
const inputs = tensorOf(makeAval([2, 3], 'float32'), within(-2, 2));

/** Layers of 3 features, so that any follows any. */
const layers: readonly nn.Layer<unknown, Tensor, Tensor>[] = [
  nn.dense.layer(3, 3),
  nn.lift(nn.tanh),
  nn.residual(nn.dense.layer(3, 3)),
  nn.serial(nn.dense.layer(3, 2), nn.lift(nn.relu), nn.dense.layer(2, 3)),
] as readonly nn.AnyLayer[] as readonly nn.Layer<unknown, Tensor, Tensor>[];
const layer = fc.constantFrom(...layers);
const identity = nn.lift((x: Tensor) => x);

/** The laws of composition, to the bit. */
export const layerLaws: readonly Law[] = [
  law('serial is associative', [layer, layer, layer, seeds, inputs], (a, b, c, seed, host) => {
    const x = toTensor(host) as Tensor;
    const [p, q, r] = random.split(random.key(seed), 3).map((key, i) => [a, b, c][i]!.init(key));
    const flat = nn.serial(a, b, c).apply([p, q, r])(x);
    const left = nn.serial(nn.serial(a, b), c).apply([[p, q], r])(x);
    const right = nn.serial(a, nn.serial(b, c)).apply([p, [q, r]])(x);
    return sameValues('serial', [left, right], [flat, flat]);
  }),
  law('lift of the identity is the identity of serial', [layer, seeds, inputs], (a, seed, host) => {
    const x = toTensor(host) as Tensor;
    const p = a.init(random.key(seed));
    const y = a.apply(p)(x);
    const [before, behind] = [nn.serial(identity, a).apply([null, p])(x), nn.serial(a, identity).apply([p, null])(x)];
    return sameValues('serial', [before, behind], [y, y]);
  }),
  law('fanOut is parallel on copies', [layer, layer, seeds, inputs], (a, b, seed, host) => {
    const x = toTensor(host) as Tensor;
    const params = nn.parallel(a, b).init(random.key(seed));
    return sameValues('fanOut', nn.fanOut(a, b).apply(params)(x), nn.parallel(a, b).apply(params)([x, x]));
  }),
];
