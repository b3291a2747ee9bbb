/** The laws of layers, of every family. */

import type { Suite } from './law.ts';
import { initializerLaws } from './nn-initializers.laws.ts';
import { layerLaws } from './nn-layers.laws.ts';
import { lossLaws } from './nn-losses.laws.ts';
import { sequenceLaws } from './nn-sequence.laws.ts';

/** The laws of layers. */
export const nnLaws: Suite = { name: 'nn', laws: [...layerLaws, ...initializerLaws, ...sequenceLaws, ...lossLaws] };
