/** `pullback/random`: keys and samplers. */

import './device.ts';

export * from '../random/index.ts';
