/** Every suite of laws, on the default device of the moment they are run. */

import { controlLaws } from './control.laws.ts';
import { dataLaws } from './data.laws.ts';
import { decompositionsLaws } from './decompositions.laws.ts';
import { deviceLaws } from './device.laws.ts';
import { factorsLaws } from './factors.laws.ts';
import { immutabilityLaws } from './immutability.laws.ts';
import { implicitLaws } from './implicit.laws.ts';
import type { Suite } from './law.ts';
import { metricsLaws } from './metrics.laws.ts';
import { nnLaws } from './nn.laws.ts';
import { optimLaws } from './optim.laws.ts';
import { passesLaws } from './passes.laws.ts';
import { primitiveLaws } from './primitives.laws.ts';
import { programsLaws } from './programs.laws.ts';
import { randomLaws } from './random.laws.ts';
import { rulesLaws } from './rules.laws.ts';
import { spectraLaws } from './spectra.laws.ts';
import { transformsLaws } from './transforms.laws.ts';
import { treeLaws } from './tree.laws.ts';

/** All suites. */
export const suites: readonly Suite[] = [
  primitiveLaws,
  transformsLaws,
  programsLaws,
  rulesLaws,
  controlLaws,
  implicitLaws,
  passesLaws,
  decompositionsLaws,
  factorsLaws,
  deviceLaws,
  spectraLaws,
  treeLaws,
  randomLaws,
  optimLaws,
  metricsLaws,
  nnLaws,
  dataLaws,
  immutabilityLaws,
];
